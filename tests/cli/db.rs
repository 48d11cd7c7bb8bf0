//! `db`: pruning, and checks for damage.

use serde_json::json;

use crate::support::{Home, failed};

#[test]
fn old_runs_are_pruned_with_their_logs() {
    let home = failed();
    home.good(&["run", "small", "-q"]);
    let logs = |home: &Home| std::fs::read_dir(home.path().join("logs")).map_or(0, Iterator::count);
    assert_eq!(logs(&home), 1);
    let output = home.good(&["db", "prune", "--older-than", "1d"]);
    assert_eq!(output.stderr, "0 runs deleted\n");
    let output = home.good(&["db", "prune", "--older-than", "0s", "--state", "failed", "--dry-run"]);
    assert!(output.stdout.contains("gated") && !output.stdout.contains("small"), "{output:?}");
    assert!(output.stderr.starts_with("1 run would be deleted\nnothing was deleted; --token "), "{output:?}");
    let output = home.good(&["db", "prune", "--older-than", "0s", "--dag", "gated"]);
    assert_eq!(output.stderr, "1 run deleted; `db vacuum` returns the space to the file system\n");
    assert_eq!((home.json(&["runs"]).as_array().map(Vec::len), logs(&home)), (Some(1), 0));
    assert!(home.good(&["db", "vacuum"]).stderr.starts_with("size of the store: "));
    assert_eq!(home.json(&["db", "prune", "--older-than", "0s"]), json!({"pruned": 1, "events": 0}));
}

/// A failed run, a run that ends after the preview, and a preview whose runs are deleted before it
/// is used. A prune had no token: it deleted what there was by then.
#[test]
fn a_prune_with_a_token_deletes_what_its_preview_has_shown_or_nothing() {
    let home = failed();
    let prune = ["db", "prune", "--older-than", "0s"];
    let preview = || {
        let shown = home.good(&[&prune[..], &["--dry-run"]].concat()).stderr;
        let (_, rest) = shown.split_once("--token ").expect("it has a token");
        rest.strip_suffix(" deletes exactly these runs\n").expect("it says for what").to_owned()
    };
    let numbers = || -> Vec<i64> {
        home.json(&["runs"]).as_array().into_iter().flatten().filter_map(|run| run["number"].as_i64()).collect()
    };
    let token = preview();
    home.good(&["run", "small", "-q"]);
    // Of another request it is no token.
    let other = home.refusal(&[&prune[..], &["--dag", "gated", "--token", &token]].concat());
    assert!(other.contains("the runs to delete have changed since the preview: now they are 1 (failed);"), "{other}");
    let wrong = home.refusal(&[&prune[..], &["--token", "0000"]].concat());
    assert!(wrong.contains("`0000` is not the token of a preview"), "{wrong}");
    assert_eq!(numbers(), [2, 1]);
    let pruned = home.json(&[&prune[..], &["--token", &token]].concat());
    assert_eq!((pruned, numbers()), (json!({"pruned": 1, "events": 0}), vec![2]));
    let token = preview();
    home.good(&prune);
    let gone = home.refusal(&[&prune[..], &["--token", &token]].concat());
    assert!(gone.contains("have changed since the preview: now there are none;"), "{gone}");
}

/// A run that failed and one that succeeded. A prune selected runs by their age only.
#[test]
fn one_run_is_pruned_by_its_number_and_nothing_else() {
    let home = failed();
    home.good(&["run", "small", "-q"]);
    let numbers = || -> Vec<i64> {
        home.json(&["runs"]).as_array().into_iter().flatten().filter_map(|run| run["number"].as_i64()).collect()
    };
    let output = home.good(&["db", "prune", "--run", "1"]);
    assert_eq!(output.stderr, "1 run deleted; `db vacuum` returns the space to the file system\n");
    assert_eq!(numbers(), [2]);
    let gone = home.refusal(&["db", "prune", "--run", "1"]);
    assert!(gone.contains("run `1` was pruned"), "{gone}");
    for others in [&["--older-than", "0s"][..], &["--dag", "small"], &["--dry-run"], &["--audit"]] {
        let refusal = home.refusal(&[&["db", "prune", "--run", "2"], others].concat());
        assert!(refusal.contains("cannot be used with"), "{others:?}: {refusal}");
    }
    assert_eq!(numbers(), [2]);
    // One that waits for `serve`.
    home.good(&["trigger", "small"]);
    let queued = home.refusal(&["db", "prune", "--run", "3"]);
    assert!(queued.contains("run 3 has not ended (state: queued); `cancel 3` ends it"), "{queued}");
    assert_eq!(home.json(&["db", "prune", "--run", "2"]), json!({"pruned": 1, "events": 0}));
    assert_eq!(numbers(), [3]);
}

#[test]
fn a_check_reports_what_is_damaged() {
    let home = failed();
    let output = home.good(&["db", "check"]);
    assert_eq!((&*output.stdout, &*output.stderr), ("", "no damage found\n"));
    assert_eq!(home.json(&["db", "check"]), json!([]));
}

#[test]
fn a_check_reports_the_damage_of_a_store_that_cannot_be_opened() {
    let home = failed();
    let (file, log) = (home.path().join("taskflow.db"), home.path().join("taskflow.db-wal"));
    // What lies beside the file would mend it.
    home.good(&["db", "vacuum"]);
    std::fs::remove_file(log).ok();
    let whole = std::fs::read(&file).unwrap();
    let mut garbled = whole.clone();
    garbled[100..4096].fill(0xa5);
    let damages: [(&[u8], &str); 4] = [
        (b"no database at all, and too long to be an empty file", "are not those of a SQLite database"),
        (&whole[..50], "it ends within its header, after 50 of 100 bytes"),
        (&whole[..4096], "it was cut off: it has 4.0 KiB, and the last "),
        (&garbled, "its list of tables cannot be read"),
    ];
    for (bytes, finding) in damages {
        std::fs::write(&file, bytes).unwrap();
        let output = home.call(&["runs"]);
        assert_eq!(output.code, Some(1), "{finding}: {output:?}");
        assert!(output.stderr.contains("`db check` lists the damage"), "{output:?}");
        let output = home.call(&["db", "check"]);
        assert_eq!(output.code, Some(1), "{output:?}");
        assert!(output.stdout.contains("taskflow.db is damaged: ") && output.stdout.contains(finding), "{output:?}");
        assert!(output.stderr.starts_with("error: 1 finding in "), "{output:?}");
    }
}

#[test]
fn an_invalid_age_is_rejected() {
    let refusal = Home::new().refusal(&["db", "prune", "--older-than", "month"]);
    assert!(refusal.contains("`month` is not a duration such as 90s, 15m, 12h, 30d or 2w"), "{refusal}");
    assert!(Home::new().refusal(&["db", "prune"]).contains("--older-than <DURATION>"));
}
