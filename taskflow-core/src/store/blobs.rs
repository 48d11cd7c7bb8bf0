//! The large parts of runs, outside the store: values, logs, artifacts.
//!
//! A store holds small rows. Larger values are in a [`BlobStore`]:
//!
//! - *Values* above the inline limit are blobs, named after their content: [`FileRef`] is the
//!   SHA-256 and the length. Putting a value twice is harmless, and a damaged blob cannot pass for
//!   a whole one.
//! - *Logs* are read, followed and listed through a [`LogStore`]. The writer of the logs, on the
//!   host that runs the task, appends to files.
//! - *Artifacts* are written by tasks and libraries that need a path. The blob store names their
//!   places.
//!
//! The methods block. Async code calls them on a thread for blocking work; a kind that waits for
//! the network waits on the [runtime of the store](super::StoreRuntime).

use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use super::SyncMode;
use crate::base::safe_name;
use crate::log::{LogFiles, LogStore};
use crate::value::{FileRef, ValueFileError, ValueFiles};

/// A place for the large parts of runs.
pub(crate) trait BlobStore: Send + Sync + fmt::Debug {
    /// Stores a value of a run.
    ///
    /// # Errors
    ///
    /// When it cannot be written. Nothing incomplete is ever returned for it.
    fn put(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef>;

    /// As [`put`](BlobStore::put), for a value that several owners share, and that counts as used
    /// now.
    fn put_shared(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef>;

    /// Removes a shared value that was last put before `used_before`. Returns whether it is gone,
    /// which it may have been before.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    fn remove_unused(&self, run: &str, blob: &FileRef, used_before: SystemTime) -> io::Result<bool>;

    /// A value of a run, verified by its hash.
    ///
    /// # Errors
    ///
    /// When it is missing, truncated, corrupt or cannot be read.
    fn get(&self, run: &str, blob: &FileRef) -> Result<Vec<u8>, ValueFileError>;

    /// A range of a value, cut at its end. Not verified by its hash, which would need all of it.
    ///
    /// # Errors
    ///
    /// When it is missing, truncated or cannot be read.
    fn range(&self, run: &str, blob: &FileRef, range: Range<u64>) -> Result<Vec<u8>, ValueFileError>;

    /// The values of a run, in no particular order.
    ///
    /// # Errors
    ///
    /// When they cannot be listed.
    #[cfg_attr(not(test), allow(dead_code, reason = "moving blobs from one kind of blob store to another needs it"))]
    fn list(&self, run: &str) -> io::Result<Vec<FileRef>>;

    /// Deletes values, logs and artifacts of a run. Does nothing if there are none.
    ///
    /// # Errors
    ///
    /// When something cannot be deleted; some of it may be gone then. Calling it again is safe.
    fn delete_run(&self, run: &str) -> io::Result<()>;

    /// Removes what writes left behind that a crash interrupted before `older_than`. Returns how
    /// much.
    ///
    /// # Errors
    ///
    /// When it cannot be listed or removed.
    fn sweep(&self, older_than: SystemTime) -> io::Result<usize>;

    /// The logs of all runs.
    fn logs(&self) -> Arc<dyn LogStore>;

    /// The directory for artifacts of a run, whether it exists or not.
    fn artifacts(&self, run: &str) -> PathBuf;
}

/// Blobs in a directory: `values`, `logs` and `artifacts` below it, with a directory for each run.
#[derive(Debug)]
pub(crate) struct DirectoryBlobs {
    values: ValueFiles,
    logs: Arc<LogFiles>,
    artifacts: PathBuf,
}

impl DirectoryBlobs {
    /// Below `home`, whose directories are made when they are first needed.
    pub(crate) fn new(home: &Path, sync: SyncMode) -> Self {
        DirectoryBlobs {
            values: ValueFiles::new(home.join("values"), sync == SyncMode::Full),
            logs: Arc::new(LogFiles::new(home.join("logs"))),
            artifacts: home.join("artifacts"),
        }
    }
}

impl BlobStore for DirectoryBlobs {
    fn put(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef> {
        self.values.put(run, bytes)
    }

    fn put_shared(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef> {
        self.values.put_shared(run, bytes)
    }

    fn remove_unused(&self, run: &str, blob: &FileRef, used_before: SystemTime) -> io::Result<bool> {
        self.values.remove_unused(run, blob, used_before)
    }

    fn get(&self, run: &str, blob: &FileRef) -> Result<Vec<u8>, ValueFileError> {
        self.values.get(run, blob)
    }

    fn range(&self, run: &str, blob: &FileRef, range: Range<u64>) -> Result<Vec<u8>, ValueFileError> {
        self.values.range(run, blob, range)
    }

    fn list(&self, run: &str) -> io::Result<Vec<FileRef>> {
        self.values.list(run)
    }

    fn delete_run(&self, run: &str) -> io::Result<()> {
        match std::fs::remove_dir_all(self.artifacts(run)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.values.remove_run(run)?;
        self.logs.remove_run(run)
    }

    fn sweep(&self, older_than: SystemTime) -> io::Result<usize> {
        self.values.sweep(older_than)
    }

    fn logs(&self) -> Arc<dyn LogStore> {
        Arc::clone(&self.logs) as _
    }

    fn artifacts(&self, run: &str) -> PathBuf {
        self.artifacts.join(safe_name(run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, DirectoryBlobs) {
        let home = tempfile::tempdir().unwrap();
        let blobs = DirectoryBlobs::new(home.path(), SyncMode::Normal);
        (home, blobs)
    }

    #[test]
    fn a_value_is_read_whole_and_in_ranges() {
        let (_home, blobs) = blobs();
        let blob = blobs.put("run", b"0123456789").unwrap();
        assert_eq!(blobs.get("run", &blob).unwrap(), b"0123456789");
        for (range, expected) in [(0..3, &b"012"[..]), (4..6, b"45"), (8..99, b"89"), (10..11, b""), (3..3, b"")] {
            assert_eq!(blobs.range("run", &blob, range.clone()).unwrap(), expected, "{range:?}");
        }
        assert!(matches!(blobs.range("other", &blob, 0..1), Err(ValueFileError::Missing { .. })));
    }

    #[test]
    fn the_values_of_a_run_are_listed() {
        let (home, blobs) = blobs();
        assert_eq!(blobs.list("run").unwrap(), []);
        let mut put = vec![blobs.put("run", b"one").unwrap(), blobs.put("run", b"three").unwrap()];
        blobs.put("other", b"two").unwrap();
        // What a crash left behind is no value.
        std::fs::write(home.path().join("values/run/ba").join("x.1-0.tmp"), b"").unwrap_or_default();
        let mut listed = blobs.list("run").unwrap();
        listed.sort_by_key(|blob| blob.sha256);
        put.sort_by_key(|blob| blob.sha256);
        assert_eq!(listed, put);
    }

    #[test]
    fn a_run_is_deleted_with_its_logs_and_artifacts() {
        let (home, blobs) = blobs();
        let blob = blobs.put("run", b"one").unwrap();
        let kept = blobs.put("other", b"one").unwrap();
        let files = [blobs.artifacts("run").join("report.txt"), home.path().join("logs/run/task/1.jsonl")];
        for file in &files {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, b"text").unwrap();
        }
        blobs.delete_run("run").unwrap();
        blobs.delete_run("run").unwrap();
        assert!(files.iter().all(|file| !file.exists()));
        assert!(blobs.get("run", &blob).is_err());
        assert_eq!(blobs.get("other", &kept).unwrap(), b"one");
    }
}
