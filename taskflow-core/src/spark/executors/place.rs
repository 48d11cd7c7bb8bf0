//! Describes a cluster and its executors.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use super::super::connection::{master_of, properties_of};
use super::super::{Master, SparkError};
use super::session::SparkSession;
use crate::base::Failure;
use crate::config::Config;
use crate::run::RunInfo;
use crate::task::{Executor, ExecutorBackend, Session};

/// The executors of a Spark cluster, on which tasks can run: `.on(&spark)`.
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::spark::Executors;
///
/// #[task] fn numbers() -> Vec<u64> { (1..=1000).collect() }
/// #[task] fn divisors(n: u64) -> usize { (1..=n).filter(|d| n % d == 0).count() }
/// #[task] fn most(counts: &[usize]) -> usize { counts.iter().copied().max().unwrap_or(0) }
///
/// #[dag]
/// fn richest() -> usize {
///     let spark = Executors::connection("spark_default").executor_memory("1g");
///     most(numbers().each(|n| divisors(n)).on(&spark))
/// }
/// # assert!(richest::def().plan().is_ok());
/// ```
///
/// The executors run this program, so it must be able to run on the machines of the cluster: a
/// build for musl runs on any Linux of the same architecture ([`binary`](Executors::binary)).
/// `main` must call [`child_main`](crate::process::child_main) first, as that of `taskflow::main!`
/// does. This machine needs Java, and a Python with the `pyspark` version of the cluster; the
/// executors need the same minor version of Python.
///
/// With `TASKFLOW_SPARK=off` in the environment, with `.in_process(true)` and in simulated runs,
/// the tasks run on threads of this process instead.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "executors do nothing until a task is placed on them with `.on(&spark)`"]
pub struct Executors {
    pub(super) master: Named,
    /// In the order in which they were set; later ones take precedence.
    pub(super) conf: Vec<(String, String)>,
    pub(super) partitions: Option<u32>,
    pub(super) binary: Option<PathBuf>,
    pub(super) python: Option<PathBuf>,
    pub(super) executor_python: Option<PathBuf>,
}

/// How the cluster is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Url(String),
    /// The name of a connection.
    Connection(String),
}

/// The cluster as passed to the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) master: Master,
    pub(super) conf: Vec<(String, String)>,
}

impl Executors {
    /// The cluster with this master: `spark://host:7077`, `yarn`, `k8s://https://host:6443`, or
    /// `local[2]` for processes of this machine. An invalid master fails the first attempt.
    pub fn new(master: impl Into<String>) -> Self {
        Executors::at(Named::Url(master.into()))
    }

    /// The cluster of a connection of the configuration: `spark_default = "spark://host:7077"`. Its
    /// extras whose names begin with `spark.` are Spark properties. It is looked up when the first
    /// attempt of a run starts.
    pub fn connection(name: impl Into<String>) -> Self {
        Executors::at(Named::Connection(name.into()))
    }

    /// Processes of this machine, one for each core: `local[*]`. This behaves like a cluster,
    /// except that Spark does not retry.
    pub fn local() -> Self {
        Executors::new("local[*]")
    }

    fn at(master: Named) -> Self {
        let (conf, partitions, binary, python, executor_python) = (Vec::new(), None, None, None, None);
        Executors { master, conf, partitions, binary, python, executor_python }
    }

    /// Sets a Spark property: `("spark.speculation", "true")`. The last value of a key counts.
    pub fn conf(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.conf.push((key.into(), value.into()));
        self
    }

    /// The memory of each executor, `"512m"`: `spark.executor.memory`.
    ///
    /// It applies to the Java process; workers use `spark.executor.memoryOverhead` in addition.
    pub fn executor_memory(self, memory: impl Into<String>) -> Self {
        self.conf("spark.executor.memory", memory)
    }

    /// The number of partitions of a job, at least 1. Default: four for each core of the cluster,
    /// and more if a partition would exceed 16 MiB.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions.max(1));
        self
    }

    /// The program that is shipped to the executors: a build of this one for the machines of the
    /// cluster. Default: this program itself.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// The Python that runs the driver on this machine. It must have `pyspark`, unless `SPARK_HOME`
    /// is set. Default: `PYSPARK_DRIVER_PYTHON` or `PYSPARK_PYTHON` of the environment, else
    /// `python3`.
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// The Python of the executors: its path or name there. Default: `PYSPARK_PYTHON` of the
    /// environment, else `python3`; for `local` masters that of the driver.
    pub fn executor_python(mut self, path: impl Into<PathBuf>) -> Self {
        self.executor_python = Some(path.into());
        self
    }

    /// Determines the master and the properties.
    ///
    /// # Errors
    ///
    /// If the connection does not exist, or the master is invalid.
    pub(super) fn target(&self, config: Option<&Config>) -> Result<Target, Failure> {
        let failed = |chain: Vec<String>| Failure::Error { chain, retryable: false };
        let (master, mut conf) = match &self.master {
            Named::Url(master) => (master.clone(), Vec::new()),
            Named::Connection(name) => {
                let config = config.map_or_else(Config::global, |config| Ok(config.clone()));
                let connection = config.and_then(|config| config.connection(name));
                let connection = connection.map_err(|error| {
                    let what = format!("the Spark connection `{name}` is not configured");
                    let help = format!("set TASKFLOW_CONN_{}=spark://host:7077", name.to_uppercase());
                    failed(vec![what, error.to_string(), help])
                })?;
                let master = master_of(&connection).ok_or_else(|| {
                    failed(vec![format!("the connection `{name}` has no host, which must be the Spark master")])
                })?;
                let conf = properties_of(&connection).map_err(|error| failed(vec![error.to_string()]))?;
                (master, conf)
            }
        };
        let master = master.parse().map_err(|error: SparkError| failed(vec![error.to_string()]))?;
        conf.extend(self.conf.iter().cloned());
        Ok(Target { master, conf })
    }
}

impl ExecutorBackend for Executors {
    fn kind(&self) -> &'static str {
        "spark"
    }

    fn place(&self) -> String {
        match &self.master {
            Named::Url(master) => master.clone(),
            Named::Connection(name) => format!("connection {name}"),
        }
    }

    fn is_off(&self) -> bool {
        static OFF: LazyLock<bool> =
            LazyLock::new(|| std::env::var_os("TASKFLOW_SPARK").is_some_and(|value| value == "off"));
        *OFF
    }

    fn open(&'static self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        Arc::new(SparkSession::new(self, Arc::clone(run), config.cloned()))
    }
}

/// The executor of `#[task(executor = "spark")]`: the cluster of a connection. Constants refer to
/// it, so it must not allocate.
#[derive(Debug)]
pub(crate) struct Default {
    connection: &'static str,
}

pub(crate) static DEFAULT: Default = Default { connection: "spark_default" };

impl Default {
    fn executors(&self) -> &'static Executors {
        static EXECUTORS: OnceLock<Executors> = OnceLock::new();
        // There is only one value of this type.
        EXECUTORS.get_or_init(|| Executors::connection(self.connection))
    }
}

impl ExecutorBackend for Default {
    fn kind(&self) -> &'static str {
        self.executors().kind()
    }

    fn place(&self) -> String {
        self.executors().place()
    }

    fn is_off(&self) -> bool {
        self.executors().is_off()
    }

    fn open(&'static self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        self.executors().open(run, config)
    }
}

impl From<&Executors> for Executor {
    /// Each distinct description is leaked once, because graphs may be built any number of times.
    fn from(executors: &Executors) -> Self {
        static KNOWN: Mutex<Vec<&'static Executors>> = Mutex::new(Vec::new());

        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|known| **known == executors).copied();
        Executor::new(found.unwrap_or_else(|| {
            let leaked: &'static Executors = Box::leak(Box::new(executors.clone()));
            known.push(leaked);
            leaked
        }))
    }
}

impl From<Executors> for Executor {
    fn from(executors: Executors) -> Self {
        Executor::from(&executors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(executors: &Executors, config: &Config) -> Result<Target, Failure> {
        executors.target(Some(config))
    }

    #[test]
    fn an_invalid_master_is_rejected() {
        let config = Config::builder().build().unwrap();
        for good in
            ["spark://a:7077", "spark://a:1,b:2", "yarn", "k8s://https://h:6443", "local", "local[2]", "local[*]"]
        {
            assert_eq!(master(&Executors::new(good), &config).unwrap().master.to_string(), good);
        }
        for bad in ["", "spark://", "spark://a", "spark://a:b", "http://a:1", "a:7077", "local[2"] {
            let failure = master(&Executors::new(bad), &config).unwrap_err();
            assert!(failure.to_string().starts_with(&format!("`{bad}` is not a valid Spark master: ")), "{failure}");
            assert!(!failure.is_retryable());
        }
    }

    #[test]
    fn a_connection_determines_the_master_and_properties() {
        let config = Config::from_toml(
            "[connections]\none = 'spark://a.example.com:7078?spark.executor.memory=1g&note=x'\ntwo = 'spark://b'\n",
        )
        .unwrap();
        let one = master(&Executors::connection("one").conf("spark.cores.max", "2"), &config).unwrap();
        assert_eq!(one.master.to_string(), "spark://a.example.com:7078");
        let text = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(one.conf, text(&[("spark.executor.memory", "1g"), ("spark.cores.max", "2")]));
        assert_eq!(master(&Executors::connection("two"), &config).unwrap().master.to_string(), "spark://b:7077");
        let failure = master(&Executors::connection("three"), &config).unwrap_err();
        assert!(failure.to_string().contains("`three` is not configured"), "{failure}");
        assert!(failure.causes().iter().any(|cause| cause.contains("TASKFLOW_CONN_THREE=spark://host:7077")));
    }

    #[test]
    fn equal_descriptions_are_the_same_executor() {
        let one = Executor::from(Executors::new("local[2]"));
        assert_eq!(one, Executor::from(&Executors::new("local[2]")));
        assert_ne!(one, Executor::from(Executors::new("local[2]").partitions(3)));
        assert_eq!(one.to_string(), "spark (local[2])");
    }
}
