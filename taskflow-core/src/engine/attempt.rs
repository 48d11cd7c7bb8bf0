//! Calling a task: with its context, and with what it gives turned into an outcome.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::live_host::LiveHost;
use super::run::RunShared;
use super::values::Gathered;
use crate::base::{Failure, Timestamp, catch};
use crate::dag::Plan;
use crate::log::{Redactor, attempt_span};
use crate::machine::Outcome;
use crate::process;
use crate::run::{Encoded, Stored};
use crate::task::{
    self, AttemptControl, Body, Ending, Executor, ExecutorTask, Identity, Inputs, Isolation, Produced, TaskContext,
    TaskDef, WaitState,
};
use crate::value::AnyValue;

/// Permission to run one attempt, with everything it needs.
#[derive(Debug)]
pub(crate) struct StartPermit {
    pub(crate) task: u32,
    /// The node of the task instance.
    pub(crate) node: u32,
    /// Its id, where it is not that of the node.
    pub(crate) id: Option<Arc<str>>,
    pub(crate) attempt: u32,
    pub(crate) max_attempts: u32,
    /// How often the task ran again with its group or its run.
    pub(crate) rounds: u32,
    pub(crate) def: &'static TaskDef,
    pub(crate) gathered: Gathered,
    /// Missing for sync tasks without a context: nobody could tell them anything.
    pub(crate) control: Option<Arc<AttemptControl>>,
    /// Whether tasks of this definition have proven to take little time.
    pub(crate) short: bool,
    /// Of a task that may wait. Boxed, because a grant is moved a few times.
    pub(crate) wait_state: Option<Box<WaitState>>,
}

/// A task instance, and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) task: u32,
    pub(crate) node: u32,
    id: Option<Arc<str>>,
}

impl Instance {
    pub(crate) fn id<'a>(&'a self, plan: &'a Plan) -> &'a str {
        self.id.as_deref().unwrap_or_else(|| plan.nodes()[self.node as usize].id())
    }
}

/// What came of an attempt.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) task: u32,
    pub(crate) attempt: u32,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) value: Option<AnyValue>,
    /// The value as the journal will have it. Boxed, because most runs have no journal.
    #[allow(clippy::box_collection, reason = "what ended is moved a few times; a pointer is cheaper")]
    pub(crate) stored: Option<Box<Stored>>,
}

impl StartPermit {
    /// Which task it is, for when the grant itself is gone.
    pub(crate) fn place(&self) -> Instance {
        Instance { task: self.task, node: self.node, id: self.id.clone() }
    }

    /// The context of the attempt, if its task takes one.
    pub(crate) fn context(&self, run: &Arc<RunShared>) -> Option<TaskContext> {
        let control = self.control.as_ref().filter(|_| self.def.takes_context)?;
        Some(TaskContext::new(self.identity(run), Arc::clone(control)))
    }

    /// Who the attempt is.
    fn identity(&self, run: &Arc<RunShared>) -> Identity {
        let instance = self.place();
        let id = instance.id(&run.plan);
        let retries = run.plan.node_options(self.node).retry.retries;
        let uncounted_attempts = self.max_attempts.saturating_sub(retries.saturating_add(1));
        let live_host = LiveHost {
            run: Arc::clone(run),
            task: self.task,
            node: self.node,
            id: id.to_owned(),
            attempt: self.attempt,
            counted: self.attempt.saturating_sub(uncounted_attempts).max(1),
            triggered: AtomicU32::new(0),
        };
        Identity {
            run: Arc::clone(&run.info),
            task_id: id.to_owned(),
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            generation: run.recorder.as_ref().map_or(0, |recorder| recorder.generation(id)) + self.rounds,
            wait_state: self.wait_state.as_deref().cloned(),
            config: run.config.clone(),
            around: Arc::new(live_host),
        }
    }
}

/// What an attempt gives.
pub(crate) type AttemptResult = (Outcome, Option<AnyValue>);

/// Runs a sync task to its end, on this thread.
pub(crate) fn call_sync(grant: StartPermit, context: Option<&TaskContext>) -> AttemptResult {
    match grant.def.body {
        Body::Sync(body) => call_as(grant, context, body),
        Body::Async(_) => unreachable!("async tasks are called by `call_async`"),
    }
}

/// Runs `body` to its end as the attempt.
pub(crate) fn call_as(
    grant: StartPermit,
    context: Option<&TaskContext>,
    body: impl FnOnce(&mut Inputs, Option<&TaskContext>) -> Produced,
) -> AttemptResult {
    let StartPermit { gathered, control, .. } = grant;
    judged(task::call_as(body, || gathered.assemble(), context, control.as_deref()))
}

/// Runs an async task to its end.
pub(crate) async fn call_async(grant: StartPermit, context: Option<TaskContext>) -> AttemptResult {
    let StartPermit { def, gathered, control, .. } = grant;
    judged(task::call_async(def, || gathered.assemble(), context, control).await)
}

/// Runs an attempt in a process of its own.
pub(crate) async fn call_isolated(grant: StartPermit, run: &Arc<RunShared>, isolation: Isolation) -> AttemptResult {
    let identity = grant.identity(run);
    let StartPermit { def, gathered, control, .. } = grant;
    let inputs = catch(|| gathered.assemble()).and_then(std::convert::identity);
    judged(match inputs {
        Ok(inputs) => process::run_isolated(def, isolation, inputs, identity, control.unwrap_or_default()).await,
        Err(failure) => failure.into(),
    })
}

/// Runs an attempt on an executor.
pub(crate) async fn call_elsewhere(grant: StartPermit, run: Arc<RunShared>, executor: Executor) -> AttemptResult {
    let identity = grant.identity(&run);
    let StartPermit { def, gathered, control, .. } = grant;
    let inputs = catch(|| gathered.assemble()).and_then(std::convert::identity);
    judged(match inputs {
        Ok(inputs) => {
            let session = run.sessions.of(executor, &run.info, run.config.as_ref());
            session.run(ExecutorTask { def, inputs, identity, control: control.unwrap_or_default() }).await
        }
        Err(failure) => failure.into(),
    })
}

fn judged(ending: Ending) -> AttemptResult {
    without_secrets(match ending {
        Ending::Value(value) => (Outcome::Success, Some(value)),
        Ending::Skipped(reason) => (Outcome::Skipped(reason), None),
        Ending::Failed(failure) => (Outcome::Failed(failure), None),
        Ending::FailedFor(failed) => (Outcome::FailedFor(failed), None),
        Ending::Waits(wait) => (Outcome::Waits(wait), None),
    })
}

/// What an attempt gives, without the secrets that its task may have put into an error, a panic or the reason of a skip:
/// before anybody stores it or shows it.
fn without_secrets((mut outcome, value): AttemptResult) -> AttemptResult {
    match &mut outcome {
        Outcome::Success | Outcome::Labelled(_) | Outcome::Expanded { .. } | Outcome::Waits(_) => {}
        Outcome::Skipped(reason) => Redactor::current().message(reason),
        Outcome::Failed(failure) => Redactor::current().failure(failure),
        Outcome::FailedFor(failed) => Redactor::current().failure(&mut failed.0),
    }
    (outcome, value)
}

/// The span by which what the attempt emits is known as its own. None when nobody listens.
pub(crate) fn span(run: &RunShared, grant: &StartPermit) -> Span {
    // Before anything is looked up for it: ids lie far away in a large plan.
    if LevelFilter::current() == LevelFilter::OFF {
        return Span::none();
    }
    let instance = grant.place();
    attempt_span(&run.info.run_id, &run.info.dag_id, instance.id(&run.plan), grant.attempt)
}

/// Says in the log of the attempt why it did not succeed.
pub(crate) fn tell(span: &Span, outcome: &Outcome) {
    if span.is_disabled() {
        return;
    }
    match outcome {
        Outcome::Success | Outcome::Labelled(_) | Outcome::Expanded { .. } => {}
        Outcome::Waits(wait) => tracing::debug!(target: "taskflow", parent: span, "{wait}"),
        Outcome::Skipped(reason) => tracing::info!(target: "taskflow", parent: span, "skipped: {reason}"),
        Outcome::Failed(_) | Outcome::FailedFor(_) => {
            let Some(failure) = outcome.failure() else { return };
            let causes: String = failure.causes().iter().map(|cause| format!("\n  caused by: {cause}")).collect();
            tracing::error!(target: "taskflow", parent: span, kind = failure.kind(), "{failure}{causes}");
        }
    }
}

/// The value of a success as the journal of the run will have it; nothing in a run without one.
///
/// What cannot be stored is a failure of the task that produced it.
pub(crate) fn store(run: &RunShared, task: &Instance, judged: AttemptResult) -> (AttemptResult, Option<Box<Stored>>) {
    // The list of an expand node is the value of its upstream.
    if let Some(mapping) = run.plan.place(task.node).expands {
        return (labelled(run, mapping, judged), None);
    }
    let (Some(recorder), (Outcome::Success, Some(value))) = (&run.recorder, &judged) else { return (judged, None) };
    let (id, ty) = (task.id(&run.plan), run.plan.def(task.node).output);
    let stored = catch(|| match recorder.encode(id, ty, value)? {
        Encoded::Inline(bytes) => Ok(Stored::Inline(bytes)),
        Encoded::Large(bytes) => recorder.spill(id, &bytes),
    });
    settle(judged, stored.and_then(std::convert::identity))
}

/// A list with the names of its elements, if they have some.
fn labelled(run: &RunShared, mapping: u32, judged: AttemptResult) -> AttemptResult {
    match (&run.plan.mappings()[mapping as usize].labels, judged) {
        (Some(labels), (Outcome::Success, Some(list))) => match catch(|| labels.of(&list)) {
            Ok(mut labels) => {
                labels.iter_mut().for_each(|label| Redactor::current().message(label));
                (Outcome::Labelled(labels.into()), Some(list))
            }
            Err(failure) => without_secrets((Outcome::Failed(Box::new(failure)), None)),
        },
        (_, judged) => judged,
    }
}

/// As [`store`], for async code: what waits for the disk does so elsewhere.
pub(crate) async fn store_async(
    run: &Arc<RunShared>,
    task: &Instance,
    judged: AttemptResult,
) -> (AttemptResult, Option<Box<Stored>>) {
    let (Some(recorder), (Outcome::Success, Some(value))) = (&run.recorder, &judged) else { return (judged, None) };
    let (id, ty) = (task.id(&run.plan), run.plan.def(task.node).output);
    let stored = match catch(|| recorder.encode(id, ty, value)).and_then(std::convert::identity) {
        Ok(Encoded::Inline(bytes)) => Ok(Stored::Inline(bytes)),
        Ok(Encoded::Large(bytes)) => {
            let (run, recorder, task) = (Arc::clone(run), Arc::clone(recorder), task.clone());
            let spilling = tokio::task::spawn_blocking(move || {
                catch(|| recorder.spill(task.id(&run.plan), &bytes)).and_then(std::convert::identity)
            });
            spilling.await.unwrap_or_else(|error| Err(Failure::Cancelled { reason: error.to_string() }))
        }
        Err(failure) => Err(failure),
    };
    settle(judged, stored)
}

fn settle((outcome, value): AttemptResult, stored: Result<Stored, Failure>) -> (AttemptResult, Option<Box<Stored>>) {
    match stored {
        Ok(stored) => ((outcome, value), Some(Box::new(stored))),
        Err(failure) => (without_secrets((Outcome::Failed(Box::new(failure)), value)), None),
    }
}
