//! Jobs whose program has died: the stored state of a task suffices to kill them.
//!
//! A resumed run may end early before the task of a job is called again to follow it, and a run
//! without a process may be cancelled by an operation. In both cases no `job_guard` is responsible
//! for the job.

use std::fmt;
use std::sync::Arc;

use super::SparkError;
use super::backend::{self, Job};
use super::intent::{Record, SubmissionState};
use super::job_guard::JobGuard;
use super::place::Place;
use super::properties::Settings;
use crate::base::BoxError;
use crate::config::Config;
use crate::task::{OnKill, OnKillResolver, UnattendedWork};

inventory::submit! {
    OnKillResolver(|key, text, config| Some(Box::new(UnattendedJob::of(key, text, config)?)))
}

/// A job that may be on a cluster and has not ended.
#[derive(Clone, Debug)]
pub(super) struct UnattendedJob {
    record: Record,
    config: Option<Config>,
}

impl UnattendedJob {
    /// Returns the job of a task's stored state, if it should be killed. Connections are looked up
    /// in this configuration, by default in that of the process.
    fn of(key: &str, text: &str, config: Option<&Config>) -> Option<UnattendedJob> {
        let record = Record::read(key, text)?;
        let under_way = matches!(record.state, SubmissionState::Intended { .. } | SubmissionState::Submitted { .. });
        (under_way && !record.location.detach).then(|| UnattendedJob { record, config: config.cloned() })
    }

    fn job_guard(&self) -> Result<JobGuard, SparkError> {
        let Record { tag, since, state, location: spec, .. } = self.record.clone();
        let config = || self.config.clone().map_or_else(Config::global, Ok);
        let place = Place::of(&spec, |name| config()?.connection(name))?;
        let backend = backend::open(&spec, &place)?;
        let job = Job { spec, settings: Settings::default(), tag, since };
        let job_guard = JobGuard::new(backend, job, since, None);
        match state {
            SubmissionState::Submitted { id, .. } => job_guard.set_id(&id),
            _ => job_guard.set_unclear(),
        }
        Ok(job_guard)
    }
}

impl UnattendedWork for UnattendedJob {
    fn system(&self) -> &'static str {
        "Spark"
    }

    fn end(&self) -> Result<bool, BoxError> {
        Ok(self.job_guard()?.end()())
    }

    fn on_kill(self: Box<Self>) -> OnKill {
        Arc::new(move || match self.job_guard() {
            Ok(job_guard) => {
                job_guard.release();
                job_guard.on_kill()();
            }
            Err(error) => {
                tracing::error!(target: "taskflow", "the Spark job {self} cannot be killed and keeps running: {error}");
            }
        })
    }
}

/// Its id, or the tag by which to find it.
impl fmt::Display for UnattendedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record.state {
            SubmissionState::Submitted { id, .. } => f.write_str(id),
            _ => write!(f, "with the tag {}", self.record.tag),
        }
    }
}
