//! `audit`, and what each verb leaves in the audit trail.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::process::Stdio;

use crate::verbs::verbs;
use serde_json::{Value, json};
use taskflow::ops::Action;
use taskflow_tests::binaries::ProgramOutput;
use taskflow_tests::home::ProgramHome;

/// Nothing that has this text may be in the trail.
const PASSWORD: &str = "several good words";

/// What browsers do, which has no verb.
const LOG_INS: [&str; 2] = ["log-in", "log-out"];

/// A home of its own for a test.
struct Home {
    home: ProgramHome,
    /// The last entry that was looked at.
    seen: i64,
}

impl Home {
    fn new() -> Self {
        Home { home: ProgramHome::new("server"), seen: 0 }
    }

    /// Calls the program, which may read a password on stdin.
    fn call(&self, words: &[&str]) -> ProgramOutput {
        if !words.contains(&"--password-stdin") {
            return self.home.call(words);
        }
        let mut command = self.home.command(words);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("it is piped").write_all(PASSWORD.as_bytes()).expect("it reads");
        child.wait_with_output().expect("a child can be waited for").into()
    }

    /// The entries that are new, the oldest first.
    fn news(&self) -> Vec<Value> {
        let list = self.call(&["audit", "--limit", "0", "--output", "json"]).json();
        let entries = list["entries"].as_array().expect("a list").iter().rev();
        entries.filter(|entry| entry["number"].as_i64() > Some(self.seen)).cloned().collect()
    }

    /// Calls the program, and checks that it leaves one entry.
    #[track_caller]
    fn leaves(&mut self, words: &[&str], action: &str, outcome: &str) {
        let output = self.call(words);
        let news = self.news();
        let [entry] = &news[..] else { panic!("{words:?} leaves {news:?}: {output:?}") };
        assert_eq!((&entry["action"], &entry["outcome"]), (&json!(action), &json!(outcome)), "{words:?} {output:?}");
        assert_eq!(entry["actor"]["via"], "cli", "{words:?}");
        self.seen = entry["number"].as_i64().expect("a number");
    }
}

/// Calls every verb that changes something, once so that it does and once so that it is refused.
fn change_everything(home: &mut Home) {
    home.leaves(&["run", "gated", "-q"], "run", "applied");
    home.leaves(&["trigger", "greeting"], "trigger", "applied");
    home.leaves(&["resume", "2", "-q"], "resume", "applied");
    home.leaves(&["resume", "2", "-q"], "resume", "refused_state");
    home.leaves(&["retry", "1", "-q", "--reason", "open now"], "retry", "applied");
    home.leaves(&["retry", "2", "-q"], "retry", "refused_state");
    home.leaves(&["clear", "1", "--no-run", "--reason", "closed"], "clear", "applied");
    home.leaves(&["trigger", "approval"], "trigger", "applied");
    home.leaves(&["clear", "3"], "clear", "refused_state");
    home.leaves(&["mark", "success", "1", "gate", "--value", "\"x\""], "mark", "refused_state");
    home.leaves(&["mark", "success", "1", "gate", "--value", "7"], "mark", "applied");
    home.leaves(&["release", "3", "approval", "--value", "\"yes\""], "release", "applied");
    home.leaves(&["release", "2", "approval"], "release", "refused_state");
    home.leaves(&["cancel", "3", "--reason", "enough"], "cancel", "applied");
    home.leaves(&["cancel", "3"], "cancel", "refused_state");
    home.leaves(&["emit", "reports", "5", "--key", "k"], "emit", "applied");
    home.leaves(&["emit", "reports", "5", "--key", "k"], "emit", "unchanged");
    home.leaves(&["emit", "reports", "\"x\""], "emit", "refused_state");
    home.leaves(&["pause", "daily", "--reason", "migration"], "pause", "applied");
    home.leaves(&["pause", "daily"], "pause", "refused_state");
    home.leaves(&["unpause", "daily"], "unpause", "applied");
    home.leaves(&["unpause", "daily"], "unpause", "refused_state");
    home.leaves(&["pause", "reported"], "pause", "applied");
    home.leaves(&["unpause", "reported"], "unpause", "applied");
    home.leaves(&["reset-schedule", "daily"], "reset-schedule", "refused_state");
    let slots = "2026-01-01/2026-01-03";
    home.leaves(&["backfill", "daily", slots, "--reason", "again"], "backfill", "applied");
    home.leaves(&["backfill", "daily", slots], "backfill", "refused_state");
    home.leaves(&["backfills", "pause", "1"], "backfills pause", "applied");
    home.leaves(&["backfills", "pause", "1"], "backfills pause", "refused_state");
    home.leaves(&["backfills", "resume", "1"], "backfills resume", "applied");
    home.leaves(&["backfills", "limit", "1", "3"], "backfills limit", "applied");
    home.leaves(&["backfills", "extend", "1", "2026-01-05"], "backfills extend", "applied");
    home.leaves(&["backfills", "extend", "1", "2026-01-02"], "backfills extend", "refused_state");
    home.leaves(&["backfills", "retry", "1"], "backfills retry", "refused_state");
    home.leaves(&["backfills", "cancel", "1", "--reason", "done"], "backfills cancel", "applied");
    home.leaves(&["backfills", "cancel", "1"], "backfills cancel", "refused_state");
    home.leaves(&["db", "prune", "--older-than", "0s", "--state", "success,cancelled"], "db prune", "applied");
    home.leaves(&["db", "prune", "--older-than", "0s", "--state", "success,cancelled"], "db prune", "unchanged");
    let add = ["users", "add", "lee", "--role", "operator", "--dags", "daily", "--password-stdin"];
    home.leaves(&add, "users add", "applied");
    home.leaves(&add, "users add", "refused_state");
    home.leaves(&["users", "role", "lee", "viewer"], "users role", "applied");
    home.leaves(&["users", "password", "lee", "--password-stdin"], "users password", "applied");
    let create = ["tokens", "create", "ci", "--user", "lee", "--role", "viewer"];
    home.leaves(&create, "tokens create", "applied");
    home.leaves(&create, "tokens create", "refused_state");
    home.leaves(&["tokens", "revoke", "ci"], "tokens revoke", "applied");
    home.leaves(&["users", "remove", "lee"], "users remove", "applied");
}

/// The verbs that change nothing that anybody has a say in. A verb that is new has to be here, or
/// among the actions.
const READING: [&str; 23] = [
    "assets",
    "audit",
    "backfills show",
    "completions",
    "config",
    "config path",
    "config show",
    "consumers",
    "dags",
    "db check",
    "db path",
    "db vacuum",
    "doctor",
    "events",
    "explain",
    "list",
    "logs",
    "next",
    "replay",
    "runs",
    "serve",
    "show",
    "slots",
];
const READING_TOO: [&str; 5] = ["lineage", "status", "tokens list", "users list", "values"];

#[test]
fn each_verb_that_changes_something_leaves_one_entry_also_if_it_is_refused() {
    let mut home = Home::new();
    change_everything(&mut home);
    home.seen = 0;
    let news = home.news();
    let acted: BTreeSet<&str> = news.iter().filter_map(|entry| entry["action"].as_str()).collect();
    let mut actions: BTreeSet<&str> = Action::ALL.iter().map(|action| action.name()).collect();
    assert!(LOG_INS.iter().all(|action| actions.remove(action)));
    assert_eq!(acted, actions);
    assert!(!json!(news).to_string().contains(PASSWORD));
    for verb in verbs(|words| home.call(words).stdout) {
        let is_reading = READING.contains(&&*verb) || READING_TOO.contains(&&*verb);
        assert!(is_reading != actions.contains(&*verb), "does `{verb}` change something?");
    }
}

#[test]
fn reading_previewing_and_unknown_things_leave_no_entry() {
    let home = Home::new();
    home.call(&["run", "greeting", "-q", "--durability", "ephemeral"]);
    assert_eq!(home.call(&["audit"]).stderr, "no such changes\n");
    home.call(&["run", "greeting", "-q"]);
    for words in [
        &["runs"][..],
        &["status", "1"],
        &["clear", "1", "--dry-run"],
        &["mark", "skipped", "1", "greet", "--dry-run"],
        &["retry", "1", "--dry-run"],
        &["cancel", "1", "--dry-run"],
        &["db", "prune", "--older-than", "0s", "--dry-run"],
        &["backfill", "daily", "2026-01-01", "--dry-run"],
        &["cancel", "99"],
        &["clear", "1", "nothing"],
        &["replay", "1", "greet"],
        &["db", "vacuum"],
    ] {
        home.call(words);
        assert_eq!(home.news().len(), 1, "{words:?}");
    }
}

#[test]
fn entries_are_sentences() {
    let mut home = Home::new();
    change_everything(&mut home);
    home.seen = 0;
    let news = home.news();
    let sentences: Vec<String> = news
        .iter()
        .map(|entry| {
            let (who, sentence) = (entry["actor"]["name"].as_str(), entry["sentence"].as_str());
            sentence.unwrap_or_default().replacen(who.unwrap_or_default(), "kim", 1)
        })
        .collect();
    for expected in [
        "kim started run 1 of `gated`",
        "kim triggered run 2 of `greeting`",
        "kim resumed run 2",
        "kim retried 2 tasks of run 1, because open now",
        "kim could not retry tasks of run 2: run 2 has no failed task",
        "kim cleared 2 tasks of run 1, because closed",
        "kim could not mark `gate` of run 1 as success: the value is not valid for `gate`",
        "kim marked `gate` of run 1 as success",
        "kim sent the event `approval` to run 3",
        "kim cancelled run 3, because enough",
        "kim emitted an event of `reports`",
        "kim wanted to emit an event of `reports`, which changed nothing",
        "kim paused `daily`, because migration",
        "kim could not reset the schedule of `daily`",
        "kim started backfill 1 of `daily`, because again",
        "kim limited backfill 1 to 3 runs",
        "kim cancelled backfill 1, because done",
        "kim pruned 2 runs older than 0s",
        "kim added the user `lee` as operator of daily",
        "kim could not add the user `lee` as operator of daily: the user `lee` exists",
        "kim changed the role of the user `lee` to viewer",
        "kim changed the password of the user `lee`",
        "kim created the token `ci` of `lee` as viewer",
        "kim revoked the token `ci`",
        "kim removed the user `lee`",
    ] {
        assert!(sentences.iter().any(|sentence| sentence.starts_with(expected)), "{expected}: {sentences:#?}");
    }
}

#[test]
fn entries_are_selected_and_pruned_by_age() {
    let home = Home::new();
    home.call(&["run", "greeting", "-q"]);
    home.call(&["pause", "daily"]);
    home.call(&["unpause", "daily"]);
    let count = |words: &[&str]| {
        let output = home.call(&[&["audit"], words, &["--output", "json"]].concat());
        output.json()["entries"].as_array().map(Vec::len)
    };
    assert_eq!(count(&[]), Some(3));
    assert_eq!(count(&["daily"]), Some(2));
    assert_eq!(count(&["daily", "--action", "unpause"]), Some(1));
    assert_eq!(count(&["1"]), Some(1));
    assert_eq!(count(&["--since", "1d", "--limit", "2"]), Some(2));
    assert_eq!(count(&["--since", "2099-01-01"]), Some(0));
    assert_eq!(count(&["--until", "2099-01-01"]), Some(3));
    assert_eq!(count(&["daily", "--since", "1d", "--until", "1d"]), Some(0));
    assert_eq!(count(&["--by", "nobody"]), Some(0));
    assert_eq!(count(&["--before", "2"]), Some(1));
    let shown = home.call(&["audit", "--limit", "2"]);
    assert!(shown.stdout.contains("unpaused `daily`"), "{shown:?}");
    assert_eq!(shown.stderr, "--before 2 shows earlier ones\n");
    let refused = home.call(&["audit", "--action", "claer"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("did you mean `clear`"), "{refused:?}");
    assert_eq!(home.call(&["audit", "99"]).code, Some(2));

    // Without the option the trail stays, and gets an entry.
    let pruned = home.call(&["db", "prune", "--older-than", "0s"]);
    assert!(pruned.stderr.starts_with("1 run deleted"), "{pruned:?}");
    assert_eq!(count(&[]), Some(4));
    let would = home.call(&["db", "prune", "--older-than", "0s", "--audit", "--dry-run"]);
    assert!(would.stderr.contains("and 4 entries of the audit trail would be deleted"), "{would:?}");
    let pruned = home.call(&["db", "prune", "--older-than", "0s", "--audit"]);
    assert!(pruned.stderr.contains("and 4 entries of the audit trail deleted"), "{pruned:?}");
    let left = home.news();
    assert_eq!(left.len(), 1, "{left:?}");
    let sentence = left[0]["sentence"].as_str().unwrap_or_default();
    assert!(sentence.ends_with("pruned 4 entries of the audit trail older than 0s"), "{sentence}");
    assert_eq!(home.call(&["db", "prune", "--older-than", "0s", "--audit", "--dag", "daily"]).code, Some(2));
}
