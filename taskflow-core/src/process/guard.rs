//! Kills the process group of a command and removes its files if this program dies.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// The script of the shell. A process may still write files while it is being killed, so removal is
/// repeated until it succeeds.
const SCRIPT: &str = r#"
read -r _
kill -s KILL -- "-$1"
[ -n "$2" ] || exit
for _ in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 1; done
"#;

/// A shell that waits for the end of its stdin, whose other end only this process holds, and then
/// kills a group and removes its files.
///
/// A command can be any program, so it cannot be expected to cooperate. The kernel notifies at most
/// the command itself of the death of its parent, never its descendants.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Starts a guard for the group and the file or directory created for it.
    pub(super) fn over(group: Pid, things: Option<&Path>) -> io::Result<Guard> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "taskflow-guard"]).arg(group.as_raw_nonzero().to_string());
        shell.args(things);
        // In a group of its own, so that neither Ctrl-C nor the end of the command kills it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Guard(shell.spawn()?))
    }

    /// Ends the guard after the group has ended.
    pub(super) fn dismiss(mut self) {
        // If it has already ended, there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
