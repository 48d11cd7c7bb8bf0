//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

#[cfg(all(feature = "cli", feature = "sqlite", feature = "failpoints", unix))]
mod crash;
mod daylight_saving;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod doctor;
mod expressions;
mod options;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod robustness;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod serve;
mod service;
mod steps;
mod support;
mod timetables;
