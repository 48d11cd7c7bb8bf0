//! Follows a log while it grows.

use std::io;
use std::sync::Arc;

use super::read::Lines;
use super::record::LogRecord;
use super::segments::has_header;
use super::store::{LogChunk, LogName, LogStore};

/// Returns what was appended to the log of an attempt since the last poll. Created by
/// [`LogFiles::follow`](super::LogFiles::follow).
///
/// The file is open only during a poll, so thousands of logs can be followed.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut follow = taskflow::log::LogFiles::new("logs").follow("manual__1", "load", 1);
/// // Every now and then:
/// for record in follow.poll()? {
///     println!("{}", record.message);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Follow {
    store: Arc<dyn LogStore>,
    log: LogName,
    /// The segment that is read, and the offset in it: always the beginning of a line.
    segment: u32,
    offset: u64,
    /// Whether the header of the segment is to be skipped.
    skips: bool,
    lines: Lines,
}

impl Follow {
    pub(super) fn new(store: Arc<dyn LogStore>, log: LogName) -> Self {
        Follow { store, log, segment: 0, offset: 0, skips: false, lines: Lines::new() }
    }

    /// Returns the records appended since the last call; none if the file does not exist (yet).
    ///
    /// An incomplete line is returned once it is complete. A file that became shorter has been
    /// replaced and is read from its beginning. If records were cut before they were read, a record
    /// says how many.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read. The next call starts at the same offset.
    pub fn poll(&mut self) -> io::Result<Vec<LogRecord>> {
        let mut records = Vec::new();
        loop {
            // Listed first: what the segment contains after that is all of it, if there is a later
            // one.
            let next = self.next()?;
            let exists = self.read(&mut records)?;
            let Some(next) = next else {
                if !exists {
                    // Its run was deleted.
                    (self.segment, self.offset) = (0, 0);
                }
                return Ok(records);
            };
            self.skips = has_header(next) && next == self.segment + 1;
            (self.segment, self.offset) = (next, 0);
        }
    }

    /// The next segment, once there is one.
    fn next(&self) -> io::Result<Option<u32>> {
        Ok(self.store.tail(&self.log)?.into_iter().find(|segment| *segment > self.segment))
    }

    /// Reads what was appended to the segment; returns whether it exists.
    fn read(&mut self, records: &mut Vec<LogRecord>) -> io::Result<bool> {
        let Some(LogChunk { from, bytes }) = self.store.read(&self.log, self.segment, self.offset)? else {
            return Ok(false);
        };
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        self.offset = from + whole as u64;
        let lines = bytes[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        for line in lines {
            if !std::mem::take(&mut self.skips) {
                records.extend(self.lines.record(line));
            }
        }
        Ok(true)
    }
}
