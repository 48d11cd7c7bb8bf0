//! The run time of [taskflow](https://docs.rs/taskflow): everything behind the `#[task]` and `#[dag]` attributes.
//!
//! Use the facade crate `taskflow`; this one exists so that its parts can be tested and read alone. From the ground up,
//! each room importing only those before it:
//!
//! 1. [`error`], [`time`]: failures and build errors; points in time.
//! 2. [`log`]: what tasks emit, in files.
//! 3. [`value`]: what travels between tasks.
//! 4. [`config`]: variables, connections, secrets and settings, and where they come from.
//! 5. [`task`]: what `#[task]` registers, its options, its trigger rule, its context.
//! 6. [`dag`]: building a graph symbolically, freezing it into a [`Plan`](dag::Plan), showing it.
//! 7. [`process`]: child processes, for commands and for isolated tasks. [`notify`], [`approval`]: callbacks that come along, and
//!    tasks that ask people.
//! 8. [`engine`]: the state machine of a DAG run and the workers that drive it. [`sensors`]: those that come along. `spark`: jobs
//!    on Apache Spark (feature `spark`).
//! 9. [`journal`]: what happened in runs, kept so that they survive.
//! 10. `testing`: the test kit (feature `testing`).
//! 11. `cli`: the command line of a DAG binary (feature `cli`).

pub mod approval;
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
pub mod sensors;
pub mod store;
pub mod task;
pub mod value;

#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "spark")]
pub mod spark;
#[cfg(feature = "testing")]
pub mod testing;

#[cfg(feature = "arrow")]
#[doc(hidden)]
pub use {arrow_array, arrow_schema};
