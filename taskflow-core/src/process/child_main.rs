//! The door through which the process of an isolated task comes in.

use std::sync::atomic::{AtomicBool, Ordering};

/// The word that makes this program run one attempt instead of what it usually does.
#[cfg(unix)]
pub(super) const MODE: &str = "--taskflow-attempt";

/// Whether `main` of this program has the door.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Runs one attempt of an isolated task and ends the process, if that is what this process was started for. Otherwise it
/// returns at once.
///
/// The process of a task with `isolation = "process"` is this program again. [`main!`] looks for that by itself; a `main` of
/// your own calls this first, before it reads arguments, starts threads or installs a subscriber:
///
/// ```
/// taskflow::process::child_main();
/// // what the program does
/// ```
///
/// Where `main` cannot be changed, as in tests, `run().in_process(true)` and `run_sequentially` run isolated tasks in the
/// process of the engine.
///
/// [`main!`]: https://docs.rs/taskflow/latest/taskflow/macro.main.html
pub fn child_main() {
    OPEN.store(true, Ordering::Relaxed);
    #[cfg(unix)]
    {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|word| word == MODE) && arguments.next().is_none() {
            std::process::exit(super::isolated::serve());
        }
    }
}

/// Whether a child of this program would come in.
#[cfg(unix)]
pub(super) fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}
