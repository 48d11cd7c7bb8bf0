//! A process group that does not outlive its owner.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::signal::unix::{SignalKind, signal};

use super::guard::Guard;

/// How long a group that is given up has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// What ends the group when this program dies.
#[derive(Debug)]
pub(crate) enum Lifeline {
    /// Nothing yet; a [`Guard`] is set when the group is there. With the file or directory that was made for the group, if there is one.
    Guard(Option<PathBuf>),
    /// Our end of a socket from which the leader reads.
    Socket(OwnedFd),
}

/// A child that has not been reaped, and the group that it leads. Dropping it ends the group.
#[derive(Debug)]
pub(crate) struct Group {
    /// Taken when it is reaped.
    child: Option<Child>,
    id: Pid,
    /// When it was asked to end.
    asked: Option<Instant>,
    guard: Option<Guard>,
    /// Open until the group has ended.
    _socket: Option<OwnedFd>,
}

impl Group {
    pub(super) fn lead_by(child: Child, lifeline: Lifeline) -> Self {
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
        Group { child: Some(child), id, asked: None, guard, _socket: socket }
    }

    /// Asks the group to end: SIGTERM.
    pub(crate) fn terminate(&mut self) {
        self.asked.get_or_insert_with(Instant::now);
        // The leader has not been reaped, so the group is there.
        let _ = kill_process_group(self.id, Signal::TERM);
    }

    /// Waits until the leader has ended; it is not reaped. Cancel safe.
    ///
    /// # Errors
    ///
    /// When signals cannot be listened for.
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

    /// Kills what is left of the group and says how the leader ended.
    ///
    /// # Errors
    ///
    /// When somebody else has reaped our child.
    pub(crate) fn finish(mut self) -> io::Result<ExitStatus> {
        self.reap().unwrap_or_else(|| Err(io::Error::other("the process was reaped before")))
    }

    fn reap(&mut self) -> Option<io::Result<ExitStatus>> {
        let mut child = self.child.take()?;
        let _ = kill_process_group(self.id, Signal::KILL);
        // Before the leader is reaped: from then on the number of the group may be that of another one.
        if let Some(guard) = self.guard.take() {
            guard.dismiss();
        }
        Some(child.wait())
    }

    /// Gives the leader the rest of its grace time, then ends the group.
    fn give_up(mut self) {
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
        };
        let mut rest = Some(rest);
        // Whoever drops it may be async code and must not wait.
        let thread = std::thread::Builder::new().name("taskflow-reaper".to_owned());
        let (sender, group) = std::sync::mpsc::channel::<Group>();
        if thread.spawn(move || group.into_iter().for_each(Group::give_up)).is_ok()
            && let Some(group) = rest.take()
            && let Err(std::sync::mpsc::SendError(mut group)) = sender.send(group)
        {
            let _ = group.reap();
        }
        if let Some(mut group) = rest {
            // No thread is to be had: then there is no grace.
            let _ = group.reap();
        }
    }
}
