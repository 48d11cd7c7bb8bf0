//! A process group that does not outlive its owner.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::signal::unix::{SignalKind, signal};

use tokio::sync::OwnedSemaphorePermit;

use super::guard::Guard;
use crate::task::ProcessHold;

/// The time between SIGTERM and SIGKILL for an abandoned group.
const GRACE: Duration = Duration::from_secs(5);

/// Kills the group when this program dies.
#[derive(Debug)]
pub(crate) enum Lifeline {
    /// No guard yet: a [`Guard`] starts once the group exists. Contains the file or directory
    /// created for the group, if any.
    Guard(Option<PathBuf>),
    /// Our end of a socket that the leader reads from.
    Socket(OwnedFd),
}

/// An unreaped child and the group it leads. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Taken when the child is reaped.
    child: Option<Child>,
    id: Pid,
    /// When it was asked to end.
    asked: Option<Instant>,
    guard: Option<Guard>,
    /// Open until the group has ended.
    _socket: Option<OwnedFd>,
    _permit: Option<OwnedSemaphorePermit>,
    /// Dropped last: the attempt waits for the end of the group.
    _hold: Option<ProcessHold>,
}

impl Group {
    pub(super) fn lead_by(
        child: Child,
        lifeline: Lifeline,
        permit: OwnedSemaphorePermit,
        hold: Option<ProcessHold>,
    ) -> Self {
        let id = Pid::from_child(&child);
        let (guard, socket) = match lifeline {
            Lifeline::Socket(socket) => (None, Some(socket)),
            Lifeline::Guard(things) => match Guard::over(id, things.as_deref()) {
                Ok(guard) => (Some(guard), None),
                Err(error) => {
                    tracing::warn!(
                        target: "taskflow",
                        "no guard for process group {id:?} ({error}): it would outlive a SIGKILL of this program"
                    );
                    (None, None)
                }
            },
        };
        Group { child: Some(child), id, asked: None, guard, _socket: socket, _permit: Some(permit), _hold: hold }
    }

    /// Sends SIGTERM to the group.
    pub(crate) fn terminate(&mut self) {
        self.asked.get_or_insert_with(Instant::now);
        // The leader is not reaped yet, so the group exists.
        let _ = kill_process_group(self.id, Signal::TERM);
    }

    /// Waits until the leader has ended, without reaping it. Cancel safe.
    ///
    /// # Errors
    ///
    /// If signals cannot be received.
    pub(crate) async fn ended(&self) -> io::Result<()> {
        let mut children = signal(SignalKind::child())?;
        while !self.has_ended()? {
            children.recv().await;
        }
        Ok(())
    }

    fn has_ended(&self) -> io::Result<bool> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(self.id), options)?.is_some())
    }

    /// Kills the rest of the group, reaps the leader and returns its status.
    ///
    /// # Errors
    ///
    /// If the child has already been reaped elsewhere.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        self.reap().unwrap_or_else(|| Err(io::Error::other("the process was reaped before")))
    }

    fn reap(&mut self) -> Option<io::Result<ExitStatus>> {
        let mut child = self.child.take()?;
        let _ = kill_process_group(self.id, Signal::KILL);
        // Before the leader is reaped: afterwards, another group may get the number.
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
        Some(child.wait())
    }

    /// Gives the leader the rest of its grace time, then kills the group.
    fn abandon(mut self) {
        let until = self.asked.unwrap_or_else(Instant::now) + GRACE;
        while Instant::now() < until && !self.has_ended().unwrap_or(true) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.reap();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        if self.asked.is_none() {
            self.terminate();
        }
        let socket = self._socket.take();
        let rest = Group {
            child: self.child.take(),
            id: self.id,
            asked: self.asked,
            guard: self.guard.take(),
            _socket: socket,
            _permit: self._permit.take(),
            _hold: self._hold.take(),
        };
        let mut rest = Some(rest);
        // Async code may drop it and must not block.
        let thread = std::thread::Builder::new().name("taskflow-reaper".to_owned());
        let (sender, group) = std::sync::mpsc::channel::<Group>();
        if thread.spawn(move || group.into_iter().for_each(Group::abandon)).is_ok()
            && let Some(group) = rest.take()
            && let Err(std::sync::mpsc::SendError(mut group)) = sender.send(group)
        {
            let _ = group.reap();
        }
        if let Some(mut group) = rest {
            // Without a thread there is no grace time.
            let _ = group.reap();
        }
    }
}
