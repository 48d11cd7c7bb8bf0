//! The interface to a cluster that runs drivers. Each kind of cluster has its own file.
//!
//! All methods block and are called on blocking threads. A backend that submits with a process uses
//! the handle of the runtime that the thread belongs to.

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

/// A job to be submitted.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) spec: Spec,
    pub(super) settings: Settings,
    /// Unique to this submission: at most 63 lower-case letters, digits and `-`.
    pub(super) tag: String,
    /// When the intent was stored.
    pub(super) since: Timestamp,
}

/// A cluster that runs drivers.
pub(super) trait Backend: fmt::Debug + Send + Sync + 'static {
    /// Sends a request to the cluster before a job is submitted, to detect problems early.
    ///
    /// # Errors
    ///
    /// If it does not respond, or denies access.
    fn reach(&self, job: &Job) -> Result<(), SparkError>;

    /// Submits the job with its tag and returns its id on the cluster.
    ///
    /// # Errors
    ///
    /// [`BackendError::Permanent`] if the cluster has certainly not accepted the job,
    /// [`BackendError::Transient`] if it may have.
    fn submit(&self, job: &Job) -> Result<String, BackendError>;

    /// The state of a job.
    ///
    /// # Errors
    ///
    /// [`BackendError::Transient`] if the response is unclear, [`BackendError::Permanent`] if
    /// repeating the request would not help.
    fn status(&self, id: &str) -> Result<JobState, BackendError>;

    /// Requests that the job be killed. [`status`](Backend::status) shows whether it has ended.
    ///
    /// # Errors
    ///
    /// Those of [`status`](Backend::status).
    fn kill(&self, id: &str) -> Result<(), BackendError>;

    /// Searches for the job with this tag, which may have been submitted since then.
    fn find(&self, job: &Job, since: Timestamp) -> Found;

    /// The output of the driver so far, if it is accessible; only its end, if it is long.
    fn logs(&self, id: &str) -> Logs;

    /// The web pages of the job, with their names.
    fn links(&self, id: &str) -> Vec<(&'static str, String)>;

    /// The id of the application, if it follows from that of the submission.
    fn application_id(&self, _id: &str) -> Option<String> {
        None
    }
}

/// Opens the backend of the cluster where a job runs.
///
/// # Errors
///
/// If the cluster cannot run drivers, or something that its backend needs is missing.
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

/// The state of a job, common to all clusters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum JobState {
    /// It has no resources yet.
    Waiting,
    Running,
    /// The cluster reports its success.
    Succeeded,
    Failed {
        state: String,
        message: Option<String>,
    },
    Killed,
    /// The cluster does not know the job.
    Gone,
    /// The response was unclear; the text describes it.
    Unknown(String),
}

impl JobState {
    /// Whether the state is final.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, JobState::Succeeded | JobState::Failed { .. } | JobState::Killed | JobState::Gone)
    }
}

/// Why a request to a cluster failed.
#[derive(Debug)]
pub(super) enum BackendError {
    /// The same request may succeed later.
    Transient(String),
    Permanent(SparkError),
}

impl BackendError {
    /// The error for a caller that does not repeat the request.
    pub(super) fn of(self, master: &Master) -> SparkError {
        match self {
            BackendError::Transient(why) => SparkError::MasterUnreachable { master: master.to_string(), why },
            BackendError::Permanent(error) => error,
        }
    }
}

/// The result of a search for a job by its tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The id of the job.
    At(String),
    /// There is no such job.
    Nowhere,
    /// It is unclear whether there is one, perhaps only for now; the text tells why.
    Undecided(String),
}

/// The output of a driver.
#[derive(Debug, Default)]
pub(super) struct Logs {
    pub(super) stdout: String,
    pub(super) stderr: String,
    /// The host of the driver's web UI, if it is known.
    pub(super) host: Option<String>,
}
