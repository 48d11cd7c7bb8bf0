//! Invariants that hold despite all faults: the journal matches the run.

use crate::engine::RunReport;
use crate::journal::RunHistory;
use crate::run::TaskState;

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
