//! Handles of a live run: awaiting its end, reading it, controlling it.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::engine::Engine;
use super::live_follower::LiveFollower;
use super::observer::{Streams, Subscription};
use super::report::{RunReport, returned};
use super::request::{RunError, RunRequest};
use super::run::{Finished, Run};
use super::run_shared::RunShared;
use crate::base::{Failure, Timestamp, account};
use crate::dag::Plan;
use crate::machine::{Input, RunKey};
use crate::run::{AdmissionWait, RunInfo, RunView, TaskIndex, TaskState};
use crate::value::{AnyValue, Value};

/// The future of a [`RunRequest`].
#[must_use = "futures do nothing unless polled"]
pub struct RunFuture<T> {
    pub(super) state: FutureState<T>,
}

pub(super) enum FutureState<T> {
    Asked(Box<RunRequest<T>>),
    Running(RunHandle<T>),
    Over,
}

impl<T: Value> Future for RunFuture<T> {
    type Output = Result<RunReport<T>, RunError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let FutureState::Asked(_) = self.state
            && let FutureState::Asked(request) = std::mem::replace(&mut self.state, FutureState::Over)
        {
            let mut handle = match request.start() {
                Ok(handle) => handle,
                Err(error) => return Poll::Ready(Err(error)),
            };
            handle.cancel_on_drop = true;
            self.state = FutureState::Running(handle);
        }
        match &mut self.state {
            FutureState::Running(handle) => match Pin::new(handle).poll(context) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(report) => {
                    self.state = FutureState::Over;
                    Poll::Ready(Ok(report))
                }
            },
            FutureState::Asked(_) | FutureState::Over => panic!("a run was polled after it was over"),
        }
    }
}

impl<T> fmt::Debug for RunFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            FutureState::Asked(_) => "RunFuture(asked)",
            FutureState::Running(_) => "RunFuture(running)",
            FutureState::Over => "RunFuture(over)",
        })
    }
}

/// A live run. Awaiting it returns its report. Dropping it does not end the run.
pub struct RunHandle<T> {
    pub(super) engine: Engine,
    pub(super) key: RunKey,
    pub(super) shared: Arc<RunShared>,
    pub(super) finished: oneshot::Receiver<Finished>,
    pub(super) cancel_on_drop: bool,
    pub(super) result: PhantomData<fn() -> T>,
}

/// A running task.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunningTask {
    /// Its number in the run: what events name it by.
    pub task: TaskIndex,
    /// Its id.
    pub id: String,
    /// The label of its element, if its list is labelled.
    pub label: Option<String>,
    /// The attempt, counted from 1.
    pub attempt: u32,
    /// When the attempt started.
    pub started: Timestamp,
    /// The steps made and the steps in all, if the task reports them.
    pub progress: Option<(u64, u64)>,
}

impl<T> RunHandle<T> {
    /// The run.
    pub fn info(&self) -> &RunInfo {
        &self.shared.info
    }

    /// The graph.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.shared.plan
    }

    /// A handle that can read and control the run from anywhere.
    pub fn control(&self) -> RunControl {
        RunControl { engine: self.engine.clone(), key: self.key, shared: Arc::clone(&self.shared) }
    }

    /// Blocks the thread until the run is over.
    ///
    /// # Panics
    ///
    /// Inside async code, where blocking is not allowed: await the handle there.
    pub fn wait(mut self) -> RunReport<T>
    where
        T: Value,
    {
        let (_, unused) = oneshot::channel();
        let finished = std::mem::replace(&mut self.finished, unused);
        self.cancel_on_drop = false;
        report(&self.shared, finished.blocking_recv())
    }
}

#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
impl RunHandle<()> {
    /// Waits for the end. Returns the result with its type erased, or why it could not be made
    /// although its task succeeded. [`Plan::result_type`] can encode it.
    pub(crate) async fn finished(mut self) -> (RunReport, Result<Option<AnyValue>, Failure>) {
        let mut finished = (&mut self.finished).await;
        let result = finished.as_mut().ok().and_then(|finished| finished.result.take());
        let result = result.map(|value| returned(&self.shared.plan, value)).transpose();
        (report(&self.shared, finished), result)
    }
}

impl<T: Value> Future for RunHandle<T> {
    type Output = RunReport<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<RunReport<T>> {
        match Pin::new(&mut self.finished).poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(finished) => {
                self.cancel_on_drop = false;
                Poll::Ready(report(&self.shared, finished))
            }
        }
    }
}

fn report<T: Value>(shared: &RunShared, finished: Result<Finished, oneshot::error::RecvError>) -> RunReport<T> {
    // The engine lives as long as this handle, and sends the report before it drops a run.
    let finished = finished.expect("the engine reports the end of every run");
    RunReport::new(&shared.info, finished)
}

impl<T> Drop for RunHandle<T> {
    fn drop(&mut self) {
        if self.cancel_on_drop {
            self.control().cancel("the future of the run was dropped");
        }
    }
}

impl<T> fmt::Debug for RunHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunHandle({})", self.shared.info.run_id)
    }
}

/// Reads and controls a run.
#[derive(Clone)]
pub struct RunControl {
    engine: Engine,
    key: RunKey,
    shared: Arc<RunShared>,
}

impl RunControl {
    /// Ends the run early: tasks that have not started become `cancelled`, running ones are asked
    /// to stop and have the grace time to do so. No effect on a run that is over.
    pub fn cancel(&self, reason: &str) {
        self.engine.shared().send(self.key, &self.shared.info.run_id, Input::Cancel { reason: reason.to_owned() });
    }

    /// Sends an event: tasks that wait for `key` continue with `value`, and so does every task that
    /// waits for it later. A second event with the same key replaces the first. No effect on a run
    /// that is over.
    ///
    /// # Errors
    ///
    /// When the value cannot be serialised, or is not a valid answer to a task that
    /// [asks](crate::approval).
    pub fn send_event(&self, key: &str, value: &impl serde::Serialize) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(value)?;
        crate::approval::check(&self.shared.plan, key, &value).map_err(serde::ser::Error::custom)?;
        let value = Arc::from(value.to_string());
        let input = Input::Event { key: key.to_owned(), value, by: account(), reason: String::new() };
        self.engine.shared().send(self.key, &self.shared.info.run_id, input);
        Ok(())
    }

    /// Reads the run with `read`, under the lock of the engine; `None` when it is over.
    pub(super) fn read<R>(&self, read: impl FnOnce(&mut Run) -> R) -> Option<R> {
        let mut state = self.engine.shared().lock();
        state.run(self.key).filter(|run| Arc::ptr_eq(&run.shared, &self.shared)).map(read)
    }

    /// Follows the run from its present state on; `None` when it is over.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn follow(&self) -> Option<LiveFollower> {
        self.read(|run| LiveFollower::new(self.clone(), run))
    }

    /// The present state of the run; `None` when it is over. Takes time in proportion to the size
    /// of the plan, and the engine is blocked meanwhile.
    pub fn view(&self) -> Option<RunView> {
        self.read(|run| run.view())
    }

    /// Subscribes to the run: a view of its present state, and every event after it. `None` when it
    /// is over. There can be any number of subscriptions, at any time.
    ///
    /// `capacity` is how many events the subscription holds for its reader. The run does not wait
    /// for a reader: when the queue is full, the subscription is closed and returns
    /// [`Lagged`](super::Lagged).
    ///
    /// # Errors
    ///
    /// When the thread for the subscriptions of the run cannot be started.
    pub fn subscribe(&self, capacity: usize) -> std::io::Result<Option<Subscription>> {
        let mut started = None;
        loop {
            {
                let mut state = self.engine.shared().lock();
                let Some(run) = state.run(self.key).filter(|run| Arc::ptr_eq(&run.shared, &self.shared)) else {
                    return Ok(None);
                };
                if started.is_some() || run.observers.has_streams() {
                    return Ok(run.subscribe(started, capacity));
                }
            }
            // Not under the lock: it can wait.
            started = Some(Streams::start()?);
        }
    }

    /// The number of the run in its journal: known a moment after its start, and never for one
    /// without a journal.
    pub fn number(&self) -> Option<i64> {
        self.shared.recorder.as_ref()?.number()
    }

    /// What the run waits for before it starts: other runs of its DAG, if that has
    /// `max_active_runs`. `None` once it has started.
    pub fn waits_for(&self) -> Option<AdmissionWait> {
        self.shared.recorder.as_ref()?.waits()
    }

    /// What to say while the store of the run is locked by another process.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn store_wait(&self) -> Option<Arc<str>> {
        self.shared.recorder.as_ref()?.store_wait()
    }

    /// Whether the run has a journal.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "the command line is what uses it"))]
    pub(crate) fn is_recorded(&self) -> bool {
        self.shared.recorder.is_some()
    }

    /// The running tasks. Takes time in proportion to the size of the plan.
    pub fn running(&self) -> Vec<RunningTask> {
        let running = |run: &mut Run| {
            let machine = &run.machine;
            let tasks = machine.layout().tasks().filter(|&task| machine.task_state(task) == TaskState::Running);
            let running = tasks.map(|task| RunningTask {
                task,
                id: machine.layout().id(task).into_owned(),
                label: machine.label(task),
                attempt: machine.attempt(task),
                started: machine.times(task).0,
                progress: run.progress(task),
            });
            running.collect()
        };
        self.read(running).unwrap_or_default()
    }
}

impl fmt::Debug for RunControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunControl({})", self.shared.info.run_id)
    }
}
