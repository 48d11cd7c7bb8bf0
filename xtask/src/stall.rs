//! Ends tests that hang, so that they fail with what they printed instead of stopping the whole
//! suite.
//!
//! 1. Each piece of output counts as progress.
//! 2. After a time without output, the processes that the tests started are killed. A test that
//!    waits for one of them fails, its output is shown, and the other tests go on.
//! 3. If there is no such process, or the silence continues, the test program is killed, with all
//!    that it started. Cargo reports it as failed and goes on with the next program.
//!
//! Compilers are left alone. Only Linux tells which processes descend from one; elsewhere nothing
//! is killed. The step that runs beside the others, in the background, is not watched.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the tests may print nothing.
pub(crate) const SILENCE: Duration = Duration::from_secs(600);

/// How the names of programs begin with which cargo builds.
const BUILDS: [&str; 3] = ["rustc", "clippy-driver", "build-script"];

/// When something was last printed.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Progress {
    /// Something was printed. Returns when.
    pub(crate) fn note(&self) -> Instant {
        let now = Instant::now();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
        now
    }

    fn last(&self) -> Instant {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kills what descends from the process `cargo` after each time of `silence`, until the sender of
/// `ended` is dropped.
pub(crate) fn watch<T>(cargo: u32, progress: &Progress, silence: Duration, ended: &Receiver<T>) {
    // When something was killed, as long as nothing was printed since.
    let mut killed = None;
    loop {
        let last = progress.last();
        match ended.recv_timeout(silence.saturating_sub(last.elapsed())) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if progress.last() != last {
            continue;
        }
        let tests: Vec<u32> = children(&[cargo]).into_iter().filter(|&pid| !is_build(pid)).collect();
        let started = children(&tests);
        let (what, pids) = match started.is_empty() || killed == Some(last) {
            true => ("the test program", descendants(tests)),
            false => ("what the tests have started", descendants(started)),
        };
        if !pids.is_empty() {
            eprintln!("\nerror: no output for {} s; {what} is killed: {pids:?}", silence.as_secs());
            kill(&pids);
        }
        killed = Some(progress.note());
    }
}

/// Whether cargo builds with a process.
fn is_build(pid: u32) -> bool {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    BUILDS.iter().any(|build| name.starts_with(build))
}

fn kill(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    // A shell has `kill`, also where there is no program of that name. A process that has ended in
    // the meantime is no mistake.
    let shell = Command::new("sh").args(["-c", "kill -KILL \"$@\"", "sh"]).args(pids).stderr(Stdio::null()).status();
    if let Err(error) = shell {
        eprintln!("error: nothing can be killed: {error}");
    }
}

/// These processes, their children, and so on.
fn descendants(mut all: Vec<u32>) -> Vec<u32> {
    let mut youngest = all.clone();
    while !youngest.is_empty() {
        youngest = children(&youngest);
        all.extend(&youngest);
    }
    all
}

/// The processes that run and whose parent is one of `parents`. Empty on systems without `/proc`.
fn children(parents: &[u32]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| parent(pid).is_some_and(|parent| parents.contains(&parent))).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain spaces. State and parent follow.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    // One that has ended stays until its parent asks for it.
    (fields.next()? != "Z").then(|| fields.next()?.parse().ok())?
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::sync::mpsc;
    use std::thread;

    use super::*;

    /// Runs a shell as if it were cargo, and watches it.
    fn watched(script: &str) -> std::process::ExitStatus {
        let mut child = Command::new("sh").args(["-c", script]).spawn().expect("sh starts");
        let (running, ended) = mpsc::channel::<()>();
        let pid = child.id();
        let watch = thread::spawn(move || watch(pid, &Progress::default(), Duration::from_millis(100), &ended));
        let status = child.wait().expect("it is our child");
        drop(running);
        watch.join().expect("it does not panic");
        status
    }

    #[test]
    fn what_a_silent_test_waits_for_is_killed_and_the_test_ends_by_itself() {
        let test = "sleep 60; test $? -eq 137 && exit 7";
        assert_eq!(watched(&format!("sh -c '{test}'; exit $?")).code(), Some(7));
    }

    #[test]
    fn a_test_that_stays_silent_is_killed_with_its_program() {
        // The child is killed first, and nobody asks how it ended: it stays in the table.
        let test = "sleep 60 & sleep 60 & wait; exec sleep 60";
        let status = watched(&format!("sh -c '{test}'; test $? -eq 137 && exit 8"));
        assert_eq!(status.code(), Some(8));
    }

    #[test]
    fn a_silent_test_program_is_killed_and_cargo_goes_on() {
        let status = watched("sleep 60; test $? -eq 137 && exit 9");
        assert_eq!((status.code(), status.signal()), (Some(9), None));
    }
}
