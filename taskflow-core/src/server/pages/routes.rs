//! The routes of the pages. A handler reads documents from [`ops`](crate::ops) and hands them to a page.

use axum::Router;
use axum::http::header;
use axum::routing::get;

use super::assets::assets;
use super::{asset_list, backfill_list, dag, dag_list, doctor, home, log, run, run_list, task, task_runs};
use crate::server::ServerState;

/// The pages, and the static files that they need.
pub(in crate::server) fn routes() -> Router<ServerState> {
    let pages = Router::new()
        .route("/", get(home::show))
        .route("/dags", get(dag_list::show))
        .route("/dags/{dag}", get(dag::show))
        .route("/dags/{dag}/graph.svg", get(dag::graph))
        .route("/dags/{dag}/tasks/{task}", get(task_runs::show))
        .route("/runs", get(run_list::show))
        .route("/runs/{run}", get(run::show))
        .route("/runs/{run}/graph.svg", get(run::graph))
        .route("/runs/{run}/tasks/{task}", get(task::show))
        .route("/runs/{run}/tasks/{task}/{attempt}", get(log::show))
        .route("/runs/{run}/tasks/{task}/{attempt}/raw", get(log::raw))
        .route("/assets", get(asset_list::show))
        .route("/events", get(asset_list::events))
        .route("/backfills", get(backfill_list::list))
        .route("/backfills/{number}", get(backfill_list::show))
        .route("/doctor", get(doctor::show));
    assets().into_iter().fold(pages, |router, asset| {
        let headers = [(header::CONTENT_TYPE, asset.media_type), (header::CACHE_CONTROL, KEEP)];
        router.route(&asset.address, get(move || async move { (headers, asset.content) }))
    })
}

/// The address of a static file changes with its content.
const KEEP: &str = "public, max-age=31536000, immutable";
