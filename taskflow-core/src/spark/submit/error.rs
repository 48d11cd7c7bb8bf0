//! Why a job on Spark did not succeed.

use std::fmt;
use std::time::Duration;

use crate::task::Interrupt;

/// A time limit of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`submit_timeout`](super::SparkSubmit::submit_timeout).
    Submit,
    /// [`queue_timeout`](super::SparkSubmit::queue_timeout).
    Queue,
    /// [`run_timeout`](super::SparkSubmit::run_timeout).
    Run,
}

/// Why a job on Spark did not succeed. A task that returns it, in any error type, fails, without
/// retry if the error is not [retryable](SparkError::is_retryable).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SparkError {
    /// The job has not ended. If the task returns this, it is called again later.
    #[error(transparent)]
    Waits(Interrupt),
    /// Spark is not installed on this machine.
    #[error(
        "`{program}` was not found (searched {}): install Spark with `pip install pyspark` and set SPARK_HOME, or set \
         `.spark_home(..)` or the extra `spark-home` of the connection",
        searched.join(", ")
    )]
    BinaryNotFound {
        /// The program.
        program: String,
        /// The places that were searched.
        searched: Vec<String>,
    },
    /// The master cannot be parsed.
    #[error(
        "`{master}` is not a valid Spark master: {why}; write `local[*]`, `spark://host:7077`, `yarn` or `k8s://https://host:6443`"
    )]
    InvalidMaster {
        /// The text.
        master: String,
        /// What is wrong with it.
        why: String,
    },
    /// No master is configured for the job.
    #[error("no Spark master is configured for `{app}`: {why}; set `.master(..)` or the connection `{connection}`, for example \
             `TASKFLOW_CONN_{}=spark://host:7077`", connection.to_uppercase())]
    NoMaster {
        /// The application.
        app: String,
        /// The name of the connection that was searched for.
        connection: String,
        /// Why the connection does not determine a master.
        why: String,
    },
    /// A property or an option is invalid.
    #[error("`{key}` of the job `{app}`: {why}")]
    InvalidConf {
        /// The application.
        app: String,
        /// The property or the option.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Two options exclude each other.
    #[error("the job `{app}` cannot have both {a} and {b}: {why}")]
    IncompatibleOptions {
        /// The application.
        app: String,
        /// One of the options.
        a: String,
        /// The other option.
        b: String,
        /// Why they exclude each other, and what to do.
        why: String,
    },
    /// The application does not exist.
    #[error(
        "the application `{app}` does not exist (working directory: {folder}); give a path relative to that directory, or \
             `local:/path` if the file is on all machines of the cluster"
    )]
    ApplicationMissing {
        /// The path.
        app: String,
        /// The directory that relative paths start from.
        folder: String,
    },
    /// A secret or a part of the configuration is missing or invalid.
    #[error("the job `{app}` cannot be prepared: {why}")]
    Config {
        /// The application.
        app: String,
        /// What is missing or invalid.
        why: String,
    },
    /// No master responds.
    #[error("no master responds at {master}: {why}; check that it is running and reachable from this machine")]
    MasterUnreachable {
        /// The master.
        master: String,
        /// The error of each master.
        why: String,
    },
    /// The master runs, but its REST server does not respond.
    #[error(
        "the REST server of the master {master} does not respond: {why}; it must be enabled there with \
             `spark.master.rest.enabled`, and if it does not listen at port 6066, set `.rest_port(..)` or the extra `rest-port` \
             of the connection"
    )]
    RestUnreachable {
        /// The master.
        master: String,
        /// The error of each master.
        why: String,
    },
    /// The cluster denies access.
    #[error(
        "{endpoint} denied access with status {status}; set the password of the connection, which is sent as a bearer token"
    )]
    AuthFailed {
        /// The address.
        endpoint: String,
        /// 401 or 403.
        status: u16,
    },
    /// The response does not come from a Spark master.
    #[error(
        "{endpoint} is not the REST server of a Spark master (it responded{got}); the REST server needs \
             `spark.master.rest.enabled` and listens at port 6066 by default: set `.rest_port(..)` or the extra `rest-port` of \
             the connection for another port"
    )]
    NotAMaster {
        /// The address.
        endpoint: String,
        /// The beginning of the response.
        got: String,
    },
    /// The cluster refused the job.
    #[error("{endpoint} rejected the job `{app}` with status {status}: {message}")]
    SubmitRejected {
        /// The application.
        app: String,
        /// The address.
        endpoint: String,
        /// The HTTP status.
        status: u16,
        /// The reason that the cluster reports.
        message: String,
        /// Whether a retry may succeed.
        retryable: bool,
    },
    /// The process could not be started, or was lost.
    #[error("`{program}` cannot be run: {why}")]
    Io {
        /// The program.
        program: String,
        /// The error of the operating system.
        why: String,
    },
    /// The process of the job failed.
    #[error("the job `{app}` failed {how}")]
    JobFailed {
        /// The application.
        app: String,
        /// `with exit code 3`, `by signal 9 (SIGKILL)`.
        how: String,
        /// The exit code, if there is one.
        exit_code: Option<i32>,
        /// Whether a retry may succeed.
        retryable: bool,
        /// The traceback, or the last lines of its output.
        #[source]
        output: Option<JobOutput>,
    },
    /// The driver failed on the cluster.
    #[error("the driver {id} of the job `{app}` ended with the state {state}{}", link.as_ref().map(|link| format!(" ({link})")).unwrap_or_default())]
    DriverFailed {
        /// The application.
        app: String,
        /// The submission.
        id: String,
        /// The state that the cluster reports.
        state: String,
        /// A page that shows it.
        link: Option<String>,
        /// The traceback, the message of the cluster, or the last lines of the driver's output.
        #[source]
        output: Option<JobOutput>,
    },
    /// The cluster no longer knows the driver.
    #[error(
        "the driver of the job `{app}` ({id}) is lost: {why}; it is unknown whether it succeeded, so check before you run it again"
    )]
    DriverLost {
        /// The application.
        app: String,
        /// The submission, or the tag if the submission is not known.
        id: String,
        /// Why it counts as lost.
        why: String,
        /// Whether it is certain that the job no longer runs.
        retryable: bool,
    },
    /// The job was killed by somebody else.
    #[error("the driver {id} of the job `{app}` was killed on the cluster, not by this task")]
    Killed {
        /// The application.
        app: String,
        /// The submission.
        id: String,
    },
    /// The attempt was cancelled.
    #[error("the job `{app}` was killed because the attempt was cancelled{}", if *confirmed { "" } else { "; its end is NOT confirmed" })]
    Cancelled {
        /// The application.
        app: String,
        /// Whether the cluster confirms that it has ended.
        confirmed: bool,
    },
    /// A time limit was exceeded.
    #[error("the job `{app}` took longer than {limit:?} {}{}", phase(*of), if *confirmed { " and was killed" } else { "; it was asked to end, but its end is NOT confirmed" })]
    TimedOut {
        /// The application.
        app: String,
        /// The kind of the limit.
        of: Limit,
        /// The limit.
        limit: Duration,
        /// Whether the cluster confirms that the job has ended.
        confirmed: bool,
    },
    /// The job succeeded, but its result cannot be read.
    #[error(
        "the job `{app}` succeeded, but its result cannot be read from {path}: {why}; the job must write JSON to the path in the \
             environment variable TASKFLOW_RESULT"
    )]
    NoResult {
        /// The application.
        app: String,
        /// The file.
        path: String,
        /// Why it cannot be read.
        why: String,
    },
    /// The record that identifies the job after a crash could not be stored. The job is then not
    /// submitted, or killed.
    #[error(
        "the job `{app}` does not run, because the record that identifies it after a crash could not be stored: {why}"
    )]
    Intent {
        /// The application.
        app: String,
        /// Why it could not be stored.
        why: String,
    },
    /// The combination of master and deploy mode is not supported yet.
    #[error("the job `{app}` cannot run on {master} in {mode} mode yet; use client mode")]
    Unsupported {
        /// The application.
        app: String,
        /// The master.
        master: String,
        /// The mode.
        mode: &'static str,
    },
}

impl SparkError {
    /// Whether a retry of the job may succeed. A task that returns an error that is not retryable
    /// is not retried.
    pub fn is_retryable(&self) -> bool {
        match self {
            SparkError::SubmitRejected { retryable, .. }
            | SparkError::JobFailed { retryable, .. }
            | SparkError::DriverLost { retryable, .. } => *retryable,
            SparkError::Waits(_)
            | SparkError::MasterUnreachable { .. }
            | SparkError::RestUnreachable { .. }
            | SparkError::Io { .. }
            | SparkError::DriverFailed { .. }
            | SparkError::Killed { .. }
            | SparkError::Cancelled { .. }
            | SparkError::TimedOut { .. }
            | SparkError::Intent { .. } => true,
            SparkError::BinaryNotFound { .. }
            | SparkError::InvalidMaster { .. }
            | SparkError::NoMaster { .. }
            | SparkError::InvalidConf { .. }
            | SparkError::IncompatibleOptions { .. }
            | SparkError::ApplicationMissing { .. }
            | SparkError::Config { .. }
            | SparkError::AuthFailed { .. }
            | SparkError::NotAMaster { .. }
            | SparkError::NoResult { .. }
            | SparkError::Unsupported { .. } => false,
        }
    }

    /// The exit code of the job, if it ended with one.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            SparkError::JobFailed { exit_code, .. } => *exit_code,
            _ => None,
        }
    }

    /// The relevant part of the job's output: the traceback of a Python job, the exception of a
    /// JVM, or the last lines.
    pub fn output(&self) -> Option<&str> {
        match self {
            SparkError::JobFailed { output, .. } | SparkError::DriverFailed { output, .. } => {
                output.as_ref().map(|output| output.0.as_str())
            }
            _ => None,
        }
    }
}

fn phase(of: Limit) -> &'static str {
    match of {
        Limit::Submit => "to be submitted",
        Limit::Queue => "to get resources from the cluster",
        Limit::Run => "to run",
    }
}

/// The output of a job, as the cause of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobOutput(String);

impl JobOutput {
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim_end();
        (!text.is_empty()).then(|| JobOutput(text.to_owned()))
    }
}

impl fmt::Display for JobOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JobOutput {}
