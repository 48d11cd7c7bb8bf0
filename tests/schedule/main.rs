//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

mod backfills;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod backfills_served;
mod consumer;
#[cfg(feature = "sqlite")]
mod consumers;
mod consuming;
mod daylight_saving;
mod expressions;
mod options;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod serve;
mod service;
mod steps;
mod support;
mod timetables;
mod virtual_time;
