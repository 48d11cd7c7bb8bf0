//! What an entry of the audit trail changed, in words; and what only few want to know of it.

use serde_json::{Map, Value};

use super::times::Clock;
use crate::base::Timestamp;
use crate::base::text::bounded;
use crate::ops::{Action, AuditEntry, Via};

/// The most bytes of a setting that are shown.
const SETTING: usize = 200;

/// Settings that no sentence needs: checksums, and lists of numbers and names.
const DETAILS: [(&str, &str); 4] =
    [("graph", "Graph"), ("params_sha256", "Checksum of the parameters"), ("named", "Tasks"), ("numbers", "Runs")];

/// What has changed, as texts such as `failed → success`.
pub(super) fn changes(entry: &AuditEntry, clock: &Clock) -> Vec<String> {
    changes_of(entry.action, &entry.before, &entry.after, clock)
}

fn changes_of(action: Action, before: &Map<String, Value>, after: &Map<String, Value>, clock: &Clock) -> Vec<String> {
    if action == Action::DbPrune {
        // The sentence has all of it.
        return Vec::new();
    }
    if let Some(states) = before.get("tasks").and_then(Value::as_object) {
        return vec![format!("{} → {}", counts(states), task_state(after))];
    }
    let is_known = |name: &str| DETAILS.iter().any(|(detail, _)| *detail == name);
    let mut names: Vec<&String> = after.keys().filter(|name| !is_known(name)).collect();
    // The beginning of a range before its end.
    names.sort_by_key(|name| name.as_str() != "start");
    names.into_iter().filter_map(|name| change(name, before.get(name), after.get(name)?, clock)).collect()
}

/// A setting that has changed, or that was given.
fn change(name: &str, before: Option<&Value>, after: &Value, clock: &Clock) -> Option<String> {
    if before == Some(after) {
        return None;
    }
    let (label, after_text) = (label(name), text(name, after, clock));
    let shown = match (name, before.map(|before| text(name, before, clock))) {
        // What is usual is not worth a word.
        ("catchup", _) if after_text == "none" => return None,
        ("events", _) if after_text == "all" => return None,
        ("runs_too", _) => return (after == &Value::Bool(true)).then(|| "with its active runs".to_owned()),
        ("params", _) if after_text.is_empty() => return None,
        (_, Some(before)) if label.is_empty() => format!("{before} → {after_text}"),
        (_, Some(before)) => format!("{label}: {before} → {after_text}"),
        (_, None) if label.is_empty() => return None,
        (_, None) => format!("{label}: {after_text}"),
    };
    Some(bounded(&shown, SETTING).into_owned())
}

/// What a setting is called; empty if its value says it.
fn label(name: &str) -> String {
    match name {
        "state" | "paused" | "phase" => String::new(),
        "params" => "with".to_owned(),
        "limit" => "runs at once".to_owned(),
        "start" => "from".to_owned(),
        "end" => "to".to_owned(),
        "decided_until" => "slots are decided up to".to_owned(),
        name => name.replace('_', " "),
    }
}

fn text(name: &str, value: &Value, clock: &Clock) -> String {
    match (name, value) {
        ("paused", Value::Bool(true)) => "paused".to_owned(),
        ("paused", Value::Bool(false)) => "active".to_owned(),
        (_, Value::Bool(true)) => "yes".to_owned(),
        (_, Value::Bool(false)) => "no".to_owned(),
        (_, Value::Null) => "none".to_owned(),
        (_, Value::Array(values)) => values.iter().map(|value| text("", value, clock)).collect::<Vec<_>>().join(", "),
        ("until" | "start" | "end" | "decided_until", Value::String(time)) => {
            time.parse::<Timestamp>().map_or_else(|_| time.clone(), |time| clock.at(time).text)
        }
        (_, Value::String(text)) => text.clone(),
        (_, value) => value.to_string(),
    }
}

/// `2 failed, 1 success`
fn counts(states: &Map<String, Value>) -> String {
    let words: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    if words.is_empty() { "no task".to_owned() } else { words.join(", ") }
}

/// The state of tasks after the change.
fn task_state(after: &Map<String, Value>) -> String {
    match after.get("state").and_then(Value::as_str) {
        Some("none") | None => "to run again".to_owned(),
        Some(state) => state.to_owned(),
    }
}

/// Names and values for those who look closer.
pub(super) fn details(entry: &AuditEntry, clock: &Clock) -> Vec<(&'static str, String)> {
    let mut all = vec![("Entry", entry.number.to_string()), ("When", clock.at(entry.at).full)];
    all.push(("Known by", via_words(entry.actor.via).to_owned()));
    let optional = [
        ("Address", &entry.peer),
        ("Request", &entry.request_id),
        ("Id of the run", &entry.run_id),
        ("Task", &entry.task_id),
        ("Token of the preview", &entry.token),
    ];
    all.extend(optional.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    for (name, words) in DETAILS {
        let value = entry.after.get(name).filter(|value| !value.as_array().is_some_and(Vec::is_empty));
        all.extend(value.map(|value| (words, bounded(&ranged(name, value, clock), 2 * SETTING).into_owned())));
    }
    if entry.error.lines().count() > 1 {
        all.push(("Error", entry.error.clone()));
    }
    all
}

/// Numbers of runs are ranges: `1 to 20, 23`.
fn ranged(name: &str, value: &Value, clock: &Clock) -> String {
    let ranges: Option<Vec<[i64; 2]>> =
        (name == "numbers").then(|| serde_json::from_value(value.clone()).ok()).flatten();
    let Some(ranges) = ranges else { return text(name, value, clock) };
    let range = |[first, last]: [i64; 2]| if first == last { first.to_string() } else { format!("{first} to {last}") };
    ranges.into_iter().map(range).collect::<Vec<_>>().join(", ")
}

/// How it was established who somebody is.
fn via_words(via: Via) -> &'static str {
    match via {
        Via::Cli => "the account of the command line",
        Via::Loopback => "a request from this machine",
        Via::Session => "a log-in",
        Via::Token => "a token",
        Via::Proxy => "a header of the proxy",
        Via::Service => "the service",
        Via::Webhook => "the signature of a webhook",
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use serde_json::json;

    use super::*;

    fn of(before: Value, after: Value) -> Vec<String> {
        let clock = Clock::new("2026-03-03T06:00:00Z".parse().unwrap(), TimeZone::UTC);
        let (Value::Object(before), Value::Object(after)) = (before, after) else { panic!("objects") };
        changes_of(Action::Clear, &before, &after, &clock)
    }

    #[test]
    fn changes_are_words() {
        assert_eq!(of(json!({"paused": false}), json!({"paused": true})), ["active → paused"]);
        let until = json!({"paused": true, "until": "2026-03-04T06:00:00Z"});
        assert_eq!(of(json!({"paused": false}), until), ["active → paused", "until: 4 Mar 06:00 UTC"]);
        let unpaused = json!({"paused": false, "catchup": "none", "events": "newest"});
        assert_eq!(of(json!({"paused": true}), unpaused), ["events: newest", "paused → active"]);
        let backfill = json!({"limit": 2, "scope": "missing"});
        assert_eq!(of(json!({"limit": 1, "scope": "missing"}), backfill), ["runs at once: 1 → 2"]);
        let marked = json!({"tasks": 3, "named": ["a", "b"], "state": "success"});
        assert_eq!(of(json!({"tasks": {"failed": 2, "none": 1}}), marked), ["2 failed, 1 none → success"]);
        let cleared = json!({"tasks": 1, "state": "none"});
        assert_eq!(of(json!({"tasks": {"failed": 1}}), cleared), ["1 failed → to run again"]);
        assert_eq!(of(json!({}), json!({"params": ["day", "late"], "state": "queued"})), ["with: day, late"]);
    }

    #[test]
    fn numbers_of_runs_are_ranges() {
        let clock = Clock::new(jiff::Timestamp::UNIX_EPOCH, TimeZone::UTC);
        assert_eq!(ranged("numbers", &json!([[1, 20], [23, 23]]), &clock), "1 to 20, 23");
    }
}
