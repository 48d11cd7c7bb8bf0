//! What `#[task]` registers: the definition of a task, its options, its trigger rule and its
//! context.

mod call;
mod callback;
mod cause;
mod context;
mod control;
mod deadline;
mod def;
mod emit;
mod executor;
mod host;
mod interrupt;
mod invoke;
mod notification;
mod on_kill;
mod options;
mod params;
mod processes;
mod production;
mod respondents;
mod retry;
mod rule;
mod run_of;
mod signature;
mod wait_state;
mod waiting;
mod xcom;

pub(crate) use call::{Outcome, call_as, call_async, call_in_place, call_sync};
pub use callback::{Callback, CallbackKind, CallbackResult, Callbacks, Notifier};
pub(crate) use cause::because_of;
pub(crate) use context::Identity;
pub use context::TaskContext;
pub(crate) use control::AttemptControl;
pub(crate) use deadline::DeadlineTimes;
pub use deadline::{Deadline, DeadlineReference};
pub use def::{Body, InputDef, Isolation, Kind, TaskDef};
pub use emit::EmitError;
pub(crate) use emit::EmitRequest;
pub use executor::Executor;
#[cfg(all(unix, feature = "spark"))]
pub(crate) use executor::ExecutorBackend;
pub(crate) use executor::{ExecutorTask, Session};
pub(crate) use host::{AttemptHost, PARAMS, Pushed, Scratch};
pub use interrupt::{Abort, Interrupt};
pub(crate) use invoke::pass_on;
pub use invoke::{BoxFuture, Inputs, Produced};
pub use notification::{Notification, TaskNotification};
pub(crate) use on_kill::{OnKill, OnKillResolver, UnattendedWork};
pub use options::TaskOptions;
pub(crate) use options::task_options;
pub use params::ParamsError;
#[cfg(unix)]
pub(crate) use processes::ProcessHold;
pub use production::Production;
pub use respondents::Respondents;
pub(crate) use retry::JudgedError;
pub use retry::{Backoff, Retry, RetryPolicy};
pub use rule::{Setups, Tally, TriggerRule, UnknownTriggerRule, Verdict};
pub use run_of::{IntervalSchedule, Intervals, NoIntervals, RunOf};
pub use signature::TaskFn;
pub(crate) use wait_state::WaitState;
pub(crate) use waiting::Wait;
pub use waiting::{SensorOptions, SensorPolicy, Waiting};
pub use xcom::XComError;
