//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

mod consumer;
#[cfg(feature = "sqlite")]
mod consumers;
mod consuming;
mod daylight_saving;
mod expressions;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod serve;
mod service;
mod steps;
mod support;
mod timetables;
