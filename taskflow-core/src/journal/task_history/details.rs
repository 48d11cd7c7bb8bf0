//! What few tasks of a run have: waits, links, XComs, retries of groups.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::place::Place;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::run::{QuestionRespondents, TaskState, WaitRecord, WaitView};

/// What few task instances of a stored run have. A [`TaskHistory`](super::TaskHistory) dereferences
/// to it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskDetails {
    /// When the next attempt is due, while it is `up_for_retry`.
    pub retry_at: Option<Timestamp>,
    /// The task because of which it was skipped or failed.
    pub cause: Option<String>,
    /// The state of that task then.
    #[serde(skip)]
    pub(crate) cause_state: TaskState,
    /// What it waits for without holding a slot, while it is `deferred` or `up_for_reschedule`.
    pub waits_for: Option<WaitHistory>,
    /// How often it was cleared.
    pub cleared: u32,
    /// The links of its last attempt.
    pub links: Vec<LinkHistory>,
    /// The XComs of its last attempt, in the order of their keys.
    pub pushed: Vec<PushedHistory>,
    /// Its entries in the task state store.
    #[serde(skip)]
    pub(crate) task_state: BTreeMap<String, String>,
    /// Its present or last wait, as recorded.
    #[serde(skip)]
    pub(crate) wait: Option<Box<WaitRecord>>,
    /// Attempts that do not count against the retries: lost ones, and all before it was last
    /// cleared.
    #[serde(skip)]
    pub(crate) uncounted_attempts: u32,
    /// Attempts before it was last cleared, or retried with its group or its run.
    #[serde(skip)]
    pub(crate) earlier_attempts: u32,
    /// How many processes have died while it was running, since it was last cleared or an attempt
    /// of it ended.
    #[serde(skip)]
    pub(crate) deaths: u32,
    /// Whether it was the only running task when the last of them died.
    #[serde(skip)]
    pub(crate) died_alone: bool,
    /// How often it was retried with its group or its run.
    #[serde(skip)]
    pub(crate) rounds: u32,
    /// The number of events that the run had received when the task was last cleared. The task
    /// ignores them.
    #[serde(skip)]
    pub(crate) events_seen: u64,
    /// The number of elements, if it is an expand node whose list is expanded.
    #[serde(skip)]
    pub(crate) length: Option<u32>,
    /// The value that its list was taken from, if it is an expand node that has succeeded.
    #[serde(skip)]
    pub(in crate::journal) list: Option<Place>,
    /// The labels of its list, if it is an expand node.
    #[serde(skip)]
    pub(crate) labels: Option<Arc<[String]>>,
    /// Whether the early end of the run skipped it before it could end. A retry of the run undoes
    /// that.
    #[serde(skip)]
    pub(crate) by_halt: bool,
    /// Its state when the present graph no longer had it. Elements have it again when their lists
    /// are expanded again.
    #[serde(skip)]
    pub(in crate::journal) gone_as: Option<TaskState>,
}

impl TaskDetails {
    /// The details of a task that has none.
    pub(super) const NONE: TaskDetails = TaskDetails {
        retry_at: None,
        cause: None,
        cause_state: TaskState::None,
        waits_for: None,
        cleared: 0,
        links: Vec::new(),
        pushed: Vec::new(),
        task_state: BTreeMap::new(),
        wait: None,
        uncounted_attempts: 0,
        earlier_attempts: 0,
        deaths: 0,
        died_alone: false,
        rounds: 0,
        events_seen: 0,
        length: None,
        list: None,
        labels: None,
        by_halt: false,
        gone_as: None,
    };
}

/// The details of a task, in memory only if it has any.
#[derive(Clone, Debug, Default)]
pub(super) struct Details(pub(super) Option<Box<TaskDetails>>);

impl Deref for Details {
    type Target = TaskDetails;

    fn deref(&self) -> &TaskDetails {
        static NONE: TaskDetails = TaskDetails::NONE;
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl Serialize for Details {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

/// What a task waits for without holding a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct WaitHistory {
    /// When the wait began; for a sensor, its first poke.
    pub since: Timestamp,
    /// The number of waits so far, this one included: the pokes of a sensor.
    pub count: u32,
    /// The time it waits for; for a sensor, the next poke.
    pub until: Option<Timestamp>,
    /// The key of the event it waits for.
    pub event: Option<String>,
    /// The question, if it [asks](crate::approval) people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The type of the answer, without modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Who may answer, if it asks people.
    #[serde(flatten)]
    pub respondents: QuestionRespondents,
    /// Whether it is a sensor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) poke: bool,
}

impl WaitHistory {
    /// What it waits for, as views have it.
    pub fn view(&self) -> WaitView {
        let WaitHistory { count, until, event, question, answer, respondents, poke, .. } = self;
        WaitView {
            until: *until,
            event: event.clone(),
            pokes: poke.then_some(*count),
            question: question.clone(),
            answer: answer.clone(),
            respondents: respondents.clone(),
        }
    }
}

/// A link of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct LinkHistory {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
}

/// An XCom that a task has pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct PushedHistory {
    /// Its key.
    pub key: String,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(skip)]
    pub(crate) place: Option<Place>,
}
