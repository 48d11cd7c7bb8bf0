//! The command line as a client: with `--server`, it prints what it prints on the machine of the
//! service.

use std::io::{BufRead as _, BufReader, Read, Write as _, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};

use serde_json::json;
use taskflow::log::LogFiles;
use taskflow_tests::binaries::{ProgramOutput, masked, program};
use taskflow_tests::common::eventually;

use crate::home::Service;

/// A call of the program that asks the service, and has no home with runs.
fn ask(service: &Service, words: &[&str]) -> ProgramOutput {
    ask_at(&format!("http://{}", service.address), words)
}

fn ask_at(address: &str, words: &[&str]) -> ProgramOutput {
    let home = tempfile::tempdir().expect("temporary directories can be made");
    let mut command = program("server");
    command.env("TASKFLOW_HOME", home.path().join("none")).env("TASKFLOW_SERVER", address);
    let output = command.args(words).output().expect("a built program starts");
    assert!(!home.path().join("none").exists(), "{words:?} has made a home");
    output.into()
}

/// Asks the service and gets what succeeds.
#[track_caller]
fn good(service: &Service, words: &[&str]) -> ProgramOutput {
    let output = ask(service, words);
    assert_eq!(output.code, Some(0), "{words:?}: {output:?}");
    output
}

/// Checks that a verb prints the same bytes with and without a service. What is a duration from now
/// may change between the two.
#[track_caller]
fn same(service: &Service, words: &[&str]) {
    let mut last = None;
    for _ in 0..5 {
        let (here, there) = (service.call(words), ask(service, words));
        if here == there {
            return;
        }
        last = Some((here, there));
    }
    let (here, there) = last.expect("it was tried");
    assert_eq!(here, there, "{words:?}");
}

/// A service with something for each verb to show.
fn busy() -> Service {
    let service = Service::with_schedules();
    let good = service.trigger("greeting", &json!({"name": "ada", "times": 3}));
    service.wait(good, "success");
    let bad = service.trigger("gated", &json!({}));
    service.wait(bad, "failed");
    let source = service.trigger("reporter", &json!({}));
    service.wait(source, "success");
    eventually("its event starts a run", || {
        service.json("/api/v1/runs?dag=reported&state=success").as_array().is_some_and(|runs| runs.len() == 1)
    });
    let backfill = json!({"dag": "daily", "slots": ["2026-01-01/2026-01-02"], "by": "ada", "reason": "new columns"});
    assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let pause = json!({"by": "ada", "reason": "migration"}).to_string();
    let paused = service.send("PUT", "/api/v1/dags/daily/pause", &[("content-type", "application/json")], &pause);
    assert_eq!(paused.status, 200, "{paused:?}");
    service
}

#[test]
fn every_verb_that_reads_prints_the_same_bytes_with_and_without_a_server() {
    let service = busy();
    for words in [
        "dags",
        "next",
        "next daily -n 3",
        "slots daily",
        "slots daily --limit 1",
        "runs",
        "runs --dag gated",
        "runs --state success,failed --limit 2",
        "status",
        "status 1",
        "status 2 --all",
        "status 3",
        "explain 1",
        "explain 2",
        "explain 2 after",
        "values 1",
        "values 1 greet",
        "values 2",
        "logs 1",
        "logs 1 greet --attempt 1",
        "logs 1 --level warn",
        "logs 1 --follow",
        "logs 2",
        "lineage 3",
        "lineage 4",
        "assets",
        "events",
        "events reports --limit 1",
        "events @1",
        "consumers",
        "consumers reported",
        "consumers greeting",
        "backfills",
        "backfills show 1",
        "backfills --dag gated",
        "audit",
        "audit --limit 0",
        "audit --limit 2 --before 4",
        "audit daily --by ada",
        "audit 1",
        "audit last --action trigger",
        "audit --since 2099-01-01",
        "audit --until 2020-01-01",
        "audit --until 2099-01-01 --limit 2",
        "users list",
        "tokens list",
        "show greeting",
        "show gated --format mermaid",
        "show gated --format svg",
        "clear 1 --dry-run",
        "clear 2 --failed --dry-run",
        "retry 2 --dry-run",
        "mark success 2 gate --value 3 --dry-run",
        "mark skipped 2 gate after --dry-run",
        "backfill daily 2026-02-01/2026-02-03 --all --dry-run",
        "db prune --older-than 0s --dag gated --dry-run",
    ] {
        let words: Vec<&str> = words.split(' ').collect();
        // The token of a preview of a backfill, and of a prune, has its time.
        let is_of_its_time = words.contains(&"backfill") || words.contains(&"prune");
        if !is_of_its_time {
            same(&service, &words);
        }
        let json: Vec<&str> = words.iter().copied().chain(["--output", "json"]).collect();
        if words.contains(&"backfill") {
            let [here, there] = [service.call(&json).json(), ask(&service, &json).json()];
            assert_eq!((&here["fates"], &here["slots"]), (&there["fates"], &there["slots"]), "{here}");
        } else if words.contains(&"prune") {
            let [here, there] = [service.call(&words), ask(&service, &words)];
            let shown = |output: &ProgramOutput| {
                let counted = output.stderr.lines().next().map(str::to_owned);
                (output.code, output.stdout.clone(), counted)
            };
            assert_eq!(shown(&here), shown(&there), "{there:?}");
            assert_eq!(service.call(&json).json(), ask(&service, &json).json(), "{words:?}");
        } else if words[0] != "show" {
            same(&service, &json);
        }
    }
    // A run that waits, but for how long.
    let asks = service.trigger("approval", &json!({})).to_string();
    eventually("it waits", || service.json(&format!("/api/v1/runs/{asks}/tasks/approved"))["state"] == "deferred");
    for words in [["status", &*asks], ["explain", &asks], ["values", &asks], ["logs", &asks]] {
        let (here, there) = (service.call(&words), ask(&service, &words));
        assert_eq!((here.code, masked(&here.stdout)), (there.code, masked(&there.stdout)), "{words:?}");
        assert_eq!(here.stderr, there.stderr, "{words:?}");
    }
    // The disk fills while it is examined.
    let doctor = ask(&service, &["doctor"]);
    assert_eq!(doctor.stdout.lines().count(), service.call(&["doctor"]).stdout.lines().count(), "{doctor:?}");
}

#[test]
fn errors_have_the_sentence_and_the_exit_code_of_the_machine_of_the_service() {
    let service = busy();
    for words in [
        &["status", "99"][..],
        &["explain", "2", "aftr"],
        &["values", "2", "gate"],
        &["logs", "1", "gret"],
        &["lineage", "99"],
        &["clear", "2", "gat", "--dry-run"],
        &["cancel", "1"],
        &["cancel", "1", "--dry-run"],
        &["cancel", "1", "--token", "0000"],
        &["retry", "1"],
        &["retry", "1", "--dry-run"],
        &["retry", "2", "--token", "0000"],
        &["mark", "failed", "2", "gat", "--dry-run"],
        &["mark", "failed", "2", "gate", "--token", "0000"],
        &["release", "1", "approval"],
        &["mark", "failed", "2", "gat"],
        &["events", "@99"],
        &["backfills", "show", "9"],
        &["backfills", "limit", "1", "2"],
        &["backfills", "extend", "1", "2026-01-01"],
        &["emit", "reports", "\"three\""],
        &["emit", "report", "3"],
        &["pause", "daily"],
        &["next", "greeting"],
        &["reset-schedule", "greeting"],
        &["unpause", "--tag", "rude"],
        &["unpause", "--tag", "polite"],
        &["audit", "greetin"],
        &["users", "remove", "lee"],
        &["users", "role", "lee", "viewer"],
        &["users", "password", "lee"],
        &["users", "add", "a/b", "--password-stdin"],
        &["tokens", "revoke", "ci"],
        &["tokens", "create", "a/b"],
        &["tokens", "create", "ci", "--user", "lee"],
        &["tokens", "create", "ci", "--expires", "9999d"],
    ] {
        let (here, there) = (service.call(words), ask(&service, words));
        assert_eq!((here.code, here.stdout.as_str()), (there.code, there.stdout.as_str()), "{words:?}: {there:?}");
        assert_eq!(here.stderr, there.stderr, "{words:?}");
    }
    let unknown = ask(&service, &["next", "dayly"]);
    assert_eq!((unknown.code, &*unknown.stderr), (Some(2), "error: there is no DAG `dayly`; did you mean `daily`?\n"));
    let wrong = ask(&service, &["trigger", "greeting", "--times", "9"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("is not in the range 1..=5"), "{wrong:?}");
}

#[test]
fn a_run_is_named_by_its_number_its_id_a_part_of_it_or_last() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let id = service.json("/api/v1/runs/1")["run_id"].as_str().map(str::to_owned).expect("an id");
    let whole = good(&service, &["status", "1"]);
    let part = id.rsplit('_').next().expect("a part").to_owned();
    for name in [&*id, &part, "last"] {
        assert_eq!(good(&service, &["status", name]).stdout, whole.stdout, "{name}");
    }
    let none = ask(&service, &["status", "nobody"]);
    assert_eq!((none.code, &*none.stderr), (Some(2), "error: there is no run `nobody`; `runs` lists them\n"));
}

/// A run that triggers three others, which are newer. `last` was one of these, with a service only.
#[test]
fn the_last_run_is_the_newest_that_no_task_has_triggered() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("cli_shown", directory, &["--bind", "127.0.0.1:0"]);
    let run = service.trigger("parent", &json!({}));
    service.wait(run, "success");
    let newest = service.json("/api/v1/runs?limit=1")[0]["run_type"].clone();
    assert_eq!(newest, "triggered");
    let here = service.call_of("cli_shown", &["status", "last", "--output", "json"]).json();
    let there = good(&service, &["status", "last", "--output", "json"]).json();
    assert_eq!((&here["number"], &there["number"]), (&json!(run), &json!(run)));
}

#[test]
fn runs_are_started_cleared_marked_and_cancelled_by_the_service() {
    let service = Service::new();
    let queued = good(&service, &["trigger", "greeting", "--name", "ada", "--times", "3"]);
    assert_eq!(queued.stderr, "run 1 of `greeting` is queued; `serve` starts it\n");
    service.wait(1, "success");
    assert_eq!(service.json("/api/v1/runs/1/values/greet"), json!(["hello ada"; 3].to_vec()));
    good(&service, &["trigger", "gated", "--logical-date", "2026-01-31"]);
    service.wait(2, "failed");
    assert_eq!(service.json("/api/v1/runs/2")["logical_date"], "2026-01-31T00:00:00Z");
    service.open_gate();
    let retried = good(&service, &["retry", "2", "--reason", "open", "--by", "ada"]);
    assert_eq!(
        retried.stderr,
        "retrying 2 tasks of run 2: gate, after; the service runs them, `status 2` shows how far it is\n"
    );
    service.wait(2, "success");
    assert_eq!(service.json("/api/v1/runs/2")["edits"][0]["by"], "ada");
    // Preview, then exactly that.
    let preview = good(&service, &["clear", "2", "after", "--dry-run", "--output", "json"]).json();
    let token = preview["token"].as_str().expect("a token");
    let cleared = good(&service, &["clear", "2", "after", "--token", token, "--output", "json"]).json();
    assert_eq!(cleared, json!({"number": 2, "tasks": ["after"], "dry_run": false}));
    eventually("it runs again", || {
        let after = service.json("/api/v1/runs/2/tasks/after");
        after["attempts"].as_array().map(Vec::len) == Some(2) && after["state"] == "success"
    });
    service.wait(2, "success");
    let stale = ask(&service, &["clear", "2", "after", "--token", token]);
    assert!(stale.code == Some(2) && stale.stderr.contains("now they are after (success)"), "{stale:?}");
    let cleared = good(&service, &["clear", "2", "--only", "after", "--no-run"]);
    assert_eq!(cleared.stderr, "cleared 1 task of run 2: after; `resume 2` runs them\n");
    let marked = good(&service, &["mark", "success", "2", "after", "--value", "5"]);
    assert_eq!(marked.stderr, "marked as success: 1 task of run 2: after\n");
    service.wait(2, "success");
    assert_eq!(service.json("/api/v1/runs/2/values/after"), 5);
    good(&service, &["trigger", "forever"]);
    service.wait(3, "running");
    eventually("its task runs", || service.json("/api/v1/runs/3/tasks/endless")["state"] == "running");
    let preview = good(&service, &["cancel", "3", "--dry-run"]);
    assert_eq!(preview.stdout, "endless\n");
    assert!(preview.stderr.contains(", which ends 1 task that it runs now\n"), "{preview:?}");
    let preview = good(&service, &["cancel", "3", "--dry-run", "--output", "json"]).json();
    let token = preview["token"].as_str().expect("a token");
    let cancelled = good(&service, &["cancel", "3", "--reason", "enough", "--token", token]);
    assert!(cancelled.stderr.contains("was asked to cancel it"), "{cancelled:?}");
    assert!(cancelled.stderr.ends_with("run 3 is cancelled\n"), "{cancelled:?}");
    good(&service, &["trigger", "approval"]);
    eventually("it waits", || service.json("/api/v1/runs/4/tasks/approved")["state"] == "deferred");
    good(&service, &["release", "4", "approval", "--value", "\"yes\""]);
    service.wait(4, "success");
    let none = ask(&service, &["resume"]);
    assert!(none.code == Some(2) && none.stderr.contains("there is no interrupted run"), "{none:?}");
}

#[test]
fn schedules_backfills_and_events_are_changed_by_the_service() {
    let service = Service::new();
    let paused = good(&service, &["pause", "daily", "--by", "ada", "--reason", "migration"]);
    assert_eq!(paused.stderr, "`daily` is paused; active runs go on, and `run` starts runs as before\n");
    assert_eq!(service.json("/api/v1/dags/daily")["pause"]["by"], "ada");
    let again = good(&service, &["pause", "--all"]);
    assert_eq!(again.stderr, "nothing to do: all DAGs with a schedule are in that state\n");
    let ended = good(&service, &["unpause", "--all", "--output", "json"]).json();
    assert_eq!(ended, json!({"daily": []}));
    let words = ["backfill", "daily", "2026-01-01/2026-01-02", "--by", "ada", "--limit", "1"];
    let preview = good(&service, &[&words[..], &["--dry-run", "--output", "json"]].concat()).json();
    let token = preview["token"].as_str().expect("a token");
    let started = good(&service, &[&words[..], &["--token", token]].concat());
    assert!(started.stderr.contains("backfill 1 is started; `serve` carries it out"), "{started:?}");
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let stale = ask(&service, &[&words[..], &["--all", "--token", token]].concat());
    assert_eq!(stale.code, Some(2), "{stale:?}");
    let extended = good(&service, &["backfills", "extend", "1", "2026-01-03"]);
    assert_eq!(extended.stderr, "backfill 1 has 1 slot more, and ends at 2026-01-03\n");
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let cancelled = ask(&service, &["backfills", "cancel", "1"]);
    assert_eq!(cancelled.code, Some(2), "{cancelled:?}");
    let emitted = good(&service, &["emit", "reports", "3", "--key", "a"]);
    let number = emitted.stderr.strip_prefix("event ").and_then(|rest| rest.strip_suffix(" of reports stored\n"));
    let number = number.unwrap_or_else(|| panic!("{emitted:?}"));
    let again = good(&service, &["emit", "reports", "3", "--key", "a"]);
    assert_eq!(again.stderr, format!("nothing stored: event {number} of reports has the key `a`\n"));
    let prune = ["db", "prune", "--older-than", "0s", "--dag", "daily"];
    let preview = good(&service, &[&prune[..], &["--dry-run"]].concat());
    let token = preview.stderr.split_once("--token ").and_then(|(_, rest)| rest.split(' ').next());
    let token = token.unwrap_or_else(|| panic!("{preview:?}"));
    let other = ask(&service, &["db", "prune", "--older-than", "1s", "--dag", "daily", "--token", token]);
    assert!(other.code == Some(2) && other.stderr.contains("the runs to delete have changed"), "{other:?}");
    let pruned = good(&service, &[&prune[..], &["--token", token]].concat());
    assert!(pruned.stderr.contains("3 runs deleted"), "{pruned:?}");
}

#[test]
fn users_and_tokens_are_managed_over_a_service_as_on_its_machine() {
    // The same verbs at two homes: one is asked through its service, with the token of an admin.
    let (service, other) = (Service::new(), Service::new());
    let boss = service.call(&["tokens", "create", "boss", "--role", "admin"]).stdout.trim().to_owned();
    assert_eq!(other.call(&["tokens", "create", "boss", "--role", "admin"]).code, Some(0));
    let run = |at: &Service, is_client: bool, words: &[&str], stdin: &str| -> ProgramOutput {
        let mut command = program("server");
        match is_client {
            true => command.env("TASKFLOW_SERVER", format!("http://{}", at.address)).env("TASKFLOW_TOKEN", &boss),
            false => command.env("TASKFLOW_HOME", at.home()),
        };
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        // It may end without reading.
        let _ = child.stdin.take().expect("it is piped").write_all(stdin.as_bytes());
        child.wait_with_output().expect("a child can be waited for").into()
    };
    // The token, and times, differ from home to home.
    let shown = |output: &ProgramOutput| {
        let without = |text: &str, is_hidden: fn(&str) -> bool| -> String {
            let words = text.split_inclusive(|c: char| c.is_whitespace() || c == '"');
            words.map(|word| if is_hidden(word) { "X" } else { word }).collect()
        };
        // The token first: it may contain what looks like a time.
        let text = without(&format!("{}{}", output.stdout, output.stderr), |word| word.starts_with("tf_"));
        without(&masked(&text), |word| word.contains("202"))
    };
    let password = "several good words";
    for words in [
        "users add lee --role operator --dags daily,tag:rude --password-stdin",
        "users add lee --password-stdin",
        "users add max --role viewer --password-stdin --output json",
        "users list",
        "users list --output json",
        "users role lee viewer",
        "users role lee admin --dags team_a.* --output json",
        "users password lee --password-stdin",
        "users password max --password-stdin --output json",
        "tokens create ci --role operator --dags daily --user lee",
        "tokens create ci",
        "tokens create long --role admin --expires never --output json",
        "tokens create of-lee --user lee --expires never",
        "tokens create short --expires 90m",
        "tokens list",
        "tokens list --output json",
        "tokens revoke ci",
        "users remove lee",
        "users remove lee",
        "audit --limit 0 --action users-add",
    ] {
        let list: Vec<&str> = words.split(' ').collect();
        let (there, here) = (run(&service, true, &list, password), run(&other, false, &list, password));
        assert_eq!(there.code, here.code, "{words}: {there:?} {here:?}");
        if list[0] != "audit" {
            assert_eq!(shown(&there), shown(&here), "{words}");
        }
        assert!(!there.stdout.contains(password) && !there.stderr.contains(password), "{there:?}");
    }
    // They are in the trail under the name of the token.
    let trail = run(&service, true, &["audit", "--by", "boss", "--limit", "0", "--output", "json"], "").json();
    let actions = trail["entries"].as_array().expect("a list").iter().filter_map(|row| row["action"].as_str());
    assert_eq!(actions.filter(|action| *action == "users add").count(), 3);
    // Who is no admin is told so, with the exit code of a refusal.
    let viewer = service.call(&["tokens", "create", "eyes", "--role", "viewer"]).stdout.trim().to_owned();
    for words in [&["users", "list"][..], &["audit"], &["tokens", "list"], &["users", "remove", "max"]] {
        let mut command = program("server");
        command.env("TASKFLOW_SERVER", format!("http://{}", service.address)).env("TASKFLOW_TOKEN", &viewer);
        let refused: ProgramOutput = command.args(words).output().expect("a built program starts").into();
        assert_eq!(refused.code, Some(1), "{words:?}: {refused:?}");
    }
    // A password is not typed for nothing, and crosses no network as plain text.
    let unknown = run(&service, true, &["users", "password", "eve", "--password-stdin"], password);
    assert!(unknown.code == Some(2) && unknown.stderr.contains("there is no user `eve`"), "{unknown:?}");
    let elsewhere = impostor(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 31\r\nconnection: close\r\n\r\n\
         {\"api\": 1, \"taskflow\": \"0.1.0\"}",
    );
    let plain = ask_at(&elsewhere.replace("127.0.0.1", "0.0.0.0"), &["users", "password", "eve", "--password-stdin"]);
    assert!(plain.code == Some(2) && plain.stderr.contains("as plain text"), "{plain:?}");
}

#[test]
fn verbs_that_need_this_machine_say_why() {
    let service = Service::new();
    let flag = format!("http://{}", service.address);
    for (words, why) in [
        (&["run", "greeting"][..], "`trigger` asks the service to run it"),
        (&["serve"], "it is the service that others ask"),
        (&["replay", "1", "greet"], "for a debugger"),
        (&["db", "check"], "run it on the machine of the home"),
        (&["db", "vacuum"], "run it on the machine of the home"),
        (&["db", "path"], "a path means nothing on another machine"),
    ] {
        let refused = ask(&service, words);
        assert_eq!(refused.code, Some(2), "{words:?}: {refused:?}");
        assert!(refused.stderr.contains(why) && refused.stderr.contains("TASKFLOW_SERVER"), "{refused:?}");
        let refused = service.call(&[words, &["--server", &flag]].concat());
        assert!(refused.code == Some(2) && refused.stderr.contains(why), "{refused:?}");
    }
    // These are about the program.
    for words in [&["list"][..], &["completions", "bash"], &["config", "path"]] {
        assert_eq!(ask(&service, words).code, service.call(words).code, "{words:?}");
        let refused = service.call(&[words, &["--server", &flag]].concat());
        assert!(refused.code == Some(2) && refused.stderr.contains("has no --server"), "{refused:?}");
    }
    let both = service.call(&["runs", "--server", &flag, "--home", "x"]);
    assert!(both.code == Some(2) && both.stderr.contains("--home and --server"), "{both:?}");
    let jobs = service.call(&["retry", "1", "--jobs", "2", "--server", &flag]);
    assert!(jobs.code == Some(2) && jobs.stderr.contains("--jobs cannot be combined with --server"), "{jobs:?}");
    // A home on the command line is meant.
    assert_eq!(ask_at("http://127.0.0.1:1", &["runs", "--home", "/nonexistent/home"]).code, Some(0));
}

#[test]
fn an_address_without_a_server_is_named() {
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
    let refused = ask_at(&format!("http://{closed}"), &["runs"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains(&format!("http://{closed} cannot be asked: ")), "{refused:?}");
    assert!(refused.stderr.contains("is `serve` running there?"), "{refused:?}");
    for (address, why) in [
        ("localhost:8090", "it does not begin with http:// or https://"),
        ("http://ada:secret@localhost", "it has a name or a password in it"),
        ("nonsense of all kinds", "is not the address of a server"),
    ] {
        let refused = ask_at(address, &["runs"]);
        assert!(refused.code == Some(2) && refused.stderr.contains(why), "{refused:?}");
    }
    // A token is not sent where others can read it.
    let mut command = program("server");
    command.env("TASKFLOW_SERVER", "http://192.0.2.1:8090").env("TASKFLOW_TOKEN", "secret");
    let refused: ProgramOutput = command.arg("runs").output().expect("a built program starts").into();
    assert!(refused.code == Some(2) && refused.stderr.contains("TASKFLOW_TOKEN is not sent"), "{refused:?}");
}

/// C2: a server that sends the client, with its token, to another one.
#[test]
fn a_redirect_of_a_server_is_not_followed() {
    for status in [301, 302, 303, 307, 308] {
        let other = TcpListener::bind("127.0.0.1:0").expect("a port");
        other.set_nonblocking(true).expect("a socket need not wait");
        let elsewhere = other.local_addr().expect("an address");
        let answer = format!(
            "HTTP/1.1 {status} X\r\nlocation: http://{elsewhere}/api/v1/version\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n"
        );
        let mut command = program("server");
        command.env("TASKFLOW_SERVER", impostor(answer.leak())).env("TASKFLOW_TOKEN", "secret");
        let refused: ProgramOutput = command.args(["runs"]).output().expect("a built program starts").into();
        assert_ne!(refused.code, Some(0), "{status}: {refused:?}");
        assert!(refused.stderr.contains(&status.to_string()), "{status}: {refused:?}");
        let asked = other.accept().expect_err("nobody asks the other server");
        assert_eq!(asked.kind(), std::io::ErrorKind::WouldBlock, "{status}: {asked}");
    }
}

/// Answers requests by their path and query.
fn server_of(answer: impl Fn(&str) -> (String, String) + Send + 'static) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", socket.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for client in socket.incoming() {
            let Ok(mut client) = client else { return };
            let mut line = String::new();
            let _ = BufReader::new(&client).read_line(&mut line);
            let (headers, body) = answer(line.split(' ').nth(1).unwrap_or_default());
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let _ = write!(client, "{head}content-length: {}\r\n{headers}\r\n{body}", body.len());
            let _ = client.shutdown(Shutdown::Write);
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    address
}

#[test]
fn the_pages_of_a_list_are_followed_to_the_last_one() {
    let version = json!({"api": 1, "taskflow": "0.1.0"}).to_string();
    let address = server_of(move |path| match path.split_once("after=") {
        _ if path.ends_with("/version") => (String::new(), version.clone()),
        None if path.contains("/tokens") => {
            ("link: <http://evil.test/api/v1/tokens?after=1>; rel=\"next\"\r\n".to_owned(), "[]".to_owned())
        }
        after => {
            let after = after.map_or(0, |(_, number)| number.parse::<i64>().expect("a number"));
            let users: Vec<_> = (after + 1..=after + 2)
                .map(|number| json!({"name": format!("user{number}"), "grants": [], "created": "2026-01-31T06:00:00Z"}))
                .collect();
            let next = format!("link: </api/v1/users?after={}>; rel=\"next\"\r\n", after + 2);
            (if after < 4 { next } else { String::new() }, json!(users).to_string())
        }
    });
    let listed = ask_at(&address, &["users", "list"]);
    let names: Vec<&str> = listed.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(names.ends_with(&["user1", "user2", "user3", "user4", "user5", "user6"]), "{listed:?}");
}

/// Passes each connection on to a service, and cuts it after so many bytes of the answer.
fn cutting_proxy(service: &Service, after: u64) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let (address, server) = (socket.local_addr().expect("an address"), service.address);
    std::thread::spawn(move || {
        for client in socket.incoming() {
            let (Ok(mut client), Ok(mut server)) = (client, TcpStream::connect(server)) else { return };
            let (mut asks, mut asked) = (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
            std::thread::spawn(move || copy(&mut asks, &mut asked));
            std::thread::spawn(move || {
                let _ = copy(&mut Read::by_ref(&mut server).take(after), &mut client);
                let _ = client.shutdown(Shutdown::Both);
                let _ = server.shutdown(Shutdown::Both);
            });
        }
    });
    format!("http://{address}")
}

/// Appends lines to the log of the first attempt of a task.
fn log_of(service: &Service, run: i64, task: &str, messages: impl Iterator<Item = String>) {
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let path = LogFiles::new(service.home().join("logs")).path(&id, task, 1);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a home can be written");
    let lines = messages
        .map(|message| format!("{}\n", json!({"at": "2099-01-31T06:00:00Z", "level": "INFO", "message": message})));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&path).expect("a home can be written");
    file.write_all(lines.collect::<String>().as_bytes()).expect("a home can be written");
}

/// Follows the log of a run.
fn follow(address: &str, words: &[&str]) -> Child {
    let mut command = program("server");
    command.env("TASKFLOW_SERVER", address).args(["logs", "1", "--follow"]).args(words);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a built program starts")
}

#[test]
fn a_log_is_followed_over_connections_that_are_lost_without_a_gap_or_a_repetition() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    log_of(&service, run, "gate", (0..2_000).map(|line| format!("line {line} {}", "x".repeat(40))));
    let expected = service.call(&["logs", "1"]);
    assert!(expected.stdout.lines().count() >= 2_000, "{}", expected.stdout.lines().count());
    let followed: ProgramOutput =
        follow(&cutting_proxy(&service, 150_000), &[]).wait_with_output().expect("it ends").into();
    let difference = followed.stdout.lines().zip(expected.stdout.lines()).find(|(one, other)| one != other);
    assert_eq!(difference, None);
    assert_eq!(followed.stdout.lines().count(), expected.stdout.lines().count());
    assert_eq!((followed.code, &followed.stderr), (expected.code, &expected.stderr));
}

#[test]
fn a_log_is_followed_over_a_restart_of_the_service_and_ends_with_the_run() {
    let service = Service::new();
    let run = service.trigger("approval", &json!({}));
    eventually("it waits", || service.json(&format!("/api/v1/runs/{run}/tasks/approved"))["state"] == "deferred");
    log_of(&service, run, "approved", std::iter::once("one".to_owned()));
    let address = service.address.to_string();
    let mut child = follow(&format!("http://{address}"), &[]);
    let mut lines = BufReader::new(child.stdout.take().expect("it is piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("it is text");
    assert!(line.ends_with("INFO  approved: one\n"), "{line}");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    let service = Service::over(directory, &["--bind", &address]);
    log_of(&service, run, "approved", std::iter::once("two".to_owned()));
    line.clear();
    lines.read_line(&mut line).expect("it is text");
    assert!(line.ends_with("INFO  approved: two\n"), "{line}");
    let sent = service.post(&format!("/api/v1/runs/{run}/release"), &json!({"key": "approval", "value": "yes"}));
    assert_eq!(sent.status, 200, "{sent:?}");
    let mut rest = String::new();
    lines.read_to_string(&mut rest).expect("it is text");
    assert_eq!((child.wait().expect("it ends").code(), &*rest), (Some(0), ""));
}

#[test]
fn following_ends_when_the_run_is_deleted() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let pruned = service.call(&["db", "prune", "--older-than", "0s"]);
    assert_eq!(pruned.code, Some(0), "{pruned:?}");
    let output: ProgramOutput =
        follow(&format!("http://{}", service.address), &[]).wait_with_output().expect("it ends").into();
    assert!(output.code == Some(2) && output.stderr.contains("run `1`"), "{output:?}");
}

/// Answers each connection with these bytes.
fn impostor(answers: &'static str) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", socket.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answers.as_bytes());
        }
    });
    address
}

#[test]
fn the_client_says_who_answers_in_place_of_a_server() {
    let other = impostor("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno");
    let refused = ask_at(&other, &["runs"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("is no taskflow server: it answers 404"), "{refused:?}");
    let later = impostor(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 31\r\nconnection: close\r\n\r\n\
         {\"api\": 2, \"taskflow\": \"9.9.9\"}",
    );
    let refused = ask_at(&later, &["runs"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("runs taskflow 9.9.9 with version 2"), "{refused:?}");
    let hangs_up = impostor("");
    assert_eq!(ask_at(&hangs_up, &["runs"]).code, Some(1));
}
