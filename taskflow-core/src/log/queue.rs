//! The bounded queue between the tasks and the writer thread; tasks never wait for it.
//!
//! 1. A task adds a record under the lock, which is only held to move pointers. If the queue is
//!    full, the record is rejected, and the sender counts it for its attempt.
//! 2. Other messages (the end of an attempt, rejected records) are always accepted: there are only
//!    a few per attempt.
//! 3. The first message wakes the writer, which then waits [`GATHER`] for more, so that a task that
//!    logs occasionally does not wake a thread each time. The writer starts at once if the queue is
//!    half full, when an attempt ends and when a thread waits in [`flush`](Queue::flush).
//! 4. The writer takes all messages and reports when they are in the files. Memory is therefore
//!    limited to twice the bound, and a record reaches its file after [`GATHER`] and the time of
//!    one write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::record::LogRecord;

/// How long the writer waits for more after the first message: half of the 200 ms of log that a
/// crash may lose.
const GATHER: Duration = Duration::from_millis(100);

/// A message to the writer.
#[derive(Debug)]
pub(super) enum Message {
    /// A record of an attempt.
    Record(Arc<Attempt>, Box<LogRecord>),
    /// Records of an attempt were rejected; their count is to be logged.
    Dropped(Arc<Attempt>),
    /// The attempt has ended.
    End(Arc<Attempt>),
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits on this for messages.
    arrived: Condvar,
    /// Threads in `flush` wait on this for the writer.
    written: Condvar,
    /// Whether the last record was rejected and none has been taken since; read without the lock.
    full: AtomicBool,
    most_records: usize,
    most_bytes: usize,
}

/// The state under the lock.
#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    records: usize,
    bytes: usize,
    /// When the first of them arrived.
    since: Option<Instant>,
    /// How many messages were sent, and how many of them are in the files.
    sent: u64,
    done: u64,
    /// Whether the writer waits without a deadline.
    idle: bool,
    /// Whether the writer should not wait for more messages.
    urgent: bool,
    /// Whether the queue accepts no more messages.
    closed: bool,
    /// Whether the writer has ended.
    gone: bool,
    /// In tests: whether the writer takes no messages.
    paused: bool,
}

impl Queue {
    /// Creates a queue for at most so many records and so many bytes.
    pub(super) fn new(most_records: usize, most_bytes: usize) -> Self {
        Queue {
            state: Mutex::default(),
            arrived: Condvar::new(),
            written: Condvar::new(),
            full: AtomicBool::new(false),
            most_records,
            most_bytes,
        }
    }

    /// Nothing panics under the lock; should it happen, continuing is better than failing the
    /// tasks.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record would be rejected. Checked before formatting, so that a flood of records is
    /// cheap.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Adds a record; returns `false` if the queue is full.
    pub(super) fn offer(&self, attempt: &Arc<Attempt>, record: LogRecord) -> bool {
        let weight = record.weight();
        let message = Message::Record(Arc::clone(attempt), Box::new(record));
        let mut state = self.lock();
        // A record larger than the bound is accepted if the queue is empty.
        let no_room =
            state.records >= self.most_records || (state.records > 0 && state.bytes + weight > self.most_bytes);
        if no_room || state.closed || state.gone {
            // Without a writer there will never be space.
            self.full.store(true, Ordering::Relaxed);
            drop(state);
            return false;
        }
        state.records += 1;
        state.bytes += weight;
        let half = state.records * 2 >= self.most_records || state.bytes * 2 >= self.most_bytes;
        self.push(state, message, half);
        true
    }

    /// Adds a message that is not a record.
    pub(super) fn notify(&self, message: Message, urgent: bool) {
        let state = self.lock();
        if !(state.closed || state.gone) {
            self.push(state, message, urgent);
        }
    }

    fn push(&self, mut state: MutexGuard<'_, State>, message: Message, urgent: bool) {
        state.messages.push(message);
        state.sent += 1;
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

    /// Waits until everything sent before is in the files, or the writer has ended.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        let target = state.sent;
        while state.done < target && !state.gone {
            // Set it each time: the writer resets it when it takes messages.
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

    /// For the writer: waits for messages and takes them all; `None` once the queue is closed and
    /// empty.
    pub(super) fn take(&self) -> Option<Vec<Message>> {
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
                    self.full.store(false, Ordering::Relaxed);
                    return Some(std::mem::take(&mut state.messages));
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

    /// For the writer: confirms that so many messages are in the files.
    pub(super) fn done(&self, messages: usize) {
        self.lock().done += messages as u64;
        self.written.notify_all();
    }

    /// For the writer: marks it as ended.
    pub(super) fn gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.messages.clear();
        drop(state);
        self.written.notify_all();
    }

    /// Pauses or resumes the writer.
    #[cfg(test)]
    pub(super) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
        self.arrived.notify_one();
    }
}
