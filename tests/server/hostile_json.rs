//! C1: JSON of the API and of its streams, over a home in which everything that tasks, people and
//! other programs can write is hostile.

use std::io::Read as _;
use std::process::Stdio;

use serde_json::{Value, json};
use taskflow_tests::binaries::program;
use taskflow_tests::common::eventually;
use taskflow_tests::hostile::{HOSTILE, is_unsafe};

use crate::home::Service;

/// The runs of the home: one that failed, one whose value is hostile, one that waits.
const BAD: &str = "1";
const WAITING: &str = "3";

fn service() -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let command = || {
        let mut command = program("hostile");
        command.env("TASKFLOW_HOME", directory.path().join("home")).env("USER", HOSTILE);
        command
    };
    let call = |words: &[&str]| command().args(words).output().expect("a built program starts");
    call(&["run", "bad", "-q", "--text", HOSTILE]);
    call(&["run", "good", "-q"]);
    let mut waiting = command();
    waiting.args(["run", "waiting", "-q"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut waiting = waiting.spawn().expect("a built program starts");
    let asks = || String::from_utf8_lossy(&call(&["status", WAITING]).stdout).contains("deferred");
    eventually("it waits", asks);
    waiting.kill().and_then(|()| waiting.wait()).expect("it can be killed");
    call(&["mark", "failed", BAD, "skips", "--reason", HOSTILE]);
    call(&["pause", "daily", "--by", HOSTILE, "--reason", HOSTILE]);
    call(&["backfill", "daily", "2026-01-01T00:00:00Z/2026-01-01T00:00:02Z", "--by", HOSTILE, "--reason", HOSTILE]);
    Service::of("hostile", directory, &["--bind", "127.0.0.1:0"])
}

/// The addresses below a path of the table of routes. A path that is not listed here fails the
/// test: it may send foreign text too.
fn addresses(path: &str) -> Vec<String> {
    let parts: &[(&str, &[&str])] = &[
        ("{run}", &[BAD, "2", WAITING, "77"]),
        (
            "{task}",
            &["fails", "panics", "list", "each_one[0]", "each_one", "consent", "waits", "answer", "logs", "dies"],
        ),
        ("{attempt}", &["1", "2"]),
        ("{dag}", &["bad", "good", "daily", "eager", "nobody%1b%5b2J%e2%80%ae"]),
        ("{asset}", &["evil"]),
        ("{backfill}", &["1", "77"]),
        ("{event}", &["1", "999999"]),
        ("{pool}", &["default", "nobody%e2%80%ae"]),
    ];
    let mut all = vec![path.to_owned()];
    for (part, values) in parts {
        all = all
            .into_iter()
            .flat_map(|path| match path.contains(part) {
                true => values.iter().map(|value| path.replace(part, value)).collect(),
                false => vec![path],
            })
            .collect();
    }
    assert!(all.iter().all(|path| !path.contains('{')), "what is in {path}?");
    all
}

/// What is sent until a text came, or the connection ends.
fn read_until(service: &Service, path: &str, text: &str) -> String {
    let (head, mut body) = service.stream(path, &[]);
    let (mut answer, mut part) = (head.into_bytes(), [0; 64 * 1024]);
    while let Ok(read @ 1..) = body.read(&mut part) {
        answer.extend_from_slice(&part[..read]);
        if answer.windows(text.len()).any(|window| window == text.as_bytes()) {
            break;
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[track_caller]
fn check(path: &str, text: &str) {
    let body = text.split_once("\r\n\r\n").map_or(text, |(_, body)| body);
    if let Some(at) = body.find(is_unsafe) {
        let (from, to) = (body.floor_char_boundary(at.saturating_sub(200)), body.floor_char_boundary(at + 50));
        panic!("{path} sends {:?}", &body[from..to]);
    }
}

/// C1: every address that is read, with its errors, and every stream.
#[test]
fn no_json_of_the_api_contains_foreign_control_characters() {
    let service = service();
    let table = service.json("/api/v1/openapi.json");
    let paths: Vec<&String> = table["paths"]
        .as_object()
        .expect("paths")
        .iter()
        .filter(|(path, route)| path.starts_with("/api/") && route.get("get").is_some())
        .map(|(path, _)| path)
        .collect();
    assert!(paths.len() > 30, "{paths:?}");
    let mut with_text = 0;
    for path in paths {
        // Streams are read below.
        if path.ends_with("/stream") {
            continue;
        }
        for address in addresses(path) {
            let response = service.get(&address);
            if response.header("content-type").contains("json") {
                check(&address, &response.body);
                with_text += usize::from(response.body.contains("\\u202e"));
            }
        }
    }
    assert!(with_text > 20, "{with_text} documents have a text of the fixture");
    for (path, end) in [
        ("/api/v1/runs/1/stream".to_owned(), "event: end"),
        ("/api/v1/runs/1/log?follow=true".to_owned(), "event: end"),
        ("/api/v1/runs/1/tasks/logs/attempts/1/log?follow=true".to_owned(), "event: end"),
        ("/api/v1/assets/evil/stream?after=0".to_owned(), "\\u202e"),
    ] {
        let text = read_until(&service, &path, end);
        assert!(text.contains("\\u202e"), "{path}: {}", &text[..text.floor_char_boundary(2000)]);
        check(&path, &text);
    }
}

/// C1: what is refused repeats what was sent.
#[test]
fn no_problem_contains_foreign_control_characters() {
    let service = service();
    let body = |field: &str| json!({ field: HOSTILE, "reason": HOSTILE });
    let sent: [(&str, Value); 6] = [
        ("/api/v1/dags/bad/runs", json!({ "params": { HOSTILE: HOSTILE } })),
        ("/api/v1/dags/bad/runs", body("logical_date")),
        ("/api/v1/runs/1/clear", body("tasks")),
        ("/api/v1/events", json!({ "asset": HOSTILE, "payload": HOSTILE })),
        ("/api/v1/backfills", json!({ "dag": HOSTILE, "slots": [HOSTILE] })),
        ("/api/v1/users", json!({ "name": HOSTILE, "role": HOSTILE })),
    ];
    for (path, body) in sent {
        let refused = service.post(path, &body);
        assert!(refused.status >= 400, "{path}: {refused:?}");
        assert!(refused.header("content-type").contains("json"), "{path}: {refused:?}");
        check(path, &refused.body);
    }
}

/// C1: the command line shows what a server sends.
#[test]
fn no_verb_with_a_server_prints_foreign_control_characters() {
    let service = service();
    let address = format!("http://{}", service.address);
    let home = tempfile::tempdir().expect("temporary directories can be made");
    let mut said = 0;
    for words in [
        "dags",
        "next daily",
        "slots daily",
        "runs",
        "status 1",
        "status 1 --all",
        "status 3",
        "explain 1",
        "explain 3 consent",
        "values 1",
        "values 1 --all",
        "logs 1",
        "logs 1 logs --json",
        "lineage 1",
        "assets",
        "events",
        "events @1",
        "consumers",
        "backfills",
        "backfills show 1",
        "audit",
        "doctor",
        "users list",
        "status 77",
        "cancel 2",
        "release 3 another --reason Evil",
    ] {
        for form in ["table", "json"] {
            let mut command = program("hostile");
            command
                .env("TASKFLOW_HOME", home.path().join("none"))
                .env("TASKFLOW_SERVER", &address)
                .env("USER", HOSTILE);
            let output =
                command.args(words.split(' ')).args(["--output", form]).output().expect("a built program starts");
            for text in [output.stdout, output.stderr] {
                let text = String::from_utf8(text).expect("it prints UTF-8");
                check(words, &text);
                let forged = text.lines().find(|line| line.starts_with("FORGED"));
                assert_eq!(forged, None, "{words} prints a line of its own");
                said += usize::from(text.contains("202e"));
            }
        }
    }
    assert!(said > 20, "{said} answers have a text of the fixture");
}
