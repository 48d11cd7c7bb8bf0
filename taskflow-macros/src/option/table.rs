//! Which options there are, where each may be written, and what it looks like.

use std::fmt::Write as _;

use super::list::{Item, Value};
use crate::errors::Errors;

/// Where an option list stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// `#[task(..)]`
    Task,
    /// `#[sensor(..)]`
    Sensor,
    /// `#[dag(..)]`
    Dag,
    /// `#[dag(default(..))]`
    TaskDefaults,
    /// `#[param(..)]`
    Param,
}

impl Place {
    const ALL: [Place; 5] = [Place::Task, Place::Sensor, Place::Dag, Place::TaskDefaults, Place::Param];

    /// As a user would write it.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Place::Task => "`#[task]`",
            Place::Sensor => "`#[sensor]`",
            Place::Dag => "`#[dag]`",
            Place::TaskDefaults => "`default(..)` in `#[dag]`",
            Place::Param => "`#[param]`",
        }
    }
}

/// The options, one variant each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Key {
    Id,
    Retries,
    RetryDelay,
    Backoff,
    MaxRetryDelay,
    RetryOn,
    Timeout,
    Blocking,
    Isolation,
    Executor,
    Memory,
    Deferrable,
    PokeInterval,
    PokeBackoff,
    MaxPokeInterval,
    PokeTimeout,
    SoftFail,
    Pool,
    PoolSlots,
    Priority,
    TriggerRule,
    Tags,
    Doc,
    Crate,
    Schedule,
    Timezone,
    Start,
    End,
    Catchup,
    MaxActiveRuns,
    MaxActiveTasks,
    FailFast,
    Deadline,
    OnSuccess,
    OnFailure,
    OnRetry,
    OnSkip,
    OnDeadlineMissed,
    TaskDefaults,
    Default,
    Range,
    Choices,
    Pattern,
    Help,
}

/// Which of the three ways of writing an option takes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Value,
    FlagOrValue,
    List,
}

struct Known {
    name: &'static str,
    key: Key,
    form: Form,
    places: &'static [Place],
    example: &'static str,
}

const fn known(name: &'static str, key: Key, form: Form, places: &'static [Place], example: &'static str) -> Known {
    Known { name, key, form, places, example }
}

const ONLY_TASK: &[Place] = &[Place::Task];
const TASK: &[Place] = &[Place::Task, Place::Sensor];
const TASKS: &[Place] = &[Place::Task, Place::Sensor, Place::TaskDefaults];
const SENSOR: &[Place] = &[Place::Sensor];
const DAG: &[Place] = &[Place::Dag];
const TOLD: &[Place] = &[Place::Task, Place::Sensor, Place::TaskDefaults, Place::Dag];
const PARAM: &[Place] = &[Place::Param];

#[rustfmt::skip]
const OPTIONS: [Known; 47] = [
    known("id", Key::Id, Form::Value, TASK, "id = \"extract\""),
    known("retries", Key::Retries, Form::Value, TASKS, "retries = 3"),
    known("retry_delay", Key::RetryDelay, Form::Value, TASKS, "retry_delay = \"30s\""),
    known("backoff", Key::Backoff, Form::Value, &[Place::Task, Place::TaskDefaults], "backoff = \"exponential\""),
    known("max_retry_delay", Key::MaxRetryDelay, Form::Value, TASKS, "max_retry_delay = \"10m\""),
    known("retry_on", Key::RetryOn, Form::Value, ONLY_TASK, "retry_on = is_transient"),
    known("timeout", Key::Timeout, Form::Value, &[Place::Task, Place::TaskDefaults, Place::Dag], "timeout = \"1h\""),
    known("deferrable", Key::Deferrable, Form::FlagOrValue, ONLY_TASK, "deferrable"),
    known("poke_interval", Key::PokeInterval, Form::Value, SENSOR, "poke_interval = \"30s\""),
    known("backoff", Key::PokeBackoff, Form::Value, SENSOR, "backoff = \"exponential\""),
    known("max_poke_interval", Key::MaxPokeInterval, Form::Value, SENSOR, "max_poke_interval = \"10m\""),
    known("timeout", Key::PokeTimeout, Form::Value, SENSOR, "timeout = \"6h\""),
    known("execution_timeout", Key::Timeout, Form::Value, SENSOR, "execution_timeout = \"20s\""),
    known("soft_fail", Key::SoftFail, Form::FlagOrValue, SENSOR, "soft_fail"),
    known("blocking", Key::Blocking, Form::FlagOrValue, TASK, "blocking"),
    known("isolation", Key::Isolation, Form::Value, ONLY_TASK, "isolation = \"process\""),
    known("executor", Key::Executor, Form::Value, ONLY_TASK, "executor = \"spark\""),
    known("memory", Key::Memory, Form::Value, ONLY_TASK, "memory = \"512MiB\""),
    known("pool", Key::Pool, Form::Value, TASKS, "pool = \"warehouse\""),
    known("pool_slots", Key::PoolSlots, Form::Value, TASKS, "pool_slots = 2"),
    known("priority", Key::Priority, Form::Value, TASKS, "priority = 10"),
    known("trigger_rule", Key::TriggerRule, Form::Value, TASKS, "trigger_rule = \"one_failed\""),
    known("tags", Key::Tags, Form::Value, &[Place::Task, Place::Sensor, Place::TaskDefaults, Place::Dag], "tags = [\"daily\", \"sales\"]"),
    known("doc", Key::Doc, Form::Value, TASK, "doc = \"Reads one day.\""),
    known("schedule", Key::Schedule, Form::Value, DAG, "schedule = \"0 6 * * *\""),
    known("timezone", Key::Timezone, Form::Value, DAG, "timezone = \"Asia/Seoul\""),
    known("start", Key::Start, Form::Value, DAG, "start = \"2026-01-01\""),
    known("end", Key::End, Form::Value, DAG, "end = \"2026-12-31\""),
    known("catchup", Key::Catchup, Form::FlagOrValue, DAG, "catchup"),
    known("max_active_runs", Key::MaxActiveRuns, Form::Value, DAG, "max_active_runs = 1"),
    known("max_active_tasks", Key::MaxActiveTasks, Form::Value, DAG, "max_active_tasks = 8"),
    known("fail_fast", Key::FailFast, Form::FlagOrValue, DAG, "fail_fast"),
    known("retries", Key::Retries, Form::Value, DAG, "retries = 3"),
    known("retry_delay", Key::RetryDelay, Form::Value, DAG, "retry_delay = \"30s\""),
    known("deadline", Key::Deadline, Form::Value, DAG, "deadline = \"2h after start\""),
    known("on_success", Key::OnSuccess, Form::Value, TOLD, "on_success = tell"),
    known("on_failure", Key::OnFailure, Form::Value, TOLD, "on_failure = tell"),
    known("on_retry", Key::OnRetry, Form::Value, TOLD, "on_retry = tell"),
    known("on_skip", Key::OnSkip, Form::Value, TASKS, "on_skip = tell"),
    known("on_deadline_missed", Key::OnDeadlineMissed, Form::Value, DAG, "on_deadline_missed = tell"),
    known("default", Key::TaskDefaults, Form::List, DAG, "default(retries = 2, retry_delay = \"1m\")"),
    known("default", Key::Default, Form::Value, PARAM, "default = 15"),
    known("range", Key::Range, Form::Value, PARAM, "range = 0..=600"),
    known("choices", Key::Choices, Form::Value, PARAM, "choices = [\"full\", \"delta\"]"),
    known("pattern", Key::Pattern, Form::Value, PARAM, "pattern = r\"^[a-z]+$\""),
    known("help", Key::Help, Form::Value, PARAM, "help = \"Minutes that count as late.\""),
    // Last, because hardly anybody needs it: for a crate that re-exports taskflow to macros of its own.
    known("crate", Key::Crate, Form::Value, &[Place::Task, Place::Sensor, Place::Dag], "crate = ::path::to::taskflow"),
];

/// The option behind an item, unless it is unknown here, given before, or written in a form it does not have.
pub(super) fn look_up(item: &Item, place: Place, seen: &mut Vec<Key>, errors: &mut Errors) -> Option<Key> {
    let name = item.name.to_string();
    let Some(known) = OPTIONS.iter().find(|known| known.name == name && known.places.contains(&place)) else {
        errors.at(item.name.span(), unknown(&name, place));
        return None;
    };
    if seen.contains(&known.key) {
        errors.at(item.name.span(), format!("`{name}` is given twice; keep one of the two"));
        return None;
    }
    seen.push(known.key);
    if let Value::Broken(error) = &item.value {
        errors.syntax(error.clone());
        return None;
    }
    let fits = match (&item.value, known.form) {
        (Value::Is(_), Form::Value | Form::FlagOrValue) => true,
        (Value::Flag, form) => form == Form::FlagOrValue,
        (Value::List(_), form) => form == Form::List,
        (Value::Missing | Value::Broken(_), _) | (Value::Is(_), Form::List) => false,
    };
    if !fits {
        let example = known.example;
        let message = match (known.form, &item.value) {
            (Form::Value, Value::Flag | Value::Missing) => format!("`{name}` needs a value, as in `{example}`"),
            (Form::FlagOrValue, _) => flag_form(&item.name),
            (Form::Value | Form::List, _) => format!("`{name}` is written `{example}`"),
        };
        errors.at(item.value.span(&item.name), message);
    }
    fits.then_some(known.key)
}

/// How a flag is written.
pub(super) fn flag_form(name: &syn::Ident) -> String {
    format!("`{name}` is written `{name}`, `{name} = true` or `{name} = false`")
}

/// How an option is written, for messages about its value.
pub(super) fn example(key: Key) -> &'static str {
    OPTIONS.iter().find(|known| known.key == key).map_or("", |known| known.example)
}

fn unknown(name: &str, place: Place) -> String {
    let here = place.text();
    let elsewhere = OPTIONS.iter().find(|known| known.name == name);
    if let Some(known) = elsewhere
        && foreign_word(name, place).is_none()
    {
        let is_there = |place: &Place| names(*place).any(|other| other == known.name);
        let owners: Vec<_> = Place::ALL.into_iter().filter(is_there).map(Place::text).collect();
        return format!("`{name}` is an option of {}, not of {here}\n{}", owners.join(" and "), valid(place));
    }
    let mut message = format!("{here} has no option `{name}`");
    if let Some(hint) = foreign_word(name, place) {
        let _ = write!(message, ": {hint}");
    } else if let Some(nearest) = nearest(name, names(place)) {
        let _ = write!(message, "; did you mean `{nearest}`?");
    }
    let _ = write!(message, "\n{}", valid(place));
    message
}

/// Airflow's words for things that are written otherwise here.
fn foreign_word(name: &str, place: Place) -> Option<&'static str> {
    Some(match (name, place) {
        ("retry_if" | "retry_when" | "retry_policy", Place::Task | Place::Sensor) => "write `retry_on`",
        ("task_id" | "name", Place::Task | Place::Sensor) => "write `id`",
        ("retry" | "max_retries" | "retry_count", Place::Task | Place::Sensor | Place::TaskDefaults) => {
            "write `retries`"
        }
        ("dag_id" | "id" | "name", Place::Dag) => "the id of a DAG is the name of its function",
        ("description" | "doc" | "doc_md", Place::Dag) => "the description of a DAG is its doc comment",
        ("mode", Place::Sensor) => "a sensor holds no slot between its pokes, as with Airflow's `reschedule`",
        ("interval", Place::Sensor) => "write `poke_interval`",
        ("max_wait", Place::Sensor) => "write `max_poke_interval`",
        ("doc_md" | "description", Place::Task | Place::Sensor) => "write a doc comment, or `doc`",
        ("execution_timeout", Place::Task | Place::TaskDefaults) | ("dagrun_timeout", Place::Dag) => "write `timeout`",
        ("memory_limit" | "max_memory" | "mem", Place::Task) => "write `memory = \"512MiB\"`",
        ("spark" | "on", Place::Task) => "write `executor = \"spark\"`",
        ("process" | "isolated", Place::Task) => "write `isolation = \"process\"`",
        ("retry_exponential_backoff", Place::Task | Place::TaskDefaults) => "write `backoff = \"exponential\"`",
        ("priority_weight" | "weight", Place::Task | Place::Sensor | Place::TaskDefaults) => "write `priority`",
        ("on_success_callback", Place::Task | Place::Sensor | Place::TaskDefaults | Place::Dag) => "write `on_success`",
        ("on_failure_callback", Place::Task | Place::Sensor | Place::TaskDefaults | Place::Dag) => "write `on_failure`",
        ("on_retry_callback", Place::Task | Place::Sensor | Place::TaskDefaults) => "write `on_retry`",
        ("on_skipped_callback", Place::Task | Place::Sensor | Place::TaskDefaults) => "write `on_skip`",
        ("on_skip", Place::Dag) => "a run is not skipped; its tasks are, and `default(on_skip = ..)` tells of them",
        ("sla" | "sla_miss_callback", Place::Dag) => "write `deadline = \"2h after start\"` and `on_deadline_missed`",
        ("start_date", Place::Dag) => "write `start`",
        ("end_date", Place::Dag) => "write `end`",
        ("schedule_interval" | "cron", Place::Dag) => "write `schedule`",
        ("default_args", Place::Dag) => "write `default(retries = 2, ..)`",
        ("params", Place::Dag) => "the parameters of a DAG are those of its function",
        ("description" | "doc", Place::Param) => "write `help`",
        ("enum", Place::Param) => "write `choices`",
        ("min" | "max" | "minimum" | "maximum", Place::Param) => "write `range = 0..=600`",
        _ => return None,
    })
}

fn names(place: Place) -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().filter(move |known| known.places.contains(&place)).map(|known| known.name)
}

fn valid(place: Place) -> String {
    format!("the options of {} are {}", place.text(), names(place).collect::<Vec<_>>().join(", "))
}

/// The candidate that `word` is most likely a misspelling of.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_shows_how_it_is_written() {
        for known in &OPTIONS {
            assert!(known.example.starts_with(known.name), "{}", known.name);
            assert!(!known.places.is_empty(), "{}", known.name);
        }
    }

    #[test]
    fn a_place_has_no_two_options_of_one_name() {
        for place in Place::ALL {
            let mut all: Vec<_> = names(place).collect();
            all.sort_unstable();
            let count = all.len();
            all.dedup();
            assert_eq!(all.len(), count, "{}", place.text());
        }
    }

    #[test]
    fn slips_find_the_option_that_was_meant() {
        let slips = [
            ("retires", Place::Task, "retries"),
            ("retrydelay", Place::Task, "retry_delay"),
            ("prio", Place::Task, "priority"),
            ("triger_rule", Place::TaskDefaults, "trigger_rule"),
            ("Timezone", Place::Dag, "timezone"),
            ("max_active_task", Place::Dag, "max_active_tasks"),
            ("chioces", Place::Param, "choices"),
        ];
        for (slip, place, meant) in slips {
            assert_eq!(nearest(slip, names(place)), Some(meant));
        }
        assert_eq!(nearest("colour", names(Place::Task)), None);
    }
}
