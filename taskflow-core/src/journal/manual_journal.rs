//! A journal in memory that stores only on demand: for simulated runs.
//!
//! Entries wait in the log of their run, as they do for the writer. The simulation takes a batch
//! and stores it, or loses it as a process that dies would.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::clock::JournalClock;
use super::graph::Graph;
use super::queue::Queue;
use super::run_log::{RunLog, Taken};
use super::{Journal, JournalError, Note, RunHistory, TaskFilter};
use crate::base::Timestamp;
use crate::callback::{DeliveryAttempt, PendingCallback};
use crate::dag::Plan;
use crate::engine::{Recorder, RecorderError, RunRequest, RunStart};
use crate::run::{Emission, RunInfo, TaskState, TriggeredBy};
use crate::store::{
    Append, AppendTarget, Appended, EventFilter, EventRow, MemoryStore, NewRun, Request, RequestKind, RunGuard, Store,
    StoreRuntime,
};

/// A journal without a writer.
pub(crate) struct ManualJournal {
    journal: Journal,
    store: Arc<dyn Store>,
    memory: Arc<MemoryStore>,
    clock: JournalClock,
    queue: Arc<Queue>,
    /// Taken, and not stored yet; each with the number of its last entry.
    batch: Vec<(Arc<RunLog>, Append, u64)>,
    /// How many entries are stored.
    entries: u64,
}

impl ManualJournal {
    pub(crate) fn new() -> Self {
        ManualJournal::over(Arc::new(MemoryStore::default()), JournalClock::default())
    }

    /// A journal with a clock of its own.
    pub(crate) fn with_clock(clock: JournalClock) -> Self {
        ManualJournal::over(Arc::new(MemoryStore::default()), clock)
    }

    fn over(memory: Arc<MemoryStore>, clock: JournalClock) -> Self {
        let (store, queue): (Arc<dyn Store>, _) = (memory.clone(), Queue::manual_journal());
        let (builder, runtime) = (Journal::builder(), StoreRuntime::default());
        let journal = builder.with_queue(Arc::clone(&store), Arc::clone(&queue), runtime, None, clock.clone());
        ManualJournal { journal, store, memory, clock, queue, batch: Vec::new(), entries: 0 }
    }

    /// The journal of another process, over the same store.
    pub(crate) fn beside(&self) -> Self {
        ManualJournal::over(Arc::clone(&self.memory), self.clock.clone())
    }

    /// Sets after how many more operations the store fails, like that of a process that dies;
    /// `None`: never. Returns how many were left.
    pub(crate) fn fail_after(&self, operations: Option<u64>) -> Option<u64> {
        self.memory.fail_after(operations)
    }

    /// Whether the store fails.
    pub(crate) fn is_failing(&self) -> bool {
        self.memory.is_failing()
    }

    /// The journal, for operations. Its futures never wait: [`at_once`] has their results.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Opens the log of a new run.
    pub(crate) fn opening(&self) -> impl FnOnce(&RunStart<'_>) -> Result<Arc<dyn Recorder>, RecorderError> + use<> {
        let journal = self.journal.clone();
        move |run| journal.begin(run)
    }

    /// Takes what waits to be stored.
    pub(crate) fn take(&mut self) {
        for log in self.queue.take() {
            if let (_, Some(Taken { append, last, .. })) = log.take() {
                self.batch.push((log, append, last));
            }
        }
    }

    /// Stores what was taken. Returns how many entries of this session are stored.
    ///
    /// # Errors
    ///
    /// When the store refuses it.
    pub(crate) fn put(&mut self) -> Result<u64, String> {
        for (log, append, last) in std::mem::take(&mut self.batch) {
            if let Some(plan) = log.take_graph() {
                at_once(self.store.put_graph(plan.hash(), &Graph::of(&plan).encode()))
                    .map_err(|error| error.to_string())?;
            }
            let appended = at_once(self.store.append(&[append])).map_err(|error| error.to_string())?;
            match appended.first() {
                Some(&Appended::Stored(number)) => drop(log.stored(number)),
                other => return Err(format!("the store has refused a batch: {other:?}")),
            }
            self.entries = last;
        }
        Ok(self.entries)
    }

    /// Returns what was taken, which counts as stored from now on: the caller stores it later, or
    /// never, as if the process had died before.
    ///
    /// # Errors
    ///
    /// When the store refuses the graph of the run.
    pub(crate) fn put_later(&mut self) -> Result<Vec<Append>, String> {
        let mut parts = Vec::new();
        for (log, append, last) in std::mem::take(&mut self.batch) {
            if let Some(plan) = log.take_graph() {
                at_once(self.store.put_graph(plan.hash(), &Graph::of(&plan).encode()))
                    .map_err(|error| error.to_string())?;
            }
            match append.run {
                AppendTarget::Existing { run, .. } => drop(log.stored(run)),
                AppendTarget::New(_) => return Err("only a stored run can be stored later".to_owned()),
            }
            parts.push(append);
            self.entries = last;
        }
        Ok(parts)
    }

    /// Stores what [`put_later`](ManualJournal::put_later) returned.
    ///
    /// # Errors
    ///
    /// When the store refuses it.
    pub(crate) fn put_late(&self, part: Append) -> Result<(), String> {
        match at_once(self.store.append(&[part])).map_err(|error| error.to_string())?.first() {
            Some(Appended::Stored(_)) => Ok(()),
            other => Err(format!("the store has refused a batch: {other:?}")),
        }
    }

    /// Owns a run of this process for longer than its log does.
    pub(crate) fn hold(&self, run_id: &str) -> Option<RunGuard> {
        self.store.reserve(run_id)
    }

    /// The runs among these that somebody has asked to cancel, with who and why.
    pub(crate) fn cancellations(&self, runs: &[i64]) -> Result<Vec<(i64, Note)>, JournalError> {
        let requests = at_once(self.store.requests(runs))?.into_iter();
        let cancellations = requests.filter(|(_, request)| request.what == RequestKind::Cancel);
        Ok(cancellations.map(|(_, Request { run, by, reason, .. })| (run, Note { by, reason })).collect())
    }

    /// Cancels a run that nobody owns, at this time.
    pub(crate) fn cancel(&self, run_id: &str, at: Timestamp, note: &Note) -> Result<(), JournalError> {
        at_once(async {
            let mut adopted = self.journal.adopt(run_id).await?;
            adopted.at = Some(at);
            adopted.cancel(note).await.map(drop)
        })
    }

    /// Loses what waits: the process has died, or the disk has failed.
    pub(crate) fn lose(&mut self, reason: &str) {
        let logs = self.queue.take().into_iter().chain(self.batch.drain(..).map(|(log, ..)| log));
        logs.for_each(|log| log.give_up(reason));
        self.entries = 0;
    }

    /// The history of the run, if anything of it is stored.
    pub(crate) fn history(&self, run_id: &str) -> Result<Option<RunHistory>, JournalError> {
        match at_once(self.journal.history(run_id)) {
            Err(JournalError::UnknownRun { .. }) => Ok(None),
            history => history.map(Some),
        }
    }

    /// Stores a newer run that a task of this one is said to have triggered, unless it is stored
    /// already. Returns the id of the run that is `last` then.
    pub(crate) fn last_after_triggering(&self, info: &RunInfo, at: Timestamp) -> Result<String, JournalError> {
        let by = TriggeredBy {
            run_id: info.run_id.clone(),
            task_id: String::new(),
            path: vec![info.dag_id.clone()],
            through_events: 0,
            waits: false,
        };
        let new = NewRun {
            info: RunInfo::triggered(&info.dag_id, info.logical_date, by, &info.run_id),
            graph: String::new(),
            build: String::new(),
            owner: None,
            params: Vec::new(),
            tasks: 0,
            created: at,
            has_callbacks: false,
        };
        let run = AppendTarget::New(Box::new(new));
        at_once(self.store.append(&[Append { run, segment: None, update: None, events: Vec::new(), audit: None }]))?;
        Ok(at_once(self.journal.find("last"))?.info.run_id)
    }

    /// The stored events of assets, in order.
    pub(crate) fn emissions(&self) -> Vec<Emission> {
        let filter = EventFilter { with_values: true, ..EventFilter::default() };
        let rows = at_once(self.store.events(&filter)).unwrap_or_default();
        let emission = |row: EventRow| {
            let EventRow { asset, partition, key, ty, value, emitted, task, .. } = row;
            Some(Emission { asset, partition, key, ty, value: value?, task, at: emitted, on_change: false })
        };
        rows.into_iter().filter_map(emission).collect()
    }

    /// The pending callbacks of a run.
    pub(crate) fn pending(&self, run_id: &str, plan: &Arc<Plan>) -> Result<Vec<PendingCallback>, JournalError> {
        let row = at_once(self.journal.row(run_id))?;
        at_once(self.journal.pending_callbacks(row, plan))
    }

    /// Records a delivery.
    pub(crate) fn note(&self, run_id: &str, tried: &DeliveryAttempt) -> Result<(), JournalError> {
        Ok(at_once(self.store.record_deliveries(run_id, std::slice::from_ref(tried)))?)
    }

    /// Clears tasks of the run at this time; with `state`, marks them instead.
    pub(crate) fn edit(
        &self,
        run_id: &str,
        at: Timestamp,
        pick: &TaskFilter,
        state: Option<TaskState>,
    ) -> Result<Vec<String>, JournalError> {
        at_once(async {
            let mut adopted = self.journal.adopt(run_id).await?;
            adopted.at = Some(at);
            match state {
                None => adopted.clear(pick, &Note::default()).await,
                Some(state) => adopted.mark(pick, state, None, &Note::default()).await,
            }
        })
    }

    /// Resumes the run at this time.
    pub(crate) fn resume<T>(
        &self,
        run_id: &str,
        plan: &Arc<Plan>,
        at: Timestamp,
    ) -> Result<RunRequest<T>, JournalError> {
        at_once(self.journal.resume_plan(run_id, plan, at))
    }
}

impl Drop for ManualJournal {
    fn drop(&mut self) {
        // Logs in the queue would keep it, and it them.
        self.lose("the simulation is over");
    }
}

/// The result of a future that never waits, as those of the store in memory do not.
pub(crate) fn at_once<R>(future: impl Future<Output = R>) -> R {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(answer) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return answer;
        }
        std::thread::yield_now();
    }
}
