//! The door through which processes come in that run attempts: that of an isolated task, and workers.

use std::sync::atomic::{AtomicBool, Ordering};

/// The word that makes this program run one attempt instead of what it usually does.
#[cfg(unix)]
pub(super) const MODE: &str = "--taskflow-attempt";

/// The word that makes it run many, one after the other, for somebody who is not this program.
#[cfg(unix)]
pub(crate) const WORKER: &str = "--taskflow-worker";

/// Whether `main` of this program has the door.
static OPEN: AtomicBool = AtomicBool::new(false);

/// Runs the attempts that this process was started for and ends it, if it was started for some. Otherwise it returns at once.
///
/// The process of a task with `isolation = "process"` is this program again, and so are the workers on executors of Spark. [`main!`] looks for that by itself; a `main` of
/// your own calls this first, before it reads arguments, starts threads or installs a subscriber:
///
/// ```
/// taskflow::process::child_main();
/// // what the program does
/// ```
///
/// Where `main` cannot be changed, as in tests, `run().in_process(true)` and `run_sequentially` run such tasks in the process of
/// the engine.
///
/// [`main!`]: https://docs.rs/taskflow/latest/taskflow/macro.main.html
pub fn child_main() {
    OPEN.store(true, Ordering::Relaxed);
    #[cfg(unix)]
    {
        let mut arguments = std::env::args_os().skip(1);
        let word = arguments.next().filter(|_| arguments.len() == 0);
        if word.as_ref().is_some_and(|word| word == MODE) {
            std::process::exit(super::isolated::serve());
        }
        if word.is_some_and(|word| word == WORKER) {
            std::process::exit(super::isolated::serve_many());
        }
    }
}

/// Whether a child of this program would come in.
#[cfg(unix)]
pub(crate) fn is_open() -> bool {
    OPEN.load(Ordering::Relaxed)
}
