//! What a callback is told.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::{Occasion, RunInfo};
use crate::error::Failure;
use crate::time::Timestamp;

/// What a callback is told: what happened, to what, when, and why.
///
/// As JSON (with serde) it is what webhooks send and commands read; failures have the fields `kind`, `message` and `causes`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// What happened.
    pub occasion: Occasion,
    /// The run.
    #[serde(flatten)]
    pub run: Arc<RunInfo>,
    /// The task; nothing when it is about the run as a whole.
    pub task: Option<TaskNotice>,
    /// When it happened.
    pub at: Timestamp,
    /// When the attempt started; of a run, when its first process took it.
    pub started: Timestamp,
    /// Why it did not succeed. Of a run that failed, the first failure that nothing followed.
    #[serde(serialize_with = "failure")]
    pub failure: Option<Arc<Failure>>,
    /// When it is tried again, of a [`Occasion::Retry`].
    pub retry_at: Option<Timestamp>,
    /// The deadline, of a [`Occasion::DeadlineMissed`].
    pub deadline: Option<Timestamp>,
    /// The same whenever this notice is delivered, and no other notice has it: for what must not happen twice.
    pub key: String,
}

/// The task that a [`Notice`] is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TaskNotice {
    /// Its id, with the places of its element: `sales[0][2]`.
    pub id: String,
    /// The places of its element in the lists around it, the outer one first; empty outside of every `each`.
    pub element: Vec<u32>,
    /// Which attempt it was, counted from 1.
    pub attempt: u32,
}

impl TaskNotice {
    pub(crate) fn new(id: String, element: Vec<u32>, attempt: u32) -> Self {
        TaskNotice { id, element, attempt }
    }
}

impl Notice {
    /// The id of the task, or that of the DAG when it is about the run as a whole.
    pub fn subject(&self) -> &str {
        self.task.as_ref().map_or(&self.run.dag_id, |task| &task.id)
    }

    /// The state of the task or of the run, as Airflow names it: `success`, `failed`, `up_for_retry`, `skipped`, `running`.
    pub fn state(&self) -> &'static str {
        match (self.occasion, &self.task) {
            (Occasion::Success, _) => "success",
            (Occasion::Failure, _) => "failed",
            (Occasion::Retry, Some(_)) => "up_for_retry",
            (Occasion::Skip, _) => "skipped",
            (Occasion::Retry, None) | (Occasion::DeadlineMissed, _) => "running",
        }
    }

    /// A notice like those that callbacks are told, for a unit test of one: the failure of the first attempt of a task `load`.
    #[must_use]
    pub fn example() -> Self {
        let at = Timestamp::EPOCH;
        let run = Arc::new(RunInfo::manual("daily", at));
        let failure = Failure::Error { chain: vec!["the table is gone".to_owned()], retryable: true };
        Notice {
            occasion: Occasion::Failure,
            key: format!("{}/load/1/failure", run.run_id),
            run,
            task: Some(TaskNotice::new("load".to_owned(), Vec::new(), 1)),
            at,
            started: at,
            failure: Some(Arc::new(failure)),
            retry_at: None,
            deadline: None,
        }
    }
}

/// One line: `task load of daily failed (attempt 3): the table is gone`.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dag = &self.run.dag_id;
        match &self.task {
            Some(task) => write!(f, "task {} of {dag} ", task.id)?,
            None => write!(f, "run {} of {dag} ", self.run.run_id)?,
        }
        match self.occasion {
            Occasion::Success => f.write_str("succeeded")?,
            Occasion::Failure => f.write_str("failed")?,
            Occasion::Retry => f.write_str("failed and is tried again")?,
            Occasion::Skip => f.write_str("was skipped")?,
            Occasion::DeadlineMissed => f.write_str("has missed its deadline")?,
        }
        if let (Some(time), _) | (None, Some(time)) = (self.retry_at, self.deadline) {
            let word = if self.retry_at.is_some() { "at" } else { "of" };
            write!(f, " {word} {time}")?;
        }
        if let Some(task) = self.task.as_ref().filter(|task| task.attempt > 1) {
            write!(f, " (attempt {})", task.attempt)?;
        }
        match &self.failure {
            Some(failure) => write!(f, ": {failure}"),
            None => Ok(()),
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
    fn a_notice_is_one_line_for_people_and_json_for_programs() {
        let notice = Notice::example();
        assert_eq!(notice.to_string(), "task load of daily failed: the table is gone");
        let json = serde_json::to_value(&notice).unwrap();
        assert_eq!(json["occasion"], "failure");
        assert_eq!(json["dag_id"], "daily");
        assert_eq!(json["task"]["id"], "load");
        assert_eq!(json["failure"]["kind"], "error");
        assert_eq!(json["failure"]["message"], "the table is gone");
    }
}
