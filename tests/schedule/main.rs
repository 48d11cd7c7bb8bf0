//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

mod backfills;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod backfills_served;
mod consumer;
#[cfg(feature = "sqlite")]
mod consumers;
#[cfg(feature = "sqlite")]
mod consumers_kept;
mod consuming;
#[cfg(all(feature = "cli", feature = "sqlite", feature = "failpoints", unix))]
mod crash;
mod daylight_saving;
mod deadlines;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod deadlines_served;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod doctor;
mod expressions;
mod groups;
#[cfg(feature = "sqlite")]
mod groups_served;
mod options;
mod random_services;
#[cfg(feature = "sqlite")]
mod retention;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod robustness;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod serve;
mod service;
mod steps;
mod support;
mod timetables;
mod virtual_events;
mod virtual_time;
