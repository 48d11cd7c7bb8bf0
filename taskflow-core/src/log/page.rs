//! The writer's view of the file of one attempt: buffered lines, and the counts of missing records.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempt::{Attempt, ID_FILE, id_of};
use super::record::LogRecord;
use crate::base::private;

/// The file of an attempt.
pub(super) struct Page {
    attempt: Arc<Attempt>,
    path: PathBuf,
    file: Option<File>,
    /// Lines to write, how many of them are records of the task, and how many records the page
    /// reports as missing.
    buffer: Vec<u8>,
    records: u64,
    /// Bytes in the file, once its size has been read.
    written: Option<u64>,
    limit: u64,
    /// Records omitted since the limit was reached; `None` before.
    over_limit: Option<u64>,
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
            written: None,
            limit,
            over_limit: None,
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

    /// Buffers a record; returns `false` if the log has reached its limit.
    pub(super) fn add(&mut self, record: &LogRecord) -> bool {
        if let Some(left_out) = &mut self.over_limit {
            *left_out += 1;
            return false;
        }
        // A resumed attempt appends to its file. If the file cannot be read, the write reports it.
        let written = *self.written.get_or_insert_with(|| fs::metadata(&self.path).map_or(0, |file| file.len()));
        let start = self.buffer.len();
        record.encode(&mut self.buffer);
        if written + self.buffer.len() as u64 <= self.limit {
            self.records += 1;
            return true;
        }
        self.buffer.truncate(start);
        self.over_limit = Some(1);
        let limit = size(self.limit);
        self.add_own(
            format!("this log has reached its limit of {limit}: further records are counted but not written"),
            0,
        );
        false
    }

    /// Buffers a line with the number of records dropped because the queue was full.
    pub(super) fn add_dropped(&mut self) {
        let dropped = self.attempt.take_dropped();
        if dropped == 0 {
            return;
        }
        if let Some(left_out) = &mut self.over_limit {
            *left_out += dropped;
            return;
        }
        let why = "the task emitted them faster than they could be written";
        self.add_own(format!("{dropped} {} dropped: {why}", records_were(dropped)), dropped);
    }

    /// Buffers the closing line of an attempt whose log is incomplete.
    pub(super) fn add_summary(&mut self) {
        self.add_dropped();
        if let Some(left_out) = self.over_limit {
            let (were, limit) = (records_were(left_out), size(self.limit));
            self.add_own(format!("{left_out} {were} not written: the log of an attempt may hold {limit}"), left_out);
        }
    }

    fn add_own(&mut self, message: String, dropped: u64) {
        LogRecord::own(message, dropped).encode(&mut self.buffer);
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
                *self.written.get_or_insert(0) += buffer.len() as u64;
            }
            Err(_) => {
                self.lost += records;
                // Opening it again checks its last byte and its size.
                self.file = None;
                self.written = None;
            }
        }
        result
    }

    fn append(&mut self, buffer: &[u8]) -> io::Result<()> {
        crate::base::failpoint::hit("log.write")?;
        let mut file = match self.file.take() {
            Some(file) => file,
            None => open(&self.path, self.attempt.task())?,
        };
        file.write_all(buffer)?;
        self.file = Some(file);
        Ok(())
    }
}

/// Opens a file for appending, at the beginning of a line.
fn open(path: &Path, task: &str) -> io::Result<File> {
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
