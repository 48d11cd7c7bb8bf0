//! Client mode: the driver is a child of this process.
//!
//! 1. The properties are in a file, which is removed as soon as the application has started or
//!    ended.
//! 2. stderr is Spark's log, and stdout is the output of the job. Both are forwarded to the log of
//!    the attempt; the end of both is kept for the message of a failure.
//! 3. What the log reveals of the application is collected as [`Observed`]: its id, its web UI,
//!    whether it has resources. That determines the phase of the job; each phase has its own time
//!    limit. Where Spark's log is disabled there are no phases, only the end of the job.
//! 4. The exit code is the result of the job. A script for `spark-shell` must also have run to its
//!    end.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempPath;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};

use super::super::Master;
use super::driver_log::{LogEvent, LogForwarder, OutputTail, Record};
use super::error::JobOutput;
use super::follow::{QUEUE, SUBMIT};
use super::place::{Place, Program};
use super::progress::Progress;
use super::properties::{RESULT, Settings};
use super::run::{Ended, result_path};
use super::spec::{AppKind, Spec};
use super::{Limit, SparkError, intent, preflight, script};
use crate::base::SignalName;
use crate::config::secret_variables;
use crate::process::{Following, Group, Lifeline, Pipes, Started, follow_with, spawn};
use crate::task::TaskContext;

/// The default time between SIGTERM and SIGKILL, in which Spark cleans up.
const TERMINATE_TIMEOUT: Duration = Duration::from_secs(30);
/// The time limit for the pipes of an ended process to close.
const PIPE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the log has revealed of an application.
#[derive(Clone, Debug, Default)]
struct Observed {
    application: Option<String>,
    /// The port of the driver's web UI.
    ui: Option<u16>,
    /// Whether Spark writes a log at all.
    has_log: bool,
    /// Since when it waits for resources.
    waiting: Option<Instant>,
    /// Since when it has had resources.
    running: Option<Instant>,
}

pub(super) async fn run(spec: &Spec, place: Place, context: &TaskContext) -> Result<Ended, SparkError> {
    let program = place.program(spec.app_kind().map_or("spark-submit", AppKind::program))?;
    let (checked_spec, checked_place) = (spec.clone(), place.clone());
    let checked = tokio::task::spawn_blocking(move || preflight::check(&checked_spec, &checked_place)).await;
    checked.unwrap_or_else(|error| Err(lost(&program, &error)))?;

    let mut settings = Settings::gather(spec, &place, Some(&program), context)?;
    let result = result_path(spec, context, &intent::tag(context, 0, context.attempt()))?;
    if let Some(path) = &result {
        // An earlier attempt may have left it.
        let _ = std::fs::remove_file(path);
        settings.env.insert(RESULT.to_owned(), path.display().to_string());
    }
    let file = settings.write().map_err(|error| lost(&program, &error))?;
    let script = script::of(spec).map_err(|error| lost(&program, &error))?;
    let arguments = arguments(spec, &place, &file);
    tracing::info!(target: "taskflow", "{} {}", program.path.display(), arguments.join(" "));
    tracing::debug!(target: "taskflow", "properties: {}", settings.shown());

    let mut command = Command::new(&program.path);
    command.args(&arguments);
    for name in secret_variables() {
        command.env_remove(name);
    }
    command.envs(&settings.env);
    command.stdin(if script.is_some() { Stdio::piped() } else { Stdio::null() });
    if let Some(home) = &program.home {
        command.env("SPARK_HOME", home);
    }
    if let Some(directory) = &spec.cwd {
        command.current_dir(directory);
    }
    let hold = context.hold().ok_or_else(|| lost(&program, &io::Error::other("the attempt is over")))?;
    let lifeline = Lifeline::Guard(Some(file.to_path_buf()));
    let Started { group, child } =
        spawn(command, lifeline, Some(hold)).await.map_err(|error| lost(&program, &error))?;
    let mut job = Running::new(spec, group, child, file, script.as_ref().map(|script| script.steps.clone()))
        .map_err(|error| lost(&program, &error))?;
    let ending = job.watch(&place, context).await.map_err(|error| lost(&program, &error))?;
    job.finish(ending, result).await.map_err(|error| match error {
        FinishError::Lost(error) => lost(&program, &error),
        FinishError::Failed(error) => error,
    })
}

/// The arguments of the program. Properties and secrets are in the file.
pub(super) fn arguments(spec: &Spec, place: &Place, file: &TempPath) -> Vec<String> {
    let mut arguments = vec!["--master".to_owned(), place.master.to_string()];
    arguments.extend(["--deploy-mode".to_owned(), place.mode.name().to_owned()]);
    arguments.extend(["--properties-file".to_owned(), file.display().to_string()]);
    if let Some(class) = &spec.class {
        arguments.extend(["--class".to_owned(), class.clone()]);
    }
    if let Some(user) = &spec.proxy_user {
        arguments.extend(["--proxy-user".to_owned(), user.clone()]);
    }
    if spec.verbose {
        arguments.push("--verbose".to_owned());
    }
    match spec.app_kind() {
        Some(AppKind::Scala) => {}
        Some(AppKind::Sql) => arguments.extend(["-f".to_owned(), spec.app.clone()]),
        Some(AppKind::Python | AppKind::Jar) | None => {
            arguments.push(spec.app.clone());
            arguments.extend(spec.args.iter().map(|arg| arg.known().to_owned()));
        }
    }
    arguments
}

/// Why a job is no longer followed.
enum Ending {
    Ended,
    Cancelled,
    OutOfTime(Limit, Duration),
}

enum FinishError {
    Lost(io::Error),
    Failed(SparkError),
}

/// A running job.
struct Running<'a> {
    spec: &'a Spec,
    group: Group,
    stdout: Option<Following>,
    stderr: Option<Following>,
    out: Arc<Mutex<OutputTail>>,
    err: Arc<Mutex<OutputTail>>,
    observed: watch::Receiver<Observed>,
    /// The properties; removed when Spark has read them.
    file: Option<TempPath>,
    stdin: Option<(tokio::process::ChildStdin, String)>,
}

impl<'a> Running<'a> {
    fn new(spec: &'a Spec, group: Group, child: Pipes, file: TempPath, steps: Option<String>) -> io::Result<Self> {
        let (out, err) = (Arc::<Mutex<OutputTail>>::default(), Arc::<Mutex<OutputTail>>::default());
        let (sender, observed) = watch::channel(Observed::default());
        let Pipes { stdin, stdout, stderr } = child;
        let stdout = stdout.map(tokio::process::ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(tokio::process::ChildStderr::from_std).transpose()?;
        let stdin = stdin.map(tokio::process::ChildStdin::from_std).transpose()?;
        let tail = Arc::clone(&out);
        let stdout = stdout.map(|pipe| {
            follow_with(pipe, move |line| {
                if line.trim_end().ends_with(script::END) {
                    tail.lock().unwrap_or_else(PoisonError::into_inner).mark_complete();
                    return;
                }
                tracing::info!(target: "stdout", "{line}");
                tail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            })
        });
        let tail = Arc::clone(&err);
        let mut forwarder = LogForwarder::default();
        let stderr = stderr.map(|pipe| {
            follow_with(pipe, move |line| {
                forwarder.forward(line);
                tail.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                observe(&sender, line);
            })
        });
        let stdin = stdin.zip(steps);
        Ok(Running { spec, group, stdout, stderr, out, err, observed, file: Some(file), stdin })
    }

    /// Follows the job until it has ended or must be terminated; then terminates it.
    async fn watch(&mut self, place: &Place, context: &TaskContext) -> io::Result<Ending> {
        let started = Instant::now();
        let feed = self.stdin.take();
        let feed = async move {
            if let Some((mut stdin, text)) = feed {
                // A shell that has ended early does not read everything.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
        };
        let feed = tokio::spawn(feed);
        let (mut progress, mut is_closed) = (None, false);
        let ending = loop {
            let observed = self.observed.borrow_and_update().clone();
            if observed.application.is_some() || observed.running.is_some() {
                self.file = None;
            }
            if let (Some(port), None) = (observed.ui, &progress) {
                let host = std::env::var("SPARK_LOCAL_IP").unwrap_or_else(|_| "127.0.0.1".to_owned());
                let ui = format!("http://{host}:{port}");
                context.link("driver", &ui);
                progress = Some(Progress::of(ui, self.spec.poll_interval, context.clone()));
            }
            let limit = self.limit(place, started, &observed);
            let out_of_time = async {
                match limit {
                    Some((_, _, at)) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = self.group.ended() => { ended?; break Ending::Ended }
                () = context.cancelled() => break Ending::Cancelled,
                () = out_of_time => if let Some((of, limit, _)) = limit { break Ending::OutOfTime(of, limit) },
                // Once stderr is closed, only the end of the process is left to wait for.
                changed = self.observed.changed(), if !is_closed => is_closed = changed.is_err(),
            }
        };
        feed.abort();
        if !matches!(ending, Ending::Ended) {
            self.group.terminate();
            let _ = timeout(self.spec.kill_timeout.unwrap_or(TERMINATE_TIMEOUT), self.group.ended()).await;
        }
        Ok(ending)
    }

    /// The time limit of the current phase, and when it expires.
    fn limit(&self, place: &Place, started: Instant, observed: &Observed) -> Option<(Limit, Duration, Instant)> {
        let Spec { submit_timeout, queue_timeout, run_timeout, .. } = self.spec;
        if let Some(since) = observed.waiting {
            let limit = queue_timeout.unwrap_or(QUEUE);
            return Some((Limit::Queue, limit, since + limit));
        }
        let is_submitted = observed.application.is_some() || observed.running.is_some();
        if !is_submitted && observed.has_log && !matches!(place.master, Master::Local(_)) {
            let limit = submit_timeout.unwrap_or(SUBMIT);
            return Some((Limit::Submit, limit, started + limit));
        }
        run_timeout.map(|limit| (Limit::Run, limit, observed.running.unwrap_or(started) + limit))
    }

    async fn finish(mut self, ending: Ending, result: Option<std::path::PathBuf>) -> Result<Ended, FinishError> {
        let status = self.group.finish().map_err(FinishError::Lost)?;
        for following in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
            following.finish(PIPE_TIMEOUT).await;
        }
        let app = self.spec.app.clone();
        match ending {
            Ending::Cancelled => return Err(FinishError::Failed(SparkError::Cancelled { app, confirmed: true })),
            Ending::OutOfTime(of, limit) => {
                return Err(FinishError::Failed(SparkError::TimedOut { app, of, limit, confirmed: true }));
            }
            Ending::Ended => {}
        }
        let out = std::mem::take(&mut *self.out.lock().unwrap_or_else(PoisonError::into_inner));
        let err = std::mem::take(&mut *self.err.lock().unwrap_or_else(PoisonError::into_inner));
        let early = self.spec.app_kind() == Some(AppKind::Scala) && status.success() && !out.is_complete();
        if !status.success() || early {
            return Err(FinishError::Failed(failed(self.spec, status, &out, &err)));
        }
        let application = self.observed.borrow().application.clone();
        Ok(Ended { submission: None, application, last_line: out.last_line().to_owned(), result })
    }
}

/// Collects what a line of the log reveals of the application.
fn observe(sender: &watch::Sender<Observed>, line: &str) {
    let is_record = Record::read(line).is_some();
    let event = LogEvent::read(line);
    sender.send_if_modified(|observed| {
        let changed = is_record && !observed.has_log;
        observed.has_log |= is_record;
        match event {
            Some(LogEvent::Application(id)) if observed.application.is_none() => observed.application = Some(id),
            Some(LogEvent::Ui(port)) if observed.ui.is_none() => observed.ui = Some(port),
            Some(LogEvent::NoResources) if observed.waiting.is_none() => observed.waiting = Some(Instant::now()),
            Some(LogEvent::Running) if observed.running.is_none() || observed.waiting.is_some() => {
                observed.running.get_or_insert_with(Instant::now);
                observed.waiting = None;
            }
            _ => return changed,
        }
        true
    });
}

fn failed(spec: &Spec, status: ExitStatus, out: &OutputTail, err: &OutputTail) -> SparkError {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => "before it had run to its end".to_owned(),
        (Some(code), _) => format!("with exit code {code}"),
        (None, signal) => format!("by {}", SignalName(signal.unwrap_or_default())),
    };
    let shell = spec.app_kind() == Some(AppKind::Scala);
    let output = out.trace().or_else(|| err.trace()).unwrap_or_else(|| if shell { out.last() } else { err.last() });
    // 101 means that the main class is missing, which a retry does not change.
    let no_class = status.code() == Some(101);
    let retryable = !no_class && status.code().is_none_or(|code| !spec.no_retry_on.contains(&code));
    SparkError::JobFailed {
        app: spec.app.clone(),
        how,
        exit_code: status.code(),
        retryable,
        output: JobOutput::of(&output),
    }
}

fn lost(program: &Program, error: &impl ToString) -> SparkError {
    SparkError::Io { program: program.path.display().to_string(), why: error.to_string() }
}
