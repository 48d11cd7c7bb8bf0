//! What a task can wait for without holding a slot: times, events, the ends of runs.
//!
//! Every wait is an error that the function returns. When the wait is over, the function is called
//! again from its beginning.

use serde::de::DeserializeOwned;

use super::{Abort, Interrupt, Respondents, TaskContext, Wait};
use crate::base::Timestamp;
use crate::run::{EventPayload, Events, RUN_ENDED};

/// The state passed to a task that can wait, on its first and on later calls.
#[derive(Clone, Debug)]
pub(crate) struct WaitState {
    /// When it was called.
    pub(crate) now: Timestamp,
    /// When it was first called.
    pub(crate) since: Timestamp,
    /// How many times it has waited.
    pub(crate) waits: u32,
    /// The number of the last event that it could not use.
    pub(crate) after: u64,
    pub(crate) events: Events,
    /// Who may answer what it asks, if not everybody may.
    pub(crate) respondents: Option<Respondents>,
}

impl TaskContext {
    /// Waits until the run with this id has ended, at the latest until `until`.
    pub(crate) fn wait_for_run(&self, run_id: &str, until: Option<Timestamp>) -> Interrupt {
        let key = format!("{RUN_ENDED}{run_id}");
        let wait_state = match self.wait_state() {
            Ok(wait_state) => wait_state,
            Err(interrupt) => return interrupt,
        };
        let seen = wait_state.events.get(&key).map_or(wait_state.after, |&(number, _)| number.max(wait_state.after));
        let wait = Wait::Deferred { until, event: Some((key, seen)) };
        self.waits(wait, format!("deferred until the run `{run_id}` has ended"))
    }

    /// Checks that the task can wait without holding a slot.
    pub(crate) fn may_wait(&self) -> Result<(), Interrupt> {
        self.wait_state().map(drop)
    }

    /// Waits until this time without holding a slot: `ctx.defer_until(opening)?;`
    ///
    /// Before that time it returns an error, which the task must return. The task is then
    /// `deferred`, and its function is called again from its beginning at that time, as the same
    /// attempt; now this returns `Ok`. The wait outlives the process: a resumed run continues to
    /// wait.
    ///
    /// # Errors
    ///
    /// Before that time, and in a task without `#[task(deferrable)]`, which fails without a retry.
    pub fn defer_until(&self, time: Timestamp) -> Result<(), Interrupt> {
        let wait_state = self.wait_state()?;
        if wait_state.now >= time {
            return Ok(());
        }
        let wait = Wait::Deferred { until: Some(time), event: None };
        Err(self.waits(wait, format!("deferred until {time}")))
    }

    /// Waits for an event without holding a slot and returns its value: `let approval: Approval =
    /// ctx.wait_for("approval")?;`
    ///
    /// The event is sent to this run by its key, with
    /// [`RunControl::send_event`](crate::engine::RunControl::send_event),
    /// [`Journal::send_event`](crate::journal::Journal::send_event) or
    /// `release RUN KEY --value JSON` on the command line. It may be sent before the task waits for
    /// it, and several tasks may wait for the same event. Until then it behaves like
    /// [`defer_until`](TaskContext::defer_until). A value that is not a `T` is reported in the log
    /// of the attempt, and the task continues to wait.
    ///
    /// # Errors
    ///
    /// Before the event, and in a task without `#[task(deferrable)]`, which fails without a retry.
    pub fn wait_for<T: DeserializeOwned>(&self, key: &str) -> Result<T, Interrupt> {
        match self.event(key)? {
            Ok(value) => Ok(value),
            Err(seen) => {
                let wait = Wait::Deferred { until: None, event: Some((key.to_owned(), seen)) };
                Err(self.waits(wait, format!("deferred until the event `{key}`")))
            }
        }
    }

    /// Like [`wait_for`](TaskContext::wait_for), but returns `None` if `time` passes without the
    /// event.
    ///
    /// # Errors
    ///
    /// Before both the event and that time, and in a task without `#[task(deferrable)]`, which
    /// fails without a retry.
    pub fn wait_for_until<T: DeserializeOwned>(&self, key: &str, time: Timestamp) -> Result<Option<T>, Interrupt> {
        match self.event(key)? {
            Ok(value) => Ok(Some(value)),
            Err(_) if self.wait_state()?.now >= time => Ok(None),
            Err(seen) => {
                let wait = Wait::Deferred { until: Some(time), event: Some((key.to_owned(), seen)) };
                Err(self.waits(wait, format!("deferred until the event `{key}` or {time}")))
            }
        }
    }

    /// When the task first poked or waited. It stays the same on later calls and after a retry.
    /// `None` in a task that cannot wait.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.identity().wait_state.as_ref().map(|wait_state| wait_state.since)
    }

    /// How many times the task has waited; for a sensor, the number of previous pokes.
    pub fn waited(&self) -> u32 {
        self.identity().wait_state.as_ref().map_or(0, |wait_state| wait_state.waits)
    }

    /// The value of an event, or the number of the last unusable one.
    fn event<T: DeserializeOwned>(&self, key: &str) -> Result<Result<T, u64>, Interrupt> {
        let WaitState { after, events, .. } = self.wait_state()?;
        let Some((number, EventPayload { value, .. })) = events.get(key).filter(|(number, _)| number > after) else {
            return Ok(Err(*after));
        };
        Ok(serde_json::from_str(value).map_err(|error| {
            let ty = std::any::type_name::<T>();
            tracing::warn!(target: "taskflow", "the event `{key}` has the value {value}, which is not a {ty}: {error}");
            *number
        }))
    }

    /// Who may answer what the task asks, if not everybody may.
    pub(crate) fn respondents(&self) -> Option<Respondents> {
        self.identity().wait_state.as_ref()?.respondents
    }

    /// The event with this key that was passed to the task, if any.
    pub(crate) fn payload(&self, key: &str) -> Option<&EventPayload> {
        let WaitState { after, events, .. } = self.identity().wait_state.as_ref()?;
        events.get(key).filter(|(number, _)| number > after).map(|(_, payload)| payload)
    }

    fn wait_state(&self) -> Result<&WaitState, Interrupt> {
        self.identity().wait_state.as_ref().ok_or_else(|| {
            let task = self.task_id();
            self.fail(format!("`{task}` waits and is not deferrable: write `#[task(deferrable)]`"))
        })
    }

    fn waits(&self, wait: Wait, reason: String) -> Interrupt {
        self.remember(Interrupt::new(Abort::Wait, reason, Some(Box::new(wait))))
    }
}
