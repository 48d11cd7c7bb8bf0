//! A real Spark cluster on loopback: a master with its REST server, and two workers with one core
//! each.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::daemon::Daemon;
use super::installed::{Spark, java};
use super::server::Request;
use crate::common::locked;

/// A master and two workers, on addresses of their own of this machine.
pub struct Cluster {
    pub spark: Spark,
    pub master: String,
    pub rest_port: u16,
    pub ui_port: u16,
    workers: Vec<Daemon>,
    the_master: Mutex<Option<Daemon>>,
    folder: TempDir,
}

impl Cluster {
    /// The cluster that the tests of a program share, for as long as one of them holds it.
    pub fn shared() -> Arc<Cluster> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

        let mut shared = locked(&SHARED);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Cluster::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// For one test at a time: an application takes all cores of the cluster.
    pub fn turn() -> MutexGuard<'static, ()> {
        static TURN: Mutex<()> = Mutex::new(());

        locked(&TURN)
    }

    /// A place for the files of tests, which the workers see as well.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn start() -> Cluster {
        let (spark, folder) = (Spark::find(), tempfile::tempdir().expect("temporary directories can be made"));
        let rest_port = free_port();
        let master = start_master(&spark, folder.path(), rest_port, 0, 0);
        let address = master.word_after("Starting Spark master at ");
        let ui = master.word_after("Successfully started service 'MasterUI' on port ");
        let ui_port = ui.trim_end_matches('.').parse().expect("a port is a number");
        master.word_after(READY);
        // Spark runs no second copy of a task on the host of the first.
        let workers = ["127.0.0.1", "127.0.0.2"].map(|host| {
            let work = folder.path().join(format!("work-{host}"));
            let work = work.to_str().expect("temporary paths are text");
            let words = ["--webui-port", "0", "--cores", "1", "--memory", "1g", "--work-dir", work, &address];
            daemon(&spark, folder.path(), "Worker", host, &words, "")
        });
        for worker in &workers {
            worker.word_after(REGISTERED);
        }
        let (workers, the_master) = (workers.into(), Mutex::new(Some(master)));
        Cluster { spark, master: address, rest_port, ui_port, workers, the_master, folder }
    }

    /// Kills the master, and starts another that finds what the first has written down.
    pub fn restart_the_master(&self) {
        let mut master = locked(&self.the_master);
        let old = master.take().expect("it runs");
        old.kill();
        let port = self.master.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address has a port");
        let new = start_master(&self.spark, self.folder.path(), self.rest_port, port, self.ui_port);
        new.word_after(READY);
        *master = Some(new);
    }

    /// The processes of executors.
    pub fn executors(&self) -> Vec<Pid> {
        let workers = self.workers.iter().map(Daemon::id);
        let children = workers.flat_map(children_of);
        children.filter(|(_, line)| line.contains("CoarseGrainedExecutorBackend")).map(|(pid, _)| pid).collect()
    }
}

impl Drop for Cluster {
    /// Nothing is left behind: everything that Spark starts inherits the folder of the cluster in
    /// its environment.
    fn drop(&mut self) {
        self.workers.clear();
        drop(locked(&self.the_master).take());
        let start = Instant::now();
        while !with_environment(self.folder()).is_empty() && start.elapsed() < Duration::from_secs(30) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let left = with_environment(self.folder());
        assert!(left.is_empty() || std::thread::panicking(), "these are left behind: {left:#?}");
    }
}

/// The last line that a master logs when it starts.
const READY: &str = "Started REST server for submitting applications on ";
/// The last line that a worker logs when it starts.
const REGISTERED: &str = "Successfully registered with master ";

fn start_master(spark: &Spark, folder: &Path, rest_port: u16, port: u16, ui_port: u16) -> Daemon {
    let options = format!(
        "-Dspark.master.rest.enabled=true -Dspark.master.rest.host=127.0.0.1 -Dspark.master.rest.port={rest_port} \
         -Dspark.deploy.recoveryMode=FILESYSTEM -Dspark.deploy.recoveryDirectory={}",
        folder.join("recovery").display()
    );
    let words = ["--port", &port.to_string(), "--webui-port", &ui_port.to_string()];
    daemon(spark, folder, "Master", "127.0.0.1", &words, &options)
}

fn daemon(spark: &Spark, folder: &Path, role: &str, host: &str, words: &[&str], options: &str) -> Daemon {
    let log = folder.join(format!("{role}-{host}.log"));
    let mut command = Command::new(spark.home.join("bin/spark-class"));
    let class = format!("org.apache.spark.deploy.{}.{role}", role.to_lowercase());
    command.args([&class, "--host", host]).args(words);
    for variable in ["SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY", "SPARK_MASTER_HOST", "SPARK_MASTER_PORT"] {
        command.env_remove(variable);
    }
    command.env("SPARK_HOME", &spark.home).env("SPARK_LOCAL_IP", host).env("SPARK_DAEMON_MEMORY", "256m");
    command.env("SPARK_MASTER_OPTS", options).env("SPARK_LOCAL_DIRS", folder).env("TMPDIR", folder);
    // Workers hand these on to their executors and drivers.
    command.env("PYSPARK_PYTHON", &spark.python).env("JAVA_TOOL_OPTIONS", java(folder));
    command.current_dir(folder);
    Daemon::start(command, log)
}

/// The processes in whose environment this folder is.
fn with_environment(folder: &Path) -> Vec<String> {
    let folder = folder.to_str().expect("temporary paths are text");
    let entries = fs::read_dir("/proc").expect("there is /proc").filter_map(|entry| Some(entry.ok()?.path()));
    let named = |path: PathBuf| {
        let environment = fs::read(path.join("environ")).ok()?;
        let line = fs::read_to_string(path.join("cmdline")).ok()?;
        String::from_utf8_lossy(&environment).contains(folder).then(|| format!("{}: {line}", path.display()))
    };
    entries.filter_map(named).collect()
}

/// The REST server must know its port: it puts that of the master in its place in what is submitted
/// to it.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port()
}

/// The children of a process, each with its command line.
pub fn children_of(parent: u32) -> Vec<(Pid, String)> {
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
pub fn kill(pid: Pid) {
    kill_process(pid, Signal::KILL).expect("the process is there");
}

/// Hands a request on to a port of this machine: status and body of the answer.
pub fn forward_request(port: u16, request: &Request) -> (u16, String) {
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
