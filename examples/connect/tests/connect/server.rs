//! A real Spark Connect server on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Deserialize;
use taskflow::{Config, Engine};
use tempfile::TempDir;

use crate::daemon::Daemon;
use crate::installed::{Spark, java};
use crate::patience::PATIENCE;

const CLASS: &str = "org.apache.spark.sql.connect.service.SparkConnectServer";

pub(crate) struct Server {
    pub(crate) address: String,
    ui: String,
    application: String,
    // Declared before the directory, so that the server ends before the directory is removed.
    _daemon: Daemon,
    folder: TempDir,
}

/// A job, in the form of Spark's REST API.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) status: String,
    #[serde(default)]
    job_tags: Vec<String>,
}

impl Job {
    /// Whether the job has a tag of the client. Spark adds a prefix to it.
    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.job_tags.iter().any(|long| long.ends_with(&format!("_Tag_{tag}")))
    }
}

impl Server {
    /// The server that the tests share. It ends with the last test that uses it.
    pub(crate) fn shared() -> Arc<Server> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            // Without a limit on the duration of a response.
            let server = Arc::new(Server::start("0"));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server with a limit on the duration of a response.
    pub(crate) fn start(max_duration: &str) -> Server {
        let (spark, folder) = (Spark::find(), tempfile::tempdir().expect("temporary directories can be made"));
        let mut command = Command::new(spark.home.join("bin/spark-class"));
        command.args(["org.apache.spark.deploy.SparkSubmit", "--master", "local[2]", "--class", CLASS]);
        let duration = format!("spark.connect.execute.reattachable.senderMaxStreamDuration={max_duration}");
        for property in [
            duration.as_str(),
            "spark.connect.execute.reattachable.senderMaxStreamSize=0",
            "spark.connect.grpc.binding.address=127.0.0.1",
            "spark.connect.grpc.binding.port=0",
            "spark.connect.progress.reportInterval=50ms",
            "spark.sql.shuffle.partitions=2",
            "spark.ui.port=0",
        ] {
            command.args(["--conf", property]);
        }
        // `SPARK_DAEMON_MEMORY` sets the heap of the server.
        command.env("SPARK_HOME", &spark.home).env("SPARK_DAEMON_MEMORY", "1g").env("SPARK_LOCAL_IP", "127.0.0.1");
        command
            .env("SPARK_LOCAL_DIRS", folder.path())
            .env("JAVA_TOOL_OPTIONS", java(folder.path()))
            .current_dir(folder.path());
        let daemon = Daemon::start(command, folder.path().join("server.log"));
        let ui = daemon.word_after("Successfully started service 'SparkUI' on port ");
        let ui = format!("127.0.0.1:{}", ui.trim_end_matches('.'));
        let address = daemon.word_after("Spark Connect server started at: ");
        let application =
            serde_json::from_str::<serde_json::Value>(&get(&ui, "applications")).expect("the response is JSON");
        let application = application[0]["id"].as_str().expect("the application has an id").to_owned();
        Server { address, ui, application, _daemon: daemon, folder }
    }

    /// A directory for files of tests that the server can read.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A configuration whose connection `spark_connect` is to this server.
    pub(crate) fn config(&self) -> Config {
        let address = format!("sc://{}", self.address);
        Config::builder().connection("spark_connect", &address).build().expect("the address is valid")
    }

    /// An engine with that configuration.
    pub(crate) fn engine(&self) -> Engine {
        Engine::builder().config(&self.config()).build().expect("the engine can be built")
    }

    /// The jobs with a tag.
    pub(crate) fn jobs(&self, tag: &str) -> Vec<Job> {
        let jobs = get(&self.ui, &format!("applications/{}/jobs", self.application));
        let jobs: Vec<Job> = serde_json::from_str(&jobs).unwrap_or_else(|error| panic!("{error}: {jobs}"));
        jobs.into_iter().filter(|job| job.has_tag(tag)).collect()
    }
}

/// Polls until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "timed out waiting until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(address: &str, path: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("Spark's web server can be reached");
    write!(socket, "GET /api/v1/{path} HTTP/1.0\r\nHost: {address}\r\n\r\n").expect("the request can be sent");
    let mut response = String::new();
    socket.read_to_string(&mut response).expect("the response can be read");
    response.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("a response has a body")
}
