//! What is asked of a cluster that runs drivers. Each kind of cluster has a file.
//!
//! All of it blocks: it is called on blocking threads. A backend whose submission is a process of
//! its own runs that with the handle of the runtime that the thread belongs to.

use std::fmt;
use std::sync::Arc;

use super::super::Master;
use super::SparkError;
#[cfg(unix)]
use super::kubernetes::Kubernetes;
use super::place::Place;
use super::properties::Settings;
use super::spec::Spec;
use super::standalone::Standalone;
#[cfg(unix)]
use super::yarn::Yarn;
use crate::base::Timestamp;

/// A job that is to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) spec: Spec,
    pub(super) settings: Settings,
    /// No other submission has it. Lower-case letters, digits and `-`, 63 at the most.
    pub(super) tag: String,
    /// When it was intended.
    pub(super) since: Timestamp,
}

/// A cluster that runs drivers.
pub(super) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Asks the cluster something, before a job is submitted: what would go wrong later goes wrong
    /// now.
    ///
    /// # Errors
    ///
    /// When it does not answer, or does not let us in.
    fn reach(&self, job: &Job) -> Result<(), SparkError>;

    /// Hands the job over, with its tag on it. Gives the id under which the cluster knows it.
    ///
    /// # Errors
    ///
    /// [`BackendError::Permanent`] when it is certain that the cluster has not taken it,
    /// [`BackendError::Transient`] when it may have.
    fn submit(&self, job: &Job) -> Result<String, BackendError>;

    /// What has become of a job.
    ///
    /// # Errors
    ///
    /// [`BackendError::Transient`] when the answer says nothing, [`BackendError::Permanent`] when
    /// asking again would not help.
    fn status(&self, id: &str) -> Result<JobState, BackendError>;

    /// Asks for its end. Whether it came is said by [`status`](Backend::status).
    ///
    /// # Errors
    ///
    /// As [`status`](Backend::status).
    fn kill(&self, id: &str) -> Result<(), BackendError>;

    /// Looks for the job with this tag, which may have been submitted since a time.
    fn find(&self, job: &Job, since: Timestamp) -> Found;

    /// What the driver has written so far, as far as it can be had; the end of it, if it is long.
    fn logs(&self, id: &str) -> Logs;

    /// Pages for people, each with a name.
    fn links(&self, id: &str) -> Vec<(&'static str, String)>;

    /// The application, if its id follows from that of the submission.
    fn application_id(&self, _id: &str) -> Option<String> {
        None
    }
}

/// The cluster where a job runs.
///
/// # Errors
///
/// When it runs no drivers, or cannot be asked.
pub(super) fn open(spec: &Spec, place: &Place) -> Result<Arc<dyn Backend>, SparkError> {
    Ok(match &place.master {
        Master::Standalone(hosts) => Arc::new(Standalone::new(&spec.app, place, hosts)),
        #[cfg(unix)]
        Master::Yarn => Arc::new(Yarn::new(&spec.app, place)?),
        #[cfg(unix)]
        Master::Kubernetes(api) => Arc::new(Kubernetes::new(api, place, |key| spec.property(key))?),
        other => {
            let (app, master, mode) = (spec.app.clone(), other.to_string(), place.mode.name());
            return Err(SparkError::Unsupported { app, master, mode });
        }
    })
}

/// A job, in the words that all clusters have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JobState {
    /// It has no resources yet.
    Waiting,
    Running,
    /// The cluster says that it has succeeded.
    Succeeded,
    Failed {
        state: String,
        said: Option<String>,
    },
    Killed,
    /// The cluster does not know it.
    Gone,
    /// The cluster does not know what has become of it.
    Unknown(String),
}

impl JobState {
    /// Whether it will not change any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Failed { .. } | JobState::Killed | JobState::Gone)
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum BackendError {
    /// It may come.
    Transient(String),
    Permanent(SparkError),
}

impl BackendError {
    /// As an error of who will not ask again.
    pub(super) fn of(self, master: &Master) -> SparkError {
        match self {
            BackendError::Transient(why) => SparkError::MasterUnreachable { master: master.to_string(), why },
            BackendError::Permanent(error) => error,
        }
    }
}

/// Where a job with a tag is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    At(String),
    /// There is none.
    Nowhere,
    /// That cannot be said, and why; perhaps later.
    Undecided(String),
}

/// What a driver has written.
#[derive(Debug, Default)]
pub(super) struct Logs {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// Where the driver's pages are, if its machine is known: the host.
    pub(super) host: Option<String>,
}
