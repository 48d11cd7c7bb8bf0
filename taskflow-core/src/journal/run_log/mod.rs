//! The log of one live run: holds the entries that the engine records until the writer takes them.
//!
//! [`writer`](super::writer) states the protocol.

mod admission;
mod recorder;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) use admission::AdmissionState;
use admission::AwaitedAdmission;
pub(super) use recorder::Log;

use super::audit::PendingAudit;
use super::journal::Journal;
use super::queue::Queue;
use super::segment::Buffer;
use crate::base::Timestamp;
use crate::callback::DeliveryLog;
use crate::dag::Plan;
use crate::engine::Commits;
use crate::run::{AdmissionWait, Durability, Entry, TaskState};
use crate::store::{Append, AppendTarget, AuditRow, BlobStore, NewEvent, RunGuard, RunUpdate, Segment};

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

    /// Whether nothing more of it is stored.
    pub(super) fn is_given_up(&self) -> bool {
        self.lock().given_up
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
