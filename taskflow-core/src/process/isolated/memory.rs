//! Memory: the limit of a process, and whether the kernel killed one for it.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits the address space of this process.
pub(super) fn limit(bytes: u64) -> io::Result<()> {
    // Nobody may raise what the process itself was given.
    let most = getrlimit(Resource::As).maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// How many processes the kernel has killed in our cgroup for want of memory, where it counts them.
pub(super) fn kernel_kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let events = std::fs::read_to_string(format!("/sys/fs/cgroup{own}/memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
