//! The Python process that runs the Spark application.

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
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader, BufWriter};
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
/// The time limit for the start of an application. Spark itself gives up on a master after about a
/// minute.
const START_TIMEOUT: Duration = Duration::from_secs(600);
/// The time limit for its end.
const END_TIMEOUT: Duration = Duration::from_secs(10);
/// The most bytes written at once: the capacity of a pipe.
const AT_ONCE: usize = 64 << 10;
/// How many of its last lines are kept for error messages.
const LAST: usize = 8;

/// A running driver. Dropping it kills its process group.
pub(super) struct Driver {
    group: Group,
    stdin: ChildStdin,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    last: Arc<Mutex<VecDeque<String>>>,
    _directory: TempDir,
}

/// An event reported by the driver.
#[derive(Debug)]
pub(super) enum Event {
    /// Answers to some attempts of a job.
    Answers { job: u64, blocks: Vec<Block> },
    /// A job has ended, with this number of answers.
    Done { job: u64, answers: usize },
    /// A job failed before everything was answered.
    Failed { job: u64, reason: String },
    /// The application has started.
    Ready { application: String, ui: Option<String> },
    /// The application cannot be started.
    Unready(Failure),
}

/// The head of a block: the first attempt, the number of attempts, the lengths of the answers and
/// of the output, and how the worker ended, if it did.
type Head = (usize, usize, usize, usize, Option<i32>);

/// A line from the driver.
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

/// What must exist before a driver starts.
struct Prepared {
    directory: TempDir,
    script: PathBuf,
    python: Python,
    binary: PathBuf,
}

fn failure(what: impl Into<String>, why: &dyn ToString, retryable: bool) -> Failure {
    Failure::Error { chain: vec![what.into(), why.to_string()], retryable }
}

impl Prepared {
    fn new(of: &Executors) -> Result<Prepared, Failure> {
        let made =
            |error: io::Error| failure("the working directory of the Spark driver cannot be created", &error, true);
        let python = Python::find(of)?;
        let directory = tempfile::Builder::new().prefix("taskflow-spark-").tempdir().map_err(made)?;
        let script = directory.path().join("taskflow_driver.py");
        std::fs::write(&script, SCRIPT).map_err(made)?;
        let binary = binary::place(of, directory.path())?;
        Ok(Prepared { directory, script, python, binary })
    }
}

impl Driver {
    /// Starts a driver and waits for its application.
    ///
    /// # Errors
    ///
    /// If something is missing, or the cluster does not respond or denies access.
    pub(super) async fn start(
        of: &'static Executors,
        run: &RunInfo,
        config: Option<&Config>,
    ) -> Result<Driver, Failure> {
        let target = of.target(config)?;
        let master = target.master.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            reach(&master)
                .map_err(|error| Failure::Error { chain: vec![error.to_string()], retryable: error.is_retryable() })?;
            Prepared::new(of)
        });
        let prepared =
            prepared.await.map_err(|error| failure("the Spark driver cannot be prepared", &error, true))??;
        let started = |error: io::Error| failure("the Spark driver cannot be started", &error, true);

        let mut command = Command::new(&prepared.python.program);
        command.arg("-u").arg(&prepared.script).current_dir(prepared.directory.path()).stdin(Stdio::piped());
        command.envs(prepared.python.environment.iter().map(|(name, value)| (name, value)));
        if std::env::var_os("SPARK_LOCAL_DIRS").is_none() {
            // The temporary files of a killed Spark are removed with the directory.
            command.env("SPARK_LOCAL_DIRS", prepared.directory.path().join("local"));
        }
        let lifeline = Lifeline::Guard(Some(prepared.directory.path().to_owned()));
        let Started { group, child } = spawn(command, lifeline, None).await.map_err(started)?;
        let Pipes { stdin: Some(stdin), stdout: Some(stdout), stderr: Some(stderr) } = child else {
            return Err(failure("the Spark driver cannot be started", &"it has no pipes", true));
        };
        let stdin = ChildStdin::from_std(stdin).map_err(started)?;
        let (sender, events) = mpsc::unbounded_channel();
        let last = Arc::default();
        tokio::spawn(listen(ChildStdout::from_std(stdout).map_err(started)?, sender));
        tokio::spawn(follow(ChildStderr::from_std(stderr).map_err(started)?, Arc::clone(&last)));
        let mut driver = Driver { group, stdin, events, last, _directory: prepared.directory };

        driver.send(&first_line(&prepared.binary, run, &target), &[]).await;
        match timeout(START_TIMEOUT, driver.events.recv()).await {
            Ok(Some(Event::Ready { application, ui })) => {
                let ui = ui.map(|ui| format!("; its web UI is {ui}")).unwrap_or_default();
                tracing::info!(target: "taskflow::spark", "the Spark application {application} has started{ui}");
                Ok(driver)
            }
            Ok(Some(Event::Unready(failure))) => Err(driver.with_stderr(failure)),
            Ok(_) => Err(driver.with_stderr(Failure::Error {
                chain: vec!["the Spark driver ended during its start".to_owned()],
                retryable: true,
            })),
            Err(_) => Err(driver.with_stderr(failure(
                "the Spark driver has not started",
                &format!("the time limit is {} minutes", START_TIMEOUT.as_secs() / 60),
                true,
            ))),
        }
    }

    /// Starts a job with these requests.
    pub(super) async fn submit(&mut self, job: u64, requests: &[Vec<u8>], partitions: Option<u32>) {
        let lengths: Vec<usize> = requests.iter().map(Vec::len).collect();
        self.send(&json!({ "job": job, "lengths": lengths, "partitions": partitions }), requests).await;
    }

    /// Cancels a job.
    pub(super) async fn cancel(&mut self, job: u64) {
        self.send(&json!({ "cancel": job }), &[]).await;
    }

    async fn send(&mut self, line: &serde_json::Value, parts: &[Vec<u8>]) {
        let mut head = line.to_string().into_bytes();
        head.push(b'\n');
        // A driver that does not read has ended, which `listen` detects.
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

    /// Lets it end, and kills it if that takes too long.
    pub(super) async fn end(self) {
        let Driver { mut group, stdin, .. } = self;
        drop(stdin);
        if timeout(END_TIMEOUT, group.ended()).await.is_err() {
            group.terminate();
            let _ = timeout(END_TIMEOUT, group.ended()).await;
        }
        let _ = group.finish();
    }

    /// The failure of attempts whose driver has ended.
    pub(super) fn lost(&self) -> Failure {
        self.with_stderr(Failure::Error { chain: vec!["the Spark driver was lost".to_owned()], retryable: true })
    }

    /// Adds the end of its stderr, which often contains the cause.
    fn with_stderr(&self, mut failure: Failure) -> Failure {
        if let Failure::Error { chain, .. } = &mut failure {
            chain.extend(self.last.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
        }
        failure
    }
}

/// The first line sent to the driver.
fn first_line(binary: &std::path::Path, run: &RunInfo, target: &Target) -> serde_json::Value {
    // The user's settings come later and take precedence.
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

/// The file with the variables and connections of this process.
fn config_file() -> Option<PathBuf> {
    let config = Config::global().ok()?;
    let of_file = |origin: Origin| match origin {
        Origin::File { path, .. } => path,
        Origin::Code | Origin::Environment { .. } => None,
    };
    let path = config.entries().into_iter().find_map(|entry| of_file(entry.origin?))?;
    std::path::absolute(path).ok()
}

/// Reads the events of the driver until it ends.
async fn listen(stdout: ChildStdout, to: mpsc::UnboundedSender<Event>) {
    let mut stdout = BufReader::new(stdout);
    let mut line = Vec::new();
    loop {
        line.clear();
        match stdout.read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let Ok(parsed) = serde_json::from_slice::<Line>(&line) else {
            tracing::warn!(target: "taskflow::spark", "unexpected output of the Spark driver: {:?}", String::from_utf8_lossy(&line));
            return;
        };
        let event = match parsed {
            Line { ready: Some(application), ui, .. } => Event::Ready { application, ui },
            Line { missing: Some(text), .. } => Event::Unready(failure(
                "the Spark driver needs `pyspark`, which its Python does not have",
                &format!("{text}; install it with `{INSTALL}`, or set PYSPARK_PYTHON to a Python that has it"),
                false,
            )),
            Line { unready: Some(text), .. } => {
                Event::Unready(failure("the Spark application cannot be started", &text, true))
            }
            Line { blocks: Some(heads), job, .. } => {
                let mut blocks = Vec::with_capacity(heads.len());
                for (first, _, frames, printed, code) in heads {
                    let Some(frames) = exactly(&mut stdout, frames).await else { return };
                    let Some(printed) = exactly(&mut stdout, printed).await else { return };
                    blocks.push(Block { first, frames, printed, code });
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

/// Reads so many bytes; `None` if fewer follow. The buffer grows with the data received: the length
/// is not trusted.
async fn exactly(from: &mut (impl AsyncRead + Unpin), length: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await.ok()?;
    (bytes.len() == length).then_some(bytes)
}

/// Forwards the output of the driver and Spark to the log of this program.
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

/// For fuzzing: reads a line of the driver.
pub(super) fn read_any(bytes: &[u8]) {
    let _ = serde_json::from_slice::<Line>(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A head that announces more bytes than there is memory.
    #[tokio::test]
    async fn a_length_that_is_too_large_is_not_believed() {
        assert_eq!(exactly(&mut &b"abc"[..], usize::MAX).await, None);
        let mut two = &b"abc"[..];
        assert_eq!(exactly(&mut two, 2).await.as_deref(), Some(&b"ab"[..]));
        assert_eq!(exactly(&mut two, 1).await.as_deref(), Some(&b"c"[..]));
    }
}
