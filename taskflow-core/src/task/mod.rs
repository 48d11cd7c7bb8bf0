//! What `#[task]` registers: the definition of a task, its options, its trigger rule and its context.

mod call;
mod callback;
mod context;
mod deadline;
mod def;
mod invoke;
mod notice;
mod options;
mod retry;
mod rule;
mod signature;
mod waiting;

pub(crate) use call::{Ending, call_as, call_async, call_sync};
pub use callback::{Callback, Callbacks, Notifier, Occasion, Told};
pub use context::{Abort, Interrupt, RunInfo, RunTrigger, TaskContext};
#[allow(unused_imports)]
pub(crate) use context::{AttemptControl, Comeback, External, Happening, Identity};
pub use deadline::{Deadline, DeadlineReference};
pub use def::{Body, InputDef, Isolation, Kind, SourceLocation, TaskDef};
pub(crate) use invoke::pass_on;
pub use invoke::{BoxFuture, Inputs, Produced};
pub use notice::{Notice, TaskNotice};
pub use options::TaskOptions;
pub(crate) use retry::JudgedError;
pub use retry::{Backoff, Retry, RetryPolicy};
pub use rule::{Setups, Tally, TriggerRule, UnknownTriggerRule, Verdict};
pub use signature::TaskFn;
pub(crate) use waiting::Wait;
pub use waiting::{SensorOptions, SensorPolicy, Waiting};
