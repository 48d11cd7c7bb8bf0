//! Jobs on a real Spark: a standalone cluster that the tests start, and its shells.
//!
//! Each application costs some twelve seconds of computing, so there are few, and what needs no executors does without.
#![cfg(all(feature = "spark", unix))]

mod common;
mod spark;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use common::locked;
use serde::{Deserialize, Serialize};
use spark::cluster::{Cluster, hand_on};
use spark::installed::JAVA;
use spark::server::{Answer, Request, Server};
use taskflow::prelude::*;
use taskflow::spark::{DeployMode, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};

/// One after the other: the cluster has room for one application.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> (Arc<Cluster>, MutexGuard<'static, ()>) {
    // It is held while others have their turn, so that the cluster stays for the next one.
    (Cluster::shared(), locked(&TURN))
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
        .env("JAVA_TOOL_OPTIONS", JAVA)
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
fn a_python_job_on_the_cluster_gives_its_result_and_its_summary() {
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
    let said = error.said().unwrap();
    assert!(said.starts_with("Traceback (most recent call last):") && said.ends_with("ValueError: no rows"), "{said}");
    let error = awaited(small(&file("exits.py", "import sys\nsys.exit(3)\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(3));
}

#[test]
fn a_jar_runs_in_the_cluster_and_its_submission_is_found_again_by_its_tag() {
    let (cluster, _turn) = turn();
    // Between us and the REST server somebody swallows the first answer to a submission.
    let (rest, swallowed) = (cluster.rest_port, OnceLock::new());
    let proxy = Server::start(move |request| {
        let (status, body) = hand_on(rest, request);
        let first = request.path.ends_with("/create") && swallowed.set(()).is_ok();
        if first { Answer::Cut } else { Answer::Of(status, body) }
    });
    let job = in_the_cluster("ok").rest_port(proxy.port).result_dir(cluster.folder()).result::<u64>();
    let job = awaited(job).unwrap_or_else(|error| panic!("{error}: {:?}", error.said()));
    assert_eq!((job.result, job.last_line.as_str()), (100, "counted 100"));
    assert!(job.submission_id.unwrap().starts_with("driver-"));
    assert!(job.application_id.unwrap().starts_with("app-"));
    assert_eq!(proxy.count("/v1/submissions/create"), 1);
}

#[test]
fn a_driver_that_fails_says_why_and_one_that_is_out_of_time_is_killed() {
    let _turn = turn();
    let error = awaited(in_the_cluster("exit")).unwrap_err();
    assert!(matches!(&error, SparkError::DriverFailed { state, .. } if state == "FAILED"), "{error}");
    let error = awaited(in_the_cluster("throw")).unwrap_err();
    assert!(error.said().unwrap().contains("IllegalStateException: no such table"), "{error:?}");
    let error = awaited(in_the_cluster("ok").class("NoSuchClass")).unwrap_err();
    assert!(matches!(error, SparkError::IncompatibleOptions { .. } | SparkError::DriverFailed { .. }), "{error}");
    let error = awaited(in_the_cluster("sleep").run_timeout(Duration::from_secs(2))).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Run, confirmed: true, .. }), "{error}");
}

#[test]
fn sql_runs_up_to_the_statement_that_fails() {
    let _turn = turn();
    let ok = awaited(small(&file("ok.sql", "SELECT 1 + 1;\nSELECT 'seven';\n"))).unwrap();
    assert_eq!(ok.last_line, "seven");
    let error = awaited(small(&file("bad.sql", "SELECT 1;\nSELECT * FROM no_such_table;\nSELECT 2;\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1));
    assert!(error.said().unwrap().contains("no_such_table"), "{error:?}");
}

#[test]
fn a_scala_script_fails_when_it_throws_and_when_it_does_not_compile() {
    let _turn = turn();
    let text = "import spark.implicits._\ncase class Row(n: Int)\nval rows = Seq(Row(1), Row(2)).toDS()\nprintln(\"rows \" + rows.count())\n";
    let ok = awaited(small(&file("ok.scala", text))).unwrap_or_else(|error| panic!("{error}: {:?}", error.said()));
    assert_eq!(ok.last_line, "rows 2");
    let throws = "println(\"before\")\nthrow new IllegalStateException(\"no rows\")\nprintln(\"after\")\n";
    let error = awaited(small(&file("throws.scala", throws))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error:?}");
    assert!(error.said().unwrap().contains("no rows") && !error.said().unwrap().contains("after"), "{error:?}");
    let error = awaited(small(&file("broken.scala", "println(\"before\")\nval x: Int = \"text\"\n"))).unwrap_err();
    assert_eq!(error.exit_code(), Some(1), "{error:?}");
    assert!(error.said().unwrap().contains("type mismatch"), "{error:?}");
}

/// Waits until so many drivers are active, as the master says.
#[track_caller]
fn active(wanted: usize) {
    let ask = Request { method: "GET".to_owned(), path: "/json/".to_owned(), head: String::new(), body: String::new() };
    let start = std::time::Instant::now();
    loop {
        let (_, body) = hand_on(Cluster::shared().ui_port, &ask);
        let json: serde_json::Value = serde_json::from_str(&body).expect("the master speaks JSON");
        let running = json["activedrivers"]
            .as_array()
            .map_or(0, |drivers| drivers.iter().filter(|driver| driver["state"] == "RUNNING").count());
        if running == wanted {
            return;
        }
        assert!(start.elapsed() < common::PATIENCE * 4, "{running} drivers are active, and not {wanted}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_run_that_is_cancelled_kills_its_driver_while_its_task_is_deferred() {
    let _turn = turn();
    let dag = Dag::build("cancelled", || spark_submit("job", in_the_cluster("sleep"))).unwrap();
    let handle = dag.run().start().unwrap();
    active(1);
    handle.control().cancel("enough");
    common::finish(handle);
    active(0);
}
