//! The run time of [taskflow](https://docs.rs/taskflow): everything behind the `#[task]` and
//! `#[dag]` attributes.
//!
//! Use the facade crate `taskflow`; this crate exists so that its parts can be tested and read
//! alone.
//!
//! # Layers
//!
//! Each layer imports only layers listed before it; `cargo xtask layers` checks that.
//!
//! ```text
//! base       errors, points in time, panics, units, paths
//! log        what tasks emit: from the span of an attempt to its file and back
//! value      what travels between tasks, in memory and stored
//! config     variables, connections, secrets and settings
//! schedule   when DAGs are due: cron, time zones, timetables, slots
//! run        the data of a run: info, states, entries, views; no behaviour
//! asset      named data that tasks produce and DAGs consume, and its partitions
//! task       what `#[task]` registers: options, trigger rules, context
//! dag        building a graph, and its frozen form, the plan
//! render     pictures of a plan; the colours and glyphs of states
//! approval   tasks that ask people
//! process    child processes: commands, and attempts in a process of their own
//! machine    the pure state machine of a run, and the pure dispatcher
//! callback   notifications: projection of entries, delivery, notifiers
//! engine     the live driver and the simulated driver
//! store      where runs are stored: memory, SQLite; ownership, blobs
//! journal    writer, recorder, history and its follower, edits, resume, explain
//! ops        what people do with runs, each one function: start, resume, clear, mark, cancel
//! service    the process that stays: starts the runs of schedules, works on queued runs
//! server     the HTTP API of a home (feature `server`)
//! sensors    sensors for files, ports, endpoints, times and other runs
//! watch      watchers for files and endpoints
//! spark      jobs on Apache Spark, and tasks on its executors (feature `spark`)
//! testing    the test kit (feature `testing`)
//! cli        the command line of a DAG binary (feature `cli`)
//! ```

pub mod approval;
pub mod asset;
pub mod base;
pub mod callback;
pub mod config;
pub mod dag;
pub mod engine;
pub mod journal;
pub mod log;
mod machine;
pub mod ops;
#[doc(hidden)]
pub mod private;
pub mod process;
pub mod render;
pub mod run;
pub mod schedule;
pub mod sensors;
pub mod service;
pub mod store;
pub mod task;
pub mod value;
pub mod watch;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "spark")]
pub mod spark;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "arrow")]
#[doc(hidden)]
pub use {arrow_array, arrow_schema};
