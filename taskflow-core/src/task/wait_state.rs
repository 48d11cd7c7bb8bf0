//! What a task may wait for without holding a slot: times, events, the ends of runs.
//!
//! Every wait is an error that the function returns; it is called again from its beginning when what it waits for is there.

use serde::de::DeserializeOwned;

use super::{Abort, Interrupt, TaskContext, Wait};
use crate::base::Timestamp;
use crate::run::{EventPayload, Events, RUN_ENDED};

/// What a task that may wait is told when it is called, again or for the first time.
#[derive(Clone, Debug)]
pub(crate) struct WaitState {
    /// When it was called.
    pub(crate) now: Timestamp,
    /// When it was first called.
    pub(crate) since: Timestamp,
    /// How often it has waited.
    pub(crate) waits: u32,
    /// The number of the last event that is not for it.
    pub(crate) after: u64,
    pub(crate) events: Events,
}

impl TaskContext {
    /// Waits until the run with this id has ended, and until a time at the latest.
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

    /// Whether it may wait without holding a slot.
    pub(crate) fn may_wait(&self) -> Result<(), Interrupt> {
        self.wait_state().map(drop)
    }

    /// Waits until this time without holding a slot: `ctx.defer_until(opening)?;`
    ///
    /// Before that time it gives an error, which must be what the task returns. The task is `deferred` then, and its
    /// function is called again from its beginning when the time has come, as the same attempt; now this returns `Ok`. The
    /// wait outlives the process: a run that is resumed waits on.
    ///
    /// # Errors
    ///
    /// Before that time. Also in a task without `#[task(deferrable)]`, which fails for good.
    pub fn defer_until(&self, time: Timestamp) -> Result<(), Interrupt> {
        let wait_state = self.wait_state()?;
        if wait_state.now >= time {
            return Ok(());
        }
        let wait = Wait::Deferred { until: Some(time), event: None };
        Err(self.waits(wait, format!("deferred until {time}")))
    }

    /// Waits for an event without holding a slot, and gives its value: `let approval: Approval = ctx.wait_for("approval")?;`
    ///
    /// Somebody releases the event by its key, in this run: [`RunControl::release`](crate::engine::RunControl::release),
    /// [`Journal::release`](crate::journal::Journal::release) or `release RUN KEY --value JSON` on the command line. It may
    /// come before the task waits for it, and several tasks may wait for one. Until then it is as with
    /// [`defer_until`](TaskContext::defer_until). A value that is no `T` is reported in the log of the attempt, and the task
    /// goes on waiting for another one.
    ///
    /// # Errors
    ///
    /// Before the event. Also in a task without `#[task(deferrable)]`, which fails for good.
    pub fn wait_for<T: DeserializeOwned>(&self, key: &str) -> Result<T, Interrupt> {
        match self.event(key)? {
            Ok(value) => Ok(value),
            Err(seen) => {
                let wait = Wait::Deferred { until: None, event: Some((key.to_owned(), seen)) };
                Err(self.waits(wait, format!("deferred until the event `{key}`")))
            }
        }
    }

    /// As [`wait_for`](TaskContext::wait_for), until a time at the latest: `None` when that has passed without the event.
    ///
    /// # Errors
    ///
    /// Before the event and that time. Also in a task without `#[task(deferrable)]`, which fails for good.
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

    /// When the task first began to look or to wait: the same each time it comes back, also after a retry. `None` in a task
    /// that cannot wait.
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.identity().wait_state.as_ref().map(|wait_state| wait_state.since)
    }

    /// How often the task has waited so far: of a sensor, how many pokes there were before this one.
    pub fn waited(&self) -> u32 {
        self.identity().wait_state.as_ref().map_or(0, |wait_state| wait_state.waits)
    }

    /// The value of an event, or the number of the last one that is of no use.
    fn event<T: DeserializeOwned>(&self, key: &str) -> Result<Result<T, u64>, Interrupt> {
        let WaitState { after, events, .. } = self.wait_state()?;
        let Some((number, EventPayload { value, .. })) = events.get(key).filter(|(number, _)| number > after) else {
            return Ok(Err(*after));
        };
        Ok(serde_json::from_str(value).map_err(|error| {
            let ty = std::any::type_name::<T>();
            tracing::warn!(target: "taskflow", "the event `{key}` brought {value}, which is no {ty}: {error}");
            *number
        }))
    }

    /// The event with this key that the task has been told of, if there is one.
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
