//! The examples, crates that depend on taskflow as a user's does, and the tests that
//! `docs/airflow.md` names.
#![allow(clippy::duplicate_mod, reason = "two examples share a file")]

mod airflow_table;
#[cfg(feature = "cli")]
mod clicks;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod clicks_at_scale;
#[cfg(feature = "cli")]
mod delays;
#[cfg(unix)]
mod delays_crash;
#[cfg(feature = "cli")]
mod hello;
#[cfg(all(feature = "cli", feature = "sqlite"))]
mod landing;
#[cfg(all(feature = "spark", feature = "cli", feature = "sqlite", unix))]
mod outgrown;
#[cfg(feature = "cli")]
mod recommend;
#[cfg(all(feature = "cli", feature = "sqlite", unix))]
mod served;
mod user_crates;
