//! Drives `fixtures/crash_worker.rs`: starts it, kills it, and checks what it has left behind.

pub mod story;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use sqlx::Connection;
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, JournalError};
use tempfile::TempDir;

use crate::binaries;
use crate::common::PATIENCE;

/// A graph with large values, whose journal waits for the disk.
pub const LARGE: u64 = 4;

/// [SplitMix64](https://prng.di.unimi.it/splitmix64.c), as in the worker.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

/// A place where workers of one seed run, one after the other.
pub struct Place {
    dir: Option<TempDir>,
    pub seed: u64,
    /// How to repeat the test that uses it.
    repeat: String,
}

/// How a worker ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// What it printed at its end.
    #[track_caller]
    pub fn told(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Nobody has seen taskflow panic, or the program.
    #[track_caller]
    pub fn has_not_panicked(&self) -> &Self {
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }
}

impl Place {
    pub fn new(seed: u64, repeat: &str) -> Self {
        let dir = tempfile::tempdir().expect("there is room for temporary files");
        Place { dir: Some(dir), seed, repeat: repeat.to_owned() }
    }

    fn root(&self) -> &Path {
        self.dir.as_ref().expect("it is there until this is dropped").path()
    }

    pub fn home(&self) -> PathBuf {
        self.root().join("home")
    }

    /// A worker that is about to start.
    pub fn worker(&self, failpoints: &str) -> Command {
        let mut command = binaries::program("crash_worker");
        command.arg("--home").arg(self.home()).arg("--effects").arg(self.root().join("effects"));
        command.args(["--seed", &self.seed.to_string()]).env("TASKFLOW_FAILPOINTS", failpoints);
        command
    }

    /// A worker that runs undisturbed, except for a failpoint.
    pub fn run(&self, failpoints: &str) -> Ended {
        self.call(self.worker(failpoints))
    }

    pub fn call(&self, mut command: Command) -> Ended {
        wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the worker starts"), None)
    }

    /// A worker that is killed after this time, unless it has ended before.
    pub fn run_for(&self, time: Duration) -> Ended {
        let mut command = self.worker("");
        wait(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the worker starts"), Some(time))
    }

    /// The lines of the file of effects.
    pub fn effects(&self) -> Vec<Effect> {
        let text = fs::read_to_string(self.root().join("effects")).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "a line is not whole");
        text.lines().map(Effect::read).collect()
    }

    /// The history, read from a copy so that the place itself is not modified. `None` if no run is
    /// stored.
    pub fn look(&self) -> Option<Look> {
        let copy = tempfile::tempdir().expect("there is room for temporary files");
        copy_files(&self.home(), copy.path());
        if !copy.path().join("taskflow.db").exists() {
            return None;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        runtime.block_on(async {
            let findings = integrity(&copy.path().join("taskflow.db")).await;
            assert_eq!(findings, ["ok"], "the database is damaged");
            Look::at(copy.path()).await
        })
    }
}

/// Keeps the files of a failed test, and prints how to reproduce it.
impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(dir) = self.dir.take()
        {
            let repeat = self.repeat.replace("{seed}", &self.seed.to_string());
            eprintln!("seed {}; what is left is in {}; to repeat: {repeat}", self.seed, dir.keep().display());
        }
    }
}

/// Waits for the end, or kills it when its time is over. One that hangs fails the test.
fn wait(mut child: Child, time: Option<Duration>) -> Ended {
    let start = Instant::now();
    if let Some(time) = time {
        std::thread::sleep(time);
        // It may have ended.
        let _ = child.kill();
    }
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reader = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        std::thread::spawn(move || {
            let mut text = String::new();
            if let Some(mut pipe) = pipe {
                pipe.read_to_string(&mut text).expect("it writes UTF-8");
            }
            text
        })
    };
    let stdout = reader(out.map(|pipe| Box::new(pipe) as _));
    let stderr = reader(err.map(|pipe| Box::new(pipe) as _));
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is our child") {
            break status;
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the worker hangs: {}", stderr.join().expect("it reads"));
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    Ended { status, stdout: stdout.join().expect("it reads"), stderr: stderr.join().expect("it reads") }
}

fn copy_files(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries {
        let entry = entry.expect("nobody else is here");
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            fs::create_dir(&to).expect("the copy is new");
            copy_files(&from, &to);
        } else {
            fs::copy(&from, &to).expect("it can be copied");
        }
    }
}

/// The result of SQLite's own check of the file.
pub async fn integrity(path: &Path) -> Vec<String> {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("it can be opened");
    let rows = sqlx::query_scalar("PRAGMA integrity_check").fetch_all(&mut connection).await;
    connection.close().await.expect("it can be closed");
    rows.expect("it can be asked")
}

/// A line of the file of effects.
#[derive(Clone, Debug)]
pub struct Effect {
    pub is_start: bool,
    pub task: String,
    pub attempt: Option<u32>,
    pub key: Option<String>,
    /// The values that the attempt has seen: the tasks that made them, and their numbers.
    pub inputs: Vec<(String, u64)>,
}

impl Effect {
    fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let known = |at: usize| words.get(at).copied().filter(|word| *word != "-");
        let is_start = words[0] == "start";
        let inputs = known(4).into_iter().flat_map(|inputs| inputs.split(','));
        let input = |input: &str| {
            let (task, number) = input.split_once(':').expect("the worker writes it so");
            (task.to_owned(), number.parse().expect("a number"))
        };
        Effect {
            is_start,
            task: words[1].to_owned(),
            attempt: known(2).map(|attempt| attempt.parse().expect("a number")),
            key: known(3).filter(|_| is_start).map(str::to_owned),
            inputs: inputs.map(input).collect(),
        }
    }
}

/// Whether it is an internal task of taskflow, which has no effects and passes on the value of
/// another one.
pub fn is_of_taskflow(task: &str) -> bool {
    task.contains(".each")
}

/// The history of the run.
#[derive(Debug)]
pub struct Look {
    pub run_id: String,
    pub state: RunState,
    /// The processes that had the run.
    pub workers: Vec<String>,
    pub tasks: BTreeMap<String, TaskLook>,
}

#[derive(Clone, Debug)]
pub struct TaskLook {
    pub state: TaskState,
    pub attempts: Vec<AttemptLook>,
    pub value: Option<u64>,
    /// Why it did not succeed, and the upstream that is named for it.
    pub reason: (Option<String>, Option<String>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptLook {
    pub number: u32,
    pub session: usize,
    /// `success`, the kind of its failure, or `running`.
    pub end: String,
    pub lost_by: Option<String>,
}

impl Look {
    async fn at(home: &Path) -> Option<Look> {
        let journal = Journal::open(home).await.expect("the store can be opened");
        let history = match journal.history("last").await {
            Err(JournalError::NoRuns) => return None,
            history => history.expect("the history can be read"),
        };
        let mut tasks = BTreeMap::new();
        for task in &history.tasks {
            let value = journal.value(&history, &task.id).await.expect("a stored value can be read");
            // The list of an expand node may be stored with it.
            let value = value.filter(|_| !is_of_taskflow(&task.id));
            assert_eq!(value.is_some(), task.state == TaskState::Success && !is_of_taskflow(&task.id), "{task:?}");
            let number = |value: taskflow::journal::StoredValue| value.json().expect("it is whole")["number"].as_u64();
            let value = value.map(|value| number(value).expect("a number"));
            let attempts = task.attempts.iter().map(|attempt| AttemptLook {
                number: attempt.number,
                session: attempt.session,
                end: match (&attempt.failure, attempt.state) {
                    (Some(failure), _) => failure.kind().to_owned(),
                    (None, state) => state.to_string(),
                },
                lost_by: match attempt.failure.as_deref() {
                    Some(taskflow::Failure::Lost { worker }) => Some(worker.clone()),
                    _ => None,
                },
            });
            let (state, attempts) = (task.state, attempts.collect());
            let reason = (task.failure.as_ref().map(ToString::to_string), task.cause.clone());
            tasks.insert(task.id.to_string(), TaskLook { state, attempts, value, reason });
        }
        let workers = history.sessions.iter().map(|session| session.worker.clone()).collect();
        Some(Look { run_id: history.info.run_id.clone(), state: history.state, workers, tasks })
    }

    /// What must be the same however often the run was interrupted: the state of the run, and of
    /// every task its state, its value, and how those attempts ended that were not lost.
    pub fn outcome(&self) -> String {
        let mut text = format!("{}\n", self.state);
        for (id, task) in &self.tasks {
            let ends = task.attempts.iter().filter(|attempt| attempt.end != "lost");
            let ends: Vec<&str> = ends.map(|attempt| &*attempt.end).collect();
            text += &format!("{id}: {} {:?} {}\n", task.state, task.value, ends.join(" "));
        }
        text
    }
}
