//! What `#[task]` registers: the definition of a task, its options, its trigger rule and its context.

mod call;
mod callback;
mod context;
mod deadline;
mod def;
mod executor;
mod invoke;
mod notice;
mod options;
mod retry;
mod rule;
mod run_of;
mod signature;
mod surroundings;
mod waiting;
mod xcom;

pub(crate) use call::{Ending, call_as, call_async, call_sync};
pub use callback::{Callback, Callbacks, Notifier, Occasion, Told};
pub use context::{Abort, Interrupt, RunInfo, RunTrigger, TaskContext, TriggeredBy};
#[allow(unused_imports)]
pub(crate) use context::{AttemptControl, Comeback, External, Happening, Identity, RUN_ENDED};
pub use deadline::{Deadline, DeadlineReference};
pub use def::{Body, InputDef, Isolation, Kind, SourceLocation, TaskDef};
#[cfg(all(unix, feature = "spark"))]
pub(crate) use executor::Elsewhere;
pub use executor::Executor;
pub(crate) use executor::{Errand, Session};
pub(crate) use invoke::pass_on;
pub use invoke::{BoxFuture, Inputs, Produced};
pub use notice::{Notice, TaskNotice};
pub use options::TaskOptions;
pub(crate) use retry::JudgedError;
pub use retry::{Backoff, Retry, RetryPolicy};
pub use rule::{Setups, Tally, TriggerRule, UnknownTriggerRule, Verdict};
pub use run_of::{IntervalSchedule, Intervals, NoIntervals, RunOf};
pub use signature::TaskFn;
pub(crate) use surroundings::{Pushed, Scratch, Surroundings};
pub(crate) use waiting::Wait;
pub use waiting::{SensorOptions, SensorPolicy, Waiting};
pub use xcom::XComError;
