//! The memory limit of a process, and detection of kernel OOM kills.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits the address space of this process.
pub(super) fn limit(bytes: u64) -> io::Result<()> {
    // A process cannot raise its own hard limit.
    let most = getrlimit(Resource::As).maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// How many processes of this cgroup the kernel has killed for lack of memory, if it counts them.
pub(super) fn kernel_kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let events = std::fs::read_to_string(format!("/sys/fs/cgroup{own}/memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
