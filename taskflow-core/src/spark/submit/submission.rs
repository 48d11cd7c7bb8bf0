//! Submitting by `spark-submit`, where the cluster takes jobs in no simpler way. It is told not to
//! wait for their end, and its exit code says nothing but whether the submission went well.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::SparkError;
use super::backend::{Backend, BackendError, Found, Job};
use super::driver_log::{LogForwarder, OutputTail};
use super::error::Said;
use super::place::{Place, Program};
use super::properties::Settings;
use crate::process::{Lifeline, Pipes, Started, follow_with, spawn};

/// For what has ended to close its pipes.
const CLOSING: Duration = Duration::from_secs(5);

/// Submits a job, and looks for what the cluster has of it: an exit code is no answer. Blocks, as
/// [`hand_over`].
///
/// # Errors
///
/// [`BackendError::Permanent`] when it is certain that the cluster has not taken it,
/// [`BackendError::Transient`] when it may have.
pub(super) fn submit(
    backend: &impl Backend,
    job: &Job,
    place: &Place,
    program: &Program,
    settings: &Settings,
) -> Result<String, BackendError> {
    let handed_over = match hand_over(job, place, program, settings) {
        Err(BackendError::Transient(why)) => return Err(BackendError::Transient(why)),
        ended => ended,
    };
    match (backend.find(job, job.since), handed_over) {
        (Found::At(id), _) => Ok(id),
        (Found::Nowhere, Err(error)) => Err(error),
        (Found::Nowhere, Ok(())) => Err(BackendError::Transient("the cluster does not list it yet".to_owned())),
        (Found::Undecided(why), _) => Err(BackendError::Transient(why)),
    }
}

/// Runs it to its end. Blocks; to be called on a thread that belongs to a runtime.
///
/// # Errors
///
/// [`BackendError::Permanent`] when it could not be started or failed, which the cluster may see
/// differently: whoever calls this looks.
fn hand_over(job: &Job, place: &Place, program: &Program, settings: &Settings) -> Result<(), BackendError> {
    let lost = |error: std::io::Error| {
        BackendError::Permanent(SparkError::Io { program: program.path.display().to_string(), why: error.to_string() })
    };
    let file = settings.write().map_err(lost)?;
    let words = super::client::words(&job.spec, place, &file);
    tracing::info!(target: "taskflow", "{} {}", program.path.display(), words.join(" "));
    let mut command = Command::new(&program.path);
    command.args(&words).stdin(Stdio::null());
    if let Some(home) = &program.home {
        command.env("SPARK_HOME", home);
    }
    let limit = job.spec.submit_timeout.unwrap_or(super::follow::SUBMIT);
    let ended = tokio::runtime::Handle::current().block_on(async {
        let Started { group, child: Pipes { stdout, stderr, .. } } =
            spawn(command, Lifeline::Guard(Some(file.to_path_buf()))).await?;
        let kept = Arc::<Mutex<OutputTail>>::default();
        let told = |kept: &Arc<Mutex<OutputTail>>| {
            let (kept, mut forwarder) = (Arc::clone(kept), LogForwarder::default());
            move |line: &str| {
                forwarder.tell(line);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        };
        let stdout = stdout.map(tokio::process::ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(tokio::process::ChildStderr::from_std).transpose()?;
        let out = stdout.map(|pipe| follow_with(pipe, 0, told(&kept)));
        let err = stderr.map(|pipe| follow_with(pipe, 0, told(&kept)));
        if tokio::time::timeout(limit, group.ended()).await.is_err() {
            // Dropping the group ends it.
            return Ok((None, OutputTail::default()));
        }
        let status = group.finish()?;
        for following in [out, err].into_iter().flatten() {
            let mut following = following;
            let _ = tokio::time::timeout(CLOSING, following.finish()).await;
        }
        let kept = std::mem::take(&mut *kept.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((Some(status), kept))
    });
    let (status, kept) = ended.map_err(lost)?;
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
        said: Said::of(&kept.trace().unwrap_or_else(|| kept.last())),
    }))
}
