//! What callbacks of stored runs were told, and what they have yet to be told.
//!
//! 1. Before the first entry of a process is stored that runs a graph with callbacks, its run is put on the list of those that
//!    *outbox_add* something.
//! 2. What is to be told follows from the entries ([`CallbackProjection`]), and what was told stands in the store by its key. The
//!    difference is what is pending, whoever asks and whenever.
//! 3. The process that has the run tells it ([`callback_dispatcher`](crate::engine)). One that takes the run over begins with what is
//!    pending.
//! 4. A process that runs anything in the same home goes through the list, and tells what is due of runs that nobody runs. A
//!    claim keeps two processes from doing so at once; without it the callbacks would be told twice, and that they bear.
//! 5. A run that has ended and owes nothing is taken off the list. One that nobody has gone on with stays on it, and so does one
//!    target DAG this program does not have.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use serde::Serialize;

use super::error::JournalError;
use super::history::RunHistory;
use super::journal::{Inner, Journal};
use super::resume::dag_of;
use crate::base::Timestamp;
use crate::callback::{CallbackProjection, DeliveryAttempt, DeliveryLog, Names, PendingCallback};
use crate::dag::{Plan, node_id_of};
use crate::store::RunRow;
use crate::task::Callbacks;

/// What became of a notification that a callback of a stored run was to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// Its key; see [`Notification::key`](crate::task::Notification::key).
    pub key: String,
    /// What it says, in one line.
    pub notification: String,
    /// Which callback.
    pub callback: String,
    /// When it was last tried.
    pub at: Timestamp,
    /// How often it was tried.
    pub attempts: u32,
    /// Why the last try failed; nothing if the callback was told.
    pub error: Option<String>,
    /// When it is tried again at the earliest, by whoever runs something in this home then. Nothing after a failure: it was
    /// given up.
    pub next: Option<Timestamp>,
}

impl From<DeliveryAttempt> for Delivery {
    fn from(tried: DeliveryAttempt) -> Self {
        let DeliveryAttempt { key, notification, callback, at, attempts, error, next } = tried;
        Delivery { key, notification, callback, at, attempts, error, next }
    }
}

impl Journal {
    /// Tells callbacks what they are still to be told of runs that nobody runs: because the process of a run died before it did,
    /// or because it failed and is due again. Gives how many were told.
    ///
    /// The first run that starts or goes on with a journal does so beside it, so this is for those who want to wait for it. Of
    /// DAGs that this program does not have nothing is told.
    ///
    /// # Errors
    ///
    /// When the store cannot be read or written. That a callback fails is none: it is noted, and tried again later.
    ///
    /// # Cancellation safety
    ///
    /// What is under way when the future is dropped is told, and told again by the next one.
    pub async fn deliver_pending(&self) -> Result<usize, JournalError> {
        let _one_at_a_time = self.inner.delivering.lock().await;
        let store = &self.inner.store;
        let mut told = 0;
        for run_id in store.outbox_pending().await? {
            let Some(_guard) = store.claim_deliveries(&run_id).await? else { continue };
            let Some(row) = store.run_by_id(&run_id).await? else {
                store.outbox_done(&run_id).await?;
                continue;
            };
            let Some(plan) = dag_of(&row.info).ok().and_then(|dag| dag.plan().ok()) else { continue };
            // What is damaged is said by those who look at the run.
            let Ok(pending) = self.pending(row, &plan).await else { continue };
            let now = Timestamp::now();
            let (mut due, later): (Vec<PendingCallback>, Vec<PendingCallback>) =
                pending.into_iter().partition(|pending| pending.is_due(now));
            let mut trying = move || due.iter_mut().map(PendingCallback::attempt).collect::<Vec<DeliveryAttempt>>();
            // A thread of its own, which nobody has to wait for who does not want to wait any more.
            let (done, tried) = tokio::sync::oneshot::channel();
            let thread = std::thread::Builder::new().name("taskflow-notifications".to_owned());
            if thread.spawn(move || done.send(trying())).is_err() {
                continue;
            }
            let Ok(tried) = tried.await else { continue };
            if !tried.is_empty() {
                store.record_deliveries(&run_id, &tried).await?;
            }
            told += tried.iter().filter(|tried| tried.error.is_none()).count();
            if later.is_empty() && tried.iter().all(|tried| tried.next.is_none()) {
                store.outbox_done(&run_id).await?;
            }
        }
        Ok(told)
    }

    /// The same beside what this process does, once for each journal that it opens.
    pub(super) fn deliver_beside(&self) {
        if self.inner.home.is_none() || self.inner.has_delivered.swap(true, Ordering::Relaxed) {
            return;
        }
        let journal = self.clone();
        let deliver = move || {
            if let Ok(Err(error)) = journal.inner.runtime.block_on(journal.deliver_pending()) {
                tracing::warn!(target: "taskflow", "callbacks of earlier runs are not told: {error}");
            }
        };
        // Without a thread it is done another time.
        let _ = std::thread::Builder::new().name("taskflow-notifications".to_owned()).spawn(deliver);
    }

    /// What callbacks are still to be told of a run, seen from a graph of this program.
    pub(super) async fn pending(&self, row: RunRow, plan: &Arc<Plan>) -> Result<Vec<PendingCallback>, JournalError> {
        let (info, run_id) = (Arc::new(row.info.clone()), row.info.run_id.clone());
        let Some(mut callback_projection) = CallbackProjection::new(plan, &info) else { return Ok(Vec::new()) };
        let nodes: HashMap<&str, u32> = (0..).zip(plan.nodes()).map(|(index, node)| (node.id(), index)).collect();
        let mut pending = Vec::new();
        self.read_history(row, |history, at, entry| {
            pending.extend(callback_projection.observe(at, entry, &HistoryNames { history, plan, nodes: &nodes }));
        })
        .await?;
        let tried = self.inner.store.deliveries(&run_id).await?;
        let tried: HashMap<&str, &DeliveryAttempt> = tried.iter().map(|tried| (&*tried.key, tried)).collect();
        let still = |pending: PendingCallback| match tried.get(&*pending.notification.key) {
            None => Some(pending),
            Some(DeliveryAttempt { error: Some(_), next: Some(next), attempts, .. }) => {
                Some(pending.after(*attempts, Some(*next)))
            }
            Some(_) => None,
        };
        Ok(pending.into_iter().filter_map(still).collect())
    }
}

/// The tasks of a history, with the callbacks of the graph of today.
struct HistoryNames<'a> {
    history: &'a RunHistory,
    plan: &'a Plan,
    nodes: &'a HashMap<&'a str, u32>,
}

impl Names for HistoryNames<'_> {
    fn id(&self, task: u32) -> Cow<'_, str> {
        Cow::Owned(self.history.id_of(task))
    }

    fn callbacks(&self, task: u32) -> Callbacks {
        let id = self.history.id_of(task);
        let node = self.nodes.get(node_id_of(&id));
        node.map_or(Callbacks::NONE, |&node| self.plan.node_options(node).callbacks)
    }
}

/// Notes what the callbacks of one run were told.
pub(super) struct StoreDeliveryLog {
    journal: Weak<Inner>,
    run_id: String,
}

impl StoreDeliveryLog {
    pub(super) fn of(journal: &Arc<Inner>, run_id: &str) -> Arc<dyn DeliveryLog> {
        Arc::new(StoreDeliveryLog { journal: Arc::downgrade(journal), run_id: run_id.to_owned() })
    }
}

impl DeliveryLog for StoreDeliveryLog {
    fn record(&self, tried: &[DeliveryAttempt]) -> bool {
        let Some(journal) = self.journal.upgrade() else { return false };
        match journal.runtime.block_on(journal.store.record_deliveries(&self.run_id, tried)) {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(target: "taskflow", "what callbacks were told cannot be stored: {error}");
                false
            }
            Err(_) => false,
        }
    }

    fn done(&self) {
        let Some(journal) = self.journal.upgrade() else { return };
        // It stays on the list, and the next process that goes through it finds that nothing is pending.
        let _ = journal.runtime.block_on(journal.store.outbox_done(&self.run_id));
    }
}
