//! Runs an attempt in a process of its own: this program, started again.
//!
//! 1. The parent starts `/proc/self/exe` (elsewhere the path of the program) with one argument.
//!    Stdin of the child is one end of a socket, stdout and stderr are pipes. A program whose
//!    `main` does not call [`child_main`](super::child_main) starts no children.
//! 2. The parent sends the [request](wire::AttemptRequest) (the task, the attempt, the limits),
//!    followed by the serialized inputs.
//! 3. The child first ensures its own end: it asks the kernel for SIGHUP when the parent dies, and
//!    one of its threads reads from the socket and kills the whole group when that is closed;
//!    either is sufficient. Then it sets its memory limit, reports that it has entered, and listens
//!    for SIGTERM, which cancels the attempt.
//! 4. The child finds the task among those registered, calls it, and meanwhile sends log records,
//!    progress, links and named values. The XComs that it can pull are part of the request.
//! 5. The child sends the result of the call, with a serialized value, and exits. Without a result,
//!    the attempt is a [crash](crate::base::Crash), described by what ended the process.
//!
//! The socket carries frames: a length of eight bytes, followed by as many bytes ([`wire`]).
//!
//! A [`worker`] does the same for many attempts in sequence; Spark starts it on an executor.

mod attempt_request;
mod child;
mod memory;
mod parent;
mod receiver;
mod remote_host;
mod wire;
mod worker;

#[cfg(feature = "spark")]
pub(crate) use attempt_request::{Reach, pack};
pub(super) use child::serve;
pub(crate) use parent::run_isolated;
#[cfg(feature = "spark")]
pub(crate) use receiver::{AttemptRef, FrameReceiver};
#[cfg(feature = "spark")]
pub(crate) use wire::read as read_frame;
pub(super) use wire::read_any;
pub(super) use worker::serve_many;
#[cfg(feature = "spark")]
pub(crate) use worker::{next_answer, request_of};
