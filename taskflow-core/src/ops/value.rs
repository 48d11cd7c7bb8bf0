//! Reading what tasks of a run returned.

use serde::{Deserialize, Serialize};

use super::error::OpsError;
use crate::base::schema::Schema;
use crate::journal::{Journal, JournalError, RunHistory, StoredValue};

/// A stored value, as JSON documents have it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
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

/// The beginnings of the values of a run, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ValuePreviews {
    /// What the tasks returned, in the order of the graph, then their named values (XComs).
    pub values: Vec<ValuePreview>,
    /// How many further tasks have returned something.
    pub more: usize,
}

/// The beginning of a value, with everything that looks like a secret masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct ValuePreview {
    /// The task.
    pub task: String,
    /// The label of its element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// The key of a named value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// The beginning of the value. Empty if none was asked for, or the value cannot be read.
    pub preview: String,
    /// Why the value cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The beginnings of the values of a run: at most `most` of tasks and as many named ones, each of
/// at most `size` characters. With a size of 0, no value is read. A task that returns nothing has
/// no value to show. A value that cannot be read hides no other: its row says why.
pub async fn value_previews(
    journal: &Journal,
    history: &RunHistory,
    size: usize,
    most: Option<usize>,
) -> ValuePreviews {
    let most = most.unwrap_or(usize::MAX);
    let tasks = || history.in_order().map(|place| (place, &history.tasks[place]));
    let mut rows = tasks().filter(|&(place, task)| task.has_value() && history.type_at(place) != "()");
    let mut values = Vec::new();
    for (place, task) in rows.by_ref().take(most) {
        let (preview, error) = match size {
            0 => (String::new(), None),
            size => shown(journal.preview(history, &task.id, size).await),
        };
        values.push(ValuePreview {
            task: task.id.to_string(),
            label: task.label.as_deref().map(str::to_owned),
            key: None,
            ty: history.type_at(place).to_owned(),
            preview,
            error,
        });
    }
    let more = rows.count();
    let mut pushed = Vec::new();
    for (_, task) in tasks() {
        pushed.extend(task.pushed.iter().map(|pushed| (task, pushed)));
    }
    pushed.truncate(most);
    for (task, pushed) in pushed {
        let (preview, error) = match size {
            0 => (String::new(), None),
            size => {
                let value = journal.pushed(history, &task.id, &pushed.key).await;
                shown(value.map(|value| value.map(|value| value.preview(size))))
            }
        };
        values.push(ValuePreview {
            task: task.id.to_string(),
            label: task.label.as_deref().map(str::to_owned),
            key: Some(pushed.key.clone()),
            ty: pushed.ty.clone(),
            preview,
            error,
        });
    }
    ValuePreviews { values, more }
}

/// A preview, or why there is none.
fn shown(preview: Result<Option<String>, JournalError>) -> (String, Option<String>) {
    match preview {
        Ok(preview) => (preview.unwrap_or_default(), None),
        Err(error) => (String::new(), Some(error.to_string())),
    }
}

/// The beginning of the value that a task returned, with everything that looks like a secret
/// masked.
///
/// # Errors
///
/// As [`value`].
pub async fn value_preview(
    journal: &Journal,
    history: &RunHistory,
    task: &str,
    size: usize,
) -> Result<String, OpsError> {
    let preview = journal.preview(history, task, size).await?;
    preview.ok_or_else(|| no_value(history, task))
}

/// The error for a task that returned nothing.
fn no_value(history: &RunHistory, task: &str) -> OpsError {
    let state = history.task(task).map(|task| task.state).unwrap_or_default();
    OpsError::NoValue { number: history.number, task: task.to_owned(), state }
}

fn json(history: &RunHistory, task: &str, value: &StoredValue) -> Result<serde_json::Value, OpsError> {
    let damaged = |reason| OpsError::DamagedValue { number: history.number, task: task.to_owned(), reason };
    value.json().map_err(damaged)
}
