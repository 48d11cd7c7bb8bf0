//! Apache Spark, for what outgrows one machine: jobs that are submitted, followed to their end and killed, and tasks that run on the
//! executors of a cluster.
//!
//! [`SparkSubmit`] is a job: a Python script, a jar, a Scala script or SQL, with all that `spark-submit` can be told. It is awaited
//! inside a task, or drawn as a node with [`spark_submit`]. [`Executors`] are where the tasks of a list run, as elements of one job.
//!
//! taskflow brings no Spark along and downloads none. `pip install pyspark` installs a whole one.

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
