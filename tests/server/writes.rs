//! The changes of the API.

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

#[test]
fn a_run_is_triggered_with_parameters() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({"name": "ada", "times": 3}));
    service.wait(run, "success");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/values/greet")), json!(["hello ada"; 3].to_vec()));
    let path = "/api/v1/dags/greeting/runs";
    let wrong = service.post(path, &json!({"params": {"times": 9}}));
    wrong.assert_problem(422, "is not in the range 1..=5");
    assert_eq!(wrong.json()["place"], "params.times");
    let unknown = service.post(path, &json!({"params": {"tims": 1}}));
    unknown.assert_problem(422, "the DAG has no parameter `tims`; did you mean `times`?");
    service.post("/api/v1/dags/greetings/runs", &json!({})).assert_problem(404, "there is no DAG `greetings`");
    let dated = service.post(path, &json!({"logical_date": "2026-01-31T06:00:00Z", "run_id": "mine"}));
    assert_eq!((dated.status, dated.json()["run_id"].clone()), (201, json!("mine")));
    assert_eq!(dated.json()["logical_date"], "2026-01-31T06:00:00Z");
    service.post(path, &json!({"run_id": "mine"})).assert_problem(409, "a run with this id already exists");
    service.post(path, &json!({"run_id": "../x"})).assert_problem(400, "not the id of a run");
}

/// A run with such an id would take the place of a run to come, also of a DAG that its maker may
/// not even see: the slot, the events or the request would be lost.
#[test]
fn the_ids_that_taskflow_makes_are_reserved() {
    let service = Service::new();
    let of_key = with_key(&service, "order-1", &json!({})).json()["run_id"].as_str().expect("an id").to_owned();
    for id in [
        "scheduled__2026-12-01T06:00:00Z__daily",
        "event__7__daily",
        "backfill__2026-01-01__2026-02-01__daily__b1",
        "triggered__daily",
        "manual__2026-12-01T06:00:00Z__daily",
        &of_key,
        &format!("x{of_key}"),
    ] {
        let answer = service.post("/api/v1/dags/greeting/runs", &json!({"run_id": id}));
        answer.assert_problem(422, "are reserved for those that taskflow makes");
        assert_eq!(answer.json()["place"], "run_id", "{id}");
    }
}

/// Whoever asked for such a run got another one: rights on one DAG were rights on all runs. The
/// files of `(events)` were the payloads of events, and were deleted with it.
#[test]
fn ids_that_name_something_else_are_refused() {
    let service = Service::new();
    let first = service.trigger("greeting", &json!({"name": "ada"}));
    service.wait(first, "success");
    for id in [&*first.to_string(), "999", "+1", "-1", "last", "(events)", " "] {
        let answer = service.post("/api/v1/dags/greeting/runs", &json!({"run_id": id}));
        assert!(matches!(answer.status, 400 | 422), "{id}: {}", answer.status);
    }
    assert_eq!(service.json("/api/v1/runs").as_array().map(Vec::len), Some(1));
}

fn with_key(service: &Service, key: &str, body: &Value) -> Response {
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    service.send("POST", "/api/v1/dags/greeting/runs", &headers, &body.to_string())
}

#[test]
fn one_key_makes_one_run() {
    let service = Service::new();
    let body = json!({"params": {"name": "ada"}});
    let answers: Vec<Response> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..20).map(|_| scope.spawn(|| with_key(&service, "order-1", &body))).collect();
        clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
    });
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let replayed = answers.iter().filter(|answer| answer.header("idempotent-replayed") == "true").count();
    assert_eq!((created, replayed), (1, 19), "{answers:?}");
    assert_eq!(service.json("/api/v1/runs").as_array().map(Vec::len), Some(1));
    let other = with_key(&service, "order-1", &json!({"params": {"name": "eve"}}));
    other.assert_problem(422, "another request with this Idempotency-Key");
    assert_eq!(with_key(&service, "order-2", &body).status, 201);
    with_key(&service, "with space", &body).assert_problem(400, "visible ASCII characters");
    // Also after a restart.
    service.wait(1, "success");
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    let again = with_key(&service, "order-1", &body);
    assert_eq!((again.status, again.json()["number"].clone()), (200, json!(1)));
}

#[test]
fn failed_tasks_are_retried_by_the_service() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    service.open_gate();
    let retried = service.post(&format!("/api/v1/runs/{run}/retry"), &json!({"reason": "open", "by": "ada"}));
    assert_eq!(retried.status, 202, "{retried:?}");
    assert_eq!(retried.json(), json!({"number": run, "tasks": ["gate", "after"], "dry_run": false}));
    service.wait(run, "success");
    let status = service.json(&format!("/api/v1/runs/{run}"));
    assert!(status.to_string().contains("\"by\":\"ada\""), "{status}");
    let again = service.post(&format!("/api/v1/runs/{run}/retry"), &json!({}));
    again.assert_problem(409, "has no failed task");
}

#[test]
fn clearing_does_what_its_preview_has_shown_or_nothing() {
    let service = Service::new();
    service.open_gate();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "success");
    let path = format!("/api/v1/runs/{run}/clear");
    let body = json!({"tasks": ["gate"], "downstream": true}).to_string();
    let json_type = ("content-type", "application/json");
    let preview = service.send("POST", &format!("{path}?dry_run=true"), &[json_type], &body).json();
    assert_eq!(preview["tasks"], json!(["gate", "after"]), "{preview}");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["state"], "success");
    let token = format!("\"{}\"", preview["token"].as_str().expect("a token"));
    // Another selection.
    let other = service.send("POST", &path, &[json_type, ("if-match", &token)], "{\"tasks\": [\"after\"]}");
    other.assert_problem(412, "have changed since the preview: now they are after");
    let cleared = service.send("POST", &path, &[json_type, ("if-match", &token)], &body);
    assert_eq!(cleared.status, 202, "{cleared:?}");
    eventually("it runs again", || {
        let gate = service.json(&format!("/api/v1/runs/{run}/tasks/gate"));
        gate["attempts"].as_array().map(Vec::len) == Some(2)
    });
    service.wait(run, "success");
    // The tasks have run since.
    let stale = service.send("POST", &path, &[json_type, ("if-match", &token)], &body);
    stale.assert_problem(412, "preview it again");
    let unknown = service.post(&path, &json!({"tasks": ["gat"]}));
    unknown.assert_problem(404, "did you mean `gate`?");
}

/// Sends a change with the token of a preview.
fn as_previewed(service: &Service, path: &str, preview: &Value, body: &Value) -> Response {
    let token = format!("\"{}\"", preview["token"].as_str().expect("a token"));
    let headers = [("content-type", "application/json"), ("if-match", &*token)];
    service.send("POST", path, &headers, &body.to_string())
}

/// What a change would do.
fn previewed(service: &Service, path: &str, body: &Value) -> Value {
    let preview = service.post(&format!("{path}?dry_run=true"), body);
    assert_eq!(preview.status, 200, "{preview:?}");
    assert_eq!(preview.json()["dry_run"], true, "{preview:?}");
    preview.json()
}

/// The tokens of the changes of a run that its trail has, the newest first.
fn tokens_in_the_trail(service: &Service, run: i64, action: &str) -> Vec<(Value, Value)> {
    let trail = service.json(&format!("/api/v1/audit?run={run}&action={action}"));
    let entries = trail["entries"].as_array().expect("a list").iter();
    entries.map(|entry| (entry["outcome"].clone(), entry["token"].clone())).collect()
}

#[test]
fn retrying_does_what_its_preview_has_shown_or_nothing() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let path = format!("/api/v1/runs/{run}/retry");
    let preview = previewed(&service, &path, &json!({}));
    let token = &preview["token"];
    assert_eq!(preview, json!({"number": run, "tasks": ["gate", "after"], "dry_run": true, "token": token}));
    assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["edits"], json!([]));
    // Somebody else marks one of them.
    let mark = json!({"state": "skipped", "tasks": ["after"]});
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/mark"), &mark).status, 200);
    eventually("the run ends", || {
        let state = service.json(&format!("/api/v1/runs/{run}"))["state"].clone();
        state == "failed" || state == "success"
    });
    let stale = as_previewed(&service, &path, &preview, &json!({}));
    stale.assert_problem(412, "now they are gate (failed), after (skipped); preview it again");
    // The token of another change of the same tasks.
    let clear = json!({"failed": true, "downstream": true});
    let other = previewed(&service, &format!("/api/v1/runs/{run}/clear"), &clear);
    as_previewed(&service, &path, &other, &json!({})).assert_problem(412, "now they are gate (failed)");
    let preview = previewed(&service, &path, &json!({}));
    service.open_gate();
    let retried = as_previewed(&service, &path, &preview, &json!({"reason": "open"}));
    assert_eq!((retried.status, &retried.json()["tasks"]), (202, &preview["tasks"]), "{retried:?}");
    assert_eq!(retried.json().get("token"), None, "{retried:?}");
    service.wait(run, "success");
    let gone = as_previewed(&service, &path, &preview, &json!({}));
    gone.assert_problem(412, "now there are none; preview it again");
    service.post(&format!("{path}?dry_run=true"), &json!({})).assert_problem(409, "has no failed task");
    let trail = tokens_in_the_trail(&service, run, "retry");
    let outcomes: Vec<&Value> = trail.iter().map(|(outcome, _)| outcome).collect();
    assert_eq!(outcomes, ["refused_state", "applied", "refused_state", "refused_state"], "{trail:?}");
    assert_eq!(trail[1].1, preview["token"], "{trail:?}");
}

#[test]
fn marking_does_what_its_preview_has_shown_or_nothing() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let path = format!("/api/v1/runs/{run}/mark");
    let body = json!({"state": "success", "tasks": ["gate"], "value": 41});
    let preview = previewed(&service, &path, &body);
    let token = &preview["token"];
    let expected = json!({
        "number": run, "tasks": ["gate"], "state": "success", "undecided": ["after"], "ends": false,
        "dry_run": true, "token": token,
    });
    assert_eq!(preview, expected);
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/tasks/gate"))["state"], "failed");
    // A preview refuses what the change would refuse.
    service
        .post(&format!("{path}?dry_run=true"), &json!({"state": "success", "tasks": ["gate"]}))
        .assert_problem(409, "other tasks need the value of `gate`");
    // Another state, other tasks, and another value.
    for other in [
        json!({"state": "skipped", "tasks": ["gate"]}),
        json!({"state": "success", "tasks": ["after"], "value": 1}),
        json!({"state": "success", "tasks": ["gate"], "value": 42}),
    ] {
        as_previewed(&service, &path, &preview, &other).assert_problem(412, "have changed since the preview");
    }
    // Somebody else marks it.
    assert_eq!(service.post(&path, &json!({"state": "skipped", "tasks": ["gate"]})).status, 200);
    let stale = as_previewed(&service, &path, &preview, &body);
    stale.assert_problem(412, "now they are gate (skipped); preview it again");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/tasks/gate"))["state"], "skipped");
    let preview = previewed(&service, &path, &body);
    let marked = as_previewed(&service, &path, &preview, &body);
    assert_eq!((marked.status, &marked.json()["tasks"]), (200, &json!(["gate"])), "{marked:?}");
    let rest = json!({"state": "success", "tasks": ["after"], "value": 42});
    let preview = previewed(&service, &path, &rest);
    assert_eq!((&preview["ends"], &preview["undecided"]), (&json!(true), &json!([])), "{preview}");
    assert_eq!(as_previewed(&service, &path, &preview, &rest).status, 200);
    service.wait(run, "success");
    let trail = tokens_in_the_trail(&service, run, "mark");
    assert_eq!(trail[0], (json!("applied"), preview["token"].clone()), "{trail:?}");
}

#[test]
fn cancelling_ends_what_its_preview_has_shown_or_nothing() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    eventually("its task runs", || service.json(&format!("/api/v1/runs/{run}/tasks/endless"))["state"] == "running");
    let path = format!("/api/v1/runs/{run}/cancel");
    let preview = previewed(&service, &path, &json!({}));
    let worker = preview["worker"].as_str().expect("the service runs it");
    let expected = json!({
        "number": run, "state": "running", "worker": worker, "tasks": ["endless"], "running": ["endless"],
        "dry_run": true, "token": preview["token"],
    });
    assert_eq!(preview, expected);
    assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["state"], "running");
    let other = as_previewed(&service, &path, &json!({"token": "0000"}), &json!({}));
    other.assert_problem(412, &format!("process {worker} runs it, and its open tasks are endless (running)"));
    let cancelled = as_previewed(&service, &path, &preview, &json!({"reason": "enough"}));
    assert_eq!((cancelled.status, &cancelled.json()["worker"]), (200, &json!(worker)), "{cancelled:?}");
    service.wait(run, "cancelled");
    let again = as_previewed(&service, &path, &preview, &json!({}));
    again.assert_problem(412, "it has ended (state: cancelled); preview it again");
    service.post(&format!("{path}?dry_run=true"), &json!({})).assert_problem(409, "already ended (state: cancelled)");
    let trail = tokens_in_the_trail(&service, run, "cancel");
    assert_eq!(trail[1], (json!("applied"), preview["token"].clone()), "{trail:?}");
}

#[test]
fn a_run_that_no_process_runs_is_cancelled_as_its_preview_has_shown() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/clear"), &json!({"run": false})).status, 200);
    let path = format!("/api/v1/runs/{run}/cancel");
    let preview = previewed(&service, &path, &json!({}));
    let expected = json!({
        "number": run, "state": "interrupted", "tasks": ["gate", "after"], "running": [], "dry_run": true,
        "token": preview["token"],
    });
    assert_eq!(preview, expected);
    let mark = json!({"state": "success", "tasks": ["gate"], "value": 3});
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/mark"), &mark).status, 200);
    let stale = as_previewed(&service, &path, &preview, &json!({}));
    stale.assert_problem(412, "no process runs it, and its open tasks are after (none); preview it again");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["state"], "interrupted");
    let preview = previewed(&service, &path, &json!({}));
    let cancelled = as_previewed(&service, &path, &preview, &json!({}));
    assert_eq!((cancelled.status, &cancelled.json()["state"]), (200, &json!("cancelled")), "{cancelled:?}");
    let task = |task: &str| service.json(&format!("/api/v1/runs/{run}/tasks/{task}"))["state"].clone();
    assert_eq!((task("gate"), task("after")), (json!("success"), json!("cancelled")));
}

#[test]
fn a_run_is_cancelled_and_one_that_is_running_is_not_cleared() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    service.wait(run, "running");
    service.post(&format!("/api/v1/runs/{run}/clear"), &json!({})).assert_problem(409, "");
    let cancelled = service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({"reason": "enough"}));
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    service.wait(run, "cancelled");
    let again = service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({}));
    again.assert_problem(409, "has already ended (state: cancelled)");
}

#[test]
fn tasks_are_marked_and_events_are_sent() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let path = format!("/api/v1/runs/{run}/mark");
    service.post(&path, &json!({"state": "failed"})).assert_problem(422, "`tasks` is needed");
    let marked = service.post(&path, &json!({"state": "success", "tasks": ["gate"], "value": 41}));
    assert_eq!((marked.status, marked.json()["tasks"].clone()), (200, json!(["gate"])), "{marked:?}");
    let resumed = service.post(&format!("/api/v1/runs/{run}/resume"), &json!({}));
    assert_eq!(resumed.status, 202, "{resumed:?}");
    service.wait(run, "success");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/values/after")), 42);

    let waiting = service.trigger("approval", &json!({}));
    let task = format!("/api/v1/runs/{waiting}/tasks/approved");
    eventually("it waits", || service.json(&task)["state"] == "deferred");
    let sent = service.post(&format!("/api/v1/runs/{waiting}/release"), &json!({"key": "approval", "value": "ada"}));
    assert_eq!((sent.status, sent.json()["waiting"].clone()), (200, json!(["approved"])), "{sent:?}");
    service.wait(waiting, "success");
}

#[test]
fn a_dag_is_paused_and_unpaused() {
    let service = Service::new();
    let path = "/api/v1/dags/daily/pause";
    let json_type = [("content-type", "application/json")];
    let paused = service.send("PUT", path, &json_type, "{\"reason\": \"migration\", \"by\": \"ada\"}");
    assert_eq!((paused.status, paused.json()["by"].clone()), (200, json!("ada")), "{paused:?}");
    assert_eq!(service.json("/api/v1/dags/daily")["pause"]["reason"], "migration");
    service.send("PUT", path, &json_type, "{}").assert_problem(409, "is already paused, by ada");
    assert_eq!(service.send("DELETE", path, &[], "").status, 200);
    assert_eq!(service.json("/api/v1/dags/daily")["pause"], Value::Null);
    service.send("DELETE", path, &[], "").assert_problem(409, "is not paused");
    service.send("PUT", "/api/v1/dags/gated/pause", &json_type, "{}").assert_problem(422, "has no schedule");
}

#[test]
fn an_event_with_a_key_is_emitted_once() {
    let service = Service::new();
    let emit = |key: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        service.send("POST", "/api/v1/events", &headers, "{\"asset\": \"reports\", \"payload\": 3}")
    };
    let (first, again, other) = (emit("a"), emit("a"), emit("b"));
    assert_eq!((first.status, again.status, other.status), (201, 200, 201));
    assert_eq!(first.json()["number"], again.json()["number"]);
    let wrong = service.post("/api/v1/events", &json!({"asset": "reports", "payload": "three"}));
    wrong.assert_problem(422, "this is no event of asset `reports`");
    service.post("/api/v1/events", &json!({"asset": "report"})).assert_problem(404, "did you mean `reports`?");
}

#[test]
fn a_backfill_does_what_its_preview_has_shown_and_is_changed() {
    let service = Service::new();
    let body = json!({"dag": "daily", "slots": ["2026-01-01/2026-01-20"], "reason": "new rates"});
    let json_type = ("content-type", "application/json");
    let preview = service.send("POST", "/api/v1/backfills?dry_run=true", &[json_type], &body.to_string()).json();
    assert_eq!((&preview["slots"], &preview["new"]), (&json!(20), &json!(20)), "{preview}");
    assert_eq!(service.json("/api/v1/backfills"), json!([]));
    let token = format!("\"{}\"", preview["token"].as_str().expect("a token"));
    // Other slots; and what changes no slot, but how they run.
    for (name, other) in [
        ("slots", json!(["2026-01-01/2026-01-10"])),
        ("limit", json!(2)),
        ("order", json!("newest")),
        ("seed", json!(7)),
    ] {
        let mut body = body.clone();
        body[name] = other;
        let send = |body: &str| service.send("POST", "/api/v1/backfills", &[json_type, ("if-match", &token)], body);
        send(&body.to_string()).assert_problem(412, "the backfill has changed since its preview");
    }
    let started = service.send("POST", "/api/v1/backfills", &[json_type, ("if-match", &token)], &body.to_string());
    assert_eq!((started.status, started.json()["number"].clone()), (201, json!(1)), "{started:?}");
    let act = |verb: &str| service.post(&format!("/api/v1/backfills/1/{verb}"), &json!({}));
    assert_eq!(act("pause").json()["state"], "paused");
    act("pause").assert_problem(409, "backfill 1 is paused");
    assert_eq!(act("resume").json()["state"], "active");
    let cancelled = act("cancel");
    assert_eq!((cancelled.status, cancelled.json()["state"].clone()), (200, json!("cancelled")), "{cancelled:?}");
    service.post("/api/v1/backfills/7/pause", &json!({})).assert_problem(404, "there is no backfill 7");
    let reversed = service.post("/api/v1/backfills", &json!({"dag": "daily", "slots": ["2026-02-01/2026-01-01"]}));
    reversed.assert_problem(422, "before it starts");
}

/// Only what starts something new has an `Idempotency-Key`: the rest names what it changes, and a
/// token binds it to what its client has seen.
#[test]
fn a_change_that_is_sent_again_is_not_made_again() {
    let service = Service::new();
    let send = |path: &str, token: &str, body: &str| {
        let headers = [("content-type", "application/json"), ("if-match", token)];
        service.send("POST", &format!("/api/v1{path}"), &headers, body)
    };
    let preview = |path: &str, body: &str| {
        let shown = service.post(&format!("/api/v1{path}?dry_run=true"), &body.parse().expect("JSON")).json();
        format!("\"{}\"", shown["token"].as_str().expect("a token"))
    };
    let good = service.trigger("greeting", &json!({}));
    service.wait(good, "success");
    let (clear, body) = (format!("/runs/{good}/clear"), r#"{"tasks": ["greet"], "reason": "once"}"#);
    let token = preview(&clear, body);
    assert_eq!(send(&clear, &token, body).status, 202);
    service.wait(good, "success");
    send(&clear, &token, body).assert_problem(412, "preview it again");
    let run = service.json(&format!("/api/v1/runs/{good}"));
    assert_eq!(run["edits"].as_array().map(Vec::len), Some(1), "{run}");
    assert_eq!(run["tasks"][0]["attempts"].as_array().map(Vec::len), Some(2), "{run}");

    let (backfill, body) = ("/backfills", r#"{"dag": "daily", "slots": ["2026-01-01/2026-01-02"]}"#);
    let token = preview(backfill, body);
    assert_eq!(send(backfill, &token, body).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    send(backfill, &token, body).assert_problem(412, "the backfill has changed since its preview");
    assert_eq!(service.json("/api/v1/backfills").as_array().map(Vec::len), Some(1));

    // Without a token, the state does not allow it again.
    let bad = service.trigger("gated", &json!({}));
    service.wait(bad, "failed");
    service.open_gate();
    let retry = || service.post(&format!("/api/v1/runs/{bad}/retry"), &json!({}));
    assert_eq!(retry().status, 202);
    service.wait(bad, "success");
    retry().assert_problem(409, "");
    let endless = service.trigger("forever", &json!({}));
    service.wait(endless, "running");
    let cancel = || service.post(&format!("/api/v1/runs/{endless}/cancel"), &json!({}));
    assert_eq!(cancel().status, 200);
    service.wait(endless, "cancelled");
    cancel().assert_problem(409, "");
}
