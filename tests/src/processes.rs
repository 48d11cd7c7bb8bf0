//! Processes that a test has not started itself.

use rustix::process::{Pid, test_kill_process};

/// Whether a process exists and is not a zombie.
pub fn is_alive(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let is_zombie = status.is_ok_and(|status| status.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')));
    test_kill_process(pid).is_ok() && !is_zombie
}
