//! Tasks on executors of a real Spark: the same results as on threads, whatever is lost on the way.
//!
//! They need the `pyspark` package and Java; [`Spark::find`] explains how to install them.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, MutexGuard};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use taskflow::prelude::*;
use taskflow::spark::Executors;
use taskflow::tasks::Executor;
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::eventually;
use taskflow_tests::processes::is_alive;
use taskflow_tests::spark::cluster::{Cluster, children_of, kill};
use taskflow_tests::spark::installed::{Spark, java};
use tempfile::TempDir;

/// A place of its own for the runs of a test, and for what its tasks write.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = Home(tempfile::tempdir().expect("temporary directories can be made"));
        std::fs::create_dir(home.marks()).expect("directories can be made");
        home
    }

    fn marks(&self) -> PathBuf {
        self.0.path().join("marks")
    }

    /// The fixture, which finds Spark by the variables that Spark itself knows.
    fn program(&self, spark: &Spark, words: &[&str]) -> Command {
        let mut program = program("spark_tasks");
        program.env("TASKFLOW_HOME", self.0.path().join("home")).env("PYSPARK_PYTHON", &spark.python);
        program
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("JAVA_TOOL_OPTIONS", java(self.0.path()))
            .env_remove("SPARK_HOME")
            .env_remove("TASKFLOW_SPARK")
            .args(words);
        program
    }

    /// What tasks have written down: the number of the element, its attempt, its process.
    fn marked(&self) -> Vec<(u64, u32, u32)> {
        let entries = std::fs::read_dir(self.marks()).expect("it was made").filter_map(Result::ok);
        let parse = |name: String| {
            let mut parts = name.split('.').map(str::to_owned);
            let mut next = || parts.next();
            Some((next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?))
        };
        entries.filter_map(|entry| parse(entry.file_name().into_string().ok()?)).collect()
    }
}

/// The cluster, for one test at a time: an application takes all of its cores.
fn alone(_: &Arc<Cluster>) -> MutexGuard<'_, ()> {
    Cluster::turn()
}

/// A run on the cluster, with further settings of Spark.
fn on(cluster: &Cluster, home: &Home, settings: &str, words: &[&str]) -> Command {
    let mut program = home.program(&cluster.spark, words);
    let conf = format!("spark.executor.memory=512m;spark.driver.memory=512m;spark.ui.enabled=false;{settings}");
    program.env("SPARK_TEST_MASTER", &cluster.master).env("SPARK_TEST_CONF", conf);
    program.args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    program
}

#[track_caller]
fn end(child: Child) -> Value {
    let printed = ProgramOutput::from(child.wait_with_output().expect("it ends"));
    assert_eq!(printed.code, Some(0), "{printed:?}");
    printed.json()
}

/// How many attempts each element of a task had.
fn attempts(document: &Value, task: &str) -> Vec<usize> {
    let tasks = document["tasks"].as_array().expect("a report has tasks");
    let of = |node: &&Value| node["id"].as_str().is_some_and(|id| id.starts_with(&format!("{task}[")));
    tasks.iter().filter(of).map(|node| node["attempts"].as_array().map_or(0, Vec::len)).collect()
}

#[test]
fn results_on_a_cluster_are_those_of_local_threads() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let there = end(on(&cluster, &home, "", &["run", "together", "--count", "40"]).spawn().expect("it starts"));
    let mut here = on(&cluster, &home, "", &["run", "together", "--count", "40"]);
    let here = end(here.env("TASKFLOW_SPARK", "off").spawn().expect("it starts"));
    assert_eq!(there["result"], here["result"]);
    assert_eq!(attempts(&there, "end"), attempts(&here, "end"));
    assert_eq!(there["result"][0][3], json!([14, 0.075]));
    let ends = there["result"][1].as_array().expect("it is a list");
    assert_eq!(ends.len(), 40);
    assert_eq!((&ends[1], &ends[5]), (&json!("error: 1 is not to be had"), &json!("5 in attempt 2 of 2")));
}

#[test]
fn a_crashed_worker_fails_one_attempt_after_the_retries_of_spark() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let mut run = on(&cluster, &home, "spark.task.maxFailures=2", &["run", "perishes", "--count", "20"]);
    let document = end(run.spawn().expect("it starts"));
    let mut expected: Vec<String> = (0..20).map(|number: u64| number.to_string()).collect();
    expected[13] = "crashed: its process called `exit` with code 3 before the task had ended \
                    [\"about to exit\"]"
        .to_owned();
    expected[15] = "crashed: its process called `exit` with code 0 before the task had ended []".to_owned();
    expected[17] = "crashed: its process aborted (SIGABRT) []".to_owned();
    assert_eq!(document["result"], json!(expected));
}

#[test]
fn losing_an_executor_neither_loses_nor_duplicates_results() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let marks = home.marks();
    let words =
        ["run", "dawdles", "--count", "16", "--millis", "1500", "--directory", marks.to_str().expect("it is text")];
    let run = on(&cluster, &home, "", &words).env("SPARK_TEST_PARTITIONS", "4").spawn().expect("it starts");
    eventually("some elements run", || home.marked().len() >= 3);
    kill(*cluster.executors().first().expect("there are executors"));
    let document = end(run);
    assert_eq!(document["result"], json!((0..16).collect::<Vec<u64>>()));
    // Spark has tried again what was lost, and the task has not.
    assert_eq!(attempts(&document, "dawdle"), [1; 16]);
    assert!(home.marked().len() > 16, "{:?}", home.marked());
}

#[test]
fn a_speculative_copy_duplicates_nothing() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let marks = home.marks();
    let settings = "spark.speculation=true;spark.speculation.interval=100ms;spark.speculation.quantile=0.5;\
                    spark.speculation.minTaskRuntime=100ms";
    let words = ["run", "straggles", "--count", "8", "--directory", marks.to_str().expect("it is text")];
    let mut run = on(&cluster, &home, settings, &words);
    let document = end(run.env("SPARK_TEST_PARTITIONS", "8").spawn().expect("it starts"));
    assert_eq!(document["result"], json!((0..8).collect::<Vec<u64>>()));
    assert_eq!(attempts(&document, "straggle"), [1; 8]);
    assert!(marks.join("copy").exists(), "there was no second copy");
}

#[test]
fn losing_the_driver_fails_the_attempt_and_the_next_starts_a_new_one() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let marks = home.marks();
    let words =
        ["run", "dawdles", "--count", "8", "--millis", "500", "--directory", marks.to_str().expect("it is text")];
    let run = on(&cluster, &home, "", &words).env("SPARK_TEST_PARTITIONS", "8").spawn().expect("it starts");
    eventually("some elements run", || home.marked().len() >= 3);
    let of = run.id();
    let drivers = || children_of(of).into_iter().filter(|(_, line)| line.contains("taskflow_driver.py"));
    let (driver, _) = drivers().next().expect("there is a driver");
    let machines: Vec<Pid> =
        children_of(driver.as_raw_nonzero().get().cast_unsigned()).into_iter().map(|it| it.0).collect();
    kill(driver);
    let document = end(run);
    assert_eq!(document["result"], json!((0..8).collect::<Vec<u64>>()));
    let tasks = document["tasks"].as_array().expect("a report has tasks");
    let failures: BTreeSet<&str> = tasks
        .iter()
        .filter_map(|task| task["attempts"].as_array())
        .flatten()
        .filter_map(|attempt| attempt["failure"]["message"].as_str())
        .collect();
    assert_eq!(failures, BTreeSet::from(["the Spark driver was lost"]));
    eventually("what the driver has started ends", || !machines.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn cancelling_stops_the_job_and_its_workers() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let marks = home.marks();
    let words =
        ["run", "dawdles", "--count", "4", "--millis", "600000", "--directory", marks.to_str().expect("it is text")];
    let run = on(&cluster, &home, "", &words).spawn().expect("it starts");
    eventually("the elements run", || home.marked().len() >= 2);
    let workers: Vec<Pid> = home.marked().iter().filter_map(|mark| Pid::from_raw(mark.2.cast_signed())).collect();
    kill_process(Pid::from_child(&run), Signal::TERM).expect("it is there");
    let printed = ProgramOutput::from(run.wait_with_output().expect("it ends"));
    assert_ne!(printed.code, Some(0), "{printed:?}");
    eventually("the workers end", || !workers.iter().any(|pid| is_alive(*pid)));
    eventually("the executors end", || cluster.executors().is_empty());
}

#[test]
fn a_killed_program_leaves_no_process_and_no_file() {
    let (cluster, home) = (Cluster::shared(), Home::new());
    let _alone = alone(&cluster);
    let (marks, temporary) = (home.marks(), home.0.path().join("temporary"));
    std::fs::create_dir(&temporary).expect("directories can be made");
    let files = || {
        let entries = std::fs::read_dir(&temporary).expect("it was made").filter_map(Result::ok);
        entries.map(|entry| entry.file_name()).collect::<Vec<_>>()
    };
    let words =
        ["run", "dawdles", "--count", "4", "--millis", "600000", "--directory", marks.to_str().expect("it is text")];
    let mut run = on(&cluster, &home, "", &words).env("TMPDIR", &temporary).spawn().expect("it starts");
    eventually("the elements run", || home.marked().len() >= 2);
    assert_ne!(files(), Vec::<std::ffi::OsString>::new());
    let workers: Vec<Pid> = home.marked().iter().filter_map(|mark| Pid::from_raw(mark.2.cast_signed())).collect();
    kill(Pid::from_child(&run));
    run.wait().expect("it ends");
    eventually("the workers end", || !workers.iter().any(|pid| is_alive(*pid)));
    eventually("the executors end", || cluster.executors().is_empty());
    eventually("its files are gone", || files().is_empty());
}

#[test]
fn another_build_can_be_shipped_and_an_invalid_one_is_reported() {
    let (spark, home) = (Spark::find(), Home::new());
    let copy = home.0.path().join("copy");
    std::fs::copy(program("spark_tasks").get_program(), &copy).expect("files can be copied");
    let shipped = |binary: &str| {
        let mut program = home.program(&spark, &["run", "together", "--count", "1"]);
        program.env("SPARK_TEST_MASTER", "local[1]").env("SPARK_TEST_BINARY", binary).env("SPARK_TEST_PARTITIONS", "1");
        program
    };
    // A worker that has answered has answered, however it ends.
    let wrapper = home.0.path().join("wrapper");
    std::fs::write(&wrapper, format!("#!/bin/sh\n{} \"$@\"\nexit 7\n", copy.display())).expect("files can be written");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
    for good in [&copy, &wrapper] {
        let mut run = shipped(good.to_str().expect("it is text"));
        run.args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let document = end(run.spawn().expect("it starts"));
        assert_eq!(document["result"][1], json!(["0 in attempt 1 of 2"]), "{}", good.display());
    }

    let (message, causes) = failure(shipped("/bin/true"));
    assert_eq!(message, "the Spark job of the attempt failed");
    assert_eq!(causes[0], "the worker did not start (0)");
    assert!(causes[1].contains("A build for musl runs on any Linux: `Executors::binary`"), "{causes:?}");
    let (message, causes) = failure(shipped("/nowhere/program"));
    assert!(message.contains("/nowhere/program"), "{message} {causes:?}");
}

#[test]
fn an_attempt_on_an_executor_has_its_context_and_its_log() {
    let (spark, home) = (Spark::find(), Home::new());
    let file = home.0.path().join("some.toml");
    std::fs::write(&file, "[variables]\nlate_after = 15\n").expect("files can be written");
    let configured = |words: &[&str]| {
        let mut program = home.program(&spark, words);
        program.env("TASKFLOW_CONFIG", &file).env("TASKFLOW_VAR_REGION", "asia");
        program.env("TASKFLOW_CONN_SPARK_DEFAULT", r#"{"conn_type": "spark", "host": "local[2]"}"#);
        program
    };
    let document = configured(&["run", "described", "--output", "json"]);
    let document = end({ document }.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts"));
    let expected =
        ["elsewhere true", "described describe 1 of 1", "region asia", "late after 15", "note from upstream", "size 7"];
    assert_eq!(document["result"], json!(expected));
    let logs = configured(&["logs", "last", "describe"]).output().expect("it starts");
    let logs = String::from_utf8_lossy(&logs.stdout).into_owned();
    assert!(logs.contains("read password=*** rows=3"), "{logs}");
    assert!(logs.contains("to stdout") && logs.contains("https://example.com/rows"), "{logs}");
}

/// The failure of the first element, and its causes.
fn failure(mut program: Command) -> (String, Vec<String>) {
    let printed = ProgramOutput::from(program.args(["--output", "json"]).output().expect("it starts"));
    assert_eq!(printed.code, Some(1), "{printed:?}");
    let document = printed.json();
    let tasks = document["tasks"].as_array().expect("a report has tasks");
    let failed = tasks.iter().find(|task| task["id"] == "row[0]").expect("there is an element");
    let failure = &failed["attempts"][0]["failure"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&failure["message"]), failure["causes"].as_array().into_iter().flatten().map(text).collect())
}

#[test]
fn a_missing_package_is_named_with_the_command_that_installs_it() {
    let home = Home::new();
    let spark = Spark { home: PathBuf::new(), python: "/nowhere/python".into() };
    let words = ["run", "together", "--count", "1"];
    let (message, causes) = failure(home.program(&spark, &words));
    assert_eq!(message, "the Spark driver needs Python, but `/nowhere/python` was not found");
    assert!(causes[0].contains("pip install pyspark"), "{causes:?}");

    // A Python without packages.
    let bare = home.0.path().join("bare-python");
    std::fs::write(&bare, "#!/bin/sh\nexec python3 -I -S \"$@\"\n").expect("files can be written");
    Command::new("chmod").arg("+x").arg(&bare).status().expect("there is chmod");
    let (message, causes) = failure(home.program(&Spark { home: PathBuf::new(), python: bare }, &words));
    assert_eq!(message, "the Spark driver needs `pyspark`, which its Python does not have");
    assert!(causes[0].contains("pip install pyspark"), "{causes:?}");

    let mut nobody = home.program(&Spark { home: PathBuf::new(), python: "python3".into() }, &words);
    nobody.env("SPARK_TEST_MASTER", "spark://127.0.0.1:1");
    let (message, _) = failure(nobody);
    let expected = "no master responds at spark://127.0.0.1:1: 127.0.0.1:1: Connection refused (os error 111); check that it is \
                    running and reachable from this machine";
    assert_eq!(message, expected);
}

/// A worker, and what it answers.
fn worker(requests: &[u8], close: bool) -> (Option<i32>, Vec<u8>, String) {
    let mut worker = program("spark_tasks");
    worker.arg("--taskflow-worker").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut worker = worker.spawn().expect("a built program starts");
    let mut stdin = worker.stdin.take().expect("it is a pipe");
    stdin.write_all(requests).expect("it reads");
    let held = (!close).then_some(stdin);
    let mut answers = Vec::new();
    worker.stdout.take().expect("it is a pipe").read_to_end(&mut answers).expect("it ends");
    drop(held);
    let output = worker.wait_with_output().expect("it ends");
    (output.status.code(), answers, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn a_worker_announces_itself_and_stops_on_request() {
    let greeting = u64::MAX.to_le_bytes();
    let none = [greeting, 0_u64.to_le_bytes()].concat();
    assert_eq!(worker(&0_u64.to_le_bytes(), false), (Some(0), none, String::new()));
    // Nobody waits for it any more.
    let (code, answers, _) = worker(&[], true);
    assert_ne!(code, Some(0));
    assert!(answers.is_empty() || answers == greeting, "{answers:?}");
    let nonsense = [&5_u64.to_le_bytes()[..], b"12345"].concat();
    let (code, answers, printed) = worker(&nonsense, false);
    assert_eq!((code, &*answers), (Some(1), &greeting[..]));
    assert!(printed.starts_with("error: the worker failed: "), "{printed}");
}

#[task]
fn parts() -> Vec<u32> {
    vec![1, 2, 3]
}

#[task]
fn double(part: u32) -> u32 {
    2 * part
}

#[task(isolation = "process")]
fn apart(part: u32) -> u32 {
    part
}

#[task(executor = "spark")]
fn there(part: u32) -> u32 {
    part + 1
}

#[sensor(poke_interval = "1s")]
fn landed(part: u32) -> Option<u32> {
    (part > 0).then_some(part)
}

#[test]
fn the_executor_is_part_of_the_graph() {
    let drawn = |spark: Option<Executors>| {
        Dag::draw("drawn", |_| {
            let doubled = parts().each(|part| double(part));
            let _ = spark.map_or(doubled, |spark| doubled.on(spark));
        })
        .expect("the graph is right")
    };
    let (plain, local) = (drawn(None), drawn(Some(Executors::local())));
    let other = drawn(Some(Executors::new("spark://a:7077").executor_memory("1g")));
    assert_ne!(plain.plan().hash(), local.plan().hash());
    // Where the cluster is may differ from one machine to the next.
    assert_eq!(local.plan().hash(), other.plan().hash());
    let node = other.plan().find("double").expect("it is drawn");
    let executor = other.plan().node_options(node).executor.expect("it has one");
    assert_eq!((executor.kind(), executor.to_string()), ("spark", "spark (spark://a:7077)".to_owned()));
    let expand = other.plan().find("parts.each").expect("it is drawn");
    assert_eq!(other.plan().node_options(expand).executor, None);
    assert_eq!(
        there::def().options.executor.map(|it| it.to_string()).as_deref(),
        Some("spark (connection spark_default)")
    );
}

#[test]
fn tasks_that_cannot_run_on_executors_are_reported_when_the_graph_is_built() {
    let errors = Dag::draw("wrong", |_| {
        let spark = Executors::local();
        let _ = apart(1_u32).on(&spark);
        let _ = landed(1_u32).on(&spark);
    })
    .expect_err("neither can");
    let printed = errors.to_string();
    assert!(printed.contains("`apart`") && printed.contains("leave `isolation` out"), "{printed}");
    assert!(printed.contains("`landed`") && printed.contains("it waits without holding a slot"), "{printed}");

    // Of the tasks of elements those that cannot stay here.
    let dag = Dag::draw("mixed", |_| {
        let _ = parts().each(|part| double(apart(part))).on(Executors::local());
    });
    let dag = dag.expect("it is right");
    let executor = |id: &str| dag.plan().node_options(dag.plan().find(id).expect("it is drawn")).executor;
    assert_eq!((executor("apart"), executor("double").map(Executor::kind)), (None, Some("spark")));
}

#[test]
fn an_in_process_run_uses_no_executors() {
    #[dag]
    fn sums() -> Vec<u32> {
        parts().each(|part| there(double(part)).on(Executors::new("spark://nobody.invalid:7077"))).collect()
    }
    let report = sums::run().in_process(true).start().expect("it is right").wait();
    assert_eq!(report.result(), Some(&vec![3, 5, 7]));
    let report = sums::run().run_sequentially().expect("it is right");
    assert_eq!(report.result(), Some(&vec![3, 5, 7]));
}

#[test]
fn a_program_without_the_worker_entry_point_is_reported() {
    #[dag]
    fn sums() -> Vec<u32> {
        parts().each(|part| double(part)).on(Executors::local().python("/bin/sh")).collect()
    }
    let report = sums::run().start().expect("it is right").wait();
    let failure = report.task("double[0]").and_then(|task| task.failure().map(|failure| failure.to_string()));
    assert!(
        failure
            .as_deref()
            .is_some_and(|it| it.contains("need `main` of this program to call `taskflow::process::child_main()`")),
        "{failure:?}"
    );
}
