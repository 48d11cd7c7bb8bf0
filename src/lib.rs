//! Airflow's TaskFlow API for Rust: ordinary functions become typed DAGs that run in parallel, with
//! retries, limits and a command line.
//!
//! `#[task]` turns a function into a node; calls inside a `#[dag]` function draw the graph; values
//! flow from return to parameter, checked by the compiler:
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
//! In a binary, `taskflow::main!();` adds the command line. The [guide] explains the parts; the
//! [design] says how they are built and why.
//!
//! # Features
//!
//! - `cli` (default): the command line of [`main!`]. Without it taskflow is a library for runs
//!   inside your own program.
//! - `sqlite` (default): runs are kept in a SQLite file.
//! - `server` (default): the HTTP API and the pages of `serve`.
//! - `tls`, `oidc`: HTTPS, and log-in with OpenID Connect, for `serve`.
//! - `arrow`, `spark`: tables as values, and jobs on Apache Spark.
//! - `http`: webhooks ([`notify`]) and the sensor for endpoints ([`sensors`]).
//! - `testing`: the test kit, `taskflow::testing`, for dev-dependencies: virtual time, stubs,
//!   faults.

pub use taskflow_core::asset::Asset;
pub use taskflow_core::base::{BoxError, Crash, Date, ErrorKind, Failure, Interval, Result, Timestamp};
pub use taskflow_core::config::{Config, ConfigError, Connection, Secret};
pub use taskflow_core::dag::{
    AnyOf, BuildError, BuildErrors, Chain, Dag, DagBuilder, DagDef, DagOptions, EachResult, Group, IntoArg, IntoNodes,
    Labelled, Mapped, Output, ParamError, Params, Plan, Registry, Selection, SelectionError, When, chain, chain_linear,
    group, only_if, scope, when,
};
pub use taskflow_core::engine::{
    Engine, Observer, RunControl, RunError, RunFailed, RunHandle, RunReport, RunRequest, TaskReport,
};
pub use taskflow_core::journal::Journal;
pub use taskflow_core::log::{carry, spawn, spawn_blocking};
pub use taskflow_core::run::{Durability, Event, GraphChanges, RunInfo, RunState, TaskState};
pub use taskflow_core::task::{Backoff, Retry, RetryPolicy, TaskContext, TaskDef, TaskOptions, TriggerRule};
pub use taskflow_core::value::Value;
pub use taskflow_macros::{branch, dag, sensor, task};

/// Tasks that ask people.
pub mod approval {
    pub use taskflow_core::approval::{Answer, Decision, approve, ask};
}

/// Assets: named, typed data that tasks produce and DAGs consume.
pub mod asset {
    pub use taskflow_core::asset::{
        Asset, AssetDef, Assets, Batch, Complete, Cursor, Day, Event, EventBinding, EventOptions, EventSource, Events,
        Hour, Latest, Month, Partition, PartitionError, Period, RunPartition, Seen, TakesEvents, Watch, WatchError,
        Watcher, Week, Year,
    };
}

/// Tables as values, and the crates of Apache Arrow that they are made with (feature `arrow`).
#[cfg(feature = "arrow")]
pub mod arrow {
    pub use taskflow_core::value::Frame;
    pub use taskflow_core::{arrow_array as array, arrow_schema as schema};
}

/// Variables, connections, secrets and settings.
pub mod config {
    pub use taskflow_core::config::{
        Config, ConfigBuilder, ConfigError, Connection, Entry, ItemKind, Mistake, Network, Origin, Secret, Settings,
    };
}

/// Running DAGs, and what can be seen of a run.
pub mod engine {
    pub use taskflow_core::engine::{
        AttemptReport, Engine, EngineBuilder, Lagged, MissingConfig, Observer, PreviousError, PreviousRun,
        RecorderError, RunControl, RunError, RunFailed, RunFuture, RunHandle, RunReport, RunRequest, RunningTask,
        Subscription, TaskReport, TriggerError, UnknownPool,
    };
    pub use taskflow_core::run::{
        AdmissionWait, ConsumedEvents, Durability, Event, QuestionRespondents, RunInfo, RunState, RunType, RunView,
        TaskIndex, TaskState, TaskView, TriggeredBy, TriggeringEvents, WaitView,
    };
}

/// The frozen graph, for programs that look into it.
pub mod graph {
    pub use taskflow_core::dag::{
        Arg, ArgPlan, Arm, Branch, BuildError, BuildErrors, DagDef, DagOptions, EdgeArg, EdgeKind, GroupIndex,
        GroupPlan, Join, JoinIndex, Node, NodeIndex, NodeOptions, Param, ParamDef, ParamDefault, Params, Plan, PoolDef,
        Projection, RangeOf, Registry, Selection, Source, Teardown, TextMap, Tuple,
    };
}

/// Stored runs: their history, and what can be done with them.
pub mod journal {
    pub use taskflow_core::journal::{
        AttemptHistory, Attempts, Delivery, Edit, EventDelivery, Explanation, Journal, JournalBuilder, JournalError,
        LinkHistory, MissedDeadline, MissedTaskDeadline, Note, Prune, PushedHistory, Replay, RunChange, RunFollower,
        RunHistory, RunParam, RunRetry, RunSummary, SessionHistory, StoredValue, TaskDetails, TaskFilter, TaskHistory,
        WaitHistory,
    };
    pub use taskflow_core::store::{RunCursor, RunFilter, RunOrder, StoreError, SyncMode};
}

/// What tasks emit.
pub mod log {
    pub use taskflow_core::log::{
        AlreadyInstalled, AttemptLog, Follow, LogError, LogFiles, LogLevel, LogOptions, LogRecord, LogSink, LogSpan,
        LogStatus, Redactor, RunLogRecord, carry, init, init_with, layer, layer_with, mask, redact, spawn,
        spawn_blocking,
    };
}

/// Notifiers for callbacks.
pub mod notify {
    pub use taskflow_core::callback::CallbackFailure;
    pub use taskflow_core::callback::notify::{
        Callback, CallbackKind, CallbackResult, Callbacks, CommandNotifier, Deadline, DeadlineReference, LogLine,
        Notification, Notifier, TaskNotification, command, log_line,
    };
    #[cfg(feature = "http")]
    pub use taskflow_core::callback::notify::{Webhook, webhook, webhook_of};
}

/// Operations: what people do with DAGs and runs, each one function.
pub mod ops {
    #[cfg(feature = "server")]
    pub use taskflow_core::ops::accounts;
    pub use taskflow_core::ops::{
        Action, Actor, AuditEntry, AuditList, AuditQuery, AuditTarget, Outcome, Via, acting_as, acting_as_member,
        audit, audit_refusal, would_prune_audit,
    };
    pub use taskflow_core::ops::{AssetDags, dags_of_assets};
    pub use taskflow_core::ops::{
        AssetDocument, AssetEmission, AttemptStatus, CancelledRun, Checked, Cleared, ConsumerInput, ConsumerStatus,
        DEFAULT_GRACE, DEFAULT_MAX_ACTIVE_RUNS, Draft, EventDocument, EventQuery, ExternalJob, ExternalJobState, Mark,
        Marked, NewAssetEvent, NextSlot, NextSlots, OpsError, PastSlots, Pruned, QueueWait, QueuedDag, Reason,
        Replayed, Rerun, RunEmissions, RunList, RunStatus, RunSummaryDocument, SentEvent, TaskStatus, TriggeredRun,
        Vacuumed, ValueDocument, assets, cancel, cancel_and_wait, clear, clear_and_run, consumers, draft, durability,
        emit, emitted_by, engine, event, events, fail_fast, grace, history, interrupted, list_runs, mark,
        missed_deadlines, next_slots, past_slots, pause, prune, queue_wait, replay, resume, retry, seen_event,
        send_event, start, stored_events, sync_mode, trigger, triggered_runs, unpause, vacuum, value, values,
        would_clear, would_prune, would_prune_events,
    };
    pub use taskflow_core::ops::{
        BackfillFateCount, BackfillOverlap, BackfillPreview, BackfillRun, BackfillSlot, BackfillSlots, BackfillStatus,
        BackfillTotals, CancelledBackfill, ExtendedBackfill, StartedBackfill, backfill_slots, backfill_status,
        cancel_backfill, extend_backfill, limit_backfill, list_backfills, pause_backfill, preview_backfill,
        resume_backfill, retry_backfill, start_backfill,
    };
    pub use taskflow_core::ops::{DagStatus, LastRun, ResetSchedule, dags, pause_of, reset_schedule};
    #[cfg(feature = "sqlite")]
    pub use taskflow_core::ops::{Home, check};
    pub use taskflow_core::ops::{RunCount, count_runs, prune_run};
}

/// Commands as tasks, and tasks in processes of their own.
pub mod process {
    pub use taskflow_core::process::{Command, CommandError, CommandOutput, Drawn, Known, Word, child_main, command};
}

/// Pictures of a graph.
pub mod render {
    pub use taskflow_core::render::{
        ArgValue, ArgView, EdgeView, Endpoint, Format, GroupView, Link, NodeView, OptionList, ParamView, Ref,
        ResultView, STATES, SvgOptions, UnknownFormat, View, render, svg, svg_style_sheet,
    };
}

/// When DAGs are due: cron expressions, time zones, timetables and their slots.
pub mod schedule {
    pub use taskflow_core::dag::{Expression, ScheduleError, ScheduleSource};
    pub use taskflow_core::schedule::{
        ActiveRun, ActiveSlot, BackfillAction, BackfillCounts, BackfillDecision, BackfillError, BackfillFate,
        BackfillOrder, BackfillPhase, BackfillPlan, BackfillRequest, BackfillScope, BackfillSituation, BackfillStep,
        BackfillWaits, BackfillWindow, FutureSlots, LeftAlone, MAX_FAILURES, SharedSlots, Shuffle, SlotRange, SlotRun,
        SlotRunState, SlotRuns,
    };
    pub use taskflow_core::schedule::{
        BEHIND, Backlog, CATCHUP_WINDOW, CLOCK_TOLERANCE, Calendar, Catchup, ClockTime, Combine, Consumer,
        ConsumerDecision, ConsumerState, ConsumerStep, Cron, CronError, Crons, Dates, DeadlineState, Decision,
        EventGroup, EventGroups, EventInput, EventRun, EventSituation, EventWaits, Every, EveryError, Exceptions,
        FailedRun, FairTurns, First, GRACE, MissedSlots, Note, OnUpdate, Overlap, PASSED_OVER, PartsNeeded, Pause,
        PendingEvent, PendingPeriod, Recurrence, RecurrenceError, SETTLING, Schedule, ScheduleState, ScheduleTraces,
        Shift, Situation, Slot, SlotDeadline, SlotFate, SlotRecord, SlotStanding, Span, Step, Takes, Timetable,
        UnknownPolicy, Unpause, WaitingRun, Waits, Zone, ZoneError, ZoneRules, consume, step, unpause,
        unpause_consumer,
    };
}

/// The process that stays: it starts the runs of schedules and works on queued runs.
pub mod service {
    pub use taskflow_core::service::{Service, ServiceEvent, ServiceOptions};
}

/// Sensors that come along.
pub mod sensors {
    pub use taskflow_core::sensors::{ExternalRun, external_run, file_landed, port_open, time_reached};
    #[cfg(feature = "http")]
    pub use taskflow_core::sensors::{HttpAnswer, http_ok, http_where};
}

/// Jobs on Apache Spark, and tasks on its executors (feature `spark`).
#[cfg(feature = "spark")]
pub mod spark {
    pub use taskflow_core::spark::{
        DeployMode, EventSummary, Executors, Limit, Master, SparkError, SparkJob, SparkSubmit, spark_submit,
    };
}

/// What `#[task]` registers, and what a running task can reach.
pub mod tasks {
    pub use taskflow_core::base::SourceLocation;
    pub use taskflow_core::run::RunType;
    pub use taskflow_core::task::{
        Abort, EmitError, Executor, InputDef, Interrupt, IntervalSchedule, Intervals, Isolation, Kind, NoIntervals,
        ParamsError, Production, Respondents, RunOf, SensorOptions, SensorPolicy, Setups, Tally, TaskContext, TaskDef,
        TaskFn, TaskOptions, TriggerRule, UnknownTriggerRule, Verdict, Waiting, XComError,
    };
}

/// The test kit: simulated runs with virtual time, stubs and faults (feature `testing`).
#[cfg(feature = "testing")]
pub mod testing {
    pub use taskflow_core::testing::{
        EmittedEvent, Outcome, ServiceTest, StubFn, Subject, Target, Test, TestError, check_dags, check_timetable,
        explore,
    };
}

/// Points in time.
pub mod time {
    pub use taskflow_core::base::{Date, Interval, Timestamp};
}

/// What travels between tasks.
pub mod value {
    pub use taskflow_core::value::{Constant, TypeInfo, Value};
}

/// Watchers: sources of events outside. [`asset::Watch`] is the trait for watchers of one's own.
pub mod watch {
    pub use taskflow_core::watch::{FileLanded, FilesWatch, files};
    #[cfg(feature = "http")]
    pub use taskflow_core::watch::{HttpChanged, HttpWatch, http};
}

/// Everything a DAG file needs: `use taskflow::prelude::*;`
pub mod prelude {
    pub use crate::asset::{Complete, Event, Events, Latest, Seen};
    pub use crate::{
        AnyOf, Asset, Backoff, Dag, Date, Failure, Mapped, Output, Result, TaskContext, Timestamp, TriggerRule, branch,
        chain, chain_linear, dag, group, only_if, scope, sensor, task, when,
    };
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
mod readme {}

// The macros take their documentation from these files. Its examples need this crate, so they run
// as its tests.
#[cfg(doctest)]
mod macros {
    #[doc = include_str!("../taskflow-macros/docs/branch.md")]
    mod branch {}
    #[doc = include_str!("../taskflow-macros/docs/dag.md")]
    mod dag {}
    #[doc = include_str!("../taskflow-macros/docs/sensor.md")]
    mod sensor {}
    #[doc = include_str!("../taskflow-macros/docs/task.md")]
    mod task {}
}

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

// For generated code, and no API. The name carries the version, as `taskflow_macros` and the macros
// below use it: macros of another version fail with an unresolved name, and no other crate can rely
// on it.
#[doc(hidden)]
pub use taskflow_core::private as __private_0_1_0;

/// Makes the binary a workflow system: its `main` is the command line over the DAGs it holds.
///
/// `taskflow::main!();` serves every linked DAG. DAGs of a library crate that nothing else in the
/// binary names must be listed, or the linker leaves them out:
/// `taskflow::main!(my_dags::daily, my_dags::hourly);`
#[cfg(feature = "cli")]
#[macro_export]
macro_rules! main {
    ($($dag:ty),* $(,)?) => {
        fn main() -> ::std::process::ExitCode {
            $($crate::Registry::register(<$dag>::def());)*
            $crate::__private_0_1_0::cli_main($crate::__private_0_1_0::Program {
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
        $crate::__private_0_1_0::inventory::submit! {
            $crate::__private_0_1_0::PoolEntry($crate::__private_0_1_0::PoolDef { name: $name, slots: $slots })
        }
    };
}

/// Declares assets: named data that tasks produce and DAGs consume. Each is a constant.
///
/// ```
/// use taskflow::asset::Day;
/// use taskflow::prelude::*;
///
/// taskflow::asset! {
///     /// The number of orders in the warehouse, by day.
///     pub ORDERS: Asset<u64, Day> = "warehouse/orders";
///     RATES: Asset<f64> = "ecb/rates";
/// }
/// # assert_eq!(ORDERS.name(), "warehouse/orders");
/// ```
///
/// The name identifies the asset in the store: other programs of the same home may declare it too.
#[macro_export]
macro_rules! asset {
    ($($(#[doc = $doc:expr])* $vis:vis $asset:ident: $ty:ty = $name:expr;)*) => {$(
        $(#[doc = $doc])*
        $vis const $asset: $ty = <$ty>::new(
            $name,
            ::core::concat!($($doc, "\n",)*),
            $crate::__private_0_1_0::SourceLocation {
                file: ::core::file!(),
                line: ::core::line!(),
                column: ::core::column!(),
            },
        );

        $crate::__private_0_1_0::inventory::submit! {
            $crate::__private_0_1_0::AssetEntry($asset.def())
        }
    )*};
}

/// Makes the events of a watcher those of an asset: `serve` runs the watcher.
///
/// `taskflow::watch!(EXPORTS = watch::files("landing/*.csv"));` beside the asset. The payload of
/// the asset is the event of the watcher, and the asset has no partitions. See [`asset::Watch`].
#[macro_export]
macro_rules! watch {
    ($asset:path = $watch:expr) => {
        $crate::__private_0_1_0::inventory::submit! {
            $crate::__private_0_1_0::WatcherEntry(|| $crate::__private_0_1_0::Watcher::new($asset, $watch))
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_module_for_generated_code_is_named_after_the_version() {
        let version = env!("CARGO_PKG_VERSION").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        let expected = format!("__private_{version}");
        let code = include_str!("lib.rs").split("#[cfg(test)]").next().expect("code precedes the tests");
        let names = code.split(|c: char| c != '_' && !c.is_ascii_alphanumeric());
        let mut names: Vec<&str> = names.filter(|name| name.starts_with("__private")).collect();
        names.dedup();
        assert_eq!(names, [expected]);
    }
}
