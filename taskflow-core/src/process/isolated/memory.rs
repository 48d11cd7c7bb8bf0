//! Memory: the limit of a process, and whether the want of it ended one.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Limits the address space of this process.
pub(super) fn limit(bytes: u64) -> io::Result<()> {
    // Nobody may raise what the process itself was given.
    let most = getrlimit(Resource::As).maximum.map_or(bytes, |maximum| maximum.min(bytes));
    Ok(setrlimit(Resource::As, Rlimit { current: Some(most), maximum: Some(most) })?)
}

/// Whether a process says at its end that it got no more memory.
pub(super) fn was_wanting<'a>(stderr: impl IntoIterator<Item = &'a String>) -> bool {
    const SAID: [&str; 4] = ["memory allocation of", "Cannot allocate memory", "std::bad_alloc", "out of memory"];
    stderr.into_iter().any(|line| SAID.iter().any(|said| line.contains(said)))
}

/// How many processes the kernel has killed in our cgroup for want of memory, where it counts them.
pub(super) fn kernel_kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let events = std::fs::read_to_string(format!("/sys/fs/cgroup{own}/memory.events")).ok()?;
    events.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}
