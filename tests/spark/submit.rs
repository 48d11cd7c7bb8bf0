//! Spark jobs against a fake `spark-submit` and a fake master, including their failures.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use taskflow::Config;
use taskflow::engine::TaskState;
use taskflow::prelude::*;
use taskflow::spark::{DeployMode, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};
use taskflow_tests::binaries::{ProgramOutput, program};
use taskflow_tests::common::{eventually, finish, live, locked};
use taskflow_tests::spark::fake_master::FakeMaster;
use taskflow_tests::spark::fake_spark::Spark;
use taskflow_tests::spark::server::{Answer, Server};

const SOON: Duration = Duration::from_millis(5);

/// A jar in cluster mode on this master.
fn in_the_cluster(spark: &Spark, master: &FakeMaster) -> SparkSubmit {
    let port = master.server.port;
    let job = spark.job("job.jar").class("Job").master(master.url()).deploy_mode(DeployMode::Cluster);
    job.rest_port(port).ui_port(port).poll_interval(SOON)
}

/// Runs a job as the only node of a DAG.
#[track_caller]
#[allow(clippy::needless_pass_by_value, reason = "a job is written where it runs")]
fn node<R: taskflow::Value + Clone>(job: SparkSubmit<R>) -> Result<SparkJob<R>, (Vec<String>, bool)> {
    let dag = Dag::build("one", || spark_submit("job", job.clone())).expect("the graph is sound");
    let report = live(dag.run());
    match report.task("job").expect("it is in the graph").failure().as_deref() {
        None => Ok(report.success().expect("it succeeds").clone()),
        Some(Failure::Error { chain, retryable }) => Err((chain.clone(), *retryable)),
        Some(other) => panic!("{other:?}"),
    }
}

/// Runs it in a task that cannot wait, outside of any run.
fn awaited<R: taskflow::Value>(job: SparkSubmit<R>) -> Result<SparkJob<R>, SparkError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
    let context = TaskContext::detached(&format!("awaited-{:?}", std::thread::current().id()));
    runtime.block_on(job.run(&context))
}

#[test]
fn a_job_gets_its_arguments_and_properties_without_secrets_on_the_command_line() {
    let spark = Spark::of(
        r#"printf '%s\n' "$@" > "$OUT/words"; while [ $# -gt 0 ]; do [ "$1" = --properties-file ] && cp "$2" "$OUT/conf"; shift; done
           stat -c %a "$OUT/conf" > "$OUT/mode"; echo "$TOKEN" > "$OUT/token"; echo done"#,
    );
    let config = Config::builder().secret("s3", "hunter2-secret").build().unwrap();
    #[task]
    fn day() -> String {
        "2026-01-31".to_owned()
    }
    let out = spark.path("").to_str().unwrap().to_owned();
    let dag = Dag::build("words", || {
        let job = spark.job("job.py").arg(day()).arg("two words").memory("512m").executor_memory("1g").name("load");
        let job = job.conf("spark.sql.shuffle.partitions", "4").secret_conf("spark.hadoop.fs.s3a.secret.key", "s3");
        spark_submit("job", job.env("OUT", &out).secret_env("TOKEN", "s3"))
    })
    .unwrap();
    let report =
        finish(dag.run().engine(&taskflow::Engine::builder().config(&config).build().unwrap()).start().unwrap());
    assert_eq!(report.success().unwrap().last_line, "done");
    let read = |name: &str| std::fs::read_to_string(spark.path(name)).unwrap();
    let words: Vec<String> = read("words").lines().map(str::to_owned).collect();
    let file = &words[5];
    let app = spark.path("job.py").to_str().unwrap().to_owned();
    let wanted =
        ["--master", "local[2]", "--deploy-mode", "client", "--properties-file", file, &app, "2026-01-31", "two words"];
    assert_eq!(words, wanted);
    assert!(!Path::new(file).exists(), "the properties are removed");
    let conf = read("conf");
    for line in [
        "spark.app.name=load",
        "spark.driver.memory=512m",
        "spark.executor.memory=1g",
        "spark.sql.shuffle.partitions=4",
        "spark.hadoop.fs.s3a.secret.key=hunter2-secret",
    ] {
        assert!(conf.lines().any(|known| known == line), "{line} is not in {conf}");
    }
    assert_eq!((read("mode").trim(), read("token").trim()), ("600", "hunter2-secret"));
}

/// C6: `spark-submit` in a program with secrets and connections in its environment.
#[test]
fn a_driver_inherits_no_secrets() {
    let names = r"sed -n 's/^\(TASKFLOW_[SC][A-Z]*_[A-Z_]*\)=.*/\1/p'";
    let spark = Spark::of(&format!("env | {names} | tr '\\n' ' '; echo \"inherited, and $OTHER\""));
    let mut program = program("spark_job");
    program.args(["run", "load_here", "-q"]).env("TASKFLOW_HOME", spark.path("runs"));
    program.env("SPARK_HOME", spark.path("")).env("JOB_FILE", spark.path("job.py")).env("OTHER", "the rest");
    program.env("TASKFLOW_SECRET_KEY", "swordfish").env("TASKFLOW_SECRET_PIN_FILE", "/run/pin");
    program.env("TASKFLOW_CONN_DB", "postgres://me:hunter-22@db");
    let output = ProgramOutput::from(program.output().expect("a built program starts"));
    assert_eq!((output.code, &*output.stdout), (Some(0), "inherited, and the rest\n"), "{output:?}");
}

#[test]
fn a_python_job_that_raises_fails_with_its_traceback() {
    let spark = Spark::of(
        r#"echo before; echo "Traceback (most recent call last):"; echo '  File "job.py", line 3, in <module>'; echo "ValueError: no rows"
           echo "26/11/22 08:40:55 INFO ShutdownHookManager: Shutdown hook called" >&2; exit 1"#,
    );
    let (chain, retryable) = node(spark.job("job.py")).unwrap_err();
    assert!(chain[0].ends_with("failed with exit code 1"), "{chain:?}");
    assert_eq!(
        chain[1],
        "Traceback (most recent call last):\n  File \"job.py\", line 3, in <module>\nValueError: no rows"
    );
    assert!(retryable);
    assert!(!node(spark.job("job.py").no_retry_on(1)).unwrap_err().1);
}

#[test]
fn a_missing_class_is_not_retried() {
    let spark = Spark::of(r#"echo "Error: Failed to load class Job." >&2; exit 101"#);
    let (chain, retryable) = node(spark.job("job.jar").class("Job")).unwrap_err();
    assert_eq!((chain[1].as_str(), retryable), ("Error: Failed to load class Job.", false));
}

#[test]
fn a_result_is_typed_and_required() {
    let spark = Spark::of(r#"[ -n "$SAYS" ] && echo "$SAYS" > "$TASKFLOW_RESULT"; exit 0"#);
    let job = || spark.job("job.py").result::<(u32, String)>();
    assert_eq!(node(job().env("SAYS", r#"[3, "rows"]"#)).unwrap().result, (3, "rows".to_owned()));
    let (chain, retryable) = node(job()).unwrap_err();
    assert!(chain[0].contains("succeeded, but its result cannot be read") && !retryable, "{chain:?}");
    let (chain, _) = node(job().env("SAYS", "{}")).unwrap_err();
    assert!(chain[0].contains("it is not a (u32, alloc::string::String)"), "{chain:?}");
}

#[test]
fn a_shell_script_must_run_to_completion() {
    let ends = Spark::of("cat > /dev/null; echo taskflow: the script has run to its end");
    assert!(node(ends.job("job.scala")).is_ok());
    let breaks = Spark::of("cat > /dev/null; echo 'error: not found: value x'");
    let (chain, _) = node(breaks.job("job.scala")).unwrap_err();
    assert!(chain[0].ends_with("failed before it had run to its end"), "{chain:?}");
    assert_eq!(chain[1], "error: not found: value x");
}

#[test]
fn missing_prerequisites_are_reported_before_anything_starts() {
    let spark = Spark::of("exit 0");
    let (chain, retryable) = node(spark.job("none.py")).unwrap_err();
    assert!(chain[0].contains("none.py` does not exist") && !retryable, "{chain:?}");
    let (chain, retryable) = node(spark.job("job.py").spark_home("/nowhere")).unwrap_err();
    assert!(chain[0].contains("/nowhere/bin/spark-submit") && chain[0].contains("`pip install pyspark`"), "{chain:?}");
    assert!(!retryable);
    // A port that is bound, so that nobody else can listen there, and without a listener.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = silent.local_addr().unwrap().port();
    let (chain, retryable) = node(spark.job("job.py").master(format!("spark://127.0.0.1:{port}"))).unwrap_err();
    assert!(chain[0].starts_with("no master responds at spark://127.0.0.1") && retryable, "{chain:?}");
}

#[test]
fn contradictory_options_are_mistakes_with_their_location() {
    let mistakes = Dag::build("wrong", || {
        spark_submit("a", SparkSubmit::app("a.py").master("local").deploy_mode(DeployMode::Cluster));
        spark_submit("b", SparkSubmit::app("b.sql").arg("x"))
    })
    .unwrap_err();
    let text = mistakes.to_string();
    assert_eq!(mistakes.errors().len(), 2, "{text}");
    assert!(
        text.contains("task `a` (at tests/spark/submit.rs:") && text.contains("cannot have both cluster mode"),
        "{text}"
    );
}

#[test]
fn a_missing_connection_never_means_yarn() {
    let spark = Spark::of("exit 0");
    let job = SparkSubmit::app(spark.path("job.py").to_str().unwrap()).connection("lake");
    let (chain, retryable) = node(job).unwrap_err();
    assert!(chain[0].contains("TASKFLOW_CONN_LAKE=spark://host:7077") && !retryable, "{chain:?}");
}

#[test]
fn a_job_that_times_out_is_killed() {
    let spark = Spark::of("echo $$ > $OUT; exec sleep 1000");
    let pid = spark.path("pid");
    let job = spark.job("job.py").env("OUT", pid.to_str().unwrap()).run_timeout(Duration::from_millis(300));
    let error = awaited(job).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Run, confirmed: true, .. }), "{error}");
    let pid = std::fs::read_to_string(pid).unwrap();
    assert!(!Path::new(&format!("/proc/{}", pid.trim())).exists());
}

#[test]
fn a_job_without_resources_is_abandoned() {
    let line =
        "26/11/22 08:40:55 WARN TaskSchedulerImpl: Initial job has not accepted any resources; check your cluster UI";
    let spark = Spark::of(&format!("echo '{line}' >&2; exec sleep 1000"));
    let error = awaited(spark.job("job.py").queue_timeout(Duration::from_millis(200))).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Queue, .. }), "{error}");
}

#[test]
fn a_driver_on_the_cluster_is_followed_to_its_end_without_a_slot() {
    let (spark, master) = (Spark::of("exit 9"), FakeMaster::start(&["SUBMITTED", "RUNNING", "RUNNING", "FINISHED"]));
    locked(&master.state).stderr =
        "26/11/22 08:40:55 INFO StandaloneSchedulerBackend: Connected to Spark cluster with app ID app-1-0000"
            .to_owned();
    locked(&master.state).stdout = "all loaded\n".to_owned();
    let job = in_the_cluster(&spark, &master).arg("x").env("A", "1").conf("spark.y", "z").memory("1g");
    let job = node(job).unwrap();
    assert_eq!(job.submission_id.as_deref(), Some("driver-20260131060000-0000"));
    assert_eq!((job.application_id.as_deref(), job.last_line.as_str()), (Some("app-1-0000"), "all loaded"));
    let state = locked(&master.state);
    let driver = &state.drivers[0];
    assert_eq!((&driver.args, &driver.env["A"]), (&serde_json::json!(["x"]), &"1".into()));
    assert_eq!((&driver.properties["spark.y"], &driver.properties["spark.driver.memory"]), (&"z".into(), &"1g".into()));
    // The environment of this process stays here.
    assert!(driver.env["PATH"].is_null());
    assert_eq!(state.drivers.len(), 1);
}

#[test]
fn only_a_report_of_the_master_is_success() {
    for (life, wanted) in [
        (["RUNNING", "FAILED"], "ended with the state FAILED"),
        (["RUNNING", "ERROR"], "ended with the state ERROR"),
        (["RUNNING", "KILLED"], "was killed on the cluster, not by this task"),
    ] {
        let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&life));
        locked(&master.state).stderr =
            "Exception in thread \"main\" java.lang.RuntimeException: no rows\n\tat Job.main".to_owned();
        let (chain, retryable) = node(in_the_cluster(&spark, &master)).unwrap_err();
        assert!(chain[0].contains(wanted) && retryable, "{chain:?}");
        assert!(wanted.contains("killed") || chain[1].ends_with("no rows\n\tat Job.main"), "{chain:?}");
    }
}

#[test]
fn a_driver_that_the_master_forgets_is_lost_and_not_a_success() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING"]));
    let gone = r#"{"action":"SubmissionStatusResponse","success":false}"#;
    locked(&master.state).instead.push_back(("/v1/submissions/status", Answer::Of(200, gone.to_owned())));
    let (chain, retryable) = node(in_the_cluster(&spark, &master)).unwrap_err();
    assert!(chain[0].contains("is lost") && retryable, "{chain:?}");
}

#[test]
fn inconclusive_answers_do_not_end_the_wait() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING", "UNKNOWN", "RUNNING", "FINISHED"]));
    let status = "/v1/submissions/status";
    let standby = r#"{"action":"SubmissionStatusResponse","success":false,"message":"Exception: Current state is not alive: STANDBY."}"#;
    locked(&master.state).instead.extend([
        (status, Answer::Of(500, "oops".to_owned())),
        (status, Answer::Of(200, r#"{"action":"Submiss"#.to_owned())),
        (status, Answer::Cut),
        (status, Answer::Of(200, standby.to_owned())),
    ]);
    assert!(node(in_the_cluster(&spark, &master)).is_ok());
    assert_eq!(master.server.count(status), 8);
}

#[test]
fn denied_access_and_a_server_that_is_not_a_master_are_reported_at_once() {
    for (status, body, wanted) in [
        (401, "", "denied access with status 401"),
        (403, "<html>", "denied access with status 403"),
        (404, "<html>not found</html>", "is not the REST server of a Spark master"),
        (200, "<html>hello</html>", "is not the REST server of a Spark master"),
        (413, "", "larger than it accepts"),
        (400, r#"{"action":"ErrorResponse","message":"malformed"}"#, "with status 400: malformed"),
    ] {
        let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["FINISHED"]));
        locked(&master.state).instead.push_back(("/v1/submissions/create", Answer::Of(status, body.to_owned())));
        let (chain, retryable) = node(in_the_cluster(&spark, &master)).unwrap_err();
        assert!(chain[0].contains(wanted) && !retryable, "{status}: {chain:?}");
        assert_eq!(master.submissions(), 1);
    }
}

/// C2: a master that redirects to another server what carries the token and the secrets of a job.
#[test]
fn a_submission_follows_no_redirect() {
    for status in [301, 302, 303, 307, 308] {
        let other = FakeMaster::start(&["FINISHED"]);
        let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["FINISHED"]));
        let elsewhere = format!("http://127.0.0.1:{}/v1/submissions/create?token=hidden", other.server.port);
        locked(&master.state).instead.push_back(("/v1/submissions/create", Answer::Redirect(status, elsewhere)));
        let (chain, retryable) = node(in_the_cluster(&spark, &master)).unwrap_err();
        let wanted = format!("a redirect to http://127.0.0.1:{} that is not followed", other.server.port);
        assert!(chain[0].contains(&wanted) && !chain[0].contains("hidden") && !retryable, "{status}: {chain:?}");
        assert_eq!((other.server.requests().len(), master.submissions()), (0, 1), "{status}");
    }
}

#[test]
fn a_submission_whose_answer_is_lost_is_found_by_its_tag_and_not_repeated() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING", "FINISHED"]));
    locked(&master.state).says = Some(Answer::Cut);
    let job = node(in_the_cluster(&spark, &master)).unwrap();
    assert_eq!(job.submission_id.as_deref(), Some("driver-20260131060000-0000"));
    assert_eq!(master.submissions(), 1);
}

#[test]
fn an_unlaunched_driver_of_unknown_origin_does_not_block_a_submission() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["ERROR"]));
    node(in_the_cluster(&spark, &master)).unwrap_err();
    // The next submission does not arrive. The log of the first driver does not show whose it was,
    // but it has done nothing.
    locked(&master.state).life = vec!["FINISHED"];
    locked(&master.state).instead.push_back(("/v1/submissions/create", Answer::Cut));
    let job = node(in_the_cluster(&spark, &master)).unwrap();
    assert_eq!(job.submission_id.as_deref(), Some("driver-20260131060000-0001"));
}

#[test]
fn a_retry_after_a_failure_submits_anew() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["FAILED"]));
    let dag = Dag::build("again", || {
        spark_submit("job", in_the_cluster(&spark, &master)).retries(1).retry_delay(Duration::ZERO)
    });
    let report = live(dag.unwrap().run());
    assert_eq!(report.task("job").unwrap().state(), TaskState::Failed);
    assert_eq!(master.submissions(), 2);
}

#[test]
fn two_jobs_of_one_task_are_distinguished_when_it_continues() {
    static CLUSTER: Mutex<Option<Arc<(Spark, FakeMaster)>>> = Mutex::new(None);
    #[task(deferrable)]
    async fn both(ctx: &TaskContext) -> Result<(String, String)> {
        let cluster = locked(&CLUSTER).clone().ok_or("it is set")?;
        let (spark, master) = &*cluster;
        let first = in_the_cluster(spark, master).arg("first").run(ctx).await?;
        let second = in_the_cluster(spark, master).arg("second").run(ctx).await?;
        Ok((first.submission_id.unwrap_or_default(), second.submission_id.unwrap_or_default()))
    }
    let cluster = Arc::new((Spark::of("exit 0"), FakeMaster::start(&["SUBMITTED", "RUNNING", "FINISHED"])));
    *locked(&CLUSTER) = Some(Arc::clone(&cluster));
    let report = live(Dag::build("both", both).unwrap().run());
    let (first, second) = report.success().unwrap();
    assert!(first.ends_with("-0000") && second.ends_with("-0001"), "{first} {second}");
    let args: Vec<_> = locked(&cluster.1.state).drivers.iter().map(|driver| driver.args[0].clone()).collect();
    assert_eq!(args, ["first", "second"]);
    // What a static holds is never dropped, and the files of this Spark would stay.
    *locked(&CLUSTER) = None;
}

#[test]
fn cancelling_a_run_kills_the_driver_it_waits_for() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING"]));
    let job = in_the_cluster(&spark, &master).poll_interval(Duration::from_secs(1000));
    let dag = Dag::build("cancelled", || spark_submit("job", job.clone())).unwrap();
    let handle = dag.run().start().unwrap();
    eventually("the driver runs", || master.server.count("/v1/submissions/status") > 0);
    handle.control().cancel("enough");
    finish(handle);
    eventually("the driver is killed", || locked(&master.state).drivers[0].state() == "KILLED");
}

#[test]
fn the_error_reports_a_driver_that_does_not_die() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING"]));
    locked(&master.state).immortal = true;
    let job = in_the_cluster(&spark, &master).run_timeout(SOON).kill_timeout(SOON);
    let error = awaited(job).unwrap_err();
    assert!(error.to_string().ends_with("it was asked to end, but its end is NOT confirmed"), "{error}");
}

#[test]
fn a_detached_driver_is_not_killed() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING"]));
    let job = in_the_cluster(&spark, &master).detach().poll_interval(Duration::from_secs(1000));
    let dag = Dag::build("detached", || spark_submit("job", job.clone())).unwrap();
    let handle = dag.run().start().unwrap();
    eventually("the driver runs", || master.server.count("/v1/submissions/status") > 0);
    handle.control().cancel("enough");
    finish(handle);
    assert_eq!(master.server.count("/v1/submissions/kill"), 0);
}

#[test]
fn a_driver_without_resources_is_killed_at_its_timeout() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["SUBMITTED"]));
    let error = awaited(in_the_cluster(&spark, &master).queue_timeout(Duration::from_millis(50))).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Queue, confirmed: true, .. }), "{error}");
    assert_eq!(locked(&master.state).drivers[0].state(), "KILLED");
}

#[test]
fn dropping_the_future_kills_its_driver() {
    let (spark, master) = (Spark::of("exit 0"), FakeMaster::start(&["RUNNING"]));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let context = TaskContext::detached("dropped");
        let job = in_the_cluster(&spark, &master).run(&context);
        let running = async {
            while master.server.count("/v1/submissions/status") == 0 {
                tokio::time::sleep(SOON).await;
            }
        };
        tokio::select! {
            job = job => panic!("{job:?}"),
            () = running => {}
        }
    });
    eventually("the driver is killed", || locked(&master.state).drivers[0].state() == "KILLED");
}

#[test]
fn the_tasks_of_an_application_are_the_progress_of_its_task() {
    let pages = Server::start(|request| match request.path.as_str() {
        "/api/v1/applications" => Answer::Of(200, r#"[{"id":"app-1"}]"#.to_owned()),
        "/api/v1/applications/app-1/jobs" => {
            Answer::Of(200, r#"[{"numTasks":8,"numCompletedTasks":3,"numSkippedTasks":0}]"#.to_owned())
        }
        _ => Answer::Of(404, String::new()),
    });
    let spark = Spark::of(&format!(
        r#"echo "26/11/22 08:40:55 INFO Utils: Successfully started service 'SparkUI' on port {}." >&2
           while [ ! -e "$GO" ]; do sleep 0.05; done"#,
        pages.port
    ));
    let go = spark.path("go");
    let job = spark.job("job.py").env("GO", go.to_str().unwrap()).poll_interval(SOON);
    let dag = Dag::build("progress", || spark_submit("job", job.clone())).unwrap();
    let handle = dag.run().start().unwrap();
    let control = handle.control();
    eventually("there is progress", || control.running().iter().any(|task| task.progress == Some((3, 8))));
    std::fs::write(go, "").unwrap();
    assert!(finish(handle).success().is_ok());
}
