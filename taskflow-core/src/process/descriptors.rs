//! File descriptors: the limit of the process, and who may use them.
//!
//! 1. The soft limit of the process is raised to the hard one, as the runtimes of Go and Java do.
//!    Children get the limit that the process had: programs that call `select` cannot use more.
//! 2. A group of processes needs descriptors: pipes, and the pipe of its guard. It waits until
//!    there are some, instead of failing with "too many open files".

use std::io;
use std::sync::{Arc, OnceLock};

use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// For everything besides processes: the store, logs, sockets of tasks.
const RESERVED: u64 = 128;
/// What a group of processes needs, while it starts included.
const PER_GROUP: u64 = 8;

/// The limits of the process.
struct Limits {
    /// As the process was started.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "limits of other processes are set on Linux only"))]
    before: Rlimit,
    /// How many groups can exist at once.
    groups: Arc<Semaphore>,
}

fn limits() -> &'static Limits {
    static LIMITS: OnceLock<Limits> = OnceLock::new();
    LIMITS.get_or_init(|| {
        let before = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: before.maximum, maximum: before.maximum };
        // It may be refused, on macOS for example above a limit of the kernel.
        let current = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { before.current };
        let groups = current.map_or(u64::MAX, |current| current.saturating_sub(RESERVED) / PER_GROUP).max(1);
        let groups = usize::try_from(groups).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Limits { before, groups: Arc::new(Semaphore::new(groups)) }
    })
}

/// Raises the limit of the process, once.
pub(crate) fn raise() {
    limits();
}

/// Waits until a group of processes can be started. Held until the group has ended. Cancel safe.
pub(super) async fn permit() -> io::Result<OwnedSemaphorePermit> {
    Arc::clone(&limits().groups).acquire_owned().await.map_err(io::Error::other)
}

/// Gives a child the limit that this process was started with.
pub(super) fn restore(child: Pid) {
    #[cfg(target_os = "linux")]
    // A child that has ended does not need it.
    let _ = rustix::process::prlimit(Some(child), Resource::Nofile, limits().before);
    #[cfg(not(target_os = "linux"))]
    let _ = child;
}

/// Whether the process or the system has no descriptors left.
pub(super) fn are_exhausted(error: &io::Error) -> bool {
    let codes = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(rustix::io::Errno::raw_os_error);
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}
