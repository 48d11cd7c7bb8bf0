//! Spark jobs, against servers and a `spark-submit` that the tests provide.

#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod crash;
#[cfg(all(feature = "spark", unix))]
mod managers;
#[cfg(all(feature = "spark", unix))]
mod submit;
