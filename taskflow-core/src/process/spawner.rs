//! The thread that starts all children.
//!
//! Linux signals the death of a parent when the *thread* that forked ends, and the threads of a runtime end when they have
//! been idle. This one never does. Starting a process also waits for the kernel, which async code should not.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};

use tokio::sync::oneshot;

use super::group::{Group, Lifeline};

/// A child that is to be started.
struct Request {
    command: Command,
    lifeline: Lifeline,
    /// That of the attempt.
    span: tracing::Span,
    reply: oneshot::Sender<io::Result<Started>>,
}

/// A child that was started, and its pipes.
pub(crate) struct Started {
    pub(crate) group: Group,
    pub(crate) child: Pipes,
}

/// What connects us with the child.
pub(crate) struct Pipes {
    pub(crate) stdin: Option<std::process::ChildStdin>,
    pub(crate) stdout: Option<std::process::ChildStdout>,
    pub(crate) stderr: Option<std::process::ChildStderr>,
}

/// Starts a child as the leader of a group of its own; its stdout and stderr are pipes.
///
/// # Errors
///
/// What the operating system says.
pub(crate) async fn spawn(mut command: Command, lifeline: Lifeline) -> io::Result<Started> {
    use std::os::unix::process::CommandExt as _;

    command.process_group(0).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (reply, answer) = oneshot::channel();
    send(Request { command, lifeline, span: tracing::Span::current(), reply })?;
    answer.await.unwrap_or_else(|_| Err(io::Error::other("the thread that starts processes has died")))
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
    for Request { mut command, lifeline, span, reply } in requests {
        let started = span.in_scope(|| command.spawn().map(|child| start(child, lifeline)));
        // Our ends of what the child was given are closed before anybody waits for the child to close its own.
        drop(command);
        // If nobody waits any more, dropping the group ends the child.
        let _ = reply.send(started);
    }
}

fn start(mut child: Child, lifeline: Lifeline) -> Started {
    let pipes = Pipes { stdin: child.stdin.take(), stdout: child.stdout.take(), stderr: child.stderr.take() };
    Started { group: Group::lead_by(child, lifeline), child: pipes }
}
