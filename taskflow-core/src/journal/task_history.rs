//! A task instance of a stored run, and its attempts.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::{Failure, Timestamp};
use crate::run::{QUESTION, TaskState, ValueRef, WaitRecord, WaitView};
use crate::task::because_of;
use crate::value::FileRef;

/// A task instance of a stored run.
///
/// A run can have a million of them, so what few tasks have is kept apart: a task dereferences to
/// its [`TaskDetails`], as in `task.links`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskHistory {
    /// Its id.
    pub id: Arc<str>,
    /// Its state.
    pub state: TaskState,
    /// Every attempt in order, including those before it was cleared.
    pub attempts: Attempts,
    /// When it reached its state.
    pub since: Option<Timestamp>,
    /// Why it did not succeed.
    pub failure: Option<Arc<Failure>>,
    /// Whether its state was set manually.
    pub marked: bool,
    /// Whether its value is stored.
    #[serde(serialize_with = "as_flag", rename = "has_value")]
    pub(crate) value: Option<Place>,
    /// The label of its element, if its list is labelled. In nested lists the label of the outer
    /// element comes first: `seoul / 2013-03`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Arc<str>>,
    /// The position of its end among those of all tasks.
    #[serde(skip)]
    pub(crate) order: u32,
    /// The number of the entry with which its last attempt started; 0 if it has never run. Kept
    /// when it is cleared.
    #[serde(skip)]
    pub(super) last_start: u32,
    /// The number of the entry with which it last succeeded, kept likewise.
    #[serde(skip)]
    pub(super) last_success: u32,
    #[serde(flatten)]
    details: Details,
}

/// What few task instances of a stored run have. A [`TaskHistory`] dereferences to it.
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
    /// Attempts before it was last cleared.
    #[serde(skip)]
    pub(crate) uncounted_attempts: u32,
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
    pub(super) list: Option<Place>,
    /// The labels of its list, if it is an expand node.
    #[serde(skip)]
    pub(crate) labels: Option<Arc<[String]>>,
    /// Its state when a later graph no longer had it.
    #[serde(skip)]
    pub(super) gone_as: Option<TaskState>,
}

impl TaskDetails {
    /// The details of a task that has none.
    const NONE: TaskDetails = TaskDetails {
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
        deaths: 0,
        died_alone: false,
        rounds: 0,
        events_seen: 0,
        length: None,
        list: None,
        labels: None,
        gone_as: None,
    };
}

/// The details of a task, in memory only if it has any.
#[derive(Clone, Debug, Default)]
struct Details(Option<Box<TaskDetails>>);

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

impl Deref for TaskHistory {
    type Target = TaskDetails;

    fn deref(&self) -> &TaskDetails {
        &self.details
    }
}

/// What a task waits for without holding a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether it is a sensor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) poke: bool,
}

impl WaitHistory {
    /// What it waits for, as views have it.
    pub fn view(&self) -> WaitView {
        let WaitHistory { count, until, event, question, answer, poke, .. } = self;
        WaitView {
            until: *until,
            event: event.clone(),
            pokes: poke.then_some(*count),
            question: question.clone(),
            answer: answer.clone(),
        }
    }
}

/// A link of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LinkHistory {
    /// Its name.
    pub name: String,
    /// Its address.
    pub url: String,
}

/// An XCom that a task has pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the data of this segment.
    Inline { segment: u32, start: u32, len: u32 },
    /// In a file of its own; the entry is in this segment.
    File { segment: u32, file: Box<FileRef> },
}

impl Place {
    /// Where the value of an entry of this segment is.
    pub(super) fn of(segment: u32, value: &ValueRef) -> Option<Self> {
        match *value {
            ValueRef::Nowhere => None,
            ValueRef::Inline { start, len } => Some(Place::Inline { segment, start, len }),
            ValueRef::File(file) => Some(Place::File { segment, file: Box::new(file) }),
        }
    }
}

/// One attempt of a task of a stored run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptHistory {
    /// Counted from 1: Airflow's try number.
    pub number: u32,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How it ended; `running` if it has not, as far as is stored.
    pub state: TaskState,
    /// Why it did not succeed.
    pub failure: Option<Arc<Failure>>,
    /// The index of its session in [`RunHistory::sessions`](super::RunHistory::sessions).
    pub session: usize,
}

/// The attempts of a task, in order. Dereferences to a slice.
#[derive(Clone, Default, PartialEq)]
pub struct Attempts(Repr);

/// Most tasks have one attempt, which needs no memory of its own.
#[derive(Clone, PartialEq)]
enum Repr {
    One(AttemptHistory),
    Any(Vec<AttemptHistory>),
}

impl Default for Repr {
    fn default() -> Self {
        Repr::Any(Vec::new())
    }
}

impl Attempts {
    fn push(&mut self, attempt: AttemptHistory) {
        self.0 = match std::mem::take(&mut self.0) {
            Repr::Any(attempts) if attempts.is_empty() => Repr::One(attempt),
            Repr::One(first) => Repr::Any(vec![first, attempt]),
            Repr::Any(mut attempts) => {
                attempts.push(attempt);
                Repr::Any(attempts)
            }
        };
    }

    fn last_mut(&mut self) -> Option<&mut AttemptHistory> {
        match &mut self.0 {
            Repr::One(attempt) => Some(attempt),
            Repr::Any(attempts) => attempts.last_mut(),
        }
    }
}

impl Deref for Attempts {
    type Target = [AttemptHistory];

    fn deref(&self) -> &[AttemptHistory] {
        match &self.0 {
            Repr::One(attempt) => std::slice::from_ref(attempt),
            Repr::Any(attempts) => attempts,
        }
    }
}

impl<'a> IntoIterator for &'a Attempts {
    type Item = &'a AttemptHistory;
    type IntoIter = std::slice::Iter<'a, AttemptHistory>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Serialize for Attempts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

fn as_flag<S: serde::Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(place.is_some())
}

impl TaskHistory {
    pub(super) fn new(id: Arc<str>) -> Self {
        TaskHistory {
            id,
            state: TaskState::None,
            attempts: Attempts::default(),
            since: None,
            failure: None,
            marked: false,
            value: None,
            label: None,
            order: 0,
            last_start: 0,
            last_success: 0,
            details: Details::default(),
        }
    }

    /// Its details, to be changed.
    pub(super) fn details(&mut self) -> &mut TaskDetails {
        self.details.0.get_or_insert_with(|| Box::new(TaskDetails::NONE))
    }

    /// Its details, to be changed, if it has any.
    fn own_details(&mut self) -> Option<&mut TaskDetails> {
        self.details.0.as_deref_mut()
    }

    /// Sets the task that decided its end, and the state of that task.
    pub(super) fn decided_by(&mut self, cause: String, state: TaskState) {
        let details = self.details();
        (details.cause, details.cause_state) = (Some(cause), state);
    }

    /// No other task decided its end.
    pub(super) fn decided_itself(&mut self) {
        if let Some(details) = self.own_details() {
            details.cause = None;
        }
    }

    /// Whether its value is stored.
    pub fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// Closes the attempt that runs.
    pub(super) fn close(&mut self, at: Timestamp, state: TaskState, failure: Option<Arc<Failure>>) {
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
            // The clock of an earlier process may have been ahead.
            (attempt.ended, attempt.state, attempt.failure) = (Some(at.max(attempt.started)), state, failure);
        }
        if let Some(details) = self.own_details() {
            details.deaths = 0;
        }
    }

    pub(super) fn settle(&mut self, at: Timestamp, state: TaskState) {
        (self.state, self.since) = (state, Some(at));
        let Some(details) = self.own_details() else { return };
        details.retry_at = None;
        // A task that was woken and not started before its process died still waits.
        if state != TaskState::Scheduled && state != TaskState::None {
            details.waits_for = None;
        }
    }

    /// The attempt was cut off because its process was asked to leave.
    pub(super) fn interrupt(&mut self, at: Timestamp) {
        let reason = "its process was asked to leave".to_owned();
        self.close(at, TaskState::Cancelled, Some(Arc::new(Failure::Cancelled { reason })));
        self.details().uncounted_attempts += 1;
    }

    /// An attempt starts, or continues after a wait.
    pub(super) fn start(&mut self, at: Timestamp, number: u32, session: usize) {
        let goes_on = self.waits_for.is_some();
        self.settle(at, TaskState::Running);
        match self.attempts.last_mut().filter(|attempt| goes_on && attempt.number == number) {
            Some(attempt) => (attempt.state, attempt.session) = (TaskState::Running, session),
            // The number is reused if the process died before the start of the attempt was stored.
            None => {
                if let Some(details) = self.own_details() {
                    details.links.clear();
                    details.pushed.clear();
                }
                self.attempts.push(AttemptHistory {
                    number,
                    started: at,
                    ended: None,
                    state: TaskState::Running,
                    failure: None,
                    session,
                });
            }
        }
    }

    /// Adds or replaces a link.
    pub(super) fn link(&mut self, name: String, url: String) {
        let links = &mut self.details().links;
        match links.iter_mut().find(|link| link.name == name) {
            Some(link) => link.url = url,
            None => links.push(LinkHistory { name, url }),
        }
    }

    /// Adds or replaces an XCom.
    pub(super) fn push(&mut self, key: String, ty: String, place: Option<Place>) {
        let pushed = &mut self.details().pushed;
        match pushed.binary_search_by(|pushed| pushed.key.cmp(&key)) {
            Ok(at) => (pushed[at].ty, pushed[at].place) = (ty, place),
            Err(at) => pushed.insert(at, PushedHistory { key, ty, place }),
        }
    }

    /// The attempt that runs waits.
    pub(super) fn wait(&mut self, at: Timestamp, took: u64, poke: bool, record: WaitRecord) {
        let state = if poke { TaskState::UpForReschedule } else { TaskState::Deferred };
        self.began(at, took);
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
            attempt.state = state;
        }
        self.settle(at, state);
        let event = record.event.as_ref().map(|(key, _)| key.clone());
        let kept = self.task_state.get(QUESTION).map(String::as_str);
        let WaitView { question, answer, .. } = WaitView::new((record.until, event.clone()), None, kept);
        let details = self.details();
        details.waits_for = Some(WaitHistory {
            since: record.since,
            count: record.count,
            until: record.until,
            event,
            question,
            answer,
            poke,
        });
        details.wait = Some(Box::new(record));
    }

    /// Why it ended without running, if another task decided it. `rule` is its trigger rule; it is
    /// empty for a task that the present graph no longer has.
    pub(super) fn because(&self, rule: &str) -> Option<Arc<Failure>> {
        because_of(self.state, rule, self.cause.as_deref()?, self.cause_state)
    }

    /// The stored value that its consumers take: for an expand node, that of its upstream.
    pub(super) fn source(&self) -> Option<&Place> {
        self.value.as_ref().or(self.list.as_ref())
    }

    /// The list that it is an element of is expanded again: it has yet to run.
    pub(super) fn renew(&mut self, events: u64) {
        if self.attempts.is_empty() {
            *self = TaskHistory::new(Arc::clone(&self.id));
        } else {
            self.again(events);
        }
    }

    /// Restores a task of an earlier graph that the present one has again.
    pub(super) fn back(mut self) -> Self {
        if self.state == TaskState::Removed {
            (self.state, self.since) = (self.gone_as.unwrap_or_default(), None);
        }
        self
    }

    /// Sets the real start of the attempt, which is known when it ends: a worker may take several
    /// tasks at once.
    pub(super) fn began(&mut self, ended: Timestamp, took: u64) {
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
            attempt.started = ended - std::time::Duration::from_nanos(took);
        }
    }

    /// The task is retried with its run or its group: as [`reset`](TaskHistory::reset), but not
    /// cleared.
    pub(super) fn again(&mut self, events: u64) {
        let (cleared, events_seen) = (self.cleared, self.events_seen);
        self.reset(events);
        let has_run = !self.attempts.is_empty();
        let details = self.details();
        details.cleared = cleared;
        if has_run {
            details.rounds += 1;
        } else {
            details.events_seen = events_seen;
        }
    }

    /// Clears the task: only its attempts remain, and it ignores earlier events.
    pub(super) fn reset(&mut self, events: u64) {
        let uncounted_attempts = self.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        let (cleared, rounds) = (self.cleared + 1, self.rounds);
        *self = TaskHistory {
            attempts: std::mem::take(&mut self.attempts),
            label: self.label.take(),
            last_start: self.last_start,
            last_success: self.last_success,
            ..TaskHistory::new(Arc::clone(&self.id))
        };
        *self.details() = TaskDetails { uncounted_attempts, rounds, cleared, events_seen: events, ..TaskDetails::NONE };
    }

    /// A task that was not part of the run, or is in its graph again: only its attempts remain.
    pub(super) fn rejoin(&mut self) {
        *self = TaskHistory {
            attempts: std::mem::take(&mut self.attempts),
            last_start: self.last_start,
            last_success: self.last_success,
            ..TaskHistory::new(Arc::clone(&self.id))
        };
    }
}
