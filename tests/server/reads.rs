//! The reads of the API: the same documents as the command line prints.

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::{Service, sql};

#[test]
fn reads_return_what_the_command_line_prints() {
    let service = Service::new();
    let good = service.trigger("greeting", &json!({"name": "ada", "times": 3}));
    service.wait(good, "success");
    let bad = service.trigger("gated", &json!({}));
    service.wait(bad, "failed");
    let emitted = service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3, "key": "a"}));
    assert_eq!(emitted.status, 201, "{emitted:?}");
    let backfill = json!({"dag": "daily", "slots": ["2026-01-01/2026-01-02"]});
    assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    // Its runs are 3 and 4.
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    for (path, words) in [
        ("/runs", "runs"),
        ("/runs?dag=gated&state=failed,success", "runs --dag gated"),
        ("/runs/1", "status 1"),
        ("/runs/2", "status 2"),
        ("/runs/2/explain", "explain 2"),
        ("/runs/1/values", "values 1"),
        ("/dags", "dags"),
        ("/dags/daily/slots", "slots daily"),
        ("/assets", "assets"),
        ("/events", "events"),
        ("/events/1", "events @1"),
        ("/consumers", "consumers"),
        ("/backfills/1", "backfills show 1"),
        ("/backfills", "backfills"),
        ("/dags/greeting/graph", "show greeting"),
    ] {
        let mut words: Vec<&str> = words.split(' ').collect();
        words.extend(["--output", "json"]);
        let printed = service.call(&words);
        assert_eq!(printed.code, Some(0), "{words:?}: {printed:?}");
        assert_eq!(service.json(&format!("/api/v1{path}")), printed.json(), "{path}");
    }
    let next = service.json("/api/v1/dags/daily/next?count=3");
    assert_eq!(next["slots"].as_array().map(Vec::len), Some(3), "{next}");
    let doctor = service.json("/api/v1/doctor");
    assert!(doctor["findings"].is_array(), "{doctor}");
}

/// Declared assets, one of them with an event, the result of a DAG that has not run, and a name
/// that is none. The list had them, and the address of one was not there.
#[test]
fn an_asset_has_the_document_that_the_list_has() {
    let service = Service::new();
    let emitted = service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3}));
    assert_eq!(emitted.status, 201, "{emitted:?}");
    let list = service.json("/api/v1/assets");
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 3, "{list:?}");
    for asset in list {
        let name = asset["name"].as_str().expect("a name");
        assert_eq!(service.json(&format!("/api/v1/assets/{name}")), *asset);
    }
    let result = service.json("/api/v1/assets/dag:greeting");
    assert_eq!((&result["producers"], result.get("last")), (&json!(["greeting"]), None), "{result}");
    service.get("/api/v1/assets/report").assert_problem(404, "did you mean `reports`");
}

/// A run that emits 600 events: its document and its page had all of them.
#[test]
fn a_run_with_many_events_shows_500_and_where_all_are() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("assets", directory, &["--bind", "127.0.0.1:0"]);
    let number = service.trigger("steps", &json!({"size": 600}));
    service.wait(number, "success");
    let run = service.json(&format!("/api/v1/runs/{number}"));
    assert_eq!((run["events"].as_array().map(Vec::len), &run["more_events"]), (Some(500), &json!(100)));
    let page = service.get(&format!("/runs/{number}"));
    assert_eq!(page.status, 200, "{page:?}");
    assert_eq!(page.body.matches(" emitted event ").count(), 500);
    assert!(page.body.contains("and 100 more <a href=\"/events\">events</a>"), "{}", page.body);
    let id = run["run_id"].as_str().expect("an id");
    let all = service.json(&format!("/api/v1/events?asset=steps&run={id}&limit=1000"));
    assert_eq!(all.as_array().map(Vec::len), Some(600));
}

/// A run that emits 600 events, of which the last is damaged. Its document and its page read all of
/// them to show the first 500, and failed.
#[test]
fn a_run_with_many_events_is_shown_without_reading_those_that_are_left_off() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("assets", directory, &["--bind", "127.0.0.1:0"]);
    let number = service.trigger("steps", &json!({"size": 600}));
    service.wait(number, "success");
    let last = "number = (SELECT max(number) FROM events)";
    assert_eq!(sql(&service.home(), &format!("UPDATE events SET emitted = emitted + 1 WHERE {last}")), 1);
    let run = service.json(&format!("/api/v1/runs/{number}"));
    assert_eq!((run["events"].as_array().map(Vec::len), &run["more_events"]), (Some(500), &json!(100)));
    let page = service.get(&format!("/runs/{number}"));
    assert_eq!(page.status, 200, "{page:?}");
    assert!(page.body.contains("and 100 more <a href=\"/events\">events</a>"), "{}", page.body);
}

#[test]
fn a_dag_has_its_parameters_and_tasks() {
    let service = Service::new();
    let dag = service.json("/api/v1/dags/greeting");
    assert_eq!((&dag["dag_id"], &dag["tasks"]), (&json!("greeting"), &json!(["greet"])));
    assert_eq!((&dag["description"], &dag["tags"]), (&json!("Greets somebody several times."), &json!(["polite"])));
    let times = json!({
        "name": "times", "type": "u32", "help": "", "required": false, "default": 2, "range": "1..=5",
    });
    assert_eq!(dag["params"][1], times, "{dag}");
    let reported = service.json("/api/v1/dags/reported");
    assert_eq!(reported["params"][0]["asset"], "reports", "{reported}");
    let unknown = service.get("/api/v1/dags/greetin");
    unknown.assert_problem(404, "there is no DAG `greetin`");
    assert_eq!(unknown.json()["candidates"], json!(["greeting"]));
}

#[test]
fn tasks_of_a_run_are_read_alone() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let status = service.json(&format!("/api/v1/runs/{run}"));
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/tasks")), status["tasks"]);
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/tasks/gate")), status["tasks"][0]);
    let explained = service.json(&format!("/api/v1/runs/{run}/explain"));
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/tasks/after/explain")), explained[1]);
    let unknown = service.get(&format!("/api/v1/runs/{run}/tasks/gat"));
    unknown.assert_problem(404, "has no task `gat`; did you mean `gate`?");
    service.get(&format!("/api/v1/runs/{run}/values/gate")).assert_problem(404, "has no value (state: failed)");
}

#[test]
fn an_address_names_one_run_or_none() {
    let service = Service::new();
    service.trigger("greeting", &json!({}));
    service.trigger("greeting", &json!({}));
    let ids: Vec<Value> =
        service.json("/api/v1/runs").as_array().expect("a list").iter().map(|run| run["run_id"].clone()).collect();
    let whole = ids[0].as_str().expect("a text");
    assert_eq!(service.json(&format!("/api/v1/runs/{whole}"))["run_id"], whole);
    let several = service.get("/api/v1/runs/manual__");
    several.assert_problem(404, "there is no run `manual__`");
    assert_eq!(several.json()["candidates"].as_array().map(Vec::len), Some(2), "{several:?}");
    let part = service.get(&format!("/api/v1/runs/{}", &whole[..whole.len() - 1]));
    part.assert_problem(404, "there is no run");
    assert_eq!(part.json()["candidates"], json!([whole]), "{part:?}");
    service.get("/api/v1/runs/999").assert_problem(404, "there is no run `999`");
}

#[test]
fn pages_of_runs_follow_each_other() {
    let service = Service::new();
    for _ in 0..7 {
        service.trigger("greeting", &json!({}));
    }
    let (mut path, mut numbers) = ("/api/v1/runs?limit=3&run_type=manual&dag=greeting".to_owned(), Vec::new());
    loop {
        let page = service.get(&path);
        let runs = page.json();
        numbers.extend(runs.as_array().expect("a list").iter().filter_map(|run| run["number"].as_i64()));
        if numbers.len() == 3 {
            // A new run does not move the pages.
            service.trigger("greeting", &json!({}));
        }
        let Some(link) = page.headers.get("link") else { break };
        let next = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        path = next.unwrap_or_else(|| panic!("{link}")).to_owned();
        assert!(path.contains("limit=3") && path.contains("dag=greeting"), "{path}");
    }
    assert_eq!(numbers, [7, 6, 5, 4, 3, 2, 1]);
}

#[test]
fn a_document_that_a_client_has_is_not_sent_again() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    let path = format!("/api/v1/runs/{run}");
    let first = service.get(&path);
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"'), "{first:?}");
    let again = service.send("GET", &path, &[("if-none-match", &tag)], "");
    assert_eq!((again.status, &*again.body, again.header("etag")), (304, "", &*tag));
    assert_eq!(service.post(&format!("{path}/clear"), &json!({"run": false})).status, 200);
    let changed = service.send("GET", &path, &[("if-none-match", &tag)], "");
    assert_eq!(changed.status, 200);
    assert_ne!(changed.header("etag"), tag);
}

#[test]
fn logs_are_lines_and_have_ranges() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({"name": "\u{1b}[31m<b>\nx"}));
    service.wait(run, "success");
    let path = format!("/api/v1/runs/{run}/tasks/greet/attempts/1/log");
    let log = service.get(&path);
    assert_eq!((log.status, log.header("content-type")), (200, "application/jsonl"));
    let printed = service.call(&["logs", &run.to_string(), "greet", "--json"]);
    let parse = |text: &str| text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>();
    assert_eq!(parse(&log.body), parse(&printed.stdout));
    assert_eq!(service.get(&format!("/api/v1/runs/{run}/log")).body, log.body);
    assert_eq!(service.get(&format!("{path}?level=warn")).body.lines().count(), 1);

    let part = service.send("GET", &path, &[("range", "bytes=5-9")], "");
    assert_eq!((part.status, &*part.body), (206, &log.body[5..10]));
    assert_eq!(part.header("content-range"), format!("bytes 5-9/{}", log.body.len()));
    let rest = service.send("GET", &path, &[("range", "bytes=10-"), ("if-range", log.header("etag"))], "");
    assert_eq!((rest.status, &*rest.body), (206, &log.body[10..]));
    let old = service.send("GET", &path, &[("range", "bytes=10-"), ("if-range", "\"old\"")], "");
    assert_eq!((old.status, &*old.body), (200, &*log.body));
    let outside = service.send("GET", &path, &[("range", "bytes=100000-")], "");
    outside.assert_problem(416, "there are");

    let plain = service.send("GET", &path, &[("accept", "text/plain")], "");
    assert_eq!(plain.header("content-type"), "text/plain; charset=utf-8");
    assert!(plain.body.contains("INFO greet#1: greeting <b>\\u{1b}[31m<b>\\nx</b> times=2"), "{plain:?}");
    assert_eq!(plain.body.lines().count(), 2, "{plain:?}");
    service.get(&path.replace("/1/log", "/2/log")).assert_problem(404, "has no attempt 2");
    service.get(&path.replace("/1/log", "/x/log")).assert_problem(404, "`attempt` is a number");
}

#[test]
fn values_are_downloads() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({"name": "<script>", "times": 1}));
    service.wait(run, "success");
    let value = service.get(&format!("/api/v1/runs/{run}/values/greet"));
    assert_eq!(value.json(), json!(["hello <script>"]));
    assert_eq!((value.header("content-disposition"), value.header("cache-control")), ("attachment", "no-store"));
}

#[test]
fn metrics_count_runs_and_requests() {
    let service = Service::new();
    let good = service.trigger("greeting", &json!({}));
    let bad = service.trigger("gated", &json!({}));
    service.wait(good, "success");
    service.wait(bad, "failed");
    eventually("the end of the runs is counted", || {
        let metrics = service.get("/metrics").body;
        metrics.contains("taskflow_runs_total{dag=\"greeting\",state=\"success\"} 1\n")
            && metrics.contains("taskflow_runs_total{dag=\"gated\",state=\"failed\"} 1\n")
    });
    let metrics = service.get("/metrics");
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        "taskflow_dag_paused{dag=\"daily\"} 0",
        "taskflow_http_requests_total{method=\"POST\",route=\"/api/v1/dags/{dag}/runs\",status=\"2xx\"} 2",
        "# TYPE taskflow_run_duration_seconds histogram",
        "taskflow_run_duration_seconds_count{dag=\"gated\",state=\"failed\"} 1",
    ] {
        assert!(metrics.body.lines().any(|known| known == line), "{line}: {}", metrics.body);
    }
    // Each line is a comment or a sample: a name, labels and a number. Each name has a type.
    for line in metrics.body.lines().filter(|line| !line.starts_with("# ")) {
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let name = series.split('{').next().unwrap_or_default();
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let is_typed = |name: &str| metrics.body.contains(&format!("# TYPE {name} "));
        assert!(is_typed(name) || is_typed(base), "{line}");
    }
    assert!(!metrics.body.contains("manual__"), "no run is a label: {}", metrics.body);
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    let service = Service::new();
    let document = service.get("/api/v1/openapi.json").body;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(&path, &document).expect("the snapshot can be written");
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(document, committed, "UPDATE_OPENAPI=1 writes the snapshot again");
}

#[test]
fn every_documented_read_answers() {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    assert_eq!(service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3})).status, 201);
    let backfill = json!({"dag": "daily", "slots": ["2026-01-01"]});
    assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    let document = service.json("/api/v1/openapi.json");
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().expect("an object") {
        let content = &operations["get"]["responses"]["2XX"]["content"];
        // Streams do not end; they have tests of their own.
        if content.is_null() || content.get("text/event-stream").is_some() {
            continue;
        }
        let dag = if path.contains("next") || path.contains("slots") { "daily" } else { "greeting" };
        let path = path.replace("{dag}", dag).replace("{run}", "1").replace("{task}", "greet");
        let path = path
            .replace("{asset}", "reports")
            .replace("{attempt}", "1")
            .replace("{event}", "1")
            .replace("{backfill}", "1");
        let response = service.get(&path);
        // The task is not mapped, and asks nobody. There is no such pool.
        let is_missing = ["/elements", "{pool}", "/approvals/"].iter().any(|part| path.contains(part));
        let expected = if is_missing { 404 } else { 200 };
        assert_eq!(response.status, expected, "{path}: {response:?}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}

#[test]
fn a_dag_with_events_shows_what_its_next_run_needs() {
    let service = Service::with_schedules();
    let condition = || service.json("/api/v1/dags/reported")["condition"].clone();
    eventually("the service knows the DAG", || !condition().is_null());
    let event = json!({"param": "report", "asset": "reports", "pending": 0, "since": null, "lacks": "an event"});
    assert_eq!(condition(), json!({"met": false, "event": event}));
    assert_eq!(service.json("/api/v1/consumers?dag=reported")[0]["condition"], condition());
    let page = service.get("/dags/reported").body;
    assert!(page.contains("What the next run needs") && page.contains("needs an event"), "{page}");
    // While the DAG is paused, an event stays pending.
    assert_eq!(service.call(&["pause", "reported"]).code, Some(0));
    let emitted = service.post("/api/v1/events", &json!({"asset": "reports", "payload": 3}));
    assert_eq!(emitted.status, 201, "{emitted:?}");
    let pending = condition();
    assert_eq!((&pending["met"], &pending["event"]["pending"]), (&json!(true), &json!(1)), "{pending}");
    assert!(pending["event"]["since"].is_string() && pending["event"].get("lacks").is_none(), "{pending}");
    let page = service.get("/dags/reported").body;
    assert!(page.contains("1 pending"), "{page}");
    assert!(service.json("/api/v1/dags/greeting").get("condition").is_none());
}
