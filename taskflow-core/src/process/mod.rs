//! Child processes: [`Command`]s that tasks run, and tasks that have a process of their own for each attempt.
//!
//! Every child leads a process group of its own, and no process of that group outlives the attempt it was started for:
//!
//! 1. A thread that lives as long as the program starts every child (`spawner`). The kernel ties what it does at the death of
//!    a parent to the *thread* that started the child, and threads of runtimes come and go.
//! 2. What the child writes to stdout and stderr goes line by line into the log of the attempt (`lines`).
//! 3. A cancelled attempt sends SIGTERM to the group, and waits: the engine gives up after the grace time of the run. An
//!    attempt that is given up (its time is over, its future is dropped) leaves the group to a thread that sends SIGTERM,
//!    waits five seconds, and sends SIGKILL (`group`).
//! 4. When the leader has ended, SIGKILL goes to the rest of the group, and only then is the leader reaped: until then its
//!    number cannot belong to anybody else, so no signal ever hits a stranger.
//! 5. When this program dies, by SIGKILL even, a pipe that it held open is closed. Beside a command waits a shell that reads
//!    from such a pipe and then kills the group (`guard`); the process of an isolated task does that itself (`isolated`).
//!
//! A process that leaves its group (`setsid`) is on its own.

mod child_main;
mod command;
#[cfg(unix)]
mod group;
#[cfg(unix)]
mod guard;
#[cfg(unix)]
mod isolated;
#[cfg(unix)]
mod lines;
#[cfg(unix)]
mod spawner;

pub use child_main::child_main;
#[cfg(all(unix, feature = "spark"))]
pub(crate) use child_main::{WORKER, is_open};
#[cfg(feature = "spark")]
pub(crate) use command::Text;
pub use command::{Command, CommandError, CommandOutput, Drawn, Known, Word, command};
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

/// There are no process groups to build on.
#[cfg(not(unix))]
pub(crate) async fn run_isolated(
    def: &'static crate::task::TaskDef,
    _isolation: crate::task::Isolation,
    _inputs: crate::task::Inputs,
    _identity: crate::task::Identity,
    _control: std::sync::Arc<crate::task::AttemptControl>,
) -> crate::task::Outcome {
    let message = format!(
        "the task `{}` is isolated, and processes of their own are for Unix only; `.in_process(true)` runs it here",
        def.id
    );
    crate::base::Failure::Error { chain: vec![message], retryable: false }.into()
}
