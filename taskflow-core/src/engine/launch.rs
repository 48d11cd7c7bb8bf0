//! Async and blocking tasks: on the tokio runtime of their run.

use std::cell::RefCell;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;
use tracing::{Instrument as _, Span};

use super::attempt::{
    Done, Instance, Returned, StartPermit, call_async, call_isolated, call_on_executor, call_sync, log_outcome, span,
    store, store_async,
};
use super::blocking_calls::watched;
use super::engine_state::Shared;
use super::run_shared::RunShared;
use crate::base::{Failure, Timestamp};
use crate::machine::RunKey;
use crate::task::{Kind, Outcome};

/// Starts an attempt.
fn launch(shared: &Arc<Shared>, key: RunKey, run: Arc<RunShared>, permit: StartPermit) {
    let mut report = Report {
        shared: Arc::clone(shared),
        key,
        task: permit.place(),
        attempt: permit.attempt,
        started: run.clock.now(),
        run,
        open: true,
    };
    let Some(runtime) = report.run.runtime.clone() else {
        let chain = vec!["the engine has no tokio runtime for this task".to_owned()];
        return report.close(Failure::Error { chain, retryable: false }.into());
    };
    let context = permit.context(&report.run);
    let control = permit.control().cloned();
    let span = span(&report.run, &permit);
    let isolation = permit.def.isolation.filter(|_| !report.run.in_process);
    let spawned = if let Some(executor) = report.run.executor(permit.node) {
        // Boxed before it is wrapped: each wrapper would reserve space for it twice, and a million
        // of these may wait at once.
        let attempt = Box::pin(call_on_executor(permit, Arc::clone(&report.run), executor));
        spawn(&runtime, span, report, attempt)
    } else if let Some(isolation) = isolation {
        let run = Arc::clone(&report.run);
        spawn(&runtime, span, report, async move { call_isolated(permit, &run, isolation).await })
    } else if permit.def.kind == Kind::Async {
        let (run, task) = (Arc::clone(&report.run), report.task.clone());
        spawn(&runtime, span, report, async move { watched(&run, &task, call_async(permit, context)).await })
    } else {
        // An abort stops a blocking task only before it has started.
        let spawned = runtime.spawn_blocking(move || {
            let outcome = span.in_scope(|| call_sync(permit, context.as_ref()));
            let outcome = store(&report.run, &report.task, outcome);
            log_outcome(&span, &outcome);
            report.close(outcome);
        });
        spawned.abort_handle()
    };
    if let Some(control) = control {
        control.set_abort(spawned);
    }
}

/// Runs an attempt on the runtime, then stores and reports its outcome.
fn spawn(
    runtime: &Handle,
    span: Span,
    mut report: Report,
    attempt: impl Future<Output = Outcome> + Send + 'static,
) -> AbortHandle {
    let spawned = runtime.spawn(async move {
        let outcome = attempt.instrument(span.clone()).await;
        let outcome = store_async(&report.run, &report.task, outcome).await;
        log_outcome(&span, &outcome);
        report.close(outcome);
    });
    spawned.abort_handle()
}

thread_local! {
    /// Attempts that ended while this thread was launching: a runtime that is shut down drops them
    /// at once.
    static REFUSED: RefCell<Option<Vec<Refused>>> = const { RefCell::new(None) };
}

type Refused = (RunKey, Arc<RunShared>, Done);

/// Starts attempts. Those that end at once are returned: reporting one can launch the next, and
/// thousands of them must not recurse.
pub(super) fn launch_all(shared: &Arc<Shared>, launches: Vec<(RunKey, Arc<RunShared>, StartPermit)>) -> Vec<Refused> {
    let outer = REFUSED.replace(Some(Vec::new()));
    for (key, run, permit) in launches {
        launch(shared, key, run, permit);
    }
    REFUSED.replace(outer).unwrap_or_default()
}

/// Reports the attempt when it is dropped, such as with its runtime, if it was not reported before.
struct Report {
    shared: Arc<Shared>,
    key: RunKey,
    run: Arc<RunShared>,
    task: Instance,
    attempt: u32,
    started: Timestamp,
    open: bool,
}

impl Report {
    fn close(&mut self, outcome: Outcome<Returned>) {
        self.open = false;
        let done = Done {
            task: self.task.task,
            attempt: self.attempt,
            started: self.started,
            ended: self.run.clock.now(),
            outcome,
        };
        let refused = REFUSED.with_borrow_mut(|refused| match refused {
            Some(refused) => {
                refused.push((self.key, Arc::clone(&self.run), done));
                None
            }
            None => Some(done),
        });
        if let Some(done) = refused {
            self.shared.report(self.key, &self.run, done);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if self.open {
            let reason = "the future of the attempt was dropped; was its tokio runtime shut down?".to_owned();
            self.close(Failure::Cancelled { reason }.into());
        }
    }
}
