//! The examples, crates that depend on taskflow as a user's do, and the tests that the documentation
//! names.
#![allow(clippy::duplicate_mod, reason = "two examples share a file, and are programs of their own elsewhere")]

mod airflow_table;
mod clicks;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod clicks_at_scale;
mod delays;
#[cfg(unix)]
mod delays_crash;
mod hello;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod outgrown;
mod recommend;
mod user_crates;
