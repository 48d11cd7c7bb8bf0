//! Writes values: a file appears under its name only when it is complete.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{FileRef, ValueFiles, unfinished};
use crate::base::{failpoint, private};

impl ValueFiles {
    /// Stores `bytes` for `run`. An existing file is not written again; a damaged one is replaced.
    ///
    /// # Errors
    ///
    /// The error of the write. The temporary file is removed if possible.
    pub(crate) fn put(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef> {
        let file = FileRef::of(bytes);
        let path = self.path(run, &file);
        let directory = path.parent().unwrap_or(&self.root);
        // Those of the run and of the first digits.
        private::refuse_links(directory, 2)?;
        private::create_dir_all(directory)?;
        if has_content(&path, bytes) {
            // Its writer may have died before it reached the disk.
            if self.sync {
                failpoint::hit("value.sync")?;
                File::open(&path)?.sync_all()?;
            }
        } else {
            let unfinished = unfinished(&path);
            let written = self.write(&unfinished, bytes).and_then(|()| {
                failpoint::hit("value.rename")?;
                fs::rename(&unfinished, &path)
            });
            if let Err(error) = written {
                // Report the first error; `sweep` removes a file that remains.
                let _ = fs::remove_file(&unfinished);
                return Err(error);
            }
        }
        self.sync_directories(directory)?;
        Ok(file)
    }

    /// As [`put`](ValueFiles::put), for a value that several owners share: the file counts as used
    /// now, so that [`remove_unused`](ValueFiles::remove_unused) leaves it alone.
    pub(crate) fn put_shared(&self, run: &str, bytes: &[u8]) -> io::Result<FileRef> {
        let file = self.put(run, bytes)?;
        let path = self.path(run, &file);
        let opened = private::open(private::options().write(true), &path);
        let touched = opened.and_then(|file| file.set_modified(SystemTime::now()));
        match touched {
            // It may have been removed between the two.
            Ok(()) if path.exists() => Ok(file),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => self.put(run, bytes),
        }
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        failpoint::hit("value.write")?;
        let mut file = private::options().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        if self.sync {
            failpoint::hit("value.sync")?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Syncs the names to disk: those of the file, its directory and the directory of the run.
    fn sync_directories(&self, innermost: &Path) -> io::Result<()> {
        if self.sync {
            failpoint::hit("value.sync_dir")?;
            for directory in innermost.ancestors().take_while(|directory| directory.starts_with(&self.root)) {
                sync_directory(directory)?;
            }
        }
        Ok(())
    }
}

/// Whether the file has exactly this content. An unreadable file does not, nor does a link, which
/// is replaced.
fn has_content(path: &Path, bytes: &[u8]) -> bool {
    let compare = || -> io::Result<bool> {
        let mut file = private::options().read(true).open(path)?;
        if file.metadata()?.len() != bytes.len() as u64 {
            return Ok(false);
        }
        let mut buffer = vec![0; 64 * 1024];
        let mut left = bytes;
        while !left.is_empty() {
            let read = file.read(&mut buffer)?;
            match left.split_at_checked(read) {
                Some((expected, rest)) if read > 0 && expected == &buffer[..read] => left = rest,
                _ => return Ok(false),
            }
        }
        Ok(true)
    };
    compare().unwrap_or(false)
}

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// On other systems a directory cannot be opened as a file, and the system syncs names itself.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}
