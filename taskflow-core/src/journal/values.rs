//! Reading stored values.

use super::error::JournalError;
use super::history::{RunHistory, TaskHistory};
use super::journal::Journal;
use crate::engine::ValueRef;

/// The value that a task of a stored run returned.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredValue {
    /// Its type, without modules, as the graph had it.
    pub ty: String,
    /// MessagePack with named fields.
    pub bytes: Vec<u8>,
}

impl StoredValue {
    /// As JSON, cut to about `limit` characters, with the values of secret keys masked; what JSON cannot hold stands as text.
    pub fn preview(&self, limit: usize) -> String {
        crate::value::preview(&self.bytes, limit).json
    }

    /// As JSON, whole; what JSON cannot hold stands as text. Secrets are not masked.
    ///
    /// # Errors
    ///
    /// When the bytes are damaged.
    pub fn json(&self) -> Result<serde_json::Value, String> {
        crate::value::to_json(&self.bytes)
    }
}

impl Journal {
    /// The value that a task of a stored run returned; nothing if it did not succeed.
    ///
    /// # Errors
    ///
    /// When the run has no such task, or the value is gone or damaged.
    pub async fn value(&self, history: &RunHistory, task: &str) -> Result<Option<StoredValue>, JournalError> {
        let place = history.place(task)?;
        let ty = history.shape.nodes.get(place).map_or("?", |_| &history.shape.kind(place as u32).output);
        let bytes = self.value_bytes(history, &history.tasks[place]).await?;
        Ok(bytes.map(|bytes| StoredValue { ty: ty.to_owned(), bytes }))
    }

    /// The value as JSON, cut to about `limit` characters; of a large one only the beginning is read.
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
        let known = &history.tasks[history.place(task)?];
        if let (Some(ValueRef::File(file)), Some(files)) =
            (known.value.as_ref().map(|place| &place.value), &self.inner.files)
        {
            let failed = |reason: String| JournalError::Value {
                run: history.info.run_id.clone(),
                task: task.to_owned(),
                reason,
            };
            let (files, run, file) = (files.clone(), history.info.run_id.clone(), file.clone());
            // A character of JSON comes of at most a few bytes; numbers are the densest.
            let bytes = limit.saturating_mul(10).max(4096);
            let read =
                tokio::task::spawn_blocking(move || files.head(&run, &file, bytes).map_err(|error| error.to_string()));
            let head = read.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
            return Ok(Some(crate::value::preview(&head, limit).json));
        }
        let bytes = self.value_bytes(history, known).await?;
        Ok(bytes.map(|bytes| crate::value::preview(&bytes, limit).json))
    }

    pub(super) async fn value_bytes(
        &self,
        history: &RunHistory,
        task: &TaskHistory,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let Some(place) = &task.value else { return Ok(None) };
        let run = &history.info.run_id;
        let failed = |reason: String| JournalError::Value { run: run.clone(), task: task.id.clone(), reason };
        match &place.value {
            ValueRef::Nowhere => Ok(None),
            ValueRef::Inline { start, len } => {
                let range = *start..start.saturating_add(*len);
                let bytes = self.inner.store.data(history.number, place.segment, range).await?;
                bytes.map(Some).ok_or_else(|| failed(format!("segment {} does not hold it", place.segment)))
            }
            ValueRef::File(file) => {
                let files = self.inner.files.clone();
                let files = files.ok_or_else(|| failed("it is in a file, and this journal has none".to_owned()))?;
                let (run_id, file) = (run.clone(), file.clone());
                let read =
                    tokio::task::spawn_blocking(move || files.get(&run_id, &file).map_err(|error| error.to_string()));
                let bytes = read.await.map_err(|error| failed(error.to_string()))?;
                bytes.map(Some).map_err(failed)
            }
        }
    }
}

impl RunHistory {
    /// The type of what a task returns, without modules; `?` for one that the present graph does not have.
    pub fn type_of(&self, task: &str) -> &str {
        let place = self.tasks.iter().position(|known| known.id == task).filter(|&place| place < self.shape.nodes.len());
        place.map_or("?", |place| &self.shape.kind(place as u32).output)
    }

    /// The place of a task among the tasks.
    ///
    /// # Errors
    ///
    /// When there is none with this id; the error names the nearest.
    pub(crate) fn place(&self, task: &str) -> Result<usize, JournalError> {
        self.tasks.iter().position(|known| known.id == task).ok_or_else(|| JournalError::UnknownTask {
            run: self.info.run_id.clone(),
            task: task.to_owned(),
            nearest: crate::dag::nearest(task, self.tasks.iter().map(|task| &*task.id)).map(str::to_owned),
        })
    }
}
