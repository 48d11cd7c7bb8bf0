//! Calling the function of a task: panics are caught, and its result becomes the outcome of the
//! attempt.
//!
//! The engine does this in its own process; the child process of an isolated task does it too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{
    Abort, AttemptControl, Body, BoxFuture, Inputs, Interrupt, JudgedError, Produced, Retry, TaskContext, TaskDef, Wait,
};
use crate::base::{BoxError, Failure, catch, drop_quietly};
use crate::value::AnyValue;

/// How an attempt ended; `V` is what a success carries.
///
/// An attempt returns the value of its task. The engine adds the stored form of the value, and the
/// state machine sees neither. Errors are user code as well and may panic when they are formatted:
/// here they are formatted already.
#[derive(Debug)]
pub(crate) enum Outcome<V = AnyValue> {
    Success(V),
    Skipped(String),
    Failed(Box<Failure>),
    /// The attempt failed; a retry, if there is one, waits this long.
    FailedFor(Box<(Failure, Duration)>),
    /// The task waits and is called again later.
    Waits(Box<Wait>),
}

impl<V> Outcome<V> {
    pub(crate) fn map<W>(self, success: impl FnOnce(V) -> W) -> Outcome<W> {
        match self {
            Outcome::Success(value) => Outcome::Success(success(value)),
            Outcome::Skipped(reason) => Outcome::Skipped(reason),
            Outcome::Failed(failure) => Outcome::Failed(failure),
            Outcome::FailedFor(failed) => Outcome::FailedFor(failed),
            Outcome::Waits(wait) => Outcome::Waits(wait),
        }
    }

    /// How it failed, if it did.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match self {
            Outcome::Failed(failure) => Some(failure),
            Outcome::FailedFor(failed) => Some(&failed.0),
            Outcome::Success(_) | Outcome::Skipped(_) | Outcome::Waits(_) => None,
        }
    }
}

impl<V> From<Failure> for Outcome<V> {
    fn from(failure: Failure) -> Self {
        Outcome::Failed(Box::new(failure))
    }
}

/// Runs a sync task. `inputs` is called inside the panic handler.
pub(crate) fn call_sync(
    def: &TaskDef,
    inputs: impl FnOnce() -> Result<Inputs, Failure>,
    context: Option<&TaskContext>,
    control: Option<&AttemptControl>,
) -> Outcome {
    match def.body {
        Body::Sync(body) => call_as(body, inputs, context, control),
        Body::Async(_) => unreachable!("async tasks are called by `call_async`"),
    }
}

/// Like [`call_sync`], with another function instead of the task's.
pub(crate) fn call_as(
    body: impl FnOnce(&mut Inputs, Option<&TaskContext>) -> Produced,
    inputs: impl FnOnce() -> Result<Inputs, Failure>,
    context: Option<&TaskContext>,
    control: Option<&AttemptControl>,
) -> Outcome {
    let outcome = catch(|| match inputs() {
        Ok(mut inputs) => judge(body(&mut inputs, context), control),
        Err(failure) => failure.into(),
    });
    outcome.unwrap_or_else(Outcome::from)
}

/// As [`call_as`], for a task without a context whose inputs are complete: they stay where they
/// are.
#[inline]
pub(crate) fn call_in_place(
    body: impl FnOnce(&mut Inputs, Option<&TaskContext>) -> Produced,
    inputs: &mut Inputs,
) -> Outcome {
    let outcome = catch(|| {
        let outcome = judge(body(inputs, None), None);
        // Destructors are user code as well.
        inputs.clear();
        outcome
    });
    outcome.unwrap_or_else(|panic| {
        drop_quietly(std::mem::take(inputs));
        panic.into()
    })
}

/// Runs an async task. `inputs` is called inside the panic handler.
pub(crate) async fn call_async(
    def: &TaskDef,
    inputs: impl FnOnce() -> Result<Inputs, Failure>,
    context: Option<TaskContext>,
    control: Option<Arc<AttemptControl>>,
) -> Outcome {
    let future = catch(|| match def.body {
        Body::Async(body) => inputs().map(|inputs| body(inputs, context)),
        Body::Sync(_) => unreachable!("sync tasks are called by `call_sync`"),
    });
    match future.and_then(std::convert::identity) {
        Ok(future) => Caught { future: Some(future), control }.await,
        Err(failure) => failure.into(),
    }
}

#[inline]
fn judge(produced: Produced, control: Option<&AttemptControl>) -> Outcome {
    match produced {
        Ok(value) => Outcome::Success(value),
        Err(error) => refusal(&error, control),
    }
}

/// Converts an error: to the interrupt that the task requested, or else to a failure.
#[cold]
fn refusal(error: &BoxError, control: Option<&AttemptControl>) -> Outcome {
    let Some(JudgedError { error, retry }) = error.downcast_ref() else { return refusal_of(error, control) };
    match (refusal_of(error, control), *retry) {
        (Outcome::Failed(mut failure), Retry::Never) => {
            if let Failure::Error { retryable, .. } = &mut *failure {
                *retryable = false;
            }
            Outcome::Failed(failure)
        }
        (Outcome::Failed(failure), Retry::After(delay)) => Outcome::FailedFor(Box::new((*failure, delay))),
        (outcome, _) => outcome,
    }
}

fn refusal_of(error: &BoxError, control: Option<&AttemptControl>) -> Outcome {
    let failure = Failure::from_error(&**error);
    let Failure::Error { chain, .. } = &failure else { return failure.into() };
    let asked = match error.downcast_ref::<Interrupt>() {
        Some(interrupt) => Some(interrupt.clone()),
        None => control.and_then(|control| control.interrupt_in(chain)),
    };
    let Some(interrupt) = asked else { return failure.into() };
    let for_good = Failure::Error { chain: chain.clone(), retryable: false };
    match interrupt.kind() {
        Abort::Skip => Outcome::Skipped(interrupt.reason().to_owned()),
        Abort::Fail => for_good.into(),
        Abort::Wait => interrupt.into_wait().map_or_else(|| for_good.into(), Outcome::Waits),
    }
}

/// The future of a task with panics caught: in polls, in the result and in the destructor.
struct Caught {
    future: Option<BoxFuture<Produced>>,
    control: Option<Arc<AttemptControl>>,
}

impl Future for Caught {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let Caught { future, control } = &mut *self;
        let polled = catch(|| {
            let Some(running) = future else { return Poll::Pending };
            let Poll::Ready(produced) = running.as_mut().poll(context) else { return Poll::Pending };
            *future = None;
            Poll::Ready(judge(produced, control.as_deref()))
        });
        polled.unwrap_or_else(|panic| {
            // Drop the rest where a second panic is caught.
            let _ = catch(|| *future = None);
            Poll::Ready(panic.into())
        })
    }
}
