//! The options of a job.

use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::super::DeployMode;
use super::flag::Flag;
use super::spec::Spec;
use super::{SparkError, SparkJob, SparkSubmit};
use crate::process::Word;
use crate::task::TaskContext;
use crate::value::Value;

/// Methods for text options.
macro_rules! flags {
    ($($(#[$doc:meta])* $method:ident($arg:ident) => $flag:ident;)*) => {
        $($(#[$doc])*
        pub fn $method(self, $arg: impl Into<String>) -> Self {
            self.flag(Flag::$flag, $arg.into())
        })*
    };
}

/// Methods for list options.
macro_rules! lists {
    ($($(#[$doc:meta])* $method:ident => $flag:ident;)*) => {
        $($(#[$doc])*
        pub fn $method<S: Into<String>>(self, items: impl IntoIterator<Item = S>) -> Self {
            let items: Vec<String> = items.into_iter().map(Into::into).collect();
            self.flag(Flag::$flag, items.join(","))
        })*
    };
}

/// Methods for numeric options.
macro_rules! counts {
    ($($(#[$doc:meta])* $method:ident => $flag:ident;)*) => {
        $($(#[$doc])*
        pub fn $method(self, count: u32) -> Self {
            self.flag(Flag::$flag, count.to_string())
        })*
    };
}

impl SparkSubmit {
    /// Creates a job that runs this application.
    pub fn app(app: impl Into<String>) -> Self {
        SparkSubmit { spec: Spec { app: app.into(), ..Spec::default() }, outputs: Vec::new(), words: PhantomData }
    }
}

impl<R, A> SparkSubmit<R, A> {
    /// Adds an argument.
    pub fn arg<W: Word<A>>(mut self, word: W) -> SparkSubmit<R, W::Then> {
        let part = word.part(&mut self.outputs);
        self.spec.args.push(part.0);
        self.then()
    }

    /// Adds arguments.
    pub fn args<W: Word<A, Then = A>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        for word in words {
            let part = word.part(&mut self.outputs);
            self.spec.args.push(part.0);
        }
        self
    }

    /// Adds an argument with the JSON of a value: `json.loads(sys.argv[1])` in the job.
    ///
    /// # Panics
    ///
    /// If the value cannot be written as JSON, like a map whose keys are not strings.
    #[track_caller]
    pub fn json_arg(mut self, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(json) => self.spec.args.push(json.into()),
            Err(error) => panic!("an argument of the job `{}` cannot be written as JSON: {error}", self.spec),
        }
        self
    }

    /// Sets a property: `spark.sql.shuffle.partitions`. A property whose name marks a secret is
    /// rejected: see [`secret_conf`](SparkSubmit::secret_conf).
    pub fn conf<W: Word<A>>(mut self, key: impl Into<String>, value: W) -> SparkSubmit<R, W::Then> {
        let part = value.part(&mut self.outputs);
        self.spec.conf.push((key.into(), part.0));
        self.then()
    }

    /// Sets a property to a secret of the configuration, by its name.
    pub fn secret_conf(mut self, key: impl Into<String>, secret: impl Into<String>) -> Self {
        self.spec.secret_conf.push((key.into(), secret.into()));
        self
    }

    /// Sets a variable in the environment of the driver; on YARN and Kubernetes of the application
    /// master and the driver.
    pub fn env<W: Word<A>>(mut self, name: impl Into<String>, value: W) -> SparkSubmit<R, W::Then> {
        let part = value.part(&mut self.outputs);
        self.spec.env.push((name.into(), part.0));
        self.then()
    }

    /// Sets a variable in the environment of the driver to a secret of the configuration, by its
    /// name.
    pub fn secret_env(mut self, name: impl Into<String>, secret: impl Into<String>) -> Self {
        self.spec.secret_env.push((name.into(), secret.into()));
        self
    }

    /// Sets the master: `local[*]`, `spark://host:7077`, `yarn`, `k8s://https://host:6443`; see
    /// [`Master`](super::super::Master). Takes precedence over the connection.
    pub fn master(mut self, master: impl Into<String>) -> Self {
        self.spec.master = Some(master.into());
        self
    }

    /// Sets which machine runs the driver. Default: this one, or the extra `deploy-mode` of the
    /// connection.
    pub fn deploy_mode(mut self, mode: DeployMode) -> Self {
        self.spec.mode = Some(mode);
        self
    }

    /// Sets the connection of the cluster. Its host and port are the master; its password is sent
    /// as a bearer token to the REST server of a master and to Kubernetes. Its extras may be
    /// `deploy-mode`, `spark-home`, `rest-port`, `ui-port` and `queue`, on YARN
    /// `yarn_resourcemanager_webapp_address`, on Kubernetes `namespace` and `ca-file` (the
    /// certificate authority of its API server).
    pub fn connection(mut self, name: impl Into<String>) -> Self {
        self.spec.connection = Some(name.into());
        self
    }

    /// The main class of a jar.
    pub fn class(mut self, class: impl Into<String>) -> Self {
        self.spec.class = Some(class.into());
        self
    }

    /// The default memory of the driver and of each executor: `2g`.
    pub fn memory(mut self, memory: impl Into<String>) -> Self {
        self.spec.memory = Some(memory.into());
        self
    }

    flags! {
        /// The name of the application in Spark's web UI. Default: the ids of the DAG and the task.
        name(name) => Name;
        /// The memory of the driver: `2g`.
        driver_memory(memory) => DriverMemory;
        /// The memory of each executor: `2g`.
        executor_memory(memory) => ExecutorMemory;
        /// Options for the JVM of the driver.
        driver_java_options(options) => DriverJavaOptions;
        /// The path on which the driver searches for native libraries.
        driver_library_path(path) => DriverLibraryPath;
        /// Entries that are prepended to the class path of the driver.
        driver_class_path(path) => DriverClassPath;
        /// The YARN queue to submit to.
        queue(queue) => Queue;
        /// The Kerberos principal.
        principal(principal) => Principal;
        /// The keytab file of the [`principal`](SparkSubmit::principal).
        keytab(path) => Keytab;
    }

    lists! {
        /// Jars for the class paths of the driver and the executors.
        jars => Jars;
        /// Packages, as `group:artifact:version`, that Spark fetches from Maven.
        packages => Packages;
        /// Dependencies of the packages that are not fetched, as `group:artifact`.
        exclude_packages => ExcludePackages;
        /// Additional repositories to search for packages.
        repositories => Repositories;
        /// Python files and packages.
        py_files => PyFiles;
        /// Files for the working directory of each executor.
        files => Files;
        /// Archives that are extracted to the working directory of each executor.
        archives => Archives;
    }

    counts! {
        /// The cores of the driver, in cluster mode.
        driver_cores => DriverCores;
        /// The cores of each executor.
        executor_cores => ExecutorCores;
        /// The cores of all executors, on a standalone cluster.
        total_executor_cores => TotalExecutorCores;
        /// The number of executors.
        num_executors => NumExecutors;
    }

    /// Lets a standalone cluster restart a failed driver, in cluster mode.
    pub fn supervise(self) -> Self {
        self.flag(Flag::Supervise, "true".to_owned())
    }

    /// Sets a file of properties that replaces the installation's `spark-defaults.conf`.
    pub fn properties_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.spec.properties_file = Some(path.into());
        self
    }

    /// Sets the user that Spark impersonates.
    pub fn proxy_user(mut self, user: impl Into<String>) -> Self {
        self.spec.proxy_user = Some(user.into());
        self
    }

    /// Makes Spark log more when it starts.
    pub fn verbose(mut self) -> Self {
        self.spec.verbose = true;
        self
    }

    /// Sets the working directory, in client mode. Default: that of this program.
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spec.cwd = Some(directory.into());
        self
    }

    /// Sets the Spark installation. Default: that of the connection, then `SPARK_HOME`, then
    /// `PATH`.
    pub fn spark_home(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spec.home = Some(directory.into());
        self
    }

    /// The port of the REST server of a standalone master, for cluster mode. Default: 6066.
    pub fn rest_port(mut self, port: u16) -> Self {
        self.spec.rest_port = Some(port);
        self
    }

    /// The port of the web pages of a standalone master, from which jobs are found again and logs
    /// are fetched. Default: 8080.
    pub fn ui_port(mut self, port: u16) -> Self {
        self.spec.ui_port = Some(port);
        self
    }

    /// The address of the history server, `http://history:18080`, for a link to the page of the
    /// application. Default: the extra `history-server` of the connection.
    pub fn history_server(mut self, address: impl Into<String>) -> Self {
        self.spec.history = Some(address.into());
        self
    }

    /// The comma-separated addresses of YARN's resource managers, for cluster mode:
    /// `http://one:8088,http://two:8088`. Default: the extra `yarn_resourcemanager_webapp_address`
    /// of the connection.
    pub fn resource_manager(mut self, addresses: impl Into<String>) -> Self {
        self.spec.managers = Some(addresses.into());
        self
    }

    /// Lets a Python job run in cluster mode on a standalone cluster, which Spark itself refuses: a
    /// driver that runs `spark-submit`. The script, and a Python, must be on the workers.
    pub fn python_driver_on_worker(mut self) -> Self {
        self.spec.python_driver = true;
        self
    }

    /// Declares the type of the JSON that the job writes to the file in `TASKFLOW_RESULT`.
    pub fn result<T: Value>(mut self) -> SparkSubmit<T, A> {
        self.spec.result = true;
        self.then()
    }

    /// A directory for the result that the driver and this process share. Default: [that of the
    /// run](TaskContext::artifact_dir).
    pub fn result_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.spec.result_dir = Some(directory.into());
        self
    }

    /// Makes Spark write an event log to this directory, which must be on this machine or shared
    /// with it, and fills [`SparkJob::summary`] from it.
    pub fn event_log(mut self, directory: impl Into<String>) -> Self {
        self.spec.event_log = Some(directory.into());
        self
    }

    /// In cluster mode: leaves the job running when the attempt is cancelled or its run ends early.
    pub fn detach(mut self) -> Self {
        self.spec.detach = true;
        self
    }

    /// The time limit for the cluster to accept the job. Default: 2 minutes.
    pub fn submit_timeout(mut self, limit: Duration) -> Self {
        self.spec.submit_timeout = Some(limit);
        self
    }

    /// The time limit for waiting for resources of the cluster. Default: an hour.
    pub fn queue_timeout(mut self, limit: Duration) -> Self {
        self.spec.queue_timeout = Some(limit);
        self
    }

    /// The time limit of the job, once it has resources. Default: none.
    pub fn run_timeout(mut self, limit: Duration) -> Self {
        self.spec.run_timeout = Some(limit);
        self
    }

    /// How long to wait for a killed job to end. Default: 30 seconds.
    pub fn kill_timeout(mut self, limit: Duration) -> Self {
        self.spec.kill_timeout = Some(limit);
        self
    }

    /// How often to poll the state of the job from the cluster, in cluster mode, and its progress
    /// from the driver. Default: the cluster each second at first and every 15 seconds after five
    /// minutes; the driver every two seconds, from the 15th second on, because the first request
    /// costs it seconds of computing.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.spec.poll_interval = Some(interval);
        self
    }

    /// Adds an exit code that is not retried, in client mode. Can be called several times.
    pub fn no_retry_on(mut self, code: i32) -> Self {
        self.spec.no_retry_on.push(code);
        self
    }

    fn flag(mut self, flag: Flag, value: String) -> Self {
        self.spec.flags.push((flag, value));
        self
    }

    fn then<S, B>(self) -> SparkSubmit<S, B> {
        SparkSubmit { spec: self.spec, outputs: self.outputs, words: PhantomData }
    }
}

impl<R: Value> SparkSubmit<R> {
    /// Runs the job to completion. Await it inside a task; the log of Spark goes to the log of the
    /// task.
    ///
    /// In a `#[task(deferrable)]`, a job in cluster mode is waited for without holding a slot:
    /// until it has ended, this returns [`SparkError::Waits`], which the task must return, and the
    /// function is called again from its beginning. The job is identified by its order among the
    /// jobs of the function, so the function must do the same before it each time.
    ///
    /// When the attempt is cancelled, the job is killed. Dropping the future, as a timeout does,
    /// has the same effect.
    ///
    /// # Errors
    ///
    /// See [`SparkError`].
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn run(self, context: &TaskContext) -> Result<SparkJob<R>, SparkError> {
        super::run::run(&self.spec, context).await
    }

    /// Checks the job as far as that is possible without the cluster. Running it or adding it to a
    /// DAG does this first.
    ///
    /// # Errors
    ///
    /// The first mistake.
    pub fn check(&self) -> Result<(), SparkError> {
        super::check::check(&self.spec)
    }
}
