//! What the audit trail says of tasks that a person changes.

use std::collections::BTreeMap;

use serde_json::json;

use super::audit::changed;
use crate::journal::{AdoptedRun, JournalError};

/// How many tasks an entry names.
const NAMED: usize = 20;

/// Says which tasks are about to change, the states that they are in, and their state afterwards.
pub(super) fn tasks_changed(
    adopted: &AdoptedRun,
    tasks: impl FnOnce() -> Result<Vec<String>, JournalError>,
    state: &str,
) {
    if !adopted.journal().is_auditing() {
        return;
    }
    // Otherwise the change is refused for the same reason.
    let Ok(tasks) = tasks() else { return };
    let history = adopted.history();
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    for task in tasks.iter().filter_map(|id| history.task(id)) {
        *states.entry(task.state.name()).or_default() += 1;
    }
    let named: Vec<&String> = tasks.iter().take(NAMED).collect();
    let after = json!({ "tasks": tasks.len(), "named": named, "state": state });
    changed(adopted.journal(), json!({ "tasks": states }), after);
    if let [task] = &tasks[..] {
        adopted.journal().amend_audit(|row| row.task = Some(task.clone()));
    }
}
