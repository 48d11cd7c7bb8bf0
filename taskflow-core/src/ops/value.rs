//! Reading what tasks of a run returned.

use serde::Serialize;

use super::error::OpsError;
use crate::journal::{Journal, RunHistory, StoredValue};

/// A stored value, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ValueDocument {
    /// The task.
    pub task: String,
    /// The key of a named value (XCom) that the task has pushed; nothing for what it returned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// The whole value.
    pub value: serde_json::Value,
}

/// The whole value that a task returned, as JSON. Values that only look like secrets are not
/// masked.
///
/// # Errors
///
/// With [`OpsError::NoValue`] when the task did not succeed, and when the run has no such task or
/// the value is damaged.
pub async fn value(journal: &Journal, history: &RunHistory, task: &str) -> Result<serde_json::Value, OpsError> {
    match journal.value(history, task).await? {
        Some(value) => json(history, task, &value),
        None => Err(no_value(history, task)),
    }
}

/// The whole values of all tasks, in the order of the graph, then the named values (XComs) that
/// they have pushed.
///
/// # Errors
///
/// When a value is damaged.
pub async fn values(journal: &Journal, history: &RunHistory) -> Result<Vec<ValueDocument>, OpsError> {
    let mut values = Vec::new();
    for place in history.in_order() {
        let task = &history.tasks[place];
        if !task.has_value() {
            continue;
        }
        let Some(stored) = journal.value(history, &task.id).await? else { continue };
        let value = json(history, &task.id, &stored)?;
        values.push(ValueDocument {
            task: task.id.to_string(),
            key: None,
            ty: history.type_at(place).to_owned(),
            value,
        });
    }
    for place in history.in_order() {
        let task = &history.tasks[place];
        for pushed in &task.pushed {
            let Some(stored) = journal.pushed(history, &task.id, &pushed.key).await? else { continue };
            let value = json(history, &task.id, &stored)?;
            let (key, ty) = (Some(pushed.key.clone()), pushed.ty.clone());
            values.push(ValueDocument { task: task.id.to_string(), key, ty, value });
        }
    }
    Ok(values)
}

/// The error for a task that returned nothing.
pub(crate) fn no_value(history: &RunHistory, task: &str) -> OpsError {
    let state = history.task(task).map(|task| task.state).unwrap_or_default();
    OpsError::NoValue { number: history.number, task: task.to_owned(), state }
}

fn json(history: &RunHistory, task: &str, value: &StoredValue) -> Result<serde_json::Value, OpsError> {
    let damaged = |reason| OpsError::DamagedValue { number: history.number, task: task.to_owned(), reason };
    value.json().map_err(damaged)
}
