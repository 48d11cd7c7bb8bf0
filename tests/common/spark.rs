//! A real Spark for tests: the one that `TASKFLOW_SPARK_HOME` names, or that of a `spark-venv` in the target directory.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

/// How long Spark may take for anything, on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(240);

/// For what lives as short as in a test: most of the work of a young Java is compiling what it runs.
pub(crate) const JAVA: &str = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

/// Where Spark is.
pub(crate) struct Spark {
    pub(crate) home: PathBuf,
    pub(crate) python: PathBuf,
}

impl Spark {
    /// Fails the test where there is none, with what to do.
    pub(crate) fn find() -> Spark {
        let venv =
            Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory").join("spark-venv");
        let home = std::env::var_os("TASKFLOW_SPARK_HOME").map(PathBuf::from);
        let home = home.or_else(|| {
            let mut libs = fs::read_dir(venv.join("lib")).ok()?;
            libs.find_map(|lib| Some(lib.ok()?.path().join("site-packages/pyspark")).filter(|home| home.exists()))
        });
        let Some(home) = home.filter(|home| home.join("bin/spark-class").exists()) else {
            panic!(
                "these tests need Spark: python3 -m venv {0} && {0}/bin/pip install pyspark, or set TASKFLOW_SPARK_HOME",
                venv.display()
            );
        };
        // That which pip has installed has its Python four levels above; one that was unpacked takes that of the system.
        let beside = home.ancestors().nth(4).map(|venv| venv.join("bin/python")).filter(|python| python.exists());
        Spark { python: beside.unwrap_or_else(|| PathBuf::from("python3")), home }
    }
}

/// A master and two workers of one core each, on addresses of their own of this machine.
pub(crate) struct Cluster {
    pub(crate) spark: Spark,
    pub(crate) master: String,
    daemons: Vec<Daemon>,
    _directory: TempDir,
}

/// A process group that ends with this.
struct Daemon {
    child: Child,
    guard: Child,
    log: PathBuf,
}

impl Cluster {
    /// The cluster that the tests of a program share, for as long as one of them holds it.
    pub(crate) fn shared() -> Arc<Cluster> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Cluster::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    fn start() -> Cluster {
        let (spark, directory) = (Spark::find(), tempfile::tempdir().expect("temporary directories can be made"));
        let at = |host: &str, role: &str, words: &[&str]| {
            let log = directory.path().join(format!("{role}-{host}.log"));
            let out = File::create(&log).expect("the log can be made");
            let mut command = Command::new(spark.home.join("bin/spark-class"));
            let class = format!("org.apache.spark.deploy.{}", role.to_lowercase());
            command
                .arg(format!("{class}.{role}"))
                .args(["--host", host, "--port", "0", "--webui-port", "0"])
                .args(words);
            command.current_dir(directory.path()).env("SPARK_HOME", &spark.home).env("SPARK_LOCAL_IP", host);
            command.env("SPARK_DAEMON_MEMORY", "256m").env("JAVA_TOOL_OPTIONS", JAVA).stdin(Stdio::null());
            command.stdout(out.try_clone().expect("a file has a second handle")).stderr(out);
            Daemon::start(command, log)
        };
        let master = at("127.0.0.1", "Master", &[]);
        let line = master.await_line("Starting Spark master at ");
        let address = line.rsplit(' ').next().expect("a line has a word").to_owned();
        let work = directory.path().join("work");
        let work = work.to_str().expect("temporary paths are text");
        // Spark runs no second copy of a task on the host of the first.
        let hosts = ["127.0.0.1", "127.0.0.2"];
        let workers = hosts.map(|host| {
            at(host, "Worker", &["--cores", "1", "--memory", "1g", "--work-dir", &format!("{work}/{host}"), &address])
        });
        for worker in &workers {
            worker.await_line("Successfully registered with master");
        }
        let daemons = workers.into_iter().chain([master]).collect();
        Cluster { spark, master: address, daemons, _directory: directory }
    }

    /// The processes of executors.
    pub(crate) fn executors(&self) -> Vec<Pid> {
        let workers = self.daemons.iter().map(|daemon| daemon.child.id());
        let children = workers.flat_map(children_of);
        children.filter(|(_, line)| line.contains("CoarseGrainedExecutorBackend")).map(|(pid, _)| pid).collect()
    }
}

impl Daemon {
    fn start(mut command: Command, log: PathBuf) -> Daemon {
        let child = command.process_group(0).spawn().expect("Spark's script starts");
        let mut guard = Command::new("/bin/sh");
        guard.args(["-c", r#"read -r _; kill -s KILL -- "-$1""#, "guard", &child.id().to_string()]);
        let guard = guard.process_group(0).stdin(Stdio::piped()).spawn().expect("a shell starts");
        Daemon { child, guard, log }
    }

    fn await_line(&self, words: &str) -> String {
        let start = Instant::now();
        loop {
            let said = fs::read_to_string(&self.log).unwrap_or_default();
            if let Some(line) = said.lines().find(|line| line.contains(words)) {
                return line.to_owned();
            }
            assert!(start.elapsed() < PATIENCE, "it does not say `{words}`: {said}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::TERM);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) && !matches!(self.child.try_wait(), Ok(Some(_))) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
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
