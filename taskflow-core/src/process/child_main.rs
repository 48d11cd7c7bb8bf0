//! The entry point of processes that run attempts: children of isolated tasks, and workers.

use std::sync::atomic::{AtomicBool, Ordering};

/// The argument that makes this program run a single attempt.
#[cfg(unix)]
pub(super) const MODE: &str = "--taskflow-attempt";

/// The argument that makes this program run many attempts in sequence, on behalf of another
/// program.
#[cfg(unix)]
pub(crate) const WORKER: &str = "--taskflow-worker";

/// Whether `main` of this program calls [`child_main`].
static OPEN: AtomicBool = AtomicBool::new(false);

/// If this process was started to run attempts, runs them and exits. Otherwise returns at once.
///
/// A task with `isolation = "process"` runs in another process of the same program, and so do
/// workers on Spark executors. [`main!`] handles this automatically. A custom `main` must call this
/// function first, before it reads arguments, starts threads or installs a subscriber:
///
/// ```
/// taskflow::process::child_main();
/// // the rest of the program
/// ```
///
/// If `main` cannot be changed, as in tests, `run().in_process(true)` and `run_sequentially` run
/// such tasks in the process of the engine.
///
/// [`main!`]: https://docs.rs/taskflow/latest/taskflow/macro.main.html
pub fn child_main() {
    OPEN.store(true, Ordering::Relaxed);
    #[cfg(unix)]
    {
        let mut arguments = std::env::args_os().skip(1);
        let mode = arguments.next().filter(|_| arguments.len() == 0);
        if mode.as_ref().is_some_and(|mode| mode == MODE) {
            std::process::exit(super::isolated::serve());
        }
        if mode.is_some_and(|mode| mode == WORKER) {
            std::process::exit(super::isolated::serve_many());
        }
    }
}

/// Whether a child of this program would run attempts.
#[cfg(unix)]
pub(crate) fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}
