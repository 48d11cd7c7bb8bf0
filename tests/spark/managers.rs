//! Jobs in cluster mode on YARN and Kubernetes, against a fake resource manager, a fake API server
//! and a fake `spark-submit`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use taskflow::Config;
use taskflow::prelude::*;
use taskflow::spark::{DeployMode, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};
use taskflow_tests::common::{live, locked};
use taskflow_tests::spark::fake_spark::Spark;
use taskflow_tests::spark::server::{Answer, Request, Server};

const SOON: Duration = Duration::from_millis(5);

/// What a cluster knows.
#[derive(Default)]
struct Known {
    /// What was submitted, by the name or the tag that it was given.
    names: Vec<String>,
    /// What is answered to one question after the other; the last one stays.
    life: VecDeque<Value>,
    /// What is answered instead, first, to questions about what was submitted.
    instead: VecDeque<Answer>,
    /// It answers everything with this status and a page.
    refuses: Option<u16>,
    killed: bool,
}

impl Known {
    fn step(&mut self) -> Value {
        match self.life.len() {
            0 => Value::Null,
            1 => self.life[0].clone(),
            _ => self.life.pop_front().unwrap_or_default(),
        }
    }
}

/// A cluster that learns of submissions from the script of [`submitter`].
struct Manager {
    server: Server,
    known: Arc<Mutex<Known>>,
}

impl Manager {
    fn start(life: impl IntoIterator<Item = Value>, answer: fn(&mut Known, &Request) -> Answer) -> Self {
        let known = Arc::new(Mutex::new(Known { life: life.into_iter().collect(), ..Known::default() }));
        let shared = Arc::clone(&known);
        let server = Server::start(move |request| {
            let mut known = locked(&shared);
            if let Some(name) = request.path.strip_prefix("/submitted/") {
                known.names.extend((!name.is_empty()).then(|| name.to_owned()));
                return Answer::Of(200, String::new());
            }
            if let Some(status) = known.refuses {
                return Answer::Of(status, "<html>".to_owned());
            }
            let asked = request.method == "GET" && !known.names.is_empty();
            match known.instead.pop_front_if(|_| asked) {
                Some(instead) => instead,
                None => answer(&mut known, request),
            }
        });
        Manager { server, known }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port)
    }

    /// A `spark-submit` that passes on the value of a property and ends with an exit code.
    fn submitter(&self, property: &str, code: u8) -> Spark {
        Spark::of(&format!(
            r#"while [ $# -gt 0 ]; do [ "$1" = --properties-file ] && file=$2; shift; done
               cp "$file" "$(dirname "$0")/conf"
               name=$(sed -n 's/^{property}=//p' "$file")
               exec 3<>/dev/tcp/127.0.0.1/{port}
               printf 'POST /submitted/%s HTTP/1.0\r\n\r\n' "$name" >&3
               cat <&3 > /dev/null
               echo "Exception in thread \"main\" org.apache.spark.SparkException: said at the end" >&2
               exit {code}"#,
            port = self.server.port,
        ))
    }
}

fn yarn(known: &mut Known, request: &Request) -> Answer {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let json = match path.strip_prefix("/ws/v1/cluster/") {
        Some("info") => json!({"clusterInfo": {"state": "STARTED"}}),
        Some("apps") => {
            let known = known.names.iter().any(|name| query.contains(&format!("applicationTags={name}")));
            if known { json!({"apps": {"app": [{"id": "application_1_0001"}]}}) } else { json!({"apps": null}) }
        }
        Some("apps/application_1_0001/state") => {
            known.killed = true;
            known.life = [json!({"state": "KILLED", "finalStatus": "KILLED"})].into();
            json!({"state": "KILLED"})
        }
        Some("apps/application_1_0001") => match known.step() {
            Value::Null => return Answer::Of(404, r#"{"RemoteException":{}}"#.to_owned()),
            app => json!({"app": app}),
        },
        _ => return Answer::Of(404, "<html>".to_owned()),
    };
    Answer::Of(200, json.to_string())
}

fn kubernetes(known: &mut Known, request: &Request) -> Answer {
    let token = request.head.contains("authorization: bearer a-token-of-kubernetes");
    if !token {
        return Answer::Of(401, String::new());
    }
    let name = request.path.strip_prefix("/api/v1/namespaces/jobs/pods/").unwrap_or_default();
    if name.contains("/log?container=spark-kubernetes-driver") {
        return Answer::Of(200, "26/11/22 08:40:55 ERROR Job: no rows\n".to_owned());
    }
    if !known.names.iter().any(|known| known == name) {
        return Answer::Of(404, json!({"kind": "Status", "code": 404}).to_string());
    }
    if request.method == "DELETE" {
        known.killed = true;
        known.names.clear();
        return Answer::Of(200, json!({"kind": "Pod"}).to_string());
    }
    let tag = name.strip_suffix("-driver").unwrap_or_default();
    match known.step() {
        Value::Null => Answer::Of(404, json!({"kind": "Status", "code": 404}).to_string()),
        status => {
            let pod = json!({"kind": "Pod", "metadata": {"labels": {"taskflow-tag": tag}}, "status": status});
            Answer::Of(200, pod.to_string())
        }
    }
}

/// The status of a pod whose driver is in this state.
fn pod(phase: &str, state: &Value) -> Value {
    json!({"phase": phase, "containerStatuses": [
        {"name": "sidecar", "state": {"terminated": {"exitCode": 9}}},
        {"name": "spark-kubernetes-driver", "state": state},
    ]})
}

fn on_yarn(manager: &Manager, spark: &Spark) -> SparkSubmit {
    let job = spark.job("job.py").master("yarn").deploy_mode(DeployMode::Cluster).resource_manager(manager.url());
    job.poll_interval(SOON)
}

fn awaited<R: taskflow::Value>(job: SparkSubmit<R>, config: &Config) -> Result<SparkJob<R>, SparkError> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    runtime.block_on(job.run(&TaskContext::detached("job").with_config(config)))
}

fn on_kubernetes(manager: &Manager, spark: &Spark) -> Result<SparkJob, SparkError> {
    let connection =
        format!("k8s://:a-token-of-kubernetes@cluster?namespace=jobs&spark-home={}", spark.path("").display());
    let config = Config::builder().connection("lake", &connection).build().expect("it is a connection");
    let app = spark.path("job.py").to_str().expect("temporary paths are text").to_owned();
    let job = SparkSubmit::app(app).master(format!("k8s://{}", manager.url())).connection("lake");
    awaited(job.deploy_mode(DeployMode::Cluster).env("A", "1").poll_interval(SOON), &config)
}

#[test]
fn a_job_on_yarn_is_found_by_its_tag_and_followed_to_its_end() {
    let state = |state: &str, end: &str| json!({"state": state, "finalStatus": end});
    let life = [state("ACCEPTED", "UNDEFINED"), state("RUNNING", "UNDEFINED"), state("FINISHED", "SUCCEEDED")];
    let manager = Manager::start(life, yarn);
    let spark = manager.submitter("spark.yarn.tags", 0);
    let dag =
        Dag::build("yarn", || spark_submit("job", on_yarn(&manager, &spark).env("A", "1").queue("nightly"))).unwrap();
    let report = live(dag.run());
    let job = report.success().unwrap();
    assert_eq!(job.application_id.as_deref(), Some("application_1_0001"));
    let conf = std::fs::read_to_string(spark.path("bin/conf")).unwrap();
    for line in ["spark.yarn.submit.waitAppCompletion=false", "spark.yarn.appMasterEnv.A=1", "spark.yarn.queue=nightly"]
    {
        assert!(conf.lines().any(|known| known == line), "{line} is not in {conf}");
    }
    assert_eq!(locked(&manager.known).names.len(), 1);
}

#[test]
fn the_state_that_yarn_reports_wins_over_the_exit_code() {
    let config = Config::builder().build().unwrap();
    // The submission reports a failure, but the application exists.
    let failed = json!({"state": "FINISHED", "finalStatus": "FAILED", "diagnostics": "User class threw exception"});
    let manager = Manager::start([failed], yarn);
    let spark = manager.submitter("spark.yarn.tags", 1);
    let error = awaited(on_yarn(&manager, &spark), &config).unwrap_err();
    assert_eq!(error.output(), Some("User class threw exception"));
    // `spark-submit` reports a failure, and the cluster has no application.
    let manager = Manager::start([], yarn);
    let spark = manager.submitter("spark.no.such", 1);
    let error = awaited(on_yarn(&manager, &spark), &config).unwrap_err();
    assert!(error.output().is_some_and(|output| output.ends_with("said at the end")), "{error:?}");
    // It vanishes.
    let manager = Manager::start([], yarn);
    let spark = manager.submitter("spark.yarn.tags", 0);
    let error = awaited(on_yarn(&manager, &spark), &config).unwrap_err();
    assert!(matches!(error, SparkError::DriverLost { retryable: true, .. }), "{error}");
}

/// What comes from a server that is overloaded, or starts, or from a proxy before it.
fn noise() -> [Answer; 6] {
    let of = |status: u16, text: &str| Answer::Of(status, text.to_owned());
    let late = Answer::Late(Duration::from_millis(300), 503, String::new());
    [of(500, "oops"), of(200, "<html>wait</html>"), of(200, r#"{"app": {"sta"#), Answer::Cut, of(502, "<html>"), late]
}

#[test]
fn inconclusive_answers_do_not_end_the_wait() {
    let state = |state: &str, end: &str| json!({"state": state, "finalStatus": end});
    let manager = Manager::start([state("RUNNING", "UNDEFINED"), state("FINISHED", "SUCCEEDED")], yarn);
    locked(&manager.known).instead.extend(noise());
    let spark = manager.submitter("spark.yarn.tags", 0);
    awaited(on_yarn(&manager, &spark), &Config::builder().build().unwrap()).unwrap();
    assert!(locked(&manager.known).instead.is_empty());

    let running = pod("Running", &json!({"running": {}}));
    let unknown = json!({"phase": "Unknown"});
    let over = pod("Succeeded", &json!({"terminated": {"exitCode": 0}}));
    let manager = Manager::start([running.clone(), unknown, running, over], kubernetes);
    locked(&manager.known).instead.extend(noise());
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    on_kubernetes(&manager, &spark).unwrap();
    assert!(locked(&manager.known).instead.is_empty());
}

/// C2: cluster managers that redirect a question, which may carry a token, to another server.
#[test]
fn redirects_of_a_cluster_manager_are_not_followed() {
    let other = Server::start(|_| Answer::Of(200, r#"{"app": {"state": "FAILED", "finalStatus": "FAILED"}}"#.into()));
    let redirects =
        || [301, 302, 307].map(|status| Answer::Redirect(status, format!("http://127.0.0.1:{}/", other.port)));

    let manager = Manager::start([json!({"state": "FINISHED", "finalStatus": "SUCCEEDED"})], yarn);
    locked(&manager.known).instead.extend(redirects());
    let spark = manager.submitter("spark.yarn.tags", 0);
    awaited(on_yarn(&manager, &spark), &Config::builder().build().unwrap()).unwrap();
    assert!(locked(&manager.known).instead.is_empty());

    let manager = Manager::start([pod("Succeeded", &json!({"terminated": {"exitCode": 0}}))], kubernetes);
    locked(&manager.known).instead.extend(redirects());
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    on_kubernetes(&manager, &spark).unwrap();
    assert!(locked(&manager.known).instead.is_empty());

    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn denied_access_and_a_missing_cluster_are_reported_before_anything_is_submitted() {
    let config = Config::builder().build().unwrap();
    for (status, wanted) in [
        (401, "denied access with status 401"),
        (403, "denied access with status 403"),
        (404, "answered with status 404"),
    ] {
        let manager = Manager::start([], yarn);
        locked(&manager.known).refuses = Some(status);
        let spark = manager.submitter("spark.yarn.tags", 0);
        let error = awaited(on_yarn(&manager, &spark), &config).unwrap_err();
        assert!(error.to_string().contains(wanted), "{error}");
        assert_eq!(locked(&manager.known).names.len(), 0);

        let manager = Manager::start([], kubernetes);
        locked(&manager.known).refuses = Some(status);
        let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
        let error = on_kubernetes(&manager, &spark).unwrap_err();
        let wanted = if status == 404 { "is not the API server of Kubernetes" } else { wanted };
        assert!(error.to_string().contains(wanted), "{error}");
        assert_eq!(locked(&manager.known).names.len(), 0);
    }
}

#[test]
fn a_job_on_yarn_that_times_out_is_killed() {
    let manager = Manager::start([json!({"state": "RUNNING", "finalStatus": "UNDEFINED"})], yarn);
    let spark = manager.submitter("spark.yarn.tags", 0);
    let job = on_yarn(&manager, &spark).run_timeout(Duration::from_millis(50));
    let error = awaited(job, &Config::builder().build().unwrap()).unwrap_err();
    assert!(matches!(error, SparkError::TimedOut { of: Limit::Run, confirmed: true, .. }), "{error}");
    assert!(locked(&manager.known).killed);
}

#[test]
fn yarn_without_a_resource_manager_is_a_clear_error() {
    let spark = Spark::of("exit 0");
    let job = spark.job("job.py").master("yarn").deploy_mode(DeployMode::Cluster);
    let error = awaited(job, &Config::builder().build().unwrap()).unwrap_err();
    assert!(error.to_string().contains("`yarn_resourcemanager_webapp_address`") && !error.is_retryable(), "{error}");
}

#[test]
fn a_pod_is_judged_by_the_container_of_its_driver() {
    let ends = |code: i32| json!({"terminated": {"exitCode": code, "reason": "Error"}});
    let life = [pod("Pending", &json!({})), pod("Running", &json!({"running": {}})), pod("Running", &ends(0))];
    let manager = Manager::start(life, kubernetes);
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    let job = on_kubernetes(&manager, &spark).unwrap();
    assert!(job.submission_id.as_ref().is_some_and(|name| name.starts_with("taskflow-") && name.ends_with("-driver")));
    let conf = std::fs::read_to_string(spark.path("bin/conf")).unwrap();
    for line in ["spark.kubernetes.namespace=jobs", "spark.kubernetes.driverEnv.A=1"] {
        assert!(conf.lines().any(|known| known == line), "{line} is not in {conf}");
    }
    let manager = Manager::start([pod("Failed", &ends(3))], kubernetes);
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    let error = on_kubernetes(&manager, &spark).unwrap_err();
    assert!(error.output().is_some_and(|output| output.contains("exit code 3")), "{error:?}");
}

#[test]
fn an_unavailable_image_or_a_missing_pod_fails_the_job() {
    let waits = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let manager = Manager::start([pod("Pending", &waits)], kubernetes);
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    let error = on_kubernetes(&manager, &spark).unwrap_err();
    assert!(matches!(&error, SparkError::DriverFailed { state, .. } if state == "ImagePullBackOff"), "{error}");
    // It is there when it is looked for, and then no more.
    let manager = Manager::start([pod("Running", &json!({"running": {}})), Value::Null], kubernetes);
    let spark = manager.submitter("spark.kubernetes.driver.pod.name", 0);
    let error = on_kubernetes(&manager, &spark).unwrap_err();
    assert!(matches!(error, SparkError::DriverLost { retryable: true, .. }), "{error}");
}
