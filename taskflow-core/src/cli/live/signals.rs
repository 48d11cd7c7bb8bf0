//! Signals that ask the program to end, as futures.
//!
//! | signal | sent by | the first one | the second one |
//! |---|---|---|---|
//! | SIGINT | Ctrl-C on a terminal | drains | ends the program at once |
//! | SIGTERM | a supervisor: systemd, Kubernetes, `kill` | drains | ends the program at once |
//! | SIGHUP | the terminal when it is closed | drains | ends the program at once |
//!
//! To drain is to leave without losing work ([`Engine::drain`](crate::engine::Engine::drain)): no
//! task starts any more, running ones are asked to stop and have the grace time, and the run stays
//! `interrupted`, so that `resume` continues it. No signal ends a run for good: that is what the
//! verb `cancel` does. Only a run that is not stored cannot be resumed; the first signal cancels
//! it.
//!
//! A drained run runs no teardown: `resume` continues inside the scope, whose setup may be
//! expensive. `cancel` of the interrupted run names the teardowns that are left.
//!
//! A signal that the program was started to ignore stays ignored: SIGHUP under `nohup`, SIGINT in
//! the background of a shell script.

use std::io;

use super::super::error::Exit;

/// A signal that asks the program to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli) enum Signal {
    /// Ctrl-C.
    Interrupt,
    Terminate,
    /// The terminal was closed.
    HangUp,
}

impl Signal {
    pub(in crate::cli) fn exit(self) -> Exit {
        match self {
            Signal::Interrupt => Exit::Interrupted,
            Signal::Terminate => Exit::Terminated,
            Signal::HangUp => Exit::HungUp,
        }
    }

    /// The reason in the report of the run.
    pub(in crate::cli) fn reason(self) -> &'static str {
        match self {
            Signal::Interrupt => "interrupted",
            Signal::Terminate => "terminated",
            Signal::HangUp => "the terminal was closed",
        }
    }

    /// What ends the program at once after this one, in words.
    pub(in crate::cli) fn again(self) -> &'static str {
        match self {
            Signal::Interrupt => "Ctrl-C again",
            Signal::Terminate | Signal::HangUp => "a second signal",
        }
    }
}

#[cfg(unix)]
#[derive(Debug)]
pub(in crate::cli) struct Signals {
    interrupt: Option<tokio::signal::unix::Signal>,
    terminate: Option<tokio::signal::unix::Signal>,
    hang_up: Option<tokio::signal::unix::Signal>,
}

#[cfg(unix)]
impl Signals {
    /// From now on the signals do not end the process. Must be called inside a runtime.
    pub(in crate::cli) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let ignored = ignored();
        let listen = |kind: SignalKind| match ignored >> (kind.as_raw_value() - 1) & 1 {
            0 => signal(kind).map(Some),
            _ => Ok(None),
        };
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        Ok(Signals { interrupt, terminate, hang_up: listen(SignalKind::hangup())? })
    }

    /// Waits for the next signal. Cancel safe.
    pub(in crate::cli) async fn next(&mut self) -> Signal {
        tokio::select! {
            () = next(&mut self.interrupt) => Signal::Interrupt,
            () = next(&mut self.terminate) => Signal::Terminate,
            () = next(&mut self.hang_up) => Signal::HangUp,
        }
    }
}

#[cfg(unix)]
async fn next(signal: &mut Option<tokio::signal::unix::Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}

/// The signals that the program was started to ignore, one bit each, from number 1 on. Known on
/// Linux only.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
#[derive(Debug)]
pub(in crate::cli) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(in crate::cli) fn listen() -> io::Result<Self> {
        Ok(Signals)
    }

    pub(in crate::cli) async fn next(&mut self) -> Signal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => Signal::Interrupt,
            Err(_) => std::future::pending().await,
        }
    }
}
