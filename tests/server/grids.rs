//! The grid, the elements of mapped tasks, durations and the calendar, compared with what the
//! documents of runs say.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::pages::page;

fn pages() -> Service {
    Service::of("pages", tempfile::tempdir().expect("temporary directories can be made"), &["--bind", "127.0.0.1:0"])
}

/// How often each state is in the documents of the tasks of a run, elements of one task only.
fn states(service: &Service, run: i64, prefix: &str) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for task in service.json(&format!("/api/v1/runs/{run}/tasks")).as_array().expect("a list") {
        if task["id"].as_str().expect("an id").starts_with(prefix) {
            *states.entry(task["state"].as_str().expect("a state").to_owned()).or_default() += 1;
        }
    }
    states
}

#[test]
fn the_elements_of_a_mapped_task_are_counted_as_its_run_has_them() {
    let service = pages();
    let run = service.trigger("mapped", &json!({ "count": 500 }));
    service.wait(run, "failed");
    let at = format!("/api/v1/runs/{run}/tasks/square/elements");
    let summary = service.json(&format!("{at}/summary"));
    let counted: BTreeMap<String, usize> = summary["states"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (of["state"].as_str().unwrap().to_owned(), of["count"].as_u64().unwrap() as usize))
        .collect();
    assert_eq!(counted, states(&service, run, "square["));
    // Those with `number % 97 == 13`.
    let failed: Vec<String> = (0..500).filter(|number| number % 97 == 13).map(|at| format!("square[{at}]")).collect();
    assert_eq!(summary["count"], 500);
    assert_eq!(summary["failures"].as_array().expect("a list").len(), 1, "{summary}");
    assert_eq!(summary["failures"][0]["count"], failed.len());
    assert!(summary["failures"][0]["message"].as_str().unwrap().contains("row #: no such customer"), "{summary}");
    let bars = summary["took"]["histogram"].as_array().expect("a list");
    assert_eq!(bars.iter().map(|bar| bar["count"].as_u64().unwrap()).sum::<u64>(), 500);
    assert_eq!(summary["strip"].as_array().expect("a list").len(), 500);

    let list = service.json(&format!("{at}?state=failed&limit=1000"));
    let ids: Vec<&str> =
        list["elements"].as_array().expect("a list").iter().map(|of| of["id"].as_str().unwrap()).collect();
    assert_eq!(ids, failed);
    let part = service.json(&format!("{at}?first=100&last=299&skip=150&limit=10"));
    assert_eq!((&part["count"], &part["elements"][0]["id"]), (&json!(200), &json!("square[250]")));
    let by_message = service.json(&format!("{at}?message=NO%20SUCH&limit=1"));
    assert_eq!(by_message["count"], failed.len());
    service.get(&format!("/api/v1/runs/{run}/tasks/total/elements")).assert_problem(404, "total");

    let body = page(&service, &format!("/runs/{run}/tasks/square"));
    assert!(body.contains(&format!("Clear the {} failed", failed.len())), "{body}");
    assert!(body.contains(&format!("/runs/{run}/clear?tasks=square&amp;which=failed")), "{body}");
    assert!(body.contains("1 to 100 of 500"), "{body}");
    let form = page(&service, &format!("/runs/{run}/clear?tasks=square&which=failed"));
    assert!(form.contains("square[13]") && !form.contains("square[14]"), "{form}");
    let filtered = page(&service, &format!("/runs/{run}/tasks/square?state=failed"));
    assert!(filtered.contains(&format!("1 to {} of {}", failed.len(), failed.len())), "{filtered}");

    // An address can name any place: the sum with that of the first element overflowed.
    for query in ["first", "last", "from"].map(|name| format!("{name}={}", u64::MAX)) {
        let body = page(&service, &format!("/runs/{run}/tasks/square?{query}"));
        assert_eq!(body.contains("1 to 100 of 500"), query.starts_with("last"), "{query}: {body}");
    }
}

#[test]
fn an_element_that_is_cleared_changes_the_counts() {
    let service = pages();
    let run = service.trigger("mapped", &json!({ "count": 100 }));
    service.wait(run, "failed");
    let at = format!("/api/v1/runs/{run}/tasks/square/elements/summary");
    assert_eq!(service.json(&at)["failures"][0]["count"], 1);
    let body = json!({ "tasks": ["square[13]"], "run": false });
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/clear"), &body).status, 200);
    let summary = service.json(&at);
    assert_eq!(summary["failures"], json!([]), "{summary}");
    assert_eq!(service.call(&["db", "check"]).code, Some(0));
}

#[test]
fn the_grid_has_a_column_for_each_run_and_a_row_for_each_task() {
    let service = pages();
    let runs: Vec<i64> = (0..3).map(|_| service.trigger("mapped", &json!({ "count": 20 }))).collect();
    runs.iter().for_each(|&run| service.wait(run, "failed"));
    let body = page(&service, "/dags/mapped/grid");
    for run in &runs {
        assert!(body.contains(&format!("href=\"/runs/{run}\"")), "{body}");
        assert!(body.contains(&format!("href=\"/runs/{run}/tasks/square\" title=\"1 of 20 failed\"")), "{body}");
        assert!(body.contains(&format!("href=\"/runs/{run}/tasks/squares\" title=\"success, ")), "{body}");
    }
    assert_eq!(body.matches("<th scope=\"row\"><a class=\"name").count(), 5, "{body}");
    let failed = page(&service, "/dags/mapped/grid?rows=failed");
    assert_eq!(failed.matches("<th scope=\"row\"><a class=\"name").count(), 1, "{failed}");
    assert!(failed.contains(">square</a>"), "{failed}");
    let found = page(&service, "/dags/mapped/grid?task=TOT");
    assert!(found.contains(">total</a>") && !found.contains(">square</a>"), "{found}");
    let none = page(&service, "/dags/mapped/grid?until=2020-01-01");
    assert!(none.contains("There are no runs or slots up to then"), "{none}");
}

#[test]
fn the_tasks_of_a_large_graph_are_collapsed_to_their_groups() {
    let service = pages();
    let run = service.trigger("large", &json!({}));
    service.wait(run, "success");
    let body = page(&service, "/dags/large/grid");
    assert_eq!(body.matches(" class=\"group\">").count(), 10, "{body}");
    assert!(body.contains("title=\"100 of 100 success\""), "{body}");
    assert!(body.contains("1001 tasks"), "{body}");
    let open = page(&service, "/dags/large/grid?open=billing");
    assert_eq!(open.matches(" class=\"group\">").count(), 10);
    assert_eq!(open.matches("/tasks/billing.").count(), 200, "a row and a cell for each task");
    assert!(body.contains("/dags/large/grid.svg"), "{body}");
    let image = service.get("/dags/large/grid.svg");
    assert_eq!(image.header("content-type"), "image/svg+xml");
    assert!(image.body.contains("<path class=\"ok\""), "{image:?}");
    assert!(image.body.len() < 2_000, "{}", image.body.len());
}

#[test]
fn slots_have_their_fates_their_times_and_filters() {
    let service = Service::new();
    let (json_type, reason) = ([("content-type", "application/json")], json!({ "reason": "the <b>disk</b>" }));
    assert_eq!(service.send("PUT", "/api/v1/dags/daily/pause", &json_type, &reason.to_string()).status, 200);
    service.send("DELETE", "/api/v1/dags/daily/pause", &[], "");
    let backfill = json!({ "dag": "daily", "slots": ["2026-01-01/2026-01-03"] });
    assert_eq!(service.post("/api/v1/backfills", &backfill).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let slots = service.json("/api/v1/dags/daily/slots?fate=success");
    let slots = slots.as_array().expect("a list");
    assert_eq!(slots.len(), 3, "{slots:?}");
    for slot in slots {
        let times = ["created", "started", "ended"].map(|name| slot[name].as_str().expect("a time").to_owned());
        assert!(times.is_sorted(), "{slot}");
        let run = service.json(&format!("/api/v1/runs/{}", slot["run"]));
        assert_eq!((&slot["created"], &slot["ended"]), (&run["created"], &run["ended"]));
        // It is of a backfill: nothing is late.
        assert_eq!((&slot["run_type"], &slot["due"]), (&json!("backfill"), &Value::Null));
    }
    let dates = |path: &str| -> Vec<String> {
        let slots = service.json(path);
        let first = |slot: &Value| slot["first"].as_str().expect("a time")[..10].to_owned();
        slots.as_array().expect("a list").iter().map(first).collect()
    };
    let newest = dates("/api/v1/dags/daily/slots?fate=success&limit=1");
    let before = slots[0]["first"].as_str().expect("a time");
    let older = dates(&format!("/api/v1/dags/daily/slots?fate=success,failed&before={before}"));
    assert_eq!((newest.len(), older.len()), (1, 2));
    assert!(older.iter().all(|date| *date < newest[0]), "{newest:?} {older:?}");
    let notes = service.json("/api/v1/dags/daily/slots?fate=note");
    assert_eq!(notes.as_array().map(Vec::len), Some(2), "{notes}");
    service.get("/api/v1/dags/daily/slots?fate=mised").assert_problem(400, "did you mean `missed`");
    let printed = service.call(&["slots", "daily", "--fate", "success", "--output", "json"]);
    assert_eq!(printed.json().as_array(), Some(slots), "{printed:?}");
    let table = service.call(&["slots", "daily", "--fate", "success"]);
    assert!(table.stdout.contains("waited") && table.stdout.contains("took"), "{table:?}");

    let all = page(&service, "/dags/daily/slots");
    assert!(all.contains("To come") && all.contains("paused by"), "{all}");
    assert!(all.contains("the &lt;b&gt;disk&lt;/b&gt;") && !all.contains("<b>disk"), "{all}");
    for run in 1..=3 {
        assert!(all.contains(&format!("href=\"/runs/{run}\"")), "{all}");
    }
    let history = page(&service, "/dags/daily/slots?show=history");
    assert!(history.contains("paused by") && !history.contains("href=\"/runs/1\""), "{history}");
    assert!(page(&service, "/dags/daily/slots?show=lost").contains("No slot matches"));
    let none = service.get("/dags/greeting/slots");
    assert!(none.status == 404 && none.body.contains("neither a schedule nor event parameters"), "{none:?}");
}

/// Case 52: a number of slots without a run says little without the number of all.
#[test]
fn the_slots_without_a_run_are_counted_with_their_share() {
    let service = Service::with_schedules_of("large");
    let slots = || service.json("/api/v1/dags/crowded/slots?limit=1000").as_array().expect("a list").clone();
    let count = |slots: &[Value]| slots.iter().map(|slot| slot["count"].as_u64().expect("a number")).sum::<u64>();
    let skipped = |slots: &[Value]| -> u64 {
        let skipped: Vec<Value> = slots.iter().filter(|slot| slot["fate"] == "skipped").cloned().collect();
        count(&skipped)
    };
    let finding = || {
        let findings = service.json("/api/v1/doctor")["findings"].as_array().expect("a list").clone();
        findings.into_iter().find(|finding| finding["finding"] == "skips_slots")
    };
    assert_eq!(finding(), None);
    // The run of the first slot has not ended when the others are due.
    eventually("slots are skipped", || skipped(&slots()) >= 3);
    let headers = [("content-type", "application/json")];
    assert_eq!(service.send("PUT", "/api/v1/dags/crowded/pause", &headers, "{}").status, 200);
    service.open_gate();
    eventually("the run has ended", || slots().iter().any(|slot| slot["fate"] == "success"));
    let (lost, all) = (skipped(&slots()), count(&slots()));
    let body = page(&service, "/dags/crowded/slots");
    assert!(body.contains(&format!("<dd>{lost} skipped of {all} slots<small>a run was active")), "{body}");
    let found = finding().expect("more than half of them");
    assert_eq!((&found["dag"], &found["severity"]), (&json!("crowded"), &json!("notice")));
    assert_eq!((&found["skipped"], &found["slots"]), (&json!(lost), &json!(all)));
    let message = found["message"].as_str().expect("a sentence");
    assert!(message.starts_with(&format!("of {all} slots of `crowded` since 2")), "{message}");
    assert!(message.ends_with(&format!(", {lost} were skipped or superseded")), "{message}");
    // A backfill runs all but one: those have a run.
    let span = "from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&limit=500";
    let span = service.json(&format!("/api/v1/dags/crowded/slots?{span}"))["slots"].clone();
    let of_span = span.as_array().expect("a list").iter().filter(|slot| slot["fate"] == "skipped");
    let chosen: Vec<&Value> = of_span.map(|slot| &slot["at"]).skip(1).collect();
    let backfill = service.post("/api/v1/backfills", &json!({ "dag": "crowded", "slots": chosen }));
    assert_eq!(backfill.status, 201, "{backfill:?}");
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let body = page(&service, "/dags/crowded/slots");
    assert!(body.contains(&format!("<dd>1 skipped of {all} slots<small>")), "{body}");
    assert_eq!(finding(), None);
}

#[test]
fn durations_and_the_calendar_of_a_dag_are_pages() {
    let service = pages();
    let run = service.trigger("daily_report", &json!({}));
    service.wait(run, "success");
    let durations = page(&service, "/dags/daily_report/durations");
    assert!(durations.contains(&format!("href=\"/runs/{run}\"><circle class=\"ok\"")), "{durations}");
    let of_task = page(&service, "/dags/daily_report/durations?task=clean");
    assert!(of_task.contains(&format!("href=\"/runs/{run}\"><circle class=\"ok\"")), "{of_task}");
    // At 06:00 in Seoul on each day of a month to come.
    let month = page(&service, "/dags/daily_report/calendar?month=2096-02");
    assert!(month.contains("February 2096") && month.contains("Asia/Seoul"), "{month}");
    assert_eq!(month.matches("<span>06:00</span>").count(), 29, "{month}");
    let slots = service.json("/api/v1/dags/daily_report/slots?from=2096-02-01T00:00:00Z&to=2096-02-03T00:00:00Z");
    let at: Vec<&str> =
        slots["slots"].as_array().expect("a list").iter().map(|slot| slot["at"].as_str().unwrap()).collect();
    assert_eq!(at, ["2096-02-01T21:00:00Z", "2096-02-02T21:00:00Z"]);
    service.get("/api/v1/dags/daily_report/slots?from=2096-02-01T00:00:00Z").assert_problem(400, "`from` needs `to`");
    assert!(page(&service, "/dags/mapped/grid").contains("Durations"));
    assert!(!page(&service, "/dags/mapped/grid").contains("Calendar"), "it has no slots");
}
