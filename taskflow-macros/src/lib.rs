//! The macros of taskflow. Use them through the facade crate `taskflow`.
//!
//! A macro expands in three passes. It parses the function and its options into a model that keeps
//! spans; it validates the model and collects all errors; it generates code from the model, which
//! cannot fail. After an error it generates a form of the item that lets the rest of the program
//! compile, so that one mistake causes one message.
//!
//! All options are rows of one table: see [`option`] for how to add one.
//!
//! If the environment variable `TASKFLOW_PRINT_EXPANSION` is set, the compiler prints the
//! expansions: `touch src/main.rs && TASKFLOW_PRINT_EXPANSION=1 cargo check`.

mod attrs;
mod branch;
mod crate_path;
mod cron;
mod dag;
mod duration;
mod errors;
mod function;
mod option;
mod schedule;
mod size;
mod source_text;
mod spans;
mod suggest;
mod task;
#[cfg(test)]
mod tests;
mod types;

use proc_macro::TokenStream;

/// Turns a function into a task.
///
/// Inside a `#[dag]` function, calling the task adds a node to the graph and returns an `Output`,
/// which represents the value of the task. The function as written is available as `call`:
///
/// ```
/// use taskflow::prelude::*;
///
/// /// Reads one day of readings.
/// #[task(retries = 3, retry_delay = "5s", timeout = "10m")]
/// async fn extract(day: Date) -> Result<Vec<f64>> {
///     Ok(vec![f64::from(day.day()), 2.5])
/// }
///
/// #[task]
/// fn mean(readings: &[f64]) -> f64 {
///     readings.iter().sum::<f64>() / readings.len() as f64
/// }
///
/// #[dag]
/// fn report(day: Date) -> f64 {
///     mean(extract(day))
/// }
///
/// assert_eq!(mean::call(&[1.0, 3.0]), 2.0); // as in a unit test, without DAG or engine
/// assert_eq!(report::def().plan()?.len(), 2);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// # Parameters
///
/// A task may have any number of parameters. Their types must implement `serde::Serialize` and
/// `serde::Deserialize`, be `Send` and `Sync`, and own their data.
///
/// | parameter | receives |
/// |---|---|
/// | `x: T` | the value: moved if no other task needs it, cloned otherwise, so `T` must be `Clone` |
/// | `x: &T`, `x: &[T]`, `x: &str` | a reference, without a copy; in the graph, the type is `T`, `Vec<T>` or `String` |
/// | `x: Option<T>` | `None` if the upstream task was skipped; the task runs anyway |
/// | `x: Result<T, Failure>` | the value or the failure of the upstream task, whatever its final state |
/// | `x: Vec<T>`, `Vec<Option<T>>`, `Vec<Result<T, Failure>>` | the same for several upstream tasks |
/// | `x: AnyOf<T>` | the value of the first of several upstream tasks to succeed, without waiting for the others |
/// | `ctx: &TaskContext` | the context of the attempt: its run, its number, progress, cancellation. Not an input, and omitted from the call in the DAG |
///
/// # Return type
///
/// A value, nothing, or a type whose name ends in `Result`. The output of a task that returns a
/// `Result` has the type of its `Ok` value. The error may be anything that `?` converts to a boxed
/// error: an error of `anyhow`, `thiserror` or `std`, a `String` or a `&str`.
///
/// # Kinds of functions
///
/// A `fn` runs on a worker thread of the engine and should compute. Mark a `fn` that waits for
/// files or sockets as `blocking`, so that it runs on a thread of its own. An `async fn` runs on
/// the tokio runtime.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `id = "load"` | the id of the node | the name of the function |
/// | `retries = 3` | how many attempts may follow a failed first one | 0 |
/// | `retry_delay = "30s"` | the delay before the first retry | 10 seconds |
/// | `backoff = "exponential"` | how the delay grows: `"constant"`, `"exponential"` (each delay is twice the previous one) or a factor such as `1.5` | `"constant"` |
/// | `max_retry_delay = "10m"` | the upper limit of the delay | 24 hours |
/// | `retry_on = is_transient` | a function `fn(&Error) -> bool` or `fn(&Error) -> Retry` that decides which errors are retried, and when | all errors are retried |
/// | `timeout = "1h"` | how long an attempt may take | no limit |
/// | `blocking` | the function waits for files or sockets | it computes |
/// | `deferrable` | the task may wait for a time or an event without holding a slot: `ctx.defer_until`, `ctx.wait_for` | it may not |
/// | `isolation = "process"` | runs each attempt in a process of its own | the process of the engine |
/// | `memory = "512MiB"` | the memory limit of that process | no limit |
/// | `executor = "spark"` | runs attempts on the executors of the Spark connection `spark_default` | the process of the engine |
/// | `pool = "warehouse"` | the pool that a running attempt takes slots of | none |
/// | `pool_slots = 2` | how many slots it takes | 1 |
/// | `priority = 10` | the ready task with the highest priority starts first | 0 |
/// | `trigger_rule = "one_failed"` | which states of upstream tasks connected only by order let the task run; also `TriggerRule::OneFailed` | `"all_success"` |
/// | `on_success = report` | a callback for when the task succeeds: a function that takes a `&Notification`, or a notifier of `taskflow::notify` | none |
/// | `on_failure = alert` | for when it fails | none |
/// | `on_retry = report` | for when an attempt fails and is going to be retried | none |
/// | `on_skip = report` | for when it is skipped | none |
/// | `tags = ["io", "sales"]` | labels for finding the task | none |
/// | `doc = "Reads one day."` | the description | the doc comment |
/// | `crate = ::path::to::taskflow` | the path of taskflow in generated code, for crates that re-export it | looked up in `Cargo.toml` |
///
/// A duration is a string with a unit for each number: `"500ms"`, `"5s"`, `"1h 30m"`, `"1.5h"`,
/// `"2d"`, `"1w"`. Options of one call, `extract(day).retries(5)`, override these, and these
/// override the `default(..)` of the DAG.
///
/// # Generated items
///
/// For `fn extract`: the function `extract` for DAGs, which takes outputs and plain values as
/// inputs; a type `extract` with `extract::call`, the function as written; an entry in the registry
/// of the binary. No module or type in the same scope may have the name of a task. A recursive
/// function calls itself as `extract::call(..)`.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand, options, item)
}

/// Turns a function into a sensor: a task that is called (*poked*) repeatedly until it finds what
/// it waits for.
///
/// A sensor returns an `Option<T>` or a `Result<Option<T>>`. It succeeds with `Some(value)`; DAGs
/// receive an `Output<T>`. After `None` it is `up_for_reschedule`: until the next poke it holds no
/// slot, thread or future, even if the program restarts. An error fails the attempt, which is
/// retried as for any task.
///
/// ```
/// use taskflow::prelude::*;
///
/// /// Waits for the landing file of a day.
/// #[sensor(poke_interval = "30s", timeout = "6h", soft_fail)]
/// fn landed(day: Date) -> Option<String> {
///     let file = format!("landing/{day}.csv");
///     std::path::Path::new(&file).exists().then_some(file)
/// }
///
/// #[task]
/// fn rows(file: &str) -> Result<usize> {
///     Ok(std::fs::read_to_string(file)?.lines().count())
/// }
///
/// #[dag]
/// fn daily(day: Date) -> usize {
///     rows(landed(day))
/// }
/// # assert_eq!(daily::def().plan()?.len(), 2);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// A sensor has the options of [`macro@task`] except `retry_on`, `deferrable`, `isolation`,
/// `memory` and `executor`. These are different or additional:
///
/// | option | meaning | default |
/// |---|---|---|
/// | `poke_interval = "30s"` | the delay between the end of a poke and the next poke | 60 seconds |
/// | `backoff = "exponential"` | how that delay grows | `"constant"` |
/// | `max_poke_interval = "10m"` | the upper limit of the delay | 24 hours |
/// | `timeout = "6h"` | how long the sensor keeps poking, counted from its first poke across retries | 7 days |
/// | `execution_timeout = "20s"` | how long one poke may take | no limit |
/// | `soft_fail` | a sensor that times out is skipped | it fails, without a retry |
#[proc_macro_attribute]
pub fn sensor(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand_sensor, options, item)
}

/// Turns a function into a DAG.
///
/// The function runs once, before any task, and builds the graph: each call of a task adds a node,
/// and each `Output` passed to another call adds an edge. Loops, conditions and helper functions
/// are plain Rust.
///
/// ```
/// use taskflow::prelude::*;
///
/// #[task]
/// fn fetch(region: &str, day: Date) -> Vec<u32> {
///     vec![region.len() as u32, day.day() as u32]
/// }
///
/// #[task]
/// fn total(parts: Vec<Vec<u32>>, at_least: u32) -> u32 {
///     parts.into_iter().flatten().filter(|&n| n >= at_least).sum()
/// }
///
/// #[task]
/// fn announce(total: u32) {
///     println!("{total}");
/// }
///
/// /// The total of all regions.
/// #[dag(schedule = "0 6 * * *", timezone = "Asia/Seoul", start = "2026-01-01", catchup, default(retries = 2))]
/// fn totals(
///     #[param(default = |run| run.data_interval().start_date())] day: Date,
///     /// Smaller readings are noise.
///     #[param(default = 2, range = 0..=100)]
///     at_least: u32,
/// ) -> u32 {
///     let parts = ["north", "south"].map(|region| fetch(region, day));
///     let total = total(parts, at_least);
///     announce(total);
///     total
/// }
///
/// let plan = totals::def().plan()?;
/// assert_eq!(plan.nodes().iter().map(|node| node.id()).collect::<Vec<_>>(), ["fetch", "fetch_2", "total", "announce"]);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// # Parameters and result
///
/// Parameters own their data: `String` instead of `&str`. In the body each parameter is an
/// `Output`, which has a value only during a run. On the command line parameters are flags, such as
/// `--at-least 3`. The body of a function with `-> T` ends with an `Output<T>`, the result of a
/// run; without `->` it ends with `;`.
///
/// `#[param(..)]` before a parameter sets its options:
///
/// | option | meaning |
/// |---|---|
/// | `default = 15` | the value if none is given: an expression of the type; a string, parsed as on the command line; or a closure that takes the run, such as `\|run\| run.logical_date.date()`, or `\|run\| run.data_interval().start_date()` in a DAG whose schedule has data intervals |
/// | `range = 0..=600` | the valid values, as a range |
/// | `choices = ["full", "delta"]` | the valid values, as a list |
/// | `pattern = "^[a-z]+$"` | a regular expression (of the crate `regex-lite`) that the value must match as text |
/// | `help = "Minutes."` | the description, in place of a doc comment |
///
/// Every parameter of a DAG with a schedule needs a default, because scheduled runs are given no
/// values.
///
/// # Options
///
/// | option | meaning | default |
/// |---|---|---|
/// | `schedule = "0 6 * * *"` | when runs start: a cron expression of five fields, or `@once`, `@continuous`, `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@quarterly`, `@yearly` | only on request |
/// | `timezone = "Asia/Seoul"` | the IANA time zone of the schedule | UTC |
/// | `start = "2026-01-01"`, `end = ".."` | the earliest and the latest logical date: a date in the time zone, or an RFC 3339 time | no bound |
/// | `catchup` | missed intervals are run later | they are not run |
/// | `max_active_runs = 1` | how many runs may be active at once | no limit |
/// | `max_active_tasks = 8` | how many tasks of a run may be active at once | no limit |
/// | `timeout = "2h"` | how long a run may take | no limit |
/// | `fail_fast` | the first task that fails after its last retry ends the run | the other tasks continue |
/// | `retries = 1` | how many times a failed run is retried: its failed tasks and those that did not run because of them | 0 |
/// | `retry_delay = "10m"` | the delay before each retry of a run | 10 seconds |
/// | `deadline = "2h after start"` | the time by which a run must have ended, counted from `logical_date`, `queued` or `start` | none |
/// | `on_success = report` | a callback for when a run succeeds: a function that takes a `&Notification`, or a notifier of `taskflow::notify` | none |
/// | `on_failure = alert` | for when it fails | none |
/// | `on_retry = report` | for when it fails and is going to be retried | none |
/// | `on_deadline_missed = alert` | for when it misses its deadline | none |
/// | `tags = ["sales"]` | labels for finding the DAG | none |
/// | `default(retries = 2, ..)` | options for tasks that do not set them: those of `#[task]` except `id`, `doc`, `blocking`, `deferrable`, `retry_on`, `isolation`, `memory`, `executor` and `crate` | none |
/// | `crate = ::path::to::taskflow` | the path of taskflow in generated code | looked up in `Cargo.toml` |
///
/// # Generated items
///
/// A type with the name of the function. `totals::def()` is the definition; its `plan()` returns
/// the graph, or the mistakes that the compiler could not detect. `totals::run(day, 2)` requests a
/// run with these parameters: `let report = totals::run(day, 2).await?;`.
///
/// A function `totals` for other DAGs, which adds the tasks of this DAG to theirs as a group.
/// `totals::trigger(..)` adds a node that runs this DAG and waits for its result;
/// `totals::trigger_detached(..)` adds one that only starts the run and returns its id.
#[proc_macro_attribute]
pub fn dag(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(dag::expand, options, item)
}

/// Branches on the value of a task: one arm of the graph runs, the others are skipped.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use taskflow::prelude::*;
///
/// #[derive(Clone, Serialize, Deserialize)]
/// enum Route {
///     Small(Vec<u32>),
///     Large { rows: Vec<u32>, parts: u32 },
///     Nothing,
/// }
///
/// #[task]
/// fn route(rows: Vec<u32>) -> Route {
///     match rows.len() {
///         0 => Route::Nothing,
///         1..10 => Route::Small(rows),
///         _ => Route::Large { rows, parts: 4 },
///     }
/// }
///
/// #[task]
/// fn total(rows: &[u32]) -> u32 {
///     rows.iter().sum()
/// }
///
/// #[task]
/// fn total_in_parts(rows: &[u32], parts: u32) -> u32 {
///     rows.chunks(parts as usize).map(|part| part.iter().sum::<u32>()).sum()
/// }
///
/// #[task]
/// fn zero() -> u32 {
///     0
/// }
///
/// #[dag]
/// fn totals(rows: Vec<u32>) -> u32 {
///     branch!(route(rows) => {
///         Route::Small(rows) => total(rows),
///         Route::Large { rows, parts } => total_in_parts(rows, parts),
///         Route::Nothing => zero(),
///     })
/// }
///
/// let report = totals::run(vec![1, 2, 3]).wait()?;
/// assert_eq!(report.result(), Some(&6));
/// assert_eq!(report.task("total_in_parts").unwrap().state(), taskflow::TaskState::Skipped);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// A branch is a `match`: a variant without an arm does not compile, and `_` and `A | B` are valid
/// patterns. Each name that a pattern binds is an `Output` in the arm, so its type must be `Clone`
/// and valid for data passed between tasks. All arms are part of the graph; the value selects one
/// of them during the run. An arm therefore cannot have a guard.
///
/// All arms return an `Output<T>` of the same `T`, and so does the branch. `Route::Nothing => {}`
/// returns an `Output<()>`. The tasks of an arm run only if the arm is selected, even those that
/// use none of its values.
///
/// Each arm is a node, such as `route.Small`, and the value of the branch is another,
/// `route.joined`. For a condition, see `when` and `only_if`. For a decision that does not depend
/// on the run, use Rust's `match`.
#[proc_macro]
pub fn branch(input: TokenStream) -> TokenStream {
    drive(|_, input| branch::expand(input), TokenStream::new(), input)
}

type Expand = fn(proc_macro2::TokenStream, proc_macro2::TokenStream) -> proc_macro2::TokenStream;

/// Expands the macro, and prints the expansion if `TASKFLOW_PRINT_EXPANSION` is set.
fn drive(expand: Expand, options: TokenStream, item: TokenStream) -> TokenStream {
    let expansion = expand(options.into(), item.into());
    if std::env::var_os("TASKFLOW_PRINT_EXPANSION").is_some() {
        eprintln!("{expansion}\n");
    }
    expansion.into()
}
