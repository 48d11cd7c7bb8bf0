//! Jobs on a real Spark: a standalone cluster that the tests start, and its shells.
//!
//! Each application costs some twelve seconds of computing, so there are few, and what needs no
//! executors does without.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, MutexGuard, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::prelude::*;
use taskflow::spark::{DeployMode, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};
use taskflow_tests::binaries::{self, ProgramOutput};
use taskflow_tests::common;
use taskflow_tests::spark::cluster::{Cluster, forward_request};
use taskflow_tests::spark::installed::java;
use taskflow_tests::spark::server::{Answer, Request, Server};

fn turn() -> (Arc<Cluster>, MutexGuard<'static, ()>) {
    // It is held while others have their turn, so that the cluster stays for the next one.
    (Cluster::shared(), Cluster::turn())
}

/// A file that the workers see as well.
fn file(name: &str, text: &str) -> String {
    let path = Cluster::shared().folder().join(name);
    std::fs::write(&path, text).expect("temporary files can be written");
    path.to_str().expect("temporary paths are text").to_owned()
}

/// A job with little of everything, on one thread of the driver.
fn small(app: &str) -> SparkSubmit {
    let cluster = Cluster::shared();
    let job = SparkSubmit::app(app).spark_home(&cluster.spark.home).master("local[1]").driver_memory("512m");
    job.env("PYSPARK_PYTHON", cluster.spark.python.to_str().expect("paths are text"))
        .env("SPARK_LOCAL_IP", "127.0.0.1")
        .env("JAVA_TOOL_OPTIONS", java(cluster.folder()))
        .cwd(cluster.folder())
}

/// A jar in cluster mode.
fn in_the_cluster(how: &str) -> SparkSubmit {
    let cluster = Cluster::shared();
    let job = SparkSubmit::app(jar().to_str().expect("temporary paths are text")).class("Job").arg(how);
    let job = job.master(&cluster.master).deploy_mode(DeployMode::Cluster).memory("512m").total_executor_cores(1);
    job.rest_port(cluster.rest_port).ui_port(cluster.ui_port).env("SPARK_LOCAL_IP", "127.0.0.1")
}

/// A class that counts, exits, throws or sleeps.
fn jar() -> PathBuf {
    static JAR: OnceLock<PathBuf> = OnceLock::new();
    let compiled = JAR.get_or_init(|| {
        let source = r#"
            import java.nio.file.*;
            import org.apache.spark.sql.SparkSession;
            public class Job {
                public static void main(String[] args) throws Exception {
                    if (args[0].equals("exit")) System.exit(3);
                    if (args[0].equals("throw")) throw new IllegalStateException("no such table");
                    if (args[0].equals("sleep")) Thread.sleep(600000);
                    if (args[0].equals("wait")) {
                        while (!Files.exists(Path.of(args[1]))) Thread.sleep(50);
                        return;
                    }
                    SparkSession spark = SparkSession.builder().getOrCreate();
                    long count = spark.range(100).count();
                    System.out.println("counted " + count);
                    Files.writeString(Path.of(System.getenv("TASKFLOW_RESULT")), "" + count);
                    spark.stop();
                }
            }"#;
        let cluster = Cluster::shared();
        // It stays when the cluster is made anew.
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("spark_job_{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the directory is ours");
        std::fs::write(folder.join("Job.java"), source).expect("temporary files can be written");
        let path = cluster.spark.home.join("jars/*");
        let run = |program: &str, words: &[&str]| {
            let output = Command::new(program).args(words).current_dir(&folder).output();
            let output = output.unwrap_or_else(|error| panic!("`{program}` of a JDK is needed: {error}"));
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run("javac", &["-cp", path.to_str().expect("paths are text"), "Job.java"]);
        run("jar", &["cf", "job.jar", "Job.class"]);
        folder.join("job.jar")
    });
    compiled.clone()
}

/// Runs a job outside of any run.
fn awaited<R: taskflow::Value>(job: SparkSubmit<R>) -> Result<SparkJob<R>, SparkError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(job.run(&TaskContext::detached("job")))
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Rows {
    day: String,
    rows: u64,
}

#[task]
fn day() -> String {
    "2026-01-31".to_owned()
}

#[test]
fn a_python_job_on_the_cluster_returns_its_result_and_summary() {
    let (cluster, _turn) = turn();
    let events = cluster.folder().join("events");
    std::fs::create_dir_all(&events).unwrap();
    let app = file(
        "ok.py",
        r#"
import json, os, sys
from pyspark.sql import SparkSession

def give(value):
    path = os.environ["TASKFLOW_RESULT"]
    with open(path + ".part", "w") as file:
        json.dump(value, file)
    os.replace(path + ".part", path)

spark = SparkSession.builder.getOrCreate()
rows = spark.range(1000, numPartitions=4).repartition(2).count()
give({"day": sys.argv[1], "rows": rows})
print("counted", rows)
spark.stop()
"#,
    );
    let dag = Dag::build("daily", || {
        let job = small(&app).arg(day()).master(&cluster.master).executor_memory("512m").total_executor_cores(1);
        spark_submit("load", job.event_log(events.to_str().unwrap()).result::<Rows>())
    })
    .unwrap();
    let report = dag.run().wait().unwrap();
    let job = report.success().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(job.result, Rows { day: "2026-01-31".to_owned(), rows: 1000 });
    assert_eq!(job.last_line, "counted 1000");
    assert!(job.application_id.as_ref().is_some_and(|id| id.starts_with("app-")), "{job:?}");
    let summary = job.summary.unwrap();
    assert!(summary.jobs >= 1 && summary.tasks >= 6 && summary.shuffle_write_bytes > 0, "{summary:?}");
}

#[test]
fn a_python_job_fails_with_its_traceback_or_its_exit_code() {
    let _turn = turn();
    let error =
        awaited(small(&file("raises.py", "def load():\n    raise ValueError('no rows')\nload()\n"))).unwrap_err();
    assert_eq!((error.exit_code(), error.is_retryable()), (Some(1), true));
    let output = error.output().unwrap();
    assert!(
        output.starts_with("Traceback (most recent call last):") && output.ends_with("ValueError: no rows"),
        "{output}"
    );
    let error = awaited(small(&file("exits.py", "import sys\nsys.exit(3)\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(3));
}

#[test]
fn a_task_that_raises_on_an_executor_fails_the_job_with_its_traceback() {
    let _turn = turn();
    let app = "from pyspark.sql import SparkSession\n\
               def half(x):\n    return x // (x - 2)\n\
               spark = SparkSession.builder.getOrCreate()\n\
               spark.sparkContext.parallelize([1, 2, 3], 1).map(half).collect()\n";
    let error = awaited(small(&file("divides.py", app))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1));
    assert!(error.output().unwrap().contains("ZeroDivisionError"), "{error:?}");
}

#[test]
fn a_jar_in_client_mode_reports_its_result_exit_code_or_exception() {
    let _turn = turn();
    let job = |how: &str| small(jar().to_str().unwrap()).class("Job").arg(how);
    let ok = awaited(job("ok").result::<u64>()).unwrap_or_else(|error| panic!("{error}: {:?}", error.output()));
    assert_eq!((ok.result, ok.last_line.as_str()), (100, "counted 100"));
    assert_eq!(awaited(job("exit")).unwrap_err().exit_code(), Some(3));
    let error = awaited(job("throw")).unwrap_err();
    assert_eq!(error.exit_code(), Some(1));
    assert!(error.output().unwrap().contains("IllegalStateException: no such table"), "{error:?}");
    let error = awaited(job("ok").class("NoSuchClass")).unwrap_err();
    assert_eq!((error.exit_code(), error.is_retryable()), (Some(101), false));
    assert!(error.output().unwrap().contains("Failed to load class NoSuchClass"), "{error:?}");
}

#[test]
fn a_jar_runs_in_the_cluster_and_its_submission_is_found_again_by_its_tag() {
    let (cluster, _turn) = turn();
    // A proxy before the REST server drops the first answer to a submission.
    let (rest, swallowed) = (cluster.rest_port, OnceLock::new());
    let proxy = Server::start(move |request| {
        let (status, body) = forward_request(rest, request);
        let first = request.path.ends_with("/create") && swallowed.set(()).is_ok();
        if first { Answer::Cut } else { Answer::Of(status, body) }
    });
    let job = in_the_cluster("ok").rest_port(proxy.port).result_dir(cluster.folder()).result::<u64>();
    let job = awaited(job).unwrap_or_else(|error| panic!("{error}: {:?}", error.output()));
    assert_eq!((job.result, job.last_line.as_str()), (100, "counted 100"));
    assert!(job.submission_id.unwrap().starts_with("driver-"));
    assert!(job.application_id.unwrap().starts_with("app-"));
    assert_eq!(proxy.count("/v1/submissions/create"), 1);
}

#[test]
fn a_failed_driver_reports_why_and_one_that_times_out_is_killed() {
    let _turn = turn();
    let error = awaited(in_the_cluster("exit")).unwrap_err();
    assert!(matches!(&error, SparkError::DriverFailed { state, .. } if state == "FAILED"), "{error}");
    let error = awaited(in_the_cluster("throw")).unwrap_err();
    assert!(error.output().unwrap().contains("IllegalStateException: no such table"), "{error:?}");
    let error = awaited(in_the_cluster("ok").class("NoSuchClass")).unwrap_err();
    assert!(matches!(error, SparkError::IncompatibleOptions { .. } | SparkError::DriverFailed { .. }), "{error}");
    let error = awaited(in_the_cluster("sleep").run_timeout(Duration::from_secs(2))).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Run, confirmed: true, .. }), "{error}");
}

#[test]
fn a_driver_that_waits_for_resources_is_killed_at_its_timeout() {
    let (cluster, _turn) = turn();
    // No worker has that much.
    let job = in_the_cluster("ok").driver_memory("8g").queue_timeout(Duration::from_secs(1));
    let error = awaited(job).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Queue, confirmed: true, .. }), "{error}");
    assert_eq!(drivers(&cluster, "activedrivers").len(), 0);
}

#[test]
fn an_unreadable_jar_is_reported_with_the_reason() {
    let _turn = turn();
    let cluster = Cluster::shared();
    let job = SparkSubmit::app("http://127.0.0.1:1/no-such.jar")
        .class("Job")
        .master(&cluster.master)
        .deploy_mode(DeployMode::Cluster);
    let job = job.rest_port(cluster.rest_port).ui_port(cluster.ui_port).memory("512m");
    let error = awaited(job).unwrap_err();
    assert!(matches!(&error, SparkError::DriverFailed { state, .. } if state == "ERROR"), "{error}");
    assert!(error.output().is_some_and(|printed| printed.contains("Connection refused")), "{error:?}");
}

#[test]
fn a_master_without_a_rest_server_is_reported_before_anything_is_submitted() {
    let (cluster, _turn) = turn();
    // Nothing listens at the first port; the other one is the web UI.
    for (port, wanted) in [
        (1, "it must be enabled there with `spark.master.rest.enabled`"),
        (cluster.ui_port, "is not the REST server of a Spark master"),
    ] {
        let error = awaited(in_the_cluster("ok").rest_port(port)).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
    }
    assert_eq!(drivers(&cluster, "activedrivers").len(), 0);
}

#[test]
fn after_a_restart_of_the_master_the_new_one_decides_and_nothing_is_resubmitted() {
    let (cluster, _turn) = turn();
    let go = cluster.folder().join("go-on-after-the-restart");
    let job = in_the_cluster("wait").arg(go.to_str().unwrap());
    let dag = Dag::build("restarted", || spark_submit("job", job.clone())).unwrap();
    let handle = dag.run().start().unwrap();
    active(1);
    cluster.restart_the_master();
    std::fs::write(&go, "").unwrap();
    let report = common::finish(handle);
    // A worker that comes back by itself before the new master calls it counts as another one, and
    // its driver as an error, which ends it. Which of both is first is chance.
    let failure = report.task("job").unwrap().failure();
    assert!(failure.is_none_or(|failure| failure.to_string().contains("ended with the state ERROR")), "{report:?}");
    active(0);
    // It has heard of no other.
    assert_eq!(drivers(&cluster, "completeddrivers").len(), 1);
}

/// A run of the program that submits to the cluster, whose REST server it reaches at this port.
fn program(home: &Path, rest_port: u16, go: &Path, words: &[&str]) -> Child {
    let cluster = Cluster::shared();
    let mut program = binaries::program("spark_job");
    let port = cluster.master.rsplit(':').next().expect("an address has a port");
    program.args(words).env("TASKFLOW_HOME", home).env("MASTER_PORT", port);
    program.env("REST_PORT", rest_port.to_string()).env("UI_PORT", cluster.ui_port.to_string());
    program.env("JOB_JAR", jar()).env("JOB_WORDS", format!("wait {}", go.display()));
    program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts")
}

#[test]
fn a_program_killed_at_any_moment_leaves_one_driver() {
    let (cluster, _turn) = turn();
    // What the program is killed at, and whether the master has heard of the job by then.
    for (moment, path, heard) in [
        ("before", "/v1/submissions/create", false),
        ("between", "/v1/submissions/create", true),
        ("while", "/v1/submissions/status", true),
    ] {
        let (home, go) = (tempfile::tempdir().unwrap(), cluster.folder().join(format!("go-{moment}")));
        let known = drivers(&cluster, "activedrivers").len() + drivers(&cluster, "completeddrivers").len();
        // A proxy before the REST server withholds the first answer.
        let (rest, reached) = (cluster.rest_port, Arc::new(OnceLock::new()));
        let told = Arc::clone(&reached);
        let proxy = Server::start(move |request| {
            let held = request.path.starts_with(path) && told.get().is_none();
            if held && !heard {
                told.set(()).expect("it is the first");
                return Answer::Silence;
            }
            let (status, body) = forward_request(rest, request);
            if held {
                told.set(()).expect("it is the first");
                return Answer::Silence;
            }
            Answer::Of(status, body)
        });
        let mut first = program(home.path(), proxy.port, &go, &["run", "load"]);
        common::eventually("the program has come that far", || reached.get().is_some());
        first.kill().unwrap();
        first.wait().unwrap();

        let second = program(home.path(), proxy.port, &go, &["resume"]);
        active(1);
        std::fs::write(&go, "").unwrap();
        let printed = ProgramOutput::from(second.wait_with_output().unwrap());
        assert_eq!(printed.code, Some(0), "{moment}: {printed:?}");
        active(0);
        assert_eq!(drivers(&cluster, "completeddrivers").len(), known + 1, "{moment}");
    }
}

#[test]
fn sql_runs_up_to_the_statement_that_fails() {
    let _turn = turn();
    let ok = awaited(small(&file("ok.sql", "SELECT 1 + 1;\nSELECT 'seven';\n"))).unwrap();
    assert_eq!(ok.last_line, "seven");
    let error = awaited(small(&file("bad.sql", "SELECT 1;\nSELECT * FROM no_such_table;\nSELECT 2;\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1));
    assert!(error.output().unwrap().contains("no_such_table"), "{error:?}");
}

#[test]
fn a_scala_script_fails_when_it_throws_and_when_it_does_not_compile() {
    let _turn = turn();
    let text = "import spark.implicits._\ncase class Row(n: Int)\nval rows = Seq(Row(1), Row(2)).toDS()\nprintln(\"rows \" + rows.count())\n";
    let ok = awaited(small(&file("ok.scala", text))).unwrap_or_else(|error| panic!("{error}: {:?}", error.output()));
    assert_eq!(ok.last_line, "rows 2");
    let throws = "println(\"before\")\nthrow new IllegalStateException(\"no rows\")\nprintln(\"after\")\n";
    let error = awaited(small(&file("throws.scala", throws))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error:?}");
    assert!(error.output().unwrap().contains("no rows") && !error.output().unwrap().contains("after"), "{error:?}");
    let error = awaited(small(&file("broken.scala", "println(\"before\")\nval x: Int = \"text\"\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error:?}");
    assert!(error.output().unwrap().contains("type mismatch"), "{error:?}");
}

/// The drivers that the master lists under this key.
fn drivers(cluster: &Cluster, what: &str) -> Vec<serde_json::Value> {
    let ask = Request { method: "GET".to_owned(), path: "/json/".to_owned(), head: String::new(), body: String::new() };
    let (_, body) = forward_request(cluster.ui_port, &ask);
    let json: serde_json::Value = serde_json::from_str(&body).expect("the master speaks JSON");
    json[what].as_array().cloned().unwrap_or_default()
}

/// Waits until the master reports this number of running drivers.
#[track_caller]
fn active(wanted: usize) {
    let start = std::time::Instant::now();
    loop {
        let active = drivers(&Cluster::shared(), "activedrivers");
        let running = active.iter().filter(|driver| driver["state"] == "RUNNING").count();
        if running == wanted {
            return;
        }
        assert!(start.elapsed() < common::PATIENCE, "{running} drivers run, and not {wanted}: {active:?}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn cancelling_a_run_kills_the_driver_of_its_deferred_task() {
    let _turn = turn();
    let dag = Dag::build("cancelled", || spark_submit("job", in_the_cluster("sleep"))).unwrap();
    let handle = dag.run().start().unwrap();
    active(1);
    handle.control().cancel("enough");
    common::finish(handle);
    active(0);
}
