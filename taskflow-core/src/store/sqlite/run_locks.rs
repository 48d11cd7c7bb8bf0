//! Ownership of runs by lock files.
//!
//! Next to the database lies the directory `live`. The owner of a run holds a lock on a file in it,
//! named after the run. The operating system releases the lock when the process dies, however it
//! dies. So a run that has not ended and whose file is not locked lost its owner. An owner that
//! releases a run removes its file, so a file without a lock means that the owner died.
//!
//! A process can lock a file twice, so it also keeps a set of the runs that it owns.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::{private, safe_name};
use crate::store::identity::worker;
use crate::store::ownership::RunGuard;

/// The lock files of one store.
#[derive(Clone, Debug)]
pub(super) struct RunLocks {
    dir: PathBuf,
    ours: Arc<Mutex<Ours>>,
}

/// The runs of this process, with their files once they are locked.
type Ours = HashMap<String, Option<Locked>>;

#[derive(Debug)]
struct Locked {
    path: PathBuf,
    file: File,
}

impl RunLocks {
    /// With files in this directory, which need not exist.
    pub(super) fn in_directory(dir: PathBuf) -> Self {
        RunLocks { dir, ours: Arc::default() }
    }

    /// Keeps the name for this process; `None` if it has it already. Does no I/O.
    pub(super) fn reserve(&self, name: &str) -> Option<RunGuard> {
        let mut ours = lock(&self.ours);
        if ours.contains_key(name) {
            return None;
        }
        ours.insert(name.to_owned(), None);
        let (held, name) = (Arc::clone(&self.ours), name.to_owned());
        Some(RunGuard::new(move || {
            let Some(Some(Locked { path, file })) = lock(&held).remove(&name) else { return };
            // Before the lock goes: whoever locks the file afterwards has made a new one. If the
            // file stays, the owner counts as dead, which is nearly the same.
            let _ = std::fs::remove_file(path);
            drop(file);
        }))
    }

    /// Whether this process has reserved the name.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        lock(&self.ours).contains_key(name)
    }

    /// Locks the file of a name that this process has reserved. Returns `false` if another process
    /// holds the lock. Blocks.
    pub(super) fn lock(&self, name: &str) -> io::Result<bool> {
        // Not its parents: a home that was removed must not come back.
        private::create_dir(&self.dir)?;
        let path = self.dir.join(safe_name(name));
        // `holder` takes the lock for a moment.
        for _ in 0..10 {
            let mut options = private::options();
            options.create(true).truncate(false).read(true).write(true);
            let mut file = private::open(&options, &path)?;
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)?;
                    file.write_all(worker().as_bytes())?;
                    if let Some(held) = lock(&self.ours).get_mut(name) {
                        *held = Some(Locked { path, file });
                    }
                    return Ok(true);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether the process that held the name has died and left its file behind. Blocks.
    pub(super) fn is_left_behind(&self, name: &str) -> bool {
        self.dir.join(safe_name(name)).exists() && self.holder(name).is_none()
    }

    /// Removes the file of a name that nobody holds and nobody will hold again. Blocks.
    pub(super) fn forget(&self, name: &str) {
        let _ = std::fs::remove_file(self.dir.join(safe_name(name)));
    }

    /// The process that holds the name, `host:pid`. Blocks.
    pub(super) fn holder(&self, name: &str) -> Option<String> {
        if self.is_ours(name) {
            return Some(worker());
        }
        let mut file = private::options().read(true).open(self.dir.join(safe_name(name))).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // That there is an owner matters more than its name.
                let _ = file.read_to_string(&mut holder);
                Some(holder)
            }
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

fn lock(ours: &Mutex<Ours>) -> MutexGuard<'_, Ours> {
    ours.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs something that blocks on a thread for that.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    match tokio::runtime::Handle::try_current() {
        Ok(runtime) => runtime.spawn_blocking(work).await.map_err(io::Error::other),
        Err(_) => Ok(work()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_reserved_once() {
        let dir = tempfile::tempdir().unwrap();
        let locks = RunLocks::in_directory(dir.path().join("live"));
        let first = locks.reserve("manual__a:b");
        assert!(first.is_some());
        assert!(locks.reserve("manual__a:b").is_none());
        assert!(locks.reserve("another").is_some());
        assert_eq!(locks.holder("manual__a:b"), Some(worker()));
        assert!(locks.lock("manual__a:b").unwrap());
        drop(first);
        assert_eq!(locks.holder("manual__a:b"), None);
        assert_eq!(dir.path().join("live").read_dir().unwrap().count(), 0);
        assert!(locks.reserve("manual__a:b").is_some());
    }

    #[test]
    fn the_lock_of_another_process_is_visible() {
        let dir = tempfile::tempdir().unwrap();
        // Another set of locks stands for another process.
        let (ours, theirs) =
            (RunLocks::in_directory(dir.path().to_owned()), RunLocks::in_directory(dir.path().to_owned()));
        let guard = theirs.reserve("run").unwrap();
        assert_eq!(ours.holder("run"), None);
        assert!(theirs.lock("run").unwrap());
        assert_eq!(ours.holder("run"), Some(worker()));
        let refused = ours.reserve("run").unwrap();
        assert!(!ours.lock("run").unwrap());
        drop(refused);
        assert_eq!(ours.holder("run"), Some(worker()));
        assert!(!ours.is_left_behind("run"));
        drop(guard);
        assert_eq!(ours.holder("run"), None);
        assert!(!ours.is_left_behind("run"), "it was released");
        std::fs::write(dir.path().join(safe_name("run")), "host:1").unwrap();
        assert!(ours.is_left_behind("run"), "the lock is gone with its process");
    }
}
