//! How many requests somebody may send. The buckets are tested with a clock of their own, beside
//! them.

use std::io::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use taskflow::log::LogFiles;
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

/// A service at which a bucket has four requests, and gets one a second.
fn service() -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let home = directory.path().join("home");
    std::fs::create_dir_all(&home).expect("directories can be made");
    std::fs::write(home.join("taskflow.toml"), "[serve]\nrate_limit = 1\n").expect("files can be written");
    Service::over(directory, &["--bind", "127.0.0.1:0"])
}

/// The first answer that says that there were too many requests.
fn exhaust(ask: impl Fn() -> Response) -> Response {
    (0..100).map(|_| ask()).find(|answer| answer.status == 429).expect("there is a limit")
}

#[test]
fn whoever_sends_too_many_requests_is_told_when_to_come_back() {
    let service = service();
    let token = |name: &str| {
        let created = service.call(&["tokens", "create", name, "--role", "viewer"]);
        assert_eq!(created.code, Some(0), "{created:?}");
        format!("Bearer {}", created.stdout.trim())
    };
    let (ci, other) = (token("ci"), token("other"));
    let ask = |path: &str, bearer: &str| service.send("GET", path, &[("authorization", bearer)], "");
    let refused = exhaust(|| ask("/api/v1/dags", &ci));
    refused.assert_problem(429, "too many requests; try again in 1 second");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.header("vary").contains("Authorization"), "{refused:?}");
    let page = exhaust(|| ask("/dags", &ci));
    assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
    // What takes nothing, and somebody else.
    for _ in 0..20 {
        assert_eq!(ask("/health/live", &ci).status, 200);
    }
    let metrics = ask("/metrics", &other);
    let limited = metrics.body.lines().find_map(|line| line.strip_prefix("taskflow_http_requests_limited_total "));
    assert!(limited.is_some_and(|count| count.parse::<u64>().is_ok_and(|count| count >= 2)), "{metrics:?}");
}

#[test]
fn those_who_are_not_known_share_the_limit_of_their_network() {
    let service = service();
    let added =
        service.post("/api/v1/users", &json!({"name": "kim", "password": "several good words", "role": "admin"}));
    assert_eq!(added.status, 201, "{added:?}");
    exhaust(|| service.get("/api/v1/dags")).assert_problem(429, "too many requests");
    // Also those who are not refused otherwise.
    exhaust(|| service.get("/login"));
    exhaust(|| service.post("/api/v1/hooks/none", &json!(1))).assert_problem(429, "too many requests");
}

#[test]
fn without_users_nothing_of_this_machine_is_limited() {
    let service = service();
    for _ in 0..50 {
        assert_eq!(service.get("/api/v1/dags").status, 200);
    }
}

#[test]
fn a_form_whose_body_does_not_come_holds_up_no_other() {
    let service = Service::new();
    let head = "POST /runs:clear HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n\
                content-type: application/x-www-form-urlencoded\r\ncontent-length: 10\r\n\r\n";
    // More than are answered at a time.
    let silent: Vec<_> = (0..8)
        .map(|_| {
            let mut stream = service.connect();
            stream.write_all(head.as_bytes()).expect("the server reads");
            stream
        })
        .collect();
    // They have arrived: the server answers those that come after them.
    assert_eq!(service.get("/runs").status, 200);
    let began = Instant::now();
    let form = [("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
    for answer in [service.get("/runs:clear?run=1"), service.send("POST", "/runs:clear", &form, "run=1&reason=x")] {
        assert!(![408, 503].contains(&answer.status), "{answer:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}: they wait for no turn", began.elapsed());
    drop(silent);
}

#[test]
fn several_tokens_of_a_user_give_no_larger_share() {
    let service = service();
    let added = service.call(&["tokens", "create", "admin", "--role", "admin"]);
    let admin = format!("Bearer {}", added.stdout.trim());
    let create = |path: &str, body: &Value| {
        let headers = [("authorization", &*admin), ("content-type", "application/json")];
        let created = service.send("POST", path, &headers, &body.to_string());
        assert_eq!(created.status, 201, "{created:?}");
        created.json()
    };
    create("/api/v1/users", &json!({"name": "kim", "password": "several good words", "role": "viewer"}));
    let [one, two] = ["one", "two"].map(|name| {
        let token = create("/api/v1/tokens", &json!({"name": name, "role": "viewer", "user": "kim"}));
        format!("Bearer {}", token["token"].as_str().expect("a token"))
    });
    let other = service.call(&["tokens", "create", "other", "--role", "viewer"]);
    let other = format!("Bearer {}", other.stdout.trim());
    let ask = |bearer: &str| service.send("GET", "/api/v1/dags", &[("authorization", bearer)], "");
    exhaust(|| ask(&one));
    // A request comes back each second; a bucket of its own has four.
    let answered = (0..4).filter(|_| ask(&two).status == 200).count();
    assert!(answered < 4, "{answered}");
    assert_eq!(ask(&other).status, 200);
}

#[test]
fn costly_requests_are_answered_a_few_at_a_time_and_others_meanwhile() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let path = LogFiles::new(service.home().join("logs")).path(&id, "greet", 1);
    eventually("the log is written", || std::fs::read_to_string(&path).is_ok_and(|log| log.lines().count() == 2));
    // Who opens a pipe waits until somebody writes to it.
    std::fs::remove_file(&path).expect("a home can be written");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is installed");
    assert!(made.success());
    let log = format!("/api/v1/runs/{run}/tasks/greet/attempts/1/log");
    std::thread::scope(|scope| {
        let (sender, answers) = std::sync::mpsc::channel();
        for _ in 0..5 {
            let (sender, service, log) = (sender.clone(), &service, &log);
            scope.spawn(move || sender.send(service.get(log)).expect("the test waits for it"));
        }
        let first = answers.recv().expect("an answer");
        first.assert_problem(503, "busy with other requests that cost as much");
        assert_eq!(first.header("retry-after"), "5");
        // The others are still being answered.
        let other = service.get("/api/v1/runs");
        assert_eq!(other.status, 200, "{other:?}");
        let counted = service.get("/metrics").body;
        assert!(counted.contains("\ntaskflow_http_requests_busy_total 1\n"), "{counted}");
        drop(std::fs::OpenOptions::new().write(true).open(&path).expect("it has readers"));
        // A pipe cannot be read from a place, which is another matter.
        for _ in 0..4 {
            assert_ne!(answers.recv().expect("an answer").status, 503);
        }
    });
}
