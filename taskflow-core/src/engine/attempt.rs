//! Calling a task: with its context, with panics caught, and with what it gives turned into an outcome.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::task::{Context, Poll};

use super::machine::Outcome;
use super::values::Gathered;
use crate::error::{BoxError, Failure};
use crate::task::{Abort, AttemptControl, Body, Identity, Interrupt, Produced, RunInfo, TaskContext, TaskDef};
use crate::time::Timestamp;
use crate::value::AnyValue;

/// Permission to run one attempt, with everything it needs.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) task: u32,
    pub(crate) attempt: u32,
    pub(crate) def: &'static TaskDef,
    pub(crate) gathered: Gathered,
    /// Missing for sync tasks without a context: nobody could tell them anything.
    pub(crate) control: Option<Arc<AttemptControl>>,
    /// Whether tasks of this definition have proven to take little time.
    pub(crate) short: bool,
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
}

impl Grant {
    /// The context of the attempt, if its task takes one.
    pub(crate) fn context(&self, run: &Arc<RunInfo>, task_id: &str, max_attempts: u32) -> Option<TaskContext> {
        let control = self.control.as_ref().filter(|_| self.def.takes_context)?;
        let identity =
            Identity { run: Arc::clone(run), task_id: task_id.to_owned(), attempt: self.attempt, max_attempts };
        Some(TaskContext::new(identity, Arc::clone(control)))
    }
}

/// Runs a sync task to its end.
pub(crate) fn call_sync(grant: Grant, context: Option<&TaskContext>) -> (Outcome, Option<AnyValue>) {
    let Grant { def, gathered, control, .. } = grant;
    let called = catch(|| {
        let mut inputs = gathered.assemble();
        match def.body {
            Body::Sync(body) => body(&mut inputs, context),
            Body::Async(_) => unreachable!("async tasks are called by `call_async`"),
        }
    });
    conclude(called, control.as_deref())
}

/// Runs an async task to its end.
pub(crate) async fn call_async(grant: Grant, context: Option<TaskContext>) -> (Outcome, Option<AnyValue>) {
    let Grant { def, gathered, control, .. } = grant;
    let future = catch(|| match def.body {
        Body::Async(body) => body(gathered.assemble(), context),
        Body::Sync(_) => unreachable!("sync tasks are called by `call_sync`"),
    });
    let called = match future {
        Ok(future) => Caught(future).await,
        Err(panic) => Err(panic),
    };
    conclude(called, control.as_deref())
}

fn conclude(called: Result<Produced, Failure>, control: Option<&AttemptControl>) -> (Outcome, Option<AnyValue>) {
    match called {
        Ok(Ok(value)) => (Outcome::Success, Some(value)),
        Ok(Err(error)) => (refusal(&error, control), None),
        Err(panic) => (Outcome::Failed(Box::new(panic)), None),
    }
}

/// An error is a failure, unless it is the way in which the task asked to end early.
fn refusal(error: &BoxError, control: Option<&AttemptControl>) -> Outcome {
    let failure = Failure::from_error(&**error);
    let Failure::Error { chain, .. } = &failure else { return Outcome::Failed(Box::new(failure)) };
    let asked = match error.downcast_ref::<Interrupt>() {
        Some(interrupt) => Some(interrupt.clone()),
        None => control.and_then(|control| control.interrupt_in(chain)),
    };
    match asked {
        Some(interrupt) if interrupt.kind() == Abort::Skip => Outcome::Skipped(interrupt.reason().to_owned()),
        Some(_) => Outcome::Failed(Box::new(Failure::Error { chain: chain.clone(), retryable: false })),
        None => Outcome::Failed(Box::new(failure)),
    }
}

/// A future whose panics are caught.
struct Caught<F>(F);

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match catch(|| Pin::new(&mut self.0).poll(context)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}

thread_local! {
    /// How many calls of [`catch`] this thread is inside.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
    /// Where the last panic inside one happened.
    static PLACE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Whether panics inside tasks are kept from the hook that was there before: set by the command line, which reports them
/// itself.
pub(crate) static QUIET: AtomicBool = AtomicBool::new(false);

/// Calls `function`; a panic becomes a [`Failure::Panic`] with its message and place.
///
/// The place is known only to the panic hook, so taskflow adds one to the process that notes it for panics inside tasks
/// and passes everything on to the hook that was there before.
fn catch<R>(function: impl FnOnce() -> R) -> Result<R, Failure> {
    DEPTH.set(DEPTH.get() + 1);
    let result = catch_unwind(AssertUnwindSafe(function));
    DEPTH.set(DEPTH.get() - 1);
    result.map_err(|payload| Failure::Panic { message: panic_message(&*payload), location: PLACE.take() })
}

/// Makes panics inside tasks leave their place. Called when an engine or a sequential run starts.
pub(crate) fn install_panic_hook() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let inside = DEPTH.get() > 0;
            if inside {
                PLACE.set(info.location().map(ToString::to_string));
            }
            if !(inside && QUIET.load(Ordering::Relaxed)) {
                previous(info);
            }
        }));
    });
}

/// The text of a panic's payload.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic whose payload is no text").to_owned()
}
