//! The pages: their texts, their links, their forms. `fixtures/pages.rs` is the program.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::json;
use taskflow_tests::binaries::{call_at, program};
use taskflow_tests::common::eventually;

use crate::home::{Response, Service};

/// What no page may have: what is inline, and the hostile texts of the fixture as they are.
const NEVER: [&str; 8] =
    ["<script>", "<style", " style=", " onerror=alert(1)>\"", "<img src=x", "<b>markup", "\u{202e}", "javascript:"];

pub(crate) fn service(flags: &[&str]) -> Service {
    let flags = [&["--bind", "127.0.0.1:0"], flags].concat();
    Service::of("pages", tempfile::tempdir().expect("temporary directories can be made"), &flags)
}

/// A page, which is there and complete.
#[track_caller]
pub(crate) fn page(service: &Service, path: &str) -> String {
    let response = service.get(path);
    assert_eq!((response.status, response.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
    assert!(response.body.contains("</html>"), "{path} is cut");
    check(path, &response.body);
    response.body
}

#[track_caller]
fn check(path: &str, html: &str) {
    for text in NEVER {
        assert!(!html.contains(text), "{path} has `{text}`");
    }
    assert_eq!(html.matches("<h1>").count(), 1, "{path} has one heading");
}

#[track_caller]
pub(crate) fn assert_has(html: &str, texts: &[&str]) {
    for text in texts {
        assert!(html.contains(text), "`{text}` is not in {html}");
    }
}

/// Sends a form as a browser does.
pub(crate) fn send(service: &Service, path: &str, body: &str) -> Response {
    let origin = format!("http://{}", service.address);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", &*origin),
        ("sec-fetch-site", "same-origin"),
    ];
    service.send("POST", path, &headers, body)
}

/// Starts a run by the form, and returns its number.
#[track_caller]
pub(crate) fn trigger(service: &Service, dag: &str, body: &str) -> i64 {
    let sent = send(service, &format!("/dags/{dag}/trigger"), body);
    assert_eq!(sent.status, 303, "{sent:?}");
    let number = sent.header("location").strip_prefix("/runs/").and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("no run: {sent:?}"))
}

/// The value of a hidden field.
pub(crate) fn hidden(html: &str, name: &str) -> String {
    let (_, rest) = html.split_once(&format!("name=\"{name}\" value=\"")).expect("the form has the field");
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn an_empty_home_says_how_to_begin() {
    let service = service(&[]);
    assert_has(&page(&service, "/"), &["No runs yet", " run ad_spend", "See the DAGs"]);
    assert_has(&page(&service, "/dags"), &["usage_metering_with_a_rather_long_name", "at 06:00, Asia/Seoul"]);
    assert_has(&page(&service, "/runs"), &["Nothing has run in this home yet."]);
    assert_has(&page(&service, "/dags/daily_report"), &["It has not run yet.", "Next slots", "graph.svg"]);
    assert_has(&page(&service, "/backfills"), &["No backfill yet."]);
    let missing = service.get("/dags/daily_reprot");
    assert_eq!(missing.status, 404);
    assert_has(&missing.body, &["There is no DAG `daily_reprot`; did you mean `daily_report`?"]);
    let nothing = service.get("/nothing/%3Cscript%3E");
    assert_eq!((nothing.status, nothing.header("content-type")), (404, "text/html; charset=utf-8"));
    service.get("/api/v1/nothing").assert_problem(404, "there is nothing");
}

#[test]
fn a_failed_run_says_what_went_wrong_and_what_to_do() {
    let service = service(&[]);
    let run = trigger(&service, "hostile", "");
    service.wait(run, "failed");
    let html = page(&service, &format!("/runs/{run}"));
    assert_has(
        &html,
        &[
            "<title>✕ hostile · run 1 · taskflow</title>",
            "What went wrong",
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;",
            r"\u{202e}",
            "Not run as a result: after",
            " retry 1 --home ",
            "Retry failed",
        ],
    );
    assert_has(&page(&service, "/"), &["1 thing needs you", "fails in run 1", "action=\"/runs/1/retry\"", "Retry"]);
    let task = page(&service, &format!("/runs/{run}/tasks/fails"));
    assert_has(&task, &["What went wrong", "Attempts", "/runs/1/tasks/fails/1"]);
    assert_has(&page(&service, &format!("/runs/{run}/tasks/text_of")), &["https://example.com/report", "Named values"]);
    let log = page(&service, &format!("/runs/{run}/tasks/fails/1"));
    assert_has(&log, &["id=\"L1\"", "data-n=\"1\"", "&lt;img src=x onerror=alert(1)&gt;"]);
}

#[test]
fn a_long_log_is_searched_and_read_in_parts() {
    let service = service(&[]);
    let run = trigger(&service, "talking", "");
    service.wait(run, "success");
    let here = format!("/runs/{run}/tasks/writes_much/1");
    // The last records of a log are written up to 200 ms after the end of their task.
    eventually("its log is written", || service.get(&here).body.contains("5000 lines"));
    let whole = page(&service, &here);
    assert_has(&whole, &["lines, show them", "id=\"L1\"", "id=\"L200\""]);
    assert!(!whole.contains("id=\"L201\""), "the middle is left out");
    assert_has(&page(&service, &format!("{here}?from=300&to=310")), &["id=\"L300\"", "id=\"L310\""]);
    let found = page(&service, &format!("{here}?q=LINE%3D77"));
    assert_has(&found, &["lines match", "line=77", "#L"]);
    assert!(!found.contains("line=78</span>"), "only what matches is shown");
    assert_has(&page(&service, &format!("{here}?level=error")), &["0 of "]);
    let raw = service.get(&format!("{here}/raw"));
    assert_eq!((raw.status, raw.header("content-type")), (200, "text/plain; charset=utf-8"));
    assert!(raw.body.contains("read a row line=1\n"), "{}", &raw.body[..200]);
    assert_eq!(service.get(&format!("/runs/{run}/tasks/writes_much/9")).status, 404);
}

#[test]
fn the_trigger_form_has_the_types_of_the_parameters() {
    let service = service(&[]);
    let form = page(&service, "/dags/mapped/trigger");
    assert_has(&form, &["<option value=\"us\">us</option>", "default: eu", "In 1..=1000.", "How many elements"]);
    let refused = send(&service, "/dags/mapped/trigger", "p.count=5000&p.customer=%3Cb%3Eme&p.region=us");
    assert_eq!(refused.status, 422, "{refused:?}");
    check("the refused form", &refused.body);
    assert_has(
        &refused.body,
        &["is not in the range 1..=1000", "value=\"5000\"", "&lt;b&gt;me", "<option value=\"us\" selected>"],
    );
    let run = trigger(&service, "mapped", "p.count=20&p.region=us&p.overwrite=true&logical_date=2026-01-31T06:00:00Z");
    service.wait(run, "failed");
    let html = page(&service, &format!("/runs/{run}"));
    assert_has(&html, &["square[13]", "row 13: no such customer", "31 Jan 06:00 UTC"]);
    assert!(page(&service, &format!("/runs/{run}?state=failed")).contains("1 task<"), "the state is a filter");
}

#[test]
fn forms_change_runs_and_dags() {
    let service = service(&[]);
    let run = trigger(&service, "asking", "");
    eventually("it asks", || page(&service, "/").contains("Release 4.3 to all regions?"));
    assert_has(&page(&service, &format!("/runs/{run}")), &["What it waits for", "Cancel…"]);
    assert_has(&page(&service, &format!("/runs/{run}/cancel")), &["are asked to end"]);
    let cancelled = send(&service, &format!("/runs/{run}/cancel"), "reason=too+late");
    assert_eq!((cancelled.status, cancelled.header("location")), (303, &*format!("/runs/{run}")));
    service.wait(run, "cancelled");
    assert_eq!(send(&service, &format!("/runs/{run}/cancel"), "").status, 409);

    // What is cleared is what was previewed.
    let failed = trigger(&service, "hostile", "");
    service.wait(failed, "failed");
    let path = format!("/runs/{failed}/clear");
    let form = page(&service, &format!("{path}?tasks=fails&which=only"));
    assert_has(&form, &["Clear 1 task", "failed → runs again", "2 other tasks stay as they are"]);
    let stale = send(&service, &path, "tasks=fails&which=only&token=0000");
    assert_eq!(stale.status, 412, "{stale:?}");
    let token = hidden(&form, "token");
    let cleared = send(&service, &path, &format!("tasks=fails&which=only&token={token}&reason=again"));
    assert_eq!(cleared.status, 303, "{cleared:?}");
    service.wait(failed, "failed");
    assert_has(&page(&service, &format!("/runs/{failed}")), &["cleared fails", "again"]);
    let retried = send(&service, &format!("/runs/{failed}/retry"), "");
    assert_eq!(retried.status, 303, "{retried:?}");

    assert_eq!(send(&service, "/dags/daily_report/pause", "reason=%3Cb%3Edisk").status, 303);
    assert_has(&page(&service, "/dags/daily_report"), &["Paused by", "&lt;b&gt;disk", "Unpause…"]);
    let again = send(&service, "/dags/daily_report/pause", "");
    assert_eq!(again.status, 409, "{again:?}");
    assert_eq!(send(&service, "/dags/daily_report/unpause", "catchup=none").status, 303);
}

/// A task waits for another run, which ends with its own. The form said nothing of it.
#[test]
fn the_form_that_cancels_a_run_shows_what_ends_with_it() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let [hold, log] = ["turns.hold", "turns.log"].map(|name| directory.path().join(name).display().to_string());
    std::fs::write(&hold, "").expect("temporary files can be written");
    let service = Service::with_environment("turns", directory, &[("TURNS_HOLD", &hold), ("TURNS_LOG", &log)]);
    let run = service.trigger("triggers", &json!({}));
    let awaited = || service.json(&format!("/api/v1/runs/{run}"))["triggered"][0].clone();
    eventually("the other run runs", || awaited()["state"] == "running");
    let other = awaited()["number"].as_i64().expect("a number");
    let path = format!("/runs/{run}/cancel");
    let form = page(&service, &path);
    assert_has(&form, &["are asked to end", "awaited</span>", "→ cancelled"]);
    assert_has(&form, &[&format!("Run {other}, which a task waits for, is cancelled as well.")]);
    assert_eq!(send(&service, &path, "").status, 303);
    service.wait(run, "cancelled");
    service.wait(other, "cancelled");
    assert_has(&page(&service, &path), &["has already ended (state: cancelled)"]);
}

#[test]
fn tasks_are_marked_as_the_form_has_shown() {
    let service = service(&[]);
    let run = trigger(&service, "hostile", "");
    service.wait(run, "failed");
    let path = format!("/runs/{run}/mark");
    assert_has(&page(&service, &format!("/runs/{run}")), &["Mark…", "/mark?tasks=fails"]);
    assert_has(&page(&service, &format!("/runs/{run}/tasks/fails")), &["Mark…", "/clear?tasks=fails"]);
    // Other tasks take its value.
    let missing = page(&service, &format!("{path}?tasks=fails&state=success"));
    assert_has(&missing, &["fails, which has none: give a u32 as JSON.", "aria-invalid=\"true\""]);
    assert!(!missing.contains("name=\"token\""), "{missing}");
    let form = page(&service, &format!("{path}?tasks=fails&state=success&value=7"));
    assert_has(&form, &["failed → success", "Mark 1 task as success", "2 other tasks stay as they are"]);
    assert_has(&form, &["after did not run because of these", "mark success"]);
    let token = hidden(&form, "token");

    let before = service.json(&format!("/api/v1/runs/{run}"))["tasks"].clone();
    for (body, wrong) in [
        ("tasks=&state=failed&reason=x", "Name at least one task."),
        ("tasks=fails&state=failed&reason=", "Say why"),
        ("tasks=fials&state=failed&reason=x", "did you mean `fails`"),
        ("tasks=fails&state=success&value=seven&reason=x", "This is not JSON"),
        ("tasks=fails&state=success&value=-7&reason=x", "is not a valid u32"),
        ("tasks=fails&state=skipped&value=7&reason=x", "value"),
    ] {
        let refused = send(&service, &path, &format!("{body}&token={token}"));
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert_has(&refused.body, &[wrong, "aria-invalid=\"true\""]);
    }
    // The token is of another state, and of other tasks.
    for body in ["tasks=fails&state=failed", "tasks=fails+after&state=success&value=7", "tasks=fails&state=skipped"] {
        let stale = send(&service, &path, &format!("{body}&reason=x&token={token}"));
        assert_eq!(stale.status, 412, "{body}: {stale:?}");
        assert_has(&stale.body, &["have changed since the preview", "value=\"x\""]);
    }
    assert_eq!(service.json(&format!("/api/v1/runs/{run}"))["tasks"], before, "nothing was done");

    let marked = send(&service, &path, &format!("tasks=fails&state=success&value=7&token={token}&reason=by+hand"));
    assert_eq!((marked.status, marked.header("location")), (303, &*format!("/runs/{run}")), "{marked:?}");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/values/fails")), 7);
    assert_has(&page(&service, &format!("/runs/{run}")), &["marked fails", "by hand", "Resume"]);
    assert_eq!(send(&service, &format!("/runs/{run}/resume"), "").status, 303);
    service.wait(run, "success");
    let trail = service.json(&format!("/api/v1/audit?run={run}&action=mark"));
    let entries = trail["entries"].as_array().expect("a list");
    let applied: Vec<_> = entries.iter().filter(|entry| entry["outcome"] == "applied").collect();
    assert_eq!(applied.len(), 1, "{trail}");
    assert_eq!((&applied[0]["reason"], &applied[0]["token"]), (&json!("by hand"), &json!(token)), "{trail}");
}

#[test]
fn other_origins_and_read_only_servers_change_nothing() {
    let service = service(&["--read-only"]);
    for path in ["/dags/hostile/trigger", "/dags/daily_report/pause", "/runs:clear", "/dags:pause"] {
        assert_eq!(service.get(path).status, 404, "{path}");
        assert_eq!(send(&service, path, "").status, 404, "{path}");
    }
    assert!(!page(&service, "/dags").contains("type=\"checkbox\""), "nothing can be selected");
    assert!(!page(&service, "/dags/daily_report").contains("Pause…"), "there is no button");
    drop(service);
    let service = self::service(&[]);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "http://evil.test"),
        ("sec-fetch-site", "cross-site"),
    ];
    let refused = service.send("POST", "/dags/hostile/trigger", &headers, "");
    assert_eq!(refused.status, 403, "{refused:?}");
    let json = service.send("POST", "/dags/hostile/trigger", &[("content-type", "text/plain")], "a=1");
    assert_eq!(json.status, 415, "{json:?}");
    assert_has(&page(&service, "/runs"), &["Nothing has run"]);
}

/// How many links to one page are followed that differ in their values only: days that a calendar
/// can choose, tasks that a graph can show.
const ALIKE: usize = 25;

/// A link without the values of its query.
fn shape(link: &str) -> String {
    let (path, query) = link.split_once('?').unwrap_or((link, ""));
    let names: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default()).collect();
    format!("{path}?{}", names.join("&"))
}

#[test]
fn every_link_of_every_page_leads_somewhere() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let home = directory.path().join("home");
    let filled = program("pages").arg("fill").arg(&home).arg("1").status().expect("a built program starts");
    assert!(filled.success());
    let backfill = ["backfill", "daily_report", "2026-01-01/2026-01-03"];
    call_at(&home, "pages", &backfill);
    let service = Service::of("pages", directory, &["--bind", "127.0.0.1:0"]);
    let failed = trigger(&service, "hostile", "");
    service.wait(failed, "failed");
    for dag in ["skipping", "waiting", "asking"] {
        trigger(&service, dag, "");
    }
    let mapped = trigger(&service, "mapped", "p.count=20");
    let cancelled = trigger(&service, "waiting", "");
    service.wait(mapped, "failed");
    send(&service, &format!("/runs/{cancelled}/cancel"), "");
    service.wait(cancelled, "cancelled");

    let mut known = BTreeSet::from(["/".to_owned()]);
    let mut next = VecDeque::from(["/".to_owned()]);
    let mut pages = 0;
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    while let Some(path) = next.pop_front() {
        let response = service.get(&path);
        assert_eq!(response.status, 200, "{path}: {}", response.body);
        if response.header("content-type") != "text/html; charset=utf-8" {
            continue;
        }
        check(&path, &response.body);
        pages += 1;
        for attribute in ["href=\"/", "src=\"/"] {
            for rest in response.body.split(attribute).skip(1) {
                let link =
                    rest.split(['"', '#']).next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&");
                let link = format!("/{link}");
                // The months of one DAG are like those of the others.
                let is_month = link.contains("/calendar?") && link.contains("month=");
                let is_like_others = is_month && !link.contains("/daily_report/");
                if !is_like_others && known.insert(link.clone()) {
                    let alike = shapes.entry(shape(&link)).or_insert(0);
                    *alike += 1;
                    if *alike <= ALIKE {
                        next.push_back(link);
                    }
                }
            }
        }
    }
    assert!(pages > 300, "only {pages} pages were reached");
    let task = format!("/runs/{failed}/tasks/fails");
    for path in ["/backfills/1", "/doctor", "/events?asset=warehouse%2Forders", &task] {
        assert!(known.contains(path), "no page leads to {path}");
    }
}
