//! The queues between the tasks and the writer thread; tasks never wait for it.
//!
//! 1. Each attempt has a queue of its own, so that a task that logs a lot does not push out the
//!    records of another one. It holds a share of the common bound; a few records are accepted
//!    whatever the others do.
//! 2. If the queue of an attempt is full, its oldest waiting record is dropped for the new one, and
//!    counted: what an attempt logs last always arrives.
//! 3. The output of a child process is held back instead: whoever reads the pipe
//!    ([`with_backpressure`](super::with_backpressure)) waits until the writer has taken the queue.
//! 4. The first record of an attempt wakes the writer, which then waits [`GATHER`] for more, so
//!    that a task that logs occasionally does not wake a thread each time. The writer starts at
//!    once if a queue is half full, when an attempt ends and when a thread waits in
//!    [`flush`](Queue::flush).
//! 5. The writer takes all queues and reports when they are in the files. Memory is therefore
//!    limited to twice the bound and the few records of each attempt, and a record reaches its file
//!    after [`GATHER`] and the time of one write.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::attempt::Attempt;
use super::record::LogRecord;

/// How long the writer waits for more after the first record: half of the 200 ms of log that a
/// crash may lose.
const GATHER: Duration = Duration::from_millis(100);
/// How many attempts share the bound: more than so many that log without a pause have less.
const SHARES: usize = 8;
/// How many records of an attempt are accepted whatever the others do.
const RESERVED: usize = 64;

/// The waiting records of an attempt.
#[derive(Debug)]
struct Waiting {
    attempt: Arc<Attempt>,
    records: VecDeque<Box<LogRecord>>,
    bytes: usize,
    /// How many older ones were dropped.
    dropped: u64,
}

/// What the writer takes of an attempt.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) attempt: Arc<Attempt>,
    /// How many records before these were dropped.
    pub(super) dropped: u64,
    pub(super) records: VecDeque<Box<LogRecord>>,
    /// Whether the attempt has ended.
    pub(super) ended: bool,
}

/// The queues.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits on this for messages.
    arrived: Condvar,
    /// Threads in `flush` wait on this for the writer.
    written: Condvar,
    /// Readers of pipes wait on this for the writer.
    taken: Notify,
    /// Whether the writer has ended; read without the lock.
    is_gone: AtomicBool,
    most_records: usize,
    most_bytes: usize,
}

/// The state under the lock.
#[derive(Debug, Default)]
struct State {
    /// The attempts with records for the writer.
    waiting: Vec<Waiting>,
    /// Their places by address: an attempt that waits exists.
    places: HashMap<usize, usize>,
    /// The attempts that have ended. They come after their records.
    ended: Vec<Arc<Attempt>>,
    records: usize,
    bytes: usize,
    /// When the first of them arrived.
    since: Option<Instant>,
    /// How often something was listed, and how much of that is in the files.
    sent: u64,
    done: u64,
    /// Whether the writer waits without a deadline.
    idle: bool,
    /// Whether the writer should not wait for more.
    urgent: bool,
    /// Whether the queue accepts nothing more.
    closed: bool,
    /// Whether the writer has ended.
    gone: bool,
    /// In tests: whether the writer takes nothing.
    paused: bool,
}

/// How a record was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Received {
    /// How many records were dropped: older ones, or this one if there is no writer.
    pub(super) dropped: u64,
    /// The queue of the attempt is filling up.
    pub(super) pressed: bool,
}

impl Queue {
    /// Creates queues for at most so many records and so many bytes together.
    pub(super) fn new(most_records: usize, most_bytes: usize) -> Self {
        Queue {
            state: Mutex::default(),
            arrived: Condvar::new(),
            written: Condvar::new(),
            taken: Notify::new(),
            is_gone: AtomicBool::new(false),
            most_records,
            most_bytes,
        }
    }

    /// Nothing panics under the lock; should it happen, continuing is better than failing the
    /// tasks.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a record of an attempt.
    pub(super) fn offer(&self, attempt: &Arc<Attempt>, record: LogRecord) -> Received {
        let weight = record.weight();
        let (share, share_bytes) = ((self.most_records / SHARES).max(1), self.most_bytes / SHARES);
        let record = Box::new(record);
        // Freed outside of the lock.
        let mut dropped = Vec::new();
        let mut state = self.lock();
        if state.closed || state.gone {
            // Without a writer there will never be space.
            return Received { dropped: 1, pressed: false };
        }
        let State { waiting, places, records, bytes, .. } = &mut *state;
        let place = *places.entry(Arc::as_ptr(attempt) as usize).or_insert(waiting.len());
        let is_new = place == waiting.len();
        if is_new {
            let attempt = Arc::clone(attempt);
            waiting.push(Waiting { attempt, records: VecDeque::new(), bytes: 0, dropped: 0 });
        }
        let own = &mut waiting[place];
        while let Some(oldest) = own.records.front() {
            let over_share = own.records.len() >= share || own.bytes + weight > share_bytes;
            let over_all = *records >= self.most_records || *bytes + weight > self.most_bytes;
            let is_full = over_share || (over_all && own.records.len() >= RESERVED.min(share));
            if !is_full {
                break;
            }
            let oldest_weight = oldest.weight();
            own.bytes -= oldest_weight;
            *bytes -= oldest_weight;
            *records -= 1;
            dropped.extend(own.records.pop_front());
        }
        own.dropped += dropped.len() as u64;
        own.records.push_back(record);
        own.bytes += weight;
        *records += 1;
        *bytes += weight;
        let pressed = own.records.len() * 2 >= share || own.bytes * 2 >= share_bytes;
        self.push(state, is_new, pressed);
        Received { dropped: dropped.len() as u64, pressed }
    }

    /// The attempt has ended and emits no more records.
    pub(super) fn end(&self, attempt: Arc<Attempt>) {
        let mut state = self.lock();
        if !(state.closed || state.gone) {
            state.ended.push(attempt);
            self.push(state, true, true);
        }
    }

    fn push(&self, mut state: MutexGuard<'_, State>, is_new: bool, urgent: bool) {
        state.sent += u64::from(is_new);
        if state.since.is_none() {
            state.since = Some(Instant::now());
        }
        let call = state.idle || (urgent && !state.urgent);
        state.idle = false;
        state.urgent |= urgent;
        drop(state);
        if call {
            self.arrived.notify_one();
        }
    }

    /// Waits until the writer has taken the records of an attempt, if they are many. Cancel safe.
    pub(super) async fn room(&self, attempt: &Attempt) {
        loop {
            // Before the check: it is notified from its creation on.
            let taken = self.taken.notified();
            if !self.is_pressed(attempt) || self.is_gone.load(Ordering::SeqCst) {
                return;
            }
            taken.await;
        }
    }

    fn is_pressed(&self, attempt: &Attempt) -> bool {
        let state = self.lock();
        let place = state.places.get(&(std::ptr::from_ref(attempt) as usize));
        place.map(|&place| &state.waiting[place]).is_some_and(|own| {
            own.records.len() * 2 * SHARES >= self.most_records || own.bytes * 2 * SHARES >= self.most_bytes
        })
    }

    /// Waits until everything sent before is in the files, or the writer has ended.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        let target = state.sent;
        while state.done < target && !state.gone {
            // Set it each time: the writer resets it when it takes the queues.
            state.urgent = true;
            self.arrived.notify_one();
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Closes the queue; the writer writes what is left and ends.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.paused = false;
        drop(state);
        self.arrived.notify_one();
    }

    /// For the writer: waits for records and takes them all, and how much that is; `None` once the
    /// queue is closed and empty.
    pub(super) fn take(&self) -> Option<(Vec<Batch>, u64)> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.since.map(|since| since + GATHER);
            match due {
                Some(_) if state.paused => {
                    state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                Some(due) if !(state.urgent || state.closed || due <= now) => {
                    state = self.arrived.wait_timeout(state, due - now).unwrap_or_else(PoisonError::into_inner).0;
                }
                Some(_) => {
                    state.since = None;
                    state.urgent = false;
                    state.records = 0;
                    state.bytes = 0;
                    let waiting = std::mem::take(&mut state.waiting);
                    let ended = std::mem::take(&mut state.ended);
                    state.places.clear();
                    drop(state);
                    self.taken.notify_waiters();
                    let count = (waiting.len() + ended.len()) as u64;
                    let batches = waiting.into_iter().map(|Waiting { attempt, records, dropped, .. }| Batch {
                        attempt,
                        dropped,
                        records,
                        ended: false,
                    });
                    let end = |attempt| Batch { attempt, dropped: 0, records: VecDeque::new(), ended: true };
                    let batches = batches.chain(ended.into_iter().map(end)).collect();
                    return Some((batches, count));
                }
                None if state.closed => return None,
                None => {
                    state.idle = true;
                    state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle = false;
                }
            }
        }
    }

    /// For the writer: confirms that so much is in the files.
    pub(super) fn done(&self, count: u64) {
        self.lock().done += count;
        self.written.notify_all();
    }

    /// For the writer: marks it as ended.
    pub(super) fn gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        let left = (std::mem::take(&mut state.waiting), std::mem::take(&mut state.ended));
        state.places.clear();
        drop(state);
        drop(left);
        self.is_gone.store(true, Ordering::SeqCst);
        self.written.notify_all();
        self.taken.notify_waiters();
    }

    /// Pauses or resumes the writer.
    #[cfg(test)]
    pub(super) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
        self.arrived.notify_one();
    }
}
