//! A sensor that waits for a run of another DAG.

use serde::{Deserialize, Serialize};

use super::SENSOR;
use crate::base::{BoxError, Timestamp};
use crate::dag::{Arg, IntoArg, Output, add_task};
use crate::run::{RunState, TaskState};
use crate::task::{Body, BoxFuture, InputDef, Inputs, Interrupt, Kind, Produced, TaskContext, TaskDef};
use crate::value::{AnyValue, TypeInfo};

const WANTED: InputDef = InputDef { name: "run", ty: TypeInfo::of_value::<Wanted>() };

static AT: TaskDef = TaskDef {
    inputs: &[WANTED, InputDef { name: "logical_date", ty: TypeInfo::of_value::<Timestamp>() }],
    body: Body::Async(|mut inputs, context| {
        let date = *inputs.shared::<Timestamp>(1);
        poke(inputs, context, Some(date))
    }),
    ..NEWEST_DEF
};

static NEWEST: TaskDef = NEWEST_DEF;

const NEWEST_DEF: TaskDef = TaskDef {
    id: "external_run",
    doc: "Waits until a run of another DAG has succeeded.",
    inputs: &[WANTED],
    output: TypeInfo::of_value::<String>(),
    takes_context: true,
    kind: Kind::Async,
    body: Body::Async(|inputs, context| poke(inputs, context, None)),
    ..SENSOR
};

/// Which run of which DAG to wait for, and in which state: Airflow's `ExternalTaskSensor`.
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::sensors::{ExternalRun, external_run};
///
/// #[task]
/// fn report(orders: &str) -> String {
///     format!("after {orders}")
/// }
///
/// #[dag]
/// fn reporting(day: Timestamp) -> String {
///     report(external_run(ExternalRun::at("orders", day).task("load")))
/// }
/// # assert!(reporting::def().plan().is_ok());
/// ```
#[must_use = "it does nothing until it is passed to `external_run(..)`"]
#[derive(Debug)]
pub struct ExternalRun {
    wanted: Wanted,
    date: Option<Arg>,
}

/// The run to wait for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wanted {
    dag: String,
    task: Option<String>,
    /// The names of the states to wait for.
    allowed: Vec<String>,
    failed: Vec<String>,
}

impl ExternalRun {
    /// The run of this DAG with this logical date (a time or the output of a task); the newest, if
    /// there are several.
    pub fn at(dag: impl Into<String>, logical_date: impl IntoArg<Timestamp>) -> Self {
        ExternalRun { date: Some(logical_date.into_arg()), ..ExternalRun::newest(dag) }
    }

    /// The newest run of this DAG, whatever its logical date.
    pub fn newest(dag: impl Into<String>) -> Self {
        let allowed = vec![RunState::Success.name().to_owned()];
        let failed = vec![RunState::Failed.name().to_owned(), RunState::Cancelled.name().to_owned()];
        ExternalRun { wanted: Wanted { dag: dag.into(), task: None, allowed, failed }, date: None }
    }

    /// Waits for a task of the run instead of its end.
    pub fn task(mut self, id: impl Into<String>) -> Self {
        self.wanted.task = Some(id.into());
        self
    }

    /// The states to wait for, of the run or its task. Default: `success`.
    pub fn allowed_states<S: ToString>(mut self, states: impl IntoIterator<Item = S>) -> Self {
        self.wanted.allowed = states.into_iter().map(|state| state.to_string()).collect();
        self
    }

    /// The states in which the sensor fails. Default: `failed` and `cancelled`. It also fails if a
    /// task is `upstream_failed`, unless that state is allowed.
    pub fn failed_states<S: ToString>(mut self, states: impl IntoIterator<Item = S>) -> Self {
        self.wanted.failed = states.into_iter().map(|state| state.to_string()).collect();
        self
    }
}

/// A sensor for a run of another DAG in the journal of the current run: returns the id of that run
/// when it has succeeded, and fails, without a retry, when it has failed or was cancelled. It also
/// waits for a run that does not exist yet.
///
/// It can only see runs in the same journal. In a run without a journal, the sensor fails.
#[track_caller]
pub fn external_run(run: ExternalRun) -> Output<String> {
    let ExternalRun { wanted, date } = run;
    let wanted = IntoArg::<Wanted>::into_arg(wanted);
    match date {
        Some(date) => add_task(&AT, [wanted, date]),
        None => add_task(&NEWEST, [wanted]),
    }
}

fn poke(mut inputs: Inputs, context: Option<TaskContext>, date: Option<Timestamp>) -> BoxFuture<Produced> {
    let wanted = inputs.shared::<Wanted>(0);
    Box::pin(async move {
        let context = context.ok_or("a sensor that takes a context receives one")?;
        let about = date.map(|date| format!(" with the logical date {date}")).unwrap_or_default();
        let Wanted { dag, task, allowed, failed } = &*wanted;
        let Some(archive) = context.archive() else {
            let reason = format!("this run has no journal, which is needed to find a run of `{dag}`");
            return Err(BoxError::from(context.fail(reason)));
        };
        let Some(run) = archive.latest(dag, date).await? else { return Err(Interrupt::not_yet().into()) };
        archive.awaits(&run);
        let run_id = run.info.run_id;
        let (state, what) = match task {
            None => (run.state.name(), format!("the run `{run_id}` of `{dag}`{about}")),
            Some(task) => match archive.task(&run_id, task).await? {
                Some(state) => (state.name(), format!("the task `{task}` of the run `{run_id}` of `{dag}`")),
                None => {
                    let reason = format!("the run `{run_id}` of `{dag}` has no task `{task}`");
                    return Err(context.fail(reason).into());
                }
            },
        };
        let is_upstream_failed = task.is_some() && state == TaskState::UpstreamFailed.name();
        if allowed.iter().any(|allowed| allowed == state) {
            Ok(AnyValue::new(run_id))
        } else if is_upstream_failed || failed.iter().any(|failed| failed == state) {
            Err(context.fail(format!("{what} is {state}")).into())
        } else {
            Err(Interrupt::not_yet().into())
        }
    })
}
