//! The destination of the layer: the handle of the queue and the writer thread.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::attempt::Attempt;
use super::backpressure::notice;
use super::layer::Destination;
use super::queue::Queue;
use super::record::LogRecord;
use super::writer::Writer;

const MIB: usize = 1024 * 1024;

/// What the sinks of this process have dropped.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many records this process has dropped because the queue of their attempt was full.
#[cfg(feature = "server")]
pub(crate) fn dropped_records() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Where logs are written, and their limits.
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
    /// Logs below a directory, which is created when needed.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LogOptions { root: root.into(), records: 8192, bytes: 32 * MIB, attempt_limit: 16 * MIB as u64 }
    }

    /// Sets how many records may wait to be written (default 8192). One attempt may have an eighth
    /// of them, and at least one; then its oldest waiting record is dropped for the next one, and
    /// the log reports how many. The output of child processes is held back instead.
    #[must_use]
    pub fn queue_records(mut self, records: usize) -> Self {
        self.records = records.max(1);
        self
    }

    /// Sets how many bytes of records may wait to be written (default 32 MiB). While one batch is
    /// written the next can accumulate, so memory use is at most twice that.
    #[must_use]
    pub fn queue_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }

    /// Sets the most bytes the file of an attempt may hold (default 16 MiB). Further records are
    /// counted, and the log reports the count.
    #[must_use]
    pub fn attempt_limit(mut self, bytes: u64) -> Self {
        self.attempt_limit = bytes;
        self
    }

    /// Starts the writer thread.
    ///
    /// # Errors
    ///
    /// If the thread cannot be created. Failed writes are reported by [`LogSink::status`] instead.
    pub fn open(self) -> io::Result<LogSink> {
        let queue = Arc::new(Queue::new(self.records, self.bytes));
        let status = Arc::new(Mutex::default());
        let writer = Writer::new(self.root.clone(), self.attempt_limit, Arc::clone(&queue), Arc::clone(&status));
        let thread = std::thread::Builder::new().name("taskflow-log".to_owned()).spawn(move || writer.run())?;
        let shared = Shared { root: self.root, queue, status, dropped: AtomicU64::new(0), thread: Some(thread) };
        Ok(LogSink { shared: Arc::new(shared) })
    }
}

/// Receives the records of attempts and writes them to their files on a thread of its own. Cheap to
/// clone.
///
/// A task never waits: each attempt has a queue, and if that is full, its oldest record is dropped
/// and the log of the attempt reports how many. Accepted records are passed to the operating system
/// within about 200 ms, and soon after the attempt has ended.
///
/// Dropping the last handle writes the remaining records and ends the thread. The layer holds a
/// handle, and a global default subscriber is never dropped, so a program should call
/// [`flush`](LogSink::flush) before it exits.
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

/// The status of a [`LogSink`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogStatus {
    /// Records in the files.
    pub written: u64,
    /// Records that were dropped because the queue of their attempt was full.
    pub dropped: u64,
    /// Records omitted because the log of their attempt had reached its limit.
    pub over_limit: u64,
    /// Records that could not be written.
    pub failed: u64,
    /// The first error.
    pub first_error: Option<LogError>,
}

/// Why a log file could not be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log {} cannot be written: {message}", path.display())]
#[non_exhaustive]
pub struct LogError {
    /// The file.
    pub path: PathBuf,
    /// The message of the operating system.
    pub message: String,
}

impl LogSink {
    /// Logs below a directory, with the default limits; [`LogOptions`] sets others.
    ///
    /// # Errors
    ///
    /// Like [`LogOptions::open`].
    pub fn open(root: impl Into<PathBuf>) -> io::Result<Self> {
        LogOptions::new(root).open()
    }

    /// The root directory of the logs, for [`LogFiles`](super::LogFiles).
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    /// Waits until everything emitted before is in the files or could not be written.
    ///
    /// Blocks the thread for the duration of a few writes; in async code, call it through
    /// `spawn_blocking`. Files are not synced to disk: flushed records survive the death of the
    /// process, but not of the machine.
    pub fn flush(&self) {
        self.shared.queue.flush();
    }

    /// How many records have been written and how many have not.
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
    fn send(&self, attempt: &Arc<Attempt>, record: impl FnOnce() -> LogRecord) {
        attempt.used.store(true, Ordering::Relaxed);
        let received = self.shared.queue.offer(attempt, record());
        if received.dropped > 0 {
            self.shared.dropped.fetch_add(received.dropped, Ordering::Relaxed);
            DROPPED.fetch_add(received.dropped, Ordering::Relaxed);
        }
        if received.pressed {
            notice(&self.shared.queue, attempt);
        }
    }

    /// Ends an attempt, which emits no more records.
    fn end(&self, attempt: Arc<Attempt>) {
        if attempt.used.load(Ordering::Relaxed) {
            self.shared.queue.end(attempt);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // The thread catches panics; the hook has reported any that escaped.
            let _ = thread.join();
        }
    }
}
