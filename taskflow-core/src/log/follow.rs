//! Reading a log while it grows.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use super::read::{Lines, found};
use super::record::LogRecord;

/// Gives what was appended to the log of an attempt since it was asked last. Made by
/// [`LogFiles::follow`](super::LogFiles::follow).
///
/// The file is open only while it is read, so thousands of logs can be followed.
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
    /// Up to where it was read: always the beginning of a line.
    offset: u64,
    lines: Lines,
}

impl Follow {
    pub(super) fn new(path: PathBuf) -> Self {
        Follow { path, offset: 0, lines: Lines::new() }
    }

    /// The records that were appended since the last call; none if there is no file (yet).
    ///
    /// A line that is being written is given when it is whole. A file that became shorter is another one, and read from
    /// its beginning.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read. The next call begins where this one did.
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
