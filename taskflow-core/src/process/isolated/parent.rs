//! The side of the engine.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::time::timeout;

use super::super::child_main::{MODE, is_open};
use super::super::group::{Group, Lifeline};
use super::super::lines::{Following, FrameReceiver as Said, Stream, follow};
use super::super::spawner::{self, Started};
use super::attempt_request::{Reach, pack};
use super::receiver::{AttemptRef, FrameReceiver};
use super::{memory, wire};
use crate::base::{Crash, Failure};
use crate::task::{AttemptControl, Identity, Inputs, Isolation, Outcome, TaskDef};

/// How long a child may take from its start to its first word.
const ENTERING: Duration = Duration::from_secs(30);
/// How long what has ended may take to close its pipes, and what has answered to end.
const LEAVING: Duration = Duration::from_secs(5);

/// Runs an attempt in a process of its own. Dropping the future ends that process and all it has started.
pub(crate) async fn run_isolated(
    def: &'static TaskDef,
    isolation: Isolation,
    inputs: Inputs,
    identity: Identity,
    control: Arc<AttemptControl>,
) -> Outcome {
    let attempt = Attempt { def, isolation, identity, control };
    let ending = match attempt.pack(inputs) {
        Ok(frames) => attempt.run(frames).await,
        Err(failure) => Err(failure),
    };
    ending.unwrap_or_else(Outcome::from)
}

struct Attempt {
    def: &'static TaskDef,
    isolation: Isolation,
    identity: Identity,
    control: Arc<AttemptControl>,
}

impl Attempt {
    /// The order and the inputs, as they are sent.
    fn pack(&self, inputs: Inputs) -> Result<Vec<Vec<u8>>, Failure> {
        if !is_open() {
            let message = format!(
                "the task `{}` has a process of its own, which is this program started again, and the `main` of this program \
                 does not call `taskflow::process::child_main()`",
                self.def.id
            );
            let help =
                "call it first in `main` (`taskflow::main!` does), or run with `.in_process(true)`, as a test may";
            return Err(Failure::Error { chain: vec![message, help.to_owned()], retryable: false });
        }
        let reach = Reach {
            parent: rustix::process::getpid().as_raw_nonzero().get(),
            memory: self.isolation.memory,
            artifacts: true,
        };
        pack(self.def, inputs, &self.identity, reach)
    }

    async fn run(&self, frames: Vec<Vec<u8>>) -> Result<Outcome, Failure> {
        let started = |error: io::Error| Failure::Error {
            chain: vec![format!("the process of the task `{}` cannot be started", self.def.id), error.to_string()],
            retryable: true,
        };
        let kills = memory::kernel_kills();
        let (mut group, mut socket, streams) = self.start().await.map_err(started)?;
        let [stdout, stderr] = streams;

        let (mut reading, mut writing) = socket.split();
        let mut heard = FrameReceiver::default();
        let talk = async {
            // A child that dies before it has read everything is found out by what it does not say.
            let send = async {
                for frame in &frames {
                    if wire::send(&mut writing, frame).await.is_err() {
                        break;
                    }
                }
            };
            tokio::join!(send, self.listen(&mut reading, &mut heard));
        };
        let asked = self.attend(&mut group, talk).await.map_err(started)?;

        // What has answered has a moment to leave by itself: for what it has not flushed.
        if heard.ending.is_some() || heard.stopped {
            let _ = timeout(LEAVING, group.ended()).await;
        }
        let status = group.finish().map_err(started)?;
        let said = rest(stdout, stderr).await;
        match heard {
            FrameReceiver { stopped: true, .. } if asked => Err(cancelled()),
            FrameReceiver { ending: Some(Outcome::Success(_)), unkept: Some(failure), .. } => Err(failure),
            FrameReceiver { ending: Some(ending), .. } => Ok(ending),
            _ if asked => Err(cancelled()),
            // Somebody else has sent what we send to cancel.
            FrameReceiver { stopped: true, .. } => {
                Err(Failure::Crashed { crash: Crash::Signal { number: 15 }, stderr: said.last.into() })
            }
            FrameReceiver { entered: false, .. } if !was_killed(status) => Err(self.stayed_out(status, said)),
            _ => Err(Failure::Crashed { crash: self.crash(status, &said, kills), stderr: said.last.into() }),
        }
    }

    async fn start(&self) -> io::Result<(Group, UnixStream, [Following; 2])> {
        let (ours, theirs) = StdStream::pair()?;
        let own = std::env::current_exe()?;
        // The file may have been replaced since: what runs is what this program was started from.
        let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { own.clone() };
        let mut command = Command::new(program);
        command.arg0(own).arg(MODE).stdin(Stdio::from(OwnedFd::from(theirs)));
        let lifeline = Lifeline::Socket(ours.try_clone()?.into());
        let Started { group, child } = spawner::spawn(command, lifeline).await?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let streams = [
            follow_pipe(child.stdout.map(tokio::process::ChildStdout::from_std).transpose()?, Stream::Stdout),
            follow_pipe(child.stderr.map(tokio::process::ChildStderr::from_std).transpose()?, Stream::Stderr),
        ];
        Ok((group, socket, streams))
    }

    /// Waits until the child has said all it has to say or has ended. Whether it was asked to end.
    async fn attend(&self, group: &mut Group, talk: impl Future<Output = ()>) -> io::Result<bool> {
        let mut talk = std::pin::pin!(talk);
        let mut asked = false;
        loop {
            tokio::select! {
                () = &mut talk => return Ok(asked),
                () = self.control.cancelled(), if !asked => {
                    asked = true;
                    group.terminate();
                }
                ended = group.ended() => {
                    ended?;
                    // What it said last is still on its way; what it has started may hold the socket open.
                    let _ = timeout(LEAVING, talk).await;
                    return Ok(asked);
                }
            }
        }
    }

    /// Takes in what the child says, up to its answer.
    async fn listen(&self, reading: &mut (impl tokio::io::AsyncRead + Unpin), heard: &mut FrameReceiver) {
        let ear = AttemptRef { def: self.def, identity: &self.identity, control: &self.control };
        loop {
            let frame = wire::receive(reading);
            let frame = if heard.entered { Ok(frame.await) } else { timeout(ENTERING, frame).await };
            let Ok(Ok(Some(frame))) = frame else { return };
            if !heard.take(&frame, &ear) || heard.is_over() {
                return;
            }
        }
    }

    /// The child did something else than what it was started for.
    fn stayed_out(&self, status: ExitStatus, stderr: Said) -> Failure {
        let end = match status.code() {
            Some(code) => format!("it exited with code {code}"),
            None => "it had to be killed".to_owned(),
        };
        let message = format!(
            "the process of the task `{}` did not take up the attempt ({end}): `taskflow::process::child_main()` must come \
             before everything else in `main`",
            self.def.id
        );
        Failure::Error { chain: [message].into_iter().chain(stderr.last).collect(), retryable: false }
    }

    fn crash(&self, status: ExitStatus, stderr: &Said, kills: Option<u64>) -> Crash {
        match (self.isolation.memory, status.signal()) {
            (Some(limit), _) if stderr.wants_memory => Crash::MemoryLimit { limit },
            (_, Some(9)) if kills.is_some_and(|before| memory::kernel_kills() > Some(before)) => Crash::OutOfMemory,
            (_, Some(number)) => Crash::Signal { number },
            (_, None) => Crash::Exit { code: status.code().unwrap_or_default() },
        }
    }
}

/// By a signal that is not what we end it with ourselves when it takes too long to come in.
fn was_killed(status: ExitStatus) -> bool {
    status.signal().is_some_and(|signal| signal != 9)
}

fn cancelled() -> Failure {
    Failure::Cancelled { reason: "the attempt was asked to end".to_owned() }
}

fn follow_pipe(pipe: Option<impl tokio::io::AsyncRead + Send + Unpin + 'static>, stream: Stream) -> Following {
    match pipe {
        Some(pipe) => follow(pipe, stream, 0),
        None => follow(tokio::io::empty(), stream, 0),
    }
}

/// Waits for the rest of what it wrote: what was heard on stderr.
async fn rest(mut stdout: Following, mut stderr: Following) -> Said {
    let both = async { tokio::join!(stdout.heard(), stderr.heard()).1 };
    timeout(LEAVING, both).await.unwrap_or_default()
}
