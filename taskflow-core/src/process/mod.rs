//! Child processes: [`Command`]s that tasks run, and tasks with a process of their own for each
//! attempt.
//!
//! Every child leads a process group of its own, and no process of that group outlives the attempt
//! it was started for:
//!
//! 1. A thread that lives as long as the program starts every child (`spawner`). The kernel ties
//!    its reaction to the death of a parent to the *thread* that started the child, and threads of
//!    runtimes come and go.
//! 2. The stdout and stderr of the child go line by line to the log of the attempt (`lines`).
//! 3. A cancelled attempt sends SIGTERM to the group and waits; the engine abandons it after the
//!    grace time of the run. An abandoned attempt (its timeout has passed, its future is dropped)
//!    passes the group to a thread that sends SIGTERM, waits five seconds and sends SIGKILL
//!    (`group`).
//! 4. When the leader has ended, the rest of the group receives SIGKILL, and only then is the
//!    leader reaped: until then its process id cannot be reused, so no signal ever reaches an
//!    unrelated process.
//! 5. When this program dies, even by SIGKILL, a pipe that it holds open is closed. For a command,
//!    a shell reads from such a pipe and then kills the group (`guard`); the process of an isolated
//!    task does that itself (`isolated`).
//!
//! A process that leaves its group (`setsid`) is not covered. If it holds the output of an ended
//! command open, the output up to five seconds later counts, and the log names the process
//! (`holders`).

mod child_main;
mod command;
#[cfg(unix)]
mod descriptors;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod holders;
#[cfg(unix)]
mod isolated;
#[cfg(unix)]
mod lines;
#[cfg(unix)]
mod spawner;
#[cfg(unix)]
mod splitter;

pub use child_main::child_main;
#[cfg(all(unix, feature = "spark"))]
pub(crate) use child_main::{WORKER, is_open};
#[cfg(feature = "spark")]
pub(crate) use command::Text;
pub use command::{Command, CommandError, CommandOutput, Drawn, Known, Word, command};
#[cfg(unix)]
pub(crate) use descriptors::raise as raise_descriptor_limit;
#[cfg(all(unix, feature = "spark"))]
pub(crate) use group::{Group, Lifeline};
#[cfg(unix)]
pub(crate) use isolated::run_isolated;
#[cfg(all(unix, feature = "spark"))]
pub(crate) use isolated::{AttemptRef, FrameReceiver, Reach, next_answer, pack, read_frame, request_of};
#[cfg(all(unix, feature = "spark"))]
pub(crate) use lines::{Following, follow_with};
#[cfg(all(unix, feature = "spark"))]
pub(crate) use spawner::{Pipes, Started, spawn};

/// For fuzzing: reads bytes as what children send and print.
pub(crate) fn read_any(bytes: &[u8]) {
    #[cfg(unix)]
    {
        isolated::read_any(bytes);
        splitter::read_any(bytes);
    }
    #[cfg(not(unix))]
    let _ = bytes;
}

/// The fallback for systems without process groups.
#[cfg(not(unix))]
pub(crate) async fn run_isolated(
    def: &'static crate::task::TaskDef,
    _isolation: crate::task::Isolation,
    _inputs: crate::task::Inputs,
    _identity: crate::task::Identity,
    _control: std::sync::Arc<crate::task::AttemptControl>,
) -> crate::task::Outcome {
    let message =
        format!("the task `{}` is isolated, which is supported only on Unix; run it with `.in_process(true)`", def.id);
    crate::base::Failure::Error { chain: vec![message], retryable: false }.into()
}
