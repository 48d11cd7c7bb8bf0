//! Where logs are: directories today, and whatever else a blob store can be.

use std::fmt;
use std::io;
#[cfg(any(feature = "cli", feature = "server"))]
use std::sync::Arc;

#[cfg(any(feature = "cli", feature = "server"))]
use super::follow::Follow;
use super::read::{AttemptLog, Lines};
use super::segments::has_header;

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

/// The whole log of an attempt.
pub(crate) fn read_log(store: &dyn LogStore, log: &LogName) -> io::Result<AttemptLog> {
    let (mut read, mut lines) = (AttemptLog::default(), Lines::new());
    let mut is_first_of_tail = true;
    for segment in std::iter::once(0).chain(store.tail(log)?) {
        // It may have been deleted since.
        let Some(LogChunk { bytes, .. }) = store.read(log, segment, 0, u64::MAX)? else { continue };
        let mut text = &bytes[..];
        // The records before the first segment of the tail were cut; later headers repeat that.
        if has_header(segment) && !std::mem::replace(&mut is_first_of_tail, false) {
            text = after_line(text);
        }
        is_first_of_tail &= segment == 0;
        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        read.torn = whole < text.len();
        read.records.extend(text[..whole].split(|byte| *byte == b'\n').filter_map(|line| lines.record(line)));
    }
    Ok(read)
}

/// Follows a log as it grows.
#[cfg(any(feature = "cli", feature = "server"))]
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only the verbs about stored runs use it"))]
pub(crate) fn follow_log(store: &Arc<dyn LogStore>, log: LogName) -> Follow {
    Follow::new(Arc::clone(store), log)
}

fn after_line(text: &[u8]) -> &[u8] {
    text.iter().position(|byte| *byte == b'\n').map_or(&[], |end| &text[end + 1..])
}
