//! Apache Spark, for what outgrows one machine: jobs that are submitted, followed to their end and killed, and tasks that run on the
//! executors of a cluster.
//!
//! [`SparkSubmit`] is a job: a Python script, a jar, a Scala script or SQL, with all that `spark-submit` can be told. It is awaited
//! inside a task, or drawn as a node with [`spark_submit`].
//!
//! taskflow brings no Spark along and downloads none. `pip install pyspark` installs a whole one.

mod master;
mod submit;

pub use master::{DeployMode, Master};
pub use submit::{EventSummary, Limit, SparkError, SparkJob, SparkSubmit, spark_submit};
