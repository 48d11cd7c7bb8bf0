//! The tasks of a run as rows with their time.

use std::time::Duration;

use super::address;
use super::critical_path::CriticalPath;
use super::marks::Mark;
use super::timeline::{Axis, Segment};
use super::times::{Clock, took_for};
use crate::base::text::bounded;
use crate::journal::{AttemptHistory, TaskHistory};
use crate::run::TaskState;

/// A task of a run.
#[derive(Debug)]
pub(crate) struct TaskRow {
    pub(crate) mark: Mark,
    pub(crate) id: String,
    pub(crate) label: String,
    pub(crate) href: String,
    /// Empty if it has not run.
    pub(crate) log: String,
    pub(crate) attempts: usize,
    pub(crate) took: String,
    pub(crate) segments: Vec<Segment>,
    /// Why it did not run, or what became of it.
    pub(crate) note: String,
    /// Whether it decided when the run ended.
    pub(crate) is_critical: bool,
}

pub(crate) fn rows(
    tasks: &[&TaskHistory],
    run: i64,
    axis: &Axis,
    critical: &CriticalPath<'_>,
    clock: &Clock,
) -> Vec<TaskRow> {
    tasks.iter().map(|task| row(task, run, axis, critical, clock)).collect()
}

/// How long the attempts of a task took together.
pub(crate) fn total(task: &TaskHistory, clock: &Clock) -> Duration {
    let took = |attempt: &AttemptHistory| match attempt.ended {
        Some(ended) => ended.since(attempt.started),
        None => clock.since(attempt.started),
    };
    task.attempts.iter().map(took).sum()
}

fn row(task: &TaskHistory, run: i64, axis: &Axis, critical: &CriticalPath<'_>, clock: &Clock) -> TaskRow {
    let last = task.attempts.last();
    let took = last.map(|attempt| match attempt.ended {
        Some(ended) => took_for(ended.since(attempt.started)),
        None => took_for(clock.since(attempt.started)),
    });
    TaskRow {
        mark: Mark::of(task.state.name()),
        id: task.id.to_string(),
        label: task.label.as_deref().unwrap_or_default().to_owned(),
        href: address::task(run, &task.id),
        log: last.map(|attempt| address::log(run, &task.id, attempt.number)).unwrap_or_default(),
        attempts: task.attempts.len(),
        took: took.unwrap_or_default(),
        segments: axis.segments(task, critical.ready(&task.id), clock),
        note: note(task),
        is_critical: critical.has(&task.id),
    }
}

/// What the bar of a task does not show.
fn note(task: &TaskHistory) -> String {
    const MOST: usize = 160;
    let because = |words: &str| task.cause.as_ref().map(|cause| format!("{words} {cause}"));
    let note = match task.state {
        TaskState::UpstreamFailed => because("because of"),
        TaskState::Skipped => task.failure.as_ref().map(ToString::to_string).or_else(|| because("after")),
        TaskState::Deferred | TaskState::UpForReschedule => {
            task.waits_for.as_ref().and_then(|wait| wait.question.clone().or_else(|| wait.event.clone()))
        }
        _ if task.marked => Some("set by hand".to_owned()),
        TaskState::None if task.cleared > 0 => Some("cleared".to_owned()),
        _ => None,
    };
    let note = note.unwrap_or_default();
    bounded(note.lines().next().unwrap_or_default(), MOST).into_owned()
}
