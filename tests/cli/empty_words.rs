//! Empty texts in the place of names.

use crate::support::failed;
use crate::verbs::verbs;

/// The calls of a verb with an empty text in the place of each name. A verb that is not listed here
/// fails the test: an empty text may match anything.
#[allow(clippy::match_same_arms, reason = "each verb has its place in the list")]
fn calls_with_an_empty_name(verb: &str) -> Vec<Vec<&'static str>> {
    let calls: &[&[&'static str]] = match verb {
        "show" => &[&[""], &["small", "--format", ""]],
        "run" => &[&[""], &["small", "--only", ""], &["small", "--from", ""]],
        "trigger" => &[&[""], &["small", "--logical-date", ""], &["small", "--interval", ""]],
        "serve" => &[&["--only", ""], &["--bind", ""]],
        "next" => &[&[""], &["-n", ""]],
        "slots" => &[&[""], &["small", "--fate", ""], &["small", "--before", ""], &["small", "--limit", ""]],
        "pause" => &[&[""], &["--tag", ""], &["small", "--until", ""], &["small", "--by", ""]],
        "unpause" => &[&[""], &["--tag", ""], &["small", "--catchup", ""], &["small", "--events", ""]],
        "reset-schedule" => &[&[""]],
        "backfill" => &[&[""], &["small", ""], &["small", "2026-01-01", "--token", ""]],
        "backfills list" | "backfills" => &[&["--dag", ""], &["--limit", ""]],
        "backfills show" | "backfills pause" | "backfills resume" | "backfills retry" | "backfills cancel" => &[&[""]],
        "backfills limit" => &[&[""], &["1", ""]],
        "backfills extend" => &[&[""], &["1", ""]],
        "runs" => {
            &[&["--dag", ""], &["--state", ""], &["--since", ""], &["--by", ""], &["--limit", ""], &["--format", ""]]
        }
        "status" => &[&[""]],
        "explain" | "values" | "logs" => &[&[""], &["1", ""]],
        "lineage" => &[&[""]],
        "resume" => &[&[""]],
        "retry" | "cancel" => &[&[""], &["1", "--token", ""]],
        "clear" => &[
            &["", "gate"],
            &["1", ""],
            &["1", "gate", ""],
            &["1", "--only", ""],
            &["1", "--from", ""],
            &["1", "gate", "--token", ""],
            &["1", "gate", "--by", ""],
            &[" ", "gate"],
        ],
        "mark" => &[
            &["", "1", "gate"],
            &["success", "", "gate"],
            &["failed", "1", ""],
            &["failed", "1", "gate", "--token", ""],
        ],
        "release" => &[&["", "key"], &["1", ""]],
        "replay" => &[&["", "gate"], &["1", ""], &["1", "--task", ""]],
        "emit" => &[&["", "1"], &["evil", "1", "--partition", ""], &["evil", "1", "--key", ""]],
        "events" => &[&[""], &["--partition", ""], &["--before", ""]],
        "audit" => &[&[""], &["--by", ""], &["--action", ""], &["--since", ""], &["--until", ""], &["--before", ""]],
        "consumers" => &[&[""]],
        "db prune" => &[
            &["--older-than", ""],
            &["--older-than", "1d", "--dag", ""],
            &["--older-than", "1d", "--token", ""],
            &["--run", ""],
        ],
        "users add" => &[&[""], &["kim", "--role", ""], &["kim", "--role", "viewer", "--dags", ""]],
        "users password" | "users remove" | "tokens revoke" => &[&[""]],
        "users role" => &[&["", "viewer"], &["kim", ""], &["kim", "viewer", "--dags", ""]],
        "tokens create" => &[&[""], &["ci", "--user", ""], &["ci", "--expires", ""], &["ci", "--dags", ""]],
        "completions" => &[&[""]],
        // They take no names of their own.
        "list" | "config show" | "config path" | "db check" | "db vacuum" | "db path" | "dags" | "doctor"
        | "assets" | "users list" | "tokens list" => &[],
        _ => panic!("which names does `{verb}` take?"),
    };
    calls.iter().map(|call| call.to_vec()).collect()
}

/// C7: `clear "" gate` and its siblings, in a home with a single run.
#[test]
fn an_empty_word_is_an_error_everywhere() {
    let home = failed();
    let before = home.json(&["status", "1"]);
    for verb in verbs(|words| home.good(words).stdout) {
        let verb: Vec<&str> = verb.split(' ').collect();
        for call in calls_with_an_empty_name(&verb.join(" ")) {
            let words = [&verb[..], &call].concat();
            let refusal = home.refusal(&words);
            assert!(refusal.starts_with("error: "), "{words:?} {refusal}");
        }
    }
    for verb in [&["runs"][..], &["status"], &["config", "show"], &["list"]] {
        for flag in ["--home", "--config", "--server", "--output"] {
            let words = [verb, &[flag, ""]].concat();
            let refusal = home.refusal(&words);
            assert!(refusal.starts_with("error: "), "{words:?} {refusal}");
        }
    }
    assert_eq!(home.json(&["status", "1"]), before);
}
