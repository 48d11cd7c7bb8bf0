//! The parent of an isolated task: the engine's side.

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
use super::super::holders;
use super::super::lines::{Following, Stream, StreamTail, follow};
use super::super::spawner::{self, Started};
use super::attempt_request::{Reach, pack};
use super::receiver::{AttemptRef, FrameReceiver};
use super::{memory, wire};
use crate::base::{Crash, Failure};
use crate::log::with_backpressure;
use crate::task::{AttemptControl, Identity, Inputs, Isolation, Outcome, TaskDef};

/// The time limit from the start of a child to its first frame.
const ENTER_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for an ended child to close its pipes, and for a child to exit after its result.
const LEAVING: Duration = Duration::from_secs(5);

/// Runs an attempt in a process of its own. Dropping the future kills that process and everything
/// it has started.
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
    /// The frames of the request and the inputs.
    fn pack(&self, inputs: Inputs) -> Result<Vec<Vec<u8>>, Failure> {
        if !is_open() {
            let message = format!(
                "the task `{}` runs in a copy of this program, but its `main` does not call \
                 `taskflow::process::child_main()`",
                self.def.id
            );
            let help = "call it first in `main`, as `taskflow::main!` does; a test may use `.in_process(true)` instead";
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
        let (mut reading, mut writing) = socket.split();
        let mut received = FrameReceiver::default();
        let talk = async {
            // If the child dies before it has read everything, its missing result shows that.
            let send = async {
                for frame in &frames {
                    if wire::send(&mut writing, frame).await.is_err() {
                        break;
                    }
                }
            };
            tokio::join!(send, self.listen(&mut reading, &mut received));
        };
        let asked = self.attend(&mut group, talk).await.map_err(started)?;

        // After its result, the child has a moment to flush and exit by itself.
        if received.ending.is_some() || received.stopped {
            let _ = timeout(LEAVING, group.ended()).await;
        }
        let status = group.finish().map_err(started)?;
        let stderr = rest(streams).await;
        match received {
            FrameReceiver { stopped: true, .. } if asked => Err(cancelled()),
            FrameReceiver { ending: Some(Outcome::Success(_)), push_failure: Some(failure), .. } => Err(failure),
            FrameReceiver { ending: Some(ending), .. } => Ok(ending),
            _ if asked => Err(cancelled()),
            // Another process has sent the signal that cancels attempts.
            FrameReceiver { stopped: true, .. } => {
                Err(Failure::Crashed { crash: Crash::Signal { number: 15 }, stderr: stderr.last.into() })
            }
            FrameReceiver { entered: false, .. } if !was_killed(status) => Err(self.not_entered(status, stderr)),
            _ => Err(Failure::Crashed { crash: self.crash(status, &stderr, kills), stderr: stderr.last.into() }),
        }
    }

    async fn start(&self) -> io::Result<(Group, UnixStream, [Option<Following>; 2])> {
        let hold = self.control.hold().ok_or_else(|| io::Error::other("the attempt is over"))?;
        let (ours, theirs) = StdStream::pair()?;
        let own = std::env::current_exe()?;
        // The file may have been replaced since: this is the program that is running.
        let program = if cfg!(target_os = "linux") { "/proc/self/exe".into() } else { own.clone() };
        let mut command = Command::new(program);
        command.arg0(own).arg(MODE).stdin(Stdio::from(OwnedFd::from(theirs)));
        let lifeline = Lifeline::Socket(ours.try_clone()?.into());
        let Started { group, child } = spawner::spawn(command, lifeline, Some(hold)).await?;
        ours.set_nonblocking(true)?;
        let socket = UnixStream::from_std(ours)?;
        let streams = [
            child
                .stdout
                .map(tokio::process::ChildStdout::from_std)
                .transpose()?
                .map(|pipe| follow(pipe, Stream::Stdout, 0)),
            child
                .stderr
                .map(tokio::process::ChildStderr::from_std)
                .transpose()?
                .map(|pipe| follow(pipe, Stream::Stderr, 0)),
        ];
        Ok((group, socket, streams))
    }

    /// Waits until the child has sent its result or has ended. Returns whether it was asked to end.
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
                    // Its last frames may still be in the socket, and its descendants may hold the
                    // socket open.
                    let _ = timeout(LEAVING, talk).await;
                    return Ok(asked);
                }
            }
        }
    }

    /// Receives frames up to the result.
    async fn listen(&self, reading: &mut (impl tokio::io::AsyncRead + Unpin), received: &mut FrameReceiver) {
        let attempt = AttemptRef { def: self.def, identity: &self.identity, control: &self.control };
        loop {
            let frame = wire::receive(reading);
            let frame = if received.entered { Ok(frame.await) } else { timeout(ENTER_TIMEOUT, frame).await };
            let Ok(Ok(Some(frame))) = frame else { return };
            let (is_valid, pressure) = with_backpressure(|| received.take(&frame, &attempt));
            if !is_valid || received.is_over() {
                return;
            }
            // The child waits for its socket: no record of it is lost.
            if let Some(pressure) = pressure {
                pressure.wait().await;
            }
        }
    }

    /// The child did not enter the attempt mode.
    fn not_entered(&self, status: ExitStatus, stderr: StreamTail) -> Failure {
        let end = match status.code() {
            Some(code) => format!("it exited with code {code}"),
            None => "it was killed after the time limit".to_owned(),
        };
        let message = format!(
            "the process of the task `{}` did not start the attempt ({end}): `taskflow::process::child_main()` must \
             come before everything else in `main`",
            self.def.id
        );
        Failure::Error { chain: [message].into_iter().chain(stderr.last).collect(), retryable: false }
    }

    fn crash(&self, status: ExitStatus, stderr: &StreamTail, kills: Option<u64>) -> Crash {
        match (self.isolation.memory, status.signal()) {
            (Some(limit), _) if stderr.wants_memory => Crash::MemoryLimit { limit },
            (_, Some(9)) if kills.is_some_and(|before| memory::kernel_kills() > Some(before)) => Crash::OutOfMemory,
            (_, Some(number)) => Crash::Signal { number },
            (_, None) => Crash::Exit { code: status.code().unwrap_or_default() },
        }
    }
}

/// Killed by a signal other than the one used when it takes too long to enter.
fn was_killed(status: ExitStatus) -> bool {
    status.signal().is_some_and(|signal| signal != 9)
}

fn cancelled() -> Failure {
    Failure::Cancelled { reason: "the attempt was cancelled".to_owned() }
}

/// Waits for the rest of its output; returns the tail of stderr.
async fn rest(streams: [Option<Following>; 2]) -> StreamTail {
    let finish = async |following: Option<Following>| match following {
        Some(mut following) => following.finish(LEAVING).await,
        None => StreamTail::default(),
    };
    let [stdout, stderr] = streams;
    let (mut out, mut err) = tokio::join!(finish(stdout), finish(stderr));
    let open = [("stdout", out.held.take()), ("stderr", err.held.take())];
    holders::report(open.into_iter().filter_map(|(name, pipe)| Some((name, pipe?))).collect(), LEAVING).await;
    err
}
