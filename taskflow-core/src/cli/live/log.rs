//! A run in plain lines, where there is no terminal that can be redrawn.
//!
//! A line for each task that has ended or will be retried; in a large DAG for failed tasks only,
//! and one for each tenth of the tasks. Each line has the time of its event and may be printed a
//! little later: what has changed is read several times a second.

use std::collections::HashSet;

use super::super::format;
use crate::base::{Failure, Timestamp};
use crate::dag::Plan;
use crate::engine::{AttemptReport, ChangedTask};
use crate::run::{RunProgress, TaskIndex, TaskState};

/// A DAG with more tasks is reported in tenths.
const LARGE: usize = 200;
/// How many failures of a large DAG are reported one by one.
const FAILURES: usize = 20;

/// What has been reported.
#[derive(Debug)]
pub(in crate::cli) struct Log {
    large: bool,
    /// When this process started or resumed the run: earlier events are not reported.
    since: Timestamp,
    /// For each task: its reported failed attempts, and whether its end was reported.
    reported: Vec<(u32, bool)>,
    failures: HashSet<TaskIndex>,
    tenths: usize,
}

impl Log {
    pub(super) fn new(plan: &Plan, since: Timestamp) -> Self {
        let large = plan.len() > LARGE;
        Log { large, since, reported: Vec::new(), failures: HashSet::new(), tenths: 0 }
    }

    /// Whether a change to this state is worth a line.
    pub(super) fn wants(&self, state: TaskState) -> bool {
        !self.large || state == TaskState::Failed
    }

    /// The lines about new events, oldest first.
    pub(super) fn new_lines(&mut self, progress: &RunProgress, changed: &[ChangedTask]) -> Vec<String> {
        // The elements of a mapped task can turn a small DAG into a large one.
        self.large |= progress.counts.total() > LARGE;
        let mut new_lines = if self.large { self.large(progress, changed) } else { self.small(changed) };
        new_lines.retain(|&(time, _)| time >= self.since);
        // Stable: events at the same time stay in the order of the plan.
        new_lines.sort_by_key(|&(time, _)| time);
        new_lines.into_iter().map(|(time, text)| format!("{} {text}", format::time(time))).collect()
    }

    fn small(&mut self, changed: &[ChangedTask]) -> Vec<(Timestamp, String)> {
        let mut new_lines = Vec::new();
        for task in changed {
            let place = task.view.number.map_or(0, TaskIndex::as_usize);
            if self.reported.len() <= place {
                self.reported.resize(place + 1, (0, false));
            }
            let (attempts, ended) = &mut self.reported[place];
            for retried in task.retried.iter().skip(*attempts as usize) {
                *attempts += 1;
                new_lines.push((retried.ended, to_be_retried(task, retried)));
            }
            if task.view.state.is_terminal() && !std::mem::replace(ended, true) {
                new_lines.extend(end_of(task));
            }
        }
        new_lines
    }

    fn large(&mut self, progress: &RunProgress, changed: &[ChangedTask]) -> Vec<(Timestamp, String)> {
        let mut new_lines = Vec::new();
        for task in changed.iter().filter(|task| task.view.state == TaskState::Failed) {
            let Some(number) = task.view.number else { continue };
            if self.failures.len() < FAILURES && self.failures.insert(number) {
                let line = end_of(task);
                let last = line.as_ref().map(|&(at, _)| at).filter(|_| self.failures.len() == FAILURES);
                new_lines.extend(line);
                new_lines.extend(last.map(|at| (at, "further failures are only counted".to_owned())));
            }
        }
        let (done, total) = (progress.counts.done(), progress.counts.total());
        let tenths = done * 10 / total.max(1);
        if tenths > self.tenths {
            self.tenths = tenths;
            let failed = progress.counts.of(TaskState::Failed);
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            new_lines.push((progress.now, format!("{} %: {done} of {total} tasks done{failed}", tenths * 10)));
        }
        new_lines
    }
}

fn to_be_retried(task: &ChangedTask, attempt: &AttemptReport) -> String {
    let why = attempt.failure.as_deref().map(in_one_line).unwrap_or_default();
    let delay = attempt.retry_delay.map(format::duration).unwrap_or_default();
    format!("{}: attempt {} failed, retry in {delay}: {why}", task.view.id, attempt.number)
}

/// The line about the end of a task, with its time.
fn end_of(task: &ChangedTask) -> Option<(Timestamp, String)> {
    let view = &task.view;
    let why = || view.failure.as_deref().map(in_one_line).unwrap_or_default();
    let text = match view.state {
        TaskState::Success => format!("success in {}", format::duration(task.duration)),
        TaskState::Failed if view.attempt > 1 => format!("failed after {} attempts: {}", view.attempt, why()),
        TaskState::Failed => format!("failed: {}", why()),
        TaskState::UpstreamFailed | TaskState::Skipped | TaskState::Cancelled => why(),
        // Not part of this run.
        _ => return None,
    };
    Some((view.ended?, format!("{}: {text}", view.id)))
}

/// A failure with its causes. The summary has the rest of a long one.
fn in_one_line(failure: &Failure) -> String {
    const LONGEST: usize = 500;
    let mut text = failure.to_string();
    for cause in failure.causes() {
        text += ": ";
        text += cause;
    }
    format::cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONGEST)
}
