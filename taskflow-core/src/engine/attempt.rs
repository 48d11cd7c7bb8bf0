//! Calling a task: with its context, with panics caught, and with what it gives turned into an outcome.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::machine::Outcome;
use super::values::Gathered;
use crate::error::{BoxError, Failure};
use crate::panics::catch;
use crate::task::{
    Abort, AttemptControl, Body, BoxFuture, Identity, Interrupt, Produced, RunInfo, TaskContext, TaskDef,
};
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

/// What an attempt gives, read and judged: errors are user code, too, and may panic when they are looked at.
type Judged = (Outcome, Option<AnyValue>);

/// Runs a sync task to its end.
pub(crate) fn call_sync(grant: Grant, context: Option<&TaskContext>) -> Judged {
    let Grant { def, gathered, control, .. } = grant;
    let judged = catch(|| {
        let mut inputs = gathered.assemble();
        match def.body {
            Body::Sync(body) => judge(body(&mut inputs, context), control.as_deref()),
            Body::Async(_) => unreachable!("async tasks are called by `call_async`"),
        }
    });
    judged.unwrap_or_else(panicked)
}

/// Runs an async task to its end.
pub(crate) async fn call_async(grant: Grant, context: Option<TaskContext>) -> Judged {
    let Grant { def, gathered, control, .. } = grant;
    let future = catch(|| match def.body {
        Body::Async(body) => body(gathered.assemble(), context),
        Body::Sync(_) => unreachable!("sync tasks are called by `call_sync`"),
    });
    match future {
        Ok(future) => Caught { future: Some(future), control }.await,
        Err(panic) => panicked(panic),
    }
}

fn panicked(panic: Failure) -> Judged {
    (Outcome::Failed(Box::new(panic)), None)
}

fn judge(produced: Produced, control: Option<&AttemptControl>) -> Judged {
    match produced {
        Ok(value) => (Outcome::Success, Some(value)),
        Err(error) => (refusal(&error, control), None),
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

/// A task's future whose panics are caught: those of its polls, of what it gives, and of its destructor.
struct Caught {
    future: Option<BoxFuture<Produced>>,
    control: Option<Arc<AttemptControl>>,
}

impl Future for Caught {
    type Output = Judged;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Judged> {
        let Caught { future, control } = &mut *self;
        let polled = catch(|| {
            let Some(running) = future else { return Poll::Pending };
            let Poll::Ready(produced) = running.as_mut().poll(context) else { return Poll::Pending };
            *future = None;
            Poll::Ready(judge(produced, control.as_deref()))
        });
        polled.unwrap_or_else(|panic| {
            // What is left of it is dropped where a second panic does no harm.
            let _ = catch(|| *future = None);
            Poll::Ready(panicked(panic))
        })
    }
}
