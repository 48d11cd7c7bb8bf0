//! The routes of the pages. A handler reads documents from [`ops`](crate::ops) and hands them to a
//! page.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::assets::assets;
use crate::server::ServerState;

/// The pages, and the static files that they need.
pub(in crate::server) fn routes() -> Router<ServerState> {
    assets().into_iter().fold(Router::new(), |router, asset| {
        let headers = [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, KEEP)];
        router.route(&asset.address, get(move || async move { (headers, asset.content) }))
    })
}

/// The address of a static file changes with its content.
const KEEP: &str = "public, max-age=31536000, immutable";
