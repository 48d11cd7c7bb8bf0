//! The writer's view of the log of one attempt: buffered lines, and the counts of missing records.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempt::{Attempt, ID_FILE, id_of};
use super::record::LogRecord;
use super::segments;
use crate::base::{Timestamp, private};

/// The file of an attempt.
pub(super) struct Page {
    attempt: Arc<Attempt>,
    path: PathBuf,
    file: Option<File>,
    /// Lines to write, how many of them are records of the task, and how many records the page
    /// reports as missing.
    buffer: Vec<u8>,
    records: u64,
    limit: u64,
    /// Whether the fields below are those of the files.
    has_begun: bool,
    /// The present segment, and the bytes in it.
    segment: u32,
    written: u64,
    /// The records in this segment, in the one before it, and in all between the first and this
    /// one.
    in_segment: u64,
    in_previous: u64,
    before: u64,
    /// Records lost in failed writes; the next successful write reports them.
    lost: u64,
    /// Whether the page is in the writer's list of dirty pages.
    pub(super) dirty: bool,
}

impl Page {
    pub(super) fn new(attempt: Arc<Attempt>, path: PathBuf, limit: u64) -> Self {
        Page {
            attempt,
            path,
            file: None,
            buffer: Vec::new(),
            records: 0,
            limit,
            has_begun: false,
            segment: 0,
            written: 0,
            in_segment: 0,
            in_previous: 0,
            before: 0,
            lost: 0,
            dirty: false,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn buffered(&self) -> usize {
        self.buffer.len()
    }

    /// How many of the buffered lines a task emitted.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    pub(super) fn is_open(&self) -> bool {
        self.file.is_some()
    }

    /// Closes the file; the next write opens it again.
    pub(super) fn shut(&mut self) {
        self.file = None;
    }

    /// Buffers a record. If the segment is full, returns the line instead, for
    /// [`turn`](Page::turn).
    pub(super) fn add(&mut self, record: &LogRecord) -> Option<Vec<u8>> {
        self.begin();
        let start = self.buffer.len();
        record.encode(&mut self.buffer);
        let limit = if self.segment == 0 { self.limit / 2 } else { self.limit / 4 };
        let size = self.written + self.buffer.len() as u64;
        if size > limit && (start > 0 || self.written > 0) {
            return Some(self.buffer.split_off(start));
        }
        self.count();
        None
    }

    /// Begins the next segment with a line that does not fit into this one, whose lines are
    /// written. `at` is the time of its record.
    /// Returns how many records were deleted to keep the log within its limit.
    pub(super) fn turn(&mut self, line: Vec<u8>, at: Timestamp) -> u64 {
        self.file = None;
        let mut deleted = 0;
        if self.segment > 0 {
            self.before += self.in_segment;
            deleted = std::mem::replace(&mut self.in_previous, self.in_segment);
        }
        self.segment += 1;
        (self.in_segment, self.written) = (0, 0);
        if self.segment > 2 {
            // If it cannot be deleted, the log is larger than its limit.
            let _ = fs::remove_file(segments::path(&self.path, self.segment - 2));
        }
        if segments::has_header(self.segment) {
            let (cut, limit) = (self.before, size(self.limit));
            let message =
                format!("{cut} {} cut: a log keeps its beginning and its end, {limit} in all", records_were(cut));
            self.add_own(message, cut, at);
        }
        self.buffer.extend(line);
        self.count();
        deleted
    }

    fn count(&mut self) {
        self.records += 1;
        self.in_segment += 1;
    }

    /// Finds the end of a log that exists: an attempt that waits appends to its log.
    fn begin(&mut self) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        (self.segment, self.before, self.in_segment, self.in_previous) = (0, 0, 0, 0);
        // If a file cannot be read, the write reports it.
        let length = |segment| fs::metadata(segments::path(&self.path, segment)).map_or(0, |file| file.len());
        self.written = length(0);
        if self.written == 0 {
            return;
        }
        let Some(&last) = segments::tail(&self.path).unwrap_or_default().last() else { return };
        self.written = length(last);
        self.segment = last;
        (self.before, self.in_segment) = segments::counts(&self.path, last).unwrap_or_default();
        if last > 1 {
            self.in_previous = segments::counts(&self.path, last - 1).map_or(0, |(_, count)| count);
        }
    }

    /// Buffers a line with the number of records dropped because the queue was full.
    /// `at` is the time of the record that follows: readers order records by time.
    pub(super) fn add_dropped(&mut self, dropped: u64, at: Timestamp) {
        if dropped > 0 {
            self.begin();
            let why = "the task emitted them faster than they could be written";
            self.add_own(format!("{dropped} {} dropped: {why}", records_were(dropped)), dropped, at);
        }
    }

    fn add_own(&mut self, message: String, dropped: u64, at: Timestamp) {
        LogRecord { at, ..LogRecord::own(message, dropped) }.encode(&mut self.buffer);
    }

    /// Writes and clears the buffer; it is cleared even after an error.
    pub(super) fn write(&mut self) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let records = std::mem::take(&mut self.records);
        if self.lost > 0 {
            let (lost, were) = (self.lost, records_were(self.lost));
            let mut note = Vec::new();
            LogRecord::own(format!("{lost} {were} lost before this: the file could not be written"), lost)
                .encode(&mut note);
            buffer.splice(0..0, note);
        }
        let result = self.append(&buffer);
        match &result {
            Ok(()) => {
                self.lost = 0;
                self.written += buffer.len() as u64;
            }
            Err(_) => {
                self.lost += records;
                // Opening it again checks its last byte and its size.
                self.file = None;
                self.has_begun = false;
            }
        }
        result
    }

    fn append(&mut self, buffer: &[u8]) -> io::Result<()> {
        crate::base::failpoint::hit("log.write")?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open(&segments::path(&self.path, self.segment), self.attempt.task())?,
        };
        file.write_all(buffer)?;
        self.file = Some(file);
        Ok(())
    }
}

/// Opens a file for appending, at the beginning of a line.
fn open(path: &Path, task: &str) -> io::Result<File> {
    // Those of the run and of the task.
    path.parent().map_or(Ok(()), |directory| private::refuse_links(directory, 2))?;
    let mut options = private::options();
    options.read(true).append(true).create(true);
    let mut file = match private::open(&options, path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                make_directory(directory, task)?;
            }
            private::open(&options, path)?
        }
        opened => opened?,
    };
    if file.seek(SeekFrom::End(0))? > 0 {
        // The previous process may have died within a line.
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(file)
}

/// Creates the directory of a task, with an id file if its name does not encode the id.
fn make_directory(directory: &Path, task: &str) -> io::Result<()> {
    private::create_dir_all(directory)?;
    let name = directory.file_name().and_then(|name| name.to_str());
    if name.and_then(id_of).as_deref() != Some(task) {
        let mut options = private::options();
        options.write(true).create(true).truncate(true);
        private::open(&options, &directory.join(ID_FILE))?.write_all(task.as_bytes())?;
    }
    Ok(())
}

fn records_were(count: u64) -> &'static str {
    if count == 1 { "record was" } else { "records were" }
}

fn size(bytes: u64) -> String {
    const MIB: u64 = 1024 * 1024;
    if bytes >= MIB && bytes.is_multiple_of(MIB) { format!("{} MiB", bytes / MIB) } else { format!("{bytes} bytes") }
}
