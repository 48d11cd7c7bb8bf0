//! The JSON document of a run: `run --output json`.

use serde::ser::{Serialize, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};

use super::super::live::Ended;
use super::super::run::Asked;
use crate::engine::{AttemptReport, RunReport, TaskReport};
use crate::error::Failure;

/// The document, with a line break at its end.
pub(super) fn document(asked: &Asked, ended: &Ended, result: Option<Value>) -> String {
    let report = &ended.report;
    let document = Document {
        run_id: &report.run().run_id,
        dag_id: report.plan().id(),
        state: report.state().name(),
        halt_reason: report.halt_reason(),
        logical_date: report.run().logical_date.to_string(),
        started: report.started().to_string(),
        ended: report.ended().to_string(),
        params: params(asked),
        result,
        tasks: Tasks(report),
    };
    serde_json::to_string_pretty(&document).expect("the keys of all maps in it are strings") + "\n"
}

#[derive(serde::Serialize)]
struct Document<'a> {
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
    tasks: Tasks<'a>,
}

/// Written one after the other: there may be a million.
struct Tasks<'a>(&'a RunReport);

impl Serialize for Tasks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tasks = self.0.tasks();
        let mut list = serializer.serialize_seq(Some(tasks.len()))?;
        for task in tasks {
            list.serialize_element(&describe(task))?;
        }
        list.end()
    }
}

fn params(asked: &Asked) -> Map<String, Value> {
    let values = asked.plan.params().iter().zip(asked.params.values());
    values.map(|(param, value)| (param.name.to_owned(), param.json(value).unwrap_or(Value::Null))).collect()
}

fn describe(task: TaskReport<'_>) -> Value {
    let attempts: Vec<Value> = task.attempts().iter().map(attempt).collect();
    // Of a task that did not run, what decided that.
    let reason = if attempts.is_empty() { task.failure().map(|failure| describe_failure(&failure)) } else { None };
    json!({ "id": task.id(), "state": task.state().name(), "attempts": attempts, "reason": reason })
}

fn attempt(attempt: &AttemptReport) -> Value {
    json!({
        "number": attempt.number,
        "started": attempt.started.to_string(),
        "ended": attempt.ended.to_string(),
        "failure": attempt.failure.as_deref().map(describe_failure),
    })
}

fn describe_failure(failure: &Failure) -> Value {
    let mut described = json!({ "kind": failure.kind(), "message": failure.to_string(), "causes": failure.causes() });
    match failure {
        Failure::Panic { message, location } => {
            described["message"] = json!(message);
            described["location"] = json!(location);
        }
        Failure::UpstreamFailed { task } => described["upstream"] = json!(task),
        _ => {}
    }
    described
}
