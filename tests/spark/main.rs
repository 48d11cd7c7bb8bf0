//! Jobs on Apache Spark, against a `spark-submit`, masters and managers that the tests imitate.

#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod crash;
#[cfg(all(feature = "spark", unix))]
mod managers;
#[cfg(all(feature = "spark", unix))]
mod submit;
