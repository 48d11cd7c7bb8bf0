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
    stirred: Arc<Notify>,
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
                let stirred = Arc::new(Notify::new());
                let batcher = Batcher {
                    of: self.of,
                    run: Arc::clone(&self.run),
                    config: self.config.clone(),
                    stirred: Arc::clone(&stirred),
                };
                // Its logs do not belong to an attempt.
                let over = tokio::spawn(batcher::serve(batcher, incoming));
                Open { asks, stirred, over }
            }
        };
        let current = open.insert(current);
        // If the batcher is closing, it drops the request, which fails as a lost driver.
        let _ = current.asks.send(ask);
        Leaving(Some(Arc::clone(&current.stirred)))
    }

    /// There may be a million waiting attempts, so the future is kept small.
    async fn attempt(self: Arc<Self>, errand: ExecutorTask) -> Outcome {
        let request = match pack(errand.def, errand.inputs, &errand.identity, Reach::default()) {
            Ok(frames) => request_of(&frames),
            Err(failure) => return failure.into(),
        };
        let (reply, answer) = oneshot::channel();
        let mut leaving = self.ask(Ask { request, reply });
        let answer = tokio::select! {
            answer = answer => answer,
            () = errand.control.cancelled() => {
                return Failure::Cancelled { reason: "the attempt was asked to end".to_owned() }.into();
            }
        };
        leaving.0 = None;
        match answer {
            Ok(Ok(answer)) => {
                answer.ending(&AttemptRef { def: errand.def, identity: &errand.identity, control: &errand.control })
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
        if let Some(stirred) = &self.0 {
            stirred.notify_one();
        }
    }
}

impl Session for SparkSession {
    fn run(self: Arc<Self>, errand: ExecutorTask) -> BoxFuture<Outcome> {
        Box::pin(self.attempt(errand))
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
