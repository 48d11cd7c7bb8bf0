//! Submits with `spark-submit`, for clusters without a simpler interface. It does not wait for the
//! end of the job; its exit code is only the result of the submission.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job};
use super::driver_log::{LogForwarder, OutputTail};
use super::error::JobOutput;
use super::place::{Place, Program};
use super::properties::Settings;
use crate::config::secret_variables;
use crate::process::{Lifeline, Pipes, Started, follow_with, spawn};

/// The time limit for the pipes of an ended process to close.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// Submits a job and finds it on the cluster: an exit code alone proves nothing. Blocks, like
/// [`run_program`].
///
/// # Errors
///
/// [`BackendError::Permanent`] if the cluster has certainly not accepted the job,
/// [`BackendError::Transient`] if it may have.
pub(super) fn submit(
    backend: &impl Backend,
    job: &Job,
    place: &Place,
    program: &Program,
    settings: &Settings,
) -> Result<String, BackendError> {
    let submitted = match run_program(job, place, program, settings) {
        Err(BackendError::Transient(why)) => return Err(BackendError::Transient(why)),
        ended => ended,
    };
    match (backend.find(job, job.since), submitted) {
        (Found::At(id), _) => Ok(id),
        (Found::Nowhere, Err(error)) => Err(error),
        (Found::Nowhere, Ok(())) => Err(BackendError::Transient("the cluster does not list it yet".to_owned())),
        (Found::Undecided(why), _) => Err(BackendError::Transient(why)),
    }
}

/// Runs `spark-submit` to its end. Blocks; must be called on a thread of a runtime.
///
/// # Errors
///
/// [`BackendError::Permanent`] if it could not be started or failed. The cluster may have accepted
/// the job nevertheless, so the caller must search for it.
fn run_program(job: &Job, place: &Place, program: &Program, settings: &Settings) -> Result<(), BackendError> {
    let lost = |error: std::io::Error| {
        BackendError::Permanent(SparkError::Io { program: program.path.display().to_string(), why: error.to_string() })
    };
    let file = settings.write().map_err(lost)?;
    let arguments = super::client::arguments(&job.spec, place, &file);
    tracing::info!(target: "taskflow", "{} {}", program.path.display(), arguments.join(" "));
    let mut command = Command::new(&program.path);
    command.args(&arguments).stdin(Stdio::null());
    for name in secret_variables() {
        command.env_remove(name);
    }
    if let Some(home) = &program.home {
        command.env("SPARK_HOME", home);
    }
    let limit = job.spec.submit_timeout.unwrap_or(super::follow::SUBMIT);
    let ended = tokio::runtime::Handle::current().block_on(async {
        let Started { group, child: Pipes { stdout, stderr, .. } } =
            spawn(command, Lifeline::Guard(Some(file.to_path_buf())), None).await?;
        let tail = Arc::<Mutex<OutputTail>>::default();
        let collect = |tail: &Arc<Mutex<OutputTail>>| {
            let (tail, mut forwarder) = (Arc::clone(tail), LogForwarder::default());
            move |line: &str| {
                forwarder.forward(line);
                tail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        };
        let stdout = stdout.map(tokio::process::ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(tokio::process::ChildStderr::from_std).transpose()?;
        let out = stdout.map(|pipe| follow_with(pipe, collect(&tail)));
        let err = stderr.map(|pipe| follow_with(pipe, collect(&tail)));
        if tokio::time::timeout(limit, group.ended()).await.is_err() {
            // Dropping the group kills the program.
            return Ok((None, OutputTail::default()));
        }
        let status = group.finish()?;
        for following in [out, err].into_iter().flatten() {
            let mut following = following;
            following.finish(PIPE_TIMEOUT).await;
        }
        let tail = std::mem::take(&mut *tail.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((Some(status), tail))
    });
    let (status, tail) = ended.map_err(lost)?;
    let Some(status) = status else {
        return Err(BackendError::Transient(format!("`spark-submit` did not end within {limit:?}")));
    };
    if status.success() {
        return Ok(());
    }
    let how = match status.code() {
        Some(code) => format!("to be submitted: exit code {code}"),
        None => "to be submitted: `spark-submit` was killed".to_owned(),
    };
    Err(BackendError::Permanent(SparkError::JobFailed {
        app: job.spec.app.clone(),
        how,
        exit_code: status.code(),
        retryable: true,
        output: JobOutput::of(&tail.trace().unwrap_or_else(|| tail.last())),
    }))
}
