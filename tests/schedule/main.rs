//! Schedules: cron expressions, timetables, their slots, and what becomes of them.

mod daylight_saving;
mod expressions;
mod service;
mod steps;
mod support;
mod timetables;
