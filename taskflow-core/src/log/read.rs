//! Reading the logs of attempts.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use super::attempt::{self, ID_FILE, id_of};
use super::follow::Follow;
use super::record::LogRecord;
use crate::base::Timestamp;

/// The logs below a directory: `<run>/<task>/<attempt>.jsonl`.
///
/// Reads while others write. What does not exist is empty, and no error.
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
    /// What it holds, in the order of the file. A line that cannot be read is a record that says so.
    pub records: Vec<LogRecord>,
    /// Whether the last line is half a one, and left out: the process died while it wrote, or is writing it right now.
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
    /// What it emitted.
    pub record: LogRecord,
}

impl LogFiles {
    /// The logs below that directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        LogFiles { root: root.into() }
    }

    /// The ids of the tasks of a run that have a log, sorted.
    ///
    /// # Errors
    ///
    /// When a directory is there and cannot be read.
    pub fn tasks(&self, run: &str) -> io::Result<Vec<String>> {
        let mut tasks: Vec<String> =
            task_directories(&attempt::run_directory(&self.root, run))?.into_iter().map(|(task, _)| task).collect();
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// The attempts of a task that have a log, sorted.
    ///
    /// # Errors
    ///
    /// When the directory is there and cannot be read.
    pub fn attempts(&self, run: &str, task: &str) -> io::Result<Vec<u32>> {
        attempts_in(&attempt::task_directory(&self.root, run, task))
    }

    /// The file of an attempt, whether it is there or not.
    pub fn path(&self, run: &str, task: &str, attempt: u32) -> PathBuf {
        attempt::file(&self.root, run, task, attempt)
    }

    /// The log of an attempt; an empty one if there is none.
    ///
    /// # Errors
    ///
    /// When the file is there and cannot be read.
    pub fn read(&self, run: &str, task: &str, attempt: u32) -> io::Result<AttemptLog> {
        read_file(&self.path(run, task, attempt))
    }

    /// Reads the log of an attempt bit by bit, as it grows. The file need not be there yet.
    pub fn follow(&self, run: &str, task: &str, attempt: u32) -> Follow {
        Follow::new(self.path(run, task, attempt))
    }

    /// The logs of all attempts of a run as one, in the order of time. It holds all of them in memory.
    ///
    /// # Errors
    ///
    /// When a directory or a file is there and cannot be read.
    pub fn read_run(&self, run: &str) -> io::Result<Vec<RunLogRecord>> {
        let mut merged = Vec::new();
        for (task, directory) in task_directories(&attempt::run_directory(&self.root, run))? {
            for attempt in attempts_in(&directory)? {
                let log = read_file(&directory.join(format!("{attempt}.jsonl")))?;
                let of_run = |record| RunLogRecord { task: task.clone(), attempt, record };
                merged.extend(log.records.into_iter().map(of_run));
            }
        }
        // Stable: records of one attempt at one time stay in their order.
        merged.sort_by_key(|of_run| of_run.record.at);
        Ok(merged)
    }

    /// Deletes the logs of a run.
    ///
    /// # Errors
    ///
    /// When they are there and cannot be deleted.
    pub fn remove_run(&self, run: &str) -> io::Result<()> {
        match fs::remove_dir_all(attempt::run_directory(&self.root, run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Turns lines into records; a line that cannot be read becomes one that says so.
#[derive(Debug)]
pub(super) struct Lines {
    /// The time of the record before, which one that cannot be read takes.
    last: Timestamp,
}

impl Lines {
    pub(super) fn new() -> Self {
        Lines { last: Timestamp::EPOCH }
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

fn read_file(path: &Path) -> io::Result<AttemptLog> {
    let mut log = AttemptLog::default();
    let Some(file) = found(File::open(path))? else { return Ok(log) };
    let mut file = BufReader::new(file);
    let mut lines = Lines::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        file.read_until(b'\n', &mut line)?;
        match line.split_last() {
            None => return Ok(log),
            Some((b'\n', line)) => log.records.extend(lines.record(line)),
            Some(_) => log.torn = true,
        }
    }
}

/// The directories of the tasks of a run, with the ids of the tasks.
fn task_directories(run: &Path) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found_tasks = Vec::new();
    for name in names(run)? {
        let directory = run.join(&name);
        let id = match id_of(&name) {
            Some(id) => id,
            // The file is written right after the directory is made; a process can die in between.
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

/// The names in a directory, without those that are no text, which are not ours.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let Some(entries) = found(fs::read_dir(directory))? else { return Ok(Vec::new()) };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

/// `None` for what does not exist.
pub(super) fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
