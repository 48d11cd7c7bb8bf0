//! Whether the file of a store is still the one that was opened.
//!
//! A process that has a file open can go on using it after somebody has removed it or put another
//! file in its place. SQLite then succeeds, and everything it writes is lost with the process. So
//! the identity of the file is compared at each commit that ends a run.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::store::error::StoreError;

/// The file of a store.
#[derive(Debug)]
pub(super) struct Presence {
    /// As it was named: for messages.
    path: PathBuf,
    pub(super) file: PathBuf,
    /// The device and the inode of the file, once it was opened for writing.
    identity: OnceLock<Option<(u64, u64)>>,
}

impl Presence {
    pub(super) fn new(path: &Path, file: &Path) -> Self {
        Presence { path: path.to_owned(), file: file.to_owned(), identity: OnceLock::new() }
    }

    /// Remembers the file, at the first call. The connection that writes is open.
    pub(super) fn remember(&self) {
        self.identity.get_or_init(|| identity(&self.file));
    }

    /// Checks that the file and its write-ahead log are in their place.
    ///
    /// # Errors
    ///
    /// When they are not.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let Some(Some(opened)) = self.identity.get() else { return Ok(()) };
        let missing = |what: &str| {
            let reason = format!(
                "{what} was removed or replaced while it was in use, and what was stored since then is lost; put it back, \
                 or start the run again"
            );
            Err(StoreError::Write { place: self.path.display().to_string(), reason })
        };
        match identity(&self.file) {
            Some(present) if present == *opened => {}
            _ => return missing("it"),
        }
        // It is there as long as a connection that has written is open.
        if with_suffix(&self.file, "-wal").exists() { Ok(()) } else { missing("its write-ahead log") }
    }
}

/// Whether there are values of runs beside a store that is not there or is empty.
pub(super) fn has_values(file: &Path) -> bool {
    std::fs::read_dir(file.with_file_name("values")).is_ok_and(|mut runs| runs.next().is_some())
}

/// The file of a database with this ending.
pub(super) fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The device and the inode of the file that a path names.
pub(super) fn identity(file: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(file).ok().map(|file| identity_of(&file))
}

/// The device and the inode of a file.
#[cfg(unix)]
pub(super) fn identity_of(file: &Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt as _;

    (file.dev(), file.ino())
}

/// Without inodes, all that is known is whether a file exists.
#[cfg(not(unix))]
pub(super) fn identity_of(_: &Metadata) -> (u64, u64) {
    (0, 0)
}
