//! Runs of other DAGs, started by tasks: Airflow's `TriggerDagRunOperator`.
//!
//! 1. The id of the triggered run is derived from the triggering run, its task and the number of
//!    the call. A task that is called again after a wait, a crash or a failure therefore finds the
//!    run that it has started, and does not start a second one.
//! 2. The state of the triggered run comes from this process
//!    ([`Children`](super::children::Children)) or from the journal. An interrupted run is resumed;
//!    a run of another process is checked from time to time. Until the waiting run has ended,
//!    nobody else resumes it; after that, a service cancels it.
//! 3. A task that waits is deferred until an event, which is sent when the run has ended. If the
//!    waiting run is resumed by another process, the task checks at once ([`RUN_ENDED`]).
//! 4. If the triggered run does not succeed, the task fails. Its next counted attempt retries the
//!    run: the failed tasks and what is downstream of them run again. It starts another run if
//!    there is no journal, the parameters are others, or the run has no failed task. The state of
//!    the waiting task has the attempt that retried the run last, so that a call after the wait or
//!    after a crash does not retry it once more.
//! 5. Runs trigger each other up to a depth of [`DEPTH`]: a DAG that triggers itself, perhaps by
//!    way of others, would otherwise start runs without end.
//! 6. If the waiting run ends early, so does the run that it waits for. A simulated run has no
//!    engine: the triggered run is simulated as well, at once.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::archive::{Archive, EndedRun};
use super::children::Child;
use super::live_host::LiveHost;
use super::recorder_error::RecorderError;
use super::report::RunReport;
use super::request::{RunError, RunRequest};
use crate::base::ErrorKind;
use crate::dag::Plan;
use crate::machine::Input;
use crate::run::{RUN_ENDED, RunInfo, RunState, TriggeredBy};
use crate::task::{Interrupt, TaskContext};
use crate::value::{AnyValue, Value, into_owned};

/// How many runs may trigger each other in a row.
const DEPTH: usize = 32;
/// The time between two checks of a run of another process.
const LOOK: Duration = Duration::from_secs(5);

/// Why a run of another DAG could not be started, or has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TriggerError {
    /// It has not ended. If the task returns this error, it is called again after the end.
    #[error(transparent)]
    Waits(Interrupt),
    /// It did not end well, or has no result.
    #[error("the run `{run_id}` of `{dag}` {why}")]
    Failed {
        /// The run.
        run_id: String,
        /// Its DAG.
        dag: String,
        /// How it ended, and why.
        why: String,
    },
    /// It could not be started.
    #[error("a run of `{dag}` cannot be triggered: {error}")]
    Start {
        /// Its DAG.
        dag: String,
        /// Why.
        error: RunError,
    },
    /// The journal cannot be read, or the run cannot be resumed.
    #[error("a run of `{dag}` cannot be triggered: {source}")]
    Journal {
        /// Its DAG.
        dag: String,
        /// Why.
        source: RecorderError,
    },
    /// Too many runs have triggered each other.
    #[error("a run of `{dag}` cannot be triggered: {} runs deep, no task may trigger another one: {}", path.len(), way(path))]
    TooDeep {
        /// Its DAG.
        dag: String,
        /// The DAGs of the runs that have triggered each other, the outermost first.
        path: Vec<String>,
    },
    /// The context is not that of a task in a run of this process.
    #[error("only tasks of a run can trigger runs; a detached context and the context of an isolated task cannot")]
    NoRun,
}

/// `a > b > c (3 times)`
fn way(path: &[String]) -> String {
    let same = path.chunk_by(|one, other| one == other);
    let steps = same.map(|same| match same {
        [dag] => dag.clone(),
        several => format!("{} ({} times)", several[0], several.len()),
    });
    steps.collect::<Vec<_>>().join(" > ")
}

impl TaskContext {
    /// Starts a run of another DAG, waits for its end without holding a slot, and returns its
    /// result:
    ///
    /// ```
    /// use taskflow::prelude::*;
    ///
    /// #[task]
    /// fn sum_up(day: u32) -> u32 {
    ///     day * 100
    /// }
    ///
    /// #[dag]
    /// fn summary(day: u32) -> u32 {
    ///     sum_up(day)
    /// }
    ///
    /// #[task(deferrable)]
    /// async fn summarise_twice(ctx: &TaskContext, day: u32) -> Result<u32> {
    ///     let first = ctx.trigger(summary::run(day)).await?;
    ///     let second = ctx.trigger(summary::run(day + 1)).await?;
    ///     Ok(first + second)
    /// }
    ///
    /// #[dag]
    /// fn overview() -> u32 {
    ///     let drawn = summary::trigger(7_u32); // the same as a node of its own
    ///     summarise_twice(drawn)
    /// }
    /// # assert_eq!(overview::run().wait().unwrap().result(), Some(&140_100));
    /// ```
    ///
    /// The run has a history of its own, which names the task that triggered it. It uses the same
    /// journal and the same engine, and the logical date of the triggering run unless
    /// [`RunRequest::logical_date`] sets another one.
    ///
    /// It is started once: a task that is called again, after the wait or after a crash, finds it
    /// by its position among the runs that the function triggers. If it fails, so does this call.
    /// The next attempt of the task then retries that run: its failed tasks and what is downstream
    /// of them run again, and the values of the others are kept. Without a journal, with other
    /// parameters, or if the run failed without a failed task, the next attempt starts another run.
    /// The run is cancelled when the run of the task ends early.
    ///
    /// # Errors
    ///
    /// Before the end of the run: return this error, and the function is called again from its
    /// beginning. When the run does not succeed or has no result. In a task without
    /// `#[task(deferrable)]`, which then fails without a retry.
    pub async fn trigger<T: Value + Clone>(&self, request: RunRequest<T>) -> Result<T, TriggerError> {
        Ok(into_owned(trigger(self, request).await?))
    }

    /// Starts a run of another DAG without waiting for it, and returns its id. Otherwise as
    /// [`TaskContext::trigger`], but the task need not be deferrable, and the run is not cancelled
    /// with that of the task.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub async fn trigger_detached<T: Value>(&self, request: RunRequest<T>) -> Result<String, TriggerError> {
        let triggering = Triggering::new(self, &request)?;
        let (_, run_id) = triggering.find(self, request, false).await?;
        Ok(run_id)
    }
}

/// Starts a run and waits for its result.
pub(crate) async fn trigger<T: Value>(context: &TaskContext, request: RunRequest<T>) -> Result<AnyValue, TriggerError> {
    // Before anything is started: whoever cannot wait would start it in vain.
    context.may_wait().map_err(TriggerError::Waits)?;
    let triggering = Triggering::new(context, &request)?;
    let dag = triggering.plan.id().to_owned();
    let (ended, run_id) = triggering.find(context, request, true).await?;
    let Some(ended) = ended else { return Err(TriggerError::Waits(context.wait_for_run(&run_id, None))) };
    let result = if ended.state == RunState::Success { ended.result } else { None };
    result.filter(AnyValue::is::<T>).ok_or(TriggerError::Failed { run_id, dag, why: ended.why })
}

/// A task that asks for a run of a DAG.
struct Triggering {
    live_host: Arc<LiveHost>,
    plan: Arc<Plan>,
    archive: Option<Arc<dyn Archive>>,
}

/// Where a run is.
enum Found {
    Nowhere,
    /// It runs in this process, and an event will report its end.
    Here,
    /// Somebody else runs it.
    Elsewhere,
    Interrupted,
    Ended(EndedRun),
}

/// What came of the retry of a run.
enum Retry {
    Started,
    /// This attempt has retried it already, and it has failed again.
    Over,
    /// There is no journal, it has other parameters, or no failed task.
    Impossible,
}

impl Triggering {
    fn new<T>(context: &TaskContext, request: &RunRequest<T>) -> Result<Self, TriggerError> {
        let around: Arc<dyn Any + Send + Sync> = Arc::clone(context.host()) as _;
        let live_host = around.downcast::<LiveHost>().map_err(|_| TriggerError::NoRun)?;
        let plan = request.plan().map_err(|errors| {
            let dag = errors.dag_id().to_owned();
            TriggerError::Start { dag, error: errors.into() }
        })?;
        let archive = live_host.run.recorder.as_ref().and_then(|recorder| recorder.archive());
        Ok(Triggering { live_host, plan, archive })
    }

    /// Finds the run or starts it: how it has ended, if it has, and its id.
    async fn find<T: Value>(
        &self,
        context: &TaskContext,
        request: RunRequest<T>,
        waits: bool,
    ) -> Result<(Option<EndedRun>, String), TriggerError> {
        let LiveHost { run, counted, id, .. } = &*self.live_host;
        let call = self.live_host.next_trigger();
        let date = request.asked_date().unwrap_or(run.info.logical_date);
        let (path, through_events) = (run.info.path(), run.info.through_events());
        if path.len() - through_events as usize >= DEPTH {
            return Err(TriggerError::TooDeep { dag: self.plan.id().to_owned(), path });
        }
        // The last run that failed.
        let mut failed: Option<(RunInfo, EndedRun)> = None;
        for round in 1..=*counted {
            let (run_id, task_id, path) = (run.info.run_id.clone(), id.clone(), path.clone());
            let by = TriggeredBy { run_id, task_id, path, through_events, waits };
            let key = format!("{}/{}/{call}/{round}", context.idempotency_key(), self.plan.id());
            // Whoever has asked for this run has asked for those that it triggers.
            let requested_by = run.info.requested_by.clone();
            let info = RunInfo::triggered(self.plan.id(), date, by, &key).for_requesters(requested_by);
            let run_id = info.run_id.clone();
            match self.find_run(&run_id).await? {
                // An earlier attempt has failed for it.
                Found::Ended(ended) if ended.state != RunState::Success && round < *counted => {
                    failed = Some((info, ended));
                }
                Found::Ended(ended) => return Ok((Some(ended), run_id)),
                Found::Elsewhere if waits => {
                    let later = context.now() + LOOK;
                    return Err(TriggerError::Waits(context.wait_for_run(&run_id, Some(later))));
                }
                Found::Here | Found::Elsewhere => return Ok((None, run_id)),
                Found::Interrupted => {
                    let resumed = self.resume(context, &run_id).await?.retyped::<T>();
                    self.follow(context, resumed, &run_id, waits)?;
                    return Ok((None, run_id));
                }
                Found::Nowhere => {
                    if let Some((before, ended)) = failed.filter(|(_, ended)| waits && ended.state == RunState::Failed)
                    {
                        let started = |error| TriggerError::Start { dag: self.plan.id().to_owned(), error };
                        let params = request.params_of(&self.plan, &before).map_err(started)?;
                        match self.retry::<T>(context, params, &before.run_id).await? {
                            Retry::Started => return Ok((None, before.run_id)),
                            Retry::Over => return Ok((Some(ended), before.run_id)),
                            Retry::Impossible => {}
                        }
                    }
                    if let Some(archive) = self.archive() {
                        archive.make_room(&run_id, context).await.map_err(|source| self.journal(source))?;
                    }
                    return self.begin(context, request, info, waits);
                }
            }
        }
        Err(self.journal(RecorderError::new(ErrorKind::Conflict, "every attempt to start it has failed")))
    }

    /// The journal, unless the run is simulated: then it has no other runs.
    fn archive(&self) -> Option<&Arc<dyn Archive>> {
        self.archive.as_ref().filter(|_| self.live_host.run.engine_ref.get().is_some())
    }

    async fn find_run(&self, run_id: &str) -> Result<Found, TriggerError> {
        match self.live_host.run.children.get(run_id) {
            Some(Child::Running(_)) => return Ok(Found::Here),
            Some(Child::Ended(ended)) => return Ok(Found::Ended(ended)),
            None => {}
        }
        let Some(archive) = self.archive() else { return Ok(Found::Nowhere) };
        let Some(past) = archive.find(run_id).await.map_err(|source| self.journal(source))? else {
            return Ok(Found::Nowhere);
        };
        Ok(match past.state {
            RunState::Queued | RunState::Running => {
                archive.awaits(&past);
                Found::Elsewhere
            }
            RunState::Interrupted => Found::Interrupted,
            _ => Found::Ended(archive.end(run_id, &self.plan).await.map_err(|source| self.journal(source))?),
        })
    }

    /// Retries a run that has failed, once for each counted attempt.
    async fn retry<T: Value>(
        &self,
        context: &TaskContext,
        params: Vec<AnyValue>,
        run_id: &str,
    ) -> Result<Retry, TriggerError> {
        let Some(archive) = &self.archive else { return Ok(Retry::Impossible) };
        let key = format!("taskflow.retried/{run_id}");
        let counted = self.live_host.counted;
        if context.get_state::<u32>(&key).ok().flatten() == Some(counted) {
            return Ok(Retry::Over);
        }
        let by = format!("task {} of run {}", self.live_host.id, self.live_host.run.info.run_id);
        let retried = archive.retry(run_id, &self.plan, &params, &by, context).await;
        let retried = retried.map_err(|source| self.journal(source))?;
        let Some(retried) = retried else { return Ok(Retry::Impossible) };
        let stored = context.set_state(&key, counted).await;
        stored.map_err(|error| self.journal(RecorderError::new(ErrorKind::Unavailable, error.to_string())))?;
        self.follow(context, retried.retyped::<T>(), run_id, true)?;
        Ok(Retry::Started)
    }

    /// The run to resume, whose process has died.
    async fn resume(&self, context: &TaskContext, run_id: &str) -> Result<RunRequest<()>, TriggerError> {
        let archive = self.archive.as_ref().ok_or(TriggerError::NoRun)?;
        archive.resume(run_id, &self.plan, context).await.map_err(|source| self.journal(source))
    }

    fn begin<T: Value>(
        &self,
        context: &TaskContext,
        request: RunRequest<T>,
        info: RunInfo,
        waits: bool,
    ) -> Result<(Option<EndedRun>, String), TriggerError> {
        let run_id = info.run_id.clone();
        let open_recorder = self.archive.as_ref().map(|archive| archive.open_recorder());
        let request = request.triggered(info, open_recorder);
        if self.live_host.run.engine_ref.get().is_none() {
            let ended = simulated(&self.plan, request)?;
            self.live_host.run.children.put(&run_id, Child::Ended(ended.clone()));
            return Ok((Some(ended), run_id));
        }
        self.follow(context, request, &run_id, waits)?;
        Ok((None, run_id))
    }

    /// Starts the run on the engine of the one that triggers it, and sees to it that its end is
    /// told there.
    fn follow<T: Value>(
        &self,
        context: &TaskContext,
        request: RunRequest<T>,
        run_id: &str,
        waits: bool,
    ) -> Result<(), TriggerError> {
        let run = &self.live_host.run;
        let engine = run.engine().ok_or(TriggerError::NoRun)?;
        let request = request.engine(&engine).in_process(run.in_process);
        let started = request.without_callbacks(run.without_callbacks).start();
        let handle = started.map_err(|error| TriggerError::Start { dag: self.plan.id().to_owned(), error })?;
        if !waits {
            return Ok(());
        }
        let control = handle.control();
        run.children.put(run_id, Child::Running(control.clone()));
        // A run that drains leaves those that it waits for to be resumed.
        if context.is_cancelled() && !run.drains() {
            control.cancel("the run that waits for this one was stopped");
        }
        let (parent, run_id) = (Arc::downgrade(run), run_id.to_owned());
        tokio::spawn(async move {
            let ended = outcome(handle.await);
            let Some(parent) = parent.upgrade() else { return };
            if ended.state == RunState::Interrupted && parent.drains() {
                return;
            }
            let value = Arc::from(format!("\"{}\"", ended.state.name()));
            parent.children.put(&run_id, Child::Ended(ended));
            parent.send(Input::Event {
                key: format!("{RUN_ENDED}{run_id}"),
                value,
                by: String::new(),
                reason: String::new(),
            });
        });
        Ok(())
    }

    fn journal(&self, source: RecorderError) -> TriggerError {
        TriggerError::Journal { dag: self.plan.id().to_owned(), source }
    }
}

fn outcome<T: Value>(report: RunReport<T>) -> EndedRun {
    let state = report.state();
    // A DAG that returns nothing has nothing to miss.
    let unit = report.plan().result().is_none();
    match report.into_result() {
        Ok(value) => EndedRun { state, result: Some(value.into()), why: String::new() },
        Err(_) if unit && state == RunState::Success => {
            EndedRun { state, result: Some(AnyValue::new(())), why: String::new() }
        }
        Err(failed) => EndedRun { state, result: None, why: failed.story() },
    }
}

/// Runs it at once, on a thread of its own: in a simulated run nothing happens besides the steps of
/// the simulation.
fn simulated<T: Value>(plan: &Plan, request: RunRequest<T>) -> Result<EndedRun, TriggerError> {
    let dag = || plan.id().to_owned();
    let failed = |reason: String| {
        let source = RecorderError::new(ErrorKind::Unavailable, reason);
        TriggerError::Journal { dag: dag(), source }
    };
    let thread = std::thread::Builder::new().name("taskflow-triggered".to_owned());
    let thread =
        thread.spawn(move || request.run_sequentially().map(outcome)).map_err(|error| failed(error.to_string()))?;
    let ended = thread.join().map_err(|_| failed("its simulation has panicked".to_owned()))?;
    ended.map_err(|error| TriggerError::Start { dag: dag(), error })
}
