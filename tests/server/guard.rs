//! What holds for each request, whatever its route.

use std::io::{Read as _, Write as _};

use serde_json::json;
use sqlx::Connection as _;

use crate::home::{Response, Service};

#[test]
fn every_response_has_the_security_headers() {
    let service = Service::new();
    let responses = [
        service.get("/api/v1/dags"),
        service.get("/nothing/here"),
        service.get("/api/v1/runs/none"),
        service.get("/metrics"),
        service.send("POST", "/api/v1/dags", &[], ""),
        service.send("GET", "/api/v1/dags", &[("host", "evil.test")], ""),
        service.raw(b"NONSENSE\r\n\r\n"),
        service.raw(format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(100)).as_bytes()),
        service.raw(format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(100_000)).as_bytes()),
    ];
    for response in responses {
        assert_has_security_headers(&response);
        assert_eq!(response.header("cache-control"), "private, no-cache", "{response:?}");
    }
    // Files, also ones that do not exist, and pictures.
    let page = service.get("/");
    let (_, rest) = page.body.split_once("<script defer src=\"").expect("it has a script");
    let script = rest.split('"').next().expect("it ends").to_owned();
    for path in [&*script, "/static/nothing.js", "/dags/greeting/graph.svg", "/favicon.ico"] {
        assert_has_security_headers(&service.get(path));
    }
}

/// What every answer has, whatever it says. `rights` looks at those of all routes.
#[track_caller]
pub(crate) fn assert_has_security_headers(response: &Response) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=(), payment=()"),
    ] {
        assert_eq!(response.header(name), value, "{name}: {response:?}");
    }
    let policy = response.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{response:?}");
    let is_strict = !policy.contains("unsafe") || response.header("content-type") == "image/svg+xml";
    assert!(is_strict && !policy.contains("script-src 'unsafe"), "{response:?}");
}

#[test]
fn the_page_of_an_internal_error_has_the_security_headers() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    damage(&directory.path().join("home"));
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    let page = service.get("/runs/1");
    assert_eq!((page.status, page.header("content-type")), (500, "text/html; charset=utf-8"), "{page:?}");
    assert_has_security_headers(&page);
    let document = service.get("/api/v1/runs/1");
    document.assert_problem(500, "");
    assert_has_security_headers(&document);
}

/// Writes nonsense over the entries of all runs.
fn damage(home: &std::path::Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("taskflow.db"));
        let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("it can be opened");
        let damaged = sqlx::query("UPDATE segments SET events = x'ff'").execute(&mut connection).await;
        assert!(damaged.expect("it can be written").rows_affected() > 0);
    });
}

#[test]
fn what_is_not_http_gets_a_problem_document() {
    let service = Service::new();
    service.raw(b"NONSENSE\r\n\r\n").assert_problem(400, "this is not an HTTP request");
    service.raw(b"GET / HTTP/1.1\r\nhost: localhost\r\nbad header\r\n\r\n").assert_problem(400, "not an HTTP request");
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(100));
    service.raw(many.as_bytes()).assert_problem(431, "64 headers");
    // After a good request on the same connection too.
    let good = "GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut stream = service.connect();
    stream.write_all(format!("{good}NONSENSE\r\n\r\n").as_bytes()).expect("it reads");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("it answers");
    assert_eq!((answers.matches("HTTP/1.1 200").count(), answers.matches("HTTP/1.1 400").count()), (1, 1), "{answers}");
    assert!(answers.contains("this is not an HTTP request"), "{answers}");
    assert_eq!(service.get("/health/live").status, 200);
}

#[test]
fn only_loopback_names_are_answered() {
    let service = Service::new();
    for host in ["localhost", "localhost:1", "127.0.0.1", "[::1]:8090"] {
        assert_eq!(service.send("GET", "/health/live", &[("host", host)], "").status, 200, "{host}");
    }
    for host in ["evil.test", "127.0.0.1.evil.test", "0.0.0.0", "localhost@evil.test", ""] {
        let refused = service.send("GET", "/metrics", &[("host", host)], "");
        refused.assert_problem(421, "only to the loopback names");
    }
    service.raw(b"GET /health/live HTTP/1.1\r\nconnection: close\r\n\r\n").assert_problem(421, "loopback");
    let twice = b"GET / HTTP/1.1\r\nhost: localhost\r\nhost: evil.test\r\nconnection: close\r\n\r\n";
    service.raw(twice).assert_problem(421, "loopback");
}

#[test]
fn pages_of_other_origins_change_nothing() {
    let service = Service::new();
    let own = format!("http://{}", service.address);
    let trigger = |headers: &[(&str, &str)]| {
        let all: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        service.send("POST", "/api/v1/dags/greeting/runs", &all, "{}")
    };
    for headers in [
        &[("origin", "http://evil.test")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "http://127.0.0.1:1")],
    ] {
        trigger(headers).assert_problem(403, "a page of another origin");
    }
    // A form cannot send JSON.
    let form = service.send("POST", "/api/v1/dags/greeting/runs", &[("content-type", "text/plain")], "{}");
    form.assert_problem(415, "a body must be JSON");
    assert_eq!(service.json("/api/v1/runs"), json!([]));
    assert_eq!(trigger(&[("origin", &own), ("sec-fetch-site", "same-origin")]).status, 201);
}

#[test]
fn a_method_that_an_address_does_not_have_is_refused_with_those_that_it_has() {
    let service = Service::new();
    let refused = service.send("PATCH", "/api/v1/backfills", &[], "");
    refused.assert_problem(405, "this address does not allow the method");
    assert_eq!(refused.header("allow"), "GET, POST, HEAD");
    service.send("TRACE", "/metrics", &[], "").assert_problem(405, "it allows GET, HEAD");
    service.send("BREW", "/api/v1/dags/greeting/pause", &[], "").assert_problem(405, "it allows PUT, DELETE");
    let head = service.send("HEAD", "/api/v1/dags", &[], "");
    assert_eq!((head.status, &*head.body), (200, ""));
    let length = service.get("/api/v1/dags").body.len().to_string();
    assert_eq!(head.header("content-length"), length);
}

#[test]
fn hostile_addresses_are_refused_before_anything_is_read() {
    let service = Service::new();
    for segment in ["..", "%2e%2e", "a%2Fb", "%252e", "a%5Cb", "%00", "a%0Ab", "%ff", "%F0%28%8C%28", &"a".repeat(600)]
    {
        let response = service.get(&format!("/api/v1/runs/{segment}"));
        assert!(matches!(response.status, 400 | 404), "{segment}: {response:?}");
        response.assert_problem(response.status, "");
    }
    service.get("/api/v1/runs/%ff").assert_problem(400, "not percent-encoded UTF-8");
    service.get("/api/v1/dags/%ff/graph").assert_problem(400, "not percent-encoded UTF-8");
    service.get(&format!("/api/v1/runs?dag={}", "a".repeat(10_000))).assert_problem(414, "too long");
}

#[test]
fn bodies_have_a_limit() {
    let service = Service::new();
    let path = "/api/v1/dags/greeting/runs";
    let large = format!("{{\"params\": {{\"name\": \"{}\"}}}}", "a".repeat(1 << 20));
    service.send("POST", path, &[("content-type", "application/json")], &large).assert_problem(413, "at most 1.0 MiB");
    // Without a length.
    let chunk = "a".repeat(1 << 16);
    let mut chunked = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    for _ in 0..20 {
        chunked += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
    }
    chunked += "0\r\n\r\n";
    service.raw(chunked.as_bytes()).assert_problem(413, "at most 1.0 MiB");
    assert_eq!(service.json("/api/v1/runs"), json!([]));
    let broken = service.send("POST", path, &[("content-type", "application/json")], "{\"params\": ");
    broken.assert_problem(400, "the body is not a JSON object");
    service.post(path, &json!({"parms": {}})).assert_problem(400, "there is no member `parms`; did you mean `params`");
}

#[test]
fn query_parameters_are_those_of_the_route() {
    let service = Service::new();
    service.get("/api/v1/runs?stat=failed").assert_problem(400, "there is no query parameter `stat`; did you mean");
    service.get("/api/v1/runs?state=broken").assert_problem(400, "`broken` is not one of queued, running");
    service.get("/api/v1/runs?limit=0").assert_problem(400, "`limit` is not a whole number from 1 to 1000");
    service.get("/api/v1/runs?since=never").assert_problem(400, "`since` is not a time");
    service.get("/api/v1/runs?after=x").assert_problem(400, "`after` is not a place of a page");
    service.get("/api/v1/dags?x").assert_problem(400, "there is no query parameter `x`");
}

#[test]
fn a_read_only_server_refuses_every_change() {
    let service = Service::with(&["--bind", "127.0.0.1:0", "--read-only"]);
    let document = service.json("/api/v1/openapi.json");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("an object") {
        for method in operations.as_object().expect("an object").keys().filter(|method| *method != "get") {
            let path = path.replace(['{', '}'], "");
            let refused = service.send(&method.to_uppercase(), &path, &[("content-type", "application/json")], "{}");
            refused.assert_problem(403, "the server is read-only");
            count += 1;
        }
    }
    assert!(count > 10, "{document}");
    assert_eq!(service.json("/api/v1/runs"), json!([]));
}
