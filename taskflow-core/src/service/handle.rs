//! What other parts of the process do with a service: hand it runs, and ask whether it is alive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::watchers::LastPolls;
use crate::base::Timestamp;
use crate::engine::RunRequest;
use crate::journal::RunSummary;

/// A run that is claimed, and that the service is to continue.
pub(super) struct ClaimedRun {
    pub(super) run: RunSummary,
    pub(super) request: RunRequest<()>,
}

/// A handle of a service. Cheap to clone; it does not keep the service alive.
#[derive(Clone, Debug)]
pub struct ServiceHandle {
    claimed: UnboundedSender<ClaimedRun>,
    /// In nanoseconds; 0 before the first turn.
    last_turn: Arc<AtomicI64>,
    woken: Arc<Notify>,
    polls: LastPolls,
}

impl ServiceHandle {
    pub(super) fn new() -> (Self, UnboundedReceiver<ClaimedRun>) {
        let (claimed, receiver) = unbounded_channel();
        let (last_turn, woken, polls) = (Arc::default(), Arc::default(), LastPolls::default());
        (ServiceHandle { claimed, last_turn, woken, polls }, receiver)
    }

    /// Lets the service continue a run that is claimed: one whose tasks were cleared, or that was
    /// interrupted. Returns `false` if the service has ended: the claim is released, and the next
    /// service resumes the run.
    pub fn run(&self, run: RunSummary, request: RunRequest<()>) -> bool {
        self.claimed.send(ClaimedRun { run, request }).is_ok()
    }

    /// Lets the service look for work now: something was stored that it would notice within a
    /// second.
    pub fn wake(&self) {
        self.woken.notify_one();
    }

    /// Waits for [`wake`](ServiceHandle::wake). Cancel safe.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// When the service last looked for work; `None` before the first time.
    pub fn last_turn(&self) -> Option<Timestamp> {
        let nanos = self.last_turn.load(Ordering::Relaxed);
        (nanos != 0).then(|| Timestamp::from_nanos(nanos))
    }

    /// When each watcher of the service has run last, by its source: it has looked for something
    /// new, or was told of it. A watcher that only waits for its source runs when that has
    /// something.
    pub fn last_polls(&self) -> BTreeMap<String, Timestamp> {
        self.polls.all()
    }

    /// Where watchers note that they run.
    pub(super) fn polls(&self) -> &LastPolls {
        &self.polls
    }

    pub(super) fn turned(&self, now: Timestamp) {
        self.last_turn.store(now.as_nanos(), Ordering::Relaxed);
    }
}
