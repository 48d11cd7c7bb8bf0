//! What a simulated run is left to: who chooses, who stands in for tasks, what goes wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::base::Timestamp;
use crate::callback::PendingCallback;
use crate::run::Event;
use crate::task::{Inputs, Produced, TaskContext, TaskDef};
use crate::value::AnyValue;

/// The host of a simulated run. What is not overridden is the calmest that there can be.
pub(crate) trait SimHooks {
    /// Which of `count` possible things comes next: below `count`, which is not 0.
    fn choose(&mut self, _count: usize) -> usize {
        0
    }

    /// How an attempt goes that is about to start.
    fn part(&mut self, _attempt: &Starting<'_>) -> Part {
        Part::default()
    }

    /// What comes from outside before the next step.
    fn interfere(&mut self, _now: Timestamp) -> Option<Interference> {
        None
    }

    /// When it will interfere if nothing else happens before.
    fn interferes_at(&self) -> Option<Timestamp> {
        None
    }

    /// A transition; `task` is the id of the task instance, and nothing for one of the run.
    fn saw(&mut self, _event: &Event, _task: &str) {}

    /// A task has succeeded with this value.
    fn made(&mut self, _task: &str, _value: &AnyValue) {}

    /// Whether callbacks are told before anything else happens.
    fn tells_at_once(&self) -> bool {
        true
    }

    /// A callback is to be told something.
    fn tell(&mut self, _now: Timestamp, pending: PendingCallback) {
        // Nobody tries again what fails here.
        let _ = pending.deliver();
    }

    /// Whether what is recorded is stored before anything else happens.
    fn stores_at_once(&self) -> bool {
        false
    }

    /// Takes what was recorded and is not stored, and says how long storing it takes.
    fn take_batch(&mut self) -> Duration {
        Duration::ZERO
    }

    /// Stores what was taken.
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
    /// Which attempt it is, without those that were lost.
    pub(crate) counted: u32,
}

/// A body in place of that of a task.
pub(crate) type StandIn = Arc<dyn Fn(&mut Inputs, Option<&TaskContext>) -> Produced + Send + Sync>;

/// How an attempt goes.
#[derive(Clone, Default)]
pub(crate) struct Part {
    /// What is called; the task itself without one.
    pub(crate) body: Option<StandIn>,
    /// How much virtual time it takes, apart from what an async task waits for.
    pub(crate) takes: Duration,
    /// It is never heard of again.
    pub(crate) lost: bool,
}

/// What comes from outside.
#[derive(Clone, Debug)]
pub(crate) enum Interference {
    /// The process dies.
    Crash,
    /// Somebody wants the run to end.
    Cancel(String),
    /// Somebody says that an event has come: its key, and its value as JSON.
    Event(String, Arc<str>),
    /// The clock is set forward or back, in nanoseconds.
    Jump(i64),
}
