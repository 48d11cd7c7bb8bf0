//! A Spark process in the background of a test, which ends with it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::patience::PATIENCE;

/// A process group that ends with this.
pub struct Daemon {
    child: Child,
    /// What kills the group waits for the end of its stdin, which is ours alone.
    guard: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts it with both of its outputs in a log.
    pub fn start(mut command: Command, log: PathBuf) -> Daemon {
        let out = File::create(&log).expect("temporary files can be written");
        let log_too = out.try_clone().expect("a file can be shared");
        command.stdin(Stdio::null()).stdout(out).stderr(log_too);
        let child = command.process_group(0).spawn().expect("Spark's script starts");
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "guard", &child.id().to_string()]);
        let guard = guard.process_group(0).stdin(Stdio::piped()).spawn().expect("a shell starts");
        Daemon { child, guard, log }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a machine does that loses its power.
    pub fn kill(self) {
        kill_process_group(Pid::from_child(&self.child), Signal::KILL).expect("it runs");
    }

    /// Waits for a text in its log: the word behind it.
    pub fn word_after(&self, text: &str) -> String {
        let start = Instant::now();
        loop {
            let output = fs::read_to_string(&self.log).unwrap_or_default();
            if let Some((_, rest)) = output.lines().find_map(|line| line.split_once(text)) {
                return rest.split_whitespace().next().unwrap_or_default().to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "it does not say `{text}`: {output}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}
