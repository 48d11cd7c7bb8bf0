//! The access of an attempt in a child process to its run, through its parent.
//!
//! XComs are sent along with the inputs, because the parent does not answer requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fmt, io};

use super::child::Link;
use super::wire::Frame;
use crate::base::Failure;
use crate::dag::path_of;
use crate::task::{AttemptHost, BoxFuture, EmitRequest, PARAMS, Pushed, XComError};

/// The run, seen from the process of an attempt.
pub(super) struct RemoteHost {
    link: Link,
    task_id: String,
    values: BTreeMap<(String, String), Pushed>,
    artifacts: Option<PathBuf>,
}

impl RemoteHost {
    pub(super) fn new(
        link: Link,
        task_id: &str,
        values: Vec<(String, String, String, Vec<u8>)>,
        artifacts: Option<PathBuf>,
    ) -> Self {
        let values = values.into_iter().map(|(task, key, ty, bytes)| ((task, key), Pushed::Stored(ty, bytes.into())));
        RemoteHost { link, task_id: task_id.to_owned(), values: values.collect(), artifacts }
    }
}

impl AttemptHost for RemoteHost {
    fn link(&self, name: &str, url: &str) {
        self.link.send(&Frame::Link { name: name.to_owned(), url: url.to_owned() });
    }

    fn push(&self, key: &str, value: Pushed) -> Result<(), Failure> {
        let bytes = value.encode().map_err(|reason| Failure::Error { chain: vec![reason], retryable: false })?;
        self.link.send(&Frame::Push { key: key.to_owned(), ty: value.ty(), bytes });
        Ok(())
    }

    fn emit(&self, request: EmitRequest) -> Result<(), Failure> {
        let EmitRequest { asset, partition, key, value, on_change } = request;
        let bytes = value.encode().map_err(|reason| Failure::Error { chain: vec![reason], retryable: false })?;
        self.link.send(&Frame::Emit { asset, partition, key, ty: value.ty(), bytes, on_change });
        Ok(())
    }

    fn pull(&self, task: &str, key: &str) -> Result<Pushed, XComError> {
        let path = path_of(&self.task_id);
        // For a task inside the same lists, use the one for the same element.
        let of = |depth: usize| -> String {
            let places = path.iter().take(depth).map(|place| format!("[{place}]"));
            std::iter::once(task.to_owned()).chain(places).collect()
        };
        let depth = if task.contains('[') { 0 } else { path.len() };
        let found = (0..=depth).find_map(|depth| self.values.get(&(of(depth), key.to_owned())));
        let known = || {
            let of_it = |of_task: &str| (0..=depth).any(|depth| of(depth) == of_task);
            self.values.keys().filter(|(task, _)| of_it(task)).map(|(_, key)| key.clone()).collect()
        };
        found.cloned().ok_or_else(|| XComError::NoKey { task: task.to_owned(), key: key.to_owned(), known: known() })
    }

    fn param(&self, name: &str) -> Result<Pushed, Vec<String>> {
        let found = self.values.get(&(PARAMS.to_owned(), name.to_owned())).cloned();
        found.ok_or_else(|| self.values.keys().filter(|(of, _)| of == PARAMS).map(|(_, name)| name.clone()).collect())
    }

    fn set_state(&self, _: &str, _: String) -> BoxFuture<Result<(), Failure>> {
        let reason = "a task in a process of its own cannot store state while it runs".to_owned();
        Box::pin(std::future::ready(Err(Failure::Error { chain: vec![reason], retryable: false })))
    }

    fn get_state(&self, _: &str) -> Option<String> {
        None
    }

    fn artifact_path(&self) -> io::Result<PathBuf> {
        self.artifacts
            .clone()
            .ok_or_else(|| io::Error::other("the process of the task cannot access the directory of its run"))
    }

    fn counted(&self) -> u32 {
        0
    }
}

impl fmt::Debug for RemoteHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteHost({})", self.task_id)
    }
}
