//! The HTTP server of a service: a JSON API over [`ops`], metrics, and pages.
//!
//! # Life of a request
//!
//! 1. `http` reads the head, within a time limit and a size limit, on a runtime of its own: readers
//!    take no thread of the engine. What is not HTTP is answered in `http::raw`.
//! 2. `http::guard` refuses hosts that are not names of this machine (421) and unsafe methods of
//!    other origins (403), catches panics of handlers, and adds the security headers to each
//!    response.
//! 3. `routes` finds the route by path and method. `call` checks the query and the body against the
//!    fields that the route declares. Requests that change something are refused here if the server
//!    is read-only (403) or the service is about to end (503).
//! 4. `keys` parses the segments of the path. Whatever cannot be an id is refused before the store
//!    is touched.
//! 5. `permit` finds the run, and decides by its DAG. A handler cannot reach a run without a
//!    permit.
//! 6. The handler in `api` calls one operation and returns its document, which is the one that
//!    `--output json` prints. Errors become documents in `problem`.
//!
//! Reading uses connections of the server's own. What changes something is written with the journal
//! of the service, which is woken then; runs that continue are handed to the service.
//!
//! # Shutdown
//!
//! 1. [`RunningServer::drain`]: changes are refused, and `/health/ready` answers 503. Reading
//!    works.
//! 2. Dropping the [`RunningServer`] stops accepting connections.
//! 3. Open connections finish their present request, for at most ten seconds.
//! 4. The thread of the server ends.
//!
//! There is no authentication yet, so only loopback addresses can be bound.

mod api;
mod call;
mod http;
mod keys;
mod metrics;
mod openapi;
mod pages;
mod permit;
mod problem;
mod routes;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::metrics::Metrics;
pub use http::{RunningServer, Server, ServerError};

use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::{self, Home, OpsError};
use crate::run::Durability;
use crate::service::ServiceHandle;
use crate::store::SyncMode;

/// What the handlers share. Cheap to clone.
#[derive(Clone)]
pub struct ServerState {
    /// For reading: it has connections of its own, so that readers take none of the engine's.
    journal: Journal,
    /// The journal of the service, for writing.
    service: Journal,
    home: Home,
    dags: Arc<[&'static DagDef]>,
    options: ServerOptions,
    handle: ServiceHandle,
    metrics: Metrics,
    draining: Arc<AtomicBool>,
    /// What waits for people, for the rail of the pages.
    counts: pages::CountCache,
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
        handle: ServiceHandle,
        dags: Vec<&'static DagDef>,
        options: ServerOptions,
    ) -> Result<Self, OpsError> {
        let journal = home.open(SyncMode::Full).await?;
        let (home, service) = (home.clone(), service.clone());
        let (metrics, draining, counts) = (Metrics::default(), Arc::default(), pages::CountCache::default());
        Ok(ServerState { journal, service, home, dags: dags.into(), options, handle, metrics, draining, counts })
    }

    /// Whether the service is about to end.
    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// The durability of runs that continue.
    fn durability(&self) -> Durability {
        ops::durability(self.home.config(), None)
    }
}

/// All routes: the API, and the pages unless they are left out.
fn router(state: ServerState) -> axum::Router {
    let api = routes::router();
    let router = match state.options.no_ui {
        true => api.fallback(problem::no_route),
        false => api.merge(pages::routes(&state)).fallback(pages::no_route),
    };
    router.with_state(state)
}
