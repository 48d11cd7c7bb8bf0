//! The argument of callbacks.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::CallbackKind;
use crate::base::{Failure, Timestamp};
use crate::run::RunInfo;

/// What a callback receives: the event, its task or run, the time and the reason.
///
/// Webhooks send it as JSON (with serde) and commands read it; failures have the fields `kind`,
/// `message` and `causes`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notification {
    /// The kind of event.
    pub kind: CallbackKind,
    /// The run; for a slot without one, the run that it would be.
    #[serde(flatten)]
    pub run: Arc<RunInfo>,
    /// The task; `None` if it is about the run or the slot.
    pub task: Option<TaskNotification>,
    /// When it happened.
    pub at: Timestamp,
    /// When the attempt started; for a run, when a process first started it; for a slot, the slot.
    pub started: Timestamp,
    /// Why it did not succeed. For a failed run, the first failure among its last tasks.
    #[serde(serialize_with = "failure")]
    pub failure: Option<Arc<Failure>>,
    /// When it is retried, for [`CallbackKind::Retry`].
    pub retry_at: Option<Timestamp>,
    /// The deadline, for [`CallbackKind::DeadlineMissed`].
    pub deadline: Option<Timestamp>,
    /// Why a slot has missed its deadline: what its run waits for, or what became of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// A unique key that is the same in every delivery of this notification: for effects that must
    /// not happen twice.
    pub key: String,
}

/// The task of a [`Notification`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskNotification {
    /// Its id, with the indices of its element: `sales[0][2]`.
    pub id: String,
    /// The indices of its element in the surrounding lists, outermost first; empty outside of every
    /// `each`.
    pub element: Vec<u32>,
    /// The number of the attempt, counted from 1; 0 if it is about the task as a whole.
    pub attempt: u32,
}

impl TaskNotification {
    pub(crate) fn new(id: String, element: Vec<u32>, attempt: u32) -> Self {
        TaskNotification { id, element, attempt }
    }
}

impl Notification {
    /// The id of the task, or of the DAG if it is about the run.
    pub fn subject(&self) -> &str {
        self.task.as_ref().map_or(&self.run.dag_id, |task| &task.id)
    }

    /// The state of the task or of the run, as Airflow names it: `success`, `failed`,
    /// `up_for_retry`, `skipped`, `running`, `cancelled`.
    pub fn state(&self) -> &'static str {
        match (self.kind, &self.task) {
            (CallbackKind::Success, _) => "success",
            (CallbackKind::Failure, _) => "failed",
            (CallbackKind::Retry, Some(_)) => "up_for_retry",
            (CallbackKind::Skip, _) => "skipped",
            (CallbackKind::Retry, None) | (CallbackKind::DeadlineMissed, _) => "running",
            (CallbackKind::Cancel, _) => "cancelled",
        }
    }

    /// An example for unit tests of callbacks: the failure of the first attempt of a task `load`.
    #[must_use]
    pub fn example() -> Self {
        let at = Timestamp::EPOCH;
        let run = Arc::new(RunInfo::manual("daily", at));
        let failure = Failure::Error { chain: vec!["the table is gone".to_owned()], retryable: true };
        Notification {
            kind: CallbackKind::Failure,
            key: format!("{}/load/1/failure", run.run_id),
            run,
            task: Some(TaskNotification::new("load".to_owned(), Vec::new(), 1)),
            at,
            started: at,
            failure: Some(Arc::new(failure)),
            retry_at: None,
            deadline: None,
            why: None,
        }
    }
}

/// A line such as `task load of daily failed (attempt 3): the table is gone`.
impl fmt::Display for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dag = &self.run.dag_id;
        match &self.task {
            Some(task) => write!(f, "task {} of {dag} ", task.id)?,
            None if self.why.is_some() => write!(f, "slot {} of {dag} ", self.run.logical_date)?,
            None => write!(f, "run {} of {dag} ", self.run.run_id)?,
        }
        match self.kind {
            CallbackKind::Success => f.write_str("succeeded")?,
            CallbackKind::Failure => f.write_str("failed")?,
            CallbackKind::Retry => f.write_str("failed and is tried again")?,
            CallbackKind::Skip => f.write_str("was skipped")?,
            CallbackKind::DeadlineMissed => f.write_str("has missed its deadline")?,
            CallbackKind::Cancel => f.write_str("was cancelled")?,
        }
        if let (Some(time), _) | (None, Some(time)) = (self.retry_at, self.deadline) {
            let word = if self.retry_at.is_some() { "at" } else { "of" };
            write!(f, " {word} {time}")?;
        }
        if let Some(task) = self.task.as_ref().filter(|task| task.attempt > 1) {
            write!(f, " (attempt {})", task.attempt)?;
        }
        match (&self.failure, &self.why) {
            (Some(failure), _) => write!(f, ": {failure}"),
            (None, Some(why)) => write!(f, ": {why}"),
            (None, None) => Ok(()),
        }
    }
}

fn failure<S: Serializer>(failure: &Option<Arc<Failure>>, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Why<'a> {
        kind: &'static str,
        message: String,
        causes: &'a [String],
    }
    let why = failure.as_deref();
    why.map(|why| Why { kind: why.kind(), message: why.to_string(), causes: why.causes() }).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_displays_on_one_line_and_serializes_to_json() {
        let notification = Notification::example();
        assert_eq!(notification.to_string(), "task load of daily failed: the table is gone");
        let json = serde_json::to_value(&notification).unwrap();
        assert_eq!(json["kind"], "failure");
        assert_eq!(json["dag_id"], "daily");
        assert_eq!(json["task"]["id"], "load");
        assert_eq!(json["failure"]["kind"], "error");
        assert_eq!(json["failure"]["message"], "the table is gone");
    }
}
