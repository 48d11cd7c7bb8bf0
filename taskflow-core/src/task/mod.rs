//! What `#[task]` registers: the definition of a task, its options, its trigger rule and its context.

mod call;
mod context;
mod def;
mod invoke;
mod options;
mod retry;
mod rule;

pub(crate) use call::{Ending, call_async, call_sync};
pub use context::{Abort, Interrupt, RunInfo, RunTrigger, TaskContext};
#[allow(unused_imports)]
pub(crate) use context::{AttemptControl, Identity};
pub use def::{Body, InputDef, Isolation, Kind, SourceLocation, TaskDef};
pub(crate) use invoke::pass_on;
pub use invoke::{BoxFuture, Inputs, Produced};
pub use options::TaskOptions;
pub use retry::{Backoff, RetryPolicy};
pub use rule::{Setups, Tally, TriggerRule, UnknownTriggerRule, Verdict};
