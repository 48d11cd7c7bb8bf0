//! Jobs and tasks on a real Spark, which `cargo xtask test` installs.

#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod executors;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod jobs;
