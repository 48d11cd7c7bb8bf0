//! Airflow's TaskFlow API for Rust: ordinary functions become typed DAGs that run in parallel, with retries, limits and a
//! command line.
//!
//! `#[task]` turns a function into a node; calls inside a `#[dag]` function draw the graph; values flow from return to
//! parameter, checked by the compiler:
//!
//! ```
//! use taskflow::prelude::*;
//!
//! #[task]
//! fn words(text: &str) -> Vec<String> {
//!     text.split_whitespace().map(str::to_owned).collect()
//! }
//!
//! #[task(retries = 2)]
//! async fn longest(words: &[String]) -> Result<String> {
//!     let longest = words.iter().max_by_key(|word| word.len());
//!     Ok(longest.ok_or("no words")?.clone())
//! }
//!
//! /// The longest word of a text.
//! #[dag]
//! fn longest_word(#[param(default = "to be or not to be")] text: String) -> String {
//!     longest(words(text))
//! }
//!
//! # fn main() -> Result<()> {
//! let report = longest_word::run("data flows along edges".to_owned()).wait()?;
//! assert_eq!(report.success()?, "edges"); // of equally long ones the last
//! # Ok(())
//! # }
//! ```
//!
//! In a binary, `taskflow::main!();` adds the command line. The [guide] explains the parts; the [design] says how they are
//! built and why.
//!
//! # Features
//!
//! - `cli` (default): the command line of [`main!`]. Without it taskflow is a library for runs inside your own program.
//! - `http`: webhooks ([`notify`]) and the sensor for endpoints ([`sensors`]).
//! - `testing`: the test kit, `taskflow::testing`, for dev-dependencies: virtual time, stubs, faults.

/// Tables as values, and the crates of Apache Arrow that they are made with (feature `arrow`).
#[cfg(feature = "arrow")]
pub mod arrow {
    pub use taskflow_core::value::Frame;
    pub use taskflow_core::{arrow_array as array, arrow_schema as schema};
}
pub use taskflow_core::approval;
pub use taskflow_core::config;
pub use taskflow_core::config::{Config, ConfigError, Connection, Secret};
pub use taskflow_core::dag::{
    AnyOf, BuildError, BuildErrors, Dag, DagBuilder, DagDef, DagOptions, EachResult, Group, IntoArg, IntoNodes,
    Labelled, Mapped, Output, ParamError, Params, Plan, Registry, Selection, SelectionError, When, chain, chain_linear,
    group, only_if, scope, when,
};
pub use taskflow_core::engine::{
    Durability, Engine, Event, Observer, RunControl, RunError, RunFailed, RunHandle, RunReport, RunRequest, RunState,
    TaskReport, TaskState,
};
pub use taskflow_core::error::{BoxError, Failure, Result};
pub use taskflow_core::journal::Journal;
pub use taskflow_core::log;
pub use taskflow_core::log::{carry, spawn, spawn_blocking};
pub use taskflow_core::notify;
pub use taskflow_core::process;
#[cfg(feature = "spark")]
pub use taskflow_core::spark;
pub use taskflow_core::task::{Backoff, Retry, RetryPolicy, RunInfo, TaskContext, TaskDef, TaskOptions, TriggerRule};
#[cfg(feature = "testing")]
pub use taskflow_core::testing;
pub use taskflow_core::time::{Date, Interval, Timestamp};
pub use taskflow_core::value::Value;
/// Everything there is, by room: for tools that look into graphs and runs.
pub use taskflow_core::{dag as graph, engine, error, journal, sensors, task as tasks, time, value};
pub use taskflow_macros::{branch, dag, sensor, task};

/// Everything a DAG file needs: `use taskflow::prelude::*;`
pub mod prelude {
    pub use crate::{
        AnyOf, Backoff, Dag, Date, Failure, Mapped, Output, Result, TaskContext, Timestamp, TriggerRule, branch, chain,
        chain_linear, dag, group, only_if, scope, sensor, task, when,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/durability.md")]
pub mod durability {}

#[cfg(any(doc, doctest))]
#[doc = include_str!("../docs/design.md")]
pub mod design {}

#[cfg(all(any(doc, doctest), feature = "spark"))]
#[doc = include_str!("../docs/spark.md")]
pub mod spark_guide {}

#[doc(hidden)]
pub use taskflow_core::private as __private;

/// Makes the binary a workflow system: its `main` is the command line over the DAGs it holds.
///
/// `taskflow::main!();` serves every linked DAG. DAGs of a library crate that nothing else in the binary names must be
/// listed, or the linker leaves them out: `taskflow::main!(my_dags::daily, my_dags::hourly);`
#[cfg(feature = "cli")]
#[macro_export]
macro_rules! main {
    ($($dag:ty),* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $($crate::Registry::register(<$dag>::def());)*
            $crate::__private::cli_main($crate::__private::Program {
                version: ::core::option_env!("CARGO_PKG_VERSION"),
            })
        }
    };
}

/// Declares a pool: a named number of slots that running tasks share.
///
/// `taskflow::pool!("warehouse", slots = 4);` beside the DAG that uses it.
#[macro_export]
macro_rules! pool {
    ($name:literal, slots = $slots:literal) => {
        $crate::__private::inventory::submit! {
            $crate::__private::PoolEntry($crate::__private::PoolDef { name: $name, slots: $slots })
        }
    };
}
