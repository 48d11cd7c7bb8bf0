//! The attempt that log records belong to.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::base::safe_name;

/// Shared by the span of an attempt, its queued records and the writer.
#[derive(Debug)]
pub(super) struct Attempt {
    run: String,
    task: String,
    number: u32,
    /// Whether it has emitted a record. The writer never receives attempts that have not.
    pub(super) used: AtomicBool,
}

impl Attempt {
    pub(super) fn new(run: String, task: String, number: u32) -> Self {
        Attempt { run, task, number, used: AtomicBool::new(false) }
    }

    pub(super) fn task(&self) -> &str {
        &self.task
    }

    /// The file of its records.
    pub(super) fn file(&self, root: &Path) -> PathBuf {
        file(root, &self.run, &self.task, self.number)
    }
}

/// The directory of a run.
pub(super) fn run_directory(root: &Path, run: &str) -> PathBuf {
    root.join(safe_name(run))
}

/// The directory of a task in a run.
pub(super) fn task_directory(root: &Path, run: &str, task: &str) -> PathBuf {
    run_directory(root, run).join(safe_name(task))
}

/// The file of an attempt.
pub(super) fn file(root: &Path, run: &str, task: &str, attempt: u32) -> PathBuf {
    task_directory(root, run, task).join(format!("{attempt}.jsonl"))
}

/// The file that holds the task id, in the directory of a task whose name does not encode it.
pub(super) const ID_FILE: &str = "id.txt";

/// The id that the name of a directory encodes, unless the name was shortened.
pub(super) fn id_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(high)? * 16 + digit(low)?);
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|id| safe_name(id) == name)
}

#[cfg(test)]
mod tests {
    use super::{id_of, safe_name};

    #[test]
    fn task_ids_are_decoded_from_directory_names() {
        for id in ["load", "group.load", "a/b", "é", "100%", "load[3]", "%2e", ".x"] {
            assert_eq!(id_of(&safe_name(id)).as_deref(), Some(id));
        }
        assert_eq!(id_of(&safe_name(&"x".repeat(500))), None);
        assert_eq!(id_of("%"), None);
        assert_eq!(id_of("%zz"), None);
    }
}
