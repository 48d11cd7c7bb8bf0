//! The session of an executor in one run.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::batcher::{self, Ask, Batcher};
use super::place::Executors;
use crate::base::Failure;
use crate::config::Config;
use crate::process::{AttemptRef, Reach, pack, request_of};
use crate::run::RunInfo;
use crate::task::{BoxFuture, ExecutorTask, Outcome, Session};

/// It has a batcher once there is an attempt, and a new one after the driver was lost.
pub(super) struct SparkSession {
    of: &'static Executors,
    run: Arc<RunInfo>,
    config: Option<Config>,
    open: Mutex<Option<Open>>,
}

/// The handle of a batcher.
struct Open {
    asks: mpsc::UnboundedSender<Ask>,
    /// Notified when an attempt stops waiting.
    abandoned: Arc<Notify>,
    over: JoinHandle<()>,
}

impl SparkSession {
    pub(super) fn new(of: &'static Executors, run: Arc<RunInfo>, config: Option<Config>) -> Self {
        SparkSession { of, run, config, open: Mutex::new(None) }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends an attempt to the batcher.
    fn ask(&self, ask: Ask) -> Leaving {
        let mut open = self.lock();
        let current = match open.take() {
            Some(current) if !current.asks.is_closed() => current,
            _ => {
                let (asks, incoming) = mpsc::unbounded_channel();
                let abandoned = Arc::new(Notify::new());
                let batcher = Batcher {
                    of: self.of,
                    run: Arc::clone(&self.run),
                    config: self.config.clone(),
                    abandoned: Arc::clone(&abandoned),
                };
                // Its logs do not belong to an attempt.
                let over = tokio::spawn(batcher::serve(batcher, incoming));
                Open { asks, abandoned, over }
            }
        };
        let current = open.insert(current);
        // A batcher that is closing drops the request, which then fails as if the driver were lost.
        let _ = current.asks.send(ask);
        Leaving(Some(Arc::clone(&current.abandoned)))
    }

    /// There may be a million waiting attempts, so the future is kept small.
    async fn attempt(self: Arc<Self>, task: ExecutorTask) -> Outcome {
        let request = match pack(task.def, task.inputs, &task.identity, Reach::default()) {
            Ok(frames) => request_of(&frames),
            Err(failure) => return failure.into(),
        };
        let (reply, answer) = oneshot::channel();
        let mut leaving = self.ask(Ask { request, reply });
        let answer = tokio::select! {
            answer = answer => answer,
            () = task.control.cancelled() => {
                return Failure::Cancelled { reason: "the attempt was cancelled".to_owned() }.into();
            }
        };
        leaving.0 = None;
        match answer {
            Ok(Ok(answer)) => {
                answer.ending(&AttemptRef { def: task.def, identity: &task.identity, control: &task.control })
            }
            Ok(Err(failure)) => failure.into(),
            Err(_) => Failure::Error { chain: vec!["the Spark driver was lost".to_owned()], retryable: true }.into(),
        }
    }
}

/// Notifies the batcher on drop that an attempt has stopped waiting, unless it has its answer.
struct Leaving(Option<Arc<Notify>>);

impl Drop for Leaving {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.0 {
            abandoned.notify_one();
        }
    }
}

impl Session for SparkSession {
    fn run(self: Arc<Self>, task: ExecutorTask) -> BoxFuture<Outcome> {
        Box::pin(self.attempt(task))
    }

    fn close(self: Arc<Self>) -> BoxFuture<()> {
        let open = self.lock().take();
        Box::pin(async move {
            if let Some(Open { asks, over, .. }) = open {
                drop(asks);
                let _ = over.await;
            }
        })
    }
}

impl fmt::Debug for SparkSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SparkSession({})", self.run.run_id)
    }
}
