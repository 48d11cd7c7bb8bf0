//! Cluster mode: submits a job once and follows it to its end. [The module](super) describes the
//! protocol.

use std::sync::Arc;
use std::time::Duration;

use super::super::Master;
use super::backend::{self, Backend, BackendError, Found, Job, JobState};
use super::driver_log::{LogEvent, LogForwarder, OutputTail};
use super::error::JobOutput;
use super::intent::{SubmissionRecord, SubmissionState};
use super::job_guard::JobGuard;
use super::place::Place;
use super::progress::Progress;
use super::properties::{RESULT, Settings};
use super::run::{Ended, result_path};
use super::spec::Spec;
use super::{Limit, SparkError, preflight};
use crate::base::Timestamp;
use crate::task::TaskContext;

/// How long unclear answers of the cluster are tolerated.
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a submission may take to reach the master after its sender has died.
const IN_FLIGHT: Duration = Duration::from_secs(10);
/// How often the log of a driver is searched for its web UI, which a disabled log never mentions.
const MAX_UI_SEARCHES: u32 = 20;
/// The default time limit for the submission.
pub(super) const SUBMIT: Duration = Duration::from_secs(120);
/// The default time limit for waiting for resources.
pub(super) const QUEUE: Duration = Duration::from_secs(3600);

pub(super) async fn run(spec: &Spec, place: Place, context: &TaskContext) -> Result<Ended, SparkError> {
    let backend = backend::open(spec, &place)?;
    let program = match &place.master {
        Master::Standalone(_) => None,
        _ => Some(place.program("spark-submit")?),
    };
    let mut settings = Settings::gather(spec, &place, program.as_ref(), context)?;
    let record = SubmissionRecord::open(spec, context)?;
    let result = result_path(spec, context, &record.record.tag)?;
    if let Some(path) = &result {
        settings.env.insert(RESULT.to_owned(), path.display().to_string());
    }
    if let SubmissionState::Succeeded { id, application } = &record.record.state {
        let (submission, application) = (Some(id.clone()), application.clone());
        return Ok(Ended { submission, application, last_line: String::new(), result });
    }
    let (tag, since) = (record.record.tag.clone(), record.record.since);
    let job = Job { spec: spec.clone(), settings, tag, since };
    if !record.found {
        let (job, place, backend) = (job.clone(), place.clone(), Arc::clone(&backend));
        blocking(move || preflight::check(&job.spec, &place).and_then(|()| backend.reach(&job))).await??;
    }
    let job_guard = JobGuard::new(Arc::clone(&backend), job.clone(), record.record.since, context.hold());
    let mut following = Following { spec, context, backend, job, record, job_guard, progress: None, ui_searches: 0 };
    let ended = following.run_to_the_end().await;
    let waits = matches!(ended, Err(SparkError::Waits(_)));
    // While the task waits, the run holds the guard of the job.
    let on_kill = (waits && !spec.detach).then(|| following.job_guard.on_kill());
    context.host().at_early_end(following.record.key(), on_kill);
    if waits && !spec.detach && context.is_cancelled() {
        // The run may have ended before the on-kill action was registered.
        let confirmed = blocking(following.job_guard.end()).await?;
        return Err(SparkError::Cancelled { app: spec.app.clone(), confirmed });
    }
    if matches!(ended, Err(SparkError::Intent { .. })) {
        // Without its record the job could not be found again.
        blocking(following.job_guard.end()).await?;
    }
    following.job_guard.release();
    ended.map(|mut ended| {
        ended.result = result;
        ended
    })
}

/// A job to follow.
struct Following<'a> {
    spec: &'a Spec,
    context: &'a TaskContext,
    backend: Arc<dyn Backend>,
    job: Job,
    record: SubmissionRecord,
    job_guard: JobGuard,
    progress: Option<Progress>,
    /// How often the log of the driver was searched for its web UI.
    ui_searches: u32,
}

impl Following<'_> {
    async fn run_to_the_end(&mut self) -> Result<Ended, SparkError> {
        let id = match self.record.record.state.clone() {
            SubmissionState::Submitted { id, .. } => id,
            _ if self.record.found => match self.find_submitted().await? {
                Some(id) => id,
                None => self.submit().await?,
            },
            _ => self.submit().await?,
        };
        self.job_guard.set_id(&id);
        let ended = self.follow(&id).await;
        if let Err(error) = &ended
            && !matches!(error, SparkError::Waits(_))
        {
            self.record.store(SubmissionState::Over).await?;
        }
        ended
    }

    /// Stores the intent, then submits the job.
    async fn submit(&mut self) -> Result<String, SparkError> {
        if self.context.is_cancelled() {
            return Err(SparkError::Cancelled { app: self.app(), confirmed: true });
        }
        self.record.store(SubmissionState::Intended { unclear: None }).await?;
        tracing::info!(target: "taskflow", "submitting `{}` with the tag {}", self.spec, self.job.tag);
        tracing::debug!(target: "taskflow", "properties: {}", self.job.settings.shown());
        let limit = self.spec.submit_timeout.unwrap_or(SUBMIT);
        let submitting = tokio::time::timeout(limit, blocking(self.job_guard.submitter())).await;
        match submitting {
            Ok(submitted) => match submitted? {
                Ok(id) => {
                    self.submitted(&id).await?;
                    Ok(id)
                }
                Err(BackendError::Permanent(error)) => {
                    self.record.store(SubmissionState::Over).await?;
                    Err(error)
                }
                Err(BackendError::Transient(why)) => {
                    tracing::warn!(target: "taskflow", "no clear response to the submission: {why}; searching the cluster for the job");
                    // The time in flight counts from now, not from the intent.
                    self.record.store(SubmissionState::Intended { unclear: Some(self.context.now()) }).await?;
                    // If the job is nowhere, the next attempt can submit it with the same tag.
                    self.find_submitted()
                        .await?
                        .ok_or_else(|| SparkError::MasterUnreachable { master: self.master(), why })
                }
            },
            Err(_) => {
                let confirmed = blocking(self.job_guard.end()).await?;
                self.record.store(SubmissionState::Over).await?;
                Err(SparkError::TimedOut { app: self.app(), of: Limit::Submit, limit, confirmed })
            }
        }
    }

    async fn submitted(&mut self, id: &str) -> Result<(), SparkError> {
        tracing::info!(target: "taskflow", "the driver of `{}` is {id}", self.spec);
        let at = self.context.now();
        self.record.store(SubmissionState::Submitted { id: id.to_owned(), at, running: None, unclear: None }).await
    }

    /// Searches for a job that may have been submitted and adopts it; returns `None` if there is
    /// none.
    async fn find_submitted(&mut self) -> Result<Option<String>, SparkError> {
        self.job_guard.set_unclear();
        loop {
            let since = self.record.record.since;
            let (backend, job) = (Arc::clone(&self.backend), self.job.clone());
            let found = blocking(move || backend.find(&job, since)).await?;
            let now = self.context.now();
            let begun = match self.record.record.state {
                SubmissionState::Intended { unclear: Some(begun) } => begun,
                _ => {
                    self.record.store(SubmissionState::Intended { unclear: Some(now) }).await?;
                    now
                }
            };
            match found {
                Found::At(id) => {
                    tracing::info!(target: "taskflow", "found the job with the tag {}; it is not submitted again", self.job.tag);
                    self.submitted(&id).await?;
                    return Ok(Some(id));
                }
                Found::Nowhere if now.since(begun) >= IN_FLIGHT => return Ok(None),
                Found::Undecided(why) if now.since(begun) >= PATIENCE => {
                    let why = format!("it is unknown whether it was submitted before: {why}");
                    let id = format!("tag {}", self.job.tag);
                    return Err(SparkError::DriverLost { app: self.app(), id, why, retryable: false });
                }
                Found::Nowhere | Found::Undecided(_) => self.pause(since).await?,
            }
        }
    }

    async fn follow(&mut self, id: &str) -> Result<Ended, SparkError> {
        self.show_links(id).await?;
        loop {
            let SubmissionState::Submitted { at, running, unclear, .. } = self.record.record.state.clone() else {
                return Err(self.lost(id, "its record is damaged".to_owned(), false));
            };
            let (backend, of) = (Arc::clone(&self.backend), id.to_owned());
            let state = match blocking(move || backend.status(&of)).await? {
                Ok(state) => state,
                Err(BackendError::Transient(why)) => JobState::Unknown(why),
                Err(BackendError::Permanent(error)) => return Err(error),
            };
            let now = self.context.now();
            let mut seen = (running, None);
            match state {
                JobState::Waiting => self.within(Limit::Queue, self.spec.queue_timeout.or(Some(QUEUE)), at).await?,
                JobState::Running => {
                    seen.0 = running.or(Some(now));
                    self.within(Limit::Run, self.spec.run_timeout, running.unwrap_or(now)).await?;
                    self.follow_progress(id).await?;
                }
                JobState::Unknown(why) => {
                    tracing::warn!(target: "taskflow", "the state of the driver {id} is unknown: {why}");
                    let since = unclear.unwrap_or(now);
                    if now.since(since) >= PATIENCE {
                        return Err(self.lost(
                            id,
                            format!("no clear response for {PATIENCE:?}; the last one: {why}"),
                            false,
                        ));
                    }
                    seen.1 = Some(since);
                }
                over => return self.ended(id, over).await,
            }
            if seen != (running, unclear) {
                let (running, unclear) = seen;
                self.record.store(SubmissionState::Submitted { id: id.to_owned(), at, running, unclear }).await?;
            }
            self.pause(at).await?;
        }
    }

    /// Adds the links of the job to the attempt: once per attempt, even if it was deferred.
    async fn show_links(&mut self, id: &str) -> Result<(), SparkError> {
        let attempt = self.context.attempt();
        if self.record.record.linked == attempt {
            return Ok(());
        }
        let (backend, of) = (Arc::clone(&self.backend), id.to_owned());
        for (name, url) in blocking(move || backend.links(&of)).await? {
            self.context.link(name, &url);
        }
        self.record.record.linked = attempt;
        self.record.store(self.record.record.state.clone()).await
    }

    /// Handles the end of the job, as reported by the cluster.
    async fn ended(&mut self, id: &str, state: JobState) -> Result<Ended, SparkError> {
        if state == JobState::Succeeded {
            self.record.store(SubmissionState::Succeeded { id: id.to_owned(), application: None }).await?;
        }
        self.job_guard.release();
        self.progress = None;
        if state == JobState::Gone {
            let why = "the cluster no longer knows it (its master was restarted, or has forgotten it)";
            return Err(self.lost(id, why.to_owned(), true));
        }
        let (out, err, application) = self.forward_logs(id).await?;
        let app = self.app();
        match state {
            JobState::Succeeded => {
                let application = application.or_else(|| self.backend.application_id(id));
                let state = SubmissionState::Succeeded { id: id.to_owned(), application: application.clone() };
                self.record.store(state).await?;
                let last_line = out.last_line().to_owned();
                Ok(Ended { submission: Some(id.to_owned()), application, last_line, result: None })
            }
            JobState::Killed => Err(SparkError::Killed { app, id: id.to_owned() }),
            JobState::Failed { state, message } => {
                let output = out.trace().or_else(|| err.trace()).or(message).unwrap_or_else(|| err.last());
                let (backend, of) = (Arc::clone(&self.backend), id.to_owned());
                let link = blocking(move || backend.links(&of)).await?.into_iter().next().map(|(_, url)| url);
                Err(SparkError::DriverFailed { app, id: id.to_owned(), state, link, output: JobOutput::of(&output) })
            }
            other => Err(self.lost(id, format!("{other:?}"), false)),
        }
    }

    /// Forwards the output of the driver to the log of the attempt.
    async fn forward_logs(&mut self, id: &str) -> Result<(OutputTail, OutputTail, Option<String>), SparkError> {
        let (backend, of) = (Arc::clone(&self.backend), id.to_owned());
        let logs = blocking(move || backend.logs(&of)).await?;
        let (mut out, mut err, mut forwarder, mut application) =
            (OutputTail::default(), OutputTail::default(), LogForwarder::default(), None);
        for line in logs.stderr.lines() {
            forwarder.forward(line);
            err.push(line);
            if let Some(LogEvent::Application(id)) = LogEvent::read(line) {
                application = Some(id);
            }
        }
        for line in logs.stdout.lines() {
            tracing::info!(target: "stdout", "{line}");
            out.push(line);
        }
        Ok((out, err, application))
    }

    /// Finds the web UI of the driver in its log and starts to poll the progress, unless the task
    /// is deferred between two polls.
    async fn follow_progress(&mut self, id: &str) -> Result<(), SparkError> {
        if self.progress.is_some() || self.context.waiting_since().is_some() || self.ui_searches == MAX_UI_SEARCHES {
            return Ok(());
        }
        self.ui_searches += 1;
        let (backend, of) = (Arc::clone(&self.backend), id.to_owned());
        let logs = blocking(move || backend.logs(&of)).await?;
        let port = logs.stderr.lines().find_map(|line| match LogEvent::read(line) {
            Some(LogEvent::Ui(port)) => Some(port),
            _ => None,
        });
        if let (Some(port), Some(host)) = (port, logs.host) {
            let ui = format!("http://{host}:{port}");
            self.context.link("driver", &ui);
            self.progress = Some(Progress::of(ui, self.spec.poll_interval, self.context.clone()));
        }
        Ok(())
    }

    /// Kills the job if it has been in a phase for too long.
    async fn within(&mut self, of: Limit, limit: Option<Duration>, since: Timestamp) -> Result<(), SparkError> {
        let Some(limit) = limit.filter(|limit| self.context.now().since(since) >= *limit) else { return Ok(()) };
        let confirmed = blocking(self.job_guard.end()).await?;
        Err(SparkError::TimedOut { app: self.app(), of, limit, confirmed })
    }

    /// Waits until the next poll: with a timer, or by deferring the task.
    async fn pause(&mut self, since: Timestamp) -> Result<(), SparkError> {
        let now = self.context.now();
        let pause = self.spec.poll_interval.unwrap_or_else(|| pause(now.since(since)));
        if self.context.waiting_since().is_some() {
            // The requests of this call took time, so the time of the call may have passed.
            return self.context.defer_until(now.max(Timestamp::now()) + pause).map_err(SparkError::Waits);
        }
        let cancelled = tokio::select! {
            () = self.context.cancelled() => true,
            () = tokio::time::sleep(pause) => self.context.is_cancelled(),
        };
        if !cancelled {
            return Ok(());
        }
        let confirmed = self.spec.detach || blocking(self.job_guard.end()).await?;
        Err(SparkError::Cancelled { app: self.app(), confirmed })
    }

    fn lost(&self, id: &str, why: String, retryable: bool) -> SparkError {
        SparkError::DriverLost { app: self.app(), id: id.to_owned(), why, retryable }
    }

    fn app(&self) -> String {
        self.spec.app.clone()
    }

    fn master(&self) -> String {
        self.job.spec.master.clone().unwrap_or_else(|| "the master of the connection".to_owned())
    }
}

/// The interval to the next poll: a twentieth of the time that has passed, between a second and 15
/// seconds.
fn pause(passed: Duration) -> Duration {
    (passed / 20).clamp(Duration::from_secs(1), Duration::from_secs(15))
}

/// Runs blocking work on a blocking thread.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, SparkError> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| SparkError::Io { program: "a request to the cluster".to_owned(), why: error.to_string() })
}
