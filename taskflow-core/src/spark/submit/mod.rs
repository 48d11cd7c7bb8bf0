//! Jobs for Spark: Airflow's `SparkSubmitOperator`.
//!
//! 1. Everything that can be judged without the cluster is judged when the job is drawn or run: the master, what excludes each other,
//!    values without a unit (`check`). Then where it runs is looked up (`place`), and that the application is there and somebody
//!    answers at the master (`preflight`).
//! 2. Properties and secrets go into a file that only this user can read, and that is removed when the job has started or ended;
//!    nothing of them is in a command line (`properties`).
//! 3. In client mode the driver is a child of this process (`client`): a process group that does not outlive the attempt
//!    ([`process`](crate::process)). Its exit code is what became of the job. After a crash of this process the job has died with
//!    it, and the attempt runs again.
//! 4. In cluster mode the intent is kept with the task first: a tag that no other submission has (`intent`). Then the job is
//!    submitted with that tag, and its id is kept. An attempt that finds an intent without an id asks the cluster for the tag, and
//!    adopts the job that has it. Where the cluster cannot say whether there is one, the job is reported as lost and is not
//!    submitted again.
//! 5. It is followed by asking the cluster (`follow`). Success is the cluster's own word for it, and nothing else: no exit
//!    code of a submission, no id that has vanished. An answer that says nothing is waited out for ten minutes.
//! 6. Between two questions a task that may wait (`#[task(deferrable)]`, and the node) is deferred, and holds nothing; another one
//!    awaits a timer.
//! 7. When the attempt is cancelled, its time is over or its run ends early, the cluster is told to kill the job, and asked until
//!    it says that the job has ended ([`detach`](SparkSubmit::detach): the job is left alone).
//!    A run that is cancelled while its task waits does the same for it, and one that another process has begun finds what is needed
//!    for that in what the task has kept (`unattended_job`).
//! 8. The end is kept before the logs of the driver are fetched, so that a task that is called again does not run a job twice
//!    that has succeeded. A retry after a failure makes an intent of its own.
//!
//! What differs from cluster to cluster is behind a trait (`backend`), with a file for each.

mod backend;
mod builder;
mod check;
#[cfg(unix)]
mod client;
mod driver_log;
mod error;
mod event_log;
mod flag;
mod follow;
mod intent;
mod job;
mod job_guard;
#[cfg(unix)]
mod kubernetes;
mod node;
mod place;
mod preflight;
mod progress;
mod properties;
mod run;
#[cfg(unix)]
mod script;
mod spec;
mod standalone;
#[cfg(unix)]
mod submission;
mod unattended_job;
#[cfg(unix)]
mod yarn;

use std::marker::PhantomData;

pub use error::{Limit, SparkError};
pub use job::{EventSummary, SparkJob};
pub use node::spark_submit;
use spec::Spec;

use crate::dag::Output;
use crate::process::Known;

/// A job for Spark: an application, where it runs, and all that `spark-submit` can be told about it.
///
/// Inside an async task it is awaited:
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::spark::SparkSubmit;
///
/// #[task(deferrable, retries = 2)]
/// async fn load(ctx: &TaskContext, day: &str) -> Result<()> {
///     let job = SparkSubmit::app("jobs/daily.py").master("spark://spark.example.com:7077").arg(day).memory("2g");
///     job.conf("spark.sql.shuffle.partitions", "64").run(ctx).await?;
///     Ok(())
/// }
/// ```
///
/// In a DAG [`spark_submit`] makes a node of it, and outputs of tasks may stand among its words:
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::spark::{SparkSubmit, spark_submit};
///
/// #[task]
/// fn day() -> String { "2026-01-31".to_owned() }
///
/// #[dag]
/// fn daily() -> u64 {
///     let rows = spark_submit("load", SparkSubmit::app("jobs/daily.py").arg(day()).result::<u64>());
///     rows.map(|job| job.result)
/// }
/// # assert!(daily::def().plan().is_ok());
/// ```
///
/// # Applications
///
/// - `.py`, and `.jar` with [`class`](SparkSubmit::class): by `spark-submit`, with arguments.
/// - `.sql`: by `spark-sql`, statement after statement, up to the first that fails.
/// - `.scala`: by `spark-shell`, as one whole. A script that does not compile or throws fails the job, which it does not in `spark-shell`
///   alone.
///
/// A path is one of this machine; `local:/path` lies on every machine of the cluster, and `hdfs:`, `s3a:` or `https:` are fetched by
/// Spark.
///
/// # Where it runs
///
/// [`master`](SparkSubmit::master) says it, or a [`connection`](SparkSubmit::connection) of the configuration; without either that with the
/// name `spark_default`. Nothing is guessed. The driver is a child of this process unless
/// [`deploy_mode`](SparkSubmit::deploy_mode) says that the cluster runs it.
///
/// # Values
///
/// Arguments are texts, or [JSON](SparkSubmit::json_arg) of any value. What the job gives back it writes as JSON to the path in the
/// environment variable `TASKFLOW_RESULT`, after [`result`](SparkSubmit::result) has said the type. No package is needed for that:
///
/// ```python
/// import json, os
///
/// def give(value):
///     path = os.environ["TASKFLOW_RESULT"]
///     with open(path + ".part", "w") as file:
///         json.dump(value, file)
///     os.replace(path + ".part", path)
/// ```
///
/// ```scala
/// def give(json: String): Unit = {
///   import java.nio.file.{Files, Paths, StandardCopyOption}
///   val path = Paths.get(sys.env("TASKFLOW_RESULT"))
///   val part = Paths.get(path.toString + ".part")
///   Files.write(part, json.getBytes("UTF-8"))
///   Files.move(part, path, StandardCopyOption.REPLACE_EXISTING)
/// }
/// ```
///
/// In cluster mode the file lies in a directory that the driver and this process share: [`result_dir`](SparkSubmit::result_dir).
///
/// # Secrets
///
/// A property whose name gives a secret away (`spark.hadoop.fs.s3a.secret.key`) is given as the name of a
/// [secret](crate::config::Secret), with [`secret_conf`](SparkSubmit::secret_conf), and looked up when the job starts. So it is neither
/// in the graph nor in a command line nor in a log.
///
/// # Time limits
///
/// [`submit_timeout`](SparkSubmit::submit_timeout), [`queue_timeout`](SparkSubmit::queue_timeout) and
/// [`run_timeout`](SparkSubmit::run_timeout) limit the three parts of its life, each by itself. The second is an hour where nothing is said,
/// because a job without resources would wait for ever.
#[derive(Debug)]
#[must_use = "a job does nothing until it is run or drawn"]
pub struct SparkSubmit<R = (), A = Known> {
    spec: Spec,
    outputs: Vec<Output<String>>,
    words: PhantomData<fn() -> (R, A)>,
}

impl<R, A> Clone for SparkSubmit<R, A> {
    fn clone(&self) -> Self {
        SparkSubmit { spec: self.spec.clone(), outputs: self.outputs.clone(), words: PhantomData }
    }
}
