//! Follows a log while it grows.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::read::{Lines, found};
use super::record::LogRecord;

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
    path: PathBuf,
    /// The offset read so far: always the beginning of a line.
    offset: u64,
    lines: Lines,
}

impl Follow {
    pub(super) fn new(path: PathBuf) -> Self {
        Follow { path, offset: 0, lines: Lines::new() }
    }

    /// Returns the records appended since the last call; none if the file does not exist (yet).
    ///
    /// An incomplete line is returned once it is complete. A file that became shorter has been
    /// replaced and is read from its beginning.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read. The next call starts at the same offset.
    pub fn poll(&mut self) -> io::Result<Vec<LogRecord>> {
        let Some(mut file) = found(File::open(&self.path))? else {
            self.offset = 0;
            return Ok(Vec::new());
        };
        if file.metadata()?.len() < self.offset {
            self.offset = 0;
        }
        file.seek(SeekFrom::Start(self.offset))?;
        let mut appended = Vec::new();
        file.read_to_end(&mut appended)?;
        let whole = appended.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        appended.truncate(whole);
        self.offset += whole as u64;
        let lines = &mut self.lines;
        Ok(appended.split(|byte| *byte == b'\n').filter_map(|line| lines.record(line)).collect())
    }
}
