//! Apache Spark, for work that exceeds one machine: submitted jobs, and tasks on the executors of a
//! cluster.
//!
//! [`SparkSubmit`] is a job: a Python script, a jar, a Scala script or SQL, with all options of
//! `spark-submit`. Await it inside a task, or add it to a DAG as a node with [`spark_submit`].
//! [`Executors`] run the elements of a mapped task as a single job.
//!
//! taskflow neither contains nor downloads Spark. `pip install pyspark` installs a complete one.

mod connection;
#[cfg(unix)]
mod executors;
mod master;
mod on_path;
mod reach;
mod submit;

#[cfg(unix)]
pub(crate) use executors::DEFAULT;
#[cfg(unix)]
pub use executors::Executors;
pub use master::{DeployMode, Master};
pub use submit::{EventSummary, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};

/// For fuzzing: reads bytes as what Spark and its clusters answer and print.
pub(crate) fn read_any(bytes: &[u8]) {
    #[cfg(unix)]
    executors::read_any(bytes);
    submit::read_any(&String::from_utf8_lossy(bytes));
}
