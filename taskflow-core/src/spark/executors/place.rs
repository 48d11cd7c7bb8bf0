//! Which cluster, and how its executors are to be.

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
/// What runs there is this program, so it has to run on the machines of the cluster: a build for
/// musl does on any Linux of the same architecture ([`binary`](Executors::binary)). `main` calls
/// [`child_main`](crate::process::child_main) first, as that of `taskflow::main!` does. This
/// machine needs a Python with `pyspark` of the version of the cluster, and Java; the executors
/// need the same minor version of Python.
///
/// With `TASKFLOW_SPARK=off` in the environment, `.in_process(true)` and in simulated runs the same
/// tasks run on threads of this process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "`.on(&spark)` puts tasks there"]
pub struct Executors {
    pub(super) master: Named,
    /// In the order in which they were given; later ones win.
    pub(super) conf: Vec<(String, String)>,
    pub(super) partitions: Option<u32>,
    pub(super) binary: Option<PathBuf>,
    pub(super) python: Option<PathBuf>,
    pub(super) executor_python: Option<PathBuf>,
}

/// Where the cluster is said to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Url(String),
    /// The name of a connection.
    Connection(String),
}

/// A cluster as the driver is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) master: Master,
    pub(super) conf: Vec<(String, String)>,
}

impl Executors {
    /// The cluster at this address: `spark://host:7077`, `yarn`, `k8s://https://host:6443`, or
    /// `local[2]` for processes of this machine. An address that is none is an error of the first
    /// attempt.
    pub fn new(master: impl Into<String>) -> Self {
        Executors::at(Named::Url(master.into()))
    }

    /// The cluster behind a connection of the configuration: `spark_default = "spark://host:7077"`.
    /// Its extras whose names begin with `spark.` are settings of Spark. It is looked up when the
    /// first attempt of a run starts.
    pub fn connection(name: impl Into<String>) -> Self {
        Executors::at(Named::Connection(name.into()))
    }

    /// Processes of this machine, one for each core: `local[*]`. Everything is as on a cluster, but
    /// Spark tries nothing twice.
    pub fn local() -> Self {
        Executors::new("local[*]")
    }

    fn at(master: Named) -> Self {
        let (conf, partitions, binary, python, executor_python) = (Vec::new(), None, None, None, None);
        Executors { master, conf, partitions, binary, python, executor_python }
    }

    /// A setting of Spark, `("spark.speculation", "true")`. The last one of a name counts.
    pub fn conf(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.conf.push((key.into(), value.into()));
        self
    }

    /// The memory of an executor, `"512m"`: `spark.executor.memory`.
    ///
    /// It is that of its Java process; workers have `spark.executor.memoryOverhead` beside it.
    pub fn executor_memory(self, memory: impl Into<String>) -> Self {
        self.conf("spark.executor.memory", memory)
    }

    /// Into how many partitions a job is cut. Default: four for each core of the cluster, and more
    /// for inputs above 16 MiB.
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions.max(1));
        self
    }

    /// The program that is shipped: a build of this one for the machines of the cluster. Default:
    /// this program itself.
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// The Python that runs the driver on this machine; it has `pyspark`, or `SPARK_HOME` is set.
    /// Default: `PYSPARK_DRIVER_PYTHON` or `PYSPARK_PYTHON` of the environment, else `python3`.
    pub fn python(mut self, path: impl Into<PathBuf>) -> Self {
        self.python = Some(path.into());
        self
    }

    /// The Python of the executors, as it is called there. Default: `PYSPARK_PYTHON` of the
    /// environment, else `python3`; on this machine that of the driver.
    pub fn executor_python(mut self, path: impl Into<PathBuf>) -> Self {
        self.executor_python = Some(path.into());
        self
    }

    /// Where the cluster is.
    ///
    /// # Errors
    ///
    /// When the connection is not there, or what is given is no address of a cluster.
    pub(super) fn target(&self, config: Option<&Config>) -> Result<Target, Failure> {
        let failed = |chain: Vec<String>| Failure::Error { chain, retryable: false };
        let (master, mut conf) = match &self.master {
            Named::Url(master) => (master.clone(), Vec::new()),
            Named::Connection(name) => {
                let config = config.map_or_else(Config::global, |config| Ok(config.clone()));
                let connection = config.and_then(|config| config.connection(name));
                let connection = connection.map_err(|error| {
                    let what = format!("the connection `{name}` of the Spark cluster does not exist");
                    let help =
                        format!("define it, for example as TASKFLOW_CONN_{}=spark://host:7077", name.to_uppercase());
                    failed(vec![what, error.to_string(), help])
                })?;
                let master = master_of(&connection).ok_or_else(|| {
                    failed(vec![format!("the connection `{name}` has no host, so it is not a Spark cluster")])
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
            LazyLock::new(|| std::env::var_os("TASKFLOW_SPARK").is_some_and(|word| word == "off"));
        *OFF
    }

    fn open(&'static self, run: &Arc<RunInfo>, config: Option<&Config>) -> Arc<dyn Session> {
        Arc::new(SparkSession::new(self, Arc::clone(run), config.cloned()))
    }
}

/// What `#[task(executor = "spark")]` means: the cluster of a connection. It is named in constants,
/// where nothing can be allocated.
#[derive(Debug)]
pub(crate) struct Default {
    connection: &'static str,
}

pub(crate) static DEFAULT: Default = Default { connection: "spark_default" };

impl Default {
    fn executors(&self) -> &'static Executors {
        static KEPT: OnceLock<Executors> = OnceLock::new();
        // There is one of this type.
        KEPT.get_or_init(|| Executors::connection(self.connection))
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
    /// Graphs are drawn as often as somebody asks, so each description is kept once, for good.
    fn from(executors: &Executors) -> Self {
        static KNOWN: Mutex<Vec<&'static Executors>> = Mutex::new(Vec::new());

        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|known| **known == executors).copied();
        Executor::new(found.unwrap_or_else(|| {
            let kept: &'static Executors = Box::leak(Box::new(executors.clone()));
            known.push(kept);
            kept
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
    fn what_is_no_address_is_refused() {
        let config = Config::builder().build().unwrap();
        for good in
            ["spark://a:7077", "spark://a:1,b:2", "yarn", "k8s://https://h:6443", "local", "local[2]", "local[*]"]
        {
            assert_eq!(master(&Executors::new(good), &config).unwrap().master.to_string(), good);
        }
        for bad in ["", "spark://", "spark://a", "spark://a:b", "http://a:1", "a:7077", "local[2"] {
            let failure = master(&Executors::new(bad), &config).unwrap_err();
            assert!(failure.to_string().starts_with(&format!("`{bad}` is not a Spark master: ")), "{failure}");
            assert!(!failure.is_retryable());
        }
    }

    #[test]
    fn a_connection_gives_the_address_and_settings() {
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
        assert!(
            failure.to_string().contains("the connection `three` of the Spark cluster does not exist"),
            "{failure}"
        );
        assert!(failure.causes().iter().any(|cause| cause.contains("TASKFLOW_CONN_THREE=spark://host:7077")));
    }

    #[test]
    fn one_description_is_one_executor() {
        let one = Executor::from(Executors::new("local[2]"));
        assert_eq!(one, Executor::from(&Executors::new("local[2]")));
        assert_ne!(one, Executor::from(Executors::new("local[2]").partitions(3)));
        assert_eq!(one.to_string(), "spark (local[2])");
    }
}
