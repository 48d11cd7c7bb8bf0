//! The Python process that holds the Spark application.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::super::reach::reach;
use super::answer::Block;
use super::binary;
use super::place::{Executors, Target};
use super::python::{INSTALL, Python};
use crate::base::Failure;
use crate::config::{Config, Origin};
use crate::process::{Group, Lifeline, Pipes, Started, WORKER, spawn};
use crate::run::RunInfo;

const SCRIPT: &str = include_str!("driver.py");
/// How long an application may take to be there. Spark itself gives up on a master after about a minute.
const COMING_UP: Duration = Duration::from_secs(600);
/// How long it may take to leave.
const LEAVING: Duration = Duration::from_secs(10);
/// How many bytes go to it in one piece: what a pipe holds.
const AT_ONCE: usize = 64 << 10;
/// How many of its last lines are kept for messages.
const LAST: usize = 8;

/// A driver that is up. Dropping it ends its process and everything that has started.
pub(super) struct Driver {
    group: Group,
    stdin: ChildStdin,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    last: Arc<Mutex<VecDeque<String>>>,
    _directory: TempDir,
}

/// What it says.
#[derive(Debug)]
pub(super) enum Event {
    /// Of some attempts of a job.
    Answers { job: u64, blocks: Vec<Block> },
    /// A job is over, with as many answers.
    Done { job: u64, answers: usize },
    /// A job is over before everything was answered.
    Failed { job: u64, reason: String },
    /// The application is there.
    Ready { application: String, ui: Option<String> },
    /// There will be none.
    Unready(Failure),
}

/// Of a block: the first attempt and their count, the lengths of what was said and printed, and how the worker ended if it did.
type Head = (usize, usize, usize, usize, Option<i32>);

/// A line of the driver.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    ready: Option<String>,
    ui: Option<String>,
    missing: Option<String>,
    unready: Option<String>,
    job: u64,
    blocks: Option<Vec<Head>>,
    done: Option<usize>,
    failed: Option<String>,
}

/// What is ready before anything is started.
struct Ground {
    directory: TempDir,
    script: PathBuf,
    python: Python,
    binary: PathBuf,
}

fn failure(what: impl Into<String>, why: &dyn ToString, retryable: bool) -> Failure {
    Failure::Error { chain: vec![what.into(), why.to_string()], retryable }
}

impl Ground {
    fn prepare(of: &Executors) -> Result<Ground, Failure> {
        let made = |error: io::Error| failure("the Spark driver has no directory to work in", &error, true);
        let python = Python::find(of)?;
        let directory = tempfile::Builder::new().prefix("taskflow-spark-").tempdir().map_err(made)?;
        let script = directory.path().join("taskflow_driver.py");
        std::fs::write(&script, SCRIPT).map_err(made)?;
        let binary = binary::place(of, directory.path())?;
        Ok(Ground { directory, script, python, binary })
    }
}

impl Driver {
    /// Starts one and waits until its application is there.
    ///
    /// # Errors
    ///
    /// When something is missing, the cluster does not answer or will not have us.
    pub(super) async fn start(
        of: &'static Executors,
        run: &RunInfo,
        config: Option<&Config>,
    ) -> Result<Driver, Failure> {
        let target = of.target(config)?;
        let master = target.master.clone();
        let ground = tokio::task::spawn_blocking(move || {
            reach(&master)
                .map_err(|error| Failure::Error { chain: vec![error.to_string()], retryable: error.is_retryable() })?;
            Ground::prepare(of)
        });
        let ground = ground.await.map_err(|error| failure("the Spark driver cannot be prepared", &error, true))??;
        let started = |error: io::Error| failure("the Spark driver cannot be started", &error, true);

        let mut command = Command::new(&ground.python.program);
        command.arg("-u").arg(&ground.script).current_dir(ground.directory.path()).stdin(Stdio::piped());
        command.envs(ground.python.environment.iter().map(|(name, value)| (name, value)));
        if std::env::var_os("SPARK_LOCAL_DIRS").is_none() {
            // What Spark leaves when it is killed goes with the directory.
            command.env("SPARK_LOCAL_DIRS", ground.directory.path().join("local"));
        }
        let lifeline = Lifeline::Guard(Some(ground.directory.path().to_owned()));
        let Started { group, child } = spawn(command, lifeline).await.map_err(started)?;
        let Pipes { stdin: Some(stdin), stdout: Some(stdout), stderr: Some(stderr) } = child else {
            return Err(failure("the Spark driver cannot be started", &"it has no pipes", true));
        };
        let stdin = ChildStdin::from_std(stdin).map_err(started)?;
        let (sender, events) = mpsc::unbounded_channel();
        let last = Arc::default();
        tokio::spawn(listen(ChildStdout::from_std(stdout).map_err(started)?, sender));
        tokio::spawn(follow(ChildStderr::from_std(stderr).map_err(started)?, Arc::clone(&last)));
        let mut driver = Driver { group, stdin, events, last, _directory: ground.directory };

        driver.send(&first_line(&ground.binary, run, &target), &[]).await;
        match timeout(COMING_UP, driver.events.recv()).await {
            Ok(Some(Event::Ready { application, ui })) => {
                let ui = ui.map(|ui| format!(", shown at {ui}")).unwrap_or_default();
                tracing::info!(target: "taskflow::spark", "the Spark application {application} is there{ui}");
                Ok(driver)
            }
            Ok(Some(Event::Unready(failure))) => Err(driver.with_last_words(failure)),
            Ok(_) => Err(driver.with_last_words(Failure::Error {
                chain: vec!["the Spark driver ended before it was up".to_owned()],
                retryable: true,
            })),
            Err(_) => Err(driver.with_last_words(failure(
                "the Spark driver does not come up",
                &format!("it was waited for {} minutes", COMING_UP.as_secs() / 60),
                true,
            ))),
        }
    }

    /// Starts a job of these requests to a worker.
    pub(super) async fn submit(&mut self, job: u64, requests: &[Vec<u8>], partitions: Option<u32>) {
        let lengths: Vec<usize> = requests.iter().map(Vec::len).collect();
        self.send(&json!({ "job": job, "lengths": lengths, "partitions": partitions }), requests).await;
    }

    /// Ends a job early.
    pub(super) async fn cancel(&mut self, job: u64) {
        self.send(&json!({ "cancel": job }), &[]).await;
    }

    async fn send(&mut self, line: &serde_json::Value, parts: &[Vec<u8>]) {
        let mut head = line.to_string().into_bytes();
        head.push(b'\n');
        // One that does not listen any more has ended, which is seen by what it says.
        let mut to = BufWriter::with_capacity(AT_ONCE, &mut self.stdin);
        let sent = async {
            to.write_all(&head).await?;
            for part in parts {
                to.write_all(part).await?;
            }
            to.flush().await
        };
        let _: io::Result<()> = sent.await;
    }

    /// Lets it end, or ends it when it takes too long.
    pub(super) async fn end(self) {
        let Driver { mut group, stdin, .. } = self;
        drop(stdin);
        if timeout(LEAVING, group.ended()).await.is_err() {
            group.terminate();
            let _ = timeout(LEAVING, group.ended()).await;
        }
        let _ = group.finish();
    }

    /// The failure of attempts whose driver has ended.
    pub(super) fn lost(&self) -> Failure {
        self.with_last_words(Failure::Error { chain: vec!["the Spark driver was lost".to_owned()], retryable: true })
    }

    /// With the end of its stderr, which often knows more.
    fn with_last_words(&self, mut failure: Failure) -> Failure {
        if let Failure::Error { chain, .. } = &mut failure {
            chain.extend(self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        failure
    }
}

/// What the driver is told first.
fn first_line(binary: &std::path::Path, run: &RunInfo, target: &Target) -> serde_json::Value {
    // What the user says comes after, and wins.
    let mut conf = vec![
        ("spark.master".to_owned(), target.master.to_string()),
        ("spark.ui.port".to_owned(), "0".to_owned()),
        ("spark.ui.showConsoleProgress".to_owned(), "false".to_owned()),
    ];
    conf.extend(target.conf.iter().cloned());
    let file = config_file();
    let name = file.as_ref().and_then(|file| file.file_name()).map(OsStr::to_string_lossy);
    let environment: serde_json::Map<_, _> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| {
            ["TASKFLOW_VAR_", "TASKFLOW_CONN_", "TASKFLOW_SECRET_"].iter().any(|prefix| name.starts_with(prefix))
                || name == "RUST_BACKTRACE"
        })
        .map(|(name, value)| (name, value.into()))
        .collect();
    json!({
        "name": format!("taskflow {} {}", run.dag_id, run.run_id),
        "conf": conf,
        "files": std::iter::once(binary).chain(file.as_deref()).collect::<Vec<_>>(),
        "binary": binary::NAME,
        "config": name,
        "env": environment,
        "word": WORKER,
    })
}

/// The file that variables and connections of this process come from.
fn config_file() -> Option<PathBuf> {
    let config = Config::global().ok()?;
    let of_file = |origin: Origin| match origin {
        Origin::File { path, .. } => path,
        Origin::Code | Origin::Environment { .. } => None,
    };
    let path = config.entries().into_iter().find_map(|entry| of_file(entry.origin?))?;
    std::path::absolute(path).ok()
}

/// Takes in what the driver says, until it ends.
async fn listen(stdout: ChildStdout, to: mpsc::UnboundedSender<Event>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdout.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Ok(said) = serde_json::from_slice::<Line>(&line) else {
            tracing::warn!(target: "taskflow::spark", "the Spark driver said {:?}", String::from_utf8_lossy(&line));
            return;
        };
        let event = match said {
            Line { ready: Some(application), ui, .. } => Event::Ready { application, ui },
            Line { missing: Some(text), .. } => Event::Unready(failure(
                "the Spark driver needs `pyspark`, and its Python has none",
                &format!("{text}; install it with `{INSTALL}`, or name the Python that has it in PYSPARK_PYTHON"),
                false,
            )),
            Line { unready: Some(text), .. } => {
                Event::Unready(failure("the Spark application cannot be started", &text, true))
            }
            Line { blocks: Some(heads), job, .. } => {
                let mut blocks = Vec::with_capacity(heads.len());
                for (first, _, said, printed, code) in heads {
                    let mut block = Block { first, said: vec![0; said], printed: vec![0; printed], code };
                    for part in [&mut block.said, &mut block.printed] {
                        if stdout.read_exact(part).await.is_err() {
                            return;
                        }
                    }
                    blocks.push(block);
                }
                Event::Answers { job, blocks }
            }
            Line { done: Some(answers), job, .. } => Event::Done { job, answers },
            Line { failed: Some(reason), job, .. } => Event::Failed { job, reason },
            _ => continue,
        };
        if to.send(event).is_err() {
            return;
        }
    }
}

/// What the driver and Spark log, to the log of this program.
async fn follow(stderr: ChildStderr, last: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        tracing::debug!(target: "taskflow::spark", "{line}");
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST {
            last.pop_front();
        }
        last.push_back(line.to_owned());
    }
}
