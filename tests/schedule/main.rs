//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

mod ahead;
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
#[cfg(feature = "sqlite")]
mod damaged;
mod daylight_saving;
mod deadlines;
#[cfg(feature = "sqlite")]
mod deadlines_in_pools;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod deadlines_served;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod doctor;
mod edited;
mod expressions;
mod fair_turns;
#[cfg(feature = "sqlite")]
mod fragile;
mod groups;
#[cfg(feature = "sqlite")]
mod groups_served;
mod options;
mod pauses_of_new_builds;
mod random_services;
#[cfg(feature = "sqlite")]
mod renamed;
#[cfg(feature = "sqlite")]
mod retention;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod robustness;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod serve;
mod service;
mod spread;
mod steps;
#[cfg(feature = "sqlite")]
mod stops;
mod support;
mod timetables;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod turns_served;
#[cfg(feature = "sqlite")]
mod unheard_ends;
mod virtual_events;
mod virtual_time;
#[cfg(target_os = "linux")]
mod watched_files;
mod whole_ranges;
