//! Why a job on Spark did not succeed.

use std::fmt;
use std::time::Duration;

use crate::task::Interrupt;

/// Which time limit was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// [`submit_timeout`](super::SparkSubmit::submit_timeout).
    Submit,
    /// [`queue_timeout`](super::SparkSubmit::queue_timeout).
    Queue,
    /// [`run_timeout`](super::SparkSubmit::run_timeout).
    Run,
}

/// Why a job on Spark did not succeed. A task that returns it, in whatever error type, is failed by
/// it: for good where a retry would not help ([`is_retryable`](SparkError::is_retryable)).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SparkError {
    /// The job has not ended: the task is called again later, if it returns this.
    #[error(transparent)]
    Waits(Interrupt),
    /// There is no Spark here.
    #[error(
        "`{program}` was not found (looked for {}): install Spark with `pip install pyspark` and set SPARK_HOME, or \
         set its directory with `.spark_home(..)` or the extra `spark-home` of the connection",
        searched.join(", ")
    )]
    BinaryNotFound {
        /// The program.
        program: String,
        /// The places.
        searched: Vec<String>,
    },
    /// The text for the master is none.
    #[error(
        "`{master}` is not a Spark master: {why}; write `local[*]`, `spark://host:7077`, `yarn` or \
         `k8s://https://host:6443`"
    )]
    InvalidMaster {
        /// The text.
        master: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nobody says where the job is to run.
    #[error("no Spark master for `{app}`: {why}; set `.master(..)`, or define a connection of this name, for example \
             `TASKFLOW_CONN_{}=spark://host:7077`", connection.to_uppercase())]
    NoMaster {
        /// The application.
        app: String,
        /// The connection that was looked for.
        connection: String,
        /// Why it does not say so.
        why: String,
    },
    /// A property or an option with a value that Spark does not take.
    #[error("`{key}` of the job `{app}`: {why}")]
    InvalidConf {
        /// The application.
        app: String,
        /// The property or the option.
        key: String,
        /// What is wrong.
        why: String,
    },
    /// Two things that exclude each other.
    #[error("the job `{app}` cannot have both {a} and {b}: {why}")]
    IncompatibleOptions {
        /// The application.
        app: String,
        /// One.
        a: String,
        /// The other.
        b: String,
        /// Why not, and what to do.
        why: String,
    },
    /// There is no such application.
    #[error(
        "the application `{app}` does not exist (looked in {folder}); give a path relative to that directory, or \
         `local:/path` for a file that exists on all machines of the cluster"
    )]
    ApplicationMissing {
        /// The path.
        app: String,
        /// The directory of this process.
        folder: String,
    },
    /// A secret or a value of the configuration cannot be had.
    #[error("the job `{app}` cannot be prepared: {why}")]
    Config {
        /// The application.
        app: String,
        /// The mistake.
        why: String,
    },
    /// No master answers.
    #[error("the master {master} does not answer: {why}; is it running, and reachable from here?")]
    MasterUnreachable {
        /// The master.
        master: String,
        /// What was heard.
        why: String,
    },
    /// The master is there, but no REST server at it.
    #[error(
        "the master {master} does not accept jobs in cluster mode: {why}; set `spark.master.rest.enabled` to true \
         there, and if its REST server does not listen on port 6066, set `.rest_port(..)` or the extra `rest-port` of \
         the connection"
    )]
    RestUnreachable {
        /// The master.
        master: String,
        /// What was heard.
        why: String,
    },
    /// The cluster does not let us in.
    #[error(
        "{endpoint} rejected the credentials (status {status}); set them as the password of the connection, which is \
         sent as a bearer token"
    )]
    AuthFailed {
        /// The address.
        endpoint: String,
        /// 401 or 403.
        status: u16,
    },
    /// What answers is no master.
    #[error(
        "{endpoint} is not the REST server of a Spark master (it answered{got}); that server listens on port 6066 if \
         `spark.master.rest.enabled` is true; set another port with `.rest_port(..)` or the extra `rest-port` of the \
         connection"
    )]
    NotAMaster {
        /// The address.
        endpoint: String,
        /// What it said.
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
        /// What it said.
        message: String,
        /// Whether the same could go well later.
        retryable: bool,
    },
    /// The process could not be started, or was lost.
    #[error("`{program}` cannot be run: {why}")]
    Io {
        /// The program.
        program: String,
        /// What the operating system says.
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
        /// Whether the same could go well later.
        retryable: bool,
        /// The traceback, or the last lines that it wrote.
        #[source]
        said: Option<Said>,
    },
    /// The driver failed on the cluster.
    #[error("the driver {id} of the job `{app}` ended with the state {state}{}", link.as_ref().map(|link| format!(" ({link})")).unwrap_or_default())]
    DriverFailed {
        /// The application.
        app: String,
        /// The submission.
        id: String,
        /// The state, in the words of the cluster.
        state: String,
        /// Where it can be looked at.
        link: Option<String>,
        /// What the cluster says, or the last lines that the driver wrote.
        #[source]
        said: Option<Said>,
    },
    /// The cluster does not know the driver any more.
    #[error(
        "the driver of the job `{app}` ({id}) is lost: {why}; it may have succeeded, so check the cluster before you \
         run it again"
    )]
    DriverLost {
        /// The application.
        app: String,
        /// The submission, or the tag if the submission is not known.
        id: String,
        /// What was seen.
        why: String,
        /// Whether it is certain that nothing runs.
        retryable: bool,
    },
    /// Somebody else killed it.
    #[error("the driver {id} of the job `{app}` was killed on the cluster, not by this task")]
    Killed {
        /// The application.
        app: String,
        /// The submission.
        id: String,
    },
    /// The attempt was cancelled.
    #[error("the job `{app}` was killed because the attempt was cancelled{}", if *confirmed { "" } else { "; the cluster has NOT confirmed that it ended" })]
    Cancelled {
        /// The application.
        app: String,
        /// Whether the cluster says that it has ended.
        confirmed: bool,
    },
    /// A time limit is over.
    #[error("the job `{app}` took longer than {limit:?} {}{}", phase(*of), if *confirmed { " and was killed" } else { "; it was asked to end, and the cluster has NOT confirmed that it did" })]
    TimedOut {
        /// The application.
        app: String,
        /// Which one.
        of: Limit,
        /// How long it is.
        limit: Duration,
        /// Whether the cluster says that the job has ended.
        confirmed: bool,
    },
    /// The job succeeded and left no result that can be read.
    #[error(
        "the job `{app}` succeeded, but its result cannot be read from {path}: {why}; a job writes its result as JSON \
         to the path in the environment variable TASKFLOW_RESULT"
    )]
    NoResult {
        /// The application.
        app: String,
        /// The file.
        path: String,
        /// Why not.
        why: String,
    },
    /// What is to find the job again after a crash could not be stored: then it is not submitted,
    /// or ended.
    #[error(
        "the job `{app}` was not submitted, because the record that identifies it after a crash could not be stored: \
         {why}"
    )]
    Intent {
        /// The application.
        app: String,
        /// Why not.
        why: String,
    },
    /// What is not built yet.
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
    /// Whether the same job could go well when it is tried again. A task that returns an error that
    /// is not is not retried.
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

    /// What the job said last: the traceback of a Python job, the exception of a JVM, or the last
    /// lines.
    pub fn said(&self) -> Option<&str> {
        match self {
            SparkError::JobFailed { said, .. } | SparkError::DriverFailed { said, .. } => {
                said.as_ref().map(|said| said.0.as_str())
            }
            _ => None,
        }
    }
}

fn phase(of: Limit) -> &'static str {
    match of {
        Limit::Submit => "to be submitted",
        Limit::Queue => "to get resources of the cluster",
        Limit::Run => "to run",
    }
}

/// What a job said, as the cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said(String);

impl Said {
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = text.trim_end();
        (!text.is_empty()).then(|| Said(text.to_owned()))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Said {}
