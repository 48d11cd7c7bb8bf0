//! How many requests somebody may send. The buckets are tested with a clock of their own, beside
//! them.

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
    let added = service
        .post("/api/v1/users", &serde_json::json!({"name": "kim", "password": "several good words", "role": "admin"}));
    assert_eq!(added.status, 201, "{added:?}");
    exhaust(|| service.get("/api/v1/dags")).assert_problem(429, "too many requests");
    // Also those who are not refused otherwise.
    exhaust(|| service.get("/login"));
    exhaust(|| service.post("/api/v1/hooks/none", &serde_json::json!(1))).assert_problem(429, "too many requests");
}

#[test]
fn without_users_nothing_of_this_machine_is_limited() {
    let service = service();
    for _ in 0..50 {
        assert_eq!(service.get("/api/v1/dags").status, 200);
    }
}
