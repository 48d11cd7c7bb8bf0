//! The model: how a random graph must end, written without looking at the engine.

use std::collections::BTreeSet;

use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;
use taskflow_tests::common::rules::{ExpectedVerdict, expected_verdict};

use crate::random_graphs::{End, Graph, Node, Part, Shape, above};

/// What must come out.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) states: Vec<TaskState>,
    pub(crate) attempts: Vec<u32>,
    pub(crate) run: RunState,
}

pub(crate) fn model(graph: &Graph) -> Expected {
    let count = graph.nodes.len();
    let taken = taken(graph);
    let mut ends: Vec<Option<(TaskState, u32)>> = vec![None; count];
    // A node is done when everything above is: this ends, as there are no cycles.
    while ends.iter().any(Option::is_none) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if !taken.contains(&index) {
                ends[index] = Some((TaskState::Removed, 0));
            } else if ends[index].is_none() && node.upstreams().all(|upstream| ends[upstream].is_some()) {
                let state = |upstream: usize| ends[upstream].map_or(TaskState::None, |(state, _)| state);
                ends[index] = Some(match verdict(node, state) {
                    ExpectedVerdict::Run => run_attempts(node),
                    ExpectedVerdict::Skip => (TaskState::Skipped, 0),
                    ExpectedVerdict::Fail => (TaskState::UpstreamFailed, 0),
                });
            }
        }
    }
    let (states, attempts): (Vec<TaskState>, Vec<u32>) = ends.into_iter().flatten().unzip();
    // The run ends as the tasks do that no other task of it depends on.
    let inner: BTreeSet<usize> = taken.iter().flat_map(|&index| graph.nodes[index].upstreams()).collect();
    let failed = (0..count).any(|index| is_bad(states[index]) && !inner.contains(&index));
    let run = if failed { RunState::Failed } else { RunState::Success };
    Expected { states, attempts, run }
}

pub(crate) fn is_bad(state: TaskState) -> bool {
    matches!(state, TaskState::Failed | TaskState::UpstreamFailed)
}

/// Which tasks take part.
pub(crate) fn taken(graph: &Graph) -> BTreeSet<usize> {
    let all: BTreeSet<usize> = (0..graph.nodes.len()).collect();
    let mut taken = match graph.part {
        None => return all,
        Some(Part::Only(task)) => BTreeSet::from([task]),
        Some(Part::From(task)) => {
            all.into_iter().filter(|&other| other == task || above(&graph.nodes, other).contains(&task)).collect()
        }
    };
    for task in taken.clone() {
        taken.extend(above(&graph.nodes, task));
    }
    taken
}

/// What all edges of a node together say, once every upstream has ended.
fn verdict(node: &Node, state: impl Fn(usize) -> TaskState) -> ExpectedVerdict {
    let rule = |rule: TriggerRule, upstreams: &[usize]| {
        let count = |test: fn(TaskState) -> bool| upstreams.iter().filter(|&&upstream| test(state(upstream))).count();
        let success = count(|state| state == TaskState::Success);
        let upstream_failed = count(|state| state == TaskState::UpstreamFailed);
        let skipped = count(|state| state == TaskState::Skipped);
        expected_verdict(rule, success, count(is_bad) - upstream_failed, upstream_failed, skipped)
    };
    let each = [
        rule(TriggerRule::AllSuccess, &node.required),
        rule(TriggerRule::NoneFailed, &node.optional),
        rule(TriggerRule::AllDone, &node.outcome),
        rule(TriggerRule::OneSuccess, &node.first),
        rule(node.rule, &node.after),
    ];
    if each.contains(&ExpectedVerdict::Fail) {
        ExpectedVerdict::Fail
    } else if each.contains(&ExpectedVerdict::Skip) {
        ExpectedVerdict::Skip
    } else {
        ExpectedVerdict::Run
    }
}

fn run_attempts(node: &Node) -> (TaskState, u32) {
    for attempt in 1..=node.retries + 1 {
        match node.end(attempt) {
            End::Success => return (TaskState::Success, attempt),
            End::Skip => return (TaskState::Skipped, attempt),
            End::Fail => return (TaskState::Failed, attempt),
            End::Error | End::Panic => {}
        }
    }
    (TaskState::Failed, node.retries + 1)
}

/// What a task must have been given, but for the place of an `AnyOf`.
pub(crate) fn expected_inputs(graph: &Graph, expected: &Expected, task: usize) -> String {
    let node = &graph.nodes[task];
    let success = |&upstream: &usize| (expected.states[upstream] == TaskState::Success).then_some(upstream as u32);
    let mut required: Vec<u32> = node.required.iter().map(|&upstream| upstream as u32).collect();
    let mut optional: Vec<Option<u32>> = node.optional.iter().map(success).collect();
    let mut outcome: Vec<String> = node
        .outcome
        .iter()
        .map(|&upstream| match expected.states[upstream] {
            TaskState::Success => upstream.to_string(),
            TaskState::Skipped => "skipped".to_owned(),
            TaskState::UpstreamFailed => "upstream_failed".to_owned(),
            _ => match graph.nodes[upstream].end(expected.attempts[upstream]) {
                End::Panic => "panic".to_owned(),
                _ => "error".to_owned(),
            },
        })
        .collect();
    if node.shape == Shape::Singles {
        if required.is_empty() {
            required.push(0);
        }
        if optional.is_empty() {
            optional.push(Some(0));
        }
        if outcome.is_empty() {
            outcome.push("0".to_owned());
        }
    }
    format!("{required:?} {optional:?} {outcome:?}")
}
