//! A snapshot of a run for the progress view.

use std::time::Duration;

use crate::base::Timestamp;
use crate::engine::LiveRun;
use crate::run::{TaskIndex, TaskState};

/// A running run, in numbers and a few names.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// When it was taken.
    pub(super) now: Timestamp,
    pub(super) total: usize,
    /// In a final state.
    pub(super) done: usize,
    pub(super) failed: usize,
    pub(super) upstream_failed: usize,
    pub(super) skipped: usize,
    pub(super) cancelled: usize,
    pub(super) running: usize,
    pub(super) waiting: usize,
    /// Deferred tasks, which hold no slot; some of them by name.
    pub(super) idle: usize,
    pub(super) waits: Vec<Wait>,
    /// Whether the run is being ended early.
    pub(super) halted: bool,
    /// Those that have run longest, longest first.
    pub(super) longest: Vec<Running>,
    /// The next tasks to be retried, soonest first.
    pub(super) retries: Vec<Retry>,
    /// The run has failed and will be retried: the number of the retry, and the time until then.
    pub(super) run_retry: Option<(u32, Duration)>,
}

/// A running task.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: String,
    /// How many attempts it may have.
    pub(super) attempts: u32,
    pub(super) elapsed: Duration,
    pub(super) attempt: u32,
    pub(super) progress: Option<(u64, u64)>,
}

/// A task that waits for its retry.
#[derive(Debug)]
pub(super) struct Retry {
    pub(super) id: String,
    /// How many attempts it may have.
    pub(super) attempts: u32,
    /// The attempt that will follow.
    pub(super) attempt: u32,
    pub(super) left: Duration,
}

/// A deferred task.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) id: String,
    pub(super) left: Option<Duration>,
    pub(super) event: Option<String>,
}

/// A shorter task is not shown by name: names that come and go cannot be read.
const NAMED_AFTER: Duration = Duration::from_millis(300);

impl Sample {
    /// Counts every task, and names at most `lines` running and `lines` waiting ones.
    pub(super) fn take(run: LiveRun<'_>, lines: usize) -> Self {
        let now = run.now();
        let mut sample = Sample { now, halted: run.is_halted(), ..Sample::default() };
        let mut running: Vec<(Timestamp, TaskIndex)> = Vec::new();
        for task in run.tasks() {
            sample.total += 1;
            match task.state() {
                TaskState::None | TaskState::Scheduled => {}
                TaskState::UpForRetry => sample.waiting += 1,
                TaskState::UpForReschedule | TaskState::Deferred => {
                    sample.idle += 1;
                    if sample.waits.len() < lines {
                        let (until, event) = run.wait(task.index());
                        let (left, event) = (until.map(|until| until.since(now)), event.map(str::to_owned));
                        sample.waits.push(Wait { id: task.id().into_owned(), left, event });
                    }
                }
                TaskState::Removed => sample.total -= 1,
                TaskState::Running => {
                    sample.running += 1;
                    let since = run.running(task.index()).started;
                    if now.since(since) >= NAMED_AFTER {
                        running.push((since, task.index()));
                    }
                }
                state => {
                    sample.done += 1;
                    match state {
                        TaskState::Failed => sample.failed += 1,
                        TaskState::UpstreamFailed => sample.upstream_failed += 1,
                        TaskState::Skipped => sample.skipped += 1,
                        TaskState::Cancelled => sample.cancelled += 1,
                        _ => {}
                    }
                }
            }
        }
        if running.len() > lines {
            running.select_nth_unstable(lines);
            running.truncate(lines);
        }
        running.sort_unstable();
        let longest = running.into_iter().map(|(since, task)| {
            let known = run.running(task);
            let (id, attempts) = (known.id, run.task(task).max_attempts());
            Running { id, attempts, elapsed: now.since(since), attempt: known.attempt, progress: known.progress }
        });
        sample.longest = longest.collect();
        let retries = run.retries().take(lines).map(|(due, task)| {
            let task = run.task(task);
            let (id, attempt, attempts) = (task.id().into_owned(), task.attempt_count() + 1, task.max_attempts());
            Retry { id, attempts, attempt, left: due.since(now) }
        });
        sample.retries = retries.collect();
        sample.run_retry = run.run_retry().map(|(retry, due)| (retry, due.since(now)));
        sample
    }
}
