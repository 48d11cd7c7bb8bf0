//! The JSON document of a run: `run --output json`.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use super::super::drive::RunOutput;
use super::super::live::Ended;
use crate::engine::{AttemptReport, RunReport, TaskReport};
use crate::ops::Reason;

/// The document, with a line break at its end.
pub(super) fn document(output: &RunOutput, ended: &Ended, result: Option<Value>, note: Option<String>) -> String {
    let report = &ended.report;
    let document = Document {
        number: ended.number,
        run_id: &report.run().run_id,
        dag_id: report.plan().id(),
        state: report.state().name(),
        halt_reason: report.halt_reason(),
        logical_date: report.run().logical_date.to_string(),
        started: report.started().to_string(),
        ended: report.ended().to_string(),
        params: params(output),
        result,
        result_note: note,
        tasks: Tasks(report),
    };
    serde_json::to_string_pretty(&document).expect("the keys of all maps in it are strings") + "\n"
}

#[derive(serde::Serialize)]
struct Document<'a> {
    /// Its number, if it is stored.
    number: Option<i64>,
    run_id: &'a str,
    dag_id: &'a str,
    state: &'static str,
    /// Why it ended early, if it did.
    halt_reason: Option<&'a str>,
    logical_date: String,
    started: String,
    ended: String,
    params: Map<String, Value>,
    /// `null` also when the run failed.
    result: Option<Value>,
    /// Why the result is text or missing, if JSON cannot represent it or it cannot be computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    result_note: Option<String>,
    tasks: Tasks<'a>,
}

/// Serialised one by one: there may be a million.
struct Tasks<'a>(&'a RunReport);

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for task in self.0.tasks() {
            list.serialize_element(&Task::of(task))?;
        }
        list.end()
    }
}

fn params(output: &RunOutput) -> Map<String, Value> {
    let values = output.plan.params().iter().zip(output.params.values());
    values.map(|(param, value)| (param.name.to_owned(), param.json(value).unwrap_or(Value::Null))).collect()
}

#[derive(serde::Serialize)]
struct Task<'a> {
    id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    state: &'static str,
    attempts: Vec<Attempt>,
    /// Why a task never ran; `null` for others.
    reason: Option<Reason>,
}

#[derive(serde::Serialize)]
struct Attempt {
    number: u32,
    started: String,
    ended: String,
    failure: Option<Reason>,
}

impl<'a> Task<'a> {
    fn of(task: TaskReport<'a>) -> Self {
        let attempts: Vec<Attempt> = task.attempts().iter().map(Attempt::of).collect();
        let reason = if attempts.is_empty() { task.failure().as_deref().map(Reason::of) } else { None };
        Task { id: task.id(), label: task.label(), state: task.state().name(), attempts, reason }
    }
}

impl Attempt {
    fn of(attempt: &AttemptReport) -> Self {
        Attempt {
            number: attempt.number,
            started: attempt.started.to_string(),
            ended: attempt.ended.to_string(),
            failure: attempt.failure.as_deref().map(Reason::of),
        }
    }
}
