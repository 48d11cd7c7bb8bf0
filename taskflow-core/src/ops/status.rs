//! A run and its tasks, as a document.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::events::{EventDocument, RunEmissions};
use super::queue_wait::QueueWait;
use super::reason::Reason;
use super::triggered::{self, TriggeredRun};
use crate::base::schema::Schema;
use crate::base::{Failure, Timestamp};
use crate::journal::{
    AttemptHistory, Delivery, Edit, LinkHistory, MissedDeadline, MissedTaskDeadline, PushedHistory, RunHistory,
    RunRetry, SessionHistory, TaskHistory, WaitHistory,
};
use crate::run::{RunState, RunType, TaskState, TriggeredBy, TriggeringEvents};

/// A run, as JSON documents have it.
#[derive(Clone, Debug, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct RunStatus {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its DAG.
    pub dag_id: String,
    /// Its state.
    pub state: RunState,
    /// Why it ended early.
    pub halt_reason: Option<String>,
    /// What started it.
    pub run_type: RunType,
    /// The task that triggered it.
    pub triggered_by: Option<TriggeredBy>,
    /// The events that it consumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub triggering_events: Option<TriggeringEvents>,
    /// Its logical date.
    pub logical_date: Timestamp,
    /// When it was created.
    pub created: Timestamp,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// The structural hash of its graph.
    pub version: String,
    /// How many tasks are in which state.
    #[schema(as = "std::collections::BTreeMap<String, u32>")]
    pub counts: Map<String, Value>,
    /// The processes that have run it.
    pub sessions: Vec<SessionHistory>,
    /// The changes by users: tasks that were cleared or marked.
    pub edits: Vec<Edit>,
    /// The retries of the whole run.
    pub run_retries: Vec<RunRetry>,
    /// The groups that were retried as a whole, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub group_retries: Vec<GroupRetry>,
    /// The deadline that it missed.
    pub missed_deadline: Option<MissedDeadline>,
    /// The deadlines that its tasks missed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missed_task_deadlines: Vec<MissedTaskDeadline>,
    /// The notifications of its callbacks.
    pub deliveries: Vec<Delivery>,
    /// The runs that it has triggered: see [`triggered_runs`](super::triggered_runs). At most 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggered: Vec<TriggeredRun>,
    /// How many runs that it has triggered are left off.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_triggered: u32,
    /// Why it has not started, if it is queued: see [`queue_wait`](super::queue_wait()).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_wait: Option<QueueWait>,
    /// The events of assets that its tasks emitted: see [`emitted_by`](super::emitted_by). The
    /// first
    /// 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventDocument>,
    /// How many events that its tasks emitted are left off: [`events`](super::events()) has them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more_events: u32,
    /// Its tasks, in the order of the graph; elements in the place of their node.
    pub tasks: Vec<TaskStatus>,
}

/// A group of tasks that was retried as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct GroupRetry {
    /// The group.
    pub group: String,
    /// Which retry the last one is, from 1.
    pub number: u32,
    /// From when on it was due.
    pub due: Timestamp,
}

impl GroupRetry {
    fn of(history: &RunHistory) -> Vec<Self> {
        let retries = history.groups.iter();
        let mut retries: Vec<GroupRetry> = retries
            .map(|(group, retried)| GroupRetry { group: group.clone(), number: retried.retry, due: retried.due })
            .collect();
        retries.sort_unstable_by(|one, other| one.group.cmp(&other.group));
        retries
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it like this")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// A task of a run, as JSON documents have it.
#[derive(Clone, Debug, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Its id.
    pub id: String,
    /// The label of its element.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its state.
    pub state: TaskState,
    /// Its attempts.
    pub attempts: Vec<AttemptStatus>,
    /// When it reached its state.
    pub since: Option<Timestamp>,
    /// When it is retried.
    pub retry_at: Option<Timestamp>,
    /// What it waits for while it holds no slot.
    pub waits_for: Option<WaitHistory>,
    /// The arguments of the command that sends what it waits for, if people send it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_with: Option<Vec<String>>,
    /// Why it did not succeed.
    pub reason: Option<Reason>,
    /// How many attempts it had before it was cleared, or retried with its group or run.
    // The documents keep the name from their first version, although lost attempts are not in it.
    #[serde(rename = "uncounted_attempts", default, skip_serializing_if = "is_zero")]
    pub earlier_attempts: u32,
    /// How many times it was cleared.
    pub cleared: u32,
    /// Whether a user has set its state.
    pub marked: bool,
    /// Whether what it returned is stored.
    pub has_value: bool,
    /// Its links.
    pub links: Vec<LinkHistory>,
    /// The named values (XComs) that it has pushed.
    pub pushed: Vec<PushedHistory>,
}

/// An attempt of a task, as JSON documents have it.
#[derive(Clone, Debug, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct AttemptStatus {
    /// Its number, from 1.
    pub number: u32,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended.
    pub state: TaskState,
    /// Why it failed.
    pub failure: Option<Reason>,
    /// The index of the process that made it among the sessions.
    pub session: usize,
}

impl RunStatus {
    /// The document of a run, without the runs that it has triggered and the events that its
    /// tasks emitted.
    pub fn of(history: &RunHistory) -> Self {
        RunStatus::without_tasks(history).with_tasks(history)
    }

    /// The same without the tasks: a run can have a million of them.
    pub fn without_tasks(history: &RunHistory) -> Self {
        let counts = history.counts();
        RunStatus {
            number: history.number,
            run_id: history.info.run_id.clone(),
            dag_id: history.info.dag_id.clone(),
            state: history.state,
            halt_reason: history.halt_reason.clone(),
            run_type: history.info.run_type,
            triggered_by: history.info.triggered_by.clone(),
            triggering_events: history.info.triggering_events.clone(),
            logical_date: history.info.logical_date,
            created: history.created,
            started: history.started(),
            ended: history.ended,
            version: history.graph.clone(),
            counts: counts.iter().map(|(state, count)| (state.name().to_owned(), (*count).into())).collect(),
            sessions: history.sessions.clone(),
            edits: history.edits.clone(),
            run_retries: history.run_retries.clone(),
            missed_deadline: history.missed_deadline.clone(),
            group_retries: GroupRetry::of(history),
            missed_task_deadlines: history.missed_task_deadlines.clone(),
            deliveries: history.deliveries.clone(),
            triggered: Vec::new(),
            more_triggered: 0,
            queue_wait: None,
            events: Vec::new(),
            more_events: 0,
            tasks: Vec::new(),
        }
    }

    /// With its tasks.
    #[must_use]
    pub fn with_tasks(self, history: &RunHistory) -> Self {
        let tasks = history.in_order().map(|place| TaskStatus::of(&history.tasks[place], history.number));
        RunStatus { tasks: tasks.collect(), ..self }
    }

    /// With why it has not started.
    #[must_use]
    pub fn with_queue_wait(self, queue_wait: Option<QueueWait>) -> Self {
        RunStatus { queue_wait, ..self }
    }

    /// With the events that its tasks emitted.
    #[must_use]
    pub fn with_events(self, emitted: RunEmissions) -> Self {
        RunStatus { events: emitted.events, more_events: emitted.more, ..self }
    }

    /// With the runs that it has triggered, the first 500 of them.
    #[must_use]
    pub fn with_triggered(self, triggered: Vec<TriggeredRun>) -> Self {
        let (triggered, more) = triggered::bounded(triggered);
        RunStatus { triggered, more_triggered: u32::try_from(more).unwrap_or(u32::MAX), ..self }
    }
}

impl TaskStatus {
    /// The document of a task of the run with this number.
    pub fn of(task: &TaskHistory, run: i64) -> Self {
        let upstream = || Some(Reason::of(&Failure::UpstreamFailed { task: task.cause.clone()? }));
        TaskStatus {
            id: task.id.to_string(),
            label: task.label.as_deref().map(str::to_owned),
            state: task.state,
            attempts: task.attempts.iter().map(AttemptStatus::of).collect(),
            since: task.since,
            retry_at: task.retry_at,
            waits_for: task.waits_for.clone(),
            answer_with: task.waits_for.as_ref().and_then(|wait| wait.view().command(run)),
            reason: match task.state {
                TaskState::UpstreamFailed => upstream(),
                _ => task.failure.as_deref().map(Reason::of),
            },
            earlier_attempts: task.earlier_attempts,
            cleared: task.cleared,
            marked: task.marked,
            has_value: task.has_value(),
            links: task.links.clone(),
            pushed: task.pushed.clone(),
        }
    }
}

impl AttemptStatus {
    /// The document of an attempt.
    pub fn of(attempt: &AttemptHistory) -> Self {
        AttemptStatus {
            number: attempt.number,
            started: attempt.started,
            ended: attempt.ended,
            state: attempt.state,
            failure: attempt.failure.as_deref().map(Reason::of),
            session: attempt.session,
        }
    }
}
