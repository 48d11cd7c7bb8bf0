//! Follows a log while it grows.

use std::fmt;
use std::io;
use std::num::ParseIntError;
use std::str::FromStr;
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
#[derive(Clone, Debug)]
pub struct Follow {
    store: Arc<dyn LogStore>,
    log: LogName,
    /// The segment that is read, and the offset in it: always the beginning of a line.
    segment: u32,
    offset: u64,
    /// Whether the header of the segment is to be skipped.
    skips: bool,
    /// Whether the offset may be within a line.
    is_unsure: bool,
    lines: Lines,
}

/// A place between two lines of a log.
///
/// Its text is the number of bytes before it; beyond the first segment, the number of the segment
/// and the number of bytes in it, as in `2.1024`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogPosition {
    pub(super) segment: u32,
    pub(super) offset: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.segment {
            0 => write!(f, "{}", self.offset),
            segment => write!(f, "{segment}.{}", self.offset),
        }
    }
}

impl FromStr for LogPosition {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        let (segment, offset) = text.split_once('.').unwrap_or(("0", text));
        Ok(LogPosition { segment: segment.parse()?, offset: offset.parse()? })
    }
}

/// What a poll found.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server sends places"))]
#[derive(Debug)]
pub(crate) enum Followed {
    /// A record, and the place after its line.
    Record(LogRecord, LogPosition),
    /// What follows does not continue what came before: records were cut to keep the log within
    /// its limit, or the file was replaced and is read from its beginning.
    Truncated,
}

impl Follow {
    pub(super) fn new(store: Arc<dyn LogStore>, log: LogName) -> Self {
        let (skips, is_unsure) = (false, false);
        Follow { store, log, segment: 0, offset: 0, skips, is_unsure, lines: Lines::new() }
    }

    /// Continues at a place. If that is within a line, continues after the line.
    #[cfg(feature = "server")]
    pub(crate) fn after(self, LogPosition { segment, offset }: LogPosition) -> Self {
        let (is_unsure, skips) = (offset > 0, offset == 0 && has_header(segment));
        Follow { segment, offset, is_unsure, skips, ..self }
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
        let record = |followed| match followed {
            Followed::Record(record, _) => Some(record),
            Followed::Truncated => None,
        };
        Ok(self.poll_places()?.into_iter().filter_map(record).collect())
    }

    /// As [`Follow::poll`], with the places of the records.
    pub(crate) fn poll_places(&mut self) -> io::Result<Vec<Followed>> {
        let mut records = Vec::new();
        loop {
            // Listed first: what the segment contains after that is all of it, if there is a later
            // one.
            let next = self.next()?;
            let exists = self.read(&mut records)?;
            let Some(next) = next else {
                if !exists {
                    // Its run was deleted.
                    (self.segment, self.offset, self.is_unsure) = (0, 0, false);
                }
                return Ok(records);
            };
            let follows = next == self.segment + 1;
            if !follows {
                records.push(Followed::Truncated);
            }
            self.skips = has_header(next) && follows;
            (self.segment, self.offset, self.is_unsure) = (next, 0, false);
        }
    }

    /// The next segment, once there is one.
    fn next(&self) -> io::Result<Option<u32>> {
        Ok(self.store.tail(&self.log)?.into_iter().find(|segment| *segment > self.segment))
    }

    /// Reads what was appended to the segment; returns whether it exists.
    fn read(&mut self, records: &mut Vec<Followed>) -> io::Result<bool> {
        // The byte before the place tells whether the place is the beginning of a line.
        let before = u64::from(self.is_unsure);
        let read = self.store.read(&self.log, self.segment, self.offset - before, u64::MAX)?;
        let Some(LogChunk { from, bytes }) = read else {
            return Ok(false);
        };
        if from < self.offset - before {
            records.push(Followed::Truncated);
            self.is_unsure = false;
        }
        let mut rest = &bytes[..];
        self.offset = from;
        if self.is_unsure {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                self.offset = from + before;
                return Ok(true);
            };
            rest = &rest[end + 1..];
            self.offset += end as u64 + 1;
            self.is_unsure = false;
        }
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = &rest[..end];
            rest = &rest[end + 1..];
            self.offset += end as u64 + 1;
            if !line.is_empty() && !std::mem::take(&mut self.skips) {
                let place = LogPosition { segment: self.segment, offset: self.offset };
                records.extend(self.lines.record(line).map(|record| Followed::Record(record, place)));
            }
        }
        Ok(true)
    }
}
