//! Apache Spark: the tests that start a cluster, which `cargo xtask spark` installs.

#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod executors;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod jobs;
