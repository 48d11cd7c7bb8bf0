//! Kills a job that is no longer awaited.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::backend::{Backend, BackendError, Found, Job};
use crate::base::Timestamp;
use crate::task::{OnKill, ProcessHold};

/// The default time to wait for a killed job to end.
pub(super) const KILL: Duration = Duration::from_secs(30);
/// The longest time that a program waits for its request to kill a job.
const REQUEST: Duration = Duration::from_secs(5);
/// The interval between status checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// A job on a cluster that is killed when this is dropped, unless it was released.
#[derive(Debug)]
pub(super) struct JobGuard {
    inner: Arc<JobGuardInner>,
    /// The attempt is not gone until the kill of its job was requested: otherwise the program could
    /// leave before. Shared with the request, which goes on when the attempt is dropped meanwhile.
    hold: Option<Arc<ProcessHold>>,
}

/// The job.
#[derive(Debug)]
struct JobGuardInner {
    backend: Arc<dyn Backend>,
    job: Job,
    since: Timestamp,
    /// It need not be killed: it has ended, is left running, or another guard is responsible.
    released: AtomicBool,
    /// It must no longer be submitted.
    abandoned: AtomicBool,
    /// Locked during the submission.
    id: Mutex<Id>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Id {
    /// Nothing was submitted.
    None,
    Known(String),
    /// A job may have been submitted.
    Unclear,
}

impl JobGuard {
    pub(super) fn new(backend: Arc<dyn Backend>, job: Job, since: Timestamp, hold: Option<ProcessHold>) -> Self {
        let detached = job.spec.detach;
        let inner = JobGuardInner {
            backend,
            job,
            since,
            released: AtomicBool::new(detached),
            abandoned: AtomicBool::new(false),
            id: Mutex::new(Id::None),
        };
        JobGuard { inner: Arc::new(inner), hold: hold.map(Arc::new) }
    }

    /// Submits the job, unless it was abandoned before. Blocks; the caller may be dropped
    /// meanwhile.
    pub(super) fn submitter(&self) -> impl FnOnce() -> Result<String, BackendError> + Send + 'static {
        let inner = Arc::clone(&self.inner);
        move || {
            let mut id = inner.id.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.abandoned.load(Ordering::Acquire) {
                return Err(BackendError::Transient("the attempt was abandoned before".to_owned()));
            }
            let submitted = inner.backend.submit(&inner.job);
            *id = match &submitted {
                Ok(id) => Id::Known(id.clone()),
                Err(BackendError::Transient(_)) => Id::Unclear,
                Err(BackendError::Permanent(_)) => Id::None,
            };
            submitted
        }
    }

    /// Sets the id of the job.
    pub(super) fn set_id(&self, id: &str) {
        *self.inner.id.lock().unwrap_or_else(PoisonError::into_inner) = Id::Known(id.to_owned());
    }

    /// Marks the job as possibly submitted.
    pub(super) fn set_unclear(&self) {
        *self.inner.id.lock().unwrap_or_else(PoisonError::into_inner) = Id::Unclear;
    }

    /// Releases the job: it has ended or is left running.
    pub(super) fn release(&self) {
        self.inner.released.store(true, Ordering::Release);
    }

    /// Kills the job and returns whether the cluster confirms its end. Blocks; the caller may be
    /// dropped meanwhile.
    pub(super) fn end(&self) -> impl FnOnce() -> bool + Send + 'static {
        self.release();
        let (inner, hold) = (Arc::clone(&self.inner), self.hold.clone());
        move || inner.end(hold)
    }

    /// Returns a function that kills the job if the run ends early while the task waits.
    pub(super) fn on_kill(&self) -> OnKill {
        let inner = Arc::clone(&self.inner);
        Arc::new(move || {
            let inner = Arc::clone(&inner);
            let (sender, requested) = std::sync::mpsc::channel();
            in_a_thread(move || {
                inner.request_kill();
                let _ = sender.send(());
                inner.verify();
            });
            // This process may end at once; wait until the cluster has received the request.
            let _ = requested.recv_timeout(REQUEST);
        })
    }
}

impl Drop for JobGuard {
    fn drop(&mut self) {
        if !self.inner.released.swap(true, Ordering::AcqRel) {
            let (inner, hold) = (Arc::clone(&self.inner), self.hold.take());
            // It may be dropped by async code, which must not block.
            in_a_thread(move || {
                inner.end(hold);
            });
        }
    }
}

fn in_a_thread(work: impl FnOnce() + Send + 'static) {
    let span = tracing::Span::current();
    let thread = std::thread::Builder::new().name("taskflow-spark-end".to_owned());
    if let Err(error) = thread.spawn(move || span.in_scope(work)) {
        tracing::error!(target: "taskflow", "a Spark job cannot be killed, because no thread can be started: {error}; it may keep running");
    }
}

impl JobGuardInner {
    fn id(&self) -> Option<String> {
        self.abandoned.store(true, Ordering::Release);
        // Waits for a submission in progress.
        let id = self.id.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match id {
            Id::Known(id) => Some(id),
            Id::None => None,
            Id::Unclear => match self.backend.find(&self.job, self.since) {
                Found::At(id) => Some(id),
                Found::Nowhere => None,
                Found::Undecided(why) => {
                    tracing::error!(
                        target: "taskflow",
                        "it is unknown whether the job `{}` was submitted with the tag {} ({why}); it may be running", self.job.spec, self.job.tag
                    );
                    None
                }
            },
        }
    }

    /// Requests that the cluster kill the job.
    fn request_kill(&self) {
        if let Some(id) = self.id()
            && let Err(BackendError::Transient(why)) = self.backend.kill(&id)
        {
            tracing::warn!(target: "taskflow", "no response to the request to kill {id}: {why}");
        }
    }

    fn end(&self, hold: Option<Arc<ProcessHold>>) -> bool {
        self.request_kill();
        drop(hold);
        self.verify()
    }

    /// Polls until the job has ended, and repeats the request each time.
    fn verify(&self) -> bool {
        let Some(id) = self.id() else {
            return *self.id.lock().unwrap_or_else(PoisonError::into_inner) != Id::Unclear;
        };
        let (start, limit) = (Instant::now(), self.job.spec.kill_timeout.unwrap_or(KILL));
        let mut last = String::new();
        while start.elapsed() < limit {
            match self.backend.status(&id) {
                Ok(state) if state.is_over() => {
                    tracing::info!(target: "taskflow", "the driver {id} has ended: {state:?}");
                    return true;
                }
                Ok(state) => last = format!("{state:?}"),
                Err(BackendError::Transient(why)) => last = why,
                Err(BackendError::Permanent(error)) => {
                    last = error.to_string();
                    break;
                }
            }
            std::thread::sleep(CHECK_INTERVAL);
            let _ = self.backend.kill(&id);
        }
        tracing::error!(
            target: "taskflow",
            "the end of the driver {id} of the job `{}` is not confirmed (last state: {last}); check the cluster", self.job.spec
        );
        false
    }
}
