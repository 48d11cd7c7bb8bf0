//! What somebody who may not see everything is shown.

use std::path::Path;

use serde_json::{Value, json};

use super::askers::{Asker, IN, OUT, service};
use super::routes::Need::Known;
use super::routes::get;
use crate::home::Service;

#[test]
fn pages_of_a_list_are_full_for_those_who_see_a_part_of_it() {
    let service = Service::new();
    for dag in ["greeting", "daily", "greeting", "daily", "greeting", "daily"] {
        service.trigger(dag, &json!({}));
    }
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let viewer = service.token("viewer", OUT);
    let bearer = format!("Bearer {}", viewer.token);
    let (mut path, mut numbers) = ("/api/v1/runs?limit=2".to_owned(), Vec::new());
    loop {
        let page = service.send("GET", &path, &[("authorization", &bearer)], "");
        assert_eq!(page.status, 200, "{page:?}");
        let runs = page.json();
        numbers.push(runs.as_array().expect("a list").iter().map(|run| run["number"].clone()).collect::<Vec<_>>());
        match page.header("link").strip_prefix('<').and_then(|link| link.split_once('>')) {
            Some((next, _)) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(json!(numbers), json!([[5, 3], [1]]));
}

#[test]
fn a_viewer_is_shown_no_action_and_no_value() {
    let service = service();
    let (viewer, operator) = (service.token("viewer", IN), service.token("operator", IN));
    let page = |asker: &Asker, path: &'static str| service.ask(&get("/page", Known, path), Some(asker)).body;
    for (path, action) in [("/dags/daily", "Trigger…"), ("/runs/1", "Clear…")] {
        assert!(page(&operator, path).contains(action), "{path}");
        assert!(!page(&viewer, path).contains(action), "{path}");
    }
    // What the task returned: its day.
    let value = |asker: &Asker| page(asker, "/runs/1/tasks/of_day").contains("view_values");
    assert!(value(&viewer) && !value(&operator));
    let event = |asker: &Asker| service.ask(&get("/api", Known, "/api/v1/events/1"), Some(asker)).json();
    assert_eq!((&event(&viewer)["payload"], &event(&operator)["payload"]), (&Value::Null, &json!("2026-01-01")));
    // Who looks is in the corner; only an admin is led to the users.
    assert!(page(&viewer, "/").contains("viewer-daily-reported") && !page(&viewer, "/").contains("href=\"/users\""));
}

#[test]
fn an_asset_names_no_dag_that_may_not_be_seen() {
    let service = Service::new();
    let run = service.trigger("reporter", &json!({}));
    service.wait(run, "success");
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let kim = json!({"name": "kim", "password": "several good words", "role": "admin"});
    assert_eq!(service.post("/api/v1/users", &kim).status, 201);
    let (all, some) = (service.token("viewer", ""), service.token("viewer", "reported"));
    let ask = |asker: &Asker, path: &'static str| service.ask(&get("/api", Known, path), Some(asker));
    for path in ["/api/v1/assets", "/api/v1/assets/reports", "/api/v1/events", "/api/v1/events/1", "/assets", "/events"]
    {
        let (whole, part) = (ask(&all, path), ask(&some, path));
        assert_eq!((whole.status, part.status), (200, 200), "{path}: {part:?}");
        assert!(whole.body.contains("count_reports"), "{path}: {whole:?}");
        for name in ["reporter", "count_reports", &id] {
            assert!(!part.body.contains(name), "{name}: {path}: {part:?}");
        }
    }
}

#[test]
fn both_the_dag_and_the_run_of_a_trail_have_to_be_seen() {
    let service = service();
    let run = service.call(&["trigger", "greeting"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let admin = service.token("admin", OUT);
    let status = |path: &'static str| service.ask(&get("/page", Known, path), Some(&admin)).status;
    assert_eq!(status("/audit?dag=greeting"), 200);
    // A run of `daily`.
    assert_eq!((status("/audit?run=1"), status("/audit?dag=greeting&run=1")), (404, 404));
    assert_eq!(status("/audit?dag=daily"), 404);
}

#[test]
fn no_handler_gets_the_state_without_who_asks() {
    let server = Path::new(env!("CARGO_MANIFEST_DIR")).join("../taskflow-core/src/server");
    let mut read = 0;
    for folder in ["api", "pages"] {
        for entry in std::fs::read_dir(server.join(folder)).expect("the sources are there") {
            let path = entry.expect("an entry").path();
            let Ok(source) = std::fs::read_to_string(&path) else { continue };
            // A `Visitor` has the state and the principal.
            assert!(!source.contains("State<") && !source.contains("extract::State"), "{}", path.display());
            read += 1;
        }
    }
    assert!(read > 30, "{read}");
}

#[test]
fn addresses_that_are_not_public_are_closed_also_where_there_is_nothing() {
    let service = service();
    for path in [
        "/nothing",
        "/login/x",
        "/setup/x",
        "/loginx",
        "/health/live/x",
        "/health",
        "/static",
        "/dags.css",
        "/runs/1.svg",
        "/LOGIN",
        "//login",
        "/./login",
        "/%6cogin",
        "/api/v1/nothing",
        "/api/v1/dags/",
        "/api/v1/dags.json",
        "/metrics/",
        "/users/add",
    ] {
        let response = service.get(path);
        assert!(matches!(response.status, 303 | 401), "{path}: {response:?}");
        assert!(response.status == 401 || response.header("location").starts_with("/login"), "{path}: {response:?}");
    }
    for path in ["/static/x", "/static/../runs/1", "/static/%2e%2e/runs/1"] {
        assert_eq!(service.get(path).status, 404, "{path}");
    }
    service.send("POST", "/api/v1/nothing", &[], "").assert_problem(401, "has to know who asks");
}
