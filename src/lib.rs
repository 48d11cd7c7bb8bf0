//! Airflow's TaskFlow API for Rust.

pub use taskflow_core::dag::{
    AnyOf, BuildError, BuildErrors, Dag, DagDef, DagOptions, IntoArg, IntoNodes, Output, Plan, Registry, Selection,
    chain, chain_linear, group,
};
pub use taskflow_core::error::{BoxError, Failure, Result};
pub use taskflow_core::task::{Backoff, RetryPolicy, RunInfo, TaskContext, TaskDef, TaskOptions, TriggerRule};
pub use taskflow_core::time::{Date, Interval, Timestamp};
pub use taskflow_core::value::Value;
pub use taskflow_core::{dag as graph, engine, error, task as tasks, time, value};
pub use taskflow_macros::{dag, task};

/// Everything a DAG file needs: `use taskflow::prelude::*;`
pub mod prelude {
    pub use crate::{
        AnyOf, Backoff, Dag, Date, Failure, Output, Result, TaskContext, Timestamp, TriggerRule, chain, chain_linear,
        dag, group, task,
    };
}

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
