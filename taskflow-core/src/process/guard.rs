//! What kills the group of a command when this program dies without having done so.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// A shell that waits for the end of its stdin, which is ours alone, and then kills a group.
///
/// A command can be any program, so nothing can be asked of it, and the kernel tells at most the command itself that its parent
/// died, never the processes that it has started.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Watches over the group.
    pub(super) fn over(group: Pid) -> io::Result<Guard> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "taskflow-guard"]);
        shell.arg(group.as_raw_nonzero().to_string());
        // In a group of its own: neither Ctrl-C nor the end of the command is meant for it.
        shell.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Guard(shell.spawn()?))
    }

    /// The group has ended.
    pub(super) fn dismiss(mut self) {
        // It may be gone already; then there is nothing to do.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
