//! The outcome of a test, and assertions about it.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use super::emitted::EmittedEvent;
use super::event_log::EventLog;
use super::test_world::TestWorld;
use crate::engine::{RunReport, TaskReport};
use crate::run::{RunState, TaskState};
use crate::task::{CallbackKind, Notification};
use crate::value::{AnyValue, Value};

/// The outcome of a test.
///
/// Assertions panic with a table of the run, at the line of the assertion. They return the outcome,
/// so that they can be chained.
pub struct Outcome<T> {
    report: RunReport<T>,
    log: EventLog,
    values: HashMap<String, AnyValue>,
    notifications: Vec<Notification>,
    pub(super) events: Vec<EmittedEvent>,
    pub(super) steps: u64,
    /// Whether tasks were cleared or marked after the run had ended.
    pub(super) is_edited: bool,
}

impl<T> Outcome<T> {
    pub(super) fn new(report: RunReport<T>, mut world: TestWorld) -> Self {
        let events = world.events().into_iter().filter_map(EmittedEvent::of).collect();
        let TestWorld { log, values, notifications, steps, is_edited, .. } = world;
        Outcome { report, log, values, notifications, events, steps, is_edited }
    }

    /// The report, like that of any run.
    pub fn report(&self) -> &RunReport<T> {
        &self.report
    }

    /// The virtual time from the first start to the end.
    pub fn elapsed(&self) -> Duration {
        self.report.duration()
    }

    /// Every transition on a line, with the virtual time since the start. Identical in every run of
    /// the test, for snapshots.
    pub fn event_log(&self) -> String {
        self.log.text()
    }

    /// The notifications for callbacks, in order. A test never calls the callbacks; it only records
    /// their notifications.
    pub fn notifications(&self) -> &[Notification] {
        &self.notifications
    }

    /// Asserts that callbacks received exactly these notifications, in this order: the kind, and
    /// the id of the task, or of the DAG for the run as a whole.
    ///
    /// # Panics
    ///
    /// If they received others.
    #[track_caller]
    pub fn assert_notified(&self, wanted: &[(CallbackKind, &str)]) -> &Self {
        let received: Vec<(CallbackKind, &str)> =
            self.notifications.iter().map(|notification| (notification.kind, notification.subject())).collect();
        if received != wanted {
            self.fail(&format!("callbacks received {received:?}, not {wanted:?}"));
        }
        self
    }

    /// The result of the DAG.
    ///
    /// # Panics
    ///
    /// If the task that produces it did not succeed.
    #[track_caller]
    pub fn result(&self) -> &T {
        let Some(result) = self.report.result() else { self.fail("the run has no result") };
        result
    }

    /// The value returned by the task with this id.
    ///
    /// # Panics
    ///
    /// If there is no such task, or it returned no value or not a `V`.
    #[track_caller]
    pub fn value<V: Value>(&self, task: &str) -> &V {
        let found = self.task(task);
        let Some(value) = self.values.get(task) else {
            self.fail(&format!("`{task}` has no value: it is {}", found.state()));
        };
        let ty = self.report.plan().def(found.node()).output;
        let Some(value) = value.downcast_ref::<V>() else {
            self.fail(&format!("the value of `{task}` is a {}, not a {}", ty.short(), std::any::type_name::<V>()));
        };
        value
    }

    /// Asserts that the run succeeded.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[track_caller]
    pub fn assert_success(&self) -> &Self {
        self.assert_run(RunState::Success)
    }

    /// Asserts the final state of the run.
    ///
    /// # Panics
    ///
    /// If it differs.
    #[track_caller]
    pub fn assert_run(&self, state: RunState) -> &Self {
        if self.report.state() != state {
            self.fail(&format!("the run is {}, not {state}", self.report.state()));
        }
        self
    }

    /// Asserts the final state of the task with this id.
    ///
    /// # Panics
    ///
    /// If it differs, or there is no such task.
    #[track_caller]
    pub fn assert_state(&self, task: &str, state: TaskState) -> &Self {
        let found = self.task(task).state();
        if found != state {
            self.fail(&format!("`{task}` is {found}, not {state}"));
        }
        self
    }

    /// Asserts the number of attempts of the task with this id. Attempts lost in a crash count if
    /// any entry of them was stored.
    ///
    /// # Panics
    ///
    /// If it differs, or there is no such task.
    #[track_caller]
    pub fn assert_attempts(&self, task: &str, attempts: u32) -> &Self {
        let found = self.task(task).attempt_count();
        if found != attempts {
            self.fail(&format!("`{task}` had {found} attempts, not {attempts}"));
        }
        self
    }

    /// Asserts that the failure of the task with this id contains this text.
    ///
    /// # Panics
    ///
    /// If it does not, there is no failure, or there is no such task.
    #[track_caller]
    pub fn assert_failure(&self, task: &str, text: &str) -> &Self {
        match self.task(task).failure() {
            Some(failure) if failure.to_string().contains(text) => {}
            Some(failure) => {
                self.fail(&format!("the failure of `{task}` is \"{failure}\", which does not contain \"{text}\""))
            }
            None => self.fail(&format!("`{task}` has no failure: it is {}", self.task(task).state())),
        }
        self
    }

    /// Asserts that each of these tasks ended before the next one started.
    ///
    /// # Panics
    ///
    /// If one did not, or did not run.
    #[track_caller]
    pub fn assert_order(&self, tasks: &[&str]) -> &Self {
        for pair in tasks.windows(2) {
            let (before, after) = (self.task(pair[0]).id(), self.task(pair[1]).id());
            let started = |task: &str| self.log.first(task, "running");
            let Some(start) = started(&after) else { self.fail(&format!("`{after}` never started")) };
            if started(&before).is_none() {
                self.fail(&format!("`{before}` never started"));
            }
            if self.log.last(&before).is_none_or(|end| end > start) {
                self.fail(&format!("`{before}` did not end before `{after}` started\n{}", self.log.text()));
            }
        }
        self
    }

    // Here and above there are no closures, whose panics would point into the library.
    #[track_caller]
    fn task(&self, id: &str) -> TaskReport<'_> {
        let Some(task) = self.report.task(id) else { self.fail(&format!("there is no task `{id}`")) };
        task
    }

    #[track_caller]
    pub(super) fn fail(&self, what: &str) -> ! {
        panic!("{what}\n{self:?}")
    }
}

/// The table shown by failed assertions.
impl<T> fmt::Debug for Outcome<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let report = &self.report;
        writeln!(f, "run of `{}`: {} after {:?}", report.plan().id(), report.state(), report.duration())?;
        if let Some(reason) = report.halt_reason() {
            writeln!(f, "  ended early: {reason}")?;
        }
        let width = report.tasks().map(|task| task.id().chars().count()).max().unwrap_or(0);
        for task in report.tasks() {
            let (id, state, attempts) = (task.id(), task.state().name(), task.attempt_count());
            write!(f, "  {id:<width$}  {state:<15}  {attempts} attempts")?;
            match task.failure() {
                Some(failure) => writeln!(f, "  {failure}")?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}
