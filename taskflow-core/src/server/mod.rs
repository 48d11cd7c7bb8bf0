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
mod permit;
mod problem;

use std::fmt;
use std::sync::Arc;

pub use http::{RunningServer, Server, ServerError};

use crate::dag::DagDef;
use crate::journal::Journal;

/// What the handlers share.
#[derive(Clone)]
pub struct ServerState {
    journal: Journal,
    dags: Arc<[&'static DagDef]>,
}

impl fmt::Debug for ServerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerState").field("dags", &self.dags.len()).finish_non_exhaustive()
    }
}

impl ServerState {
    /// The state of a server of these DAGs, whose runs are in the journal.
    pub fn new(journal: &Journal, dags: Vec<&'static DagDef>) -> Self {
        ServerState { journal: journal.clone(), dags: dags.into() }
    }
}

/// All routes. Pages are merged here.
fn router(state: ServerState) -> axum::Router {
    axum::Router::new().nest("/api/v1", api::routes()).fallback(problem::no_route).with_state(state)
}
