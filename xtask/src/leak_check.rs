//! Checks that the tests leave no file and no process behind.
//!
//! 1. Before the tests it creates a directory, which the tests use for temporary files. The JVM
//!    ignores that setting and writes Spark's files to the system's temporary directory, so the
//!    check also records the names there.
//! 2. After the tests the directory must be empty, and the system's directory must hold no new file
//!    of Spark's or of the project's.
//! 3. A process with the directory in its environment was started by a test and must have ended.
//!    Only Linux offers this information.
//! 4. Whatever is about to disappear gets some time to do so.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long files and processes may take to disappear. A JVM that was asked to end needs seconds.
const PATIENCE: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_millis(500);

/// How the names begin that tests may leave in the system's temporary directory.
const OURS: [&str; 3] = ["taskflow", "spark-", "blockmgr-"];

/// The state before the tests.
#[derive(Debug)]
pub(crate) struct LeakCheck {
    dir: PathBuf,
    system: PathBuf,
    before: BTreeSet<OsString>,
}

impl LeakCheck {
    /// Creates the directory and records what the system's temporary directory holds.
    ///
    /// # Errors
    ///
    /// If the directory cannot be created.
    pub(crate) fn start() -> Result<Self, Failure> {
        Self::start_in(&std::env::temp_dir())
    }

    fn start_in(system: &Path) -> Result<Self, Failure> {
        let dir = system.join(format!("taskflow-suite-{}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|error| {
            Failure::new(format!("cannot create the directory {} for temporary files: {error}", dir.display()))
        })?;
        let before = names(system);
        Ok(Self { dir, system: system.to_path_buf(), before })
    }

    /// The directory that the tests must use for temporary files.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Checks that nothing is left, and removes the directory if it is empty.
    ///
    /// # Errors
    ///
    /// If something is left. The error lists all of it.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        self.finish_within(PATIENCE)
    }

    fn finish_within(self, patience: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        let mut left = self.left();
        while !left.is_empty() && began.elapsed() < patience {
            thread::sleep(INTERVAL);
            left = self.left();
        }
        if left.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("\nerror: the tests left behind:\n  {}", left.join("\n  "))))
    }

    fn left(&self) -> Vec<String> {
        let inside = names(&self.dir).into_iter().map(|name| self.dir.join(name));
        let is_ours = |name: &OsString| OURS.iter().any(|ours| name.to_string_lossy().starts_with(ours));
        let outside = names(&self.system).into_iter().filter(|name| is_ours(name) && !self.before.contains(name));
        let files = inside.chain(outside.map(|name| self.system.join(name)));
        files.map(|path| path.display().to_string()).chain(processes(&self.dir)).collect()
    }
}

impl Drop for LeakCheck {
    fn drop(&mut self) {
        // Fails if the directory is not empty. Then it stays, so that people can look into it.
        let _ = fs::remove_dir(&self.dir);
    }
}

fn names(dir: &Path) -> BTreeSet<OsString> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// The processes that use this directory for temporary files. Empty on systems without `/proc`.
fn processes(dir: &Path) -> Vec<String> {
    let wanted = format!("TMPDIR={}", dir.display());
    let describe = |pid: &str| {
        let process = Path::new("/proc").join(pid);
        let environment = fs::read(process.join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()).then_some(())?;
        let words = String::from_utf8_lossy(&fs::read(process.join("cmdline")).ok()?).replace('\0', " ");
        // A process that has ended has no command line, but stays in the table until it is reaped.
        (!words.is_empty()).then(|| format!("the process {pid}: {}", words.trim_end()))
    };
    let pids = names(Path::new("/proc")).into_iter().filter_map(|name| name.into_string().ok());
    pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())).filter_map(|pid| describe(&pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn tests_that_leave_nothing_pass() {
        let system = Scratch::new("leak-nothing");
        system.write("spark-before", "");
        let check = LeakCheck::start_in(system.path()).expect("it is a directory");
        system.write("of-others", "");
        let dir = check.dir().to_path_buf();
        check.finish_within(Duration::ZERO).expect("nothing is left");
        assert!(!dir.exists());
    }

    #[test]
    fn files_that_are_left_are_named() {
        let system = Scratch::new("leak-files");
        let check = LeakCheck::start_in(system.path()).expect("it is a directory");
        fs::write(check.dir().join("a"), "").expect("the directory is writable");
        system.write("blockmgr-b", "");
        let left = check.finish_within(Duration::ZERO).expect_err("two files are left").to_string();
        assert!(left.contains("/a\n") && left.ends_with("/blockmgr-b"), "{left}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_left_is_named() {
        use std::process::{Child, Command};

        struct Running(Child);
        impl Drop for Running {
            fn drop(&mut self) {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }

        let system = Scratch::new("leak-process");
        let check = LeakCheck::start_in(system.path()).expect("it is a directory");
        let child = Command::new("sleep").arg("1000").env("TMPDIR", check.dir()).spawn().expect("sleep exists");
        let child = Running(child);
        // The kernel shows the environment of a new program a moment after `spawn` has returned.
        let environment = format!("/proc/{}/environ", child.0.id());
        while fs::read(&environment).expect("the child runs").is_empty() {
            thread::yield_now();
        }
        let left = check.finish_within(Duration::ZERO).expect_err("the child runs").to_string();
        assert!(left.ends_with(": sleep 1000"), "{left}");
    }
}
