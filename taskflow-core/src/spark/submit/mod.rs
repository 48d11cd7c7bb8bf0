//! Spark jobs: Airflow's `SparkSubmitOperator`.
//!
//! 1. Everything that can be checked without the cluster is checked when the job is added to a DAG
//!    or run: the master, incompatible options, values without a unit (`check`). Then its cluster
//!    is looked up (`place`), and taskflow checks that the application exists and the master
//!    responds (`preflight`).
//! 2. Properties and secrets are written to a file that only this user can read and that is removed
//!    when the job has started or ended; command lines contain none of them (`properties`).
//! 3. In client mode the driver is a child of this process (`client`): a process group that does
//!    not outlive the attempt ([`process`](crate::process)). Its exit code is the result of the
//!    job. A crash of this process also ends the job, and the attempt runs again.
//! 4. In cluster mode the intent is first stored with the task: a unique tag (`intent`). Then the
//!    job is submitted with that tag, and its id is stored. An attempt that finds an intent without
//!    an id searches the cluster for the tag and adopts the job that has it. If the cluster cannot
//!    tell whether there is one, the job is reported as lost and not submitted again.
//! 5. The job is followed by polling the cluster (`follow`). Only the state reported by the cluster
//!    counts as success: no exit code of a submission, no id that has disappeared. Unclear answers
//!    are tolerated for ten minutes.
//! 6. Between two polls a task that can wait (`#[task(deferrable)]`, and the node) is deferred
//!    without holding a slot; other tasks await a timer.
//! 7. When the attempt is cancelled, its timeout passes or its run ends early, the cluster is asked
//!    to kill the job, and polled until it reports the end ([`detach`](SparkSubmit::detach): the
//!    job is left running). A run that is cancelled while its task waits does the same, and one
//!    that another process has started uses the stored state of the task (`unattended_job`).
//! 8. The end is stored before the logs of the driver are fetched, so that a task that is called
//!    again does not repeat a successful job. A retry after a failure stores a new intent.
//!
//! The differences between clusters are behind a trait (`backend`), with a file for each.

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

/// A Spark job: an application, its cluster, and all options of `spark-submit`.
///
/// Await it inside an async task:
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
/// In a DAG, [`spark_submit`] creates a node from it, and its arguments may be outputs of tasks:
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
/// - `.py`, and `.jar` with [`class`](SparkSubmit::class): run by `spark-submit`, with arguments.
/// - `.sql`: run by `spark-sql`, statement by statement, up to the first failure.
/// - `.scala`: run by `spark-shell`, as a whole. A script that does not compile or throws fails the
///   job; `spark-shell` alone would ignore that.
///
/// Paths are on this machine; `local:/path` exists on every machine of the cluster, and Spark
/// fetches `hdfs:`, `s3a:` or `https:`.
///
/// # Where it runs
///
/// [`master`](SparkSubmit::master), or a [`connection`](SparkSubmit::connection) of the
/// configuration; without either, the connection `spark_default`. There is no other default. The
/// driver is a child of this process unless [`deploy_mode`](SparkSubmit::deploy_mode) selects the
/// cluster.
///
/// # Values
///
/// Arguments are strings, or the [JSON](SparkSubmit::json_arg) of any value. To return a value, the
/// job writes it as JSON to the path in the environment variable `TASKFLOW_RESULT`;
/// [`result`](SparkSubmit::result) declares its type. This needs no package:
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
/// In cluster mode the file is in a directory that the driver and this process share:
/// [`result_dir`](SparkSubmit::result_dir).
///
/// # Secrets
///
/// Set a property with a secret value (`spark.hadoop.fs.s3a.secret.key`) with
/// [`secret_conf`](SparkSubmit::secret_conf), to the name of a [secret](crate::config::Secret). The
/// secret is read when the job starts, and appears neither in the graph nor in a command line or
/// log.
///
/// # Time limits
///
/// [`submit_timeout`](SparkSubmit::submit_timeout), [`queue_timeout`](SparkSubmit::queue_timeout)
/// and [`run_timeout`](SparkSubmit::run_timeout) limit the three phases of a job. The second
/// defaults to an hour, because a job without resources would wait forever.
#[derive(Debug)]
#[must_use = "a job does nothing until it is run or added to a DAG"]
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

/// For fuzzing: reads a text as what clusters answer, and as what Spark and jobs print.
pub(super) fn read_any(text: &str) {
    driver_log::read_any(text);
    event_log::read_any(text);
    if let Ok(answer) = serde_json::from_str::<serde_json::Value>(text) {
        let _ = progress::count(&answer);
        standalone::read_any(&answer);
    }
}
