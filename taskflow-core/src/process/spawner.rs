//! The thread that starts all children.
//!
//! Linux signals the death of a parent when the *thread* that forked ends, and the threads of a
//! runtime end when they are idle. This thread never ends. Starting a process also blocks on the
//! kernel, which async code should not do.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rustix::process::Pid;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::descriptors;
use super::group::{Group, Lifeline};
use crate::task::ProcessHold;

/// How long a child waits for descriptors that are not those of other children.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries.
const RETRY: Duration = Duration::from_millis(50);

/// A child to start.
struct Request {
    command: Command,
    lifeline: Lifeline,
    permit: OwnedSemaphorePermit,
    hold: Option<ProcessHold>,
    /// The span of the attempt.
    span: tracing::Span,
    reply: oneshot::Sender<Result<Started, Refused>>,
}

/// A child that could not be started.
struct Refused(io::Error, Box<Request>);

/// A started child and its pipes.
pub(crate) struct Started {
    pub(crate) group: Group,
    pub(crate) child: Pipes,
}

/// The connections to the child.
pub(crate) struct Pipes {
    pub(crate) stdin: Option<std::process::ChildStdin>,
    pub(crate) stdout: Option<std::process::ChildStdout>,
    pub(crate) stderr: Option<std::process::ChildStderr>,
}

/// Starts a child as the leader of a group of its own, with pipes for stdout and stderr. `hold` is
/// that of the attempt which it belongs to.
///
/// # Errors
///
/// The error of the operating system.
pub(crate) async fn spawn(mut command: Command, lifeline: Lifeline, hold: Option<ProcessHold>) -> io::Result<Started> {
    use std::os::unix::process::CommandExt as _;

    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let permit = descriptors::permit().await?;
    let (reply, mut answer) = oneshot::channel();
    let mut request = Request { command, lifeline, permit, hold, span: tracing::Span::current(), reply };
    let start = Instant::now();
    loop {
        send(request)?;
        match answer.await {
            Ok(Ok(started)) => return Ok(started),
            Ok(Err(Refused(error, again))) if descriptors::are_exhausted(&error) && start.elapsed() < PATIENCE => {
                request = *again;
                (request.reply, answer) = oneshot::channel();
                tokio::time::sleep(RETRY).await;
            }
            Ok(Err(Refused(error, _))) => return Err(error),
            Err(_) => return Err(io::Error::other("the thread that starts processes has died")),
        }
    }
}

fn send(request: Request) -> io::Result<()> {
    static SPAWNER: Mutex<Option<mpsc::Sender<Request>>> = Mutex::new(None);

    let mut spawner = SPAWNER.lock().unwrap_or_else(PoisonError::into_inner);
    let sender = match &*spawner {
        Some(sender) => sender,
        None => {
            let (sender, requests) = mpsc::channel();
            std::thread::Builder::new().name("taskflow-spawner".to_owned()).spawn(move || work(&requests))?;
            spawner.insert(sender)
        }
    };
    sender.send(request).map_err(|_| io::Error::other("the thread that starts processes has died"))
}

fn work(requests: &mpsc::Receiver<Request>) {
    for mut request in requests {
        let span = request.span.clone();
        let spawned = span.in_scope(|| request.command.spawn());
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let (unused, _) = oneshot::channel();
                let reply = std::mem::replace(&mut request.reply, unused);
                let _ = reply.send(Err(Refused(error, Box::new(request))));
                continue;
            }
        };
        let Request { command, lifeline, permit, hold, span, reply } = request;
        let started = span.in_scope(|| start(child, lifeline, permit, hold));
        // Close this process's copies of the child's pipe ends before anyone waits for the child to
        // close its own.
        drop(command);
        // If the receiver is gone, dropping the group kills the child.
        let _ = reply.send(Ok(started));
    }
}

fn start(mut child: Child, lifeline: Lifeline, permit: OwnedSemaphorePermit, hold: Option<ProcessHold>) -> Started {
    descriptors::restore(Pid::from_child(&child));
    let pipes = Pipes { stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() };
    Started { group: Group::lead_by(child, lifeline, permit, hold), child: pipes }
}
