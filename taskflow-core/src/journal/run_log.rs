//! The journal of one run that goes on: what the engine tells is kept here until the writer takes it.
//!
//! [`writer`](super::writer) states the protocol between the two.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::journal::Journal;
use super::segment::Buffer;
use super::writer::Queue;
use crate::base::{Failure, Timestamp, units};
use crate::callback::DeliveryLog;
use crate::dag::Plan;
use crate::engine::{Archive, Commits, Recorder};
use crate::run::{Durability, Encoded, Entry, Stored, TaskState};
use crate::store::{Append, AppendTarget, RunGuard, RunUpdate, Segment};
use crate::value::{AnyValue, TypeInfo, ValueFiles};

/// What a run is told about storing, and where its values go.
#[derive(Clone, Debug)]
pub(super) struct RecordOptions {
    pub(super) durability: Durability,
    /// Above this size a value goes to a file, in bytes.
    pub(super) inline_limit: usize,
    /// Above this size a value is refused, in bytes.
    pub(super) value_limit: usize,
    /// Where the files are; values stay inline without one.
    pub(super) files: Option<Arc<ValueFiles>>,
}

/// The journal of one run that goes on.
pub(super) struct RunLog {
    queue: Arc<Queue>,
    run_id: String,
    options: RecordOptions,
    /// How often tasks were cleared, for those that were.
    generations: HashMap<String, u32>,
    /// Where is noted what callbacks were told.
    delivery_log: Arc<dyn DeliveryLog>,
    state: Mutex<LogState>,
    /// Kept for as long as a run needs it.
    journal: Journal,
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
    /// How many tasks came to which end: few kinds, so that looking through them is quickest.
    counts: Vec<(TaskState, u32)>,
    commits: Option<Commits>,
    /// The ownership of the run, until nothing of it runs any more.
    guard: Option<RunGuard>,
    /// Nothing more is stored: another process may own the run by now.
    given_up: bool,
    /// The graph, until its snapshot is stored.
    graph: Option<Arc<Plan>>,
    /// The structural hash of a graph target runs have as many tasks as its lists have elements.
    mapped: Option<String>,
}

/// How a log begins.
pub(super) struct RunLogInit {
    pub(super) run_id: String,
    pub(super) target: AppendTarget,
    /// The number of its next segment.
    pub(super) next: u32,
    /// When the process took it.
    pub(super) at: Timestamp,
    pub(super) session: Entry,
    pub(super) counts: HashMap<TaskState, u32>,
    pub(super) generations: HashMap<String, u32>,
    pub(super) guard: Option<RunGuard>,
    pub(super) graph: Arc<Plan>,
    /// What changes about the run with its first segment.
    pub(super) update: Option<RunUpdate>,
    pub(super) delivery_log: Arc<dyn DeliveryLog>,
}

impl RunLog {
    pub(super) fn begin(queue: &Arc<Queue>, journal: Journal, options: RecordOptions, init: RunLogInit) -> Arc<Self> {
        let RunLogInit { run_id, target, next, at, session, counts, generations, guard, graph, update, delivery_log } =
            init;
        let mut buffer = Buffer::default();
        buffer.push(at, session, None);
        let state = LogState {
            target,
            next,
            buffer,
            recorded: 1,
            queued: false,
            update,
            counts: counts.into_iter().collect(),
            commits: None,
            guard,
            given_up: false,
            mapped: (!graph.mappings().is_empty()).then(|| graph.hash().to_owned()),
            graph: Some(graph),
        };
        let state = Mutex::new(state);
        let log =
            Arc::new(RunLog { queue: Arc::clone(queue), run_id, options, generations, delivery_log, state, journal });
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

    pub(super) fn commits(&self) -> Option<Commits> {
        self.lock().commits.clone()
    }

    /// What is to be stored now, if anything is, and the number of its last entry. Before it: how many bytes do not wait any
    /// more, those included that are stored no more.
    pub(super) fn take(&self) -> (usize, Option<(Append, u64)>) {
        let mut state = self.lock();
        state.queued = false;
        let buffer = std::mem::take(&mut state.buffer);
        let size = buffer.size();
        if buffer.is_empty() || state.given_up {
            return (size, None);
        }
        let segment = Some(Segment { number: state.next, events: buffer.events, data: buffer.data });
        state.next += 1;
        let append = Append { run: state.target.clone(), segment, update: state.update.take() };
        (size, Some((append, state.recorded)))
    }

    /// Whether everything that was recorded is stored. Only the writer may ask: nobody else knows what it is storing.
    pub(super) fn is_stored(&self) -> bool {
        let state = self.lock();
        state.buffer.is_empty() && !state.given_up
    }

    /// The graph, for the first who asks: its snapshot goes before the first entries.
    pub(super) fn take_graph(&self) -> Option<Arc<Plan>> {
        self.lock().graph.take()
    }

    /// A batch with entries of this run is stored.
    pub(super) fn stored(&self, number: i64) -> Option<Commits> {
        let mut state = self.lock();
        if let AppendTarget::New(_) = state.target {
            state.target = AppendTarget::Existing { run: number, token: 1 };
        }
        state.commits.clone()
    }

    /// Nothing more of this run can be stored, and nothing more will be: not even what waits.
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

/// A run target log is in the queue holds the log: `Arc<RunLog>` itself is what the engine has.
#[derive(Debug)]
pub(super) struct Log(pub(super) Arc<RunLog>);

impl Recorder for Log {
    fn attach(&self, commits: Commits) {
        let mut state = self.0.lock();
        state.commits = Some(commits);
        // Who has the run is told also when nothing happens in it for a while: it may wait for a retry.
        let size = state.buffer.size();
        self.0.queue.announce(&self.0, state, size, false);
    }

    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, mut value: Option<Stored>, urgent: bool) -> u64 {
        let log = &self.0;
        let mut state = log.lock();
        let before = state.buffer.size();
        for (at, entry) in entries.drain(..) {
            state.note(at, &entry);
            let has_value = matches!(entry, Entry::Succeeded { .. } | Entry::Pushed { .. });
            let value = if has_value { value.take() } else { None };
            state.buffer.push(at, entry, value);
            state.recorded += 1;
        }
        let grown = state.buffer.size() - before;
        let recorded = state.recorded;
        log.queue.announce(log, state, grown, urgent);
        recorded
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
        Ok(match options.files {
            Some(_) if bytes.len() > options.inline_limit => Encoded::Large(bytes),
            _ => Encoded::Inline(bytes),
        })
    }

    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(files) = &self.0.options.files else { return Ok(Stored::Inline(bytes.to_vec())) };
        files.put(&self.0.run_id, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the value of task `{task}` cannot be written: {error}");
            // That the disk is full says nothing about the task: the run stops, and the task runs again when it is resumed.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn over(&self) {
        // From here on another process may claim the run. The lock goes before the guard.
        let guard = self.0.lock().guard.take();
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

impl LogState {
    /// Keeps count for what the store says of a run at once.
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
