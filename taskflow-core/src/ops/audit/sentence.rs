//! An entry of the audit trail in words: `kim cleared 853 tasks of run 4711, because ..`. The
//! command line, the API and the pages have the same sentence.

use serde_json::{Map, Value};

use super::action::{Action, Outcome};
use super::entry::AuditEntry;

/// The member with the number of refusals before this one that have no row of their own.
pub(super) const REPEATED: &str = "repeated";

pub(super) fn of(entry: &AuditEntry) -> String {
    let (to, done) = entry.action.verbs();
    let who = &entry.actor.name;
    let what = match object(entry) {
        // Nothing but the verb.
        what if what.is_empty() => what,
        what => format!(" {what}"),
    };
    let mut sentence = match (entry.action, entry.outcome) {
        (_, Outcome::Applied) => format!("{who} {done}{what}"),
        (_, Outcome::Unchanged) => format!("{who} wanted to {to}{what}, which changed nothing"),
        // Whoever is wrong about a password lacks no right.
        (Action::LogIn, _) | (_, Outcome::RefusedState | Outcome::Failed) => format!("{who} could not {to}{what}"),
        (_, Outcome::RefusedRight) => format!("{who} may not {to}{what}"),
    };
    if !entry.reason.is_empty() {
        sentence = format!("{sentence}, because {}", entry.reason.trim_end_matches('.'));
    }
    if !entry.error.is_empty() {
        sentence = format!("{sentence}: {}", entry.error.lines().next().unwrap_or_default());
    }
    if let Some(more) = number(&entry.after, REPEATED) {
        let have = if more == 1 { "has no entry" } else { "have no entries" };
        sentence = format!("{sentence}; {} before this one {have}", counted(more, "refusal"));
    }
    sentence
}

/// What the action is done to.
fn object(entry: &AuditEntry) -> String {
    let after = &entry.after;
    let text = |name: &str| after.get(name).and_then(Value::as_str);
    match entry.action {
        Action::Trigger | Action::Run => format!("{}{}", run(entry), of_dag(entry)),
        Action::Resume | Action::Cancel => run(entry),
        Action::Retry | Action::Clear => format!("{} of {}", tasks(entry), run(entry)),
        Action::Mark => {
            let state = text("state").map(|state| format!(" as {state}")).unwrap_or_default();
            format!("{} of {}{state}", tasks(entry), run(entry))
        }
        Action::Release => match text("event") {
            Some(key) => format!("the event `{key}` to {}", run(entry)),
            None => format!("an event to {}", run(entry)),
        },
        Action::Emit => format!("an event of `{}`", entry.asset.as_deref().unwrap_or("an asset")),
        Action::Pause => {
            let until = text("until").map(|until| format!(" until {until}")).unwrap_or_default();
            format!("{}{until}", dag(entry))
        }
        Action::Unpause => dag(entry),
        Action::ResetSchedule => format!("the schedule of {}", dag(entry)),
        Action::Backfill => format!("{}{}", backfill(entry), of_dag(entry)),
        Action::BackfillsPause | Action::BackfillsResume | Action::BackfillsCancel | Action::BackfillsRetry => {
            backfill(entry)
        }
        Action::BackfillsLimit => match number(after, "limit") {
            Some(limit) => format!("{} to {}", backfill(entry), counted(limit, "run")),
            None => backfill(entry),
        },
        Action::BackfillsExtend => match text("end") {
            Some(end) => format!("{} to {end}", backfill(entry)),
            None => backfill(entry),
        },
        Action::DbPrune if entry.run.is_some() => format!("{}{}", run(entry), of_dag(entry)),
        Action::DbPrune => pruned(after),
        Action::UsersAdd => format!("{}{}", account("user", after), as_roles(after)),
        Action::UsersRemove => account("user", after),
        Action::UsersPassword => format!("the password of {}", account("user", after)),
        Action::UsersRole => {
            let roles = text("roles").map(|roles| format!(" to {roles}")).unwrap_or_default();
            format!("the role of {}{roles}", account("user", after))
        }
        Action::TokensCreate => {
            let owner = text("owner").map(|owner| format!(" of `{owner}`")).unwrap_or_default();
            format!("{}{owner}{}", account("token", after), as_roles(after))
        }
        Action::TokensRevoke => account("token", after),
        Action::LogIn | Action::LogOut => {
            let other = text("name").filter(|name| *name != entry.actor.name);
            other.map(|name| format!("as `{name}`")).unwrap_or_default()
        }
    }
}

/// ``the user `lee` ``
fn account(noun: &str, after: &Map<String, Value>) -> String {
    match after.get("name").and_then(Value::as_str) {
        Some(name) => format!("the {noun} `{name}`"),
        None => format!("a {noun}"),
    }
}

/// ` as operator of delays`
fn as_roles(after: &Map<String, Value>) -> String {
    after.get("roles").and_then(Value::as_str).map(|roles| format!(" as {roles}")).unwrap_or_default()
}

fn run(entry: &AuditEntry) -> String {
    match (entry.run, &entry.run_id) {
        (Some(number), _) => format!("run {number}"),
        (None, Some(run_id)) => format!("the run `{run_id}`"),
        (None, None) => "a run".to_owned(),
    }
}

fn dag(entry: &AuditEntry) -> String {
    format!("`{}`", entry.dag_id.as_deref().unwrap_or_default())
}

fn of_dag(entry: &AuditEntry) -> String {
    entry.dag_id.as_ref().map(|dag| format!(" of `{dag}`")).unwrap_or_default()
}

fn backfill(entry: &AuditEntry) -> String {
    entry.backfill.map_or_else(|| "a backfill".to_owned(), |number| format!("backfill {number}"))
}

fn tasks(entry: &AuditEntry) -> String {
    match (&entry.task_id, number(&entry.after, "tasks")) {
        (Some(task), _) => format!("`{task}`"),
        (None, Some(count)) => counted(count, "task"),
        (None, None) => "tasks".to_owned(),
    }
}

/// `853 runs and 2 events older than 30 days`
fn pruned(after: &Map<String, Value>) -> String {
    let parts = [("runs", "run"), ("events", "event"), ("audit", "entry of the audit trail")];
    let parts = parts.into_iter().filter_map(|(name, noun)| match number(after, name)? {
        0 => None,
        count if noun.starts_with("entry") && count != 1 => Some(format!("{count} entries of the audit trail")),
        count => Some(counted(count, noun)),
    });
    let parts: Vec<String> = parts.collect();
    let what = if parts.is_empty() { "runs".to_owned() } else { parts.join(" and ") };
    let dag = after.get("dag").and_then(Value::as_str).map(|dag| format!(" of `{dag}`")).unwrap_or_default();
    let age = after.get("older_than").and_then(Value::as_str).map(|age| format!(" older than {age}"));
    format!("{what}{dag}{}", age.unwrap_or_default())
}

fn number(map: &Map<String, Value>, name: &str) -> Option<u64> {
    map.get(name)?.as_u64()
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}
