//! Schedules: cron expressions, timetables and their slots.

mod daylight_saving;
mod expressions;
mod support;
mod timetables;
