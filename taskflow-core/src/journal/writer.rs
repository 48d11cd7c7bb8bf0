//! The thread that stores entries, and its protocol with the runs.
//!
//! 1. Under the lock of the engine a run appends entries to the buffer of its [`RunLog`]. If the
//!    buffer was empty, the log joins the [queue](Queue). If something waits for the entries, the
//!    engine wakes the thread of the writer once it has released its lock; otherwise the thread
//!    comes within [`LAZY`], so that other processes can follow the run. After a batch it naps that
//!    long before it sleeps: an entry that can wait then wakes nobody, and in most runs such an
//!    entry comes next.
//! 2. The writer takes the whole buffer of every log in the queue and stores all of it as one
//!    batch. Entries that arrive in the meantime are the next batch: the busier the engine, the
//!    larger the batches (group commit). It has a lock, which is held while a batch is stored. A
//!    worker of an engine with nothing else to do takes it if it is free and stores the batch
//!    itself ([`Queue::store_here`]), unless a run begins in it; everything else is for the thread
//!    of the writer.
//! 3. After a batch the writer reports to every run in it up to which entry it is stored. That
//!    takes the lock of its engine, so the writer holds no other lock but its own.
//! 4. If a batch cannot be stored, nothing of it is. The runs in it are interrupted, with the
//!    reason. If another process has locked the store, the writer [waits](super::store_wait)
//!    first: its thread tries again with the same batch, and a worker leaves the batch to it.
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
//! Locks are taken in this order: writer, engine, log, queue. A log is dropped under none of the
//! last three, because the last log drops the journal, which takes the lock of the queue.

use std::sync::{Arc, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::admissions::Admissions;
use super::edit::reason_by;
use super::graph::Graph;
use super::queue::{CONGESTED, LAZY, Queue, Waiting};
use super::rollup_writer::RollupWriter;
use super::run_ids;
use super::run_log::{RunLog, Taken};
use super::shared_pools::SharedPools;
use super::store_wait::{Round, StoreWait, Turn};
use crate::dag::Plan;
use crate::engine::Commits;
use crate::store::{Append, Appended, Request, RequestKind, Store, StoreError, StoreFuture};

/// The interval of looking for requests.
const REQUEST_INTERVAL: Duration = Duration::from_millis(250);

/// The pause after a refusal of a locked store, which usually waits for the lock itself but can
/// refuse at once.
const PAUSE: Duration = Duration::from_millis(100);

/// A graph whose snapshot was stored before the run that refers to it.
struct StoredGraph {
    log: Weak<RunLog>,
    plan: Arc<Plan>,
    snapshot: Vec<u8>,
}

/// What was taken of the logs, to be stored together.
struct Batch {
    /// Each with the number of its last entry.
    logs: Vec<(Arc<RunLog>, u64)>,
    /// One for each log.
    parts: Vec<Append>,
    entries: u64,
    /// How many bytes no longer wait once it is stored.
    size: usize,
}

/// Stores batches, and does what else the journal has to do while runs are live.
pub(super) struct Writer {
    store: Arc<dyn Store>,
    /// Of the runtime of the store.
    handle: tokio::runtime::Handle,
    /// Requests that were carried out and not acknowledged yet, with the logs of their runs.
    carried_out: Vec<(i64, Weak<RunLog>)>,
    requests_read: Instant,
    admissions: Admissions,
    pools: SharedPools,
    rollups: RollupWriter,
    /// The graphs of runs whose rows do not refer to them yet.
    graphs: Vec<StoredGraph>,
    /// The engines that start no tasks while too much waits, by runs of them. Such a run may end
    /// meanwhile.
    held_up: Vec<Commits>,
    wait: StoreWait,
    /// The batch that a worker has left to the thread, because another process has locked the
    /// store. It is stored before all others.
    kept: Option<Batch>,
}

/// The thread of the writer. It ends after [`Queue::shut_down`], once everything is stored.
pub(super) fn write(queue: &Queue) {
    loop {
        let mut lent = queue.writer();
        let Some(writer) = &mut *lent else { return };
        let Some((waiting, longest)) = writer.work(queue) else {
            writer.rollups.close();
            lent.take();
            return;
        };
        // From here on workers may store batches.
        drop(lent);
        queue.sleep(waiting, longest);
    }
}

impl Writer {
    pub(super) fn new(store: Arc<dyn Store>, handle: tokio::runtime::Handle) -> Self {
        Writer {
            rollups: RollupWriter::new(Arc::clone(&store), handle.clone()),
            store,
            handle,
            carried_out: Vec::new(),
            requests_read: Instant::now(),
            admissions: Admissions::default(),
            pools: SharedPools::new(),
            graphs: Vec::new(),
            held_up: Vec::new(),
            wait: StoreWait::new(),
            kept: None,
        }
    }

    /// Whether a batch is left to the thread.
    pub(super) fn keeps_batch(&self) -> bool {
        self.kept.is_some()
    }

    /// Does what is due. Returns how long to sleep at most, with the lock that nothing can be added
    /// under meanwhile; `None` when the thread is to end.
    fn work<'q>(&mut self, queue: &'q Queue) -> Option<(MutexGuard<'q, Waiting>, Option<Duration>)> {
        let mut waiting = queue.lock();
        loop {
            if let Some(batch) = self.kept.take() {
                drop(waiting);
                self.hold_back(queue);
                let size = self.store_batch(queue, batch, None);
                self.no_longer_waits(queue, size);
                waiting = queue.lock();
                continue;
            }
            waiting.live.retain(|log| log.strong_count() > 0);
            if waiting.live.is_empty() {
                self.wait.forget(&mut waiting);
            }
            if !waiting.live.is_empty() && self.requests_read.elapsed() >= REQUEST_INTERVAL {
                let live = waiting.live();
                drop(waiting);
                self.serve_requests(&live);
                self.admissions.ask(&*self.store, &self.handle, &mut self.wait, queue);
                self.keep_graphs();
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
                let live = waiting.live();
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
            let at_once = waiting.urgent || waiting.shutdown || closing;
            let patience = match waiting.since.map(|since| LAZY.saturating_sub(since.elapsed())) {
                Some(rest) if at_once || rest.is_zero() => {
                    drop(waiting);
                    self.store_waiting(queue);
                    waiting = queue.lock();
                    continue;
                }
                None if waiting.shutdown => return None,
                None => std::mem::take(&mut waiting.stored).then_some(LAZY),
                rest => rest,
            };
            waiting.naps = patience.is_some();
            let until_requests =
                (!waiting.live.is_empty()).then(|| REQUEST_INTERVAL.saturating_sub(self.requests_read.elapsed()));
            let longest = [patience, until_requests, self.pools.until_due()].into_iter().flatten().min();
            return Some((waiting, longest));
        }
    }

    /// Stores what waits. Engines start nothing while too much does.
    fn store_waiting(&mut self, queue: &Queue) {
        let dirty = queue.lock().take_dirty();
        self.hold_back(queue);
        let size = self.store(queue, &dirty, None);
        drop(dirty);
        self.no_longer_waits(queue, size);
    }

    /// Keeps the engines from starting tasks if too much waits.
    fn hold_back(&mut self, queue: &Queue) {
        let mut waiting = queue.lock();
        if waiting.backlog <= CONGESTED || std::mem::replace(&mut waiting.congested, true) {
            return;
        }
        let live = waiting.live();
        drop(waiting);
        self.held_up = live.iter().filter_map(|log| log.commits()).collect();
        self.held_up.iter().for_each(|commits| commits.set_congested(true));
    }

    /// Counts bytes that no longer wait, and lets the engines go on.
    fn no_longer_waits(&mut self, queue: &Queue, size: usize) {
        let mut waiting = queue.lock();
        waiting.backlog = waiting.backlog.saturating_sub(size);
        if waiting.congested && waiting.backlog <= CONGESTED / 2 {
            waiting.congested = false;
            drop(waiting);
            self.held_up.drain(..).for_each(|commits| commits.set_congested(false));
        }
    }

    /// Stores what the logs hold, reports to their runs, and returns how many bytes no longer wait.
    /// `worker_of`: the engine whose worker this thread is.
    pub(super) fn store(&mut self, queue: &Queue, dirty: &[Arc<RunLog>], worker_of: Option<usize>) -> usize {
        let (mut logs, mut parts) = (Vec::with_capacity(dirty.len()), Vec::with_capacity(dirty.len()));
        // Whether somebody may be admitted now.
        let (mut size, mut entries, mut has_changed) = (0, 0, false);
        if dirty.iter().any(|log| log.is_new() && log.shares_pools()) {
            self.lease_pools(queue);
        }
        let mut round = Round::default();
        for log in dirty {
            match round.turn(None) {
                Turn::GivesUp(reason) => {
                    if log.take_graph().is_some() {
                        log.give_up(&reason);
                    }
                }
                Turn::Asks | Turn::Waits => match self.store_graph(queue, log) {
                    Ok(graph) => self.graphs.extend(graph),
                    Err(error) => log.give_up(&round.given_up(&error)),
                },
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
            logs.push((Arc::clone(log), last));
            parts.push(append);
        }
        if !parts.is_empty() {
            size = self.store_batch(queue, Batch { logs, parts, entries, size }, worker_of);
        }
        if has_changed && self.kept.is_none() {
            // Stores the rows of runs that wait for their admission.
            self.admissions.ask(&*self.store, &self.handle, &mut self.wait, queue);
        }
        self.keep_graphs();
        size
    }

    /// Stores graphs again that their runs refer to by now: a deletion may have removed them
    /// before. What a run with `max_active_runs` stores may wait, for a locked store or for its
    /// admission.
    fn keep_graphs(&mut self) {
        let mut is_refused = false;
        for graph in std::mem::take(&mut self.graphs) {
            let Some(log) = graph.log.upgrade() else { continue };
            if log.has_stored_graph() {
                let StoredGraph { plan, snapshot, .. } = &graph;
                // If one cannot be stored now, no other can: they are tried again.
                is_refused = is_refused || self.handle.block_on(self.store.put_graph(plan.hash(), snapshot)).is_err();
                if is_refused {
                    self.graphs.push(graph);
                }
            } else if !log.is_given_up() {
                self.graphs.push(graph);
            }
        }
    }

    /// Stores a batch, reports to its runs, and returns how many bytes no longer wait: none if a
    /// worker leaves it to the thread.
    fn store_batch(&mut self, queue: &Queue, batch: Batch, worker_of: Option<usize>) -> usize {
        let (stored, took) = loop {
            let begun = Instant::now();
            match self.handle.block_on(self.store.append(&batch.parts)) {
                Err(error) if self.wait.goes_on(queue, &error) => {
                    if worker_of.is_some() {
                        // A worker has tasks to run.
                        self.kept = Some(batch);
                        queue.leave_batch();
                        return 0;
                    }
                    self.hold_back(queue);
                    std::thread::sleep(PAUSE);
                }
                stored => break (stored, begun.elapsed()),
            }
        };
        let Batch { logs, parts, entries, size } = batch;
        match stored {
            Ok(appended) => {
                self.wait.over(queue);
                queue.count_batch(entries, took);
                if parts.iter().any(|part| !part.events.is_empty()) {
                    queue.announce_events();
                }
                let has_ended = |part: &Append| part.update.as_ref().is_some_and(|update| update.state.is_terminal());
                let stored = |(part, appended): (&Append, &Appended)| match appended {
                    Appended::Stored(number) if has_ended(part) => Some(*number),
                    _ => None,
                };
                let ended: Vec<i64> = parts.iter().zip(&appended).filter_map(stored).collect();
                for ((log, last), appended) in logs.into_iter().zip(appended) {
                    match appended {
                        Appended::Stored(number) => {
                            if let Some(commits) = log.stored(number) {
                                commits.stored(last, worker_of);
                            }
                        }
                        Appended::Fenced => log.give_up("another process has taken over this run"),
                        Appended::Taken => {
                            log.give_up(&self.handle.block_on(run_ids::taken(&*self.store, log.run_id())));
                        }
                    }
                }
                self.rollups.ended(ended);
            }
            Err(error) => logs.iter().for_each(|(log, _)| log.give_up(&stopped(&error))),
        }
        size
    }

    /// Writes to the store, and tries again while another process has locked it.
    fn write_patiently<'a, T>(
        &mut self,
        queue: &Queue,
        operation: impl Fn() -> StoreFuture<'a, T>,
    ) -> Result<T, StoreError> {
        let mut was_refused = false;
        loop {
            match self.handle.block_on(operation()) {
                Err(error) if self.wait.goes_on(queue, &error) => {
                    was_refused = true;
                    self.hold_back(queue);
                    std::thread::sleep(PAUSE);
                }
                Ok(written) => {
                    // Otherwise it may have found that there is nothing to write.
                    if was_refused {
                        self.wait.over(queue);
                    }
                    return Ok(written);
                }
                refused => return refused,
            }
        }
    }

    /// Adjusts what the engines of live runs hold of pools.
    fn lease_pools(&mut self, queue: &Queue) {
        let live = queue.lock().live();
        self.pools.adjust(&*self.store, &self.handle, &mut self.wait, queue, &live);
    }

    /// Stores the snapshot of a graph before its run. Encoding it here keeps graphs of a million
    /// tasks from delaying the start of their run.
    fn store_graph(&mut self, queue: &Queue, log: &Arc<RunLog>) -> Result<Option<StoredGraph>, StoreError> {
        let Some(plan) = log.take_graph() else { return Ok(None) };
        let store = Arc::clone(&self.store);
        // A new run is stored with its mark.
        if plan.has_callbacks() && log.number().is_some() {
            self.write_patiently(queue, || store.outbox_add(log.run_id()))?;
        }
        if log.has_stored_graph() {
            return Ok(None);
        }
        let snapshot = Graph::of(&plan).encode();
        self.write_patiently(queue, || store.put_graph(plan.hash(), &snapshot))?;
        Ok(Some(StoredGraph { log: Arc::downgrade(log), plan, snapshot }))
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
            // A run that was drained leaves it to its next owner, also while callbacks of the run
            // are under way here. That can be in this process, where whoever holds a handle of the
            // drained run keeps its log. Nothing that a log which is given up hears is stored.
            let mut of_run = live.iter().filter(|log| log.number() == Some(request.run) && !log.is_given_up());
            let heard_by = of_run.find(|log| log.commits().is_some_and(|commits| hears(&commits, &request)));
            if let Some(log) = heard_by {
                self.carried_out.push((id, Arc::downgrade(log)));
            }
        }
    }

    /// Acknowledges the requests whose entries are stored. A run that is gone without having stored
    /// them, or stores nothing more, leaves them to its next owner, which may be in this process; a
    /// run that has ended took its requests with it.
    fn acknowledge(&mut self) {
        self.carried_out.retain(|(_, log)| log.upgrade().is_some_and(|log| !log.is_given_up()));
        let stored = |log: &Weak<RunLog>| log.upgrade().is_some_and(|log| log.is_stored());
        let ids: Vec<i64> = self.carried_out.iter().filter(|(_, log)| stored(log)).map(|&(id, _)| id).collect();
        if !ids.is_empty() && self.handle.block_on(self.store.acknowledge(&ids)).is_ok() {
            self.carried_out.retain(|(id, _)| !ids.contains(id));
        }
    }
}

/// Passes a request on to a run. Returns whether the run has heard it.
fn hears(commits: &Commits, Request { what, by, reason, .. }: &Request) -> bool {
    match what {
        RequestKind::Cancel => commits.cancel(&reason_by(reason, by)),
        RequestKind::Event { key, value } => {
            commits.send_event(key.clone(), value.as_str().into(), by.clone(), reason.clone())
        }
    }
}

pub(super) fn stopped(error: &StoreError) -> String {
    format!("the journal cannot be written ({error}); when that is fixed, `resume` continues from what is stored")
}
