//! The HTTP server of a home: a read-only JSON API over [`ops`](crate::ops).
//!
//! # Life of a request
//!
//! 1. `http` reads the head, within a time limit and a size limit, on a runtime of its own: readers
//!    take no thread of the engine.
//! 2. `http::guard` refuses hosts that are not names of this machine (421), unsafe methods of other
//!    origins (403), bodies and addresses that are too long, and adds the security headers to each
//!    response.
//! 3. `keys` parses the segments of the path. Whatever cannot be an id is refused before the store
//!    is touched.
//! 4. `permit` finds the run, and decides by its DAG. A handler cannot read a run without a permit.
//! 5. The handler in `api` calls one operation and returns its document, which is the one that
//!    `--output json` prints. Errors become documents in `problem`.
//!
//! # Shutdown
//!
//! 1. Dropping the [`RunningServer`] stops accepting connections.
//! 2. Open connections finish their present request, for at most ten seconds.
//! 3. The thread of the server ends.
//!
//! There is no authentication yet, so only loopback addresses can be bound.

mod api;
mod http;
mod keys;
mod pages;
mod permit;
mod problem;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub use http::{RunningServer, Server, ServerError};

use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{Home, OpsError};
use crate::store::SyncMode;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct ServerState {
    /// For reading: it has connections of its own, so that readers take none of the engine's.
    journal: Journal,
    /// The journal of the service: it notices at once what is written with it.
    #[allow(dead_code, reason = "for requests that change something")]
    service: Journal,
    home: Home,
    dags: Arc<[&'static DagDef]>,
    options: ServerOptions,
    draining: Arc<AtomicBool>,
}

/// The options of a server.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerOptions {
    /// Whether it refuses everything that changes something.
    pub read_only: bool,
    /// Whether it has the API only, without the pages.
    pub no_ui: bool,
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").field("dags", &self.dags.len()).finish_non_exhaustive()
    }
}

impl ServerState {
    /// The state of a server of these DAGs. `service` is the journal of the service in this
    /// process; the server opens another one of the same home for reading.
    ///
    /// # Errors
    ///
    /// When the home cannot be opened.
    pub async fn new(
        home: &Home,
        service: &Journal,
        dags: Vec<&'static DagDef>,
        options: ServerOptions,
    ) -> Result<Self, OpsError> {
        let journal = home.open(SyncMode::Full).await?;
        let (home, service, draining) = (home.clone(), service.clone(), Arc::default());
        Ok(ServerState { journal, service, home, dags: dags.into(), options, draining })
    }
}

/// All routes: the API, and the pages unless they are left out.
fn router(state: ServerState) -> axum::Router {
    let api = axum::Router::new().nest("/api/v1", api::routes());
    let router = match state.options.no_ui {
        true => api.fallback(problem::no_route),
        false => api.merge(pages::routes()).fallback(pages::no_route),
    };
    router.with_state(state)
}
