//! Ends tests that hang, so that they fail with what they printed instead of stopping the whole
//! suite.
//!
//! 1. Each piece of output counts as progress.
//! 2. After a time without output, the processes that the tests started are killed. A test that
//!    waits for one of them fails, its output is shown, and the other tests go on.
//! 3. If there is no such process, or the silence continues, the test program is killed. Cargo
//!    reports it as failed and goes on with the next program.
//!
//! Only Linux tells which processes descend from one. Elsewhere nothing is killed.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the tests may print nothing. The longest step of a build is shorter, also on a machine
/// that is busy.
pub(crate) const SILENCE: Duration = Duration::from_secs(600);

/// When something was last printed.
#[derive(Debug)]
pub(crate) struct Progress(Mutex<Instant>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Instant::now()))
    }
}

impl Progress {
    pub(crate) fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn silent_for(&self) -> Duration {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }
}

/// Kills what descends from the process `cargo` after each time of `silence`, until the sender of
/// `ended` is dropped.
pub(crate) fn watch<T>(cargo: u32, progress: &Progress, silence: Duration, ended: &Receiver<T>) {
    loop {
        let left = silence.saturating_sub(progress.silent_for());
        match ended.recv_timeout(left.max(Duration::from_millis(10))) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return,
        }
        if progress.silent_for() < silence {
            continue;
        }
        let tests = children(&[cargo]);
        let started = children(&tests);
        let (what, pids) = match started.is_empty() {
            true => ("the test program", tests),
            false => ("what the tests have started", descendants(started)),
        };
        eprintln!("\nerror: no output for {} s; {what} is killed: {pids:?}", silence.as_secs());
        kill(&pids);
        progress.note();
    }
}

fn kill(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    // One that has ended in the meantime is no mistake.
    let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
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

/// The processes whose parent is one of `parents`. Empty on systems without `/proc`.
fn children(parents: &[u32]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| parent(pid).is_some_and(|parent| parents.contains(&parent))).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program is in parentheses and may contain spaces. State and parent follow.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
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
    fn a_silent_test_program_is_killed_and_cargo_goes_on() {
        let status = watched("sleep 60; test $? -eq 137 && exit 9");
        assert_eq!((status.code(), status.signal()), (Some(9), None));
    }
}
