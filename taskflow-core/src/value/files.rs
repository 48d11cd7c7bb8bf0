//! Stores large values in files named after their content.
//!
//! The path is `<root>/<run>/<first two digits>/<SHA-256 in hexadecimal>`. Writing such a file
//! twice is harmless, and damage is detected. Each run has its own directory, so that a run is
//! deleted as a directory.
//!
//! A file appears under its name only when it is complete: it is written under a temporary name in
//! the same directory, synced and renamed. A crash can leave a file that ends in `.tmp`;
//! [`ValueFiles::sweep`] removes those.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::base::{failpoint, from_hex, hex, private, safe_name};

/// The suffix of a file that is still being written.
const UNFINISHED: &str = "tmp";

/// Identifies the content of a value stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FileRef {
    /// Its SHA-256.
    pub(crate) sha256: [u8; 32],
    /// Its length in bytes.
    pub(crate) len: u64,
}

impl FileRef {
    /// The reference for these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        FileRef { sha256: Sha256::digest(bytes).into(), len: bytes.len() as u64 }
    }
}

/// The files of large values below a directory.
#[derive(Clone, Debug)]
pub(crate) struct ValueFiles {
    root: PathBuf,
    sync: bool,
}

/// Why a value cannot be read from its file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueFileError {
    /// The file does not exist.
    #[error("the value is missing: there is no file {}; run the task that produced it again", path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// The file is shorter or longer than the value.
    #[error(
        "the value is truncated: {} has {found} bytes and should have {expected}; run the task that produced it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The length of the value.
        expected: u64,
        /// The length of the file.
        found: u64,
    },
    /// The file has the right length but different content.
    #[error(
        "the value is corrupt: {} is not what was written; run the task that produced it again, and check the disk",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the value from {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}

impl ValueFiles {
    /// The files below `root`, which is created when first needed. With `sync`, a value is on disk
    /// when [`ValueFiles::put`] returns; without it, a value survives a crash of the process but
    /// not of the machine.
    pub(crate) fn new(root: PathBuf, sync: bool) -> Self {
        ValueFiles { root, sync }
    }

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

    /// Removes a shared value that nobody has put since `used_before`, and returns whether it did.
    /// It is moved away first: whoever puts it meanwhile writes it again, or is seen to have used
    /// it.
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
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            removed => removed,
        }
    }

    /// Returns a value of `run`, verified against its hash.
    ///
    /// # Errors
    ///
    /// If the file is missing, truncated, corrupt or cannot be read.
    pub(crate) fn get(&self, run: &str, file: &FileRef) -> Result<Vec<u8>, ValueFileError> {
        let (path, bytes) = self.read(run, file, 0..u64::MAX)?;
        if bytes.len() as u64 != file.len {
            return Err(ValueFileError::Truncated { path, expected: file.len, found: bytes.len() as u64 });
        }
        if FileRef::of(&bytes) != *file {
            return Err(ValueFileError::Corrupt { path });
        }
        Ok(bytes)
    }

    /// A range of a value of `run`, cut at its end. Not compared with its hash, which would take
    /// all of it.
    ///
    /// # Errors
    ///
    /// When the file is missing, truncated or cannot be read.
    pub(crate) fn range(&self, run: &str, file: &FileRef, range: Range<u64>) -> Result<Vec<u8>, ValueFileError> {
        self.read(run, file, range).map(|(_, bytes)| bytes)
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

    fn run_directory(&self, run: &str) -> PathBuf {
        self.root.join(safe_name(run))
    }

    fn path(&self, run: &str, file: &FileRef) -> PathBuf {
        let name = hex(&file.sha256);
        // Directories with a hundred thousand files are slow to list.
        let shard = hex(&file.sha256[..1]);
        self.run_directory(run).join(shard).join(name)
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

    /// A range of a file that has the right length.
    fn read(&self, run: &str, file: &FileRef, range: Range<u64>) -> Result<(PathBuf, Vec<u8>), ValueFileError> {
        let path = self.path(run, file);
        let read = || {
            let mut opened = File::open(&path)?;
            let found = opened.metadata()?.len();
            let mut bytes = Vec::new();
            // Only now is the length known to be correct, so that memory can be allocated for it.
            if found == file.len {
                let len = range.end.min(found).saturating_sub(range.start);
                bytes.reserve_exact(usize::try_from(len).map_err(io::Error::other)?);
                opened.seek(SeekFrom::Start(range.start))?;
                opened.take(len).read_to_end(&mut bytes)?;
            }
            Ok((found, bytes))
        };
        match read() {
            Ok((found, bytes)) if found == file.len => Ok((path, bytes)),
            Ok((found, _)) => Err(ValueFileError::Truncated { path, expected: file.len, found }),
            Err(error) if io::Error::kind(&error) == io::ErrorKind::NotFound => Err(ValueFileError::Missing { path }),
            Err(source) => Err(ValueFileError::Io { path, source }),
        }
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

/// A temporary name in the same directory that no other writer uses, in this process or another.
fn unfinished(path: &Path) -> PathBuf {
    static SERIAL: AtomicU64 = AtomicU64::new(0);
    let (process, serial) = (std::process::id(), SERIAL.fetch_add(1, Ordering::Relaxed));
    path.with_extension(format!("{process}-{serial}.{UNFINISHED}"))
}

/// What lies in a directory; nothing if there is none.
fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
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

#[cfg(unix)]
fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// On other systems a directory cannot be opened as a file, and the system syncs names itself.
#[cfg(not(unix))]
fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const RUN: &str = "manual__2026-01-31T06:00:00Z_1";

    fn files(sync: bool) -> (tempfile::TempDir, ValueFiles) {
        let directory = tempfile::tempdir().unwrap();
        let files = ValueFiles::new(directory.path().join("values"), sync);
        (directory, files)
    }

    fn all_files(directory: &Path) -> Vec<PathBuf> {
        let within = |path: PathBuf| if path.is_dir() { all_files(&path) } else { vec![path] };
        entries(directory).unwrap().into_iter().flat_map(within).collect()
    }

    #[test]
    fn a_stored_value_is_read_back() {
        for sync in [false, true] {
            let (_directory, files) = files(sync);
            for bytes in [Vec::new(), vec![1, 2, 3], vec![7; 1_000_000]] {
                let file = files.put(RUN, &bytes).unwrap();
                assert_eq!(file.len, bytes.len() as u64);
                assert_eq!(files.get(RUN, &file).unwrap(), bytes);
                assert_eq!(files.range(RUN, &file, 0..2).unwrap(), bytes[..bytes.len().min(2)]);
            }
        }
    }

    #[test]
    fn a_file_is_named_by_its_content_below_its_run() {
        let (directory, files) = files(true);
        files.put(RUN, b"abc").unwrap();
        let path = "values/manual__2026-01-31T06%3A00%3A00Z_1/ba/\
                    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(all_files(directory.path()), [directory.path().join(path)]);
    }

    #[test]
    fn putting_a_value_twice_writes_it_once() {
        let (_directory, files) = files(true);
        let file = files.put(RUN, b"abc").unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(files.path(RUN, &file)).unwrap().set_modified(long_ago).unwrap();
        assert_eq!(files.put(RUN, b"abc").unwrap(), file);
        assert_eq!(fs::metadata(files.path(RUN, &file)).unwrap().modified().unwrap(), long_ago);
        assert_eq!(all_files(&files.root).len(), 1);
    }

    #[test]
    fn a_shared_value_is_removed_when_nobody_has_put_it_lately() {
        let (_directory, files) = files(true);
        let file = files.put_shared(RUN, b"abc").unwrap();
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        let age = || File::options().write(true).open(files.path(RUN, &file)).unwrap().set_modified(long_ago).unwrap();
        assert!(!files.remove_unused(RUN, &file, hour_ago).unwrap());
        age();
        files.put_shared(RUN, b"abc").unwrap();
        assert!(!files.remove_unused(RUN, &file, hour_ago).unwrap(), "it was put again");
        assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
        age();
        assert!(files.remove_unused(RUN, &file, hour_ago).unwrap());
        assert!(!files.remove_unused(RUN, &file, hour_ago).unwrap(), "it is gone");
        assert_eq!(all_files(&files.root).len(), 0);
    }

    #[test]
    fn putting_a_value_again_repairs_its_file() {
        let (_directory, files) = files(false);
        let file = files.put(RUN, b"abc").unwrap();
        for damaged in ["", "ab", "abd", "abcd"] {
            fs::write(files.path(RUN, &file), damaged).unwrap();
            files.put(RUN, b"abc").unwrap();
            assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
        }
    }

    #[test]
    fn missing_truncated_and_corrupt_files_are_distinguished() {
        let (_directory, files) = files(false);
        let file = files.put(RUN, b"abc").unwrap();
        let path = files.path(RUN, &file);
        let message = || files.get(RUN, &file).unwrap_err().to_string();

        fs::write(&path, "ab").unwrap();
        assert_eq!(
            message(),
            format!(
                "the value is truncated: {} has 2 bytes and should have 3; run the task that produced it again",
                path.display()
            )
        );
        assert_eq!(files.range(RUN, &file, 0..1).unwrap_err().to_string(), message());
        fs::write(&path, "abd").unwrap();
        assert_eq!(
            message(),
            format!(
                "the value is corrupt: {} is not what was written; run the task that produced it again, and check the disk",
                path.display()
            )
        );
        fs::remove_file(&path).unwrap();
        assert_eq!(
            message(),
            format!("the value is missing: there is no file {}; run the task that produced it again", path.display())
        );
        fs::create_dir(&path).unwrap();
        assert!(files.get(RUN, &file).is_err());
    }

    #[test]
    fn removing_a_run_keeps_the_others() {
        let (_directory, files) = files(false);
        let file = files.put(RUN, b"abc").unwrap();
        files.put("other", b"abc").unwrap();
        files.remove_run(RUN).unwrap();
        files.remove_run(RUN).unwrap();
        files.remove_run("..").unwrap();
        assert!(matches!(files.get(RUN, &file), Err(ValueFileError::Missing { .. })));
        assert_eq!(files.get("other", &file).unwrap(), b"abc");
    }

    #[test]
    fn sweeping_removes_old_unfinished_files_only() {
        let (_directory, files) = files(false);
        assert_eq!(files.sweep(SystemTime::now()).unwrap(), 0);
        let file = files.put(RUN, b"abc").unwrap();
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        for written in [10, 20] {
            let path = unfinished(&files.path(RUN, &file));
            File::create_new(&path).unwrap().set_modified(at(written)).unwrap();
        }
        assert_eq!(files.sweep(at(20)).unwrap(), 1);
        assert_eq!(files.sweep(at(20)).unwrap(), 0);
        assert_eq!(all_files(&files.root).len(), 2);
        assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
    }

    /// C5: links in the place of a value, and of the directories of a run and of the first digits.
    #[test]
    #[cfg(unix)]
    fn no_link_below_the_values_is_followed() {
        use std::os::unix::fs::symlink;

        let (directory, files) = files(true);
        let (victim, elsewhere) = (directory.path().join("victim"), directory.path().join("elsewhere"));
        fs::create_dir_all(elsewhere.join("ba")).unwrap();
        let theirs = elsewhere.join("ba/precious.tmp");
        File::create_new(&theirs).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();

        // The link is replaced, whatever it leads to.
        let file = files.put(RUN, b"abc").unwrap();
        let path = files.path(RUN, &file);
        for content in ["precious", "abc"] {
            fs::write(&victim, content).unwrap();
            fs::remove_file(&path).unwrap();
            symlink(&victim, &path).unwrap();
            files.put_shared(RUN, b"abc").unwrap();
            assert!(!private::is_link(&path));
            assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
            assert_eq!(fs::read_to_string(&victim).unwrap(), content);
        }

        let (run, shard) = (files.run_directory(RUN), path.parent().unwrap());
        for (link, to) in [(shard, elsewhere.join("ba")), (&run, elsewhere.clone())] {
            fs::remove_dir_all(link).unwrap();
            symlink(to, link).unwrap();
            let refused = files.put(RUN, b"abc").unwrap_err().to_string();
            let expected = format!("{} is a symbolic link, which is not followed: remove it", link.display());
            assert_eq!(refused, expected);
            assert_eq!(files.sweep(SystemTime::now()).unwrap(), 0);
            files.remove_run(RUN).unwrap();
            assert!(!run.exists());
            fs::create_dir_all(shard).unwrap();
            assert_eq!(all_files(&elsewhere), [theirs.as_path()], "it is as it was");
        }
    }

    /// The other side of it: all values may be on another disk.
    #[test]
    #[cfg(unix)]
    fn the_directory_of_all_values_may_be_a_link() {
        let (directory, files) = files(true);
        let disk = directory.path().join("disk");
        fs::create_dir(&disk).unwrap();
        std::os::unix::fs::symlink(&disk, &files.root).unwrap();
        let file = files.put(RUN, b"abc").unwrap();
        assert_eq!(files.get(RUN, &file).unwrap(), b"abc");
        assert_eq!(all_files(&disk).len(), 1);
        File::create_new(unfinished(&files.path(RUN, &file))).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(files.sweep(SystemTime::now()).unwrap(), 1);
        files.remove_run(RUN).unwrap();
        assert!(all_files(&disk).is_empty() && disk.exists());
    }

    #[test]
    fn a_write_that_fails_leaves_no_unfinished_file() {
        let (_directory, files) = files(false);
        let file = FileRef::of(b"abc");
        // A nonempty directory cannot be replaced by a rename.
        fs::create_dir_all(files.path(RUN, &file).join("in the way")).unwrap();
        files.put(RUN, b"abc").unwrap_err();
        assert!(all_files(&files.root).is_empty());
    }

    #[test]
    fn threads_can_put_the_same_value_concurrently() {
        let (_directory, files) = files(false);
        let bytes = vec![3; 100_000];
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| assert_eq!(files.put(RUN, &bytes).unwrap(), FileRef::of(&bytes)));
            }
        });
        assert_eq!(files.get(RUN, &FileRef::of(&bytes)).unwrap(), bytes);
        assert_eq!(all_files(&files.root).len(), 1);
    }

    #[test]
    fn a_reference_is_compact() {
        let file = FileRef::of(b"abc");
        let bytes = postcard::to_stdvec(&file).unwrap();
        assert_eq!(bytes.len(), 33);
        assert_eq!(postcard::from_bytes::<FileRef>(&bytes).unwrap(), file);
    }
}
