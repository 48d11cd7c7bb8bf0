//! Jobs whose program is gone: what a task has kept is enough to end them.
//!
//! A run that goes on after its program has died ends early, perhaps, before the task of a job has
//! come back to follow it; and one that nobody runs is cancelled by hand. Nobody has the job in
//! `job_guard` then.

use std::fmt;
use std::sync::Arc;

use super::SparkError;
use super::backend::{self, Job};
use super::intent::{Record, Stage};
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
    /// The job behind what a task has kept, if there is one that somebody should end. Connections
    /// are those of the configuration, or of that of the process.
    fn of(key: &str, text: &str, config: Option<&Config>) -> Option<UnattendedJob> {
        let record = Record::read(key, text)?;
        let under_way = matches!(record.stage, Stage::Intended { .. } | Stage::Submitted { .. });
        (under_way && !record.location.detach).then(|| UnattendedJob { record, config: config.cloned() })
    }

    fn job_guard(&self) -> Result<JobGuard, SparkError> {
        let Record { tag, since, stage, location: spec, .. } = self.record.clone();
        let config = || self.config.clone().map_or_else(Config::global, Ok);
        let place = Place::of(&spec, |name| config()?.connection(name))?;
        let backend = backend::open(&spec, &place)?;
        let job = Job { spec, settings: Settings::default(), tag, since };
        let job_guard = JobGuard::new(backend, job, since);
        match stage {
            Stage::Submitted { id, .. } => job_guard.is_at(&id),
            _ => job_guard.may_be_there(),
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
                job_guard.let_go();
                job_guard.on_kill()();
            }
            Err(error) => {
                tracing::error!(target: "taskflow", "the job {self} on Spark may still be running, because it cannot \
                                                     be killed: {error}");
            }
        })
    }
}

/// Its id, or how it would be found.
impl fmt::Display for UnattendedJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.record.stage {
            Stage::Submitted { id, .. } => f.write_str(id),
            _ => write!(f, "with the tag {}", self.record.tag),
        }
    }
}
