//! Async attempts of a simulated run: on a tokio runtime of its own.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tracing::{Instrument as _, Span};

use crate::engine::attempt::{StartPermit, call_async};
use crate::run::TaskIndex;
use crate::task::{Outcome, TaskContext};

/// How async attempts run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asyncs {
    /// One after the other, each immediately to its end. They wait in real time; no virtual time
    /// passes.
    AtOnce,
    /// Concurrently, on a clock that advances only when nothing else can happen.
    #[cfg(feature = "testing")]
    Virtual,
}

/// An async attempt that has ended: its task, its number, its outcome.
pub(super) type Ended = (TaskIndex, u32, Outcome);

pub(super) struct Futures {
    how: Asyncs,
    /// Created for the first attempt that needs it.
    runtime: Option<Runtime>,
    sender: UnboundedSender<Ended>,
    ended: UnboundedReceiver<Ended>,
}

impl Futures {
    pub(super) fn new(how: Asyncs) -> Self {
        let (sender, ended) = unbounded_channel();
        Futures { how, runtime: None, sender, ended }
    }

    /// Creates the runtime, so that starting attempts cannot fail.
    pub(super) fn prepare(&mut self) -> std::io::Result<()> {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        #[cfg(feature = "testing")]
        builder.start_paused(self.how == Asyncs::Virtual);
        self.runtime = Some(builder.build()?);
        Ok(())
    }

    /// Starts an attempt. With [`Asyncs::AtOnce`] it has ended when this returns.
    pub(super) fn start(
        &self,
        permit: StartPermit,
        context: Option<TaskContext>,
        takes: Duration,
        span: Span,
    ) -> Option<AbortHandle> {
        let runtime = self.runtime.as_ref()?;
        let (task, attempt, sender) = (permit.task, permit.attempt, self.sender.clone());
        let called = async move {
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            let judged = call_async(permit, context).await;
            // A closed receiver means that the attempt was abandoned.
            let _ = sender.send((task, attempt, judged));
        };
        let called = called.instrument(span);
        if self.how == Asyncs::AtOnce {
            runtime.block_on(called);
            return None;
        }
        Some(runtime.spawn(called).abort_handle())
    }

    /// Polls the attempts without letting time pass; returns one that has ended.
    pub(super) fn poll(&mut self) -> Option<Ended> {
        /// An attempt may wake futures that it has spawned a few times before it ends.
        const TURNS: u32 = 3;

        if let Ok(ended) = self.ended.try_recv() {
            return Some(ended);
        }
        if let (false, Some(runtime)) = (self.how == Asyncs::AtOnce, &self.runtime) {
            runtime.block_on(async {
                for _ in 0..TURNS {
                    tokio::task::yield_now().await;
                }
            });
        }
        self.ended.try_recv().ok()
    }

    /// Lets virtual time pass until an attempt ends, for at most this long; returns the time that
    /// passed and the attempt that ended.
    pub(super) fn wait(&mut self, most: Option<Duration>) -> (Duration, Option<Ended>) {
        /// If nothing else is left to wait for, nothing will ever happen.
        const FOREVER: Duration = Duration::from_secs(1000 * 365 * 86400);

        let Futures { runtime: Some(runtime), ended, .. } = self else { return (most.unwrap_or_default(), None) };
        runtime.block_on(async {
            let start = tokio::time::Instant::now();
            tokio::select! {
                biased;
                ended = ended.recv() => (start.elapsed(), ended),
                () = tokio::time::sleep(most.unwrap_or(FOREVER)) => (most.unwrap_or(FOREVER), None),
            }
        })
    }
}

impl Drop for Futures {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Futures that are still running were abandoned.
            runtime.shutdown_background();
        }
    }
}
