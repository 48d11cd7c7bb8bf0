//! Reads the logs of attempts.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::attempt::{self, ID_FILE, id_of};
use super::follow::Follow;
use super::record::LogRecord;
use super::records::read_log;
use super::segments;
use super::store::{LogChunk, LogName, LogStore};
use crate::base::Timestamp;

/// The logs below a directory: `<run>/<task>/<attempt>.jsonl`.
///
/// Can read while others write. Missing files and directories count as empty.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let files = taskflow::log::LogFiles::new("/var/lib/taskflow/logs");
/// for attempt in files.attempts("manual__1", "load")? {
///     for record in files.read("manual__1", "load", attempt)?.records {
///         println!("{} {} {}", record.at, record.level, record.message);
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct LogFiles {
    root: PathBuf,
}

/// The log of an attempt.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct AttemptLog {
    /// Its records, in the order of the file. An unreadable line is replaced by a record that
    /// describes it.
    pub records: Vec<LogRecord>,
    /// Whether an incomplete last line was skipped: the process died while writing it, or is
    /// writing it now.
    pub torn: bool,
}

/// A record in the log of a whole run.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RunLogRecord {
    /// The id of the task.
    pub task: String,
    /// The attempt.
    pub attempt: u32,
    /// What the task emitted.
    pub record: LogRecord,
}

impl LogFiles {
    /// The logs below that directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LogFiles { root: root.into() }
    }

    /// Returns the sorted ids of the tasks of a run that have a log.
    ///
    /// # Errors
    ///
    /// If a directory exists and cannot be read.
    pub fn tasks(&self, run: &str) -> io::Result<Vec<String>> {
        LogStore::tasks(self, run)
    }

    /// Returns the sorted attempts of a task that have a log.
    ///
    /// # Errors
    ///
    /// If the directory exists and cannot be read.
    pub fn attempts(&self, run: &str, task: &str) -> io::Result<Vec<u32>> {
        LogStore::attempts(self, run, task)
    }

    /// The path of the file of an attempt, whether it exists or not. A log that has reached its
    /// limit ends in other files, `<attempt>.tail-<n>.jsonl` beside it.
    pub fn path(&self, run: &str, task: &str, attempt: u32) -> PathBuf {
        attempt::file(&self.root, run, task, attempt)
    }

    /// Returns the log of an attempt; empty if there is none.
    ///
    /// # Errors
    ///
    /// If the file exists and cannot be read.
    pub fn read(&self, run: &str, task: &str, attempt: u32) -> io::Result<AttemptLog> {
        read_log(self, &LogName { run: run.to_owned(), task: task.to_owned(), attempt })
    }

    /// Follows the log of an attempt as it grows. The file need not exist yet.
    pub fn follow(&self, run: &str, task: &str, attempt: u32) -> Follow {
        Follow::new(Arc::new(self.clone()), LogName { run: run.to_owned(), task: task.to_owned(), attempt })
    }

    /// Returns the logs of all attempts of a run, merged by time. They are held in memory.
    ///
    /// # Errors
    ///
    /// If a directory or file exists and cannot be read.
    pub fn read_run(&self, run: &str) -> io::Result<Vec<RunLogRecord>> {
        let mut merged = Vec::new();
        for task in self.tasks(run)? {
            for attempt in self.attempts(run, &task)? {
                let log = self.read(run, &task, attempt)?;
                let of_run = |record| RunLogRecord { task: task.clone(), attempt, record };
                merged.extend(log.records.into_iter().map(of_run));
            }
        }
        // The sort is stable: records of one attempt with the same time keep their order.
        merged.sort_by_key(|of_run| of_run.record.at);
        Ok(merged)
    }

    /// Deletes the logs of a run.
    ///
    /// # Errors
    ///
    /// If they exist and cannot be deleted.
    pub fn remove_run(&self, run: &str) -> io::Result<()> {
        LogStore::remove_run(self, run)
    }
}

impl LogStore for LogFiles {
    fn tasks(&self, run: &str) -> io::Result<Vec<String>> {
        let tasks = task_directories(&attempt::run_directory(&self.root, run))?;
        let mut tasks: Vec<String> = tasks.into_iter().map(|(task, _)| task).collect();
        tasks.sort_unstable();
        Ok(tasks)
    }

    fn attempts(&self, run: &str, task: &str) -> io::Result<Vec<u32>> {
        attempts_in(&attempt::task_directory(&self.root, run, task))
    }

    fn tail(&self, log: &LogName) -> io::Result<Vec<u32>> {
        segments::tail(&self.path(&log.run, &log.task, log.attempt))
    }

    fn read(&self, log: &LogName, segment: u32, from: u64, most: u64) -> io::Result<Option<LogChunk>> {
        let path = segments::path(&self.path(&log.run, &log.task, log.attempt), segment);
        let Some(mut file) = found(File::open(path))? else { return Ok(None) };
        let from = if file.metadata()?.len() < from { 0 } else { from };
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.take(most).read_to_end(&mut bytes)?;
        Ok(Some(LogChunk { from, bytes }))
    }

    fn remove_run(&self, run: &str) -> io::Result<()> {
        match fs::remove_dir_all(attempt::run_directory(&self.root, run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Parses lines into records; an unreadable line becomes a record that describes it.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    /// The time of the previous record, used for an unreadable line.
    pub(super) last: Timestamp,
}

impl Lines {
    pub(super) fn new() -> Self {
        Lines { last: Timestamp::EPOCH }
    }

    /// Lines after this time, if they are known to be.
    #[cfg(feature = "server")]
    pub(super) fn after(time: Option<Timestamp>) -> Self {
        Lines { last: time.unwrap_or(Timestamp::EPOCH) }
    }

    /// The record of a line without its line feed; `None` for an empty line.
    pub(super) fn record(&mut self, line: &[u8]) -> Option<LogRecord> {
        if line.trim_ascii().is_empty() {
            return None;
        }
        let record: LogRecord =
            serde_json::from_slice(line).unwrap_or_else(|error| LogRecord::corrupt(line, &error, self.last));
        self.last = record.at;
        Some(record)
    }
}

/// The directories of the tasks of a run, with the task ids.
fn task_directories(run: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found_tasks = Vec::new();
    for name in names(run)? {
        let directory = run.join(&name);
        let id = match id_of(&name) {
            Some(id) => id,
            // The id file is written right after the directory is created; a process can die in
            // between.
            None => fs::read_to_string(directory.join(ID_FILE)).unwrap_or(name),
        };
        found_tasks.push((id, directory));
    }
    Ok(found_tasks)
}

fn attempts_in(directory: &Path) -> io::Result<Vec<u32>> {
    let names = names(directory)?;
    let mut attempts: Vec<u32> = names.iter().filter_map(|name| name.strip_suffix(".jsonl")?.parse().ok()).collect();
    attempts.sort_unstable();
    Ok(attempts)
}

/// The names in a directory. Names that are not UTF-8 are not taskflow's and are skipped.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

/// Maps "not found" to `None`.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
