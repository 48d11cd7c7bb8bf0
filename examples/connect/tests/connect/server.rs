//! A Spark Connect server of a real Spark, on this machine.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Deserialize;
use taskflow::{Config, Engine};
use tempfile::TempDir;

use crate::daemon::{Daemon, PATIENCE};
use crate::installed::{Spark, java};

const CLASS: &str = "org.apache.spark.sql.connect.service.SparkConnectServer";

pub(crate) struct Server {
    pub(crate) address: String,
    ui: String,
    application: String,
    // Ends before its directory goes.
    _daemon: Daemon,
    folder: TempDir,
}

/// A job, as the web pages of Spark have it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Job {
    pub(crate) status: String,
    #[serde(default)]
    job_tags: Vec<String>,
}

impl Job {
    /// The tags of the client, of which Spark makes longer ones.
    pub(crate) fn has_tag(&self, tag: &str) -> bool {
        self.job_tags.iter().any(|long| long.ends_with(&format!("_Tag_{tag}")))
    }
}

impl Server {
    /// The server that the tests of a program share, for as long as one of them holds it.
    pub(crate) fn shared() -> Arc<Server> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());

        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            // Answers end when they are whole.
            let server = Arc::new(Server::start("0"));
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// A server that ends its answers after some time.
    pub(crate) fn start(answers: &str) -> Server {
        let (spark, folder) = (Spark::find(), tempfile::tempdir().expect("temporary directories can be made"));
        let mut command = Command::new(spark.home.join("bin/spark-class"));
        command.args(["org.apache.spark.deploy.SparkSubmit", "--master", "local[2]", "--class", CLASS]);
        let answers = format!("spark.connect.execute.reattachable.senderMaxStreamDuration={answers}");
        for property in [
            answers.as_str(),
            "spark.connect.execute.reattachable.senderMaxStreamSize=0",
            "spark.connect.grpc.binding.address=127.0.0.1",
            "spark.connect.grpc.binding.port=0",
            "spark.connect.progress.reportInterval=50ms",
            "spark.sql.shuffle.partitions=2",
            "spark.ui.port=0",
        ] {
            command.args(["--conf", property]);
        }
        // The server takes its heap from there.
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
            serde_json::from_str::<serde_json::Value>(&get(&ui, "applications")).expect("Spark speaks JSON");
        let application = application[0]["id"].as_str().expect("it has an id").to_owned();
        Server { address, ui, application, _daemon: daemon, folder }
    }

    /// A place for the files of tests, which the server sees as well.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A configuration whose connection `spark_connect` leads here.
    pub(crate) fn config(&self) -> Config {
        let address = format!("sc://{}", self.address);
        Config::builder().connection("spark_connect", &address).build().expect("the address is one")
    }

    /// An engine with that configuration.
    pub(crate) fn engine(&self) -> Engine {
        Engine::builder().config(&self.config()).build().expect("an engine can be had")
    }

    /// The jobs that have a tag.
    pub(crate) fn jobs(&self, tag: &str) -> Vec<Job> {
        let jobs = get(&self.ui, &format!("applications/{}/jobs", self.application));
        let jobs: Vec<Job> = serde_json::from_str(&jobs).unwrap_or_else(|error| panic!("{error}: {jobs}"));
        jobs.into_iter().filter(|job| job.has_tag(tag)).collect()
    }
}

/// Looks again and again until `condition` holds.
#[track_caller]
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn get(place: &str, what: &str) -> String {
    let mut socket = TcpStream::connect(place).expect("Spark's web pages are there");
    write!(socket, "GET /api/v1/{what} HTTP/1.0\r\nHost: {place}\r\n\r\n").expect("they listen");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("they answer");
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).expect("an answer has a body")
}
