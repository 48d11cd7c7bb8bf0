//! The attribute macros of taskflow. Use them through the facade crate `taskflow`.
//!
//! Three passes: the function and its options are parsed into a model that keeps spans, all its mistakes are collected,
//! and the model is expanded. Expansion cannot fail; where there are mistakes it gives a form of the item that keeps
//! the rest of the program compiling, so that one mistake is one message.
//!
//! With the environment variable `TASKFLOW_PRINT_EXPANSION` set, the compiler prints what the attributes expand to:
//! `touch src/main.rs && TASKFLOW_PRINT_EXPANSION=1 cargo check`.

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
mod task;
#[cfg(test)]
mod tests;
mod types;

use proc_macro::TokenStream;

/// Turns a function into a task.
///
/// Inside a `#[dag]` function a call of it adds a node to the graph and gives the `Output` that stands for its value.
/// The function itself stays as it was written, under the name `call`:
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
/// assert_eq!(mean::call(&[1.0, 3.0]), 2.0); // as in a unit test: no DAG, no engine
/// assert_eq!(report::def().plan()?.len(), 2);
/// # Ok::<(), taskflow::BoxError>(())
/// ```
///
/// # Parameters
///
/// Any number, of any types that are data: `serde::Serialize`, `serde::Deserialize`, `Send`, `Sync`, without borrows.
///
/// | parameter | gets |
/// |---|---|
/// | `x: T` | the value itself: moved when this task is the last to need it, cloned otherwise, so `T` is `Clone` |
/// | `x: &T`, `x: &[T]`, `x: &str` | a borrow, which never copies; the graph sees `T`, `Vec<T>`, `String` |
/// | `x: Option<T>` | `None` when the upstream was skipped; the task runs nevertheless |
/// | `x: Result<T, Failure>` | how the upstream ended, whatever that is |
/// | `x: Vec<T>`, `Vec<Option<T>>`, `Vec<Result<T, Failure>>` | the same from several upstreams |
/// | `x: AnyOf<T>` | the first of several upstreams to succeed; the others are not waited for |
/// | `ctx: &TaskContext` | the attempt: its run, its number, progress, cancellation. It is no input, and the call in the DAG leaves it out |
///
/// # Return type
///
/// A value, nothing, or a type whose last name is `Result`. Of a `Result` the graph sees the type of the value, and the
/// error may be whatever `?` turns into a boxed error: that of `anyhow`, of `thiserror` or of `std`, a `String`, a `&str`.
///
/// # Kinds of functions
///
/// A `fn` runs on the worker threads of the engine and should compute. One that waits for files or sockets says
/// `blocking` and gets a thread of its own. An `async fn` runs on the tokio runtime.
///
/// # Options
///
/// | option | what it says | without it |
/// |---|---|---|
/// | `id = "load"` | the id of the node | the name of the function |
/// | `retries = 3` | how many more attempts follow a failed first one | 0 |
/// | `retry_delay = "30s"` | the wait before the first retry | 10 seconds |
/// | `backoff = "exponential"` | how the wait grows: `"constant"`, `"exponential"` (twofold) or a factor such as `1.5` | `"constant"` |
/// | `max_retry_delay = "10m"` | the longest wait | 24 hours |
/// | `retry_on = is_transient` | a function `fn(&Error) -> bool`, or `-> Retry`, that says which errors are worth a retry, and when | all are |
/// | `timeout = "1h"` | how long one attempt may run | no limit |
/// | `blocking` | the function waits for files or sockets | it computes |
/// | `deferrable` | the function may wait for a time or an event without holding a slot: `ctx.defer_until`, `ctx.wait_for` | it may not |
/// | `pool = "warehouse"`, `pool_slots = 2` | the pool whose slots a running attempt holds, and how many | none, 1 |
/// | `priority = 10` | among ready tasks the highest starts first | 0 |
/// | `trigger_rule = "one_failed"` | when to run, seen from upstreams connected by order alone; also `TriggerRule::OneFailed` | `"all_success"` |
/// | `on_success = tell`, `on_failure`, `on_retry`, `on_skip` | who is told: a function of a `&Notification`, or one of `taskflow::notify` | nobody |
/// | `tags = ["io", "sales"]` | words to find the task by | none |
/// | `doc = "Reads one day."` | the description | the doc comment |
/// | `crate = ::path::to::taskflow` | where generated code finds taskflow, for crates that re-export it | looked up in `Cargo.toml` |
///
/// Durations are texts with a unit for each number: `"500ms"`, `"5s"`, `"1h 30m"`, `"1.5h"`, `"2d"`, `"1w"`. Options of
/// one call, `extract(day).retries(5)`, go before these, and these before the `default(..)` of the DAG.
///
/// # What it makes
///
/// For `fn extract`: the function `extract` for DAGs, which takes outputs and plain values in place of the inputs; a type
/// `extract` with `extract::call`, the function as written; an entry in the registry of the binary. The type lives in the
/// namespace of types, so a module or a struct in the same scope cannot have the name of a task. A function that calls
/// itself does so as `extract::call(..)`.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand, options, item)
}

/// Turns a function into a sensor: a task that is called (*poked*) again and again until it finds what it looks for.
///
/// It returns an `Option<T>`, or a `Result` of one; `Some(value)` is its success, and for DAGs it is an `Output<T>`. After
/// `None` it is `up_for_reschedule`: it holds no slot, no thread and no future until the next poke, also across a restart
/// of the program. An error is the failure of an attempt, with retries as for any task.
///
/// ```
/// use taskflow::prelude::*;
///
/// /// The landing file of a day, as soon as it is there.
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
/// Its options are those of [`macro@task`] without `deferrable`, and
///
/// | option | what it says | without it |
/// |---|---|---|
/// | `poke_interval = "30s"` | the wait from the end of a poke to the next | 60 seconds |
/// | `backoff = "exponential"` | how the wait grows | `"constant"` |
/// | `max_poke_interval = "10m"` | the longest wait | 24 hours |
/// | `timeout = "6h"` | how long it looks, from its first poke on and through retries | 7 days |
/// | `execution_timeout = "20s"` | how long one poke may run | no limit |
/// | `soft_fail` | when that is over the sensor is skipped | it fails, without a retry |
#[proc_macro_attribute]
pub fn sensor(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(task::expand_sensor, options, item)
}

/// Turns a function into a DAG.
///
/// The function runs once, before any task does, and draws the graph: each call of a task is a node, each `Output`
/// passed to another call is an edge. Loops, conditions and helper functions are plain Rust.
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
/// Parameters are owned values: `String` and not `&str`. In the body each is an `Output`, whose value exists when a run
/// does. They are the flags of the command line, `--at-least 3`. The body of a function with `-> T` ends with an
/// `Output<T>`, the result of a run; without `->` it ends with `;`.
///
/// A `#[param(..)]` before a parameter says more of it:
///
/// | option | what it says |
/// |---|---|
/// | `default = 15` | the value when nobody gives one: an expression of its type; a text in quotes, read as the command line reads it; or a closure that takes it from the run, `\|run\| run.logical_date.date()`, or `\|run\| run.data_interval().start_date()` in a DAG whose schedule has intervals |
/// | `range = 0..=600` | the values allowed |
/// | `choices = ["full", "delta"]` | the only values allowed |
/// | `pattern = "^[a-z]+$"` | the regular expression (of the crate `regex-lite`) that its text matches |
/// | `help = "Minutes."` | what it is for; a doc comment says the same |
///
/// A DAG with a schedule starts without anybody to ask, so there each parameter has a default.
///
/// # Options
///
/// | option | what it says | without it |
/// |---|---|---|
/// | `schedule = "0 6 * * *"` | when runs start: five fields of cron, or `@once`, `@continuous`, `@hourly`, `@daily`, `@midnight`, `@weekly`, `@monthly`, `@quarterly`, `@yearly` | when asked to |
/// | `timezone = "Asia/Seoul"` | the IANA time zone of the schedule | UTC |
/// | `start = "2026-01-01"`, `end = ".."` | the first and the last time: a day in the time zone, or an RFC 3339 time | no bound |
/// | `catchup` | intervals that were missed are run later | they are not |
/// | `max_active_runs = 1` | how many runs may be active at once | no limit |
/// | `max_active_tasks = 8` | how many tasks of one run may be active at once | no limit |
/// | `timeout = "2h"` | how long a run may take | no limit |
/// | `fail_fast` | the first task that fails for good ends the run | the others go on |
/// | `retries = 1`, `retry_delay = "10m"` | how often a failed run is tried again, its failed tasks and what did not run because of them; and after which wait | 0, 10 seconds |
/// | `deadline = "2h after start"` | the time by which a run is to be over, counted from `logical_date`, `queued` or `start` | none |
/// | `on_success = tell`, `on_failure`, `on_retry`, `on_deadline_missed` | who is told of a run: a function of a `&Notification`, or one of `taskflow::notify` | nobody |
/// | `tags = ["sales"]` | words to find the DAG by | none |
/// | `default(retries = 2, ..)` | options of its tasks, where they say nothing themselves: those of `#[task]` without `id`, `doc`, `blocking` and `crate` | none |
/// | `crate = ::path::to::taskflow` | where generated code finds taskflow | looked up in `Cargo.toml` |
///
/// # What it makes
///
/// A type of the function's name with two functions. `totals::def()` is the definition; its `plan()` is the graph, with
/// every mistake that the compiler could not see. `totals::run(day, 2)` asks for a run with these parameters:
/// `let report = totals::run(day, 2).await?;`.
#[proc_macro_attribute]
pub fn dag(options: TokenStream, item: TokenStream) -> TokenStream {
    drive(dag::expand, options, item)
}

/// Branches on what a task returned: one arm of the graph runs, the others are skipped.
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
/// It reads as a `match`, and is one: a variant without an arm does not compile, and `_` and `A | B` are patterns as any. What
/// a pattern binds is an `Output` in its arm, so each of these is `Clone` and can travel between tasks. Which arm is taken is
/// known when the graph runs; all arms are drawn before. Therefore an arm has no guard.
///
/// All arms give an `Output<T>` of one `T`; the whole is an `Output<T>`. `Route::Nothing => {}` gives an `Output<()>`. What an
/// arm draws runs only if the arm is taken, also where it takes nothing from it.
///
/// Each arm is a node, `route.Small`, and the value of the whole is another, `route.joined`. For a condition there are `when`
/// and `only_if`; for a decision that is made while the graph is drawn there is Rust's `match`.
#[proc_macro]
pub fn branch(input: TokenStream) -> TokenStream {
    drive(|_, input| branch::expand(input), TokenStream::new(), input)
}

type Expand = fn(proc_macro2::TokenStream, proc_macro2::TokenStream) -> proc_macro2::TokenStream;

/// Expands, and prints what came out when `TASKFLOW_PRINT_EXPANSION` is set.
fn drive(expand: Expand, options: TokenStream, item: TokenStream) -> TokenStream {
    let expansion = expand(options.into(), item.into());
    if std::env::var_os("TASKFLOW_PRINT_EXPANSION").is_some() {
        eprintln!("{expansion}\n");
    }
    expansion.into()
}
