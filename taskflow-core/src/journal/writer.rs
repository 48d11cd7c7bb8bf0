//! The thread that stores entries, and its protocol with the runs.
//!
//! 1. Under the lock of the engine a run appends entries to the buffer of its [`RunLog`]. If the
//!    buffer was empty, the log joins the queue of the writer. If something waits for the entries,
//!    the writer is woken at once; otherwise it comes within [`LAZY`], so that other processes can
//!    follow the run. After a batch it naps that long before it sleeps: an entry that can wait then
//!    wakes nobody, and in most runs such an entry comes next.
//! 2. The writer takes the whole buffer of every log in the queue and stores all of it as one
//!    batch. Entries that arrive in the meantime are the next batch: the busier the engine, the
//!    larger the batches (group commit).
//! 3. After a batch the writer reports to every run in it up to which entry it is stored. That
//!    takes the lock of its engine, so the writer holds no other lock.
//! 4. If a batch cannot be stored, nothing of it is. The runs in it are interrupted, with the
//!    reason.
//! 5. While more than [`CONGESTED`] bytes wait, the engines start no tasks.
//! 6. While runs are live the writer looks every [`REQUEST_INTERVAL`] for requests to their owner
//!    and carries them out. It acknowledges a request once what follows from it is stored, so a
//!    request is carried out twice rather than not at all.
//! 7. A run with `max_active_runs` waits for its [admission](crate::store::Admission). Its row is
//!    stored at once, its entries only once it is admitted. The writer asks for the admission when
//!    the run begins, whenever a run of this process has ended, and as often as it looks for
//!    requests. A run that ends without an admission, because it was cancelled, is stored as every
//!    other.
//! 8. While runs with tasks in pools are live, the writer keeps the leases of their engines
//!    ([`PoolDemand`](crate::store::PoolDemand)): from the beginning of the first such run to the
//!    end of the last.
//! 9. Runs whose ends are stored are left to the [writer of rollups](super::rollup_writer). Before
//!    the journal is closed, it stores what it has read.
//! 10. The writer waits for the store on its own thread. The [runtime of the store](StoreRuntime)
//!     drives sockets and timers.
//!
//! Locks are taken in this order: engine, log, queue. A log is dropped under none of them, because
//! the last log drops the journal, which takes the lock of the queue.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use super::admissions::Admissions;
use super::batches::Batches;
use super::edit::reason_by;
use super::graph::Graph;
use super::rollup_writer::RollupWriter;
use super::run_log::{LogState, RunLog, Taken};
use super::shared_pools::SharedPools;
use crate::store::{Append, Appended, RequestKind, Store, StoreError, StoreRuntime};

/// How long an entry may wait if nothing waits for it.
const LAZY: Duration = Duration::from_millis(5);
/// How many bytes may wait to be stored.
const CONGESTED: usize = 32 << 20;
/// The interval of looking for requests.
const REQUEST_INTERVAL: Duration = Duration::from_millis(250);

/// Shared by the writer and the logs.
pub(super) struct Queue {
    state: Mutex<Waiting>,
    wake: Condvar,
    /// How often events were stored.
    events: watch::Sender<u64>,
    batches: Mutex<Batches>,
}

#[derive(Default)]
struct Waiting {
    /// Logs with something to store, each once.
    dirty: Vec<Arc<RunLog>>,
    urgent: bool,
    /// When the first waiting entry arrived.
    since: Option<Instant>,
    /// Bytes that wait, including those being stored.
    backlog: usize,
    congested: bool,
    /// Whether the writer wakes up by itself within [`LAZY`].
    naps: bool,
    /// Live runs.
    live: Vec<Weak<RunLog>>,
    /// Callers that close the journal and wait until everything is stored.
    closing: Vec<oneshot::Sender<()>>,
    shutdown: bool,
}

impl Queue {
    fn new() -> Self {
        let (state, batches) = (Mutex::default(), Mutex::default());
        Queue { state, wake: Condvar::new(), events: watch::Sender::new(0), batches }
    }

    /// Starts the writer of a store. It ends after [`Queue::shut_down`], once everything is stored.
    pub(super) fn start(store: Arc<dyn Store>, runtime: StoreRuntime) -> std::io::Result<Arc<Self>> {
        let queue = Arc::new(Queue::new());
        let of = Arc::clone(&queue);
        let handle = runtime.start()?;
        let rollups = RollupWriter::new(Arc::clone(&store), handle.clone());
        std::thread::Builder::new().name("taskflow-journal".to_owned()).spawn(move || {
            let mut writer = Writer {
                store,
                handle,
                carried_out: Vec::new(),
                requests_read: Instant::now(),
                admissions: Admissions::default(),
                pools: SharedPools::new(),
                rollups,
            };
            writer.write(&of);
            writer.rollups.close();
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
        let becomes_urgent = (urgent || too_much) && !queue.urgent;
        queue.urgent |= urgent || too_much;
        let wake = becomes_urgent || (joins && queue.dirty.len() == 1 && !queue.naps);
        drop(queue);
        // The writer takes both locks when it wakes up.
        drop(state);
        if wake {
            self.wake.notify_one();
        }
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

struct Writer {
    store: Arc<dyn Store>,
    /// Of the runtime of the store.
    handle: tokio::runtime::Handle,
    /// Requests that were carried out and not acknowledged yet, with the logs of their runs.
    carried_out: Vec<(i64, Weak<RunLog>)>,
    requests_read: Instant,
    admissions: Admissions,
    pools: SharedPools,
    rollups: RollupWriter,
}

impl Writer {
    fn write(&mut self, queue: &Queue) {
        let mut waiting = queue.lock();
        let mut stored = false;
        loop {
            waiting.live.retain(|log| log.strong_count() > 0);
            if !waiting.live.is_empty() && self.requests_read.elapsed() >= REQUEST_INTERVAL {
                let live: Vec<Arc<RunLog>> = waiting.live.iter().filter_map(Weak::upgrade).collect();
                drop(waiting);
                self.serve_requests(&live);
                self.admissions.ask(&*self.store, &self.handle, queue);
                drop(live);
                waiting = queue.lock();
            }
            if self.pools.until_due() == Some(Duration::ZERO) {
                drop(waiting);
                self.lease_pools(queue);
                waiting = queue.lock();
            }
            if waiting.dirty.is_empty() && !waiting.closing.is_empty() {
                let closing = std::mem::take(&mut waiting.closing);
                let live: Vec<Arc<RunLog>> = waiting.live.iter().filter_map(Weak::upgrade).collect();
                drop(waiting);
                live.iter()
                    .for_each(|log| log.give_up("its journal was closed; `resume` continues from what is stored"));
                self.pools = SharedPools::new();
                self.rollups.close();
                // A caller may have stopped waiting.
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
                    let size = self.store(queue, &dirty);
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
                    let until_requests = (!waiting.live.is_empty())
                        .then(|| REQUEST_INTERVAL.saturating_sub(self.requests_read.elapsed()));
                    let wait = [patience, until_requests, self.pools.until_due()].into_iter().flatten().min();
                    waiting = match wait {
                        Some(wait) => queue.wake.wait_timeout(waiting, wait).unwrap_or_else(PoisonError::into_inner).0,
                        None => queue.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                    };
                    waiting.naps = false;
                }
            }
        }
    }

    /// Stores what the logs hold, reports to their runs, and returns the number of bytes.
    fn store(&mut self, queue: &Queue, dirty: &[Arc<RunLog>]) -> usize {
        let (mut logs, mut batch) = (Vec::with_capacity(dirty.len()), Vec::with_capacity(dirty.len()));
        // Whether somebody may be admitted now.
        let (mut size, mut entries, mut has_changed) = (0, 0, false);
        if dirty.iter().any(|log| log.is_new() && log.shares_pools()) {
            self.lease_pools(queue);
        }
        for log in dirty {
            if let Err(error) = self.store_graph(log) {
                log.give_up(&stopped(&error));
            }
            if log.awaits_admission() {
                has_changed |= self.admissions.add(log);
                continue;
            }
            let (bytes, taken) = log.take();
            size += bytes;
            let Some(Taken { append, last, entries: count }) = taken else { continue };
            has_changed |= append.update.as_ref().is_some_and(|update| update.state.is_terminal());
            entries += count;
            logs.push((log, last));
            batch.push(append);
        }
        if !batch.is_empty() {
            self.store_batch(queue, logs, &batch, entries);
        }
        if has_changed {
            self.admissions.ask(&*self.store, &self.handle, queue);
        }
        size
    }

    fn store_batch(&self, queue: &Queue, logs: Vec<(&Arc<RunLog>, u64)>, batch: &[Append], entries: u64) {
        let begun = Instant::now();
        match self.handle.block_on(self.store.append(batch)) {
            Ok(appended) => {
                queue.batches.lock().unwrap_or_else(PoisonError::into_inner).add(entries, begun.elapsed());
                if batch.iter().any(|part| !part.events.is_empty()) {
                    queue.announce_events();
                }
                let has_ended = |part: &Append| part.update.as_ref().is_some_and(|update| update.state.is_terminal());
                let stored = |(part, appended): (&Append, &Appended)| match appended {
                    Appended::Stored(number) if has_ended(part) => Some(*number),
                    _ => None,
                };
                let ended: Vec<i64> = batch.iter().zip(&appended).filter_map(stored).collect();
                for ((log, last), appended) in logs.into_iter().zip(appended) {
                    match appended {
                        Appended::Stored(number) => {
                            if let Some(commits) = log.stored(number) {
                                commits.stored(last);
                            }
                        }
                        Appended::Fenced => log.give_up("another process has taken over this run"),
                        Appended::Taken => log.give_up("a run with this id already exists"),
                    }
                }
                self.rollups.ended(ended);
            }
            Err(error) => logs.iter().for_each(|(log, _)| log.give_up(&stopped(&error))),
        }
    }

    /// Adjusts what the engines of live runs hold of pools.
    fn lease_pools(&mut self, queue: &Queue) {
        let live: Vec<Arc<RunLog>> = queue.lock().live.iter().filter_map(Weak::upgrade).collect();
        self.pools.adjust(&*self.store, &self.handle, queue.store_id(), &live);
    }

    /// Stores the snapshot of a graph before its run. Encoding it here keeps graphs of a million
    /// tasks from delaying the start of their run.
    fn store_graph(&self, log: &RunLog) -> Result<(), StoreError> {
        let Some(plan) = log.take_graph() else { return Ok(()) };
        if plan.has_callbacks() {
            self.handle.block_on(self.store.outbox_add(log.run_id()))?;
        }
        if log.has_stored_graph() {
            return Ok(());
        }
        self.handle.block_on(self.store.put_graph(plan.hash(), &Graph::of(&plan).encode()))
    }

    /// Carries out what other processes ask of the owner of these runs, and acknowledges what is
    /// stored of earlier requests.
    fn serve_requests(&mut self, live: &[Arc<RunLog>]) {
        self.requests_read = Instant::now();
        let runs: Vec<i64> = live.iter().filter_map(|log| log.number()).collect();
        if runs.is_empty() {
            return;
        }
        // What fails now is repeated at the next check. If the store is gone, the next batch
        // reports it.
        let _ = self.handle.block_on(self.store.heartbeat());
        self.acknowledge();
        let Ok(requests) = self.handle.block_on(self.store.requests(&runs)) else { return };
        for (id, request) in requests {
            if self.carried_out.iter().any(|&(known, _)| known == id) {
                continue;
            }
            let Some(log) = live.iter().find(|log| log.number() == Some(request.run)) else { continue };
            let Some(commits) = log.commits() else { continue };
            match request.what {
                RequestKind::Cancel => commits.cancel(&reason_by(&request.reason, &request.by)),
                RequestKind::Event { key, value } => {
                    commits.send_event(key, value.into(), request.by, request.reason);
                }
            }
            self.carried_out.push((id, Arc::downgrade(log)));
        }
    }

    /// Acknowledges the requests whose entries are stored. A run that is gone without having stored
    /// them leaves them to its next owner; a run that has ended took its requests with it.
    fn acknowledge(&mut self) {
        self.carried_out.retain(|(_, log)| log.strong_count() > 0);
        let stored = |log: &Weak<RunLog>| log.upgrade().is_some_and(|log| log.is_stored());
        let ids: Vec<i64> = self.carried_out.iter().filter(|(_, log)| stored(log)).map(|&(id, _)| id).collect();
        if !ids.is_empty() && self.handle.block_on(self.store.acknowledge(&ids)).is_ok() {
            self.carried_out.retain(|(id, _)| !ids.contains(id));
        }
    }
}

fn congest(logs: &[Arc<RunLog>], congested: bool) {
    logs.iter().filter_map(|log| log.commits()).for_each(|commits| commits.set_congested(congested));
}

pub(super) fn stopped(error: &StoreError) -> String {
    format!("the journal cannot be written ({error}); when that is fixed, `resume` continues from what is stored")
}
