//! Calling a task with its context, and preparing its value for the run.

use std::borrow::Cow;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};

use tracing::Span;
use tracing::level_filters::LevelFilter;

use super::emissions::{Emits, emits};
use super::live_host::LiveHost;
use super::run_shared::RunShared;
use super::values::Gathered;
use crate::base::text::bounded;
use crate::base::{Failure, Timestamp, catch, drop_quietly};
use crate::dag::{MappingIndex, NodeIndex, Plan};
use crate::log::{Redactor, attempt_span};
use crate::machine::Elements;
use crate::process;
use crate::run::{Encoded, Stored, TaskIndex};
use crate::task::{
    self, AttemptControl, Body, Executor, ExecutorTask, Identity, Inputs, Isolation, Outcome, Produced, TaskContext,
    TaskDef, WaitState,
};
use crate::value::AnyValue;

/// Permission to run one attempt, with everything it needs. Kept small: it is moved a few times.
#[derive(Debug)]
pub(crate) struct StartPermit {
    pub(crate) task: TaskIndex,
    /// The node of the task instance.
    pub(crate) node: NodeIndex,
    pub(crate) attempt: u32,
    /// How long tasks of this definition take, in nanoseconds, if a worker may take it together
    /// with others; 0 otherwise.
    pub(crate) expected: u32,
    pub(crate) def: &'static TaskDef,
    pub(crate) gathered: Gathered,
    /// `None` if the task is plain: nothing of its run looks at the attempt.
    pub(crate) details: Option<Box<Details>>,
}

/// What there is to an attempt of a task that is not plain.
#[derive(Debug, Default)]
pub(crate) struct Details {
    /// The id of the task, where it is not that of the node.
    pub(crate) id: Option<Arc<str>>,
    /// Earlier attempts that do not count against the retries.
    pub(crate) uncounted_attempts: u32,
    /// How often the task was retried with its group or its run.
    pub(crate) rounds: u32,
    /// `None` for sync tasks without a context: they cannot be notified.
    pub(crate) control: Option<Arc<AttemptControl>>,
    /// For a task that may wait.
    pub(crate) wait_state: Option<Box<WaitState>>,
}

/// A task instance, and how it is called.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) task: TaskIndex,
    pub(crate) node: NodeIndex,
    id: Option<Arc<str>>,
}

impl Instance {
    pub(crate) fn id<'a>(&'a self, plan: &'a Plan) -> &'a str {
        self.id.as_deref().unwrap_or_else(|| plan.node(self.node).id())
    }
}

/// An attempt that has ended, on its way to its run.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) task: TaskIndex,
    pub(crate) attempt: u32,
    pub(crate) started: Timestamp,
    pub(crate) ended: Timestamp,
    pub(crate) outcome: Outcome<Returned>,
}

/// The value of a success. Kept small: it is moved a few times.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) value: AnyValue,
    /// What comes with it. Most runs without a journal need none of it.
    pub(crate) more: Option<Box<More>>,
}

/// What comes with the value of a success.
#[derive(Debug, Default)]
pub(crate) struct More {
    /// The value as the journal stores it.
    pub(crate) stored: Option<Stored>,
    /// The elements of the value, if the task is an expand node.
    pub(crate) elements: Option<Box<Elements>>,
    /// What the success emits.
    pub(crate) emits: Option<Box<Emits>>,
}

impl Done {
    /// The whole of it; what is left has no value.
    pub(crate) fn take(&mut self) -> Done {
        let outcome = std::mem::replace(&mut self.outcome, Outcome::Skipped(String::new()));
        Done { outcome, ..*self }
    }

    /// The value, if it has one.
    #[inline]
    pub(crate) fn into_value(self) -> Option<AnyValue> {
        match self.outcome {
            Outcome::Success(returned) => Some(returned.value),
            _ => None,
        }
    }
}

impl StartPermit {
    /// Which task it is, for use after the permit is consumed.
    pub(crate) fn place(&self) -> Instance {
        let id = self.details.as_ref().and_then(|details| details.id.clone());
        Instance { task: self.task, node: self.node, id }
    }

    /// How the attempt is notified, if it can be.
    pub(crate) fn control(&self) -> Option<&Arc<AttemptControl>> {
        self.details.as_ref()?.control.as_ref()
    }

    /// What the task finds when it is called again after a wait.
    pub(crate) fn wait_state(&self) -> Option<&WaitState> {
        self.details.as_ref()?.wait_state.as_deref()
    }

    /// Whether its attempt was plain and is over: nothing of it is left to drop.
    #[inline]
    pub(crate) fn is_used_up(&self) -> bool {
        self.details.is_none() && self.gathered.is_empty()
    }

    /// Whether the task is known to be short, and may be taken together with others.
    #[inline]
    pub(crate) fn is_short(&self) -> bool {
        const SHORT: u32 = 50_000;
        self.expected > 0 && self.expected < SHORT
    }

    /// The context of the attempt, if its task takes one.
    pub(crate) fn context(&self, run: &Arc<RunShared>) -> Option<TaskContext> {
        let control = self.control().filter(|_| self.def.takes_context)?;
        Some(TaskContext::new(self.identity(run), Arc::clone(control)))
    }

    /// The identity of the attempt.
    fn identity(&self, run: &Arc<RunShared>) -> Identity {
        let instance = self.place();
        let id = instance.id(&run.plan);
        let (uncounted_attempts, rounds) =
            self.details.as_ref().map_or((0, 0), |details| (details.uncounted_attempts, details.rounds));
        let retries = run.plan.node_options(self.node).retry.retries;
        let live_host = LiveHost {
            run: Arc::clone(run),
            task: self.task,
            node: self.node,
            id: id.to_owned(),
            attempt: self.attempt,
            counted: self.attempt.saturating_sub(uncounted_attempts).max(1),
            triggered: AtomicU32::new(0),
            links: Mutex::default(),
        };
        Identity {
            run: Arc::clone(&run.info),
            task_id: id.to_owned(),
            attempt: self.attempt,
            max_attempts: retries.saturating_add(1).saturating_add(uncounted_attempts),
            generation: run.recorder.as_ref().map_or(0, |recorder| recorder.generation(id)) + rounds,
            wait_state: self.wait_state().cloned(),
            config: run.config.clone(),
            around: Arc::new(live_host),
        }
    }
}

/// Runs a sync task to its end, on this thread.
pub(crate) fn call_sync(permit: StartPermit, context: Option<&TaskContext>) -> Outcome {
    match permit.def.body {
        Body::Sync(body) => call_as(permit, context, body),
        Body::Async(_) => unreachable!("async tasks are called by `call_async`"),
    }
}

/// Runs `body` to its end as the attempt.
pub(crate) fn call_as(
    permit: StartPermit,
    context: Option<&TaskContext>,
    body: impl FnOnce(&mut Inputs, Option<&TaskContext>) -> Produced,
) -> Outcome {
    let StartPermit { gathered, details, .. } = permit;
    let control = details.and_then(|details| details.control);
    masked(task::call_as(body, || gathered.assemble(), context, control.as_deref()))
}

/// Runs a plain task to its end, on this thread: it has no context, no span and no journal. Its
/// inputs are taken out of the permit.
#[inline]
pub(crate) fn call_plain(permit: &mut StartPermit) -> Outcome<Returned> {
    let Body::Sync(body) = permit.def.body else { unreachable!("a plain task is a sync task") };
    let outcome = match permit.gathered.complete() {
        Some(inputs) => task::call_in_place(body, inputs),
        None => {
            let gathered = std::mem::take(&mut permit.gathered);
            task::call_as(body, || gathered.assemble(), None, None)
        }
    };
    match outcome {
        Outcome::Success(value) => Outcome::Success(unstored(value)),
        other => masked(other).map(unstored),
    }
}

/// Whether nothing listens to the spans and records of attempts.
#[inline]
pub(crate) fn is_silent() -> bool {
    LevelFilter::current() == LevelFilter::OFF
}

/// Runs an async task to its end.
pub(crate) async fn call_async(permit: StartPermit, context: Option<TaskContext>) -> Outcome {
    let StartPermit { def, gathered, details, .. } = permit;
    let control = details.and_then(|details| details.control);
    masked(task::call_async(def, || gathered.assemble(), context, control).await)
}

/// Runs an attempt in a process of its own.
pub(crate) async fn call_isolated(permit: StartPermit, run: &Arc<RunShared>, isolation: Isolation) -> Outcome {
    let identity = permit.identity(run);
    let StartPermit { def, gathered, details, .. } = permit;
    let control = details.and_then(|details| details.control);
    let inputs = catch(|| gathered.assemble()).and_then(std::convert::identity);
    masked(match inputs {
        Ok(inputs) => process::run_isolated(def, isolation, inputs, identity, control.unwrap_or_default()).await,
        Err(failure) => failure.into(),
    })
}

/// Runs an attempt on an executor.
pub(crate) async fn call_on_executor(permit: StartPermit, run: Arc<RunShared>, executor: Executor) -> Outcome {
    let identity = permit.identity(&run);
    let StartPermit { def, gathered, details, .. } = permit;
    let control = details.and_then(|details| details.control);
    let inputs = catch(|| gathered.assemble()).and_then(std::convert::identity);
    masked(match inputs {
        Ok(inputs) => {
            let session = run.sessions.of(executor, &run.info, run.config.as_ref());
            session.run(ExecutorTask { def, inputs, identity, control: control.unwrap_or_default() }).await
        }
        Err(failure) => failure.into(),
    })
}

/// Masks secrets that the task may have put into an error, a panic or the reason of a skip, and
/// cuts what is too long, before anything stores or shows it.
#[inline]
fn masked<V>(mut outcome: Outcome<V>) -> Outcome<V> {
    match &mut outcome {
        Outcome::Success(_) | Outcome::Waits(_) => {}
        Outcome::Skipped(reason) => Redactor::current().reason(reason),
        Outcome::Failed(failure) => Redactor::current().failure(failure),
        Outcome::FailedFor(failed) => Redactor::current().failure(&mut failed.0),
    }
    outcome
}

/// The span of the attempt: its log records are recognised by it. Disabled without a subscriber.
pub(crate) fn span(run: &RunShared, permit: &StartPermit) -> Span {
    // First of all: looking up ids in a large plan misses the cache.
    if is_silent() {
        return Span::none();
    }
    let instance = permit.place();
    attempt_span(&run.info.run_id, &run.info.dag_id, instance.id(&run.plan), permit.attempt)
}

/// Logs why the attempt did not succeed.
pub(crate) fn log_outcome<V>(span: &Span, outcome: &Outcome<V>) {
    if span.is_disabled() {
        return;
    }
    match outcome {
        Outcome::Success(_) => {}
        Outcome::Waits(wait) => tracing::debug!(target: "taskflow", parent: span, "{wait}"),
        Outcome::Skipped(reason) => tracing::info!(target: "taskflow", parent: span, "skipped: {reason}"),
        Outcome::Failed(_) | Outcome::FailedFor(_) => {
            let Some(failure) = outcome.failure() else { return };
            let causes: String = failure.causes().iter().map(|cause| format!("\n  caused by: {cause}")).collect();
            tracing::error!(target: "taskflow", parent: span, kind = failure.kind(), "{failure}{causes}");
        }
    }
}

/// Adds to the value of a success what the run needs of it: its stored form, if the run has a
/// journal, and the elements of a list that is expanded.
///
/// A value that cannot be stored is a failure of the task that returned it.
pub(crate) fn store(run: &RunShared, task: &Instance, outcome: Outcome) -> Outcome<Returned> {
    let value = match outcome {
        Outcome::Success(value) => value,
        other => return other.map(unstored),
    };
    let expands = run.plan.place(task.node).expands;
    // The list of an expand node is the value of its upstream, unless a projection made it.
    if let Some(mapping) = expands
        && (run.recorder.is_none() || !run.plan.is_projected(task.node))
    {
        return expanded(run, mapping, value, None);
    }
    let Some(recorder) = &run.recorder else {
        if run.has_products {
            return returned(run, task, value, Ok(None));
        }
        return Outcome::Success(unstored(value));
    };
    let (id, ty) = (task.id(&run.plan), run.plan.def(task.node).output);
    let stored = catch(|| match recorder.encode(id, ty, &value)? {
        Encoded::Inline(bytes) => Ok(Stored::Inline(bytes)),
        Encoded::Large(bytes) => recorder.spill(id, &bytes),
    });
    match (returned(run, task, value, stored.and_then(std::convert::identity).map(Some)), expands) {
        (Outcome::Success(Returned { value, more }), Some(mapping)) => {
            expanded(run, mapping, value, more.and_then(|more| more.stored))
        }
        (outcome, _) => outcome,
    }
}

/// As [`store`], for async code: it does not block on the disk.
pub(crate) async fn store_async(run: &Arc<RunShared>, task: &Instance, outcome: Outcome) -> Outcome<Returned> {
    let value = match outcome {
        Outcome::Success(value) => value,
        other => return other.map(unstored),
    };
    let Some(recorder) = &run.recorder else {
        if run.has_products {
            return returned(run, task, value, Ok(None));
        }
        return Outcome::Success(unstored(value));
    };
    let (id, ty) = (task.id(&run.plan), run.plan.def(task.node).output);
    let stored = match catch(|| recorder.encode(id, ty, &value)).and_then(std::convert::identity) {
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
    if run.has_products && matches!(stored, Ok(Stored::File(_))) {
        // The payload of the event goes to a file of its own.
        let (run, task) = (Arc::clone(run), task.clone());
        let returning = tokio::task::spawn_blocking(move || returned(&run, &task, value, stored.map(Some)));
        return returning.await.unwrap_or_else(|error| Failure::Cancelled { reason: error.to_string() }.into());
    }
    returned(run, task, value, stored.map(Some))
}

fn unstored(value: AnyValue) -> Returned {
    Returned { value, more: None }
}

fn returned(
    run: &RunShared,
    task: &Instance,
    value: AnyValue,
    stored: Result<Option<Stored>, Failure>,
) -> Outcome<Returned> {
    let emitted = stored.and_then(|stored| Ok((emits(run, task, &value, stored.as_ref())?, stored)));
    match emitted {
        Ok((emits, stored)) => {
            let more = More { stored, elements: None, emits };
            Outcome::Success(Returned { value, more: Some(Box::new(more)) })
        }
        Err(failure) => {
            drop_quietly(value);
            masked(failure.into())
        }
    }
}

/// The most bytes of a label.
const LABEL: usize = 256;

/// A list with the number of its elements, and their labels if it is labelled.
fn expanded(run: &RunShared, mapping: MappingIndex, list: AnyValue, stored: Option<Stored>) -> Outcome<Returned> {
    let mapping = run.plan.mapping(mapping);
    let labels = match mapping.labels.as_ref().map(|labels| catch(|| labels.of(&list))).transpose() {
        Ok(labels) => labels.map(|mut labels| {
            let redactor = Redactor::current();
            for label in &mut labels {
                redactor.message(label);
                if let Cow::Owned(cut) = bounded(label, LABEL) {
                    *label = cut;
                }
            }
            Arc::from(labels)
        }),
        Err(failure) => {
            drop_quietly(list);
            return masked(failure.into());
        }
    };
    let count = u32::try_from((mapping.split.len)(&list)).unwrap_or(u32::MAX);
    let more = More { stored, elements: Some(Box::new(Elements { count, labels })), emits: None };
    Outcome::Success(Returned { value: list, more: Some(Box::new(more)) })
}
