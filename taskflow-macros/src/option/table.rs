//! The table of options.

use proc_macro2::TokenStream;
use quote::quote;

use super::kind::{self, Initializer, Kind};
use super::place::Place;
use super::row::Row;

/// Expands the table to [`Options`], `OPTIONS` and `Options::assignments`.
///
/// A row is `field: kind, [places], example`. These parts may follow:
///
/// - after `field`, `as "name"`: the name of the option, if it is not that of the field;
/// - `also ["alias", ..]`: other names that people try;
/// - `=> field`: the field of the generated `TaskOptions` or `DagOptions` that the option sets.
macro_rules! options {
    ($(
        $(#[$doc:meta])+
        $field:ident $(as $name:literal)?: $kind:ty, [$($place:ident),+], $example:literal
        $(, also [$($alias:literal),+])? $(=> $($target:ident).+)?;
    )+) => {
        /// The options of one attribute. An option that is missing or invalid is `None`.
        #[derive(Default)]
        pub(crate) struct Options {
            $($(#[$doc])+ pub(crate) $field: Option<<$kind as Kind>::Value>,)+
        }

        pub(super) const OPTIONS: &[Row] = &[$(
            Row {
                name: name_or_field!($field $($name)?),
                form: <$kind as Kind>::FORM,
                places: &[$(Place::$place),+],
                example: $example,
                aliases: &[$($($alias),+)?],
                read: |options, reader| options.$field = <$kind as Kind>::read(reader),
            },
        )+];

        impl Options {
            /// Assigns each option that is present to its field of the generated constant.
            pub(super) fn assignments(&self, private: &TokenStream) -> Vec<TokenStream> {
                let mut assignments = Vec::new();
                $($(
                    let value = self.$field.as_ref();
                    if let Some(value) = value.and_then(|value| <$kind as Initializer>::initializer(value, private)) {
                        assignments.push(quote!(options.$($target).+ = #value;));
                    }
                )?)+
                assignments
            }
        }
    };
}

macro_rules! name_or_field {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $name:literal) => {
        $name
    };
}

options! {
    /// The id of the node. Without it, the name of the function.
    id: kind::Id, [Task, Sensor], r#"id = "extract""#, also ["task_id", "name"];
    /// How many attempts may follow a failed first one; for a DAG, how many times a failed run is
    /// retried.
    retries: kind::Integer<u32>, [Task, Sensor, TaskDefaults, Dag], "retries = 3",
        also ["retry", "max_retries", "retry_count"] => retries;
    /// The delay before the first retry.
    retry_delay: kind::Delay, [Task, Sensor, TaskDefaults, Dag], r#"retry_delay = "30s""# => retry_delay;
    /// How the delay grows from one retry to the next.
    backoff: kind::Backoff, [Task, TaskDefaults], r#"backoff = "exponential""#,
        also ["retry_exponential_backoff"] => backoff;
    /// The upper limit of the delay.
    max_retry_delay: kind::PositiveDuration, [Task, Sensor, TaskDefaults], r#"max_retry_delay = "10m""#
        => max_retry_delay;
    /// The function that decides which errors are retried.
    retry_on: kind::Function, [Task], "retry_on = is_transient", also ["retry_if", "retry_when", "retry_policy"];
    /// How long an attempt, or the run of a DAG, may take.
    timeout: kind::PositiveDuration, [Task, TaskDefaults, Dag], r#"timeout = "1h""#,
        also ["execution_timeout", "dagrun_timeout"] => timeout;
    /// How long all attempts may take together.
    total_timeout: kind::PositiveDuration, [Task, TaskDefaults], r#"total_timeout = "6h""#,
        also ["schedule_to_close_timeout", "total_time", "max_duration"] => total_timeout;
    /// Whether the task may be deferred.
    deferrable: kind::Flag, [Task], "deferrable";
    /// The delay between the end of a poke and the next poke.
    poke_interval: kind::PositiveDuration, [Sensor], r#"poke_interval = "30s""#,
        also ["interval"] => sensor.poke_interval;
    /// How the delay grows from one poke to the next.
    poke_backoff as "backoff": kind::Backoff, [Sensor], r#"backoff = "exponential""# => sensor.backoff;
    /// The upper limit of the delay between pokes.
    max_poke_interval: kind::PositiveDuration, [Sensor], r#"max_poke_interval = "10m""#,
        also ["max_wait"] => sensor.max_poke_interval;
    /// How long the sensor keeps poking.
    sensor_timeout as "timeout": kind::PositiveDuration, [Sensor], r#"timeout = "6h""# => sensor.timeout;
    /// How long one poke may take.
    execution_timeout: kind::PositiveDuration, [Sensor], r#"execution_timeout = "20s""# => timeout;
    /// Whether a sensor that times out is skipped instead of failed.
    soft_fail: kind::Flag, [Sensor], "soft_fail" => sensor.soft_fail;
    /// Whether the function blocks its thread.
    blocking: kind::Flag, [Task, Sensor], "blocking";
    /// Present if each attempt runs in a process of its own.
    isolation: kind::Isolation, [Task], r#"isolation = "process""#, also ["process", "isolated"];
    /// Present if attempts run on Spark executors.
    executor: kind::Executor, [Task], r#"executor = "spark""#, also ["spark", "on"] => executor;
    /// The memory limit of the process, in bytes.
    memory: kind::Size, [Task], r#"memory = "512MiB""#, also ["memory_limit", "max_memory", "mem"];
    /// The pool that a running attempt takes slots of.
    pool: kind::Name, [Task, Sensor, TaskDefaults], r#"pool = "warehouse""# => pool;
    /// The number of slots.
    pool_slots: kind::PositiveInteger, [Task, Sensor, TaskDefaults], "pool_slots = 2" => pool_slots;
    /// The ready task, or the queued run, with the highest priority starts first.
    priority: kind::Integer<i32>, [Task, Sensor, TaskDefaults, Dag], "priority = 10",
        also ["priority_weight"] => priority;
    /// Which states of the upstream tasks let the task run.
    trigger_rule: kind::TriggerRule, [Task, Sensor, TaskDefaults], r#"trigger_rule = "one_failed""# => trigger_rule;
    /// The asset that the value of the task is an event of.
    produces: kind::Asset, [Task, Sensor], "produces = ORDERS", also ["outlets", "outlet", "emits", "asset"];
    /// Whether a value that equals that of the last event is no event.
    on_change: kind::Flag, [Task, Sensor], "on_change";
    /// The description. Without it, the doc comment.
    doc: kind::Text, [Task, Sensor], r#"doc = "Reads one day.""#;
    /// A cron expression, several of them, a preset, a period or a timetable.
    schedule: kind::Schedule, [Dag], r#"schedule = "0 6 * * *""#, also ["schedule_interval", "cron", "timetable"]
        => schedule;
    /// The time zone of the schedule.
    timezone: kind::TimeZone, [Dag], r#"timezone = "Asia/Seoul""# => timezone;
    /// The earliest logical date.
    start: kind::Bound, [Dag], r#"start = "2026-01-01""#, also ["start_date"] => start;
    /// The latest logical date.
    end: kind::Bound, [Dag], r#"end = "2026-12-31""#, also ["end_date"] => end;
    /// The days on which the DAG is not due.
    except: kind::Calendar, [Dag], "except = HOLIDAYS", also ["calendar", "holidays", "exclude"] => except;
    /// Where slots on these days go.
    shift: kind::Shift, [Dag], r#"shift = "next_day""# => shift;
    /// The first slot of a DAG that is new.
    first: kind::First, [Dag], r#"first = "last""# => first;
    /// What happens to slots that passed while no service was running.
    catchup: kind::Catchup, [Dag], r#"catchup = "all""# => catchup;
    /// How late a slot may start.
    catchup_window: kind::Window, [Dag], r#"catchup_window = "7d""# => catchup_window;
    /// What happens to slots that find too many active runs.
    overlap: kind::Overlap, [Dag], r#"overlap = "skip""# => overlap;
    /// Whether a slot waits until the run of the slot before it has succeeded.
    after_previous: kind::Switch, [Dag], "after_previous", also ["depends_on_past", "wait_for_downstream"]
        => after_previous;
    /// The time within which the runs of a slot start.
    spread: kind::PositiveDuration, [Dag], r#"spread = "10m""#, also ["jitter"] => spread;
    /// Whether a slot of the schedule and events start a run only together.
    events: kind::Combine, [Dag], r#"events = "or""# => events;
    /// How long a slot waits for events.
    wait: kind::PositiveDuration, [Dag], r#"wait = "3h""# => wait;
    /// Whether the schedule of a new DAG is paused.
    paused: kind::Switch, [Dag], "paused", also ["is_paused_upon_creation"] => paused;
    /// How many runs of the schedule fail in a row before the DAG is paused.
    pause_after_failures: kind::PositiveInteger, [Dag], "pause_after_failures = 3",
        also ["max_consecutive_failed_dag_runs"] => pause_after_failures;
    /// How many runs may be active at once.
    max_active_runs: kind::PositiveInteger, [Dag], "max_active_runs = 1" => max_active_runs;
    /// The share in the starts of queued runs.
    weight: kind::PositiveInteger, [Dag], "weight = 3", also ["share"] => weight;
    /// How many tasks of a run may be active at once.
    max_active_tasks: kind::PositiveInteger, [Dag], "max_active_tasks = 8" => max_active_tasks;
    /// Whether the first failed task ends the run.
    fail_fast: kind::Switch, [Dag], "fail_fast" => fail_fast;
    /// The time by which the task must have succeeded, or a run must have ended.
    deadline: kind::Deadline, [Task, Sensor, Dag], r#"deadline = "2h after start""#, also ["sla"] => deadline;
    /// Called when the task, or the run of the DAG, succeeds.
    on_success: kind::Callback, [Task, Sensor, TaskDefaults, Dag], "on_success = report",
        also ["on_success_callback"] => callbacks.on_success;
    /// Called when it fails.
    on_failure: kind::Callback, [Task, Sensor, TaskDefaults, Dag], "on_failure = alert",
        also ["on_failure_callback"] => callbacks.on_failure;
    /// Called when it is going to be retried.
    on_retry: kind::Callback, [Task, Sensor, TaskDefaults, Dag], "on_retry = report",
        also ["on_retry_callback"] => callbacks.on_retry;
    /// Called when the task is skipped.
    on_skip: kind::Callback, [Task, Sensor, TaskDefaults], "on_skip = report",
        also ["on_skipped_callback"] => callbacks.on_skip;
    /// Called when the task, or a run, misses its deadline.
    on_deadline_missed: kind::Callback, [Task, Sensor, TaskDefaults, Dag], "on_deadline_missed = alert",
        also ["sla_miss_callback"] => callbacks.on_deadline_missed;
    /// Called when a run is cancelled.
    on_cancel: kind::Callback, [Dag], "on_cancel = alert" => callbacks.on_cancel;
    /// Labels for finding the task or the DAG.
    tags: kind::Texts, [Task, Sensor, TaskDefaults, Dag], r#"tags = ["daily", "sales"]"# => tags;
    /// Connections that must be configured before a run starts.
    connections: kind::Texts, [Task, Sensor, TaskDefaults], r#"connections = ["warehouse"]"#,
        also ["connection", "conn_id"] => connections;
    /// Secrets that must be configured before a run starts.
    secrets: kind::Texts, [Task, Sensor, TaskDefaults], r#"secrets = ["api_key"]"#, also ["secret"] => secrets;
    /// The options of tasks that do not set them.
    task_defaults as "default": kind::TaskDefaults, [Dag], r#"default(retries = 2, retry_delay = "1m")"#,
        also ["default_args"] => task_defaults;
    /// The value of a parameter that the caller omits.
    default: kind::Expression, [Param], "default = 15";
    /// The valid values, as a range.
    range: kind::Range, [Param], "range = 0..=600", also ["min", "max", "minimum", "maximum"];
    /// The valid values, as a list.
    choices: kind::Literals, [Param], r#"choices = ["full", "delta"]"#, also ["enum"];
    /// A regular expression that the value must match.
    pattern: kind::Pattern, [Param], r#"pattern = r"^[a-z]+$""#;
    /// The description. Without it, the doc comment.
    help: kind::Text, [Param], r#"help = "Minutes that count as late.""#, also ["description", "doc"];
    /// Older events do not count.
    max_age: kind::PositiveDuration, [Event], r#"max_age = "12h""#, also ["ttl", "expires"] => max_age;
    /// How long the asset must have been without a new event.
    settle: kind::PositiveDuration, [Event], r#"settle = "30s""#, also ["debounce", "quiet"] => settle;
    /// How many events a run takes.
    max: kind::PositiveInteger, [Event], "max = 100", also ["limit", "batch_size", "max_events"] => max;
    /// The key of an event. A run takes the events of one key.
    key: kind::KeyFunction, [Event], "key = |order| order.customer.clone()", also ["by", "partition_by", "group_by"];
    /// What an event of a period does that has had its run.
    on_update: kind::OnUpdate, [Event], r#"on_update = "rerun""#, also ["on_late", "late"] => on_update;
    /// How many parts of a period must have an event.
    at_least: kind::PositiveInteger, [Event], "at_least = 25", also ["minimum", "min", "minimum_count"] => at_least;
    /// How many parts of a period may be without an event.
    all_but: kind::PositiveInteger, [Event], "all_but = 2", also ["may_miss"] => all_but;
    /// The path of the facade, for crates that re-export it to their own macros. Last, because
    /// rarely needed.
    krate as "crate": kind::CratePath, [Task, Sensor, Dag], "crate = ::path::to::taskflow";
}

/// The options that are written at a place.
pub(super) fn rows(place: Place) -> impl Iterator<Item = &'static Row> {
    OPTIONS.iter().filter(move |row| row.places.contains(&place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_starts_with_the_name_of_its_option() {
        for row in OPTIONS {
            assert!(row.example.starts_with(row.name), "{}", row.name);
            assert!(!row.places.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn a_place_has_no_two_options_of_one_name() {
        for place in Place::ALL {
            let mut all: Vec<_> = rows(place).map(|row| row.name).collect();
            all.sort_unstable();
            let count = all.len();
            all.dedup();
            assert_eq!(all.len(), count, "{}", place.text());
        }
    }

    #[test]
    fn an_alias_is_neither_an_option_of_the_same_place_nor_an_alias_of_two() {
        for place in Place::ALL {
            let aliases: Vec<_> = rows(place).flat_map(|row| row.aliases).collect();
            for alias in &aliases {
                assert_eq!(aliases.iter().filter(|other| *other == alias).count(), 1, "{alias}");
                assert!(rows(place).all(|row| row.name != **alias), "{alias}");
            }
        }
    }

    /// The documentation of each attribute has a table of its options.
    #[test]
    fn every_option_is_documented() {
        let documentation = |place: Place| match place {
            Place::Task => include_str!("../../docs/task.md"),
            Place::Sensor => include_str!("../../docs/sensor.md"),
            Place::Dag | Place::Param | Place::Event | Place::TaskDefaults => include_str!("../../docs/dag.md"),
        };
        for place in [Place::Task, Place::Sensor, Place::Dag, Place::Param, Place::Event] {
            for row in rows(place) {
                // The options that a sensor shares with a task are documented for the task.
                let shared = place == Place::Sensor && row.places.contains(&Place::Task);
                let text = documentation(if shared { Place::Task } else { place });
                let name = row.name;
                let forms = [format!("`{name}`"), format!("`{name} = "), format!("`{name}(")];
                assert!(forms.iter().any(|form| text.contains(form)), "{name} is not documented for {}", place.text());
            }
        }
    }
}
