//! A cluster of a real Spark on loopback: a master with its REST server, and two workers of one core each.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::daemon::Daemon;
use super::installed::{JAVA, Spark};
use super::server::Request;
use crate::common::locked;

/// A master and two workers, on addresses of their own of this machine.
pub(crate) struct Cluster {
    pub(crate) spark: Spark,
    pub(crate) master: String,
    pub(crate) rest_port: u16,
    pub(crate) ui_port: u16,
    daemons: Vec<Daemon>,
    folder: TempDir,
}

impl Cluster {
    /// The cluster that the tests of a program share, for as long as one of them holds it.
    pub(crate) fn shared() -> Arc<Cluster> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

        let mut shared = locked(&SHARED);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Cluster::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// A place for the files of tests, which the workers see as well.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn start() -> Cluster {
        let (spark, folder) = (Spark::find(), tempfile::tempdir().expect("temporary directories can be made"));
        let rest_port = free_port();
        let rest = format!(
            "-Dspark.master.rest.enabled=true -Dspark.master.rest.host=127.0.0.1 -Dspark.master.rest.port={rest_port}"
        );
        let daemon = |host: &str, role: &str, words: &[&str]| {
            let log = folder.path().join(format!("{role}-{host}.log"));
            let mut command = Command::new(spark.home.join("bin/spark-class"));
            let class = format!("org.apache.spark.deploy.{}.{role}", role.to_lowercase());
            command.arg(class).args(["--host", host, "--port", "0", "--webui-port", "0"]).args(words);
            for variable in ["SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY", "SPARK_MASTER_HOST", "SPARK_MASTER_PORT"] {
                command.env_remove(variable);
            }
            command.env("SPARK_HOME", &spark.home).env("SPARK_LOCAL_IP", host).env("SPARK_DAEMON_MEMORY", "256m");
            command.env("SPARK_MASTER_OPTS", &rest).env("SPARK_LOCAL_DIRS", folder.path());
            // Workers hand these on to their executors and drivers.
            command.env("PYSPARK_PYTHON", &spark.python).env("JAVA_TOOL_OPTIONS", JAVA);
            command.current_dir(folder.path());
            Daemon::start(command, log)
        };
        let master = daemon("127.0.0.1", "Master", &[]);
        let address = master.word_after("Starting Spark master at ");
        let ui = master.word_after("Successfully started service 'MasterUI' on port ");
        let ui_port = ui.trim_end_matches('.').parse().expect("a port is a number");
        master.word_after("Started REST server for submitting applications on ");
        // Spark runs no second copy of a task on the host of the first.
        let workers = ["127.0.0.1", "127.0.0.2"].map(|host| {
            let work = folder.path().join(format!("work-{host}"));
            let work = work.to_str().expect("temporary paths are text");
            daemon(host, "Worker", &["--cores", "1", "--memory", "1g", "--work-dir", work, &address])
        });
        for worker in &workers {
            worker.word_after("Successfully registered with master ");
        }
        let daemons = workers.into_iter().chain([master]).collect();
        Cluster { spark, master: address, rest_port, ui_port, daemons, folder }
    }

    /// The processes of executors.
    pub(crate) fn executors(&self) -> Vec<Pid> {
        let workers = self.daemons.iter().map(Daemon::id);
        let children = workers.flat_map(children_of);
        children.filter(|(_, line)| line.contains("CoarseGrainedExecutorBackend")).map(|(pid, _)| pid).collect()
    }
}

/// The REST server must know its port: it puts that of the master in its place in what is submitted to it.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port()
}

/// The children of a process, each with its command line.
pub(crate) fn children_of(parent: u32) -> Vec<(Pid, String)> {
    let entries = fs::read_dir("/proc").expect("there is /proc").filter_map(|entry| Some(entry.ok()?.path()));
    let child = |path: PathBuf| {
        let pid = Pid::from_raw(path.file_name()?.to_str()?.parse().ok()?)?;
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let of: u32 = stat.rsplit(") ").next()?.split(' ').nth(1)?.parse().ok()?;
        let line = fs::read_to_string(path.join("cmdline")).ok()?;
        (of == parent).then(|| (pid, line.replace('\0', " ")))
    };
    entries.filter_map(child).collect()
}

/// Kills one process, and not its group.
pub(crate) fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).expect("the process is there");
}

/// Hands a request on to a port of this machine: status and body of the answer.
pub(crate) fn hand_on(port: u16, request: &Request) -> (u16, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let Request { method, path, body, .. } = request;
    let head = format!(
        "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    socket.write_all((head + body).as_bytes()).expect("it listens");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("it answers");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("an answer has a status");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    (status, body.unwrap_or_default())
}
