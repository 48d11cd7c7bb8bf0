//! The handle of a value that does not exist yet.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use super::builder::{Handle, with_node, with_sensor};
use super::order;
use super::order::IntoNodes;
use crate::task::{Backoff, Executor, SensorOptions, TriggerRule, Waiting};

/// What a task will return, or a parameter of the DAG will hold: Airflow's `XComArg`.
///
/// It is `Copy`, so one value can feed many tasks. Passing it to a task draws an edge; the methods
/// set options of the node behind it and return it again:
///
/// ```
/// # use taskflow::prelude::*;
/// # taskflow::pool!("warehouse", slots = 2);
/// # #[task] fn extract(day: u32) -> u32 { day }
/// # #[task] fn summarise(rows: u32) -> u32 { rows }
/// # #[task] fn clean() {}
/// # #[dag] fn daily(day: u32) -> u32 {
/// # let cleanup = clean();
/// let rows = extract(day).retries(5).pool("warehouse");
/// let report = summarise(rows).id("report").after(cleanup);
/// # report }
/// # assert!(daily::def().plan().is_ok());
/// ```
///
/// Mistakes that the compiler cannot see (the same id twice, an output of another DAG) are
/// collected and reported together when the graph is frozen.
pub struct Output<T> {
    handle: Handle,
    value: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    pub(super) fn new(handle: Handle) -> Self {
        Output { handle, value: PhantomData }
    }

    #[doc(hidden)]
    pub fn handle_for_macros(self) -> Handle {
        self.handle
    }

    pub(super) fn handle(self) -> Handle {
        self.handle
    }

    /// Sets the id of the node; the default is the name of the function. An id consists of letters,
    /// digits, `_`, `-` and `.`, and is unique in the DAG.
    #[track_caller]
    pub fn id(self, id: impl Into<String>) -> Self {
        let id = id.into();
        with_node(self.handle, Location::caller(), |node| node.explicit_id = Some(id));
        self
    }

    /// How many more attempts a failed one may have.
    #[track_caller]
    pub fn retries(self, retries: u32) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().retries = Some(retries));
        self
    }

    /// The wait before the first retry.
    #[track_caller]
    pub fn retry_delay(self, delay: Duration) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().retry_delay = Some(delay));
        self
    }

    /// How the wait grows from one retry to the next.
    #[track_caller]
    pub fn backoff(self, backoff: Backoff) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().backoff = Some(backoff));
        self
    }

    /// The longest wait between two attempts.
    #[track_caller]
    pub fn max_retry_delay(self, delay: Duration) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().max_retry_delay = Some(delay));
        self
    }

    /// How long one attempt may run.
    #[track_caller]
    pub fn timeout(self, timeout: Duration) -> Self {
        with_node(self.handle, Location::caller(), |node| match node.def.waiting {
            Waiting::Sensor => node.options_mut().sensor.timeout = Some(timeout),
            Waiting::Never | Waiting::Deferrable => node.options_mut().timeout = Some(timeout),
        });
        self
    }

    /// The wait of a sensor from the end of one poke to the next.
    #[track_caller]
    pub fn poke_interval(self, interval: Duration) -> Self {
        let set = |sensor: &mut SensorOptions| sensor.poke_interval = Some(interval);
        with_sensor(self.handle, Location::caller(), "poke_interval", set);
        self
    }

    /// Skips the sensor, instead of failing it, if it does not find what it looks for in time.
    #[track_caller]
    pub fn soft_fail(self) -> Self {
        with_sensor(self.handle, Location::caller(), "soft_fail", |sensor| sensor.soft_fail = Some(true));
        self
    }

    /// The pool whose slots the task takes while it runs; declared by
    /// [`pool!`](https://docs.rs/taskflow/latest/taskflow/macro.pool.html).
    #[track_caller]
    pub fn pool(self, pool: &'static str) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().pool = Some(pool));
        self
    }

    /// How many slots of its pool the task takes.
    #[track_caller]
    pub fn pool_slots(self, slots: u32) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().pool_slots = Some(slots));
        self
    }

    /// Among ready tasks the one with the highest priority starts first.
    #[track_caller]
    pub fn priority(self, priority: i32) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().priority = Some(priority));
        self
    }

    /// The trigger rule for upstreams connected by order alone.
    #[track_caller]
    pub fn trigger_rule(self, rule: TriggerRule) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().trigger_rule = Some(rule));
        self
    }

    /// Runs the attempts of the task on an executor instead of in the engine's process: on a Spark
    /// cluster, with the feature `spark`. Its inputs and its value are sent in their stored form.
    #[track_caller]
    pub fn on(self, executor: impl Into<Executor>) -> Self {
        let executor = executor.into();
        with_node(self.handle, Location::caller(), |node| node.options_mut().executor = Some(executor));
        self
    }

    /// Tags to find the node by; they replace those of the task.
    #[track_caller]
    pub fn tags(self, tags: &'static [&'static str]) -> Self {
        with_node(self.handle, Location::caller(), |node| node.options_mut().tags = tags);
        self
    }

    /// Orders this node after others without passing a value: `b.after(a)` is `a >> b`.
    #[track_caller]
    pub fn after(self, upstreams: impl IntoNodes) -> Self {
        order::connect(&upstreams.handles(), &[self.handle], Location::caller());
        self
    }

    /// Orders this node before others without passing a value: `a.before([b, c])` is `a >> [b, c]`.
    #[track_caller]
    pub fn before(self, downstreams: impl IntoNodes) -> Self {
        order::connect(&[self.handle], &downstreams.handles(), Location::caller());
        self
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Output<T> {}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Output<{}>({})", std::any::type_name::<T>(), self.handle)
    }
}
