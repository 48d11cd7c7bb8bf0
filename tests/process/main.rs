//! Commands, tasks in separate processes, killed processes, disk errors.

#[cfg(unix)]
mod commands;
#[cfg(all(unix, feature = "sqlite", feature = "failpoints"))]
mod crash;
#[cfg(all(unix, feature = "sqlite", feature = "failpoints"))]
mod disk_errors;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod processes;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod shared_limits;
