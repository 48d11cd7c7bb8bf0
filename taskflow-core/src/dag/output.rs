//! The handle of a value that does not exist yet.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::time::Duration;

use super::builder::{Handle, with_node, with_own_option, with_sensor};
use super::each::EachResult;
use super::label::Labelled;
use super::order::{self, IntoNodes};
use super::projection::{self, TextMap, Tuple};
use crate::task::{Backoff, Executor, SensorOptions, TaskDef, TaskOptions, TriggerRule, Waiting};
use crate::value::Value;

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

    /// Sets an option that tasks of a later layer have. `change` says why it cannot be set, which
    /// is a mistake of the graph.
    #[track_caller]
    pub(crate) fn own_option(
        self,
        change: impl FnOnce(&'static TaskDef, &mut TaskOptions) -> Result<(), String>,
    ) -> Self {
        with_own_option(self.handle, Location::caller(), change);
        self
    }

    /// Sets the id of the node; the default is the name of the function. An id consists of letters,
    /// digits, `_`, `-` and `.`, and is unique in the DAG.
    #[track_caller]
    pub fn id(self, id: impl Into<String>) -> Self {
        let id: String = id.into();
        with_node(self.handle, Location::caller(), |node| node.explicit_id = Some(id.into()));
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

    /// How long all attempts of the task may take together, counted from the start of the first
    /// one: the attempts, the delays between them and the waits of a deferrable task, also while no
    /// process runs it. Temporal's schedule-to-close timeout, without the time until the first
    /// start.
    ///
    /// A running attempt is ended at the limit, as by its [`timeout`](Output::timeout), and a
    /// deferred task stops waiting: its job on a cluster is killed. The task fails with
    /// [`Failure::OutOfTime`](crate::base::Failure::OutOfTime). A failed attempt whose retry would
    /// start at the limit or later is not retried. If the limit passes while no process runs the
    /// task, it fails when its run is resumed, without another call. A task that is cleared, or
    /// retried with its group or its run, has the whole time again.
    ///
    /// For a sensor this is its `timeout`.
    #[track_caller]
    pub fn total_timeout(self, limit: Duration) -> Self {
        with_node(self.handle, Location::caller(), |node| match node.def.waiting {
            Waiting::Sensor => node.options_mut().sensor.timeout = Some(limit),
            Waiting::Never | Waiting::Deferrable => node.options_mut().total_timeout = Some(limit),
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

    /// Orders this node after others without passing a value: `b.after(a)` is `a >> b`. After a
    /// [`Mapped`](super::Mapped) it waits for all elements.
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

// The methods below are here instead of with what they draw, because the compiler then names them
// in its notes as methods of `taskflow::Output`, and not of an impl in a private module.
impl<T> Output<T> {
    /// The value in another form: `closure` converts it for each consumer, on the thread that runs
    /// the consumer. It adds no node, and the result is not stored.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn read() -> Vec<f64> { vec![1.5, 2.5] }
    /// # #[task] fn report(rows: usize, total: f64) -> String { format!("{rows} rows, {total} in all") }
    /// # #[dag] fn daily() -> String {
    /// let rows = read();
    /// report(rows.map(|rows: &Vec<f64>| rows.len()), rows.map(|rows: &Vec<f64>| rows.iter().sum()))
    /// # }
    /// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "2 rows, 4 in all");
    /// ```
    ///
    /// Use it for quick conversions that cannot fail; a `#[task]` has retries, a log and a stored
    /// value. Options set on the result (`.id(..)`, `.retries(..)`, `.after(..)`) apply to the
    /// original node.
    #[must_use = "a projection does nothing until a task takes it"]
    pub fn map<U: Value>(self, closure: impl Fn(&T) -> U + Send + Sync + 'static) -> Output<U>
    where
        T: Value,
    {
        projection::map(self, closure)
    }

    /// The value at `key` of a map with text keys. A missing key fails the consumer without a
    /// retry, and the error lists the existing keys.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # use std::collections::BTreeMap;
    /// # #[task] fn split() -> BTreeMap<String, Vec<u32>> { [("east".to_owned(), vec![1, 2])].into() }
    /// # #[task] fn total(rows: &[u32]) -> u32 { rows.iter().sum() }
    /// # #[dag] fn daily() -> u32 {
    /// let regions = split(); // a BTreeMap<String, Vec<u32>>
    /// total(regions.get("east"))
    /// # }
    /// # assert_eq!(daily::run().wait().unwrap().result(), Some(&3));
    /// ```
    #[must_use = "a projection does nothing until a task takes it"]
    // With the type of the result as a parameter the compiler finds the method on every output, and
    // where it does not fit reports the message of the trait.
    pub fn get<V: Value + Clone>(self, key: impl Into<String>) -> Output<V>
    where
        T: TextMap<Item = V>,
    {
        projection::get(self, key.into())
    }

    /// The parts of a tuple of two, three or four, each as an output.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn split() -> (Vec<u32>, String) { (vec![1, 2], "two".to_owned()) }
    /// # #[task] fn show(rows: &[u32], name: &str) -> String { format!("{name}: {rows:?}") }
    /// # #[dag] fn daily() -> String {
    /// let (rows, name) = split().unzip(); // of an Output<(Vec<u32>, String)>
    /// show(rows, name)
    /// # }
    /// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "two: [1, 2]");
    /// ```
    #[must_use = "a projection does nothing until a task takes it"]
    pub fn unzip<O>(self) -> O
    where
        T: Tuple<Outputs = O>,
    {
        T::outputs(self)
    }
}

impl<T: Value + Clone> Output<Vec<T>> {
    /// Draws a part of the graph for each element of a list that is known only at run time.
    ///
    /// The closure runs once and draws what happens to one element: any tasks, with any edges
    /// between them and to tasks outside, groups, and further `each`. In a run its tasks exist once
    /// for each element, with ids like `area[0]`, `area[1]`; those of one element start as soon as
    /// its own inputs are available.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// #[task] fn sides() -> Vec<u32> { vec![2, 3, 4] }
    /// #[task] fn area(side: u32) -> u32 { side * side }
    /// #[task] fn sum(areas: &[u32]) -> u32 { areas.iter().sum() }
    ///
    /// #[dag]
    /// fn squares() -> u32 {
    ///     let areas = sides().each(|side| area(side));
    ///     sum(areas)
    /// }
    /// # let report = squares::def().plan().unwrap();
    /// # assert!(report.find("sides.each").is_some());
    /// ```
    ///
    /// A closure that returns a tuple of outputs gets one list back for each:
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn files() -> Vec<String> { vec!["a.csv".into(), "b.tmp".into()] }
    /// # #[task] fn check(file: &str) -> bool { file.ends_with(".csv") }
    /// # #[task] fn size(file: &str) -> usize { file.len() }
    /// # #[task] fn report(valid: &[bool], sizes: &[usize]) -> String { format!("{valid:?} {sizes:?}") }
    /// # #[dag] fn daily() -> String {
    /// let (valid, sizes) = files().each(|file| (check(file), size(file)));
    /// report(valid, sizes)
    /// # }
    /// # assert_eq!(daily::run().wait().unwrap().result().unwrap(), "[true, false] [5, 5]");
    /// ```
    ///
    /// Options of the mapping ([`concurrency`](super::Mapped::concurrency) and others), set on any
    /// of them, apply to all: the closure draws one template.
    ///
    /// An empty list results in an empty list and skips nothing. If there is no list, because its
    /// task failed or was skipped, there are no elements, and consumers of their values are treated
    /// as if one had failed or was skipped.
    #[track_caller]
    pub fn each<R: EachResult>(self, body: impl FnOnce(Output<T>) -> R) -> R::Mapped {
        self.each_with(None, body)
    }

    /// Labels the elements for display: Airflow's `map_index_template`. Their tasks keep their ids,
    /// `load[3]`; `status` and the live view say `load[3] (2013-03)`.
    ///
    /// ```
    /// # use taskflow::prelude::*;
    /// # #[task] fn months() -> Vec<u32> { vec![1, 2, 3] }
    /// # #[task] fn load(month: u32) -> u32 { month }
    /// # #[task] fn sum(rows: &[u32]) -> u32 { rows.iter().sum() }
    /// # #[dag] fn year() -> u32 {
    /// let loaded = months().label(|month| format!("2013-{month:02}")).each(load);
    /// # sum(loaded) }
    /// # assert_eq!(year::run().wait().unwrap().result(), Some(&6));
    /// ```
    ///
    /// The closure is called when the list is there, once for each element; if it panics, the list
    /// fails.
    pub fn label<L: fmt::Display>(self, label: impl Fn(&T) -> L + Send + Sync + 'static) -> Labelled<T> {
        Labelled::new(self, label)
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
