//! Apache Spark, for what outgrows one machine: jobs that are submitted, followed to their end and killed, and tasks that run on the
//! executors of a cluster.

#[cfg(unix)]
mod executors;

#[cfg(unix)]
pub(crate) use executors::DEFAULT;
#[cfg(unix)]
pub use executors::Executors;
