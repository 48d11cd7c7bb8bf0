//! The pages for whoever operates a home: approvals, deadlines, pools, versions, settings, and the
//! parts of a run, with the documents of the API behind them.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::pages::{assert_has, page, send};

fn pages() -> Service {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    Service::of("pages", directory, &["--bind", "127.0.0.1:0"])
}

#[test]
fn a_question_is_listed_counted_and_answered_by_post_only() {
    let service = pages();
    assert_has(&page(&service, "/approvals"), &["Nothing to answer"]);
    let run = service.trigger("asking", &json!({}));
    eventually("it asks", || service.json("/api/v1/approvals").as_array().is_some_and(|all| all.len() == 1));
    let asked = &service.json("/api/v1/approvals")[0];
    assert_eq!((&asked["task"], &asked["answer"]), (&json!("release"), &json!("Decision")), "{asked}");
    assert_eq!(asked["form"]["choices"], json!(["approved", "rejected"]), "{asked}");
    assert_has(&page(&service, "/approvals"), &["1 question to answer", "Release 4.3 to all regions?"]);
    eventually("the rail counts it", || page(&service, "/").contains("Approvals <b class=\"badge\">1</b>"));

    let here = format!("/approvals/{run}/release");
    assert_has(&page(&service, &here), &["Approve</button>", "Reject</button>", "it waits for ever", " release "]);
    // Opening an address of an answer changes nothing.
    assert_eq!(service.get(&format!("{here}/answer?answer=approved")).status, 405);
    let refused = send(&service, &format!("{here}/answer"), "answer=perhaps&reason=hm");
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_has(&refused.body, &["`perhaps` is not one of approved, rejected", "value=\"hm\""]);
    let sent = send(&service, &format!("{here}/answer"), "answer=approved&reason=tested");
    assert_eq!((sent.status, sent.header("location")), (303, &*format!("/runs/{run}/tasks/release")), "{sent:?}");
    service.wait(run, "success");
    let value = service.json(&format!("/api/v1/runs/{run}/values/release"));
    assert!(value.to_string().contains("tested"), "{value}");
    assert_eq!(service.get(&here).status, 404, "it asks nothing any more");
    assert_eq!(service.json("/api/v1/approvals"), json!([]));
}

#[test]
fn deadlines_deliveries_pools_and_settings_have_pages_and_documents() {
    let service = pages();
    assert_has(&page(&service, "/deadlines"), &["No DAG of this program has a deadline.", "Every notification"]);
    assert_eq!(service.json("/api/v1/deadlines")["due"], json!([]));
    assert_eq!(service.json("/api/v1/deliveries"), json!([]));
    assert_has(&page(&service, "/pools"), &["Pools and limits", "This program declares no pool."]);
    assert_eq!(service.json("/api/v1/pools")["pools"], json!([]));
    service.get("/api/v1/pools/nothing").assert_problem(404, "no such pool");
    assert_has(&page(&service, "/settings"), &["Schema of the store", "store.home", "default"]);
}

/// The rows of the table below a heading, as texts.
fn rows(page: &str, heading: &str) -> Vec<String> {
    let section = page.split("<h2>").find(|part| part.starts_with(heading)).unwrap_or_default();
    let table = section.split("</section>").next().unwrap_or_default();
    let rows = table.split("<tr").skip(1).filter(|row| row.contains("<td"));
    rows.map(|row| text_of(&format!("<tr{row}"))).collect()
}

/// The words of a piece of HTML, with the names of its marks.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        let (_, words) = part.split_once('>').expect("a tag ends");
        text += " ";
        text += words;
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace("&#39;", "'")
}

#[test]
fn the_page_of_pools_says_who_holds_slots_who_waits_and_why() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("limits", directory, &["--bind", "127.0.0.1:0"]);
    let (log, go) = (service.home().join("log").display().to_string(), service.home().join("go").display().to_string());
    let seated = service.trigger("seated", &json!({ "names": ["a", "b", "c"], "log": &log, "go": &go }));
    let first = service.trigger("alone", &json!({ "name": "d", "log": &log, "go": &go }));
    service.wait(seated, "running");
    service.wait(first, "running");
    let second = service.trigger("alone", &json!({ "name": "e", "log": &log, "go": &go }));
    let desk = || service.json("/api/v1/pools/desk");
    eventually("two of three tasks have the slots", || {
        let desk = desk();
        desk["taken"] == 2 && desk["waiting"].as_array().is_some_and(|waiting| waiting.len() == 1)
    });
    let shown = page(&service, "/pools");
    assert_has(&shown, &["<h2>desk ", "2 of 2 slots taken"]);
    let of_desk = rows(&shown, "desk");
    assert_eq!(of_desk.len(), 3, "{of_desk:?}");
    let held = |row: &String| row.starts_with("running ") && row.contains(&format!("seated, run {seated} 1 slot"));
    assert!(of_desk[..2].iter().all(held), "{of_desk:?}");
    let why = desk()["waiting"][0]["why"].as_str().expect("a reason").to_owned();
    assert!(of_desk[2].starts_with("scheduled ") && of_desk[2].ends_with(&why), "{why}: {of_desk:?}");
    let parts = shown.matches("<rect class=\"run\"").count();
    assert_eq!(parts, 2, "the bar has a part for each holder");
    // A run waits for another one of its DAG.
    let queued = rows(&shown, "Queued runs");
    assert!(queued.len() == 1 && queued[0].contains(&format!("alone run {second} ")), "{queued:?}");
    let why = service.json("/api/v1/pools")["queued"][0]["why"].as_str().expect("a reason").to_owned();
    assert!(queued[0].ends_with(&why), "{why}: {queued:?}");
    std::fs::write(go, "").expect("temporary files can be written");
    service.wait(second, "success");
    let shown = page(&service, "/pools");
    assert_has(&shown, &["0 of 2 slots taken", "No task holds a slot or waits for one."]);
    assert!(!shown.contains("Queued runs</h2>"), "{shown}");
}

#[test]
fn a_deadline_that_was_missed_is_listed_with_who_was_told_and_counted() {
    let service = Service::held("serves", "tardy");
    let deadlines = || service.json("/api/v1/deadlines");
    eventually("a missed deadline is told", || deadlines()["missed"][0]["is_told"] == true);
    let known = deadlines();
    let shown = page(&service, "/deadlines");
    // Another slot may have missed its deadline since, for the same reason.
    let missed = rows(&shown, "Missed");
    let reason = known["missed"][0]["reason"].as_str().expect("a reason");
    let is_known = |row: &String| row.starts_with("tardy ") && row.contains(reason) && row.contains(" success ");
    let row = missed.iter().find(|row| is_known(row)).unwrap_or_else(|| panic!("{reason}: {missed:?}"));
    assert!(row.contains("tell, noticed after "), "{row}");
    let due = rows(&shown, "Due next");
    let rule = known["due"][0]["rule"].as_str().expect("a rule");
    assert!(!due.is_empty() && due.iter().all(|row| row.contains(&format!("tardy {rule} "))), "{rule}: {due:?}");
    eventually("the rail counts it", || page(&service, "/").contains("Deadlines <b class=\"badge\">"));
    assert_has(&page(&service, "/"), &["tardy</a> <span class=\"soft\">has missed "]);
}

#[test]
fn a_notification_that_was_not_delivered_is_listed_with_its_error() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let service = Service::of("cli_callbacks", directory, &["--bind", "127.0.0.1:0"]);
    let run = service.trigger("ignored", &json!({}));
    service.wait(run, "success");
    eventually("a delivery fails", || service.json("/api/v1/deliveries").as_array().is_some_and(|all| all.len() == 1));
    let shown = page(&service, "/deadlines");
    let failed = rows(&shown, "Notifications of runs that failed");
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].starts_with("up for retry ") && failed[0].contains(&format!("ignored run {run} ")), "{failed:?}");
    assert!(failed[0].contains(" refuses ") && failed[0].ends_with("nobody is at the desk"), "{failed:?}");
    let home = page(&service, "/");
    assert_has(
        &home,
        &["1 thing needs you", &format!("run {run}: refuses was not delivered"), "nobody is at the desk"],
    );
}

#[test]
fn a_failure_says_in_which_earlier_runs_its_message_was_seen() {
    let service = pages();
    let first = service.trigger("hostile", &json!({}));
    service.wait(first, "failed");
    assert!(!page(&service, &format!("/runs/{first}")).contains("The same message"), "no run came before it");
    for expected in ["in the run before it", "in 2 of the 2 runs before it"] {
        let run = service.trigger("hostile", &json!({}));
        service.wait(run, "failed");
        assert_has(&page(&service, &format!("/runs/{run}")), &["The same message was ", expected]);
    }
}

#[test]
fn a_run_has_its_values_its_events_and_a_task_its_inputs() {
    let service = pages();
    let run = service.trigger("mapped", &json!({ "count": 5 }));
    service.wait(run, "success");
    assert_has(
        &page(&service, &format!("/runs/{run}/values")),
        &["Parameters", "count", "<code>5</code>", "[0, 1, 2, 3, 4]"],
    );
    assert_has(&page(&service, &format!("/runs/{run}?order=longest")), &["In order of the graph", "critical path"]);
    let task = page(&service, &format!("/runs/{run}/tasks/square[3]"));
    assert_has(&task, &["Inputs", "Code", "Why"]);
    let emitting = service.trigger("hostile", &json!({}));
    service.wait(emitting, "failed");
    assert_has(&page(&service, &format!("/runs/{emitting}/events")), &["warehouse/orders", "text_of", "17"]);
}

#[test]
fn the_present_graph_is_a_version_before_it_has_a_run() {
    let service = pages();
    let versions = service.json("/api/v1/dags/asking/versions");
    assert_eq!((&versions[0]["is_present"], &versions[0]["runs"]), (&json!(true), &json!(0)), "{versions}");
    let run = service.trigger("skipping", &json!({}));
    service.wait(run, "success");
    let versions = service.json("/api/v1/dags/skipping/versions");
    let known = service.json(&format!("/api/v1/runs/{run}"));
    assert_eq!((&versions[0]["runs"], &versions[0]["first_run"]), (&json!(1), &known["number"]), "{versions}");
    assert_has(&page(&service, "/dags/skipping/versions"), &["this program", "1 run"]);
}

#[test]
fn a_reader_chooses_the_zone_of_times() {
    let service = pages();
    assert_has(&page(&service, "/dags/daily_report"), &["Times in Asia/Seoul (KST)", "KST</time>", "?tz=utc"]);
    let chosen = service.get("/dags/daily_report?tz=utc");
    assert_has(&chosen.body, &["Times in UTC", "UTC</time>", "?tz=schedule"]);
    assert!(!chosen.body.contains("KST</time>"), "{}", chosen.body);
    assert!(chosen.header("set-cookie").starts_with("tz=utc;"), "{chosen:?}");
    let kept = service.send("GET", "/dags/daily_report", &[("cookie", "tz=utc")], "");
    assert_has(&kept.body, &["Times in UTC"]);
}
