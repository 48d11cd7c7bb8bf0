//! Notices async tasks that block the thread that polls them.
//!
//! A blocking call inside an `async fn` is legal Rust and stops every other task on the thread of
//! the runtime. A task that does so is reported once: in the log of the attempt, and by the command
//! line at the end of the run. A busy machine can delay any thread, so one short delay is not
//! reported.

use std::pin::pin;
use std::time::{Duration, Instant};

use super::attempt::Instance;
use super::run_shared::RunShared;

/// A poll that takes longer is suspicious.
const LONG: Duration = Duration::from_millis(100);
/// A poll that takes longer is reported at once.
const TOO_LONG: Duration = Duration::from_secs(1);
/// How many suspicious polls of a task are reported.
const MANY: u32 = 3;

/// An async task that blocks its thread.
#[derive(Clone, Debug)]
pub(crate) struct BlockingTask {
    /// The id of the definition.
    pub(crate) task: &'static str,
    /// The longest call.
    pub(crate) longest: Duration,
    polls: u32,
    pub(crate) is_reported: bool,
}

/// Runs an attempt of an async task and notices polls that take long.
pub(super) async fn watched<T>(run: &RunShared, task: &Instance, attempt: impl Future<Output = T>) -> T {
    let mut attempt = pin!(attempt);
    std::future::poll_fn(|context| {
        let start = Instant::now();
        let polled = attempt.as_mut().poll(context);
        let took = start.elapsed();
        if took >= LONG {
            note(run, task, took);
        }
        polled
    })
    .await
}

fn note(run: &RunShared, task: &Instance, took: Duration) {
    let id = run.plan.def(task.node).id;
    let Some(state) = run.engine_ref.get().and_then(|engine_ref| engine_ref.state.upgrade()) else { return };
    let mut blocking = state.blocking();
    let known = match blocking.iter_mut().position(|known| known.task == id) {
        Some(place) => &mut blocking[place],
        None => {
            blocking.push(BlockingTask { task: id, longest: Duration::ZERO, polls: 0, is_reported: false });
            let last = blocking.len() - 1;
            &mut blocking[last]
        }
    };
    known.polls += 1;
    known.longest = known.longest.max(took);
    if known.is_reported || (known.polls < MANY && took < TOO_LONG) {
        return;
    }
    known.is_reported = true;
    let message = known.to_string();
    drop(blocking);
    tracing::warn!(target: "taskflow", "{message}");
}

impl std::fmt::Display for BlockingTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the async task `{}` blocks its thread (for up to {:.1} s), and other async tasks wait meanwhile; make it a \
             plain `fn` with `#[task(blocking)]`, or call `taskflow::spawn_blocking` in it",
            self.task,
            self.longest.as_secs_f64()
        )
    }
}
