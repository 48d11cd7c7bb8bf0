//! Where logs are: directories today, and whatever else a blob store can be.

use std::fmt;
use std::io;
#[cfg(any(feature = "cli", feature = "server"))]
use std::sync::Arc;

#[cfg(any(feature = "cli", feature = "server"))]
use super::follow::Follow;

/// The log of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogName {
    pub(crate) run: String,
    pub(crate) task: String,
    pub(crate) attempt: u32,
}

/// A part of a segment of a log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct LogChunk {
    /// Where it begins. Smaller than requested if the segment is shorter: it was replaced.
    pub(crate) from: u64,
    /// What follows. The last line may be incomplete.
    pub(crate) bytes: Vec<u8>,
}

/// A place of logs. What is missing counts as empty; others may write while it is read.
///
/// The methods block.
pub(crate) trait LogStore: Send + Sync + fmt::Debug {
    /// The sorted ids of the tasks of a run that have a log.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn tasks(&self, run: &str) -> io::Result<Vec<String>>;

    /// The sorted attempts of a task that have a log.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn attempts(&self, run: &str, task: &str) -> io::Result<Vec<u32>>;

    /// The numbers of the segments of a log in order, without the first one, which is number 0.
    ///
    /// # Errors
    ///
    /// If they cannot be listed.
    fn tail(&self, log: &LogName) -> io::Result<Vec<u32>>;

    /// At most so many bytes of a segment from an offset on; `None` if there is no such segment.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    fn read(&self, log: &LogName, segment: u32, from: u64, most: u64) -> io::Result<Option<LogChunk>>;

    /// Deletes the logs of a run.
    ///
    /// # Errors
    ///
    /// If they cannot be deleted.
    fn remove_run(&self, run: &str) -> io::Result<()>;
}

/// Follows a log as it grows.
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only the verbs about stored runs use it"))]
pub(crate) fn follow_log(store: &Arc<dyn LogStore>, log: LogName) -> Follow {
    Follow::new(Arc::clone(store), log)
}
