//! Client mode: the driver is a child of this process.
//!
//! 1. The properties are in a file, which is removed as soon as the application is known, or has
//!    ended.
//! 2. stderr is Spark's log, and stdout what the job writes. Both go to the log of the attempt; of
//!    both enough is kept to say why the job failed.
//! 3. What Spark says of the application becomes a [`Sight`]: its id, its pages, whether it has
//!    resources. That moves the job from one phase to the next, each with a limit of its own. A
//!    site whose log is silent has no phases: then only its end counts.
//! 4. The exit code is what became of the job; of a script for `spark-shell` also that it came to
//!    its end.

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
use super::error::Said;
use super::follow::{QUEUE, SUBMIT};
use super::place::{Place, Program};
use super::progress::Progress;
use super::properties::{RESULT, Settings};
use super::run::{Ended, result_path};
use super::spec::{Sort, Spec};
use super::{Limit, SparkError, intent, preflight, script};
use crate::base::SignalName;
use crate::process::{Following, Group, Lifeline, Pipes, Started, follow_with, spawn};
use crate::task::TaskContext;

/// Between SIGTERM and SIGKILL, where nothing else is said: Spark cleans up in between.
const LEAVING: Duration = Duration::from_secs(30);
/// For what has ended to close its pipes.
const CLOSING: Duration = Duration::from_secs(5);

/// What has been seen of an application.
#[derive(Clone, Debug, Default)]
struct Sight {
    application: Option<String>,
    pages: Option<u16>,
    /// Whether its log is one that tells of such things.
    talks: bool,
    /// Since when it has no resources.
    starves: Option<Instant>,
    works: Option<Instant>,
}

pub(super) async fn run(spec: &Spec, place: Place, context: &TaskContext) -> Result<Ended, SparkError> {
    let program = place.program(spec.sort().map_or("spark-submit", Sort::program))?;
    let (looked, there) = (spec.clone(), place.clone());
    let looked = tokio::task::spawn_blocking(move || preflight::look(&looked, &there)).await;
    looked.unwrap_or_else(|error| Err(lost(&program, &error)))?;

    let mut settings = Settings::gather(spec, &place, Some(&program), context)?;
    let result = result_path(spec, context, &intent::tag(context, 0, context.attempt()))?;
    if let Some(path) = &result {
        // What an attempt before has left.
        let _ = std::fs::remove_file(path);
        settings.env.insert(RESULT.to_owned(), path.display().to_string());
    }
    let file = settings.write().map_err(|error| lost(&program, &error))?;
    let script = script::of(spec).map_err(|error| lost(&program, &error))?;
    let words = words(spec, &place, &file);
    tracing::info!(target: "taskflow", "{} {}", program.path.display(), words.join(" "));
    tracing::debug!(target: "taskflow", "properties: {}", settings.shown());

    let mut command = Command::new(&program.path);
    command.args(&words).envs(&settings.env);
    command.stdin(if script.is_some() { Stdio::piped() } else { Stdio::null() });
    if let Some(home) = &program.home {
        command.env("SPARK_HOME", home);
    }
    if let Some(directory) = &spec.cwd {
        command.current_dir(directory);
    }
    let Started { group, child } =
        spawn(command, Lifeline::Guard(Some(file.to_path_buf()))).await.map_err(|error| lost(&program, &error))?;
    let mut job = Running::new(spec, group, child, file, script.as_ref().map(|script| script.steps.clone()))
        .map_err(|error| lost(&program, &error))?;
    let ending = job.watch(&place, context).await.map_err(|error| lost(&program, &error))?;
    job.judge(ending, result).await.map_err(|error| match error {
        Judged::Lost(error) => lost(&program, &error),
        Judged::Failed(error) => error,
    })
}

/// The arguments of the program. Properties and secrets are in the file.
pub(super) fn words(spec: &Spec, place: &Place, file: &TempPath) -> Vec<String> {
    let mut words = vec!["--master".to_owned(), place.master.to_string()];
    words.extend(["--deploy-mode".to_owned(), place.mode.name().to_owned()]);
    words.extend(["--properties-file".to_owned(), file.display().to_string()]);
    if let Some(class) = &spec.class {
        words.extend(["--class".to_owned(), class.clone()]);
    }
    if let Some(user) = &spec.proxy_user {
        words.extend(["--proxy-user".to_owned(), user.clone()]);
    }
    if spec.verbose {
        words.push("--verbose".to_owned());
    }
    match spec.sort() {
        Some(Sort::Scala) => {}
        Some(Sort::Sql) => words.extend(["-f".to_owned(), spec.app.clone()]),
        Some(Sort::Python | Sort::Jar) | None => {
            words.push(spec.app.clone());
            words.extend(spec.args.iter().map(|arg| arg.known().to_owned()));
        }
    }
    words
}

/// How the watching ended.
enum Ending {
    Ended,
    Cancelled,
    OutOfTime(Limit, Duration),
}

enum Judged {
    Lost(io::Error),
    Failed(SparkError),
}

/// A job that runs.
struct Running<'a> {
    spec: &'a Spec,
    group: Group,
    stdout: Option<Following>,
    stderr: Option<Following>,
    out: Arc<Mutex<OutputTail>>,
    err: Arc<Mutex<OutputTail>>,
    sight: watch::Receiver<Sight>,
    /// Gone when Spark has read it.
    file: Option<TempPath>,
    stdin: Option<(tokio::process::ChildStdin, String)>,
}

impl<'a> Running<'a> {
    fn new(spec: &'a Spec, group: Group, child: Pipes, file: TempPath, steps: Option<String>) -> io::Result<Self> {
        let (out, err) = (Arc::<Mutex<OutputTail>>::default(), Arc::<Mutex<OutputTail>>::default());
        let (sender, sight) = watch::channel(Sight::default());
        let Pipes { stdin, stdout, stderr } = child;
        let stdout = stdout.map(tokio::process::ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(tokio::process::ChildStderr::from_std).transpose()?;
        let stdin = stdin.map(tokio::process::ChildStdin::from_std).transpose()?;
        let kept = Arc::clone(&out);
        let stdout = stdout.map(|pipe| {
            follow_with(pipe, 0, move |line| {
                if line.trim_end().ends_with(script::END) {
                    kept.lock().unwrap_or_else(PoisonError::into_inner).came_to_its_end();
                    return;
                }
                tracing::info!(target: "stdout", "{line}");
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            })
        });
        let kept = Arc::clone(&err);
        let mut forwarder = LogForwarder::default();
        let stderr = stderr.map(|pipe| {
            follow_with(pipe, 0, move |line| {
                forwarder.tell(line);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
                look(&sender, line);
            })
        });
        let stdin = stdin.zip(steps);
        Ok(Running { spec, group, stdout, stderr, out, err, sight, file: Some(file), stdin })
    }

    /// Follows it until it has ended or is to end.
    async fn watch(&mut self, place: &Place, context: &TaskContext) -> io::Result<Ending> {
        let started = Instant::now();
        let feed = self.stdin.take();
        let feed = async move {
            if let Some((mut stdin, text)) = feed {
                // What it does not want to read is no failure.
                let _ = stdin.write_all(text.as_bytes()).await;
            }
        };
        let feed = tokio::spawn(feed);
        let (mut progress, mut silent) = (None, false);
        let ending = loop {
            let seen = self.sight.borrow_and_update().clone();
            if seen.application.is_some() || seen.works.is_some() {
                self.file = None;
            }
            if let (Some(port), None) = (seen.pages, &progress) {
                let host = std::env::var("SPARK_LOCAL_IP").unwrap_or_else(|_| "127.0.0.1".to_owned());
                let pages = format!("http://{host}:{port}");
                context.link("driver", &pages);
                progress = Some(Progress::of(pages, self.spec.poll_interval, context.clone()));
            }
            let limit = self.limit(place, started, &seen);
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
                // When its stderr is closed nothing more is seen, and its end is waited for.
                changed = self.sight.changed(), if !silent => silent = changed.is_err(),
            }
        };
        feed.abort();
        if !matches!(ending, Ending::Ended) {
            self.group.terminate();
            let _ = timeout(self.spec.kill_timeout.unwrap_or(LEAVING), self.group.ended()).await;
        }
        Ok(ending)
    }

    /// The limit of the phase that it is in, and when that is over.
    fn limit(&self, place: &Place, started: Instant, seen: &Sight) -> Option<(Limit, Duration, Instant)> {
        let Spec { submit_timeout, queue_timeout, run_timeout, .. } = self.spec;
        if let Some(since) = seen.starves {
            let limit = queue_timeout.unwrap_or(QUEUE);
            return Some((Limit::Queue, limit, since + limit));
        }
        let known = seen.application.is_some() || seen.works.is_some();
        if !known && seen.talks && !matches!(place.master, Master::Local(_)) {
            let limit = submit_timeout.unwrap_or(SUBMIT);
            return Some((Limit::Submit, limit, started + limit));
        }
        run_timeout.map(|limit| (Limit::Run, limit, seen.works.unwrap_or(started) + limit))
    }

    async fn judge(mut self, ending: Ending, result: Option<std::path::PathBuf>) -> Result<Ended, Judged> {
        let status = self.group.finish().map_err(Judged::Lost)?;
        let both = async {
            for following in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
                following.finish().await;
            }
        };
        let _ = timeout(CLOSING, both).await;
        let app = self.spec.app.clone();
        match ending {
            Ending::Cancelled => return Err(Judged::Failed(SparkError::Cancelled { app, confirmed: true })),
            Ending::OutOfTime(of, limit) => {
                return Err(Judged::Failed(SparkError::TimedOut { app, of, limit, confirmed: true }));
            }
            Ending::Ended => {}
        }
        let out = std::mem::take(&mut *self.out.lock().unwrap_or_else(PoisonError::into_inner));
        let err = std::mem::take(&mut *self.err.lock().unwrap_or_else(PoisonError::into_inner));
        let early = self.spec.sort() == Some(Sort::Scala) && status.success() && !out.is_at_its_end();
        if !status.success() || early {
            return Err(Judged::Failed(failed(self.spec, status, &out, &err)));
        }
        let application = self.sight.borrow().application.clone();
        Ok(Ended { submission: None, application, last_line: out.last_line().to_owned(), result })
    }
}

/// Takes up what a line tells of the application.
fn look(sender: &watch::Sender<Sight>, line: &str) {
    let is_record = Record::read(line).is_some();
    let sign = LogEvent::read(line);
    sender.send_if_modified(|sight| {
        let changed = is_record && !sight.talks;
        sight.talks |= is_record;
        match sign {
            Some(LogEvent::Application(id)) if sight.application.is_none() => sight.application = Some(id),
            Some(LogEvent::Pages(port)) if sight.pages.is_none() => sight.pages = Some(port),
            Some(LogEvent::Starves) if sight.starves.is_none() => sight.starves = Some(Instant::now()),
            Some(LogEvent::Works) if sight.works.is_none() || sight.starves.is_some() => {
                sight.works.get_or_insert_with(Instant::now);
                sight.starves = None;
            }
            _ => return changed,
        }
        true
    });
}

fn failed(spec: &Spec, status: ExitStatus, out: &OutputTail, err: &OutputTail) -> SparkError {
    let how = match (status.code(), status.signal()) {
        (Some(0), _) => "because its script stopped early".to_owned(),
        (Some(code), _) => format!("with exit code {code}"),
        (None, signal) => format!("by {}", SignalName(signal.unwrap_or_default())),
    };
    let shell = spec.sort() == Some(Sort::Scala);
    let said = out.trace().or_else(|| err.trace()).unwrap_or_else(|| if shell { out.last() } else { err.last() });
    // A class that is not in the jar will not be there for a retry, either.
    let no_class = status.code() == Some(101);
    let retryable = !no_class && status.code().is_none_or(|code| !spec.no_retry_on.contains(&code));
    SparkError::JobFailed { app: spec.app.clone(), how, exit_code: status.code(), retryable, said: Said::of(&said) }
}

fn lost(program: &Program, error: &impl ToString) -> SparkError {
    SparkError::Io { program: program.path.display().to_string(), why: error.to_string() }
}
