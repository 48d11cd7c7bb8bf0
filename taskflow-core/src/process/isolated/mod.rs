//! An attempt in a process of its own: this program, started again.
//!
//! 1. The parent starts `/proc/self/exe` (elsewhere the path of the program) with one argument. Stdin of the child is one end of a
//!    socket, stdout and stderr are pipes. A program whose `main` has no [`child_main`](super::child_main) starts nothing.
//! 2. It sends the [order](wire::AttemptRequest): which task, who the attempt is, the limits; and then the inputs as they would be stored.
//! 3. The child sees to its own end first: it asks the kernel for SIGHUP when the parent dies, and a thread of it reads from the
//!    socket and kills the whole group when that is closed; either is enough. Then it sets its memory limit, says that it has come in, and
//!    listens for SIGTERM, which is how an attempt is cancelled.
//! 4. It finds the task among those registered, calls it, and sends records of its log, its progress, its links and named values on
//!    the way. What it can pull from other tasks has come with the order.
//! 5. It sends what came of the call, the value as it would be stored, and exits. Without that the attempt is a
//!    [crash](crate::base::Crash), named after what ended the process.
//!
//! What crosses the socket are frames: eight bytes of length, and as many bytes ([`wire`]).
//!
//! A [`worker`] does the same for many attempts, one after the other, and is started by somebody else: on an executor of Spark.

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
pub(super) use worker::serve_many;
#[cfg(feature = "spark")]
pub(crate) use worker::{next_answer, request_of};
