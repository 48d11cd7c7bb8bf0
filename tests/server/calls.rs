//! The calls that are about several runs or DAGs, or take their time.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

/// Longer than any call takes that does not wait.
const WAIT: &str = "60s";

#[test]
fn one_key_makes_one_run_also_with_different_bodies_at_once() {
    let service = Service::new();
    for round in 0..5 {
        let key = format!("order-{round}");
        let answers: Vec<Response> = std::thread::scope(|scope| {
            let send = |times: usize| {
                let body = json!({"params": {"times": times % 5 + 1}}).to_string();
                let headers = [("content-type", "application/json"), ("idempotency-key", &*key)];
                service.send("POST", "/api/v1/dags/greeting/runs", &headers, &body)
            };
            let clients: Vec<_> = (0..10).map(|times| scope.spawn(move || send(times))).collect();
            clients.into_iter().map(|client| client.join().expect("a client ends")).collect()
        });
        let of = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
        // Two of the ten have the same body.
        assert_eq!((of(201), of(200), of(422)), (1, 1, 8), "{answers:?}");
        let runs = service.json("/api/v1/runs?limit=1000");
        assert_eq!(runs.as_array().map(Vec::len), Some(round + 1), "{runs}");
    }
}

#[test]
fn a_wait_for_a_run_that_has_ended_is_over_at_once() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let waited = service.json(&format!("/api/v1/runs/{run}?wait={WAIT}&until=ended"));
    assert_eq!(waited["state"], "success");
    service.get(&format!("/api/v1/runs/999?wait={WAIT}")).assert_problem(404, "there is no run `999`");
}

#[test]
fn waits_end_with_the_run_for_all_who_wait() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    service.wait(run, "running");
    let path = format!("/api/v1/runs/{run}?wait={WAIT}");
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..50).map(|_| scope.spawn(|| service.json(&path)["state"].clone())).collect();
        std::thread::sleep(Duration::from_millis(300));
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "they wait");
        // Others are answered meanwhile.
        assert_eq!(service.get("/health/live").status, 200);
        assert_eq!(service.post(&format!("/api/v1/runs/{run}/cancel"), &json!({})).status, 200);
        for waiting in waiting {
            assert_eq!(waiting.join().expect("a client ends"), "cancelled");
        }
    });
}

#[test]
fn a_wait_that_is_too_short_answers_with_what_there_is() {
    let service = Service::new();
    let run = service.trigger("forever", &json!({}));
    service.wait(run, "running");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}?wait=1s"))["state"], "running");
    let path = format!("/api/v1/runs/{run}?wait=");
    service.get(&format!("{path}61s")).assert_problem(400, "`wait` is not a duration of at most 60s");
    service.get(&format!("{path}2m")).assert_problem(400, "`wait` is not a duration");
    service.get(&format!("{path}x")).assert_problem(400, "`wait` is not a duration");
    service.get(&format!("{path}1s&until=dawn")).assert_problem(400, "`until` is not one of ended");
}

#[test]
fn waits_end_when_the_service_is_about_to_end() {
    let service = Service::reluctant();
    let run = service.trigger("slow_to_end", &json!({}));
    service.wait(run, "running");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| service.json(&format!("/api/v1/runs/{run}?wait={WAIT}")));
        std::thread::sleep(Duration::from_millis(200));
        service.signal(Signal::TERM);
        eventually("it drains", || service.get("/health/ready").status == 503);
        service.let_go();
        let state = waiting.join().expect("a client ends")["state"].clone();
        assert!(state == "running" || state == "interrupted", "{state}");
    });
}

#[test]
fn several_runs_are_cancelled_with_an_answer_for_each() {
    let service = Service::new();
    let [one, two] = [service.trigger("forever", &json!({})), service.trigger("forever", &json!({}))];
    let done = service.trigger("greeting", &json!({}));
    service.wait(one, "running");
    service.wait(two, "running");
    service.wait(done, "success");
    let runs = json!([one.to_string(), two.to_string(), done.to_string(), "nobody", "../x"]);
    let answer = service.post("/api/v1/runs:cancel", &json!({"runs": runs, "reason": "enough"}));
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = answer.json();
    let outcomes: Vec<&Value> = answer["runs"].as_array().into_iter().flatten().map(|item| &item["outcome"]).collect();
    assert_eq!(outcomes, ["applied", "applied", "unchanged", "refused", "refused"], "{answer}");
    assert_eq!((&answer["applied"], &answer["unchanged"], &answer["refused"]), (&json!(2), &json!(1), &json!(2)));
    assert_eq!(answer["runs"][3]["detail"], "there is no run `nobody`; `runs` lists them");
    service.wait(one, "cancelled");
    service.wait(two, "cancelled");
    let nothing = service.post("/api/v1/runs:cancel", &json!({}));
    nothing.assert_problem(422, "names them, or has a filter");
    let both = service.post("/api/v1/runs:cancel", &json!({"runs": ["1"], "dag": "forever"}));
    both.assert_problem(422, "not both");
    let many: Vec<String> = (0..1001).map(|run| run.to_string()).collect();
    service.post("/api/v1/runs:cancel", &json!({"runs": many})).assert_problem(422, "more than the 1000");
}

#[test]
fn several_runs_are_cleared_as_their_preview_has_shown_or_not_at_all() {
    let service = Service::new();
    let runs = [(); 2].map(|()| service.trigger("gated", &json!({})));
    let other = service.trigger("greeting", &json!({}));
    for run in runs {
        service.wait(run, "failed");
    }
    service.wait(other, "success");
    let body = json!({"state": ["failed"], "failed": true}).to_string();
    let json_type = ("content-type", "application/json");
    let preview = service.send("POST", "/api/v1/runs:clear?dry_run=true", &[json_type], &body).json();
    assert_eq!(preview["applied"], 2, "{preview}");
    assert_eq!(preview["runs"][0]["tasks"], json!(["gate", "after"]), "{preview}");
    assert_eq!(service.json(&format!("/api/v1/runs/{}", runs[0]))["state"], "failed");
    let token = format!("\"{}\"", preview["token"].as_str().expect("a token"));
    service.open_gate();
    // One of them changes.
    assert_eq!(service.post(&format!("/api/v1/runs/{}/retry", runs[0]), &json!({})).status, 202);
    service.wait(runs[0], "success");
    let headers = [json_type, ("if-match", &*token)];
    let stale = service.send("POST", "/api/v1/runs:clear", &headers, &body);
    stale.assert_problem(412, "the runs have changed since the preview");
    assert_eq!(service.json(&format!("/api/v1/runs/{}", runs[1]))["state"], "failed");
    let preview = service.send("POST", "/api/v1/runs:clear?dry_run=true", &[json_type], &body).json();
    let token = format!("\"{}\"", preview["token"].as_str().expect("a token"));
    let cleared = service.send("POST", "/api/v1/runs:clear", &[json_type, ("if-match", &token)], &body);
    assert_eq!((cleared.status, cleared.json()["applied"].clone()), (202, json!(1)), "{cleared:?}");
    service.wait(runs[1], "success");
    // Without a token: what there is.
    let all = service.post("/api/v1/runs:clear", &json!({"dag": "greeting"}));
    assert_eq!((all.status, all.json()["applied"].clone()), (202, json!(1)), "{all:?}");
    eventually("it runs again", || {
        let greet = service.json(&format!("/api/v1/runs/{other}/tasks/greet"));
        greet["attempts"].as_array().map(Vec::len) == Some(2)
    });
}

#[test]
fn tasks_of_several_runs_are_marked() {
    let service = Service::new();
    let runs = [(); 2].map(|()| service.trigger("gated", &json!({})));
    for run in runs {
        service.wait(run, "failed");
    }
    let body = json!({"dag": "gated", "as": "success", "tasks": ["gate", "after"], "value": 3});
    let marked = service.post("/api/v1/runs:mark", &body);
    assert_eq!((marked.status, marked.json()["applied"].clone()), (200, json!(2)), "{marked:?}");
    for run in runs {
        service.wait(run, "success");
    }
    service.post("/api/v1/runs:mark", &json!({"dag": "gated"})).assert_problem(422, "is needed");
}

#[test]
fn several_runs_are_cancelled_or_marked_as_their_preview_has_shown_or_not_at_all() {
    let service = Service::new();
    let json_type = ("content-type", "application/json");
    let change = |path: &str, headers: &[(&str, &str)], body: &Value| {
        service.send("POST", path, &[&[json_type][..], headers].concat(), &body.to_string())
    };
    let token = |preview: &Response| format!("\"{}\"", preview.json()["token"].as_str().expect("a token"));
    let endless = [(); 2].map(|()| service.trigger("forever", &json!({})));
    for run in endless {
        let task = format!("/api/v1/runs/{run}/tasks/endless");
        eventually("its task runs", || service.json(&task)["state"] == "running");
    }
    let body = json!({"dag": "forever"});
    let preview = change("/api/v1/runs:cancel?dry_run=true", &[], &body);
    let shown = preview.json();
    assert_eq!((&shown["applied"], &shown["runs"][1]["tasks"]), (&json!(2), &json!(["endless"])), "{shown}");
    assert_eq!(service.post(&format!("/api/v1/runs/{}/cancel", endless[0]), &json!({})).status, 200);
    service.wait(endless[0], "cancelled");
    let stale = change("/api/v1/runs:cancel", &[("if-match", &token(&preview))], &body);
    stale.assert_problem(412, "the runs have changed since the preview");
    assert_eq!(service.json(&format!("/api/v1/runs/{}", endless[1]))["state"], "running");
    let preview = change("/api/v1/runs:cancel?dry_run=true", &[], &body);
    assert_eq!((&preview.json()["applied"], &preview.json()["unchanged"]), (&json!(1), &json!(1)), "{preview:?}");
    let cancelled = change("/api/v1/runs:cancel", &[("if-match", &token(&preview))], &body);
    assert_eq!((cancelled.status, &cancelled.json()["applied"]), (200, &json!(1)), "{cancelled:?}");
    service.wait(endless[1], "cancelled");

    let gated = [(); 2].map(|()| service.trigger("gated", &json!({})));
    for run in gated {
        service.wait(run, "failed");
    }
    let body = json!({"dag": "gated", "as": "success", "tasks": ["gate", "after"], "value": 3});
    let preview = change("/api/v1/runs:mark?dry_run=true", &[], &body);
    assert_eq!(preview.json()["runs"][0]["tasks"], json!(["gate", "after"]), "{preview:?}");
    let other = json!({"dag": "gated", "as": "skipped", "tasks": ["gate", "after"]});
    let stale = change("/api/v1/runs:mark", &[("if-match", &token(&preview))], &other);
    stale.assert_problem(412, "the runs have changed since the preview");
    assert_eq!(service.json(&format!("/api/v1/runs/{}", gated[0]))["state"], "failed");
    let marked = change("/api/v1/runs:mark", &[("if-match", &token(&preview))], &body);
    assert_eq!((marked.status, &marked.json()["applied"]), (200, &json!(2)), "{marked:?}");
    for run in gated {
        service.wait(run, "success");
    }
}

#[test]
fn several_dags_are_paused_by_name_by_tag_or_all() {
    let service = Service::new();
    let put = |body: &Value| {
        service.send("PUT", "/api/v1/pauses", &[("content-type", "application/json")], &body.to_string())
    };
    let paused = put(&json!({"all": true, "reason": "migration", "by": "ada"}));
    assert_eq!(paused.status, 200, "{paused:?}");
    assert_eq!((&paused.json()[0]["dag_id"], &paused.json()[0]["outcome"]), (&json!("daily"), &json!("applied")));
    let again = put(&json!({"dags": ["daily", "greeting"]}));
    assert_eq!(again.json()[0]["outcome"], "unchanged", "{again:?}");
    assert_eq!(again.json()[1]["outcome"], "refused", "{again:?}");
    assert!(again.json()[0]["detail"].as_str().is_some_and(|detail| detail.contains("already paused, by ada")));
    put(&json!({"tag": "rude"})).assert_problem(404, "no DAG has the tag `rude`");
    put(&json!({"tag": "polite", "all": true})).assert_problem(422, "one of `dags`, `tag` and `all`");
    put(&json!({"dags": ["nothing"]})).assert_problem(404, "there is no DAG `nothing`");
    put(&json!({})).assert_problem(422, "one of `dags`, `tag` and `all`");
    let headers = [("content-type", "application/json")];
    let ended = service.send("DELETE", "/api/v1/pauses", &headers, &json!({"all": true}).to_string());
    assert_eq!((ended.status, ended.json()[0]["outcome"].clone()), (200, json!("applied")), "{ended:?}");
    assert_eq!(service.json("/api/v1/dags/daily")["pause"], Value::Null);
}

#[test]
fn the_lineage_of_a_run_is_followed_through_events() {
    let service = Service::with_schedules();
    let source = service.trigger("reporter", &json!({}));
    service.wait(source, "success");
    eventually("its event starts a run", || {
        service.json("/api/v1/runs?dag=reported&state=success").as_array().is_some_and(|runs| runs.len() == 1)
    });
    let ahead = service.json(&format!("/api/v1/runs/{source}/lineage"));
    assert_eq!((&ahead["dag_id"], &ahead["behind"]), (&json!("reporter"), &json!([])), "{ahead}");
    assert_eq!(ahead["emitted"][0]["asset"], "reports", "{ahead}");
    assert_eq!((&ahead["ahead"][0]["dag_id"], &ahead["ahead"][0]["depth"]), (&json!("reported"), &json!(1)), "{ahead}");
    assert_eq!((&ahead["ahead"][0]["asset"], &ahead["ahead"][0]["of"]), (&json!("reports"), &json!(source)));
    let taker = &ahead["ahead"][0]["number"];
    let behind = service.json(&format!("/api/v1/runs/{taker}/lineage"));
    assert_eq!((&behind["behind"][0]["number"], &behind["ahead"]), (&json!(source), &json!([])), "{behind}");
    assert_eq!(behind["consumed"][0]["asset"], "reports", "{behind}");
    let printed = service.call(&["lineage", &taker.to_string()]);
    assert!(printed.stdout.contains("of reporter emitted to run"), "{printed:?}");
    assert!(printed.stdout.contains("consumed event 1 of reports as `report`"), "{printed:?}");
}

#[test]
fn an_event_may_have_its_key_in_a_header() {
    let service = Service::new();
    let emit = |headers: &[(&str, &str)], body: &Value| {
        let all: Vec<_> = headers.iter().copied().chain([("content-type", "application/json")]).collect();
        service.send("POST", "/api/v1/events", &all, &body.to_string())
    };
    let body = json!({"asset": "reports", "payload": 3});
    let first = emit(&[("idempotency-key", "a")], &body);
    assert_eq!((first.status, first.json()["key"].clone()), (201, json!("a")), "{first:?}");
    let again = emit(&[("idempotency-key", "a")], &body);
    assert_eq!((again.status, again.header("idempotent-replayed")), (200, "true"), "{again:?}");
    assert_eq!(again.json()["number"], first.json()["number"]);
    let other = emit(&[("idempotency-key", "a")], &json!({"asset": "reports", "payload": 3, "key": "b"}));
    other.assert_problem(422, "`key` is not the Idempotency-Key");
}

#[test]
fn backfills_have_limits_and_ends_that_change() {
    let service = Service::new();
    let body = json!({"dag": "daily", "slots": ["2026-01-01/2026-01-02"]});
    assert_eq!(service.post("/api/v1/backfills", &body).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let limited = service.post("/api/v1/backfills/1/limit", &json!({"limit": 2}));
    limited.assert_problem(409, "backfill 1 is done");
    let extended = service.post("/api/v1/backfills/1/extend", &json!({"to": "2026-01-03", "by": "ada"}));
    assert_eq!((extended.status, extended.json()["added"].clone()), (200, json!(1)), "{extended:?}");
    service.post("/api/v1/backfills/1/extend", &json!({"to": "soon"})).assert_problem(422, "");
    service.post("/api/v1/backfills/9/extend", &json!({"to": "2026-01-03"})).assert_problem(404, "no backfill 9");
    service.post("/api/v1/backfills/1/limit", &json!({})).assert_problem(422, "`limit` is needed");
}

#[test]
fn schedules_are_reset_and_old_runs_are_pruned() {
    let service = Service::new();
    let reset = service.post("/api/v1/dags/daily/reset-schedule", &json!({}));
    assert!(matches!(reset.status, 200 | 409), "{reset:?}");
    service.post("/api/v1/dags/greeting/reset-schedule", &json!({})).assert_problem(422, "has no schedule");
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let body = json!({"older_than": "0s"}).to_string();
    let json_type = [("content-type", "application/json")];
    let would = service.send("POST", "/api/v1/db/prune?dry_run=true", &json_type, &body);
    assert_eq!((would.status, would.json()[0]["number"].clone()), (200, json!(run)), "{would:?}");
    let kept = service.post("/api/v1/db/prune", &json!({"older_than": "30d"}));
    assert_eq!((kept.status, kept.json()["pruned"].clone()), (200, json!(0)), "{kept:?}");
    let pruned = service.post("/api/v1/db/prune", &json!({"older_than": "0s"}));
    assert_eq!(pruned.json()["pruned"], 1, "{pruned:?}");
    service.get(&format!("/api/v1/runs/{run}")).assert_problem(410, "was pruned");
    service.post("/api/v1/db/prune", &json!({})).assert_problem(422, "`older_than` is needed");
    service.post("/api/v1/db/prune", &json!({"older_than": "old"})).assert_problem(400, "not a duration");
}

/// A run that succeeded, one that runs, one that failed, and one that nobody has. There was no call
/// for one run.
#[test]
fn one_run_that_has_ended_is_deleted_with_its_files() {
    let service = Service::new();
    // Of another process: the service may have its own runs for a moment after their ends.
    for dag in ["greeting", "gated"] {
        service.call(&["run", dag]);
    }
    let endless = service.trigger("forever", &json!({}));
    service.wait(endless, "running");
    let id = |run: i64| service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let (first, second) = (id(1), id(2));
    let log = service.home().join("logs").join(first.replace(':', "%3A"));
    assert!(log.exists(), "{log:?}");
    let delete = |run: &str| service.send("DELETE", &format!("/api/v1/runs/{run}"), &[], "");
    delete(&endless.to_string()).assert_problem(409, "run 3 has not ended (state: running); `cancel 3` ends it");
    let deleted = delete("1");
    assert_eq!((deleted.status, deleted.json()), (200, json!({"pruned": 1, "events": 0})), "{deleted:?}");
    service.get("/api/v1/runs/1").assert_problem(410, "was pruned");
    delete("1").assert_problem(410, "was pruned");
    delete("99").assert_problem(404, "there is no run `99`");
    assert!(!log.exists(), "{log:?}");
    let numbers = || -> Vec<i64> {
        let runs = service.json("/api/v1/runs");
        runs.as_array().into_iter().flatten().filter_map(|run| run["number"].as_i64()).collect()
    };
    assert_eq!(numbers(), [endless, 2]);
    assert_eq!(delete(&second).status, 200);
    service.get(&format!("/api/v1/runs/{second}")).assert_problem(410, "was pruned");
    assert_eq!(numbers(), [endless]);
}

/// Two runs of another process. A file is where the artifacts of the first should be. Whoever
/// deleted the second was answered with 503, because of the files of the first.
#[test]
fn the_deletion_of_one_run_does_not_fail_with_the_files_of_another() {
    let service = Service::new();
    for _ in 0..2 {
        service.call(&["run", "greeting"]);
    }
    let id = service.json("/api/v1/runs/1")["run_id"].as_str().expect("an id").replace(':', "%3A");
    let artifacts = service.home().join("artifacts");
    std::fs::create_dir_all(&artifacts).expect("directories can be made");
    std::fs::write(artifacts.join(id), "text").expect("files can be written");
    let delete = |run: i64| service.send("DELETE", &format!("/api/v1/runs/{run}"), &[], "");
    delete(1).assert_problem(503, "; the next `db prune` tries again; deleted: 1 run");
    let deleted = delete(2);
    assert_eq!((deleted.status, deleted.json()), (200, json!({"pruned": 1, "events": 0})), "{deleted:?}");
}

/// Two runs, of which the second ends after the preview. `If-Match` was not looked at.
#[test]
fn a_prune_with_the_token_of_its_preview_deletes_exactly_what_that_has_shown() {
    let service = Service::new();
    let prune = |query: &str, token: &str, body: &Value| {
        let mut headers = vec![("content-type", "application/json")];
        headers.extend((!token.is_empty()).then_some(("if-match", token)));
        service.send("POST", &format!("/api/v1/db/prune{query}"), &headers, &body.to_string())
    };
    let first = service.trigger("greeting", &json!({}));
    service.wait(first, "success");
    let all = json!({"older_than": "0s"});
    let preview = prune("?dry_run=true", "", &all);
    let token = preview.header("etag").to_owned();
    assert_eq!((preview.status, preview.json()[0]["number"].clone()), (200, json!(first)), "{preview:?}");
    let second = service.trigger("greeting", &json!({}));
    service.wait(second, "success");
    // Another request is not what the preview has shown.
    prune("", &token, &json!({"older_than": "0s", "state": ["success"]}))
        .assert_problem(412, "the runs to delete have changed since the preview");
    prune("", "\"0000\"", &all).assert_problem(422, "`0000` is not the token of a preview");
    let pruned = prune("", &token, &all);
    assert_eq!((pruned.status, pruned.json()["pruned"].clone()), (200, json!(1)), "{pruned:?}");
    let runs = service.json("/api/v1/runs");
    assert_eq!((runs.as_array().map(Vec::len), runs[0]["number"].clone()), (Some(1), json!(second)));
    prune("", &token, &all).assert_problem(412, "now there are none");
}

/// A file is where the artifacts of the run should be. The run is one of another process: the
/// service may have its own runs for a moment after their ends.
#[test]
fn a_prune_that_cannot_delete_all_files_says_so_and_what_it_has_deleted() {
    let service = Service::new();
    service.call(&["run", "greeting"]);
    service.wait(1, "success");
    let id = service.json("/api/v1/runs/1")["run_id"].as_str().expect("an id").replace(':', "%3A");
    let artifacts = service.home().join("artifacts");
    std::fs::create_dir_all(&artifacts).expect("directories can be made");
    std::fs::write(artifacts.join(id), "text").expect("files can be written");
    let pruned = service.post("/api/v1/db/prune", &json!({"older_than": "0s"}));
    pruned.assert_problem(503, "; the next `db prune` tries again; deleted: 1 run");
    let again = service.post("/api/v1/db/prune", &json!({"older_than": "0s"}));
    again.assert_problem(503, "files of what was deleted cannot be removed: run `manual__");
}
