//! The log of one live run: holds the entries that the engine records until the writer takes them.
//!
//! [`writer`](super::writer) states the protocol.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::audit::PendingAudit;
use super::events::PAYLOADS;
use super::journal::Journal;
use super::queue::Queue;
use super::segment::Buffer;
use crate::base::{Failure, Timestamp, units};
use crate::callback::DeliveryLog;
use crate::dag::Plan;
use crate::engine::{Archive, Attached, Commits, Recorder};
use crate::run::{AdmissionWait, Durability, Emission, Encoded, Entry, Stored, TaskState};
use crate::store::{Append, AppendTarget, AuditRow, BlobStore, NewEvent, RunGuard, RunUpdate, Segment};
use crate::value::{AnyValue, TypeInfo};

/// How a run is stored.
#[derive(Clone, Debug)]
pub(super) struct RecordOptions {
    pub(super) durability: Durability,
    /// Above this size in bytes a value becomes a blob.
    pub(super) inline_limit: usize,
    /// Above this size in bytes a value is refused.
    pub(super) value_limit: usize,
    /// Where large values go. Without it values stay inline.
    pub(super) blobs: Option<Arc<dyn BlobStore>>,
}

/// The log of one live run.
pub(super) struct RunLog {
    queue: Arc<Queue>,
    run_id: String,
    options: RecordOptions,
    /// How often tasks were cleared; tasks that never were are missing.
    generations: HashMap<String, u32>,
    /// Whether the run has tasks in pools that several processes share.
    shares_pools: bool,
    /// Records deliveries of callbacks.
    delivery_log: Arc<dyn DeliveryLog>,
    state: Mutex<LogState>,
    /// Keeps the journal open while the run is live.
    journal: Journal,
}

/// What the writer takes of a log at a time.
pub(super) struct Taken {
    pub(super) append: Append,
    /// The number of its last entry.
    pub(super) last: u64,
    /// How many entries it has.
    pub(super) entries: u64,
}

pub(super) struct LogState {
    target: AppendTarget,
    /// The number of the next segment.
    next: u32,
    buffer: Buffer,
    /// The number of the last entry.
    recorded: u64,
    /// Whether it is in the queue of the writer.
    pub(super) queued: bool,
    update: Option<RunUpdate>,
    /// Events that are stored with the buffer, and their size in memory, in bytes.
    events: Vec<NewEvent>,
    events_size: usize,
    /// The number of tasks in each terminal state. A list, because there are few states.
    counts: Vec<(TaskState, u32)>,
    commits: Option<Commits>,
    /// The ownership of the run, until nothing of it runs any more.
    guard: Option<RunGuard>,
    /// Nothing more is stored: another process may own the run by now.
    given_up: bool,
    /// Set while the run waits for its admission.
    admission: Option<AwaitedAdmission>,
    /// The graph, until the writer stores its snapshot.
    graph: Option<Arc<Plan>>,
    /// The structural hash of a graph with mapped tasks: the number of tasks of its runs depends on
    /// their lists.
    mapped: Option<String>,
    /// The row of the audit trail about the start, until it is stored.
    audit: Option<Arc<PendingAudit>>,
}

/// The admission that a run waits for.
struct AwaitedAdmission {
    wait: AdmissionWait,
    /// The first entry of the session: it has the time of the admission.
    session: Entry,
    /// The runs that wait for this one, once the writer has looked for them.
    ancestors: Option<Vec<i64>>,
    /// Whether the store knows that the run waits.
    has_asked: bool,
    /// Whether the run counts in the share of backfills.
    is_backfill: bool,
}

/// What the writer asks the store for an admission with.
pub(super) struct AdmissionState {
    pub(super) target: AppendTarget,
    pub(super) dag_id: String,
    pub(super) limit: u32,
    pub(super) ancestors: Option<Vec<i64>>,
    pub(super) has_asked: bool,
    pub(super) is_backfill: bool,
    pub(super) audit: Option<Box<AuditRow>>,
}

/// What a log starts from.
pub(super) struct RunLogInit {
    pub(super) run_id: String,
    pub(super) target: AppendTarget,
    /// The number of its next segment.
    pub(super) next: u32,
    /// When the process started or resumed the run.
    pub(super) at: Timestamp,
    pub(super) session: Entry,
    pub(super) counts: HashMap<TaskState, u32>,
    pub(super) generations: HashMap<String, u32>,
    pub(super) guard: Option<RunGuard>,
    pub(super) graph: Arc<Plan>,
    /// What changes in the row of the run with its next segment.
    pub(super) update: Option<RunUpdate>,
    pub(super) delivery_log: Arc<dyn DeliveryLog>,
    /// Whether a backfill runs it.
    pub(super) is_backfill: bool,
    /// The row of the audit trail about the start, which its first entries take along.
    pub(super) audit: Option<Arc<PendingAudit>>,
}

impl RunLog {
    pub(super) fn begin(queue: &Arc<Queue>, journal: Journal, options: RecordOptions, init: RunLogInit) -> Arc<Self> {
        let RunLogInit { run_id, target, next, at, session, counts, generations, .. } = init;
        let RunLogInit { guard, graph, update, delivery_log, is_backfill, audit, .. } = init;
        let has_pools = graph.option_sets().iter().any(|options| options.pool.is_some());
        let mut buffer = Buffer::default();
        let admission = graph.options().max_active_runs.map(|limit| AwaitedAdmission {
            wait: AdmissionWait { dag_id: graph.id().to_owned(), limit, active: Vec::new(), ahead: Vec::new() },
            session: session.clone(),
            ancestors: None,
            has_asked: false,
            is_backfill,
        });
        buffer.push(at, session, None);
        let state = LogState {
            target,
            next,
            buffer,
            recorded: 1,
            queued: false,
            update,
            events: Vec::new(),
            events_size: 0,
            counts: counts.into_iter().collect(),
            commits: None,
            guard,
            given_up: false,
            admission,
            mapped: (!graph.mappings().is_empty()).then(|| graph.hash().to_owned()),
            graph: Some(graph),
            audit,
        };
        let state = Mutex::new(state);
        let shares_pools = has_pools && journal.inner.store.shares_pools();
        let log = Arc::new(RunLog {
            queue: Arc::clone(queue),
            run_id,
            options,
            generations,
            shares_pools,
            delivery_log,
            state,
            journal,
        });
        queue.follow(&log);
        log
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn number(&self) -> Option<i64> {
        match self.lock().target {
            AppendTarget::New(_) => None,
            AppendTarget::Existing { run, .. } => Some(run),
        }
    }

    /// Whether the run is live and has tasks in pools that several processes share.
    pub(super) fn shares_pools(&self) -> bool {
        self.shares_pools && {
            let state = self.lock();
            state.guard.is_some() && !state.given_up
        }
    }

    /// Its number and the token of this process, once the run is stored.
    pub(super) fn stored_as(&self) -> Option<(i64, u64)> {
        match self.lock().target {
            AppendTarget::New(_) => None,
            AppendTarget::Existing { run, token } => Some((run, token)),
        }
    }

    pub(super) fn commits(&self) -> Option<Commits> {
        self.lock().commits.clone()
    }

    /// Takes what is to be stored, with the number of its last entry. Also returns the bytes that
    /// leave the backlog, including those that are never stored.
    pub(super) fn take(&self) -> (usize, Option<Taken>) {
        let mut state = self.lock();
        state.queued = false;
        let size = state.size();
        let (buffer, events) = (std::mem::take(&mut state.buffer), std::mem::take(&mut state.events));
        state.events_size = 0;
        if buffer.is_empty() || state.given_up {
            return (size, None);
        }
        let entries = buffer.count;
        let segment = Some(Segment { number: state.next, events: buffer.events, data: buffer.data });
        state.next += 1;
        let audit = state.audit_row();
        let append = Append { run: state.target.clone(), segment, update: state.update.take(), events, audit };
        (size, Some(Taken { append, last: state.recorded, entries }))
    }

    /// Whether everything that was recorded is stored. Only the writer may ask: nobody else knows
    /// what it is storing.
    pub(super) fn is_stored(&self) -> bool {
        let state = self.lock();
        state.buffer.is_empty() && !state.given_up
    }

    /// Whether nothing of the run is stored yet because it waits for its admission. A run that has
    /// ended meanwhile needs none.
    pub(super) fn awaits_admission(&self) -> bool {
        let mut state = self.lock();
        let ends = state.update.as_ref().is_some_and(|update| update.state.is_terminal());
        if ends || state.given_up {
            state.admission = None;
        }
        let awaits = state.admission.is_some();
        state.queued &= !awaits;
        awaits
    }

    /// What to ask the store with, if the run waits for its admission.
    pub(super) fn admission(&self) -> Option<AdmissionState> {
        if !self.awaits_admission() {
            return None;
        }
        let state = self.lock();
        let awaited = state.admission.as_ref()?;
        Some(AdmissionState {
            target: state.target.clone(),
            dag_id: awaited.wait.dag_id.clone(),
            limit: awaited.wait.limit,
            ancestors: awaited.ancestors.clone(),
            has_asked: awaited.has_asked,
            is_backfill: awaited.is_backfill,
            audit: state.audit_row(),
        })
    }

    /// The runs that wait for this one.
    pub(super) fn set_ancestors(&self, ancestors: Vec<i64>) {
        if let Some(awaited) = &mut self.lock().admission {
            awaited.ancestors = Some(ancestors);
        }
    }

    /// The store has not admitted the run.
    pub(super) fn keep_waiting(&self, active: Vec<i64>, ahead: Vec<i64>) {
        if let Some(awaited) = &mut self.lock().admission {
            (awaited.wait.active, awaited.wait.ahead, awaited.has_asked) = (active, ahead, true);
        }
    }

    /// The store has admitted the run. Returns where to report it.
    pub(super) fn admitted(&self, at: Timestamp) -> Option<Commits> {
        let mut state = self.lock();
        let awaited = state.admission.take()?;
        if state.recorded == 1 {
            state.buffer = Buffer::default();
            state.buffer.push(at, awaited.session, None);
        }
        state.commits.clone()
    }

    /// Whether the writer has not seen it yet.
    pub(super) fn is_new(&self) -> bool {
        self.lock().graph.is_some()
    }

    /// The graph, at the first call: its snapshot is stored before the first entries.
    pub(super) fn take_graph(&self) -> Option<Arc<Plan>> {
        self.lock().graph.take()
    }

    /// Whether the store has the graph, because the row of the run refers to it.
    pub(super) fn has_stored_graph(&self) -> bool {
        let state = self.lock();
        let is_new = state.update.as_ref().is_some_and(|update| update.graph.is_some());
        matches!(state.target, AppendTarget::Existing { .. }) && !is_new
    }

    /// A batch with entries of this run is stored.
    pub(super) fn stored(&self, number: i64) -> Option<Commits> {
        let mut state = self.lock();
        if let Some(audit) = state.audit.take() {
            audit.stored();
        }
        if let AppendTarget::New(_) = state.target {
            state.target = AppendTarget::Existing { run: number, token: 1 };
        }
        state.commits.clone()
    }

    /// Stops storing this run, including what waits, and reports why.
    pub(super) fn give_up(&self, reason: &str) {
        let commits = {
            let mut state = self.lock();
            state.given_up = true;
            state.commits.clone()
        };
        if let Some(commits) = commits {
            commits.failed(reason);
        }
    }
}

impl fmt::Debug for RunLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunLog({})", self.run_id)
    }
}

/// What the engine has of a log. The queue holds the `Arc` as well.
#[derive(Debug)]
pub(super) struct Log(pub(super) Arc<RunLog>);

impl Recorder for Log {
    fn attach(&self, commits: Commits) {
        let mut state = self.0.lock();
        state.commits = Some(commits);
        // The owner of the run is to be visible even if nothing happens for a while, as before a
        // retry. Without an admission nothing happens at all.
        let (size, urgent) = (state.buffer.size(), state.admission.is_some());
        self.0.queue.announce(&self.0, state, size, urgent);
        self.0.queue.hurry();
    }

    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, attached: Attached, urgent: bool) -> u64 {
        let Attached { mut value, emissions } = attached;
        let log = &self.0;
        let mut state = log.lock();
        let before = state.size();
        for (at, entry) in entries.drain(..) {
            state.note(at, &entry);
            let has_value = matches!(entry, Entry::Succeeded { .. } | Entry::Pushed { .. });
            let value = if has_value { value.take() } else { None };
            state.buffer.push(at, entry, value);
            state.recorded += 1;
        }
        for emission in emissions {
            state.events_size += size_of_val(&emission) + emission.value.inline_len();
            state.events.push(new_event(&log.run_id, emission));
        }
        let grown = state.size() - before;
        let recorded = state.recorded;
        log.queue.announce(log, state, grown, urgent);
        recorded
    }

    fn hurry(&self) {
        self.0.queue.hurry();
    }

    fn store_here(&self, engine: usize) {
        self.0.queue.store_here(engine);
    }

    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure> {
        let options = &self.0.options;
        let refuse = |reason: String| Failure::Error { chain: vec![reason], retryable: false };
        let bytes = ty.encode(value).map_err(|error| {
            refuse(format!("the value of task `{task}`, a {}, cannot be stored: {error}", ty.short()))
        })?;
        if bytes.len() > options.value_limit {
            return Err(refuse(format!(
                "the value of task `{task}`, a {}, takes {} to store, and the limit is {}: return something smaller, such as \
                 the path of a file that holds it, or raise the limit",
                ty.short(),
                units::bytes(bytes.len() as u64),
                units::bytes(options.value_limit as u64)
            )));
        }
        Ok(match options.blobs {
            Some(_) if bytes.len() > options.inline_limit => Encoded::Large(bytes),
            _ => Encoded::Inline(bytes),
        })
    }

    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(blobs) = &self.0.options.blobs else { return Ok(Stored::Inline(bytes.to_vec())) };
        blobs.put(&self.0.run_id, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the value of task `{task}` cannot be written: {error}");
            // A full disk is not the fault of the task: the run stops, and resuming it runs the
            // task again.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn spill_payload(&self, event: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(blobs) = &self.0.options.blobs else { return Ok(Stored::Inline(bytes.to_vec())) };
        blobs.put_shared(PAYLOADS, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the payload of event `{event}` cannot be written: {error}");
            // As a value that cannot be written.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn pools_of(&self) -> Option<usize> {
        self.0.shares_pools.then(|| self.0.queue.store_id())
    }

    fn waits(&self) -> Option<AdmissionWait> {
        Some(self.0.lock().admission.as_ref()?.wait.clone())
    }

    fn over(&self) {
        // From here on another process may claim the run. The lock goes before the guard.
        let guard = {
            let mut state = self.0.lock();
            // A run that leaves before its admission leaves no trace of this process.
            state.given_up |= state.admission.is_some();
            state.guard.take()
        };
        drop(guard);
    }

    fn is_strict(&self) -> bool {
        self.0.options.durability.is_strict()
    }

    fn generation(&self, task: &str) -> u32 {
        self.0.generations.get(task).copied().unwrap_or(0)
    }

    fn number(&self) -> Option<i64> {
        self.0.number()
    }

    fn delivery_log(&self) -> Arc<dyn DeliveryLog> {
        Arc::clone(&self.0.delivery_log)
    }

    fn artifacts(&self) -> Option<PathBuf> {
        self.0.journal.artifacts_of(&self.0.run_id)
    }

    fn archive(&self) -> Option<Arc<dyn Archive>> {
        Some(Arc::new(self.0.journal.clone()))
    }
}

/// An event of a run as it is stored.
fn new_event(run_id: &str, emission: Emission) -> NewEvent {
    let Emission { asset, partition, key, ty, value, task, at, on_change } = emission;
    let (run, by) = (Some(run_id.to_owned()), String::new());
    NewEvent { asset, partition, key, ty, value, emitted: at, run, task, by, on_change }
}

impl LogState {
    fn audit_row(&self) -> Option<Box<AuditRow>> {
        self.audit.as_ref()?.row().map(Box::new)
    }

    /// How many bytes wait to be stored.
    fn size(&self) -> usize {
        self.buffer.size() + self.events_size
    }

    /// Counts for the row of the run.
    fn note(&mut self, at: Timestamp, entry: &Entry) {
        if let Entry::Again { were, .. } | Entry::Regrouped { were, .. } = entry {
            for (state, count) in &mut self.counts {
                let open = were.iter().find(|(known, _)| known == state).map_or(0, |&(_, count)| count);
                *count = count.saturating_sub(open);
            }
            self.counts.retain(|&(_, count)| count > 0);
        }
        let ended = match entry {
            Entry::Succeeded { .. } => TaskState::Success,
            Entry::Failed { retry: None, .. } => TaskState::Failed,
            Entry::Skipped { .. } => TaskState::Skipped,
            Entry::UpstreamFailed { .. } => TaskState::UpstreamFailed,
            Entry::Cancelled { .. } => TaskState::Cancelled,
            Entry::Removed { .. } => TaskState::Removed,
            Entry::Ended { state } => {
                let mut counts = std::mem::take(&mut self.counts);
                counts.sort_by_key(|&(state, _)| state.name());
                let mut graph = self.update.take().and_then(|update| update.graph);
                if let Some(hash) = &self.mapped {
                    graph = Some((hash.clone(), counts.iter().map(|&(_, count)| count).sum()));
                }
                self.update = Some(RunUpdate { state: *state, ended: Some(at), counts, graph });
                return;
            }
            _ => return,
        };
        match self.counts.iter_mut().find(|(state, _)| *state == ended) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((ended, 1)),
        }
    }
}
