//! What the progress view shows of a run: numbers and a few names.

use std::time::Duration;

use super::super::{format, waits};
use super::RunName;
use crate::base::Timestamp;
use crate::run::{ActiveTask, RunProgress, TaskState, WaitView};

/// A running run, in numbers and a few names.
#[derive(Debug, Default)]
pub(super) struct Sample {
    pub(super) elapsed: Duration,
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

/// A task that waits without a slot.
#[derive(Debug)]
pub(super) struct Wait {
    pub(super) id: String,
    /// What it waits for.
    pub(super) subject: String,
    /// How to send it.
    pub(super) answer: Option<String>,
}

/// A shorter task is not shown by name: names that come and go cannot be read.
const NAMED_AFTER: Duration = Duration::from_millis(300);

impl Sample {
    /// Names at most `lines` tasks that run, `lines` that will be retried and `lines` that wait.
    pub(super) fn of(progress: &RunProgress, about: &RunName, lines: usize) -> Self {
        let RunProgress { now, started, counts, .. } = progress;
        let mut running: Vec<(Timestamp, &ActiveTask)> = Vec::new();
        let mut retries: Vec<(Timestamp, &ActiveTask)> = Vec::new();
        let mut waiting: Vec<(&ActiveTask, &WaitView)> = Vec::new();
        for task in progress.active.values() {
            let view = &task.view;
            match (view.state, view.started) {
                (TaskState::Running, Some(started)) if now.since(started) >= NAMED_AFTER => {
                    running.push((started, task));
                }
                (TaskState::UpForRetry, _) => retries.push((view.retry_at.unwrap_or(*now), task)),
                (TaskState::UpForReschedule | TaskState::Deferred, _) => {
                    waiting.extend(view.waits_for.as_ref().map(|wait| (task, wait)));
                }
                _ => {}
            }
        }
        // What people have to do comes first.
        let rank = |wait: &WaitView| (wait.question.is_none(), wait.command(0).is_none());
        waiting.sort_by_key(|&(task, wait)| (rank(wait), task.view.number));
        let waits = waiting.into_iter().take(lines).map(|(task, wait)| Wait {
            id: named(task),
            subject: waits::subject(wait, *now),
            answer: about.answer(wait),
        });
        let longest = first(running, lines).into_iter().map(|(started, task)| Running {
            id: named(task),
            attempts: task.max_attempts,
            elapsed: now.since(started),
            attempt: task.view.attempt,
            progress: task.view.progress,
        });
        let retries = first(retries, lines).into_iter().map(|(due, task)| Retry {
            id: named(task),
            attempts: task.max_attempts,
            attempt: task.view.attempt + 1,
            left: due.since(*now),
        });
        Sample {
            elapsed: now.since(*started),
            total: counts.total(),
            done: counts.done(),
            failed: counts.of(TaskState::Failed),
            upstream_failed: counts.of(TaskState::UpstreamFailed),
            skipped: counts.of(TaskState::Skipped),
            cancelled: counts.of(TaskState::Cancelled),
            running: counts.of(TaskState::Running),
            waiting: counts.of(TaskState::UpForRetry),
            idle: counts.of(TaskState::UpForReschedule) + counts.of(TaskState::Deferred),
            waits: waits.collect(),
            halted: progress.is_halted,
            longest: longest.collect(),
            retries: retries.collect(),
            run_retry: progress.run_retry.map(|(retry, due)| (retry, due.since(*now))),
        }
    }
}

fn named(task: &ActiveTask) -> String {
    format::task(&task.view.id, task.view.label.as_deref())
}

/// The tasks with the earliest times, earliest first.
fn first(mut tasks: Vec<(Timestamp, &ActiveTask)>, most: usize) -> Vec<(Timestamp, &ActiveTask)> {
    let key = |&(at, task): &(Timestamp, &ActiveTask)| (at, task.view.number);
    if tasks.len() > most {
        tasks.select_nth_unstable_by_key(most, key);
        tasks.truncate(most);
    }
    tasks.sort_unstable_by_key(key);
    tasks
}
