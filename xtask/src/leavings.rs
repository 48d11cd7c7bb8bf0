//! What tests leave behind: nothing, or they have failed.
//!
//! 1. Before the tests a directory is made, which they take for that of temporary files. The JVM does not: what Spark writes goes
//!    where the system has such files, so the names there are taken down.
//! 2. After the tests the directory is to be empty, and there is to be nothing new of Spark's or ours beside it.
//! 3. Whoever still runs and has the directory in its environment was started by a test. Only Linux says so.
//! 4. Something may be about to end. It is looked at again for a while.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Failure;

/// How long what is about to end may take for it: a JVM that was told to.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(500);

/// With what the names of files begin that tests would leave where the system has its temporary files.
const OURS: [&str; 3] = ["taskflow", "spark-", "blockmgr-"];

/// Looks at what tests leave behind.
#[derive(Debug)]
pub(crate) struct Leavings {
    dir: PathBuf,
    beside: PathBuf,
    before: BTreeSet<OsString>,
}

impl Leavings {
    /// Begins to watch.
    ///
    /// # Errors
    ///
    /// When there is no place for temporary files.
    pub(crate) fn watch() -> Result<Self, Failure> {
        Self::watch_in(&std::env::temp_dir())
    }

    fn watch_in(beside: &Path) -> Result<Self, Failure> {
        let dir = beside.join(format!("taskflow-suite-{}", std::process::id()));
        let made = fs::create_dir_all(&dir);
        made.map_err(|error| Failure::new(format!("no place for temporary files at {}: {error}", dir.display())))?;
        let before = names(beside);
        Ok(Self { dir, beside: beside.to_path_buf(), before })
    }

    /// Where tests are to have their temporary files.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether nothing is left. The directory is gone after that, if it is empty.
    ///
    /// # Errors
    ///
    /// With all that is left.
    pub(crate) fn look(self) -> Result<(), Failure> {
        self.look_for(PATIENCE)
    }

    fn look_for(self, patience: Duration) -> Result<(), Failure> {
        let began = Instant::now();
        let mut left = self.left();
        while !left.is_empty() && began.elapsed() < patience {
            thread::sleep(LOOK);
            left = self.left();
        }
        if left.is_empty() {
            return Ok(());
        }
        Err(Failure::new(format!("\nerror: the tests have left behind:\n  {}", left.join("\n  "))))
    }

    fn left(&self) -> Vec<String> {
        let inside = names(&self.dir).into_iter().map(|name| self.dir.join(name));
        let ours = |name: &OsString| OURS.iter().any(|ours| name.to_string_lossy().starts_with(ours));
        let beside = names(&self.beside).into_iter().filter(|name| ours(name) && !self.before.contains(name));
        let files = inside.chain(beside.map(|name| self.beside.join(name)));
        files.map(|path| path.display().to_string()).chain(processes(&self.dir)).collect()
    }
}

impl Drop for Leavings {
    fn drop(&mut self) {
        // If it is empty. What is in it is for people to look at.
        let _ = fs::remove_dir(&self.dir);
    }
}

fn names(dir: &Path) -> BTreeSet<OsString> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.file_name()).collect()
}

/// The processes that have this directory for temporary files; none where the system does not say.
fn processes(dir: &Path) -> Vec<String> {
    let wanted = format!("TMPDIR={}", dir.display());
    let known = |pid: &str| {
        let place = Path::new("/proc").join(pid);
        let environment = fs::read(place.join("environ")).ok()?;
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes()).then_some(())?;
        let words = String::from_utf8_lossy(&fs::read(place.join("cmdline")).ok()?).replace('\0', " ");
        // Only its entry is there until somebody waits for it.
        (!words.is_empty()).then(|| format!("the process {pid}: {}", words.trim_end()))
    };
    let pids = names(Path::new("/proc")).into_iter().filter_map(|name| name.into_string().ok());
    pids.filter(|pid| pid.bytes().all(|byte| byte.is_ascii_digit())).filter_map(|pid| known(&pid)).collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// A place of its own, which is gone after the test.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("xtask-leavings-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).expect("temporary directories can be made");
            Place(path)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn who_leaves_nothing_has_not_failed() {
        let place = Place::new("nothing");
        fs::write(place.0.join("spark-before"), "").expect("it is ours");
        let leavings = Leavings::watch_in(&place.0).expect("it is a directory");
        fs::write(place.0.join("of-others"), "").expect("it is ours");
        let dir = leavings.dir().to_path_buf();
        leavings.look_for(Duration::ZERO).expect("nothing is left");
        assert!(!dir.exists());
    }

    #[test]
    fn files_that_are_left_are_named() {
        let place = Place::new("files");
        let leavings = Leavings::watch_in(&place.0).expect("it is a directory");
        fs::write(leavings.dir().join("a"), "").expect("it is ours");
        fs::write(place.0.join("blockmgr-b"), "").expect("it is ours");
        let left = leavings.look_for(Duration::ZERO).expect_err("two are left").to_string();
        assert!(left.contains("/a\n") && left.ends_with("/blockmgr-b"), "{left}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_is_left_is_named() {
        let place = Place::new("process");
        let leavings = Leavings::watch_in(&place.0).expect("it is a directory");
        let mut child =
            Command::new("sleep").arg("1000").env("TMPDIR", leavings.dir()).spawn().expect("sleep is there");
        let left = leavings.look_for(Duration::ZERO).expect_err("it runs").to_string();
        child.kill().expect("it runs");
        child.wait().expect("it was started here");
        assert!(left.ends_with(": sleep 1000"), "{left}");
    }
}
