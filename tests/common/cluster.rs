//! A real cluster of Spark on loopback: a master with its REST server, and two workers of one core each.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// For what lives as short as in a test: most of the work of a young Java is compiling what it runs.
pub(crate) const JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// How long the daemons may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// The cluster. It ends with the process that started it, however that ends.
pub(crate) struct Cluster {
    pub(crate) home: PathBuf,
    pub(crate) python: PathBuf,
    pub(crate) master: String,
    pub(crate) rest_port: u16,
    pub(crate) ui_port: u16,
    folder: TempDir,
    /// What kills the daemons waits for the end of its stdin, which is ours alone.
    _guard: Child,
}

impl Cluster {
    /// The one of this test program.
    pub(crate) fn get() -> &'static Cluster {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(Cluster::start)
    }

    /// A place for the files of tests, which the workers see as well.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn start() -> Cluster {
        let (home, python) = spark();
        let folder = tempfile::tempdir().expect("temporary directories can be made");
        let rest_port = free_port();
        let rest = format!(
            "-Dspark.master.rest.enabled=true -Dspark.master.rest.host=127.0.0.1 -Dspark.master.rest.port={rest_port}"
        );
        let daemon = |name: &str, words: &[&str]| {
            let log = File::create(folder.path().join(name)).expect("temporary files can be written");
            let mut command = Command::new(home.join("bin/spark-class"));
            for variable in ["SPARK_WORKER_CORES", "SPARK_WORKER_MEMORY", "SPARK_MASTER_HOST", "SPARK_MASTER_PORT"] {
                command.env_remove(variable);
            }
            command.env("SPARK_HOME", &home).env("SPARK_LOCAL_IP", "127.0.0.1").env("SPARK_DAEMON_MEMORY", "256m");
            // Workers hand it on to their executors and drivers.
            command.env("JAVA_TOOL_OPTIONS", JAVA);
            command
                .env("PYSPARK_PYTHON", &python)
                .env("SPARK_MASTER_OPTS", &rest)
                .env("SPARK_LOCAL_DIRS", folder.path());
            command.args(words).args(["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]);
            let log_too = log.try_clone().expect("a file can be shared");
            command.stdin(Stdio::null()).stdout(log).stderr(log_too).current_dir(folder.path());
            command.spawn().expect("spark-class starts")
        };
        let mut master = daemon("master", &["org.apache.spark.deploy.master.Master"]);
        let logs = folder.path().join("master");
        let url = word_after(&mut master, &logs, "Starting Spark master at ");
        let ui = word_after(&mut master, &logs, "Successfully started service 'MasterUI' on port ");
        let ui_port: u16 = ui.trim_end_matches('.').parse().expect("a port is a number");
        word_after(&mut master, &logs, "Started REST server for submitting applications on ");
        let workers = ["worker-1", "worker-2"].map(|name| {
            let work = folder.path().join(format!("{name}-work"));
            let work = work.to_str().expect("temporary paths are text");
            let class = "org.apache.spark.deploy.worker.Worker";
            let mut command = daemon(name, &[class, "--cores", "1", "--memory", "1g", "--work-dir", work, &url]);
            word_after(&mut command, &folder.path().join(name), "Successfully registered with master ");
            command
        });
        let pids: Vec<String> = workers.iter().chain([&master]).map(|child| child.id().to_string()).collect();
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", r#"read -r _; kill -TERM "$@"; sleep 3; kill -KILL "$@" 2>/dev/null"#, "guard"]).args(pids);
        let guard = guard.stdin(Stdio::piped()).spawn().expect("a shell starts");
        Cluster { home, python, master: url, rest_port, ui_port, folder, _guard: guard }
    }
}

/// Where Spark is, and the Python that belongs to it.
pub(crate) fn spark() -> (PathBuf, PathBuf) {
    if let Some(home) = std::env::var_os("TASKFLOW_SPARK_HOME") {
        let home = PathBuf::from(home);
        // Of a virtual environment: lib/python3.x/site-packages/pyspark.
        let python = home.ancestors().nth(4).map(|folder| folder.join("bin/python")).filter(|python| python.exists());
        return (home, python.unwrap_or_else(|| PathBuf::from("python3")));
    }
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/spark-venv");
    let folders = std::fs::read_dir(venv.join("lib")).into_iter().flatten().flatten();
    let home = folders.map(|folder| folder.path().join("site-packages/pyspark")).find(|home| home.is_dir());
    let home = home.unwrap_or_else(|| {
        panic!("these tests run a real Spark, and there is none: `cargo xtask spark` installs it into target/spark-venv, or set TASKFLOW_SPARK_HOME")
    });
    (home, venv.join("bin/python"))
}

/// The REST server must know its port: it puts that of the master in its place in what is submitted to it.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("there is a free port")
        .port()
}

/// Waits for a text in the log of a daemon: the word behind it.
fn word_after(daemon: &mut Child, log: &Path, text: &str) -> String {
    let start = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let found = said.lines().find_map(|line| line.split_once(text)).map(|(_, rest)| rest.trim().to_owned());
        if let Some(rest) = found {
            return rest.split_whitespace().next().unwrap_or_default().to_owned();
        }
        let ended = daemon.try_wait().ok().flatten();
        assert!(ended.is_none() && start.elapsed() < PATIENCE, "Spark does not come up ({ended:?}): {said}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Hands a request on to a port of this machine: status and body of the answer.
pub(crate) fn hand_on(port: u16, request: &super::server::Request) -> (u16, String) {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let super::server::Request { method, path, body, .. } = request;
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
