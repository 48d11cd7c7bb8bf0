//! The options of a node, resolved.

use std::time::Duration;

use crate::task::{
    Callbacks, Deadline, Executor, Respondents, RetryPolicy, SensorPolicy, TaskOptions, TriggerRule, Waiting,
};

/// The table of the resolved options. Each row is one option:
///
/// ```text
/// name: type = from the call, hash(how), show(place: how);
/// ```
///
/// - The closure resolves it from the merged options of a call and its place in the graph.
/// - `hash`: when the structural hash of a DAG includes it: `always`, `if_some`, `if_any`;
///   `if_kind` is `if_some` and includes only the kind of an executor. The hash takes options in
///   the order of the rows. An option that is added later is not `always`, so that the hashes of
///   graphs without it stay the same.
/// - `show`: where among its options pictures show it, and how, a function of `render`.
///
/// What a user writes is a row of `task_options`.
macro_rules! node_options {
    ($consumer:ident) => {
        $consumer! {
            /// When and how often it is retried.
            retry: RetryPolicy = |call| RetryPolicy {
                retries: call.options.retries.unwrap_or(0),
                delay: call.options.retry_delay.unwrap_or(RetryPolicy::DEFAULT_DELAY),
                backoff: call.options.backoff.unwrap_or_default(),
                max_delay: call.options.max_retry_delay.unwrap_or(RetryPolicy::DEFAULT_MAX_DELAY),
            }, hash(always), show(1: retry);
            /// How long one attempt may run.
            timeout: Option<Duration> = |call| call.options.timeout, hash(always), show(2: timeout);
            /// How long all its attempts may take together. A sensor has its own limit.
            total_timeout: Option<Duration> = |call| {
                call.options.total_timeout.filter(|_| call.waiting != Waiting::Sensor)
            }, hash(if_some), show(14: duration);
            /// The pool it runs in.
            pool: Option<&'static str> = |call| call.options.pool, hash(always), show(5: value);
            /// How many slots of the pool it takes.
            pool_slots: u32 = |call| call.options.pool_slots.unwrap_or(1), hash(always), show(6: pool_slots);
            /// Of the ready tasks, those with the highest priority start first.
            priority: i32 = |call| call.options.priority.unwrap_or(0), hash(always), show(7: priority);
            /// The rule for its order edges.
            trigger_rule: TriggerRule = |call| match call.teardown {
                Some(_) => TriggerRule::AllDoneSetupSuccess,
                None => call.options.trigger_rule.unwrap_or_default(),
            }, hash(always), show(8: trigger_rule);
            /// Where its attempts run, if not in the process of the engine.
            executor: Option<Executor> = |call| call.options.executor, hash(if_kind), show(4: executor);
            /// Whether it is the teardown of a scope, or part of one.
            teardown: Option<Teardown> = |call| call.teardown, hash(if_some), show(9: teardown);
            /// What it may wait for without holding a slot.
            waiting: Waiting = |call| call.waiting, hash(always), show(0: waiting);
            /// The callbacks to notify.
            callbacks: Callbacks = |call| call.options.callbacks, hash(if_any), show(10: callbacks);
            /// How often and how long it pokes, if it is a sensor.
            sensor: Option<SensorPolicy> = |call| {
                (call.waiting == Waiting::Sensor).then(|| SensorPolicy::of(call.options.sensor))
            }, hash(always), show(3: sensor);
            /// The time by which it should have succeeded.
            deadline: Option<Deadline> = |call| call.options.deadline, hash(if_some), show(15: deadline);
            /// Tags for searching and filtering.
            tags: &'static [&'static str] = |call| call.options.tags, hash(always), show(11: tags);
            /// Connections that the configuration must have when a run starts.
            connections: &'static [&'static str] = |call| call.options.connections, hash(if_any), show(12: tags);
            /// Secrets that the configuration must have when a run starts.
            secrets: &'static [&'static str] = |call| call.options.secrets, hash(if_any), show(13: tags);
            /// Who may answer its question, if it asks people and not everybody may.
            respondents: Option<Respondents> = |call| call.options.respondents, hash(if_some), show(16: respondents);
        }
    };
}
pub(crate) use node_options;

/// What the options of a node are resolved from.
pub(in crate::dag) struct Call {
    /// Its own options, those of its task and the task defaults, merged.
    pub(in crate::dag) options: TaskOptions,
    pub(in crate::dag) waiting: Waiting,
    pub(in crate::dag) teardown: Option<Teardown>,
}

macro_rules! define {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $resolve:expr, hash($hash:ident), show($place:literal: $show:ident);
    )*) => {
        /// The options of a node, resolved.
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct NodeOptions {
            $($(#[$doc])* pub $name: $ty,)*
        }

        impl NodeOptions {
            pub(in crate::dag) fn resolve(call: &Call) -> Self {
                $(
                    let resolve: fn(&Call) -> $ty = $resolve;
                    let $name = resolve(call);
                )*
                NodeOptions { $($name,)* }
            }
        }
    };
}

node_options!(define);

/// What the failure of a teardown means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Teardown {
    /// It is shown.
    Quiet,
    /// It fails the run.
    FailsRun,
}
