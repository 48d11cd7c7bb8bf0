//! Invariants that hold despite all faults: the journal matches the run, and work runs between the
//! setup and the teardown of its scope.

use crate::engine::RunReport;
use crate::journal::RunHistory;
use crate::machine::Machine;
use crate::run::{TaskIndex, TaskState};

/// The differences between the stored run, if all of it was stored, and the run itself.
pub(super) fn differences<T>(history: &RunHistory, report: &RunReport<T>, is_over: bool) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: String, stored: String, live: String| {
        if stored != live {
            found.push(format!("{what}: {stored} in the journal, {live} in the run"));
        }
    };
    if is_over {
        differ("the run".to_owned(), history.state.to_string(), report.state().to_string());
        differ("the end".to_owned(), format!("{:?}", history.ended), format!("{:?}", Some(report.ended())));
        differ("the tasks".to_owned(), history.tasks.len().to_string(), report.tasks().count().to_string());
    }
    for task in report.tasks() {
        let id = task.id();
        let Some(known) = history.task(&id) else {
            differ(format!("`{id}`"), "nothing".to_owned(), task.state().to_string());
            continue;
        };
        // A wait that ended before a crash, but not according to the clock of the next process, is
        // not recorded again.
        let waits_again = known.state == TaskState::Scheduled
            && matches!(task.state(), TaskState::Deferred | TaskState::UpForReschedule);
        if !waits_again {
            differ(format!("`{id}`"), known.state.to_string(), task.state().to_string());
        }
        let attempts = known.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        differ(format!("attempts of `{id}`"), attempts.to_string(), task.attempt_count().to_string());
        if is_over && task.state() != TaskState::Removed {
            differ(format!("the end of `{id}`"), format!("{:?}", known.since), format!("{:?}", Some(task.ended())));
        }
        if is_over && matches!(task.state(), TaskState::Failed | TaskState::Cancelled) {
            differ(format!("the failure of `{id}`"), format!("{:?}", known.failure), format!("{:?}", task.failure()));
        }
        // An expand node passes on the list of its upstream, which stores it.
        if is_over && known.length.is_none() {
            let is_there = task.state() == TaskState::Success;
            differ(format!("the value of `{id}`"), known.has_value().to_string(), is_there.to_string());
        }
    }
    found
}

/// What is wrong about the scopes of a task whose attempt has just started: no task of a scope runs
/// or will run when its teardown starts, and none runs in a scope that is not set up or is torn
/// down.
pub(super) fn of_scopes(machine: &Machine, task: TaskIndex) -> Vec<String> {
    let (layout, plan) = (machine.layout(), machine.plan());
    let (node, at) = (layout.node(task), layout.at(task));
    let mut found = Vec::new();
    for scope in plan.scopes() {
        let setup = layout.task(scope.setup, at);
        if scope.teardown.contains(&node) {
            let is_work = |work: &TaskIndex| {
                scope.work.contains(&layout.node(*work)) && layout.task(scope.setup, layout.at(*work)) == setup
            };
            let open = layout.tasks().filter(is_work).filter(|&work| !machine.task_state(work).is_terminal());
            found.extend(open.map(|work| {
                let (state, work) = (machine.task_state(work), layout.id(work));
                format!("the teardown `{}` starts while `{work}` of its scope is {state}", layout.id(task))
            }));
        }
        if scope.work.contains(&node) {
            if let Some(setup) = setup.filter(|&setup| machine.task_state(setup) != TaskState::Success) {
                let (state, setup) = (machine.task_state(setup), layout.id(setup));
                found.push(format!("`{}` starts in a scope whose setup `{setup}` is {state}", layout.id(task)));
            }
            let teardowns = crate::base::index::indices(scope.teardown.clone());
            let ran =
                |teardown: &TaskIndex| !matches!(machine.task_state(*teardown), TaskState::None | TaskState::Removed);
            for teardown in teardowns.filter_map(|teardown| layout.task(teardown, at)).filter(ran) {
                let (state, teardown) = (machine.task_state(teardown), layout.id(teardown));
                found.push(format!("`{}` starts in a scope whose teardown `{teardown}` is {state}", layout.id(task)));
            }
        }
    }
    found
}
