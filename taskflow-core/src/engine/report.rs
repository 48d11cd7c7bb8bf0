//! The report of a finished run.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::live_run::run_view;
use super::run::Finished;
use crate::base::{Failure, Timestamp, catch};
use crate::callback::CallbackFailure;
use crate::dag::{NodeIndex, Plan};
use crate::machine::Machine;
use crate::run::{RunInfo, RunState, RunView, TaskIndex, TaskState};
use crate::value::{AnyValue, Value};

/// A finished run: its state, its result, and its tasks.
pub struct RunReport<T = ()> {
    pub(super) info: Arc<RunInfo>,
    pub(super) machine: Machine,
    /// The number of the last entry; 0 without a journal.
    pub(super) entry: u64,
    pub(super) callback_failures: Vec<CallbackFailure>,
    pub(super) result: Option<Arc<T>>,
    /// Why the projection of the result failed, if it did.
    pub(super) lost: Option<Arc<Failure>>,
}

/// A task instance of a finished run.
#[derive(Clone, Copy)]
pub struct TaskReport<'a> {
    machine: &'a Machine,
    task: TaskIndex,
}

/// An attempt that is over.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttemptReport {
    /// Counted from 1.
    pub number: u32,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Why it did not succeed; `None` if it did.
    pub failure: Option<Arc<Failure>>,
    /// The delay before the next attempt, if another one followed or will follow.
    pub retry_delay: Option<Duration>,
}

/// The result of the DAG, from the value of its task. The thread that takes the report applies the
/// projection. The run is over by then, so a panic in the projection does not fail it.
pub(crate) fn returned(plan: &Plan, value: AnyValue) -> Result<AnyValue, Failure> {
    match plan.result_projection() {
        None => Ok(value),
        Some(projection) => catch(|| projection.apply(value)).and_then(std::convert::identity),
    }
}

impl<T: Value> RunReport<T> {
    pub(super) fn new(info: &Arc<RunInfo>, finished: Finished) -> Self {
        let Finished { machine, result, entry, callback_failures } = finished;
        let result = result.map(|value| returned(machine.plan(), value)).transpose();
        let (result, lost) = match result {
            Ok(result) => (result, None),
            Err(failure) => (None, Some(Arc::new(failure))),
        };
        let result = result.and_then(|value| value.downcast::<T>().ok());
        RunReport { info: Arc::clone(info), machine, entry, callback_failures, result, lost }
    }
}

impl<T> RunReport<T> {
    /// The run.
    pub fn run(&self) -> &RunInfo {
        &self.info
    }

    /// The graph.
    pub fn plan(&self) -> &Arc<Plan> {
        self.machine.plan()
    }

    /// How it ended.
    pub fn state(&self) -> RunState {
        self.machine.state()
    }

    /// Whether it succeeded.
    pub fn is_success(&self) -> bool {
        self.state() == RunState::Success
    }

    /// The result of the DAG, if its task succeeded, even if another task failed the run.
    pub fn result(&self) -> Option<&T> {
        self.result.as_deref()
    }

    /// The result with its type erased.
    #[cfg(feature = "testing")]
    pub(crate) fn shared_result(&self) -> Option<AnyValue>
    where
        T: Value,
    {
        self.result.clone().map(AnyValue::from)
    }

    /// The result, or the failure of the run as an error: for `?`.
    ///
    /// # Errors
    ///
    /// As [`RunReport::into_result`].
    pub fn success(&self) -> Result<&T, Box<RunFailed>> {
        match &self.result {
            Some(result) if self.is_success() => Ok(result),
            _ => Err(Box::new(self.failed())),
        }
    }

    /// The result, or the failure of the run as an error, by value.
    ///
    /// # Errors
    ///
    /// [`RunFailed`] when the run did not succeed, or succeeded without a result: because the task
    /// of the result was skipped, or because a projection of its value (`out.get("key")`) failed.
    pub fn into_result(self) -> Result<Arc<T>, Box<RunFailed>> {
        let failed = self.failed();
        match self.result {
            Some(result) if self.machine.state() == RunState::Success => Ok(result),
            _ => Err(Box::new(failed)),
        }
    }

    /// When it began.
    pub fn started(&self) -> Timestamp {
        self.machine.run_times().0
    }

    /// When it ended.
    pub fn ended(&self) -> Timestamp {
        self.machine.run_times().1
    }

    /// How long it took.
    pub fn duration(&self) -> Duration {
        self.ended().since(self.started())
    }

    /// The final state of the run and of its tasks as data.
    pub fn view(&self) -> RunView {
        run_view(&self.machine, &self.info, self.entry)
    }

    /// Why it ended early, if it did: a cancellation, `fail_fast`, the time limit.
    pub fn halt_reason(&self) -> Option<&str> {
        self.machine.halt_reason()
    }

    /// The notifications that callbacks could not deliver at the first attempt. They do not fail
    /// the run.
    pub fn callback_failures(&self) -> &[CallbackFailure] {
        &self.callback_failures
    }

    /// The task instances in the order of the plan, followed by those of elements.
    pub fn tasks(&self) -> impl ExactSizeIterator<Item = TaskReport<'_>> + DoubleEndedIterator {
        let tasks: Vec<TaskIndex> = self.machine.layout().tasks().collect();
        tasks.into_iter().map(|task| TaskReport::new(&self.machine, task))
    }

    /// The task instance with this id. Takes time in proportion to the size of the plan.
    pub fn task(&self, id: &str) -> Option<TaskReport<'_>> {
        self.machine.layout().find(id).map(|task| TaskReport::new(&self.machine, task))
    }

    /// The task instance that events name by this number.
    pub fn numbered(&self, number: TaskIndex) -> Option<TaskReport<'_>> {
        let layout = self.machine.layout();
        let is_there = layout.numbers().contains(&number) && layout.is_instance(number);
        is_there.then(|| TaskReport::new(&self.machine, number))
    }

    /// The first task (in time) that failed without a retry, with its failure.
    pub fn first_failure(&self) -> Option<TaskReport<'_>> {
        self.tasks().filter(|task| task.state() == TaskState::Failed).min_by_key(TaskReport::ended)
    }

    fn failed(&self) -> RunFailed {
        let first = self.first_failure();
        RunFailed {
            run_id: self.info.run_id.clone(),
            state: self.state(),
            task: first.map(|task| task.id().into_owned()),
            label: first.and_then(|task| task.label()),
            failure: first.and_then(|task| task.failure()).or_else(|| self.lost.clone()).map(Arc::unwrap_or_clone),
            halt_reason: self.halt_reason().map(str::to_owned),
        }
    }
}

impl<'a> TaskReport<'a> {
    pub(super) fn new(machine: &'a Machine, task: TaskIndex) -> Self {
        TaskReport { machine, task }
    }

    /// Its id: that of its node, followed by the positions of its element in the enclosing lists,
    /// as in `area[3]`.
    pub fn id(&self) -> Cow<'a, str> {
        self.machine.layout().id(self.task)
    }

    /// The label of its element, if its list is [labelled](crate::dag::Output::label). In nested
    /// lists the label of the outer element comes first: `seoul / 2013-03`.
    pub fn label(&self) -> Option<String> {
        self.machine.label(self.task)
    }

    /// The index of its node in the plan.
    pub fn node(&self) -> NodeIndex {
        self.machine.layout().node(self.task)
    }

    /// Its number in the run: what events name it by.
    pub fn index(&self) -> TaskIndex {
        self.task
    }

    /// How it ended.
    pub fn state(&self) -> TaskState {
        self.machine.task_state(self.task)
    }

    /// Why it did not succeed.
    pub fn failure(&self) -> Option<Arc<Failure>> {
        self.machine.failure(self.task)
    }

    /// How many attempts were made.
    pub fn attempt_count(&self) -> u32 {
        self.machine.attempt(self.task)
    }

    /// Every attempt, in order.
    pub fn attempts(&self) -> Vec<AttemptReport> {
        let mut attempts: Vec<AttemptReport> = self.retried().collect();
        let count = self.attempt_count();
        if count as usize > attempts.len() {
            let (started, ended) = self.machine.times(self.task);
            attempts.push(AttemptReport { number: count, started, ended, failure: self.failure(), retry_delay: None });
        }
        attempts
    }

    /// The attempts that another one followed, or will follow.
    pub(crate) fn retried(&self) -> impl Iterator<Item = AttemptReport> + use<'a> {
        let (machine, task) = (self.machine, self.task);
        (1..).zip(machine.retried(task)).map(move |(number, record)| AttemptReport {
            number,
            started: record.started,
            ended: record.ended,
            failure: record.failure.clone(),
            retry_delay: Some(machine.retry_delay(task, number)),
        })
    }

    /// When the first attempt started, if one did.
    pub fn started(&self) -> Option<Timestamp> {
        let first = self.machine.retried(self.task).first().map(|record| record.started);
        first.or_else(|| (self.attempt_count() > 0).then(|| self.machine.times(self.task).0))
    }

    /// When it reached its final state.
    pub fn ended(&self) -> Timestamp {
        self.machine.times(self.task).1
    }

    /// The time from the first start to the end; zero if it never started.
    pub fn duration(&self) -> Duration {
        self.started().map_or(Duration::ZERO, |started| self.ended().since(started))
    }
}

impl<T> fmt::Debug for RunReport<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tasks: Vec<TaskReport<'_>> = self.tasks().take(50).collect();
        f.debug_struct("RunReport")
            .field("run_id", &self.info.run_id)
            .field("state", &self.state())
            .field("tasks", &tasks)
            .finish()
    }
}

impl fmt::Debug for TaskReport<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} after {} attempts", self.id(), self.state(), self.attempt_count())?;
        match self.failure() {
            Some(failure) => write!(f, " ({failure})"),
            None => Ok(()),
        }
    }
}

/// A run that did not succeed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunFailed {
    /// The run.
    pub run_id: String,
    /// How it ended.
    pub state: RunState,
    /// The task that failed first.
    pub task: Option<String>,
    /// The label of its element, if its list is labelled.
    pub label: Option<String>,
    /// Its failure; without a failed task, why the result could not be made.
    pub failure: Option<Failure>,
    /// Why the run ended early, if it did.
    pub halt_reason: Option<String>,
}

impl RunFailed {
    /// How it ended and why, without its id.
    pub(super) fn story(&self) -> String {
        let whole = self.to_string();
        whole.strip_prefix(&format!("run {} ", self.run_id)).map(str::to_owned).unwrap_or(whole)
    }
}

impl fmt::Display for RunFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} ended as {}", self.run_id, self.state)?;
        match (&self.task, &self.failure, &self.halt_reason) {
            (None, Some(failure), _) if self.state == RunState::Success => {
                write!(f, ", but its result cannot be computed: {failure}")
            }
            (Some(task), Some(failure), _) => {
                let label = self.label.as_ref().map(|label| format!(" ({label})")).unwrap_or_default();
                write!(f, ": task `{task}`{label}: {failure}")
            }
            (_, _, Some(reason)) => write!(f, ": {reason}"),
            _ if self.state == RunState::Success => {
                f.write_str(" without a result: the task that produces it was skipped")
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for RunFailed {}
