//! Apache Spark: `submit`, `managers` and `crash` against one that the tests make up, `cluster` and `executors` on a real one.

#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod cluster;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod crash;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod executors;
#[cfg(all(feature = "spark", unix))]
mod managers;
#[cfg(all(feature = "spark", unix))]
mod submit;
