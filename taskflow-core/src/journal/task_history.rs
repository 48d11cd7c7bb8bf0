//! What is known of a task instance of a stored run, and of its attempts.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::base::{Failure, Timestamp};
use crate::run::{TaskState, ValueRef, WaitRecord};

/// What is known of a task instance of a stored run.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TaskHistory {
    /// Its id.
    pub id: String,
    /// How it stands.
    pub state: TaskState,
    /// Every attempt, in order, those before it was cleared included.
    pub attempts: Vec<AttemptHistory>,
    /// When it came to its state.
    pub since: Option<Timestamp>,
    /// When the next attempt is due, while it is `up_for_retry`.
    pub retry_at: Option<Timestamp>,
    /// Why it did not succeed.
    pub failure: Option<Arc<Failure>>,
    /// The task because of which it was skipped or failed.
    pub cause: Option<String>,
    /// What it waits for without holding a slot, while it is `deferred` or `up_for_reschedule`.
    pub waits_for: Option<WaitHistory>,
    /// How often it was cleared.
    pub cleared: u32,
    /// Whether its state was said by a person.
    pub marked: bool,
    /// Where its last attempt has said that something is to be found.
    pub links: Vec<LinkHistory>,
    /// The named values that its last attempt has pushed, in the order of their keys.
    pub pushed: Vec<PushedHistory>,
    /// The texts that it has kept for itself.
    #[serde(skip)]
    pub(crate) task_state: BTreeMap<String, String>,
    /// Whether its value is stored.
    #[serde(serialize_with = "as_flag", rename = "has_value")]
    pub(crate) value: Option<Place>,
    /// What it waits for, or waited for last, as it was recorded.
    #[serde(skip)]
    pub(crate) wait: Option<Box<WaitRecord>>,
    /// Attempts before it was last cleared.
    #[serde(skip)]
    pub(crate) uncounted_attempts: u32,
    /// How often it ran again with its group or its run.
    #[serde(skip)]
    pub(crate) rounds: u32,
    /// How many events the run had been told when the task was last cleared: those are not for it any more.
    #[serde(skip)]
    pub(crate) events_seen: u64,
    /// Numbers the ends of tasks, in their order.
    #[serde(skip)]
    pub(crate) order: u64,
    /// How many elements its list has, if it is an expand node target list is there.
    #[serde(skip)]
    pub(crate) length: Option<u32>,
    /// What people call the element that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What people call the elements of its list, if it is an expand node.
    #[serde(skip)]
    pub(crate) labels: Option<Arc<[String]>>,
    /// What it had come to when a later graph did not have it any more.
    #[serde(skip)]
    pub(super) gone_as: Option<TaskState>,
}

/// What a task waits for without holding a slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct WaitHistory {
    /// When it first began to look or to wait.
    pub since: Timestamp,
    /// How often it has waited, this time included: the pokes of a sensor.
    pub count: u32,
    /// The time it waits for: of a sensor, that of the next poke.
    pub until: Option<Timestamp>,
    /// The key of the event it waits for.
    pub event: Option<String>,
    /// Whether it is a sensor.
    #[serde(skip)]
    pub(crate) poke: bool,
}

/// A link of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LinkHistory {
    /// What it is to.
    pub name: String,
    /// Where that is.
    pub url: String,
}

/// A named value that a task has pushed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PushedHistory {
    /// Its name.
    pub key: String,
    /// Its type, without modules.
    #[serde(rename = "type")]
    pub ty: String,
    #[serde(skip)]
    pub(crate) place: Place,
}

/// Where a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u32,
    pub(crate) value: ValueRef,
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
    /// How it ended; `running` if it has not, or nobody knows.
    pub state: TaskState,
    /// Why it did not succeed.
    pub failure: Option<Arc<Failure>>,
    /// Which of the run's sessions it belongs to.
    pub session: usize,
}

fn as_flag<S: serde::Serializer>(place: &Option<Place>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(place.is_some())
}

impl TaskHistory {
    pub(super) fn new(id: &str) -> Self {
        TaskHistory {
            id: id.to_owned(),
            state: TaskState::None,
            attempts: Vec::new(),
            since: None,
            retry_at: None,
            failure: None,
            cause: None,
            waits_for: None,
            cleared: 0,
            marked: false,
            links: Vec::new(),
            pushed: Vec::new(),
            task_state: BTreeMap::new(),
            value: None,
            wait: None,
            uncounted_attempts: 0,
            rounds: 0,
            events_seen: 0,
            order: 0,
            length: None,
            label: None,
            labels: None,
            gone_as: None,
        }
    }

    /// Whether a value of it is stored.
    pub fn has_value(&self) -> bool {
        self.value.is_some()
    }

    /// Closes the attempt that runs.
    pub(super) fn close(&mut self, at: Timestamp, state: TaskState, failure: Option<Arc<Failure>>) {
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
            (attempt.ended, attempt.state, attempt.failure) = (Some(at), state, failure);
        }
    }

    pub(super) fn settle(&mut self, at: Timestamp, state: TaskState) {
        (self.state, self.since, self.retry_at) = (state, Some(at), None);
        // One that was told to go on, and not started before its process died, still waits.
        if state != TaskState::Scheduled && state != TaskState::None {
            self.waits_for = None;
        }
    }

    /// An attempt begins, or goes on after a wait.
    pub(super) fn start(&mut self, at: Timestamp, number: u32, session: usize) {
        let goes_on = self.waits_for.is_some();
        self.settle(at, TaskState::Running);
        match self.attempts.last_mut().filter(|attempt| goes_on && attempt.number == number) {
            Some(attempt) => (attempt.state, attempt.session) = (TaskState::Running, session),
            // Of an attempt target process died before its start was stored nothing is known: the number comes again.
            None => {
                self.links.clear();
                self.pushed.clear();
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

    /// An attempt has said where something is to be found.
    pub(super) fn link(&mut self, name: String, url: String) {
        match self.links.iter_mut().find(|link| link.name == name) {
            Some(link) => link.url = url,
            None => self.links.push(LinkHistory { name, url }),
        }
    }

    /// An attempt has pushed a named value.
    pub(super) fn push(&mut self, key: String, ty: String, place: Place) {
        match self.pushed.binary_search_by(|pushed| pushed.key.cmp(&key)) {
            Ok(at) => (self.pushed[at].ty, self.pushed[at].place) = (ty, place),
            Err(at) => self.pushed.insert(at, PushedHistory { key, ty, place }),
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
        self.waits_for = Some(WaitHistory {
            since: record.since,
            count: record.count,
            until: record.until,
            event: record.event.as_ref().map(|(key, _)| key.clone()),
            poke,
        });
        self.wait = Some(Box::new(record));
    }

    /// Known from an earlier graph, and part of this one again.
    pub(super) fn back(mut self) -> Self {
        if self.state == TaskState::Removed {
            (self.state, self.since) = (self.gone_as.unwrap_or_default(), None);
        }
        self
    }

    /// When the attempt really began is known when it ends: a worker may take several tasks at once.
    pub(super) fn began(&mut self, ended: Timestamp, took: u64) {
        if let Some(attempt) = self.attempts.last_mut().filter(|attempt| attempt.ended.is_none()) {
            attempt.started = ended - std::time::Duration::from_nanos(took);
        }
    }

    /// The run or the group is tried again, and the task with it: as [`reset`](TaskHistory::reset), but nobody has cleared it.
    pub(super) fn again(&mut self, events: u64) {
        let (cleared, events_seen) = (self.cleared, self.events_seen);
        self.reset(events);
        self.rounds += 1;
        self.cleared = cleared;
        if self.attempts.is_empty() {
            self.events_seen = events_seen;
        }
    }

    /// Nothing but its attempts stays; what was released before is not for it.
    pub(super) fn reset(&mut self, events: u64) {
        let kept = std::mem::take(&mut self.attempts);
        let uncounted_attempts = kept.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        let (cleared, events_seen) = (self.cleared + 1, events);
        let (label, rounds) = (self.label.take(), self.rounds);
        *self = TaskHistory {
            attempts: kept,
            uncounted_attempts,
            rounds,
            cleared,
            events_seen,
            label,
            ..TaskHistory::new(&self.id)
        };
    }
}
