//! What waits for people, as numbers beside the links of the rail.
//!
//! Every page shows them, and few handlers have a reason to know of them. So they are read before
//! the handler runs, and [`request`](super::reply::request) finds them in its task.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Mutex;

use crate::ops::accounts::Right;
use crate::ops::{self, DeadlineList};
use crate::server::ServerState;
use crate::server::auth::Visitor;

/// How old the numbers may be.
const KEPT: Duration = Duration::from_secs(2);

tokio::task_local! {
    static COUNTS: Counts;
}

/// What waits for people, as far as the reader may see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Questions that tasks ask.
    pub(crate) approvals: usize,
    /// Deadlines that were missed in the last day, or are likely to be.
    pub(crate) deadlines: usize,
}

/// The DAGs of questions, one for each, and the deadlines.
#[derive(Debug, Default)]
struct Waiting {
    approvals: Vec<String>,
    /// `None`: they cannot be read.
    deadlines: Option<DeadlineList>,
}

impl Waiting {
    /// A page without numbers is better than none: what cannot be read does not count.
    async fn read(state: &ServerState) -> Waiting {
        let approvals = ops::approvals(&state.journal, &state.dags).await.unwrap_or_default();
        Waiting {
            approvals: approvals.into_iter().map(|approval| approval.dag_id).collect(),
            deadlines: ops::deadlines(&state.journal, &state.dags).await.ok(),
        }
    }

    fn seen_by(&self, visitor: &Visitor) -> Counts {
        let sees = |dag: &&str| visitor.may(Right::View, dag);
        Counts {
            approvals: self.approvals.iter().map(String::as_str).filter(sees).count(),
            deadlines: self.deadlines.iter().flat_map(DeadlineList::urgent).filter(sees).count(),
        }
    }
}

/// What waited, and when that was read.
type Read = (Instant, Arc<Waiting>);

/// What waited when it was last read. Whoever reads it anew holds the lock, so
/// that many pages at once read it once.
#[derive(Clone, Default)]
pub(in crate::server) struct CountCache(Arc<Mutex<Option<Read>>>);

impl CountCache {
    /// Forgets the numbers, because something was answered.
    pub(crate) async fn forget(&self) {
        *self.0.lock().await = None;
    }
}

async fn waiting(state: &ServerState) -> Arc<Waiting> {
    let mut kept = state.counts.0.lock().await;
    if let Some((at, waiting)) = &*kept
        && at.elapsed() < KEPT
    {
        return Arc::clone(waiting);
    }
    let waiting = Arc::new(Waiting::read(state).await);
    *kept = Some((Instant::now(), Arc::clone(&waiting)));
    waiting
}

/// Reads the numbers before a page is made.
pub(crate) async fn for_request(visitor: Visitor, request: Request, next: Next) -> Response {
    let counts = waiting(&visitor).await.seen_by(&visitor);
    COUNTS.scope(counts, next.run(request)).await
}

/// The deadlines of the DAGs that somebody sees, as they were counted; `None` if they cannot be
/// read.
pub(super) async fn seen_deadlines(visitor: &Visitor) -> Option<DeadlineList> {
    let mut deadlines = waiting(visitor).await.deadlines.clone()?;
    deadlines.due.retain(|due| visitor.may(Right::View, &due.dag_id));
    deadlines.missed.retain(|missed| visitor.may(Right::View, &missed.dag_id));
    Some(deadlines)
}

/// The numbers for the page that is being made; zero outside of a request.
pub(crate) fn of_request() -> Counts {
    COUNTS.try_with(|counts| *counts).unwrap_or_default()
}
