//! What kills the group of a command when this program dies without having done so, and clears up after it.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Pid;

/// What the shell does. A process that is being killed may still write a file: so it is removed until it is gone.
const SCRIPT: &str = r#"
read -r _
kill -s KILL -- "-$1"
[ -n "$2" ] || exit
for _ in 1 2 3 4 5; do rm -rf -- "$2" && exit; sleep 1; done
"#;

/// A shell that waits for the end of its stdin, which is ours alone, and then kills a group and removes what was made for it.
///
/// A command can be any program, so nothing can be asked of it, and the kernel tells at most the command itself that its parent
/// died, never the processes that it has started.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Watches over the group, and the file or directory that was made for it.
    pub(super) fn over(group: Pid, things: Option<&Path>) -> io::Result<Guard> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "taskflow-guard"]).arg(group.as_raw_nonzero().to_string());
        shell.args(things);
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
