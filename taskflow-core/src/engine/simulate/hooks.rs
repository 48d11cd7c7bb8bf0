//! The hooks of a simulated run: they choose steps, replace tasks and inject faults.

use std::sync::Arc;
use std::time::Duration;

use crate::base::Timestamp;
use crate::callback::PendingCallback;
use crate::engine::values::Values;
use crate::machine::Machine;
use crate::run::{Emission, Event, TaskIndex};
use crate::task::{Inputs, Produced, TaskContext, TaskDef};
use crate::value::AnyValue;

/// The hooks of a simulated run. The defaults change nothing and inject no faults.
pub(crate) trait SimHooks {
    /// Chooses one of `count` possible steps. `count` is not 0; the result is below it.
    fn choose(&mut self, _count: usize) -> usize {
        0
    }

    /// Returns the behaviour of an attempt that is about to start.
    fn behaviour(&mut self, _attempt: &Starting<'_>) -> Part {
        Part::default()
    }

    /// Called when a session has begun, at this time of its clock.
    fn on_begin(&mut self, _machine: &Machine, _now: Timestamp) {}

    /// Called when an attempt has started, before its function is called.
    fn on_start(&mut self, _machine: &Machine, _values: &Values, _task: TaskIndex) {}

    /// Returns an interference before the next step.
    fn interfere(&mut self, _now: Timestamp) -> Option<Interference> {
        None
    }

    /// When it will interfere, if nothing else happens before.
    fn interferes_at(&self) -> Option<Timestamp> {
        None
    }

    /// Called for each transition; `task` is the id of the task instance, or empty for the run.
    fn on_event(&mut self, _event: &Event, _task: &str) {}

    /// Called when a task has succeeded, with its value.
    fn on_value(&mut self, _task: &str, _value: &AnyValue) {}

    /// Called when an attempt has succeeded, for each event that it emits.
    fn on_emit(&mut self, _emission: Emission) {}

    /// Whether notifications are delivered before anything else happens.
    fn delivers_at_once(&self) -> bool {
        true
    }

    /// Delivers a notification.
    fn deliver(&mut self, _now: Timestamp, pending: PendingCallback) {
        // A failed delivery is not retried here.
        let _ = pending.deliver();
    }

    /// Whether recorded entries are stored before anything else happens.
    fn stores_at_once(&self) -> bool {
        false
    }

    /// Takes the recorded entries that are not stored, and returns how long storing them takes.
    fn take_batch(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Stores the entries that were taken.
    ///
    /// # Errors
    ///
    /// Why nothing more can be stored.
    fn store_batch(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// An attempt that is about to start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Starting<'a> {
    /// The id of the task instance, and that of its node.
    pub(crate) task: &'a str,
    pub(crate) node: &'a str,
    pub(crate) def: &'static TaskDef,
    /// The number of the attempt, without lost ones.
    pub(crate) counted: u32,
    /// How many times the attempt has waited already.
    pub(crate) waits: u32,
}

/// A body that replaces that of a task.
pub(crate) type StandIn = Arc<dyn Fn(&mut Inputs, Option<&TaskContext>) -> Produced + Send + Sync>;

/// The behaviour of an attempt.
#[derive(Clone, Default)]
pub(crate) struct Part {
    /// The body to call instead of the task's own.
    pub(crate) body: Option<StandIn>,
    /// How much virtual time it takes, apart from what an async task waits for.
    pub(crate) takes: Duration,
    /// It never ends.
    pub(crate) lost: bool,
}

/// An interference from outside the run.
#[derive(Clone, Debug)]
pub(crate) enum Interference {
    /// The process dies.
    Crash,
    /// The run is cancelled.
    Cancel(String),
    /// An event is sent: its key, and its value as JSON.
    Event(String, Arc<str>),
    /// The clock is set forward or back, in nanoseconds.
    Jump(i64),
}
