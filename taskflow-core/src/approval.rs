//! Tasks that ask people: Airflow's human in the loop.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use taskflow::approval::{Answer, ask};
//! use taskflow::prelude::*;
//!
//! #[derive(Clone, Serialize, Deserialize)]
//! enum Choice {
//!     Publish,
//!     Correct { factor: f64 },
//! }
//!
//! #[task]
//! fn total(rows: &[f64]) -> f64 {
//!     rows.iter().sum()
//! }
//!
//! #[task]
//! fn publish(total: f64, choice: &Answer<Choice>) -> String {
//!     let total = match choice.answer {
//!         Choice::Publish => total,
//!         Choice::Correct { factor } => total * factor,
//!     };
//!     format!("{total}, as {} wanted", choice.by)
//! }
//!
//! #[dag]
//! fn report(rows: Vec<f64>) -> String {
//!     let total = total(rows);
//!     let question = total.map(|total| format!("may {total} be published?"));
//!     publish(total, ask::<Choice>("consent", question))
//! }
//! # assert!(report::def().plan().is_ok());
//! ```
//!
//! The task is `deferred`, without holding a slot, and waits for the event whose key is its id.
//! Answer it with `release last consent --value '"Publish"'` on the command line,
//! [`ops::send_event`](crate::ops::send_event()),
//! [`Journal::send_event`](crate::journal::Journal::send_event) or
//! [`RunControl::send_event`](crate::engine::RunControl::send_event). An invalid answer is
//! rejected, and the error lists the valid ones.
//!
//! # Who may answer
//!
//! Everybody who may operate the DAG, unless the question says who:
//!
//! ```
//! # use taskflow::approval::{Answer, Decision, approve};
//! # use taskflow::prelude::*;
//! # #[task] fn pay(decision: &Answer<Decision>) {}
//! # #[dag] fn payments() {
//! let released = approve("release", "may it be paid?").by(&["finance", "user:kim"]).four_eyes();
//! # pay(released); }
//! # assert!(payments::def().plan().is_ok());
//! ```
//!
//! 1. [`by`](Output::by) names groups, as the server knows them from a provider of OpenID Connect
//!    or from the header of a proxy, and users. Members of one of the groups, and these users, may
//!    answer.
//! 2. After [`four_eyes`](Output::four_eyes), whoever has asked for the run may not answer, neither
//!    as a user nor with a token of that user. Nobody has asked for a run of a schedule or of an
//!    event; to clear, retry or resume a run is no request.
//! 3. Both are stored with the question when it is asked: what is stored counts, also if the
//!    program that takes the answer is another build.
//! 4. The operation [`send_event`](crate::ops::send_event()) checks them, for the command line, the
//!    API and the pages alike. A refusal is an error that says who may answer, and a row of the
//!    audit trail. No right replaces them: an admin who is in no such group may not answer either.
//!    What remains is to mark the task once no process runs the run, and to act as somebody else:
//!    an admin can create a token for another user or set a password. The trail has each of these.
//! 5. Such a question is answered once, and not before it is asked. An answer that a build without
//!    the rule has taken in advance counts, if a build with it continues the run.
//!
//! [`Journal::send_event`](crate::journal::Journal::send_event) and
//! [`RunControl::send_event`](crate::engine::RunControl::send_event) do not know who calls them.
//! They check the answer, and not who gives it.

use std::panic::Location;

use serde::{Deserialize, Serialize};

use crate::base::Timestamp;
use crate::dag::{IntoArg, Output, Plan, add_named, node_id_of};
use crate::run::QuestionRespondents;
use crate::task::{
    Body, InputDef, Inputs, Interrupt, Produced, Respondents, TaskContext, TaskDef, TaskOptions, Waiting,
};
use crate::value::{AnyValue, TypeInfo, Value};

/// The answer of a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Answer<T> {
    /// The answer.
    pub answer: T,
    /// Who answered, as claimed by the program that sent the answer; not verified. Where it does
    /// not say who, the account that it runs as.
    pub by: String,
    /// The reason for the answer; may be empty.
    pub reason: String,
    /// When the run received it.
    pub at: Timestamp,
}

/// Yes or no: the answer to [`approve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Approved.
    Approved,
    /// Rejected.
    Rejected,
}

const MODULE: &str = "taskflow::approval";
const ASK: &str = "ask";
const APPROVE: &str = "approve";

/// The constants of a generic type replace the statics that generic functions cannot have.
struct Of<T>(T);

impl<T: Value> Of<T> {
    const DEF: &'static TaskDef = &TaskDef {
        id: ASK,
        module: MODULE,
        doc: "Waits for the answer to a question.",
        inputs: &[InputDef { name: "question", ty: TypeInfo::of::<String>() }],
        output: TypeInfo::of_value::<Answer<T>>(),
        takes_context: true,
        waiting: Waiting::Deferrable,
        body: Body::Sync(answered::<T>),
        ..TaskDef::OWN
    };
}

static APPROVAL: TaskDef = TaskDef {
    id: APPROVE,
    module: MODULE,
    doc: "Waits for an approval; a rejection skips the downstream tasks.",
    inputs: &[InputDef { name: "question", ty: TypeInfo::of::<String>() }],
    output: TypeInfo::of_value::<Answer<Decision>>(),
    takes_context: true,
    waiting: Waiting::Deferrable,
    body: Body::Sync(approved),
    ..TaskDef::OWN
};

/// Adds a task with this id that waits until somebody answers the question with a `T`. The question
/// is in its log.
///
/// Options follow as for any task. `timeout` does not limit the wait: a deferred task does not run.
///
/// # Panics
///
/// Outside a `#[dag]` function.
#[track_caller]
pub fn ask<T: Value>(id: impl Into<String>, question: impl IntoArg<String>) -> Output<Answer<T>> {
    draw(Of::<T>::DEF, id.into(), question, Location::caller())
}

/// Adds a task with this id that waits until somebody answers `"approved"` or `"rejected"`. After a
/// rejection the task is skipped, and so are its downstream tasks: Airflow's `ApprovalOperator`.
///
/// # Panics
///
/// Outside a `#[dag]` function.
#[track_caller]
pub fn approve(id: impl Into<String>, question: impl IntoArg<String>) -> Output<Answer<Decision>> {
    draw(&APPROVAL, id.into(), question, Location::caller())
}

impl<T> Output<Answer<T>> {
    /// Only members of one of these groups may answer the question, and users: `user:kim`. A second
    /// call replaces the names of the first.
    ///
    /// Groups are those that a provider of OpenID Connect or a proxy names; users are those of the
    /// server, those whom a proxy names, and accounts of the machine on its command line. They need
    /// the right to operate the DAG besides. See [who may answer](crate::approval#who-may-answer).
    ///
    /// It is a mistake of the graph to name nobody, and to call it on a task that asks nothing.
    #[track_caller]
    pub fn by(self, names: &'static [&'static str]) -> Self {
        self.own_option(|def, options| {
            let is_name = |&name: &&str| {
                let name = name.strip_prefix(QuestionRespondents::USER).unwrap_or(name);
                !name.is_empty() && name.trim() == name
            };
            if names.is_empty() || !names.iter().all(is_name) {
                return Err("`.by(..)` names nobody who could answer: give it a group or `user:NAME`".to_owned());
            }
            respondents(def, options)?.answered_by = names;
            Ok(())
        })
    }

    /// Whoever has asked for the run may not answer the question. See
    /// [who may answer](crate::approval#who-may-answer).
    ///
    /// It is a mistake of the graph to call it on a task that asks nothing.
    #[track_caller]
    pub fn four_eyes(self) -> Self {
        self.own_option(|def, options| {
            respondents(def, options)?.four_eyes = true;
            Ok(())
        })
    }
}

fn respondents<'o>(def: &TaskDef, options: &'o mut TaskOptions) -> Result<&'o mut Respondents, String> {
    match asks(def) {
        true => Ok(options.respondents.get_or_insert_default()),
        false => Err("it asks nobody: `.by(..)` and `.four_eyes()` are for `ask(..)` and `approve(..)`".to_owned()),
    }
}

fn draw<T>(
    def: &'static TaskDef,
    id: String,
    question: impl IntoArg<String>,
    at: &'static Location<'static>,
) -> Output<T> {
    match add_named(def, [question.into_arg()], id, at) {
        Some(output) => output,
        None => panic!("`ask(..)` and `approve(..)` add a node to a graph: call them inside a `#[dag]` function"),
    }
}

fn answered<T: Value>(inputs: &mut Inputs, context: Option<&TaskContext>) -> Produced {
    Ok(AnyValue::new(wait::<T>(inputs, context)?))
}

fn approved(inputs: &mut Inputs, context: Option<&TaskContext>) -> Produced {
    let answer = wait::<Decision>(inputs, context)?;
    match answer.answer {
        Decision::Approved => Ok(AnyValue::new(answer)),
        Decision::Rejected => {
            let by = if answer.by.is_empty() { String::new() } else { format!(" by {}", answer.by) };
            let why = if answer.reason.is_empty() { String::new() } else { format!(": {}", answer.reason) };
            Err(Interrupt::skip(format!("rejected{by}{why}")).into())
        }
    }
}

fn wait<T: Value>(inputs: &mut Inputs, context: Option<&TaskContext>) -> Result<Answer<T>, Interrupt> {
    let context = context.expect("a task that takes a context receives one");
    let key = context.task_id();
    if context.waited() == 0 {
        let question = inputs.shared::<String>(0);
        context.note_question(&question, TypeInfo::of::<T>().short(), context.respondents());
        tracing::info!(target: "taskflow", "{question} (answer with `release {} {key} --value ..`)", context.run_id());
    }
    let answer = context.wait_for(key)?;
    let payload = context.payload(key);
    Ok(Answer {
        answer,
        by: payload.map_or_else(String::new, |payload| payload.by.to_string()),
        reason: payload.map_or_else(String::new, |payload| payload.reason.to_string()),
        at: payload.map_or(Timestamp::EPOCH, |payload| payload.at),
    })
}

/// Whether a task asks people.
pub(crate) fn asks(def: &TaskDef) -> bool {
    def.module == MODULE
}

/// Whether a task of a stored graph asks people: by its name, and by the type that it returns.
pub(crate) fn asks_by_name(task: &str, output: &str) -> bool {
    matches!(task, ASK | APPROVE) && output.starts_with("Answer<")
}

/// Checks whether the value of an event is a valid answer, if the event is for a task that asks.
///
/// # Errors
///
/// The reason, and the valid answers.
pub(crate) fn check(plan: &Plan, key: &str, value: &serde_json::Value) -> Result<(), String> {
    let Some(def) = plan.find(node_id_of(key)).map(|node| plan.def(node)).filter(|def| asks(def)) else {
        return Ok(());
    };
    let answer = serde_json::json!({ "answer": value, "by": "", "reason": "", "at": Timestamp::EPOCH });
    let ty = def.output.short();
    let wanted = ty.strip_prefix("Answer<").and_then(|ty| ty.strip_suffix('>')).unwrap_or(&ty);
    def.output.from_json(&answer).map(drop).map_err(|error| format!("{value} is not a valid {wanted}: {error}"))
}
