//! The DAG of an object decides, whatever the request and the id of a run say.

use std::path::Path;

use serde_json::{Value, json};
use taskflow_tests::binaries::call_at;
use taskflow_tests::common::eventually;

use super::askers::{Asker, OUT, service};
use super::routes::Need::Known;
use super::routes::case;
use crate::home::{Service, sql};

#[test]
fn the_dag_of_an_object_decides_whatever_the_request_says() {
    let service = service();
    let operator = service.token("operator", OUT);
    let send = |method: &'static str, path: &'static str, body: &'static str| {
        service.ask(&case(method, "/api", Known, path, body), Some(&operator))
    };
    // Ids of the other DAG in the query and in the body.
    assert_eq!(send("GET", "/api/v1/runs?dag=daily", "").json(), json!([]));
    assert_eq!(send("GET", "/api/v1/backfills?dag=daily", "").json(), json!([]));
    assert_eq!(send("GET", "/api/v1/events?asset=reports", "").json(), json!([]));
    send("GET", "/api/v1/consumers?dag=daily", "").assert_problem(404, "there is no DAG `daily`");
    let backfill = r#"{"dag": "daily", "slots": ["2026-01-05"]}"#;
    send("POST", "/api/v1/backfills?dry_run", backfill).assert_problem(404, "there is no DAG `daily`");
    send("POST", "/api/v1/events", r#"{"asset": "reports", "payload": 1}"#).assert_problem(404, "reports");
    // The same answer as for what does not exist, without a hint at what does.
    let unknown = |path: &'static str| {
        let problem = send("GET", path, "").json();
        (problem["detail"].to_string().replace(|c: char| c.is_ascii_digit(), ""), problem["candidates"].clone())
    };
    assert_eq!(unknown("/api/v1/runs/1"), unknown("/api/v1/runs/9"));
    assert_eq!(unknown("/api/v1/backfills/1"), unknown("/api/v1/backfills/9"));
    assert_eq!(unknown("/api/v1/events/1"), unknown("/api/v1/events/9"));
    assert_eq!(unknown("/api/v1/runs/daily").1, Value::Null);
    assert_eq!(unknown("/api/v1/dags/dail").1, Value::Null);
    assert_eq!(send("POST", "/api/v1/dags/greeting/runs", "{}").status, 201);
    assert_eq!(send("GET", "/api/v1/runs", "").json().as_array().map(Vec::len), Some(1));
}

/// Gives a run the id that somebody has chosen for it when every id was allowed: the run is as old
/// as stores without checksums.
fn give_id(home: &Path, run: i64, id: &str) {
    let statements = [
        format!("UPDATE heads SET last = {run} WHERE run = 0"),
        format!("DELETE FROM heads WHERE run = {run}"),
        format!("UPDATE segments SET checksum = NULL, data_checksum = NULL WHERE id >> 32 = {run}"),
        format!(
            "UPDATE runs SET run_id = '{id}', info = json_set(info, '$.run_id', '{id}'), checksum_info = NULL, \
             checksum_params = NULL WHERE number = {run}"
        ),
    ];
    let changed = statements.map(|statement| sql(home, &statement));
    assert_eq!((changed[0], changed[3]), (1, 1));
}

/// Run 1 is of `daily`, and run 2 of `greeting` has the id `1`, then `last`. Each change of run 2
/// was one of run 1, and the pages of run 2 showed run 1.
#[test]
fn a_right_to_a_run_whose_id_names_another_run_is_no_right_to_that_one() {
    let service = service();
    let (operator, admin) = (service.token("operator", OUT), service.token("admin", ""));
    let send = |asker: &Asker, method: &'static str, path: &'static str, body: &'static str| {
        service.ask(&case(method, "/api", Known, path, body), Some(asker))
    };
    let seen = |path: &'static str| send(&operator, "GET", path, "").json();
    assert_eq!(send(&operator, "POST", "/api/v1/dags/greeting/runs", "{}").json()["number"], 2);
    eventually("it has ended", || seen("/api/v1/runs/2")["state"] == "success");
    let daily = send(&admin, "GET", "/api/v1/runs/1", "").json();
    give_id(&service.home(), 2, "1");
    let run = seen("/api/v1/runs/2");
    assert_eq!((&run["number"], &run["dag_id"], &run["run_id"]), (&json!(2), &json!("greeting"), &json!("1")));
    assert_eq!(seen("/api/v1/runs/2/tasks/greet")["state"], "success");
    assert_eq!(seen("/api/v1/runs/2/lineage")["number"], 2);
    assert_eq!(send(&operator, "GET", "/api/v1/runs/1", "").status, 404);
    let several = send(&operator, "POST", "/api/v1/runs:clear?dry_run", r#"{"dag": "greeting"}"#).json();
    assert_eq!((&several["runs"][0]["run"], &several["runs"][0]["tasks"]), (&json!("2"), &json!(["greet"])));
    let cleared = send(&operator, "POST", "/api/v1/runs/2/clear", r#"{"run": false}"#).json();
    assert_eq!((&cleared["number"], &cleared["tasks"]), (&json!(2), &json!(["greet"])), "{cleared}");
    let preview = send(&operator, "POST", "/api/v1/runs/2/cancel?dry_run", "{}").json();
    assert_eq!((&preview["number"], &preview["tasks"]), (&json!(2), &json!(["greet"])), "{preview}");
    let (bearer, token) = (format!("Bearer {}", operator.token), preview["token"].as_str().expect("a token"));
    let token = format!("\"{token}\"");
    let headers = [("content-type", "application/json"), ("authorization", &*bearer), ("if-match", &*token)];
    let cancelled = service.send("POST", "/api/v1/runs/2/cancel", &headers, "{}");
    assert_eq!((cancelled.status, &cancelled.json()["number"]), (200, &json!(2)), "{cancelled:?}");
    assert_eq!(send(&admin, "GET", "/api/v1/runs/1", "").json(), daily);
    // The newest run is another one of `daily`.
    assert_eq!(send(&admin, "POST", "/api/v1/dags/daily/runs", "{}").json()["number"], 3);
    give_id(&service.home(), 2, "last");
    assert_eq!(seen("/api/v1/runs/2")["dag_id"], "greeting");
    assert_eq!(send(&operator, "POST", "/api/v1/runs/2/clear?dry_run", "{}").json()["number"], 2);
}

/// A service whose run 2, of this DAG, was queued with the id `1` and has ended, as has run 1.
fn with_a_run_whose_id_is_1(dag: &str) -> Service {
    let service = Service::new();
    assert_eq!(service.trigger("greeting", &json!({})), 1);
    service.wait(1, "success");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    let home = directory.path().join("home");
    let queued = call_at(&home, "server", &["trigger", dag]);
    assert_eq!(queued.code, Some(0), "{queued:?}");
    give_id(&home, 2, "1");
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    service.wait(2, "success");
    service
}

/// Run 2 has the id `1`, and run 1 has ended. The service claimed run 1, and run 2 stayed queued.
#[test]
fn a_queued_run_whose_id_names_another_run_is_started() {
    let service = with_a_run_whose_id_is_1("greeting");
    assert_eq!(service.json("/api/v1/runs/2")["run_id"], "1");
}

/// Run 2 has the id `1`. It emitted an event and triggered run 3: the pages of both led to run 1.
#[test]
fn a_link_to_a_run_whose_id_names_another_run_leads_to_that_run() {
    let service = with_a_run_whose_id_is_1("reporter");
    assert_eq!(service.trigger("greeting", &json!({})), 3);
    service.wait(3, "success");
    give_id(&service.home(), 3, "child");
    let triggered_by = "UPDATE runs SET info = json_set(info, '$.triggered_by', \
                        json('{\"run_id\": \"1\", \"task_id\": \"count_reports\"}')) WHERE number = 3";
    assert_eq!(sql(&service.home(), triggered_by), 1);
    assert_eq!(service.json("/api/v1/runs/3")["triggered_by"]["run_id"], "1");
    let events = service.get("/events");
    assert!(events.body.contains("<a href=\"/runs/2\">count_reports</a>"), "{events:?}");
    // Nothing else on the page of run 3 leads to a run of this DAG.
    let triggered = service.get("/runs/3");
    assert!(triggered.body.contains("href=\"/runs/2\""), "{triggered:?}");
}
