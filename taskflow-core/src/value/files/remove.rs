//! Lists and removes values, and what crashes have left.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{FileRef, UNFINISHED, ValueFiles, unfinished};
use crate::base::{from_hex, private};

impl ValueFiles {
    /// Removes a shared value unless somebody has put it since `used_before`, and returns whether
    /// it is gone, which it may have been before. It is moved away first: whoever puts it meanwhile
    /// writes it again, or is seen to have used it.
    pub(crate) fn remove_unused(&self, run: &str, file: &FileRef, used_before: SystemTime) -> io::Result<bool> {
        let path = self.path(run, file);
        let is_used = |path: &Path| Ok::<bool, io::Error>(fs::metadata(path)?.modified()? >= used_before);
        let away = unfinished(&path);
        let removed = || {
            if is_used(&path)? {
                return Ok(false);
            }
            fs::rename(&path, &away)?;
            if is_used(&away)? {
                fs::rename(&away, &path)?;
                return Ok(false);
            }
            fs::remove_file(&away).map(|()| true)
        };
        match removed() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            removed => removed,
        }
    }

    /// The values of `run`, in no particular order.
    ///
    /// # Errors
    ///
    /// When a directory cannot be read.
    #[cfg_attr(not(test), allow(dead_code, reason = "see `BlobStore::list`"))]
    pub(crate) fn list(&self, run: &str) -> io::Result<Vec<FileRef>> {
        let mut files = Vec::new();
        for shard in entries(&self.run_directory(run))? {
            for path in entries(&shard)? {
                let name = path.file_name().and_then(|name| name.to_str());
                // Anything else is an unfinished file.
                if let Some(sha256) = name.and_then(from_hex) {
                    files.push(FileRef { sha256, len: fs::metadata(&path)?.len() });
                }
            }
        }
        Ok(files)
    }

    /// Removes all values of `run`, including temporary files; it is fine if there are none.
    ///
    /// # Errors
    ///
    /// The error of the operating system; some files may have been removed. Calling it again is
    /// safe.
    pub(crate) fn remove_run(&self, run: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.run_directory(run)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result,
        }
    }

    /// Removes the temporary files that crashes left, and returns how many. Files last written at
    /// or after `older_than` are skipped: they may still be in use.
    ///
    /// # Errors
    ///
    /// If a directory cannot be read or a file cannot be removed. A file that disappears meanwhile
    /// is not an error.
    pub(crate) fn sweep(&self, older_than: SystemTime) -> io::Result<usize> {
        let mut removed = 0;
        let is_own = |directory: &PathBuf| !private::is_link(directory);
        for run in entries(&self.root)?.into_iter().filter(is_own) {
            for shard in entries(&run)?.into_iter().filter(is_own) {
                for path in entries(&shard)? {
                    if path.extension().is_some_and(|extension| extension == UNFINISHED) {
                        removed += usize::from(remove_older(&path, older_than)?);
                    }
                }
            }
        }
        Ok(removed)
    }
}

/// What lies in a directory; nothing if there is none.
pub(super) fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// Removes the file if it is older; returns whether it did.
fn remove_older(path: &Path, older_than: SystemTime) -> io::Result<bool> {
    let removed = fs::symlink_metadata(path)
        .and_then(|metadata| metadata.modified())
        .and_then(|modified| if modified < older_than { fs::remove_file(path).map(|()| true) } else { Ok(false) });
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        removed => removed,
    }
}
