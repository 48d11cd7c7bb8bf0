//! Processes: those that tasks start, and those that die in the middle of a run.

#[cfg(unix)]
mod commands;
#[cfg(all(unix, feature = "sqlite", feature = "failpoints"))]
mod crash;
#[cfg(all(unix, feature = "sqlite", feature = "failpoints"))]
mod disk_errors;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod processes;
