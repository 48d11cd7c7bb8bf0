//! What waits for the writer: the logs with something to store, and how it is woken for them.
//!
//! [`writer`](super::writer) states the protocol.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::batches::Batches;
use super::run_log::{LogState, RunLog};
use super::writer::{self, Writer};
use crate::engine::Commits;
use crate::store::{Store, StoreRuntime};

/// How long an entry may wait if nothing waits for it.
pub(super) const LAZY: Duration = Duration::from_millis(5);
/// How many bytes may wait to be stored.
pub(super) const CONGESTED: usize = 32 << 20;

/// Shared by the writer and the logs.
pub(super) struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
    /// How often events were stored.
    events: watch::Sender<u64>,
    batches: Mutex<Batches>,
    /// What stores batches: locked by the thread that does. `None` once that has ended.
    writer: Mutex<Option<Writer>>,
}

#[derive(Default)]
pub(super) struct Waiting {
    /// Logs with something to store, each once.
    pub(super) dirty: Vec<Arc<RunLog>>,
    /// Whether something waits for the entries.
    pub(super) urgent: bool,
    /// Whether the writer was woken for the urgent entries.
    pub(super) called: bool,
    /// When the first waiting entry arrived.
    pub(super) since: Option<Instant>,
    /// Bytes that wait, including those being stored.
    pub(super) backlog: usize,
    pub(super) congested: bool,
    /// Whether a batch was stored since the thread of the writer slept last.
    pub(super) stored: bool,
    /// Whether the thread of the writer wakes up by itself within [`LAZY`].
    pub(super) naps: bool,
    /// Live runs.
    pub(super) live: Vec<Weak<RunLog>>,
    /// Callers that close the journal and wait until everything is stored.
    pub(super) closing: Vec<oneshot::Sender<()>>,
    pub(super) shutdown: bool,
    /// What the writer says while another process has locked the store.
    pub(super) store_wait: Option<Arc<str>>,
}

impl Queue {
    pub(super) fn new() -> Self {
        Queue {
            state: Mutex::default(),
            wake: Condvar::new(),
            events: watch::Sender::new(0),
            batches: Mutex::default(),
            writer: Mutex::default(),
        }
    }

    /// Starts the writer of a store. It ends after [`Queue::shut_down`], once everything is stored.
    pub(super) fn start(store: Arc<dyn Store>, runtime: StoreRuntime) -> std::io::Result<Arc<Self>> {
        let queue = Arc::new(Queue::new());
        let of = Arc::clone(&queue);
        *queue.writer() = Some(Writer::new(store, runtime.start()?));
        std::thread::Builder::new().name("taskflow-journal".to_owned()).spawn(move || {
            writer::write(&of);
            // Its runtime must outlive the writer.
            drop(runtime);
        })?;
        Ok(queue)
    }

    /// A queue without a thread: its owner calls [`Queue::take`].
    #[cfg(feature = "testing")]
    pub(super) fn manual_journal() -> Arc<Self> {
        Arc::new(Queue::new())
    }

    /// The logs with something to store.
    #[cfg(feature = "testing")]
    pub(super) fn take(&self) -> Vec<Arc<RunLog>> {
        let mut waiting = self.lock();
        waiting.live.clear();
        waiting.backlog = 0;
        std::mem::take(&mut waiting.dirty)
    }

    pub(super) fn shut_down(&self) {
        self.lock().shutdown = true;
        self.wake.notify_one();
    }

    /// Stores what waits, and interrupts live runs.
    pub(super) async fn settle(&self) {
        let (done, settled) = oneshot::channel();
        self.lock().closing.push(done);
        self.wake.notify_one();
        // The writer outlives every journal that can be closed.
        let _ = settled.await;
    }

    /// Wakes those who follow events: some were stored.
    pub(super) fn announce_events(&self) {
        self.events.send_modify(|stored| *stored = stored.wrapping_add(1));
    }

    /// Changes whenever events were stored.
    pub(super) fn events_stored(&self) -> watch::Receiver<u64> {
        self.events.subscribe()
    }

    /// The batches that were stored.
    pub(super) fn batches(&self) -> Batches {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How engines know the store.
    pub(super) fn store_id(&self) -> usize {
        std::ptr::from_ref(self) as usize
    }

    /// Adds a live run.
    pub(super) fn follow(&self, log: &Arc<RunLog>) {
        self.lock().live.push(Arc::downgrade(log));
    }

    /// Wakes the writer for urgent entries.
    pub(super) fn hurry(&self) {
        let mut waiting = self.lock();
        let call = waiting.urgent && !std::mem::replace(&mut waiting.called, true);
        drop(waiting);
        if call {
            self.wake.notify_one();
        }
    }

    /// Stores the urgent entries on this thread, that of a worker of this engine. What else there
    /// is to do is left to the thread of the writer, and everything if that is at work.
    pub(super) fn store_here(&self, engine: usize) {
        let mut writer = match self.writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return self.hurry(),
        };
        let Some(writer) = &mut *writer else { return };
        if writer.keeps_batch() {
            return self.hurry();
        }
        let mut waiting = self.lock();
        let is_usual = waiting.closing.is_empty() && !waiting.shutdown && waiting.backlog <= CONGESTED;
        if !waiting.urgent || waiting.congested || !is_usual {
            drop(waiting);
            return self.hurry();
        }
        let dirty = waiting.take_dirty();
        drop(waiting);
        // The graph of a new run may take long to encode.
        if dirty.iter().any(|log| log.is_new()) {
            self.lock().put_back(dirty);
            return self.hurry();
        }
        let size = writer.store(self, &dirty, Some(engine));
        drop(dirty);
        let mut waiting = self.lock();
        waiting.backlog = waiting.backlog.saturating_sub(size);
    }

    /// Wakes the thread of the writer for a batch that a worker leaves to it.
    pub(super) fn leave_batch(&self) {
        self.wake.notify_one();
    }

    /// Whether the journal is being closed.
    pub(super) fn is_closing(&self) -> bool {
        let waiting = self.lock();
        waiting.shutdown || !waiting.closing.is_empty()
    }

    /// The engines that were asked to leave, and that wait for the store only. Takes the locks of
    /// the engines.
    pub(super) fn leaving(&self) -> Vec<usize> {
        let live = self.lock().live();
        let commits = live.iter().filter_map(|log| log.commits());
        commits.filter(Commits::only_waits).map(|commits| commits.engine()).collect()
    }

    /// Sets what the writer says while another process has locked the store.
    pub(super) fn set_store_wait(&self, line: Option<Arc<str>>) {
        self.lock().store_wait = line;
    }

    /// Takes back what somebody has said, unless it was replaced since.
    pub(super) fn end_store_wait(&self, line: &Arc<str>) {
        let mut waiting = self.lock();
        if waiting.store_wait.as_ref().is_some_and(|said| Arc::ptr_eq(said, line)) {
            waiting.store_wait = None;
        }
    }

    /// What the writer says while another process has locked the store.
    pub(super) fn store_wait(&self) -> Option<Arc<str>> {
        self.lock().store_wait.clone()
    }

    /// Notifies the writer that the buffer of a log, whose lock the caller holds, has grown by this
    /// many bytes.
    pub(super) fn announce(&self, log: &Arc<RunLog>, mut state: MutexGuard<'_, LogState>, grown: usize, urgent: bool) {
        let joins = !std::mem::replace(&mut state.queued, true);
        let mut queue = self.lock();
        queue.backlog += grown;
        if joins {
            queue.dirty.push(Arc::clone(log));
            queue.since.get_or_insert_with(Instant::now);
        }
        let too_much = queue.backlog > CONGESTED;
        queue.urgent |= urgent || too_much;
        // The engine calls for the writer if the entries are urgent, once it has released its lock.
        let call = too_much && !std::mem::replace(&mut queue.called, true);
        let wake = call || (joins && !urgent && queue.dirty.len() == 1 && !queue.naps);
        drop(queue);
        // The writer takes both locks when it wakes up.
        drop(state);
        if wake {
            self.wake.notify_one();
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What stores batches. Locked before the [state](Queue::lock).
    pub(super) fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sleeps until it is woken, at most this long.
    pub(super) fn sleep(&self, waiting: MutexGuard<'_, Waiting>, longest: Option<Duration>) {
        let mut waiting = match longest {
            Some(longest) => self.wake.wait_timeout(waiting, longest).unwrap_or_else(PoisonError::into_inner).0,
            None => self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner),
        };
        waiting.naps = false;
    }

    /// Counts a batch that was stored.
    pub(super) fn count_batch(&self, entries: u64, took: Duration) {
        self.batches.lock().unwrap_or_else(PoisonError::into_inner).add(entries, took);
    }
}

impl Waiting {
    /// Takes the logs whose entries are stored next.
    pub(super) fn take_dirty(&mut self) -> Vec<Arc<RunLog>> {
        (self.urgent, self.called, self.since, self.stored) = (false, false, None, true);
        std::mem::take(&mut self.dirty)
    }

    /// Takes back that logs were [taken](Waiting::take_dirty).
    fn put_back(&mut self, dirty: Vec<Arc<RunLog>>) {
        self.urgent = true;
        self.since.get_or_insert_with(Instant::now);
        self.dirty.splice(..0, dirty);
    }

    /// The live runs.
    pub(super) fn live(&self) -> Vec<Arc<RunLog>> {
        self.live.iter().filter_map(Weak::upgrade).collect()
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue")
    }
}
