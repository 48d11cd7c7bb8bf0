//! Runs a job; the cheapest checks come first.

use std::path::{Path, PathBuf};

use super::super::DeployMode;
#[cfg(unix)]
use super::client;
use super::place::Place;
use super::spec::Spec;
use super::{SparkError, SparkJob, check, event_log, follow};
use crate::task::TaskContext;
use crate::value::Value;

/// A job that has succeeded.
#[derive(Debug, Default)]
pub(super) struct Ended {
    pub(super) submission: Option<String>,
    pub(super) application: Option<String>,
    pub(super) last_line: String,
    /// The file with its result.
    pub(super) result: Option<PathBuf>,
}

pub(super) async fn run<R: Value>(spec: &Spec, context: &TaskContext) -> Result<SparkJob<R>, SparkError> {
    let job = work(spec, context).await;
    if let Err(error) = &job
        && !matches!(error, SparkError::Waits(_))
        && !error.is_retryable()
    {
        let _ = context.fail(error);
    }
    job
}

async fn work<R: Value>(spec: &Spec, context: &TaskContext) -> Result<SparkJob<R>, SparkError> {
    check::check(spec)?;
    let place = Place::of(spec, |name| context.connection(name))?;
    let history = place.history.clone();
    let ended = match place.mode {
        DeployMode::Client => in_client_mode(spec, place, context).await?,
        DeployMode::Cluster => follow::run(spec, place, context).await?,
    };
    if let (Some(history), Some(application)) = (history, &ended.application) {
        context.link("history", &format!("{}/history/{application}/", history.trim_end_matches('/')));
    }
    let summary = match (&spec.event_log, &ended.application) {
        (Some(folder), Some(application)) => event_log::summary(folder, application).await,
        _ => None,
    };
    Ok(SparkJob {
        result: result(spec, ended.result.as_deref())?,
        submission_id: ended.submission,
        application_id: ended.application,
        last_line: ended.last_line,
        summary,
    })
}

#[cfg(unix)]
async fn in_client_mode(spec: &Spec, place: Place, context: &TaskContext) -> Result<Ended, SparkError> {
    client::run(spec, place, context).await
}

/// Client mode needs process groups.
#[cfg(not(unix))]
async fn in_client_mode(spec: &Spec, place: Place, _: &TaskContext) -> Result<Ended, SparkError> {
    let (app, master, mode) = (spec.app.clone(), place.master.to_string(), place.mode.name());
    Err(SparkError::Unsupported { app, master, mode })
}

/// The file for the result of the job with this tag, if it returns one.
pub(super) fn result_path(spec: &Spec, context: &TaskContext, tag: &str) -> Result<Option<PathBuf>, SparkError> {
    if !spec.result {
        return Ok(None);
    }
    let wrong = |path: &Path, error: std::io::Error| SparkError::Config {
        app: spec.app.clone(),
        why: format!("its result cannot be stored at {}: {error}", path.display()),
    };
    let folder = match &spec.result_dir {
        Some(folder) => folder.clone(),
        None => context.artifact_dir().map_err(|error| wrong(Path::new("of the run"), error))?,
    };
    let folder = std::path::absolute(&folder).unwrap_or(folder);
    std::fs::create_dir_all(&folder).map_err(|error| wrong(&folder, error))?;
    Ok(Some(folder.join(format!("{tag}.json"))))
}

/// Reads the result. A job without a result returns `()`.
fn result<R: Value>(spec: &Spec, path: Option<&Path>) -> Result<R, SparkError> {
    let shown = path.map_or_else(|| "nowhere".to_owned(), |path| path.display().to_string());
    let wrong = |why: String| SparkError::NoResult { app: spec.app.clone(), path: shown.clone(), why };
    let text = match path {
        Some(path) => std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?,
        None => "null".to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| wrong(format!("it is not a {}: {error}", std::any::type_name::<R>())))
}
