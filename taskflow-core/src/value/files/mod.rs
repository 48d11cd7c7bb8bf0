//! Stores large values in files named after their content.
//!
//! The path is `<root>/<run>/<first two digits>/<SHA-256 in hexadecimal>`. Writing such a file
//! twice is harmless, and damage is detected. Each run has its own directory, so that a run is
//! deleted as a directory.
//!
//! A file appears under its name only when it is complete: it is written under a temporary name in
//! the same directory, synced and renamed. A crash can leave a file that ends in `.tmp`;
//! [`ValueFiles::sweep`] removes those.

mod error;
mod file_ref;
mod read;
mod remove;
#[cfg(test)]
mod tests;
mod write;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) use self::error::ValueFileError;
pub(crate) use self::file_ref::FileRef;
use crate::base::{hex, safe_name};

/// The suffix of a file that is still being written.
const UNFINISHED: &str = "tmp";

/// The files of large values below a directory.
#[derive(Clone, Debug)]
pub(crate) struct ValueFiles {
    root: PathBuf,
    sync: bool,
}

impl ValueFiles {
    /// The files below `root`, which is created when first needed. With `sync`, a value is on disk
    /// when [`ValueFiles::put`] returns; without it, a value survives a crash of the process but
    /// not of the machine.
    pub(crate) fn new(root: PathBuf, sync: bool) -> Self {
        ValueFiles { root, sync }
    }

    fn run_directory(&self, run: &str) -> PathBuf {
        self.root.join(safe_name(run))
    }

    fn path(&self, run: &str, file: &FileRef) -> PathBuf {
        let name = hex(&file.sha256);
        // Directories with a hundred thousand files are slow to list.
        let shard = hex(&file.sha256[..1]);
        self.run_directory(run).join(shard).join(name)
    }
}

/// A temporary name in the same directory that no other writer uses, in this process or another.
fn unfinished(path: &Path) -> PathBuf {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let (process, serial) = (std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    path.with_extension(format!("{process}-{serial}.{UNFINISHED}"))
}
