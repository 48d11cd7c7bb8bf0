//! A run in plain lines, where there is no terminal that can be redrawn.
//!
//! A line for each task that has ended or will be retried; in a large DAG for failed tasks only,
//! and one for each tenth of the tasks. Each line has the time of its event and may be printed a
//! little later: the run is sampled several times a second, which costs the run nothing.

use std::collections::HashSet;

use super::super::format;
use crate::base::{Failure, Timestamp};
use crate::dag::Plan;
use crate::engine::{AttemptReport, TaskReport};
use crate::run::{TaskIndex, TaskState};

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

    /// The lines about new events, oldest first.
    pub(super) fn new_lines<'a>(&mut self, tasks: impl Iterator<Item = TaskReport<'a>>, now: Timestamp) -> Vec<String> {
        // The elements of a mapped task can turn a small DAG into a large one.
        let tasks: Vec<TaskReport<'a>> = tasks.collect();
        self.large |= tasks.len() > LARGE;
        let tasks = tasks.into_iter();
        let mut new_lines = if self.large { self.large(tasks, now) } else { self.small(tasks) };
        new_lines.retain(|&(time, _)| time >= self.since);
        // Stable: events at the same time stay in the order of the plan.
        new_lines.sort_by_key(|&(time, _)| time);
        new_lines.into_iter().map(|(time, text)| format!("{} {text}", format::time(time))).collect()
    }

    fn small<'a>(&mut self, tasks: impl Iterator<Item = TaskReport<'a>>) -> Vec<(Timestamp, String)> {
        let mut new_lines = Vec::new();
        for task in tasks {
            let place = task.index().as_usize();
            if self.reported.len() <= place {
                self.reported.resize(place + 1, (0, false));
            }
            let (attempts, ended) = &mut self.reported[place];
            for retried in task.retried().skip(*attempts as usize) {
                *attempts += 1;
                // An attempt that ended its task was reported then. The task is open again, because
                // its group or its run is retried.
                if !std::mem::replace(ended, false) {
                    new_lines.push((retried.ended, end_of_attempt(task, &retried)));
                }
            }
            *ended &= task.state().is_terminal();
            if task.state().is_terminal() && !std::mem::replace(ended, true) {
                new_lines.extend(end_of(task).map(|text| (task.ended(), text)));
            }
        }
        new_lines
    }

    fn large<'a>(&mut self, tasks: impl Iterator<Item = TaskReport<'a>>, now: Timestamp) -> Vec<(Timestamp, String)> {
        let mut new_lines = Vec::new();
        let (mut done, mut failed, mut total) = (0, 0, 0);
        for task in tasks {
            let state = task.state();
            total += usize::from(state != TaskState::Removed);
            done += usize::from(state.is_terminal() && state != TaskState::Removed);
            if state == TaskState::Failed {
                failed += 1;
                if self.failures.len() < FAILURES && self.failures.insert(task.index()) {
                    new_lines.extend(end_of(task).map(|text| (task.ended(), text)));
                    if self.failures.len() == FAILURES {
                        new_lines.push((task.ended(), "further failures are only counted".to_owned()));
                    }
                }
            }
        }
        let tenths = done * 10 / total.max(1);
        if tenths > self.tenths {
            self.tenths = tenths;
            let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
            new_lines.push((now, format!("{} %: {done} of {total} tasks done{failed}", tenths * 10)));
        }
        new_lines
    }
}

/// An attempt that another one follows.
fn end_of_attempt(task: TaskReport<'_>, attempt: &AttemptReport) -> String {
    let Some(failure) = &attempt.failure else {
        let took = format::duration(attempt.ended.since(attempt.started));
        return format!("{}: success in {took}", task.id());
    };
    let delay = format::duration(task.retry_delay(attempt.number));
    format!("{}: attempt {} failed, retry in {delay}: {}", task.id(), attempt.number, in_one_line(failure))
}

fn end_of(task: TaskReport<'_>) -> Option<String> {
    let why = || task.failure().map(|failure| in_one_line(&failure)).unwrap_or_default();
    let text = match task.state() {
        TaskState::Success => format!("success in {}", format::duration(task.duration())),
        TaskState::Failed if task.attempt_count() > 1 => {
            format!("failed after {} attempts: {}", task.attempt_count(), why())
        }
        TaskState::Failed => format!("failed: {}", why()),
        TaskState::UpstreamFailed | TaskState::Skipped | TaskState::Cancelled => why(),
        // Not part of this run.
        _ => return None,
    };
    Some(format!("{}: {text}", task.id()))
}

/// A failure with its causes.
fn in_one_line(failure: &Failure) -> String {
    let mut text = failure.to_string();
    for cause in failure.causes() {
        text += ": ";
        text += cause;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::dag::{Dag, DagBuilder, DagOptions, scope};

    /// Only the work fails, in the first try.
    #[test]
    fn an_attempt_that_succeeded_before_a_retry_of_its_run_is_not_said_to_have_failed() {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        let mut options = DagOptions::NONE;
        (options.retries, options.retry_delay) = (Some(1), Some(Duration::from_secs(60)));
        let draw = |dag: &DagBuilder| {
            let work = |_| {
                let calls = || CALLS.fetch_add(1, Ordering::Relaxed);
                dag.add("work", move |_| if calls() == 0 { Err("away".into()) } else { Ok(()) })
            };
            scope(dag.add("create", |_| Ok(())), work, |_| dag.add("delete", |_| Ok(())));
        };
        let dag = Dag::draw_with("retried", options, draw).unwrap();
        let report = dag.run().run_sequentially().unwrap();
        let mut log = Log::new(report.plan(), report.started());
        let lines = log.new_lines(report.tasks(), report.ended());
        let lines: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        let failed: Vec<&&str> = lines.iter().filter(|line| line.contains("failed")).collect();
        assert_eq!(failed, [&"work: attempt 1 failed, retry in 1 m 00 s: away"], "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("create: success in")).count(), 2, "{lines:?}");
    }
}
