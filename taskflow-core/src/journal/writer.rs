//! The thread that stores, and how runs hand their entries to it.
//!
//! 1. Under the lock of the engine a run appends its entries to the buffer of its [`RunLog`]. If it was empty, the log joins
//!    the queue of the writer. If somebody waits for the entries, the writer is woken at once; otherwise it comes within
//!    [`LAZY`], so that others can see what goes on. After a batch it naps that long before it really sleeps: what can wait
//!    wakes nobody then, and in most runs that is what comes next.
//! 2. The writer takes the whole buffer of every log in the queue, and stores all of it as one batch. What comes meanwhile is
//!    the next batch: the busier the engine, the larger the batches (group commit), and a lone step waits for nobody.
//! 3. When the batch is stored, every run in it is told up to which of its entries. That takes the lock of its engine, so no
//!    other lock is held then.
//! 4. If the batch cannot be stored, nothing of it is; the runs in it are told so, and end.
//! 5. While more than [`CONGESTED`] bytes wait, the engines start nothing.
//! 6. While runs are live the writer looks every [`LOOK`] for what other processes want of them.
//!
//! Locks are taken in this order: engine, log, queue. A log is let go of under none of them: with the last one goes the
//! journal, which takes the lock of the queue to say so.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::graph::Graph;
use super::live::Claim;
use super::segment::Buffer;
use super::store::{Append, Appended, RequestKind, RunUpdate, Segment, Store, StoreError, Whose};
use crate::dag::Plan;
use crate::engine::{Commits, Durability, Encoded, Entry, Recorder, Stored, TaskState};
use crate::error::Failure;
use crate::time::Timestamp;
use crate::value::{AnyValue, TypeInfo, ValueFiles};

/// How long an entry may wait that nobody waits for.
const LAZY: Duration = Duration::from_millis(5);
/// How much may wait to be stored, in bytes.
const CONGESTED: usize = 32 << 20;
/// How often is looked for what other processes want.
const LOOK: Duration = Duration::from_millis(250);

/// What the writer and the logs share.
pub(super) struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Logs with something to store, each once.
    dirty: Vec<Arc<RunLog>>,
    urgent: bool,
    /// When the first of what waits came.
    since: Option<Instant>,
    /// Bytes that wait, those being stored included.
    backlog: usize,
    congested: bool,
    /// The writer comes by itself within [`LAZY`].
    naps: bool,
    /// Runs that go on.
    live: Vec<Weak<RunLog>>,
    /// Whoever closes the journal waits here for what is to be stored before.
    closing: Vec<oneshot::Sender<()>>,
    shutdown: bool,
}

impl Queue {
    /// Starts the writer of a store. It ends when [`Queue::shut_down`] is called and all is stored.
    pub(super) fn start(store: Arc<dyn Store>) -> std::io::Result<Arc<Self>> {
        let queue = Arc::new(Queue { state: Mutex::default(), wake: Condvar::new() });
        let of = Arc::clone(&queue);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name("taskflow-journal".to_owned()).spawn(move || {
            let mut writer = Writer { store, runtime, seen: 0, looked: Instant::now() };
            writer.write(&of);
        })?;
        Ok(queue)
    }

    pub(super) fn shut_down(&self) {
        self.lock().shutdown = true;
        self.wake.notify_one();
    }

    /// Stores what waits, and interrupts the runs that go on.
    pub(super) async fn settle(&self) {
        let (done, settled) = oneshot::channel();
        self.lock().closing.push(done);
        self.wake.notify_one();
        // The writer answers as long as there is a journal that can be closed.
        let _ = settled.await;
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}

/// What a run is told about storing, and where its values go.
#[derive(Clone, Debug)]
pub(super) struct Terms {
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
    terms: Terms,
    /// How often tasks were cleared, for those that were.
    generations: HashMap<u32, u32>,
    state: Mutex<LogState>,
    /// Keeps the journal for as long as a run needs it.
    _journal: Arc<dyn Send + Sync>,
}

struct LogState {
    whose: Whose,
    /// The number of the next segment.
    next: u32,
    buffer: Buffer,
    /// The number of the last entry.
    recorded: u64,
    queued: bool,
    update: Option<RunUpdate>,
    /// How many tasks came to which end: few kinds, so that looking through them is quickest.
    counts: Vec<(TaskState, u32)>,
    commits: Option<Commits>,
    /// Says to other processes that the run is being run; kept until nothing of it runs any more.
    claim: Option<Claim>,
    /// Nothing more is stored: another process may have the run by now.
    given_up: bool,
    /// The graph, until its snapshot is stored.
    graph: Option<Arc<Plan>>,
}

/// How a log begins.
pub(super) struct Beginning {
    pub(super) run_id: String,
    pub(super) whose: Whose,
    /// The number of its next segment.
    pub(super) next: u32,
    /// When the process took it.
    pub(super) at: Timestamp,
    pub(super) session: Entry,
    pub(super) counts: HashMap<TaskState, u32>,
    pub(super) generations: HashMap<u32, u32>,
    pub(super) claim: Option<Claim>,
    pub(super) graph: Arc<Plan>,
    /// What changes about the run with its first segment.
    pub(super) update: Option<RunUpdate>,
}

impl RunLog {
    pub(super) fn begin(
        queue: &Arc<Queue>,
        journal: Arc<dyn Send + Sync>,
        terms: Terms,
        beginning: Beginning,
    ) -> Arc<Self> {
        let Beginning { run_id, whose, next, at, session, counts, generations, claim, graph, update } = beginning;
        let mut buffer = Buffer::default();
        buffer.push(at, session, None);
        let state = LogState {
            whose,
            next,
            buffer,
            recorded: 1,
            queued: false,
            update,
            counts: counts.into_iter().collect(),
            commits: None,
            claim,
            given_up: false,
            graph: Some(graph),
        };
        let state = Mutex::new(state);
        let log = Arc::new(RunLog { queue: Arc::clone(queue), run_id, terms, generations, state, _journal: journal });
        queue.lock().live.push(Arc::downgrade(&log));
        log
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn number(&self) -> Option<i64> {
        match self.lock().whose {
            Whose::New(_) => None,
            Whose::Known { run, .. } => Some(run),
        }
    }

    fn commits(&self) -> Option<Commits> {
        self.lock().commits.clone()
    }

    /// What is to be stored now, if anything is, and the number of its last entry.
    fn take(&self) -> Option<(Append, u64)> {
        let mut state = self.lock();
        state.queued = false;
        if state.buffer.is_empty() || state.given_up {
            return None;
        }
        let Buffer { events, data, .. } = std::mem::take(&mut state.buffer);
        let segment = Some(Segment { number: state.next, events, data });
        state.next += 1;
        Some((Append { run: state.whose.clone(), segment, update: state.update.take() }, state.recorded))
    }

    /// A batch with entries of this run is stored.
    fn stored(&self, number: i64) -> Option<Commits> {
        let mut state = self.lock();
        if let Whose::New(_) = state.whose {
            state.whose = Whose::Known { run: number, token: 1 };
        }
        state.commits.clone()
    }

    /// Nothing more of this run can be stored, and nothing more will be: not even what waits.
    fn give_up(&self, reason: &str) {
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

/// A run whose log is in the queue holds the log: `Arc<RunLog>` itself is what the engine has.
#[derive(Debug)]
pub(super) struct Log(pub(super) Arc<RunLog>);

impl Recorder for Log {
    fn attach(&self, commits: Commits) {
        let mut state = self.0.lock();
        state.commits = Some(commits);
        // Who has the run is told also when nothing happens in it for a while: it may wait for a retry.
        let size = state.buffer.size();
        announce(&self.0, state, size, false);
    }

    fn record(&self, entries: &mut Vec<(Timestamp, Entry)>, mut value: Option<Stored>, urgent: bool) -> u64 {
        let log = &self.0;
        let mut state = log.lock();
        let before = state.buffer.size();
        for (at, entry) in entries.drain(..) {
            state.note(at, &entry);
            let value = if matches!(entry, Entry::Succeeded { .. }) { value.take() } else { None };
            state.buffer.push(at, entry, value);
            state.recorded += 1;
        }
        let grown = state.buffer.size() - before;
        let recorded = state.recorded;
        announce(log, state, grown, urgent);
        recorded
    }

    fn encode(&self, task: &str, ty: TypeInfo, value: &AnyValue) -> Result<Encoded, Failure> {
        let terms = &self.0.terms;
        let refuse = |reason: String| Failure::Error { chain: vec![reason], retryable: false };
        let bytes = ty.encode(value).map_err(|error| {
            refuse(format!("the value of task `{task}`, a {}, cannot be stored: {error}", ty.short()))
        })?;
        if bytes.len() > terms.value_limit {
            return Err(refuse(format!(
                "the value of task `{task}`, a {}, takes {} to store, and the limit is {}: return something smaller, such as \
                 the path of a file that holds it, or raise the limit",
                ty.short(),
                size(bytes.len()),
                size(terms.value_limit)
            )));
        }
        Ok(match terms.files {
            Some(_) if bytes.len() > terms.inline_limit => Encoded::Large(bytes),
            _ => Encoded::Inline(bytes),
        })
    }

    fn spill(&self, task: &str, bytes: &[u8]) -> Result<Stored, Failure> {
        let Some(files) = &self.0.terms.files else { return Ok(Stored::Inline(bytes.to_vec())) };
        files.put(&self.0.run_id, bytes).map(Stored::File).map_err(|error| {
            let reason = format!("the value of task `{task}` cannot be written: {error}");
            // That the disk is full says nothing about the task: the run stops, and the task runs again when it is resumed.
            self.0.give_up(&reason);
            Failure::Cancelled { reason }
        })
    }

    fn over(&self) {
        // Another process may go on with it, if it has not ended.
        let claim = self.0.lock().claim.take();
        drop(claim);
    }

    fn is_strict(&self) -> bool {
        self.0.terms.durability.is_strict()
    }

    fn generation(&self, task: u32) -> u32 {
        self.0.generations.get(&task).copied().unwrap_or(0)
    }

    fn number(&self) -> Option<i64> {
        self.0.number()
    }
}

/// Tells the writer that the buffer of a log has grown by so many bytes.
fn announce(log: &Arc<RunLog>, mut state: MutexGuard<'_, LogState>, grown: usize, urgent: bool) {
    let joins = !std::mem::replace(&mut state.queued, true);
    let mut queue = log.queue.lock();
    queue.backlog += grown;
    if joins {
        queue.dirty.push(Arc::clone(log));
        queue.since.get_or_insert_with(Instant::now);
    }
    let too_much = queue.backlog > CONGESTED;
    let becomes_urgent = (urgent || too_much) && !queue.urgent;
    queue.urgent |= urgent || too_much;
    let wake = becomes_urgent || (joins && queue.dirty.len() == 1 && !queue.naps);
    drop(queue);
    // The writer takes both as soon as it is awake.
    drop(state);
    if wake {
        log.queue.wake.notify_one();
    }
}

impl LogState {
    /// Keeps count for what the store says of a run at once.
    fn note(&mut self, at: Timestamp, entry: &Entry) {
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
                let graph = self.update.take().and_then(|update| update.graph);
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

struct Writer {
    store: Arc<dyn Store>,
    runtime: tokio::runtime::Runtime,
    /// The last request of another process that was seen.
    seen: i64,
    looked: Instant,
}

impl Writer {
    fn write(&mut self, queue: &Queue) {
        let mut waiting = queue.lock();
        let mut stored = false;
        loop {
            waiting.live.retain(|log| log.strong_count() > 0);
            if !waiting.live.is_empty() && self.looked.elapsed() >= LOOK {
                let live: Vec<Arc<RunLog>> = waiting.live.iter().filter_map(Weak::upgrade).collect();
                drop(waiting);
                self.look(&live);
                drop(live);
                waiting = queue.lock();
            }
            if waiting.dirty.is_empty() && !waiting.closing.is_empty() {
                let closing = std::mem::take(&mut waiting.closing);
                let live: Vec<Arc<RunLog>> = waiting.live.iter().filter_map(Weak::upgrade).collect();
                drop(waiting);
                live.iter().for_each(|log| log.give_up("its journal was closed; `resume` goes on from what is stored"));
                // Who does not wait any more does not want to know.
                closing.into_iter().for_each(|done| done.send(()).unwrap_or_default());
                drop(live);
                waiting = queue.lock();
                continue;
            }
            let closing = !waiting.closing.is_empty();
            let patience = match waiting.since {
                Some(_) if waiting.urgent || waiting.shutdown || closing => Some(Duration::ZERO),
                Some(since) => Some(LAZY.saturating_sub(since.elapsed())),
                None if waiting.shutdown => return,
                None => None,
            };
            match patience {
                Some(Duration::ZERO) => {
                    stored = true;
                    waiting.urgent = false;
                    waiting.since = None;
                    let dirty = std::mem::take(&mut waiting.dirty);
                    let turns = waiting.backlog > CONGESTED && !std::mem::replace(&mut waiting.congested, true);
                    let live: Vec<Arc<RunLog>> = match turns {
                        true => waiting.live.iter().filter_map(Weak::upgrade).collect(),
                        false => Vec::new(),
                    };
                    drop(waiting);
                    congest(&live, true);
                    let size = self.store(&dirty);
                    drop((live, dirty));
                    waiting = queue.lock();
                    waiting.backlog = waiting.backlog.saturating_sub(size);
                    if waiting.congested && waiting.backlog <= CONGESTED / 2 {
                        waiting.congested = false;
                        let live: Vec<Arc<RunLog>> = waiting.live.iter().filter_map(Weak::upgrade).collect();
                        drop(waiting);
                        congest(&live, false);
                        drop(live);
                        waiting = queue.lock();
                    }
                }
                patience => {
                    waiting.naps = std::mem::take(&mut stored) && patience.is_none();
                    let patience = if waiting.naps { Some(LAZY) } else { patience };
                    let look = (!waiting.live.is_empty()).then(|| LOOK.saturating_sub(self.looked.elapsed()));
                    let wait = match (patience, look) {
                        (Some(patience), Some(look)) => Some(patience.min(look)),
                        (one, other) => one.or(other),
                    };
                    waiting = match wait {
                        Some(wait) => queue.wake.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0,
                        None => queue.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                    };
                    waiting.naps = false;
                }
            }
        }
    }

    /// Stores what the logs hold, and tells their runs. How many bytes that was.
    fn store(&self, dirty: &[Arc<RunLog>]) -> usize {
        let (mut logs, mut batch) = (Vec::with_capacity(dirty.len()), Vec::with_capacity(dirty.len()));
        let mut size = 0;
        for log in dirty {
            if let Err(error) = self.store_graph(log) {
                log.give_up(&stopped(&error));
                continue;
            }
            let Some((append, last)) = log.take() else { continue };
            size += append.segment.as_ref().map_or(0, |segment| segment.events.len() + segment.data.len());
            logs.push((log, last));
            batch.push(append);
        }
        if batch.is_empty() {
            return size;
        }
        match self.runtime.block_on(self.store.append(&batch)) {
            Ok(appended) => {
                for ((log, last), appended) in logs.into_iter().zip(appended) {
                    match appended {
                        Appended::Stored(number) => {
                            if let Some(commits) = log.stored(number) {
                                commits.stored(last);
                            }
                        }
                        Appended::Fenced => log.give_up("another process has taken this run over"),
                        Appended::Taken => log.give_up("there is a run with this id already"),
                    }
                }
            }
            Err(error) => logs.iter().for_each(|(log, _)| log.give_up(&stopped(&error))),
        }
        size
    }

    /// Stores the snapshot of a graph before the run that has it. Made here, and not by whoever starts the run, because that
    /// of a million tasks takes a moment.
    fn store_graph(&self, log: &RunLog) -> Result<(), StoreError> {
        let Some(plan) = log.lock().graph.take() else { return Ok(()) };
        self.runtime.block_on(self.store.put_graph(plan.hash(), &Graph::of(&plan).encode()))
    }

    /// Passes on what other processes want.
    fn look(&mut self, live: &[Arc<RunLog>]) {
        self.looked = Instant::now();
        // What cannot be read now can be read at the next look; if the store is gone, the next batch says so.
        let Ok(requests) = self.runtime.block_on(self.store.requests(self.seen)) else { return };
        for (number, request) in requests {
            self.seen = self.seen.max(number);
            let Some(log) = live.iter().find(|log| log.number() == Some(request.run)) else { continue };
            match request.what {
                RequestKind::Cancel => {
                    if let Some(commits) = log.commits() {
                        commits.cancel(&said(&request.reason, &request.by));
                    }
                }
            }
        }
    }
}

fn congest(logs: &[Arc<RunLog>], congested: bool) {
    logs.iter().filter_map(|log| log.commits()).for_each(|commits| commits.set_congested(congested));
}

fn stopped(error: &StoreError) -> String {
    format!("the journal cannot be written ({error}); when that is mended, `resume` goes on from what is stored")
}

/// A reason, and whose it is.
pub(super) fn said(reason: &str, by: &str) -> String {
    if by.is_empty() { reason.to_owned() } else { format!("{reason} (by {by})") }
}

/// `48.0 KiB`
pub(super) fn size(bytes: usize) -> String {
    const UNITS: [&str; 4] = ["bytes", "KiB", "MiB", "GiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} bytes") } else { format!("{size:.1} {}", UNITS[unit]) }
}
