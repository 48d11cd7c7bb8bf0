//! Which runs are being run just now, by this process or another one.
//!
//! A process that runs a run holds a *claim* on it: a lock on a file below the home, which the operating system takes away
//! when the process dies, however it dies. So a run in the state `running` without a claim is one that was interrupted. That
//! a claim can be wrong (on a network file system that does not know locks) is the reason for the token of the
//! [store](super::traits), which cannot.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::safe_name;

/// The run_locks below one home, or those of one process on a store without one.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunLocks {
    dir: Option<PathBuf>,
    /// The runs that this process has claimed: a process can lock a file twice.
    ours: Arc<Mutex<HashSet<String>>>,
}

/// A run that this process runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct RunLock {
    run_id: String,
    file: Option<(PathBuf, File)>,
    ours: Arc<Mutex<HashSet<String>>>,
}

impl RunLocks {
    /// With files in this directory, which need not exist.
    #[cfg(any(feature = "sqlite", test))]
    pub(crate) fn in_directory(dir: PathBuf) -> Self {
        RunLocks { dir: Some(dir), ours: Arc::default() }
    }

    /// RunLocks a run; `None` if it is claimed already.
    pub(crate) fn claim(&self, run_id: &str) -> io::Result<Option<RunLock>> {
        if !lock(&self.ours).insert(run_id.to_owned()) {
            return Ok(None);
        }
        // From here on dropping it takes the name out again.
        let mut claim = RunLock { run_id: run_id.to_owned(), file: None, ours: Arc::clone(&self.ours) };
        let Some(dir) = &self.dir else { return Ok(Some(claim)) };
        // Not what is above it: a home that was removed does not come back.
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let path = dir.join(safe_name(run_id));
        // Somebody who just looks holds the lock for a moment.
        for _ in 0..10 {
            let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            match file.try_lock() {
                Ok(()) => {
                    file.set_len(0)?;
                    file.write_all(worker().as_bytes())?;
                    claim.file = Some((path, file));
                    return Ok(Some(claim));
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Who runs this run, `host:process`, if somebody does.
    pub(crate) fn holder(&self, run_id: &str) -> Option<String> {
        if lock(&self.ours).contains(run_id) {
            return Some(worker());
        }
        let mut file = File::open(self.dir.as_ref()?.join(safe_name(run_id))).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is matters less than that there is somebody.
                let _ = file.read_to_string(&mut holder);
                Some(holder)
            }
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        if let Some((path, file)) = self.file.take() {
            // Before the lock goes: whoever locks the file afterwards has made a new one. What fails leaves a file without a
            // lock, which means nothing.
            let _ = std::fs::remove_file(path);
            drop(file);
        }
        lock(&self.ours).remove(&self.run_id);
    }
}

fn lock(ours: &Mutex<HashSet<String>>) -> MutexGuard<'_, HashSet<String>> {
    ours.lock().unwrap_or_else(PoisonError::into_inner)
}

/// This process, as the journal names it: `host:process`.
pub(crate) fn worker() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.as_deref().map(str::trim).filter(|host| !host.is_empty()).unwrap_or("localhost");
    format!("{host}:{}", std::process::id())
}

/// Which build of the program this is: changes whenever the executable does.
pub(crate) fn build_id() -> &'static str {
    static BUILD: std::sync::OnceLock<String> = std::sync::OnceLock::new();
    BUILD.get_or_init(|| {
        // Hashing an executable of a hundred megabytes would take longer than most runs. Size and time tell builds apart.
        let known = std::env::current_exe().and_then(|path| {
            let meta = path.metadata()?;
            let written = meta.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            Ok(format!("{name}-{:x}-{:x}", meta.len(), written.as_nanos()))
        });
        known.unwrap_or_else(|_| "unknown".to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_claimed_once() {
        let dir = std::env::temp_dir().join(format!("taskflow-run_locks-{}", std::process::id()));
        for run_locks in [RunLocks::default(), RunLocks::in_directory(dir.clone())] {
            let first = run_locks.claim("manual__a:b").unwrap();
            assert!(first.is_some());
            assert!(run_locks.claim("manual__a:b").unwrap().is_none());
            assert!(run_locks.claim("another").unwrap().is_some());
            assert_eq!(run_locks.holder("manual__a:b"), Some(worker()));
            drop(first);
            assert_eq!(run_locks.holder("manual__a:b"), None);
            assert!(run_locks.claim("manual__a:b").unwrap().is_some());
        }
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn another_process_is_seen_by_its_lock() {
        let dir = std::env::temp_dir().join(format!("taskflow-run_locks-other-{}", std::process::id()));
        // Another set of run_locks stands for another process.
        let (ours, theirs) = (RunLocks::in_directory(dir.clone()), RunLocks::in_directory(dir.clone()));
        let claim = theirs.claim("run").unwrap();
        assert!(ours.claim("run").unwrap().is_none());
        assert_eq!(ours.holder("run"), Some(worker()));
        drop(claim);
        assert_eq!(ours.holder("run"), None);
        std::fs::remove_dir_all(dir).unwrap();
    }
}
