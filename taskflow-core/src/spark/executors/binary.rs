//! The program that is shipped to the executors.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::place::Executors;
use crate::base::Failure;
use crate::process::is_open;

/// The name of the worker program on the executors.
pub(super) const NAME: &str = "taskflow-worker";

/// Copies the program to a directory, under its name on the executors.
///
/// It copies the running program, not the file that it was started from: that may have been
/// rebuilt.
///
/// # Errors
///
/// If the program does not support workers, or cannot be read.
pub(super) fn place(of: &Executors, directory: &Path) -> Result<PathBuf, Failure> {
    let from = match &of.binary {
        Some(binary) => binary.clone(),
        None if !is_open() => {
            let what = "tasks on executors need `main` of this program to call `taskflow::process::child_main()`, because the \
                        program is started again there";
            let help = "call it first in `main` (`taskflow::main!` does), or run tests with `.in_process(true)` or \
                        TASKFLOW_SPARK=off";
            return Err(Failure::Error { chain: vec![what.to_owned(), help.to_owned()], retryable: false });
        }
        None if cfg!(target_os = "linux") => PathBuf::from("/proc/self/exe"),
        None => std::env::current_exe().map_err(|error| unreadable(Path::new("this program"), &error))?,
    };
    let to = directory.join(NAME);
    fs::copy(&from, &to).map_err(|error| unreadable(&from, &error))?;
    Ok(to)
}

fn unreadable(path: &Path, error: &io::Error) -> Failure {
    let what = format!("the program for the executors, {}, cannot be copied", path.display());
    Failure::Error { chain: vec![what, error.to_string()], retryable: false }
}
