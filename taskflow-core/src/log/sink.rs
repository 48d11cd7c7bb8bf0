//! Where the layer sends records: the handle of the queue and of the thread that writes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::attempt::Attempt;
use super::layer::Destination;
use super::queue::{Message, Queue};
use super::record::LogRecord;
use super::writer::Writer;

const MIB: usize = 1024 * 1024;

/// Where logs go and how much of them there may be.
///
/// ```no_run
/// # fn main() -> std::io::Result<()> {
/// let sink = taskflow::log::LogOptions::new("/var/lib/taskflow/logs").attempt_limit(64 * 1024 * 1024).open()?;
/// # drop(sink);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LogOptions {
    root: PathBuf,
    records: usize,
    bytes: usize,
    attempt_limit: u64,
}

impl LogOptions {
    /// Logs below a directory, which is made when something is written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LogOptions { root: root.into(), records: 8192, bytes: 32 * MIB, attempt_limit: 16 * MIB as u64 }
    }

    /// How many records may wait to be written (8192 where nothing is said, at least one). What comes when so many wait
    /// is dropped and counted.
    #[must_use]
    pub fn queue_records(mut self, records: usize) -> Self {
        self.records = records.max(1);
        self
    }

    /// How many bytes of records may wait to be written: 32 MiB where nothing is said. While one batch is written the
    /// next can gather, so memory is at most twice that.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// How many bytes the file of an attempt may hold: 16 MiB where nothing is said. Records after that are counted, and
    /// the log says so.
    #[must_use]
    pub fn attempt_limit(mut self, bytes: u64) -> Self {
        self.attempt_limit = bytes;
        self
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread. That files cannot be written is no error here: see
    /// [`LogSink::status`].
    pub fn open(self) -> io::Result<LogSink> {
        let queue = Arc::new(Queue::new(self.records, self.bytes));
        let status = Arc::new(Mutex::default());
        let writer = Writer::new(self.root.clone(), self.attempt_limit, Arc::clone(&queue), Arc::clone(&status));
        let thread = std::thread::Builder::new().name("taskflow-log".to_owned()).spawn(move || writer.run())?;
        let shared = Shared { root: self.root, queue, status, dropped: AtomicU64::new(0), thread: Some(thread) };
        Ok(LogSink { shared: Arc::new(shared) })
    }
}

/// Takes the records of attempts and writes them to their files, on a thread of its own. Cheap to clone.
///
/// A task never waits for it: what finds the queue full is dropped, and the log of the attempt says how much. What was
/// taken is in the hands of the operating system at the latest about 200 ms later, and soon after the attempt has ended.
///
/// Dropping the last handle writes what there is and ends the thread. The layer holds one, and a subscriber that is the
/// global default is never dropped, so a program calls [`flush`](LogSink::flush) at its end.
#[derive(Clone, Debug)]
pub struct LogSink {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: PathBuf,
    queue: Arc<Queue>,
    status: Arc<Mutex<LogStatus>>,
    dropped: AtomicU64,
    thread: Option<JoinHandle<()>>,
}

/// How a [`LogSink`] fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatus {
    /// Records in the files.
    pub written: u64,
    /// Records that were dropped because the queue was full.
    pub dropped: u64,
    /// Records that were left out because the log of their attempt had reached its limit.
    pub over_limit: u64,
    /// Records that could not be written.
    pub failed: u64,
    /// The first reason why.
    pub first_error: Option<LogError>,
}

/// Why a file of a log could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log {} cannot be written: {message}", path.display())]
#[non_exhaustive]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// What the operating system says.
    pub message: String,
}

impl LogSink {
    /// Logs below a directory, with the usual limits; [`LogOptions`] sets others.
    ///
    /// # Errors
    ///
    /// As [`LogOptions::open`].
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        LogOptions::new(root).open()
    }

    /// The directory that the logs are below, for [`LogFiles`](super::LogFiles).
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Waits until everything that was emitted before is in the files, or could not be written.
    ///
    /// It blocks the thread for the time of some writes; in async code call it through `spawn_blocking`. Files are not
    /// synced to the disk: what was flushed survives the death of the process, not that of the machine.
    pub fn flush(&self) {
        self.shared.queue.flush();
    }

    /// What was written so far and what was not.
    pub fn status(&self) -> LogStatus {
        let status = self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone();
        LogStatus { dropped: self.shared.dropped.load(Ordering::Relaxed), ..status }
    }

    #[cfg(test)]
    pub(super) fn pause(&self, paused: bool) {
        self.shared.queue.pause(paused);
    }
}

impl Destination for LogSink {
    /// Takes a record of an attempt, or counts it. A record for which there is no room is not even made.
    fn send(&self, attempt: &Arc<Attempt>, record: impl FnOnce() -> LogRecord) {
        attempt.used.store(true, Ordering::Relaxed);
        let queue = &self.shared.queue;
        if queue.is_full() || !queue.offer(attempt, record()) {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            if attempt.count_dropped() {
                // The message lies behind the records that took the room, where those dropped would be.
                queue.tell(Message::Dropped(Arc::clone(attempt)), false);
            }
        }
    }

    /// The attempt is over, and emits no more.
    fn end(&self, attempt: Arc<Attempt>) {
        if attempt.used.load(Ordering::Relaxed) {
            self.shared.queue.tell(Message::End(attempt), true);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // It catches its panics; one that got through has been reported by the hook.
            let _ = thread.join();
        }
    }
}
