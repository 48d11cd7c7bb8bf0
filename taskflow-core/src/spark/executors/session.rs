//! A cluster, as one run uses it.

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

/// It has a batcher as soon as there is an attempt, and another one when that was lost.
pub(super) struct SparkSession {
    of: &'static Executors,
    run: Arc<RunInfo>,
    config: Option<Config>,
    open: Mutex<Option<Open>>,
}

/// The way to a batcher.
struct Open {
    asks: mpsc::UnboundedSender<Ask>,
    /// Somebody does not wait any more.
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

    /// Hands an attempt to the batcher.
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
                // What it logs belongs to no attempt.
                let over = tokio::spawn(batcher::serve(batcher, incoming));
                Open { asks, stirred, over }
            }
        };
        let current = open.insert(current);
        // A batcher that closes just now drops it, which its attempt hears as the loss of the driver.
        let _ = current.asks.send(ask);
        Leaving(Some(Arc::clone(&current.stirred)))
    }

    /// What is kept while it waits is what a million of them keep: nothing is moved that stays.
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
            Ok(Ok(told)) => {
                told.ending(&AttemptRef { def: errand.def, identity: &errand.identity, control: &errand.control })
            }
            Ok(Err(failure)) => failure.into(),
            Err(_) => Failure::Error { chain: vec!["the Spark driver was lost".to_owned()], retryable: true }.into(),
        }
    }
}

/// Tells the batcher, when it is dropped, that an attempt does not wait any more; unless it has its answer.
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
