//! Compares what happened in a run with the model: the notes of the tasks, the report, the stored
//! history and the events.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use taskflow::engine::{Event, RunReport, RunState, TaskIndex, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;

use crate::model::{Expected, expected_inputs, is_bad, taken};
use crate::random_graphs::{Graph, Node, Shape};
use crate::scripted_tasks::Notes;

pub(crate) type Check = Result<(), TestCaseError>;

/// What the tasks noted agrees with the model.
pub(crate) fn check_notes(graph: &Graph, expected: &Expected, notes: &Notes) -> Check {
    let mut attempts = vec![0u32; graph.nodes.len()];
    for (task, seen) in &notes.attempts {
        attempts[*task] += 1;
        let wanted = expected_inputs(graph, expected, *task);
        let node = &graph.nodes[*task];
        if node.shape == Shape::First {
            let (first, rest) = seen.split_once(" of ").expect("the tasks write it so");
            prop_assert_eq!(rest, wanted, "inputs of t{}", task);
            let (value, place) = first.split_once(" at ").expect("the tasks write it so");
            let winner = node.first[place.parse::<usize>().expect("a number")];
            prop_assert_eq!(value, winner.to_string(), "the value of t{} is not that of its place", task);
            prop_assert_eq!(expected.states[winner], TaskState::Success);
        } else {
            prop_assert_eq!(seen, &wanted, "inputs of t{}", task);
        }
    }
    prop_assert_eq!(&attempts, &expected.attempts, "attempts that really ran");
    prop_assert_eq!((notes.inside, notes.slots), (0, 0));
    if let Some(most) = graph.max_active_tasks {
        prop_assert!(notes.peak <= most as usize, "{} tasks ran at once", notes.peak);
    }
    prop_assert!(notes.slots_peak <= 2, "{} slots were taken at once", notes.slots_peak);
    Ok(())
}

pub(crate) fn check_report(graph: &Graph, expected: &Expected, report: &RunReport<u32>) -> Check {
    let states: Vec<TaskState> = report.tasks().map(|task| task.state()).collect();
    prop_assert_eq!(&states, &expected.states);
    let attempts: Vec<u32> = report.tasks().map(|task| task.attempt_count()).collect();
    prop_assert_eq!(&attempts, &expected.attempts);
    prop_assert_eq!(report.state(), expected.run);
    for task in report.tasks() {
        let numbers: Vec<u32> = task.attempts().iter().map(|attempt| attempt.number).collect();
        prop_assert_eq!(&numbers, &(1..=task.attempt_count()).collect::<Vec<_>>());
        prop_assert_eq!(task.failure().is_none(), matches!(task.state(), TaskState::Success | TaskState::Removed));
        for pair in task.attempts().windows(2) {
            prop_assert!(pair[0].started <= pair[0].ended && pair[0].ended <= pair[1].started);
        }
        // Whatever it needed had ended.
        let node = &graph.nodes[task.index().as_usize()];
        if let Some(started) = task.started() {
            for upstream in node.required.iter().chain(&node.optional).chain(&node.outcome) {
                let upstream = report.task(&format!("t{upstream}")).expect("there is such a task");
                prop_assert!(upstream.ended() <= started, "{task:?} started before {upstream:?} ended");
            }
        }
    }
    Ok(())
}

/// The stored history of the last run of a journal matches its report.
pub(crate) fn check_history(journal: &Journal, report: &RunReport<u32>) -> Check {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts"));
    let history = RUNTIME.block_on(journal.history("last")).expect("the history can be read");
    let summary = RUNTIME.block_on(journal.find("last")).expect("the run can be found");
    prop_assert_eq!(&history.info, report.run());
    prop_assert_eq!((history.state, summary.state), (report.state(), report.state()));
    prop_assert_eq!((history.ended, summary.ended), (Some(report.ended()), Some(report.ended())));
    prop_assert_eq!(history.halt_reason.as_deref(), report.halt_reason());
    prop_assert_eq!(history.sessions.len(), 1);
    prop_assert_eq!(history.tasks.len(), report.tasks().count());
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (known, task) in history.tasks.iter().zip(report.tasks()) {
        *counts.entry(task.state().name()).or_default() += 1;
        prop_assert_eq!((&*known.id, known.state), (&*task.id(), task.state()));
        if task.state() != TaskState::Removed {
            prop_assert_eq!(known.since, Some(task.ended()), "end of {:?}", task);
        }
        prop_assert_eq!(known.has_value(), task.state() == TaskState::Success);
        let failed = matches!(task.state(), TaskState::Failed | TaskState::Cancelled);
        if failed || (task.state() == TaskState::Skipped && known.cause.is_none()) {
            prop_assert_eq!(&known.failure, &task.failure(), "failure of {:?}", task);
        }
        let attempts = task.attempts();
        prop_assert_eq!(known.attempts.len(), attempts.len(), "attempts of {:?}", task);
        for (stored, attempt) in known.attempts.iter().zip(attempts) {
            prop_assert_eq!(stored.number, attempt.number);
            prop_assert_eq!(stored.started, attempt.started, "start of attempt {} of {:?}", attempt.number, task);
            prop_assert_eq!(stored.ended, Some(attempt.ended), "end of attempt {} of {:?}", attempt.number, task);
            prop_assert_eq!(&stored.failure, &attempt.failure, "failure of attempt {} of {:?}", attempt.number, task);
        }
    }
    let counted = |counts: Vec<(TaskState, u32)>| -> BTreeMap<&str, u32> {
        counts.into_iter().map(|(state, count)| (state.name(), count)).collect()
    };
    prop_assert_eq!(&counted(history.counts()), &counts);
    prop_assert_eq!(&counted(summary.counts), &counts);
    Ok(())
}

/// Whether the upstreams let the task go, as they stand now.
fn may_start(node: &Node, state: impl Fn(usize) -> TaskState) -> bool {
    let bad = |upstream: &usize| is_bad(state(*upstream));
    let success = |upstream: &usize| state(*upstream) == TaskState::Success;
    let skipped = |upstream: &usize| state(*upstream) == TaskState::Skipped;
    let ended = |upstream: &usize| state(*upstream).is_terminal();
    let after = || node.after.iter();
    let by_order = match node.rule {
        TriggerRule::AllSuccess => after().all(success),
        TriggerRule::AllFailed => after().all(bad),
        TriggerRule::AllDone | TriggerRule::AllDoneSetupSuccess => after().all(ended),
        TriggerRule::AllDoneMinOneSuccess => after().all(|u| success(u) || bad(u)) && after().any(success),
        TriggerRule::OneSuccess => after().any(success),
        TriggerRule::OneFailed => after().any(bad),
        TriggerRule::OneDone => after().any(|u| success(u) || (bad(u) && state(*u) != TaskState::UpstreamFailed)),
        TriggerRule::NoneFailed => after().all(|u| success(u) || skipped(u)),
        TriggerRule::NoneFailedMinOneSuccess => after().all(|u| success(u) || skipped(u)) && after().any(success),
        TriggerRule::NoneSkipped => after().all(|u| success(u) || bad(u)),
        TriggerRule::AllSkipped => after().all(skipped),
        TriggerRule::Always => true,
    };
    node.required.iter().all(success)
        && node.optional.iter().all(|u| success(u) || skipped(u))
        && node.outcome.iter().all(ended)
        && (node.first.is_empty() || node.first.iter().any(success))
        && by_order
}

const LEGAL: [(TaskState, &[TaskState]); 4] = {
    use TaskState::{Cancelled, Failed, None, Running, Scheduled, Skipped, Success, UpForRetry, UpstreamFailed};
    [
        (None, &[Scheduled, Skipped, UpstreamFailed, Cancelled]),
        (Scheduled, &[Running, Skipped, Cancelled]),
        (Running, &[Success, Failed, Skipped, UpForRetry, Cancelled]),
        (UpForRetry, &[Scheduled, Skipped, Cancelled]),
    ]
};

/// Checks that the sequence of events is possible. Returns the last state of each task and of the
/// run.
pub(crate) fn check_story(graph: &Graph, events: &[Event]) -> Result<(Vec<TaskState>, RunState), TestCaseError> {
    let taken = taken(graph);
    let initial = |index| if taken.contains(&index) { TaskState::None } else { TaskState::Removed };
    let mut states: Vec<TaskState> = (0..graph.nodes.len()).map(initial).collect();
    let mut attempts = vec![0u32; states.len()];
    let mut times: BTreeMap<TaskIndex, Timestamp> = BTreeMap::new();
    let (last, before) = events.split_last().expect("there is at least the end of the run");
    for event in before {
        let Event::Task { at, task, attempt, from, to } = event else {
            return Err(TestCaseError::fail(format!("{event:?} is not the last event")));
        };
        let index = task.as_usize();
        let node = &graph.nodes[index];
        prop_assert_eq!(states[index], *from, "t{} was not {} before", index, from);
        let legal = LEGAL.iter().find(|(state, _)| state == from).is_some_and(|(_, next)| next.contains(to));
        prop_assert!(legal, "t{} went from {} to {}", index, from, to);
        if *to == TaskState::Running {
            attempts[index] += 1;
        }
        prop_assert_eq!(attempts[index], *attempt, "attempt of t{}", index);
        if (*from, *to) == (TaskState::None, TaskState::Scheduled) {
            prop_assert!(may_start(node, |upstream| states[upstream]), "t{} was scheduled too early", index);
        }
        if *to == TaskState::UpForRetry {
            prop_assert!(attempts[index] <= node.retries, "t{} has no retry left", index);
        }
        prop_assert!(times.insert(*task, *at).is_none_or(|before| before <= *at), "t{} went back in time", index);
        states[index] = *to;
        if let Some(most) = graph.max_active_tasks {
            let running = states.iter().filter(|state| **state == TaskState::Running).count();
            prop_assert!(running <= most as usize, "{} tasks were running at once", running);
        }
        let running = states.iter().zip(&graph.nodes).filter(|(state, _)| **state == TaskState::Running);
        let slots: u32 = running.filter_map(|(_, node)| node.slots).sum();
        prop_assert!(slots <= 2, "{} slots were taken at once", slots);
    }
    let Event::Run { to, .. } = last else {
        return Err(TestCaseError::fail(format!("{last:?} is the last event")));
    };
    for (index, state) in states.iter().enumerate() {
        prop_assert!(state.is_terminal(), "t{} ended as {}", index, state);
    }
    Ok((states, *to))
}
