//! A run in plain lines, where there is no terminal that can be redrawn.
//!
//! A line for each task that has ended, will be retried or begins to wait; in a large DAG for
//! failed tasks and those that wait for people only, and one for each tenth of the tasks. Each line
//! has the time of its event and may be printed a little later: what has changed is read several
//! times a second.

use std::collections::{HashMap, HashSet};

use super::super::{format, waits};
use super::RunName;
use crate::base::{Failure, Timestamp};
use crate::dag::Plan;
use crate::engine::{AttemptReport, ChangedTask};
use crate::run::{RunProgress, TaskIndex, TaskState, TaskView};

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
    /// The waits that were reported, with their attempts.
    waits: HashMap<TaskIndex, (u32, Option<String>)>,
    tenths: usize,
}

impl Log {
    pub(super) fn new(plan: &Plan, since: Timestamp) -> Self {
        let large = plan.len() > LARGE;
        Log { large, since, reported: Vec::new(), failures: HashSet::new(), waits: HashMap::new(), tenths: 0 }
    }

    /// Whether a change to this state is worth a line.
    pub(super) fn wants(&self, state: TaskState) -> bool {
        !self.large || matches!(state, TaskState::Failed | TaskState::Deferred)
    }

    /// The lines about new events, oldest first.
    pub(super) fn new_lines(
        &mut self,
        progress: &RunProgress,
        changed: &[ChangedTask],
        about: &RunName,
    ) -> Vec<String> {
        // The elements of a mapped task can turn a small DAG into a large one.
        self.large |= progress.counts.total() > LARGE;
        let mut new_lines = if self.large { self.large(progress, changed) } else { self.small(changed) };
        new_lines.retain(|&(time, _)| time >= self.since);
        new_lines.extend(self.waiting(progress.now, changed, about).into_iter().map(|line| (progress.now, line)));
        // Stable: events at the same time stay in the order of the plan.
        new_lines.sort_by_key(|&(time, _)| time);
        new_lines.into_iter().map(|(time, text)| format!("{} {text}", format::time(time))).collect()
    }

    /// What tasks begin to wait for.
    fn waiting(&mut self, now: Timestamp, changed: &[ChangedTask], about: &RunName) -> Vec<String> {
        let mut lines = Vec::new();
        for view in changed.iter().map(|task| &task.view) {
            let (Some(number), Some(wait)) = (view.number, &view.waits_for) else { continue };
            if self.large && (wait.command(0).is_none() || self.waits.len() >= FAILURES) {
                continue;
            }
            let reported = (view.attempt, wait.event.clone());
            // Not again for each poke.
            if self.waits.get(&number) == Some(&reported) {
                continue;
            }
            self.waits.insert(number, reported);
            let answer = about.answer(wait).map(|answer| format!(" {answer}")).unwrap_or_default();
            let subject = waits::subject(wait, now);
            lines.push(format!("waits: {}: {subject}{answer}", named(view)));
        }
        lines
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
                // An attempt that ended its task was reported then. The task is open again, because
                // its group or its run is retried.
                if !std::mem::replace(ended, false) {
                    new_lines.push((retried.ended, end_of_attempt(task, retried)));
                }
            }
            *ended &= task.view.state.is_terminal();
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

/// An attempt that another one follows.
fn end_of_attempt(task: &ChangedTask, attempt: &AttemptReport) -> String {
    let Some(failure) = &attempt.failure else {
        let took = format::duration(attempt.ended.since(attempt.started));
        return format!("{}: success in {took}", named(&task.view));
    };
    let delay = attempt.retry_delay.map(format::duration).unwrap_or_default();
    format!("{}: attempt {} failed, retry in {delay}: {}", named(&task.view), attempt.number, in_one_line(failure))
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
    Some((view.ended?, format!("{}: {text}", named(view))))
}

fn named(view: &TaskView) -> String {
    format::task(&view.id, view.label.as_deref())
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::dag::{Dag, DagBuilder, DagOptions, scope};
    use crate::engine::LiveFollower;

    /// A12: only the work fails, in the first try.
    #[test]
    fn an_attempt_that_succeeded_before_its_run_is_retried_is_reported_as_success() {
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
        let (progress, changed) = LiveFollower::ended(&report, |_| true);
        let lines = log.new_lines(&progress, &changed, &RunName { number: None, home: None });
        let lines: Vec<&str> = lines.iter().map(|line| line.split_once(' ').unwrap().1).collect();
        let failed: Vec<&&str> = lines.iter().filter(|line| line.contains("failed")).collect();
        assert_eq!(failed, [&"work: attempt 1 failed, retry in 1 m 00 s: away"], "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("create: success in")).count(), 2, "{lines:?}");
    }
}
