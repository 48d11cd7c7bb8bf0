//! Reads stored values.

use std::collections::HashSet;
use std::sync::Arc;

use super::error::JournalError;
use super::history::RunHistory;
use super::journal::Journal;
use super::task_history::{Place, TaskHistory};

/// A value that a task of a stored run returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredValue {
    /// Its type without modules, as in the graph of the run.
    pub ty: String,
    /// MessagePack with named fields.
    pub bytes: Vec<u8>,
}

/// Of a larger value only the beginning is read for a preview, and not compared with its hash.
const COMPARED: u64 = 8 << 20;

/// A preview with secrets masked.
fn shown(bytes: &[u8], ty: &str, limit: usize) -> String {
    let shown = crate::value::preview(bytes, ty, limit).json;
    let redactor = crate::log::Redactor::current();
    redactor.beginnings(&redactor.text(&shown)).into_owned()
}

/// A parameter of a stored run.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct RunParam {
    /// Its name.
    pub name: String,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    /// Its value as JSON; what JSON cannot represent is text.
    pub value: serde_json::Value,
}

impl StoredValue {
    /// The value as JSON, cut to about `limit` characters, with secrets masked. What JSON cannot
    /// represent is text.
    pub fn preview(&self, limit: usize) -> String {
        shown(&self.bytes, &self.ty, limit)
    }

    /// The whole value as JSON. What JSON cannot represent is text. Secrets are not masked.
    ///
    /// # Errors
    ///
    /// When the bytes are damaged.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        crate::value::to_json(&self.bytes, &self.ty)
    }
}

impl Journal {
    /// The parameters that a run was created with.
    ///
    /// # Errors
    ///
    /// When the store cannot be read, or what it holds is damaged.
    pub async fn params(&self, history: &RunHistory) -> Result<Vec<RunParam>, JournalError> {
        let damaged = |what| JournalError::DamagedRun { run: history.info.run_id.clone(), what };
        let stored = self.inner.store.params(history.number).await?.unwrap_or_default();
        let stored = super::params::decode(&stored).map_err(damaged)?;
        let mut params = Vec::with_capacity(stored.len());
        for super::params::StoredParam { name, ty, value } in stored {
            let value =
                crate::value::to_json(&value, &ty).map_err(|what| damaged(format!("parameter `{name}`: {what}")))?;
            params.push(RunParam { name, ty, value });
        }
        Ok(params)
    }

    /// The value that a task of a stored run returned; `None` if it has none.
    ///
    /// # Errors
    ///
    /// When the run has no such task, or the value is missing or damaged.
    pub async fn value(&self, history: &RunHistory, task: &str) -> Result<Option<StoredValue>, JournalError> {
        let place = history.place(task)?;
        let ty = history.shape.nodes.get(place).map_or("?", |_| &history.shape.kind(place as u32).output);
        let bytes = self.value_bytes(history, &history.tasks[place]).await?;
        Ok(bytes.map(|bytes| StoredValue { ty: ty.to_owned(), bytes }))
    }

    /// The value as JSON, cut to about `limit` characters. Of a value of more than 8 MiB only the
    /// beginning is read, which cannot show damage.
    ///
    /// # Errors
    ///
    /// As [`Journal::value`].
    pub async fn preview(
        &self,
        history: &RunHistory,
        task: &str,
        limit: usize,
    ) -> Result<Option<String>, JournalError> {
        let place = history.place(task)?;
        let known = &history.tasks[place];
        let ty = history.shape.nodes.get(place).map_or("?", |_| &history.shape.kind(place as u32).output);
        if let (Some(Place::File { file, .. }), Some(blobs)) = (&known.value, &self.inner.blobs)
            && file.len > COMPARED
        {
            let failed = |reason: String| JournalError::Value {
                run: history.info.run_id.clone(),
                task: task.to_owned(),
                reason,
            };
            let (blobs, run, file) = (Arc::clone(blobs), history.info.run_id.clone(), **file);
            // A character of JSON takes few bytes of MessagePack; numbers take the most.
            let bytes = limit.saturating_mul(10).max(4096) as u64;
            let read = tokio::task::spawn_blocking(move || {
                let head = blobs.range(&run, &file, 0..bytes).map_err(|error| error.to_string())?;
                // The schema of a table is at its end.
                match crate::value::is_table(&head) {
                    true => blobs.get(&run, &file).map_err(|error| error.to_string()),
                    false => Ok(head),
                }
            });
            let head = read.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
            return Ok(Some(shown(&head, ty, limit)));
        }
        let bytes = self.value_bytes(history, known).await?;
        Ok(bytes.map(|bytes| shown(&bytes, ty, limit)))
    }

    /// The value that a task of a stored run pushed under a key; `None` without such a key.
    ///
    /// # Errors
    ///
    /// When the run has no such task, or the value is missing or damaged.
    pub async fn pushed(
        &self,
        history: &RunHistory,
        task: &str,
        key: &str,
    ) -> Result<Option<StoredValue>, JournalError> {
        let known = &history.tasks[history.place(task)?];
        let Some(pushed) = known.pushed.iter().find(|pushed| pushed.key == key) else { return Ok(None) };
        let Some(place) = &pushed.place else { return Ok(None) };
        let bytes = self.bytes_at(history, task, place).await?;
        Ok(bytes.map(|bytes| StoredValue { ty: pushed.ty.clone(), bytes }))
    }

    pub(super) async fn value_bytes(
        &self,
        history: &RunHistory,
        task: &TaskHistory,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(place) = &task.value else { return Ok(None) };
        self.bytes_at(history, &task.id, place).await
    }

    /// What is stored at a place.
    pub(super) async fn bytes_at(
        &self,
        history: &RunHistory,
        task: &str,
        place: &Place,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let run = &history.info.run_id;
        let failed = |reason: String| JournalError::Value { run: run.clone(), task: task.to_owned(), reason };
        match place {
            Place::Inline { segment, start, len } => {
                let range = *start..start.saturating_add(*len);
                let bytes = self.inner.store.data(history.number, *segment, range).await?;
                bytes.map(Some).ok_or_else(|| failed(format!("segment {segment} does not contain it")))
            }
            Place::File { file, .. } => {
                let blobs = self.inner.blobs.clone();
                let blobs = blobs.ok_or_else(|| failed("it is in a file, and this journal has no files".to_owned()))?;
                let (run_id, file) = (run.clone(), **file);
                let read =
                    tokio::task::spawn_blocking(move || blobs.get(&run_id, &file).map_err(|error| error.to_string()));
                let bytes = read.await.map_err(|error| failed(error.to_string()))?;
                bytes.map(Some).map_err(failed)
            }
        }
    }
}

impl RunHistory {
    /// The type that the task at this place returns, without modules; `?` if the present graph does
    /// not have the task.
    pub(crate) fn type_at(&self, place: usize) -> &str {
        if place < self.shape.nodes.len() { &self.shape.kind(place as u32).output } else { "?" }
    }

    /// The pool of the task at this place, and how many slots of it the task takes.
    pub(crate) fn pool_at(&self, place: usize) -> Option<(&str, u32)> {
        let node = self.shape.nodes.get(place)?;
        let kind = &self.shape.kinds[node.kind as usize];
        Some((kind.pool.as_deref()?, kind.pool_slots))
    }

    /// The places of the tasks whose values the task at this place takes, in the order of its
    /// parameters; none if the present graph does not have it.
    pub(crate) fn inputs_of(&self, place: usize) -> Vec<usize> {
        let Some(node) = self.shape.nodes.get(place) else { return Vec::new() };
        // It can take the values of a million elements.
        let mut seen = HashSet::with_capacity(node.inputs.len());
        let with_values = node.inputs.iter().filter(|(_, edge)| !edge.is_without_value());
        with_values.map(|&(upstream, _)| upstream as usize).filter(|&place| seen.insert(place)).collect()
    }

    /// The place of a task in the list of tasks.
    ///
    /// # Errors
    ///
    /// When there is no task with this id. The error names the most similar id.
    pub(crate) fn place(&self, task: &str) -> Result<usize, JournalError> {
        self.find(task).ok_or_else(|| JournalError::UnknownTask {
            run: self.info.run_id.clone(),
            task: task.to_owned(),
            nearest: crate::base::nearest(task, self.tasks.iter().map(|task| &*task.id)).map(str::to_owned),
        })
    }
}
