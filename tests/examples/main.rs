//! The example programs, crates that depend on taskflow as a user's do, and what the documents say of the tests.

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
