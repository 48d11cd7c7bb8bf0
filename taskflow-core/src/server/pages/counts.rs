//! What waits for people, as numbers beside the links of the rail.
//!
//! Every page shows them, and few handlers have a reason to know of them. So they are read before
//! the handler runs, and [`request`](super::reply::request) finds them in its task.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Mutex;

use crate::ops;
use crate::server::ServerState;

/// How old the numbers may be.
const KEPT: Duration = Duration::from_secs(2);

tokio::task_local! {
    static COUNTS: Counts;
}

/// What waits for people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Questions that tasks ask.
    pub(crate) approvals: usize,
    /// Deadlines that were missed in the last day, or are likely to be.
    pub(crate) deadlines: usize,
}

/// The last numbers, and when they were read. Whoever reads them anew holds the lock, so that many
/// pages at once read them once.
#[derive(Clone, Default)]
pub(in crate::server) struct CountCache(Arc<Mutex<Option<(Instant, Counts)>>>);

impl CountCache {
    /// Forgets the numbers, because something was answered.
    pub(crate) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

async fn counts(state: &ServerState) -> Counts {
    let mut kept = state.counts.0.lock().await;
    if let Some((at, counts)) = *kept
        && at.elapsed() < KEPT
    {
        return counts;
    }
    // A page without numbers is better than none.
    let counts = Counts {
        approvals: ops::approvals(&state.journal, &state.dags).await.map_or(0, |all| all.len()),
        deadlines: ops::deadlines(&state.journal, &state.dags).await.map_or(0, |all| all.urgent()),
    };
    *kept = Some((Instant::now(), counts));
    counts
}

/// Reads the numbers before a page is made.
pub(crate) async fn for_request(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let counts = counts(&state).await;
    COUNTS.scope(counts, next.run(request)).await
}

/// The numbers for the page that is being made; zero outside of a request.
pub(crate) fn of_request() -> Counts {
    COUNTS.try_with(|counts| *counts).unwrap_or_default()
}
