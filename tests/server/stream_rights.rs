//! Who hears what on open streams, and until when.

use std::io::{Read as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};
use crate::streams::Stream;

const PASSWORD: &str = "several good words";

/// A service in which everybody has to be known, and the header of its admin.
fn service() -> (Service, String) {
    let service = Service::new();
    let kim = json!({"name": "kim", "password": PASSWORD, "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let admin = token(&service, "root", &["--role", "admin"]);
    (service, admin)
}

/// The header of a new token.
#[track_caller]
fn token(service: &Service, name: &str, words: &[&str]) -> String {
    let created = service.call(&[&["tokens", "create", name][..], words].concat());
    assert_eq!(created.code, Some(0), "{created:?}");
    format!("Bearer {}", created.stdout.trim())
}

/// Asks as the admin, for something that is done.
#[track_caller]
fn ask(service: &Service, admin: &str, method: &str, path: &str, body: &str) -> serde_json::Value {
    let headers = [("authorization", admin), ("content-type", "application/json")];
    let response = service.send(method, &format!("/api/v1{path}"), &headers, body);
    assert!((200..300).contains(&response.status), "{path}: {response:?}");
    response.json()
}

#[test]
fn a_stream_tells_only_of_dags_that_may_be_seen() {
    let (service, admin) = service();
    let ask = |method: &str, path: &str, body: &str| ask(&service, &admin, method, path, body);
    let open = |dag: &str, query: &str| {
        let bearer = token(&service, &format!("{dag}{}", query.len()), &["--role", "operator", "--dags", dag]);
        Stream::open_with(&service, &format!("/api/v1/stream{query}"), &[("authorization", &bearer)])
    };
    // What one asks for makes no difference to what one may see.
    let everything = "?topics=runs,dags,assets,backfills,run:1,run:2,dag:gated,dag:greeting,dag:daily,asset:reports";
    let streams = ["greeting", "gated"].map(|dag| (dag, [open(dag, ""), open(dag, everything)]));
    ask("PUT", "/dags/daily/pause", "{}");
    ask("POST", "/events", r#"{"asset": "reports", "payload": 3}"#);
    // The others come before one's own, so they would be heard before them.
    for dag in ["gated", "greeting", "gated", "greeting"] {
        let run = &ask("POST", &format!("/dags/{dag}/runs"), "{}")["number"];
        eventually("the run ends", || ask("GET", &format!("/runs/{run}"), "")["ended"].is_string());
    }
    ask("POST", "/backfills", r#"{"dag": "daily", "slots": ["2026-01-01"]}"#);
    for (dag, streams) in streams {
        // The second of its own.
        let last = if dag == "gated" { "\"run\":3," } else { "\"run\":4," };
        for stream in streams {
            let mut heard = Vec::new();
            for event in stream {
                heard.push(event.data);
                if heard.last().is_some_and(|data| data.contains(last)) {
                    break;
                }
            }
            // Its result is an event of an asset of its own.
            let own = [format!("\"dag\":\"{dag}\""), format!("\"asset\":\"dag:{dag}\"")];
            let is_own = |data: &String| data == "{}" || own.iter().any(|own| data.contains(own));
            assert!(heard.iter().all(is_own), "{dag}: {heard:?}");
            assert!(heard.iter().filter(|data| data.contains("\"topic\":\"run\"")).count() >= 2, "{dag}: {heard:?}");
        }
    }
}

/// Six ways in which rights end, each while five streams of a run are open and a request waits for
/// the end of the run, which does not end. The request was answered with the run after its minute.
#[test]
fn an_open_stream_ends_when_its_rights_do() {
    let (service, admin) = service();
    let ask = |method: &str, path: &str, body: &str| ask(&service, &admin, method, path, body);
    for name in ["lee", "max", "ida", "ann"] {
        let user = json!({"name": name, "password": PASSWORD, "role": "operator"});
        ask("POST", "/users", &user.to_string());
    }
    let run = ask("POST", "/dags/forever/runs", "{}")["number"].clone();
    let is_running = || ask("GET", &format!("/runs/{run}/tasks/endless"), "")["state"] == "running";
    eventually("it runs", is_running);
    let paths = [
        "/api/v1/stream".to_owned(),
        format!("/api/v1/runs/{run}/stream"),
        format!("/api/v1/runs/{run}/log?follow=true"),
        format!("/api/v1/runs/{run}/tasks/endless/attempts/1/log?follow=true"),
        format!("/runs/{run}/tasks/endless/1/stream"),
    ];
    let check = |what: &str, headers: &[(&str, &str)], end: &dyn Fn()| {
        let fields: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let mut poll = service.connect();
        write!(
            poll,
            "GET /api/v1/runs/{run}?wait=60s HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{fields}\r\n",
            service.address
        )
        .expect("it listens");
        // It waits by the time that the streams are open.
        let streams: Vec<Stream> = paths.iter().map(|path| Stream::open_with(&service, path, headers)).collect();
        end();
        for (path, stream) in paths.iter().zip(streams) {
            // It ends, and neither the run nor the service has.
            let last = stream.last();
            let is_told = last.as_ref().is_some_and(|event| ["end", "bye"].contains(&&*event.name));
            assert!(!is_told, "{what}: {path}: {last:?}");
        }
        let mut answer = Vec::new();
        poll.read_to_end(&mut answer).expect("it is answered");
        let answer = Response::parse(&answer);
        assert!(matches!(answer.status, 401 | 404), "{what}: {answer:?}");
        assert!(is_running(), "{what}");
        // Whoever is still known may listen, to less.
        for path in &paths[1..] {
            let again = service.send("GET", path, headers, "");
            assert!(matches!(again.status, 401 | 303 | 403 | 404), "{what}: {path}: {again:?}");
        }
    };
    let form = |cookie: &str, path: &str, body: &str| {
        let left = service.post_form(path, cookie, body);
        assert_eq!(left.status, 303, "{left:?}");
    };
    let session = |name: &str| service.session(name, PASSWORD);
    let (lee, max, ida, ann) = (session("lee"), session("max"), session("ida"), session("ann"));
    let of_max = token(&service, "of-max", &["--user", "max"]);
    let alone = token(&service, "alone", &["--role", "viewer"]);
    let bounded = token(&service, "of-ann", &["--user", "ann"]);
    check("a log-out", &[("cookie", &lee)], &|| form(&lee, "/logout", ""));
    check("a revoked token", &[("authorization", &alone)], &|| drop(ask("DELETE", "/tokens/alone", "{}")));
    check("another password", &[("cookie", &ida)], &|| {
        drop(ask("PUT", "/users/ida/password", r#"{"password": "other good words"}"#));
    });
    // Another role ends the streams of the old one.
    let role = r#"{"role": "viewer", "dags": ["greeting"]}"#;
    check("a changed role", &[("cookie", &ann)], &|| drop(ask("PUT", "/users/ann/role", role)));
    ask("PUT", "/users/ann/role", r#"{"role": "operator"}"#);
    check("a changed role of the user of a token", &[("authorization", &bounded)], &|| {
        drop(ask("PUT", "/users/ann/role", role));
    });
    let both = Stream::open_with(&service, &paths[1], &[("authorization", &of_max)]);
    check("the removal of the user", &[("cookie", &max)], &|| drop(ask("DELETE", "/users/max", "{}")));
    assert!(both.last().is_none_or(|event| event.name != "end"), "the tokens of the user end too");
}

#[test]
fn a_user_has_twenty_streams_over_all_tokens() {
    let (service, other) = service();
    let tokens = ["one", "two"].map(|name| token(&service, name, &["--user", "kim"]));
    let path = "/api/v1/stream";
    let mut open: Vec<Stream> =
        (0..20).map(|at| Stream::open_with(&service, path, &[("authorization", &tokens[at % 2])])).collect();
    for bearer in &tokens {
        let refused = service.send("GET", path, &[("authorization", bearer)], "");
        refused.assert_problem(429, "you have 20 open streams");
        assert_eq!(refused.header("retry-after"), "30");
        // A download is one, too.
        service.send("GET", "/api/v1/runs.csv", &[("authorization", bearer)], "").assert_problem(429, "");
    }
    drop(Stream::open_with(&service, path, &[("authorization", &other)]));
    open.pop();
    eventually("one that has ended makes room", || {
        service.send("GET", path, &[("authorization", &tokens[0])], "").status == 200
    });
}

/// Whether a stream goes on was asked as a request is, which is refused for another reason than the
/// token when a network has presented too many wrong ones.
#[test]
fn a_revoked_token_ends_its_stream_whatever_its_network_presents() {
    let (service, admin) = service();
    let alone = token(&service, "alone", &["--role", "viewer"]);
    let stream = Stream::open_with(&service, "/api/v1/stream", &[("authorization", &alone)]);
    let wrong = || service.send("GET", "/api/v1/me", &[("authorization", "Bearer x")], "").status;
    let has_ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        while wrong() != 429 {}
        scope.spawn(|| {
            while !has_ended.load(Ordering::Relaxed) {
                wrong();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        ask(&service, &admin, "DELETE", "/tokens/alone", "{}");
        let last = stream.last();
        has_ended.store(true, Ordering::Relaxed);
        assert!(last.is_none_or(|event| event.name != "bye"), "the service goes on");
    });
}
