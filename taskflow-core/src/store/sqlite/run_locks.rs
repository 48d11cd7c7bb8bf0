//! Ownership of runs by files.
//!
//! Next to the database lies the directory `live`. The owner of a run has a file in it, named after
//! the run, that names the [lock of its process](super::process_lock). So a run that has not ended
//! and whose file names a dead process lost its owner. An owner that releases a run removes its
//! file. No run holds a descriptor.
//!
//! A process takes a run in these steps:
//!
//! 1. It reserves the name among the runs of this process, which takes each once.
//! 2. It creates or opens the file, and locks it for as long as it reads and writes it. A process
//!    that does not get the lock tries again, for two seconds.
//! 3. If the file names another process that is alive, the run is taken.
//! 4. It checks that the file is still in its place: an owner that released the run in the meantime
//!    has removed it. This comes after step 3, since an owner may die after it removed the file.
//! 5. It writes its own name into the file, and releases the lock.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::process_lock::{self, ProcessLock, is_in_place};
use crate::base::{private, safe_name};
use crate::store::identity::worker;
use crate::store::ownership::RunGuard;

/// How long others may lock the file of a run: they do so for as long as it takes to read a line,
/// on a machine that may be busy.
const PATIENCE: Duration = Duration::from_secs(2);

/// The files of one store.
#[derive(Clone, Debug)]
pub(super) struct RunLocks {
    dir: PathBuf,
    ours: Arc<Mutex<Ours>>,
}

/// What this process has.
#[derive(Debug, Default)]
struct Ours {
    /// The runs, and whether they have their files.
    runs: HashMap<String, bool>,
    /// Held as long as there are runs.
    process: Option<ProcessLock>,
}

impl RunLocks {
    /// With files in this directory, which need not exist.
    pub(super) fn in_directory(dir: PathBuf) -> Self {
        RunLocks { dir, ours: Arc::default() }
    }

    /// Keeps the name for this process; `None` if it has it already. Does no I/O.
    pub(super) fn reserve(&self, name: &str) -> Option<RunGuard> {
        let mut ours = lock(&self.ours);
        if ours.runs.contains_key(name) {
            return None;
        }
        ours.runs.insert(name.to_owned(), false);
        let (locks, name) = (self.clone(), name.to_owned());
        Some(RunGuard::new(move || {
            let mut ours = lock(&locks.ours);
            if ours.runs.remove(&name) == Some(true) {
                locks.forget(&name);
            }
            if ours.runs.is_empty() {
                // After the file of the last run: see step 4.
                ours.process = None;
            }
        }))
    }

    /// Whether this process has reserved the name.
    pub(super) fn is_ours(&self, name: &str) -> bool {
        lock(&self.ours).runs.contains_key(name)
    }

    /// Writes the file of a name that this process has reserved, unless it has done so before.
    /// Returns `false` if another process holds the name. Blocks.
    pub(super) fn lock(&self, name: &str) -> io::Result<bool> {
        // The run could not be stored then, and is stored now.
        if lock(&self.ours).runs.get(name) == Some(&true) {
            return Ok(true);
        }
        // Not its parents: a home that was removed must not come back.
        private::create_dir(&self.dir)?;
        let path = self.dir.join(safe_name(name));
        let (begun, mut looks) = (Instant::now(), 0);
        while looks < 10 {
            looks += 1;
            let mut options = private::options();
            options.create(true).truncate(false).read(true).write(true);
            let mut file = private::open(&options, &path)?;
            match file.try_lock() {
                Ok(()) if Owner::read(&mut file).is_alive(&self.dir) => {}
                Ok(()) if is_in_place(&file, &path) => {
                    self.write(name, file)?;
                    return Ok(true);
                }
                Ok(()) => continue,
                // Somebody reads the file, or writes it, and may be kept from the processor
                // meanwhile. Who owns the run is not known yet.
                Err(TryLockError::WouldBlock) if begun.elapsed() < PATIENCE => looks = 0,
                Err(TryLockError::WouldBlock) => return Ok(false),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // The owner may be about to release the run.
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(false)
    }

    /// Writes this process into the file of a name, which is locked.
    fn write(&self, name: &str, mut file: File) -> io::Result<()> {
        let mut ours = lock(&self.ours);
        let Ours { runs, process } = &mut *ours;
        let Some(is_written) = runs.get_mut(name) else {
            // Released while this thread waited for the file.
            self.forget(name);
            return Ok(());
        };
        let process = match process {
            Some(process) => process,
            None => process.insert(ProcessLock::take(&self.dir)?),
        };
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(format!("{}\n{}", process.name(), worker()).as_bytes())?;
        *is_written = true;
        Ok(())
    }

    /// Whether the process that held the name has died and left its file behind. Blocks.
    pub(super) fn is_left_behind(&self, name: &str) -> bool {
        // In this order, for the reason of step 4: an owner removes the file before it is seen as
        // gone, so a file that is there afterwards was not removed by its owner.
        self.holder(name).is_none() && self.dir.join(safe_name(name)).exists()
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
        let mut file = match private::options().read(true).open(self.dir.join(safe_name(name))) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            // This process has no descriptors left, for example. Nobody may take a holder for dead
            // who is not.
            Err(_) => return Some(String::new()),
        };
        match file.try_lock_shared() {
            // Somebody takes the run at this moment. That there is an owner matters more than its
            // name.
            Err(TryLockError::WouldBlock) => Some(String::new()),
            Ok(()) => {
                let owner = Owner::read(&mut file);
                owner.is_alive(&self.dir).then_some(owner.worker)
            }
            Err(TryLockError::Error(_)) => None,
        }
    }
}

/// What the file of a run says.
#[derive(Default)]
struct Owner {
    /// The file of the process.
    process: String,
    /// The process as people know it, `host:pid`.
    worker: String,
}

impl Owner {
    /// An empty file has no owner: its process died, or is about to write it.
    fn read(file: &mut File) -> Owner {
        let mut text = String::new();
        let _ = file.read_to_string(&mut text);
        let (process, worker) = text.split_once('\n').unwrap_or_default();
        Owner { process: process.to_owned(), worker: worker.to_owned() }
    }

    fn is_alive(&self, dir: &Path) -> bool {
        process_lock::is_alive(dir, &self.process)
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
        assert!(locks.lock("manual__a:b").unwrap(), "a batch that is stored at the second try");
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
        std::fs::write(dir.path().join(safe_name("run")), "%process-1-0-0\nhost:1").unwrap();
        assert!(ours.is_left_behind("run"), "its process is gone");
        let guard = theirs.reserve("run").unwrap();
        assert!(theirs.lock("run").unwrap());
        assert_eq!(ours.holder("run"), Some(worker()), "a new owner");
        drop(guard);
        assert!(!ours.is_left_behind("run"));
    }

    /// Whoever lists runs locks the file for a moment, which on a busy machine can be longer. The
    /// run was taken for one of another process: a service refused it for a minute.
    #[test]
    fn a_file_that_is_read_meanwhile_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let locks = RunLocks::in_directory(dir.path().to_owned());
        let _guard = locks.reserve("run").unwrap();
        let reader = File::create(dir.path().join(safe_name("run"))).unwrap();
        reader.lock_shared().unwrap();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| locks.lock("run").unwrap());
            std::thread::sleep(Duration::from_millis(200));
            drop(reader);
            assert!(taken.join().unwrap());
        });
    }

    /// Links to themselves cannot be opened by anybody, as no file can by a process without
    /// descriptors. The holders of such files were taken for dead.
    #[cfg(unix)]
    #[test]
    fn nobody_is_taken_for_dead_whose_file_cannot_be_opened() {
        let dir = tempfile::tempdir().unwrap();
        let locks = RunLocks::in_directory(dir.path().to_owned());
        let path = dir.path().join(safe_name("run"));
        std::os::unix::fs::symlink(&path, &path).unwrap();
        assert!(locks.holder("run").is_some());
        assert!(!locks.is_left_behind("run"));
        // The file of the run can be read, and that of its process cannot.
        let process = dir.path().join("%process-1-0-0");
        std::os::unix::fs::symlink(&process, &process).unwrap();
        std::fs::write(dir.path().join(safe_name("other")), "%process-1-0-0\nhost:1").unwrap();
        assert_eq!(locks.holder("other"), Some("host:1".to_owned()));
        assert!(!locks.is_left_behind("other"));
    }

    /// B8: `ulimit -n 1024` and a thousand live runs: each held a descriptor.
    #[cfg(target_os = "linux")]
    #[test]
    fn runs_hold_no_descriptors() {
        let dir = tempfile::tempdir().unwrap();
        let locks = RunLocks::in_directory(dir.path().to_owned());
        let names: Vec<String> = (0..100).map(|run| format!("run {run}")).collect();
        let guards: Vec<RunGuard> = names.iter().map(|name| locks.reserve(name).unwrap()).collect();
        assert!(names.iter().all(|name| locks.lock(name).unwrap()));
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten().filter_map(|fd| fd.path().read_link().ok());
        assert_eq!(open.filter(|file| file.starts_with(dir.path())).count(), 1, "the lock of the process");
        assert_eq!(dir.path().read_dir().unwrap().count(), 101);
        drop(guards);
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }

    /// Otherwise the service would resume a run that a person has just interrupted.
    #[test]
    fn a_run_that_is_released_all_the_time_is_never_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let (owner, reader) =
            (RunLocks::in_directory(dir.path().to_owned()), RunLocks::in_directory(dir.path().to_owned()));
        let names: Vec<String> = (0..2_000).map(|run| format!("run {run}")).collect();
        let guards: Vec<RunGuard> = names.iter().map(|name| owner.reserve(name).unwrap()).collect();
        assert!(names.iter().all(|name| owner.lock(name).unwrap()));
        std::thread::scope(|scope| {
            scope.spawn(|| guards.into_iter().for_each(drop));
            for name in &names {
                while dir.path().join(safe_name(name)).exists() {
                    assert!(!reader.is_left_behind(name), "{name}");
                }
            }
        });
    }

    /// A process that opened the file before its owner removed it must not own the run by a file
    /// that nobody else sees.
    #[test]
    fn a_run_that_is_taken_and_released_all_the_time_has_one_owner() {
        let dir = tempfile::tempdir().unwrap();
        let owned = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let process = RunLocks::in_directory(dir.path().to_owned());
                let owned = &owned;
                scope.spawn(move || {
                    for _ in 0..300 {
                        let guard = process.reserve("run").unwrap();
                        if process.lock("run").unwrap() {
                            assert!(!owned.swap(true, std::sync::atomic::Ordering::SeqCst), "two owners");
                            assert_eq!(process.holder("run"), Some(worker()));
                            owned.store(false, std::sync::atomic::Ordering::SeqCst);
                        }
                        drop(guard);
                    }
                });
            }
        });
        assert_eq!(dir.path().read_dir().unwrap().count(), 0);
    }
}
