//! Backfills in the pages: the form with its preview, and what can be done with a backfill.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};
use crate::pages::{assert_has, hidden, page, send};

const FORM: &str = "/dags/daily/backfill";

/// Starts a backfill by the form, and returns its address.
#[track_caller]
fn start(service: &Service, fields: &str) -> String {
    let token = hidden(&page(service, &format!("{FORM}?{fields}")), "token");
    let sent = send(service, FORM, &format!("{fields}&token={token}"));
    assert_eq!(sent.status, 303, "{sent:?}");
    sent.header("location").to_owned()
}

fn backfills(service: &Service) -> usize {
    service.json("/api/v1/backfills").as_array().map_or(0, Vec::len)
}

/// The newest entries of the trail.
fn newest(service: &Service) -> serde_json::Value {
    service.json("/api/v1/audit?limit=1")["entries"][0].clone()
}

#[test]
fn a_preview_is_started_as_it_was_shown_or_not_at_all() {
    let service = Service::new();
    let fields = "from=2026-01-01&to=2026-01-05&scope=missing&order=newest&limit=2&reason=new+%3Cb%3Erates";
    let preview = page(&service, &format!("{FORM}?{fields}"));
    assert_has(&preview, &["5 slots, ", "5 new: has no run yet", "Run 5 slots", "new &lt;b&gt;rates"]);
    assert_has(&preview, &["backfill daily 2026-01-01/2026-01-05 --order newest --limit 2"]);
    assert_eq!(backfills(&service), 0, "a preview starts nothing");
    // Somebody else has run one of the slots meanwhile.
    let other = json!({ "dag": "daily", "slots": ["2026-01-03"] });
    assert_eq!(service.post("/api/v1/backfills", &other).status, 201);
    eventually("the other is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let stale = send(&service, FORM, &format!("{fields}&token={}", hidden(&preview, "token")));
    assert_eq!(stale.status, 412, "{stale:?}");
    assert_has(&stale.body, &["since its preview", "Run 4 slots", "1 left alone: has a run", "value=\"2026-01-05\""]);
    assert_eq!(backfills(&service), 1, "nothing was started");
    let token = hidden(&stale.body, "token");
    // A field that was changed after the preview is a change, too.
    let wider = send(&service, FORM, &format!("{}&token={token}", fields.replace("01-05", "01-07")));
    assert_eq!(wider.status, 412, "{wider:?}");
    let blind = send(&service, FORM, fields);
    assert_eq!(blind.status, 428, "{blind:?}");
    let sent = send(&service, FORM, &format!("{fields}&token={token}"));
    assert_eq!((sent.status, sent.header("location")), (303, "/backfills/2"), "{sent:?}");
    eventually("it is done", || service.json("/api/v1/backfills/2")["state"] == "done");
    let shown = page(&service, "/backfills/2");
    assert_has(&shown, &["5 of 5 slots", "newest first", "new &lt;b&gt;rates", "Jan 2026", "5 success"]);
    let row = newest(&service);
    assert_eq!(
        (&row["action"], &row["outcome"], &row["token"]),
        (&json!("backfill"), &json!("applied"), &json!(token))
    );
    // All of them have runs now.
    let again = page(&service, &format!("{FORM}?{fields}"));
    assert_has(&again, &["There is nothing to run"]);
    assert!(!again.contains("<button class=\"primary\">Run"), "{again}");
}

#[track_caller]
fn assert_invalid(response: &Response, fields: &[&str]) {
    assert_eq!(response.body.matches("aria-invalid").count(), fields.len(), "{response:?}");
    for field in fields {
        let (_, rest) = response.body.split_once(&format!("name=\"{field}\"")).expect("the field is there");
        assert!(rest.split('>').next().is_some_and(|tag| tag.contains("aria-invalid")), "{field}: {response:?}");
        assert!(response.body.contains(&format!("href=\"#f-{field}\"")), "the error leads to {field}");
    }
}

#[test]
fn everything_wrong_is_said_at_its_field_and_what_was_typed_stays() {
    let service = Service::new();
    let fields = "from=soon&to=%3Cscript%3E&scope=most&limit=0&p.day=yesterday&reason=a+%22b%22";
    for response in [service.get(&format!("{FORM}?{fields}")), send(&service, FORM, &format!("{fields}&token=1"))] {
        assert_invalid(&response, &["from", "to", "scope", "limit", "p.day"]);
        assert_has(
            &response.body,
            &["5 fields are not valid", "value=\"soon\"", "value=\"yesterday\"", "a &#34;b&#34;"],
        );
        assert!(!response.body.contains("<script>"), "{response:?}");
    }
    assert_invalid(&service.get(&format!("{FORM}?from=2026-01-05&to=2026-01-01")), &["to"]);
    assert_invalid(&service.get(&format!("{FORM}?from=2096-01-05&to=2096-01-06")), &["from"]);
    assert_invalid(&service.get(&format!("{FORM}?from=&to=2026-01-06")), &["from"]);
    assert_eq!(backfills(&service), 0);
    // A DAG without a schedule has nothing to backfill.
    assert!(!page(&service, "/dags/greeting").contains("Backfill…"));
    let refused = page(&service, "/dags/greeting/backfill?from=2026-01-01");
    assert_has(&refused, &["has no schedule"]);
    // The form of a run, too, says everything at once.
    let refused = send(&service, "/dags/greeting/trigger", "logical_date=soon&p.times=9&p.name=%3Cb%3E");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_invalid(&refused, &["logical_date", "p.times"]);
    assert_has(&refused.body, &["2 fields are not valid", "value=\"&lt;b&gt;\"", "value=\"9\""]);
}

#[test]
fn a_backfill_is_paused_limited_extended_resumed_and_cancelled_by_forms() {
    let service = Service::new();
    let here = start(&service, "from=2020-01-01&to=2025-12-31&limit=1");
    let act = |verb: &str, body: &str| send(&service, &format!("{here}/{verb}"), body);
    let state = || service.json(&format!("/api/v1{here}"))["state"].clone();
    assert_has(&page(&service, &here), &["Pause…", "Limit…", "Extend…", "Cancel…", "pending"]);
    assert_has(&page(&service, &format!("{here}/pause")), &["Runs that are active go on", "backfills pause 1"]);
    let paused = act("pause", "reason=%3Cb%3Elunch");
    assert_eq!((paused.status, paused.header("location")), (303, &*here), "{paused:?}");
    assert_eq!(state(), "paused");
    assert_has(&page(&service, &here), &["Paused by", "&lt;b&gt;lunch", "Resume…"]);
    assert_eq!(newest(&service)["action"], "backfills pause");
    let again = act("pause", "reason=again");
    assert_eq!(again.status, 409, "{again:?}");
    assert_has(&again.body, &["value=\"again\""]);

    for text in ["", "0", "many"] {
        let refused = act("limit", &format!("limit={text}&reason=hm"));
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_invalid(&refused, &["limit"]);
        assert_has(&refused.body, &["value=\"hm\""]);
    }
    assert_eq!(act("limit", "limit=3").status, 303);
    assert_eq!(service.json(&format!("/api/v1{here}"))["limit"], 3);
    for text in ["", "later", "2025-12-30"] {
        let refused = act("extend", &format!("to={text}"));
        assert_eq!(refused.status, 422, "{refused:?}");
        assert_invalid(&refused, &["to"]);
    }
    assert_eq!(act("extend", "to=2026-01-31").status, 303);
    assert_eq!(service.json(&format!("/api/v1{here}"))["slots"], 2_223);
    let refused = act("retry", "");
    assert_eq!(refused.status, 409, "{refused:?}");

    assert_eq!(act("resume", "").status, 303);
    assert_eq!(state(), "active");
    assert_has(&page(&service, &format!("{here}/cancel")), &["cannot be undone"]);
    assert_eq!(act("cancel", "running=true&reason=enough").status, 303);
    let shown = page(&service, &here);
    assert_has(&shown, &["Cancelled by", "enough", "dropped"]);
    assert!(!shown.contains("Pause…") && !shown.contains("Extend…"), "{shown}");
    assert_eq!(service.get("/backfills/99/pause").status, 404);
    assert_eq!(service.get("/backfills/first/pause").status, 404);
}

#[test]
fn slots_of_the_grid_and_days_of_the_calendar_lead_to_the_preview_of_their_range() {
    let service = Service::new();
    start(&service, "from=2026-01-01&to=2026-01-03&limit=1");
    eventually("it is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let grid = page(&service, "/dags/daily/grid");
    let range = "/dags/daily/backfill?from=2026-01-01T00%3A00%3A00Z&amp;to=2026-01-03T00%3A00%3A00Z";
    assert_has(&grid, &["Backfill these slots…", range]);
    let calendar = page(&service, "/dags/daily/calendar?month=2026-01");
    assert_has(&calendar, &["Backfill this month…", "/dags/daily/backfill?from=2026-01-01&amp;to=2026-01-31"]);
    assert_has(&calendar, &["/dags/daily/calendar?month=2026-01&amp;from=2026-01-05\""]);
    // The other end may be before the first choice.
    let one = page(&service, "/dags/daily/calendar?month=2026-01&from=2026-01-05");
    assert_has(
        &one,
        &["choose the other end", "from=2026-01-02&amp;to=2026-01-05", "from=2026-01-05&amp;to=2026-01-09"],
    );
    let both = page(&service, "/dags/daily/calendar?month=2026-01&from=2026-01-05&to=2026-01-09");
    assert_has(&both, &["5 Jan", "Backfill these days…", "/dags/daily/backfill?from=2026-01-05&amp;to=2026-01-09"]);
    assert_eq!(both.matches("chosen\"").count(), 5, "the days are marked");
    assert_has(&page(&service, "/dags/daily/backfill?from=2026-01-05&to=2026-01-09"), &["Run 5 slots"]);
    // Slots that were run before are run once more.
    let all = page(&service, "/dags/daily/backfill?from=2026-01-02&to=2026-01-05&scope=all");
    assert_has(&all, &["2 run again: its run is cleared", "2 new: has no run yet", "Run 4 slots"]);
    let failed = page(&service, "/dags/daily/backfill?from=2026-01-02&to=2026-01-05&scope=failed");
    assert_has(&failed, &["2 left alone: has no run", "2 left alone: its run has not failed"]);
}

#[test]
fn a_server_that_is_read_only_offers_no_backfill() {
    let service = Service::with(&["--bind", "127.0.0.1:0", "--read-only"]);
    for path in ["/dags/daily", "/dags/daily/grid", "/dags/daily/calendar"] {
        assert!(!page(&service, path).contains("Backfill "), "{path}");
        assert!(!page(&service, path).contains("Backfill…"), "{path}");
    }
    assert_eq!(service.get(FORM).status, 404);
}

#[test]
fn slots_that_failed_with_one_message_are_one_row() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let fails = |day: u32| directory.path().join(format!("hold.fail.2026-01-{day:02}"));
    (2..=8).for_each(|day| std::fs::write(fails(day), "").expect("temporary files can be written"));
    let service = Service::of("serves", directory, &["--bind", "127.0.0.1:0"]);
    let body = json!({ "dag": "days", "slots": ["2026-01-01/2026-01-09"], "limit": 3 });
    assert_eq!(service.post("/api/v1/backfills", &body).status, 201);
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let shown = page(&service, "/backfills/1");
    assert_has(&shown, &["labelled: a file says so", ">7 slots<", "and 2 more"]);
    assert_eq!(shown.matches("a file says so").count(), 2, "a row, and its key: {shown}");
    // The slots that are named lead to their runs.
    let section = shown.split("id=\"failed\"").nth(1).and_then(|rest| rest.split("</section>").next());
    let links = section.expect("a section").split("<a href=\"/runs/").skip(1);
    let runs: Vec<&str> = links.map(|link| link.split('"').next().expect("it ends")).collect();
    assert_eq!(runs.len(), 5, "{runs:?}");
    for run in runs {
        assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["state"], "failed", "{run}");
    }
}

/// `daily` has a schedule, `greeting` has none. Neither list was a view of a DAG.
#[test]
fn the_backfills_and_the_versions_of_a_dag_are_among_its_views() {
    let service = Service::new();
    let here = "/dags/daily/backfills";
    assert_has(&page(&service, here), &["No backfill yet", "backfill daily 2026-01-01/2026-01-31", "Backfill…"]);
    let backfill = start(&service, "from=2026-01-01&to=2026-01-02");
    let list = page(&service, here);
    assert_has(&list, &[&format!("href=\"{backfill}\""), &format!("href=\"{here}\" aria-current=\"page\"")]);
    for path in ["/dags/daily", "/dags/daily/versions", "/dags/daily/grid"] {
        assert_has(&page(&service, path), &[&format!("href=\"{here}\""), "href=\"/dags/daily/versions\""]);
    }
    let other = page(&service, "/dags/greeting/versions");
    assert_has(&other, &["href=\"/dags/greeting/versions\" aria-current=\"page\""]);
    assert!(!other.contains("/dags/greeting/backfills"), "it has no slots: {other}");
    assert!(!page(&service, "/dags/greeting/backfills").contains("backfill 1"), "it is that of another DAG");
}
