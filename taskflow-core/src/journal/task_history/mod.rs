//! A task instance of a stored run, and how entries change it.

mod attempts;
mod details;
mod place;

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;

pub use attempts::{AttemptHistory, Attempts};
use details::Details;
pub use details::{LinkHistory, PushedHistory, TaskDetails, WaitHistory};
pub(crate) use place::Place;

use crate::base::{Failure, Timestamp};
use crate::run::{QUESTION, TaskState, WaitRecord, WaitView};
use crate::task::because_of;

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

impl Deref for TaskHistory {
    type Target = TaskDetails;

    fn deref(&self) -> &TaskDetails {
        &self.details
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
        (details.retry_at, details.by_halt) = (None, false);
        // See `unschedule`.
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

    /// Its process died before it started. If it was to continue after a wait, it waits again: by
    /// the clock of the next process, the time may not have come.
    pub(super) fn unschedule(&mut self, at: Timestamp) {
        let state = match &self.waits_for {
            None => TaskState::None,
            Some(wait) if wait.poke => TaskState::UpForReschedule,
            Some(_) => TaskState::Deferred,
        };
        self.settle(at, TaskState::None);
        self.state = state;
        if state == TaskState::UpForReschedule
            && let Some(details) = self.own_details()
        {
            // The delay between two pokes is over, wherever the clock stands.
            let waits = details.waits_for.as_mut().map(|wait| &mut wait.until);
            let record = details.wait.as_mut().map(|record| &mut record.until);
            waits.into_iter().chain(record).for_each(|until| *until = until.map(|until| until.min(at)));
        }
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
        let WaitView { question, answer, respondents, .. } = WaitView::new((record.until, event.clone()), None, kept);
        let details = self.details();
        details.waits_for = Some(WaitHistory {
            since: record.since,
            count: record.count,
            until: record.until,
            event,
            question,
            answer,
            respondents,
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

    /// The graph no longer has it, unless it is an element whose list is yet to be expanded again.
    pub(super) fn leave(&mut self) {
        let state = self.state;
        self.details().gone_as = Some(state);
        self.state = TaskState::Removed;
    }

    /// The present graph does not have it, and has expanded its lists: should a later one have it
    /// again, it [rejoins](TaskHistory::rejoin) the run.
    pub(super) fn leave_for_good(&mut self) {
        if let Some(details) = self.own_details() {
            details.gone_as = None;
        }
    }

    /// Restores an element that the present graph has as well: with the state that it had in the
    /// graph before, if it was there.
    pub(super) fn back(mut self, events: u64) -> Self {
        if self.state == TaskState::Removed {
            match self.gone_as {
                Some(state) => (self.state, self.since) = (state, None),
                None => self.rejoin(events),
            }
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
        let earlier_attempts = self.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
        let (cleared, rounds) = (self.cleared + 1, self.rounds);
        *self = TaskHistory {
            attempts: std::mem::take(&mut self.attempts),
            label: self.label.take(),
            last_start: self.last_start,
            last_success: self.last_success,
            ..TaskHistory::new(Arc::clone(&self.id))
        };
        *self.details() = TaskDetails {
            uncounted_attempts: earlier_attempts,
            earlier_attempts,
            rounds,
            cleared,
            events_seen: events,
            ..TaskDetails::NONE
        };
    }

    /// A task that was not part of the run, or is in its graph again: as
    /// [`reset`](TaskHistory::reset), but neither cleared nor retried, so that the key for its
    /// effects stays the same.
    pub(super) fn rejoin(&mut self, events: u64) {
        let rounds = self.rounds;
        self.again(events);
        self.details().rounds = rounds;
    }
}
