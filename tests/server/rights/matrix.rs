//! Every route, asked by every kind of principal: who is refused, and what that leaves in the audit
//! trail.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::askers::{Asker, IN, OUT, askers, includes, service};
use super::routes::Need::{All, AllOf, Dag, Known, List, Public, Session, Signature};
use super::routes::{API, Case, Need, PAGES, case, get};
use crate::guard::assert_has_security_headers;
use crate::home::{Response, Service};
use crate::schema::mistakes;

/// What must come of a request.
#[derive(Debug, PartialEq)]
enum Expected {
    /// Anything but a refusal. `true`: a list without the DAG.
    Allowed(bool),
    Unknown,
    Forbidden,
    NotFound,
}

fn expected(need: Need, asker: Option<&Asker>) -> Expected {
    if need == Signature {
        return Expected::Unknown;
    }
    let Some(Asker { role, dags, .. }) = asker else {
        return if need == Public { Expected::Allowed(true) } else { Expected::Unknown };
    };
    let is_out = *dags == OUT;
    match need {
        Public | Known => Expected::Allowed(false),
        List => Expected::Allowed(is_out),
        Dag(_) | AllOf(_) if is_out => Expected::NotFound,
        Dag(right) if includes(role, right) => Expected::Allowed(false),
        All(right) | AllOf(right) if dags.is_empty() && includes(role, right) => Expected::Allowed(false),
        Dag(_) | All(_) | AllOf(_) | Session | Signature => Expected::Forbidden,
    }
}

#[track_caller]
fn check(case: &Case, asker: Option<&Asker>, response: &Response) {
    let about = format!("{} {} as {asker:?}: {response:?}", case.method, case.path);
    let is_page = !case.route.starts_with("/api") && !case.route.starts_with("/health") && case.route != "/metrics";
    match expected(case.need, asker) {
        Expected::Unknown if is_page && case.method == "GET" => {
            assert_eq!(response.status, 303, "{about}");
            assert!(response.header("location").starts_with("/login"), "{about}");
        }
        Expected::Unknown => assert_eq!(response.status, 401, "{about}"),
        Expected::Forbidden => {
            assert_eq!(response.status, 403, "{about}");
            assert!(is_page || response.json()["next"].is_string(), "{about}");
        }
        Expected::NotFound => assert_eq!(response.status, 404, "{about}"),
        Expected::Allowed(without) => {
            // The task asks nothing.
            let asks_nothing = case.path.contains("/approvals/");
            let has_no_provider = case.route.starts_with("/login/");
            let is_missing = case.path.contains("none") || case.route == "/setup" || asks_nothing || has_no_provider;
            assert!(response.status != 403 && (response.status != 404 || is_missing), "{about}");
            assert!(response.status != 401 || case.route == "/login", "{about}");
            // Who is known is led on from the log-in page.
            let is_shown = response.status == 200 || case.route == "/login";
            assert!(case.method != "GET" || is_missing || is_shown, "{about}");
            for name in ["daily", "reported"].into_iter().filter(|_| without && case.method == "GET") {
                assert!(!response.body.contains(name), "{name}: {about}");
            }
        }
    }
    if !matches!(expected(case.need, asker), Expected::Allowed(_)) {
        for name in ["of_day", "2026-01-0"] {
            assert!(!response.body.contains(name), "{name}: {about}");
        }
    }
    assert!(response.header("vary").contains("Cookie, Authorization"), "{about}");
    let cache = response.header("cache-control");
    assert!(cache.contains("private") || cache.contains("no-store"), "{about}");
    assert_has_security_headers(response);
}

/// The routes of the pages, as their table has them.
fn page_routes() -> BTreeSet<(String, String)> {
    let source = include_str!("../../../taskflow-core/src/server/pages/routes.rs");
    let mut routes = BTreeSet::new();
    for call in source.split(".route(\"").skip(1) {
        let (path, rest) = call.split_once('"').expect("a path ends");
        let handlers = rest.split(".route(").next().unwrap_or_default().split(";\n").next().unwrap_or_default();
        for (word, method) in [("get(", "GET"), ("post(", "POST")] {
            if handlers.contains(word) {
                routes.insert((method.to_owned(), path.to_owned()));
            }
        }
    }
    routes
}

fn listed(cases: &[Case]) -> BTreeSet<(String, String)> {
    cases.iter().map(|case| (case.method.to_owned(), case.route.to_owned())).collect()
}

#[test]
fn every_route_has_an_expected_right() {
    let service = Service::new();
    let document = service.json("/api/v1/openapi.json");
    let operations = document["paths"].as_object().expect("an object").iter().flat_map(|(path, operations)| {
        let methods = operations.as_object().expect("an object").keys();
        methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    });
    assert_eq!(operations.collect::<BTreeSet<_>>(), listed(API));
    assert_eq!(page_routes(), listed(PAGES));
}

/// First all that must be refused, which must change nothing, then all that is allowed.
fn matrix(cases: &[Case]) {
    let service = service();
    let askers = askers(&service);
    let admin = askers.iter().find(|asker| asker.role == "admin" && asker.dags.is_empty()).expect("an admin");
    let everyone: Vec<Option<&Asker>> = std::iter::once(None).chain(askers.iter().map(Some)).collect();
    let changeable = ["/api/v1/runs", "/api/v1/runs/1", "/api/v1/backfills", "/api/v1/users", "/api/v1/events"];
    let read = |path| service.ask(&get("/api", Known, path), Some(admin));
    let state = || changeable.map(|path| read(path).body);
    let document = read("/api/v1/openapi.json").json();
    let before = state();
    for is_allowed in [false, true] {
        for case in cases {
            // A cookie is not involved, so nothing has to log out.
            for asker in &everyone {
                if matches!(expected(case.need, *asker), Expected::Allowed(_)) == is_allowed {
                    let response = service.ask(case, *asker);
                    check(case, *asker, &response);
                    if case.route.starts_with("/api") {
                        assert_eq!(mistakes(&document, case.method, case.route, &response), [""; 0], "{response:?}");
                    }
                }
            }
        }
        if !is_allowed {
            assert_eq!(state(), before, "what was refused has changed nothing");
            every_refused_change_is_in_the_trail(&service, cases, &askers, admin);
        }
    }
}

/// Who was refused a change, as far as it is theirs to see or not: reading, and requests of nobody,
/// leave nothing.
fn every_refused_change_is_in_the_trail(service: &Service, cases: &[Case], askers: &[Asker], admin: &Asker) {
    let trail = service.ask(&get("/api", Known, "/api/v1/audit?limit=1000"), Some(admin)).json();
    // Deliveries to webhooks have no principal.
    let is_refused = |row: &&Value| row["outcome"] == "refused_right" && row["actor"]["via"] != "webhook";
    let refused = trail["entries"].as_array().expect("a list").iter().filter(is_refused);
    let found: Vec<[&str; 2]> =
        refused.map(|row| [&row["actor"]["name"], &row["action"]].map(|text| text.as_str().expect("a text"))).collect();
    let mut expected = BTreeSet::new();
    for case in cases.iter().filter(|case| case.method != "GET") {
        for asker in askers {
            if matches!(self::expected(case.need, Some(asker)), Expected::Forbidden | Expected::NotFound) {
                expected.insert([asker.name.clone(), action(case)]);
            }
        }
    }
    let found: BTreeSet<[String; 2]> = found.into_iter().map(|row| row.map(str::to_owned)).collect();
    assert_eq!(found, expected);
}

/// What a case asks for, in the words of the command line.
fn action(case: &Case) -> String {
    let words: Vec<&str> = case.path.trim_start_matches("/api/v1").split(['/', ':']).collect();
    let last = words.last().copied().unwrap_or_default();
    match (case.method, words[1]) {
        ("DELETE", "pauses" | "dags") => "unpause".to_owned(),
        ("PUT", "pauses") => "pause".to_owned(),
        (_, "dags") if last == "runs" => "trigger".to_owned(),
        (_, "events") => "emit".to_owned(),
        (_, "backfills") if last == "backfills" => "backfill".to_owned(),
        (_, "backfills") => format!("backfills {last}"),
        (_, "db") | ("DELETE", "runs") => "db prune".to_owned(),
        ("DELETE", kind @ "users") => format!("{kind} remove"),
        ("DELETE", kind @ "tokens") => format!("{kind} revoke"),
        ("POST", "users") if last == "users" => "users add".to_owned(),
        ("POST", "tokens") => "tokens create".to_owned(),
        (_, "users") => format!("users {last}"),
        (_, "approvals") => "release".to_owned(),
        (_, "account") => match last {
            "confirm" => "log-in",
            "password" => "users password",
            "revoke" => "tokens revoke",
            "end" => "log-out",
            _ => "tokens create",
        }
        .to_owned(),
        _ => last.to_owned(),
    }
}

#[test]
fn whoever_is_refused_again_and_again_does_not_fill_the_trail() {
    let service = service();
    let (viewer, admin) = (service.token("viewer", IN), service.token("admin", ""));
    let ask = |asker: &Asker, case: &Case| service.ask(case, Some(asker));
    let pause = case("PUT", "/api", Known, "/api/v1/dags/daily/pause", "{}");
    for _ in 0..100 {
        ask(&viewer, &pause).assert_problem(403, "does not have the right `operate`");
    }
    // Another way to ask for the same.
    let many = case("PUT", "/api", Known, "/api/v1/pauses", r#"{"dags": ["daily", "reported"]}"#);
    ask(&viewer, &many).assert_problem(403, "does not have the right `operate`");
    let rows = || {
        let trail = ask(&admin, &get("/api", Known, "/api/v1/audit?by=viewer-daily-reported")).json();
        trail["entries"].as_array().expect("a list").clone()
    };
    // A minute may have begun in between.
    let found = rows();
    assert!((1..=2).contains(&found.len()), "{found:?}");
    let first = found.last().expect("an entry");
    let sentence = "viewer-daily-reported may not pause `daily`: `viewer-daily-reported` does not have the right \
                    `operate` for the DAG `daily`";
    assert_eq!(first["sentence"], sentence);
    assert_eq!((&first["dag_id"], &first["actor"]["via"]), (&json!("daily"), &json!("token")));
    // Another action is another entry.
    ask(&viewer, &case("POST", "/api", Known, "/api/v1/runs/1/cancel", "{}"));
    assert_eq!(
        rows()[0]["sentence"].as_str().map(|text| &text[..41]),
        Some("viewer-daily-reported may not cancel run ")
    );
    // The entry did not name the run.
    ask(&viewer, &case("DELETE", "/api", Known, "/api/v1/runs/1", "")).assert_problem(403, "the right `admin`");
    let sentence = rows()[0]["sentence"].as_str().expect("a text").to_owned();
    assert!(sentence.starts_with("viewer-daily-reported may not prune run 1 of `daily`: "), "{sentence}");
}

#[test]
fn every_route_of_the_api_is_for_those_who_have_its_right() {
    matrix(API);
}

#[test]
fn every_page_is_for_those_who_have_its_right() {
    matrix(PAGES);
}
