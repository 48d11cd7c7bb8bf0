//! The lock by which other processes see that this one is alive.
//!
//! A process locks one file, however many runs it owns. The operating system releases the lock when
//! the process dies, however it dies: a file that is missing or not locked belongs to a process
//! that is gone.
//!
//! 1. The process creates a file with a name of its own, locks it, and checks that the file is
//!    still in its place. If somebody swept it away before the lock, it tries another name.
//! 2. Whoever wants to know whether the process is alive tries a shared lock.
//! 3. Whoever takes its own lock sweeps away the files of the dead: it locks each, checks that it
//!    is still in its place, and removes it before it releases the lock.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::presence::{identity, identity_of};
use crate::base::private;

/// What the names of these files start with. No [`safe_name`](crate::base::safe_name) of a run
/// does.
const PREFIX: &str = "%process-";

/// The lock of this process, until it is dropped.
#[derive(Debug)]
pub(super) struct ProcessLock {
    name: String,
    path: PathBuf,
    _file: File,
}

impl ProcessLock {
    /// Locks a new file in a directory. Blocks.
    pub(super) fn take(dir: &Path) -> io::Result<ProcessLock> {
        sweep(dir);
        loop {
            let name = new_name();
            let path = dir.join(&name);
            let mut options = private::options();
            let file = match private::open(options.create_new(true).read(true).write(true), &path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                opened => opened?,
            };
            match file.try_lock() {
                Ok(()) if is_in_place(&file, &path) => return Ok(ProcessLock { name, path, _file: file }),
                Ok(()) | Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }

    /// The name of the file.
    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for ProcessLock {
    fn drop(&mut self) {
        // Before the lock goes, so that nobody sees a file without one. If the file stays, the next
        // process sweeps it away.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether the process with this file is alive. Blocks.
pub(super) fn is_alive(dir: &Path, name: &str) -> bool {
    // The name was read from a file.
    if !name.starts_with(PREFIX) || name.contains(['/', '\\']) {
        return false;
    }
    let file = match private::options().read(true).open(dir.join(name)) {
        Ok(file) => file,
        // Without descriptors, for example, it is not known, and it may be alive.
        Err(error) => {
            use io::ErrorKind::{InvalidFilename, InvalidInput, NotFound};
            return !matches!(error.kind(), NotFound | InvalidInput | InvalidFilename);
        }
    };
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// Whether a path still names the file that was opened with it.
pub(super) fn is_in_place(file: &File, path: &Path) -> bool {
    file.metadata().is_ok_and(|opened| identity(path).is_some_and(|present| present == identity_of(&opened)))
}

/// Removes the files of processes that are gone.
fn sweep(dir: &Path) {
    let Ok(files) = dir.read_dir() else { return };
    for file in files.flatten().filter(|file| file.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = file.path();
        let Ok(file) = private::options().read(true).open(&path) else { continue };
        if file.try_lock().is_ok() && is_in_place(&file, &path) {
            let _ = std::fs::remove_file(&path);
        }
    }
}

/// A name that no other process uses, and this one only once.
fn new_name() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Another container may have the same pid.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{PREFIX}{}-{now:x}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_alive_until_it_drops_its_lock() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProcessLock::take(dir.path()).unwrap();
        let name = lock.name().to_owned();
        assert!(is_alive(dir.path(), &name));
        drop(lock);
        assert!(!is_alive(dir.path(), &name));
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn files_of_the_dead_are_swept_away_and_those_of_the_living_stay() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("%process-1-0-0"), "").unwrap();
        std::fs::write(dir.path().join("a run"), "").unwrap();
        let first = ProcessLock::take(dir.path()).unwrap();
        let second = ProcessLock::take(dir.path()).unwrap();
        assert!(!dir.path().join("%process-1-0-0").exists());
        assert!(dir.path().join("a run").exists());
        assert!(is_alive(dir.path(), first.name()) && is_alive(dir.path(), second.name()));
    }

    #[test]
    fn a_name_from_outside_the_directory_is_not_looked_up() {
        let dir = tempfile::tempdir().unwrap();
        let lock = ProcessLock::take(dir.path()).unwrap();
        let inner = dir.path().join("inner");
        std::fs::create_dir(&inner).unwrap();
        assert!(!is_alive(&inner, &format!("../{}", lock.name())));
        assert!(!is_alive(&inner, &format!("%process-/../../{}", lock.name())));
    }

    /// A link to itself cannot be opened by anybody, as no file can by a process without
    /// descriptors. The process of such a file was taken for dead.
    #[cfg(unix)]
    #[test]
    fn a_process_whose_file_cannot_be_opened_is_not_taken_for_dead() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("%process-1-0-0");
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(is_alive(dir.path(), "%process-1-0-0"));
        assert!(!is_alive(dir.path(), "%process-1-0-1"), "there is no such file");
    }
}
