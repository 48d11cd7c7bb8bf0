//! Delivers callbacks of stored runs, at least once.
//!
//! 1. A run with callbacks is in the *outbox*, the list of runs that may have undelivered
//!    callbacks: a new run from the moment it is stored, a stored one from before its next entry.
//! 2. The notifications of a run follow from its entries ([`CallbackProjection`]). The store
//!    records each delivery by the key of its notification. The difference is pending, whoever asks
//!    and whenever.
//! 3. The owner of a run delivers its callbacks
//!    ([`CallbackDispatcher`](crate::callback::CallbackDispatcher)). A process that resumes the run
//!    starts with what is pending.
//! 4. A process that runs anything in the same home goes through the outbox and delivers what is
//!    due for runs that nobody owns. `Outbox::claim_deliveries`
//!    keeps two processes from doing so at once. Even if it failed, a second delivery has the same
//!    key.
//! 5. A run that has ended and has nothing pending leaves the outbox, unless another process has
//!    claimed it meanwhile. An interrupted run stays in it, and so does a run whose DAG this
//!    program does not have.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::JournalError;
use super::history::RunHistory;
use super::journal::{Inner, Journal};
use super::resume::dag_of;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::callback::{CallbackProjection, DeliveryAttempt, DeliveryLog, Names, PendingCallback, Recorded};
use crate::dag::{Plan, node_id_of};
use crate::run::{Entry, RunInfo, TaskIndex};
use crate::store::{DeliveryPlace, RunRow, StoreError};
use crate::task::Callbacks;

/// The delivery of a notification to a callback of a stored run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct Delivery {
    /// Its key; see [`Notification::key`](crate::task::Notification::key).
    pub key: String,
    /// Its text, in one line.
    pub notification: String,
    /// The callback.
    pub callback: String,
    /// The time of the last attempt.
    pub at: Timestamp,
    /// The number of attempts.
    pub attempts: u32,
    /// Why the last attempt failed; `None` if it was delivered.
    pub error: Option<String>,
    /// The earliest time of the next attempt, by any process that runs something in this home.
    /// `None` after a failure: no further attempt is made.
    pub next: Option<Timestamp>,
}

impl From<DeliveryAttempt> for Delivery {
    fn from(tried: DeliveryAttempt) -> Self {
        let DeliveryAttempt { key, notification, callback, at, attempts, error, next } = tried;
        Delivery { key, notification, callback, at, attempts, error, next }
    }
}

impl Journal {
    /// Delivers pending callbacks of runs that nobody owns: their process died before it delivered
    /// them, or a delivery failed and is due again. Returns how many were delivered.
    ///
    /// The first run that starts or resumes with a journal does this in the background; call it to
    /// wait for the deliveries. Callbacks of DAGs that this program does not have are skipped.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written. A callback that fails is not an error: it is
    /// recorded, and retried later.
    ///
    /// # Cancellation safety
    ///
    /// A delivery that is under way when the future is dropped completes without being recorded, so
    /// it is repeated.
    pub async fn deliver_pending(&self) -> Result<usize, JournalError> {
        let _one_at_a_time = self.inner.delivering.lock().await;
        let store = &self.inner.store;
        let mut delivered = 0;
        for run_id in store.outbox_pending().await? {
            // This process has called its callbacks, and records it as soon as it can.
            if self.inner.unrecorded.has(&run_id) {
                continue;
            }
            let Some(_guard) = store.claim_deliveries(&run_id).await? else { continue };
            let Some(row) = store.run_by_id(&run_id).await? else {
                store.outbox_done(&run_id, None).await?;
                continue;
            };
            let token = row.token;
            let Some(plan) = dag_of(&row.info).ok().and_then(|dag| dag.plan().ok()) else { continue };
            // Reading the run reports its damage.
            let Ok(pending) = self.pending_callbacks(row, &plan).await else { continue };
            let now = Timestamp::now();
            let (mut due, later): (Vec<PendingCallback>, Vec<PendingCallback>) =
                pending.into_iter().partition(|pending| pending.is_due(now));
            if !due.is_empty() {
                // A write: while the store is locked, no callback is called, because nobody could
                // record that it was.
                store.outbox_add(&run_id).await?;
            }
            let mut trying = move || due.iter_mut().map(PendingCallback::attempt).collect::<Vec<DeliveryAttempt>>();
            // On a thread of its own: callbacks block, and the future may be dropped.
            let (done, tried) = tokio::sync::oneshot::channel();
            let thread = std::thread::Builder::new().name("taskflow-notifications".to_owned());
            if thread.spawn(move || done.send(trying())).is_err() {
                continue;
            }
            let Ok(tried) = tried.await else { continue };
            if !tried.is_empty() {
                store.record_deliveries(&run_id, &tried).await?;
            }
            delivered += tried.iter().filter(|tried| tried.error.is_none()).count();
            if later.is_empty() && tried.iter().all(|tried| tried.next.is_none()) {
                store.outbox_done(&run_id, Some(token)).await?;
            }
        }
        Ok(delivered)
    }

    /// How many runs have callbacks that have not been delivered.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only the server reads it"))]
    pub(crate) async fn undelivered(&self) -> Result<usize, JournalError> {
        Ok(self.inner.store.outbox_pending().await?.len())
    }

    /// The deliveries whose last attempt failed, with the ids of their runs, the latest first:
    /// those after a place, if there is one.
    pub(crate) async fn failed_deliveries(
        &self,
        after: Option<&DeliveryPlace>,
        limit: u32,
    ) -> Result<Vec<(String, Delivery)>, JournalError> {
        let failed = self.inner.store.failed_deliveries(after, limit).await?;
        Ok(failed.into_iter().map(|(run_id, tried)| (run_id, tried.into())).collect())
    }

    /// Delivers what is pending in the background, once for each journal that this process opens.
    pub(super) fn deliver_beside(&self) {
        if self.inner.home.is_none() || self.inner.has_delivered.swap(true, Ordering::Relaxed) {
            return;
        }
        let journal = self.clone();
        let deliver = move || {
            if let Ok(Err(error)) = journal.inner.runtime.block_on(journal.deliver_pending()) {
                tracing::warn!(target: "taskflow", "cannot deliver the callbacks of earlier runs: {error}");
            }
        };
        // Without a thread the next process does it.
        let _ = std::thread::Builder::new().name("taskflow-notifications".to_owned()).spawn(deliver);
    }

    /// The pending callbacks of a run, by a graph of this program.
    pub(super) async fn pending_callbacks(
        &self,
        row: RunRow,
        plan: &Arc<Plan>,
    ) -> Result<Vec<PendingCallback>, JournalError> {
        let Some(mut callbacks) = CallbackFold::new(plan, &row.info) else { return Ok(Vec::new()) };
        let history = self.history_with(row, Some(&mut callbacks), HashMap::new()).await?;
        Ok(callbacks.pending(&history))
    }
}

/// The callback notifications of a run, collected while its history is folded.
pub(super) struct CallbackFold {
    /// The graph of this program, which has the callbacks.
    plan: Arc<Plan>,
    /// The callbacks of the nodes that have some, by id.
    callbacks: HashMap<String, Callbacks>,
    projection: CallbackProjection,
    notifications: Vec<PendingCallback>,
}

impl CallbackFold {
    /// Returns `None` if there are no callbacks.
    pub(super) fn new(plan: &Arc<Plan>, info: &RunInfo) -> Option<Self> {
        let projection = CallbackProjection::new(plan, &Arc::new(info.clone()))?;
        let of = |node| Some((plan.node(node).id().to_owned(), plan.node_options(node).callbacks));
        let callbacks = plan.node_indices().filter_map(of).filter(|(_, callbacks)| *callbacks != Callbacks::NONE);
        let callbacks = callbacks.collect();
        Some(CallbackFold { plan: Arc::clone(plan), callbacks, projection, notifications: Vec::new() })
    }

    /// Whether it used the callbacks of this graph.
    pub(super) fn is_of(&self, plan: &Arc<Plan>) -> bool {
        Arc::ptr_eq(&self.plan, plan)
    }

    /// Takes the next entry, with the history before it.
    pub(super) fn observe(&mut self, history: &RunHistory, at: Timestamp, entry: &Entry) {
        let names = HistoryNames { history, callbacks: &self.callbacks };
        self.notifications.extend(self.projection.observe(at, entry, &names));
    }

    /// The notifications that were not delivered, by the deliveries of the history.
    pub(super) fn pending(self, history: &RunHistory) -> Vec<PendingCallback> {
        let tried: HashMap<&str, &Delivery> = history.deliveries.iter().map(|tried| (&*tried.key, tried)).collect();
        let still = |pending: PendingCallback| match tried.get(&*pending.notification.key) {
            None => Some(pending),
            Some(Delivery { error: Some(_), next: Some(next), attempts, .. }) => {
                Some(pending.after(*attempts, Some(*next)))
            }
            Some(_) => None,
        };
        self.notifications.into_iter().filter_map(still).collect()
    }
}

impl fmt::Debug for CallbackFold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallbackFold({}, {} notifications)", self.plan.id(), self.notifications.len())
    }
}

/// The tasks of a history, with the callbacks of the present graph.
struct HistoryNames<'a> {
    history: &'a RunHistory,
    callbacks: &'a HashMap<String, Callbacks>,
}

impl Names for HistoryNames<'_> {
    fn id(&self, task: TaskIndex) -> Cow<'_, str> {
        Cow::Owned(self.history.id_of(task))
    }

    fn callbacks(&self, task: TaskIndex) -> Callbacks {
        let id = self.history.id_of(task);
        self.callbacks.get(node_id_of(&id)).copied().unwrap_or(Callbacks::NONE)
    }

    fn callbacks_of_node(&self, id: &str) -> Callbacks {
        self.callbacks.get(id).copied().unwrap_or(Callbacks::NONE)
    }
}

/// The deliveries of this process that a locked store has refused to record.
///
/// Each such request waits some seconds for the lock, and whoever else writes here waits behind it.
/// So those who have something to record do not all ask: one does, with pauses.
#[derive(Debug, Default)]
pub(super) struct Unrecorded {
    /// When the store has refused last.
    refused: Mutex<Option<Instant>>,
    /// The ids of the runs.
    runs: Mutex<HashSet<String>>,
}

impl Unrecorded {
    /// From a refusal on, somebody may ask once in that time.
    const PAUSE: Duration = Duration::from_secs(5);

    /// Whether the store is to be asked now.
    fn may_ask(&self) -> bool {
        let mut last = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *last {
            Some(at) if at.elapsed() < Self::PAUSE => false,
            Some(at) => {
                *at = Instant::now();
                true
            }
            None => true,
        }
    }

    fn answered(&self, is_refused: bool) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = is_refused.then(Instant::now);
    }

    /// Whether deliveries of a run are yet to be recorded.
    fn has(&self, run_id: &str) -> bool {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner).contains(run_id)
    }

    fn note(&self, run_id: &str, recorded: Recorded) {
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded == Recorded::Later {
            runs.insert(run_id.to_owned());
        } else {
            runs.remove(run_id);
        }
    }
}

/// Records deliveries of one run.
pub(super) struct StoreDeliveryLog {
    journal: Weak<Inner>,
    run_id: String,
    /// Of the owner that delivers.
    token: u64,
}

impl StoreDeliveryLog {
    pub(super) fn of(journal: &Arc<Inner>, run_id: &str, token: u64) -> Arc<dyn DeliveryLog> {
        Arc::new(StoreDeliveryLog { journal: Arc::downgrade(journal), run_id: run_id.to_owned(), token })
    }
}

impl StoreDeliveryLog {
    fn ask(&self, journal: &Inner, tried: &[DeliveryAttempt]) -> Recorded {
        if !journal.unrecorded.may_ask() {
            return Recorded::Later;
        }
        let recorded = journal.runtime.block_on(journal.store.record_deliveries(&self.run_id, tried));
        let is_refused = matches!(recorded, Ok(Err(StoreError::Busy { .. })));
        journal.unrecorded.answered(is_refused);
        match recorded {
            Ok(Ok(())) => Recorded::Stored,
            Ok(Err(_)) if is_refused => Recorded::Later,
            Ok(Err(error)) => {
                tracing::warn!(target: "taskflow", "cannot record deliveries of callbacks: {error}");
                Recorded::Never
            }
            Err(_) => Recorded::Never,
        }
    }
}

impl DeliveryLog for StoreDeliveryLog {
    fn record(&self, tried: &[DeliveryAttempt]) -> Recorded {
        let Some(journal) = self.journal.upgrade() else { return Recorded::Never };
        let recorded = self.ask(&journal, tried);
        journal.unrecorded.note(&self.run_id, recorded);
        recorded
    }

    fn done(&self) {
        let Some(journal) = self.journal.upgrade() else { return };
        // If this fails the run stays in the outbox, and the next process finds nothing pending.
        let _ = journal.runtime.block_on(journal.store.outbox_done(&self.run_id, Some(self.token)));
    }
}
