//! The way from the tasks to the thread that writes: bounded, and never waited for by a task.
//!
//! 1. A task adds a record under the lock, which is only ever held for moves of pointers. If the bound is reached the
//!    record is refused; whoever sent it counts it for its attempt.
//! 2. What is no record (the end of an attempt, the news that records were refused) is always taken: there are at most a
//!    few of them for an attempt.
//! 3. The first message wakes the writer, which then waits [`GATHER`] for more, so that a task that logs now and then does
//!    not pay for waking a thread each time. It is called at once when the queue is half full, when an attempt ends and
//!    when somebody waits in [`flush`](Queue::flush).
//! 4. The writer takes everything there is and says when it is in the files. So there are never more than twice the bound
//!    in memory, and what a task emitted reaches its file after [`GATHER`] and the time of one write.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::attempt::Attempt;
use super::record::LogRecord;

/// How long the writer waits for more after the first message: half of the 200 ms that a crash may cost.
const GATHER: Duration = Duration::from_millis(100);

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Message {
    /// An attempt emitted this.
    Record(Arc<Attempt>, Box<LogRecord>),
    /// Records of an attempt were refused: there is a count to write.
    Dropped(Arc<Attempt>),
    /// An attempt is over.
    End(Arc<Attempt>),
}

/// The queue.
#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writer waits here for messages.
    arrived: Condvar,
    /// Whoever flushes waits here for the writer.
    written: Condvar,
    /// Whether the last record was refused and none taken out since: read without the lock.
    full: AtomicBool,
    most_records: usize,
    most_bytes: usize,
}

/// Under the lock.
#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    records: usize,
    bytes: usize,
    /// When the first of them came.
    since: Option<Instant>,
    /// How many messages came, and how many of them are in the files.
    sent: u64,
    done: u64,
    /// Whether the writer waits without an end.
    idle: bool,
    /// Whether the writer is to come at once.
    urgent: bool,
    /// Whether no more will come.
    closed: bool,
    /// Whether there is no writer any more.
    gone: bool,
    /// In tests: whether the writer is to leave everything where it is.
    paused: bool,
}

impl Queue {
    /// A queue for at most that many records and that many bytes of them.
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

    /// Nothing under the lock panics; if a bug of ours did, going on is better than failing the tasks.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a record would be refused: known before it is formatted, so that a flood costs little.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }

    /// Adds a record; `false` if there is no room.
    pub(super) fn offer(&self, attempt: &Arc<Attempt>, record: LogRecord) -> bool {
        let weight = record.weight();
        let message = Message::Record(Arc::clone(attempt), Box::new(record));
        let mut state = self.lock();
        // A record that is larger than the bound travels alone.
        let no_room =
            state.records >= self.most_records || (state.records > 0 && state.bytes + weight > self.most_bytes);
        if no_room || state.closed || state.gone {
            // Without a writer there will never be room.
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

    /// Adds what is no record.
    pub(super) fn tell(&self, message: Message, urgent: bool) {
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

    /// Waits until everything that was sent before is in the files, or there is no writer any more.
    pub(super) fn flush(&self) {
        let mut state = self.lock();
        let target = state.sent;
        while state.done < target && !state.gone {
            // Set again each time: the writer may have taken a part and reset it.
            state.urgent = true;
            self.arrived.notify_one();
            state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Takes no more; the writer writes what there is and ends.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.paused = false;
        drop(state);
        self.arrived.notify_one();
    }

    /// For the writer: waits for messages and takes them all; `None` when no more will come.
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

    /// For the writer: so many of what it took are in the files.
    pub(super) fn done(&self, messages: usize) {
        self.lock().done += messages as u64;
        self.written.notify_all();
    }

    /// For the writer: it ends.
    pub(super) fn gone(&self) {
        let mut state = self.lock();
        state.gone = true;
        state.messages.clear();
        drop(state);
        self.written.notify_all();
    }

    /// Makes the writer leave everything where it is, or go on.
    #[cfg(test)]
    pub(super) fn pause(&self, paused: bool) {
        self.lock().paused = paused;
        self.arrived.notify_one();
    }
}
