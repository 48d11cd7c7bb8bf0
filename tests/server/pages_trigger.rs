//! What the form that starts a run says beside its parameters, and the calendar by hour.

use serde_json::json;
use taskflow_tests::binaries::call_at;

use crate::home::Service;
use crate::pages::{assert_has, hidden, page, send, service, trigger};

#[test]
fn the_form_has_the_calls_that_start_the_same_run() {
    let service = service(&[]);
    assert_has(&page(&service, "/dags/mapped/trigger"), &["trigger mapped --home", "curl -X POST"]);
    let form = page(&service, "/dags/mapped/trigger?p.count=20&p.overwrite=true&p.region=us&logical_date=2026-01-31");
    assert_has(
        &form,
        &[
            "trigger mapped --logical-date=2026-01-31 --count=20 --region=us --overwrite=true --home",
            "{&#34;logical_date&#34;:&#34;2026-01-31T00:00:00Z&#34;,&#34;params&#34;:{&#34;count&#34;:&#34;20&#34;",
            &format!("http://{}/api/v1/dags/mapped/runs", service.address),
            "name=\"p.count\" value=\"20\"",
        ],
    );
    // A mistake is shown before anything is sent.
    let wrong = page(&service, "/dags/mapped/trigger?p.count=5000&logical_date=soon");
    assert_eq!(wrong.matches("aria-invalid=\"true\"").count(), 1, "the date comes first: {wrong}");
    let text = "it's $HOME `x`";
    let quoted = page(&service, "/dags/hostile/trigger?p.text=it%27s+%24HOME+%60x%60");
    assert_has(&quoted, &["--text=it&#39;\\&#39;&#39;s $HOME `x`&#39;"]);
    let body: serde_json::Value = json!({ "params": { "text": text } });
    let run = service.post("/api/v1/dags/hostile/runs", &body);
    assert_eq!(run.status, 201, "{run:?}");
}

#[test]
fn a_run_about_an_interval_is_started_and_another_one_only_if_that_is_wanted() {
    let service = service(&[]);
    let form = page(&service, "/dags/daily_report/trigger");
    assert_has(&form, &["Data interval", "<datalist id=\"l-interval\"><option value=\"20", "KST</option>"]);
    assert!(!page(&service, "/dags/mapped/trigger").contains("Data interval"), "its runs have none");
    for interval in ["yesterday", "2026-01-31", "2026-01-31/2026-01-30", "2026-01-31/soon"] {
        let refused = send(&service, "/dags/daily_report/trigger", &format!("interval={interval}"));
        assert_eq!(refused.status, 422, "{interval}: {refused:?}");
        assert_has(&refused.body, &["aria-invalid=\"true\"", &format!("value=\"{interval}\"")]);
    }
    let sent = send(&service, "/dags/daily_report/trigger", "interval=2026-01-30/2026-01-31&beside=");
    assert_eq!((sent.status, sent.header("location")), (303, "/runs/1"), "{sent:?}");
    let run = service.json("/api/v1/runs/1");
    assert_eq!(run["logical_date"], "2026-01-30T15:00:00Z", "days are those of Seoul: {run}");

    let seen = page(&service, "/dags/daily_report/trigger?interval=2026-01-30/2026-01-31");
    assert_has(&seen, &["Run 1 is about the same: "]);
    let refused = send(&service, "/dags/daily_report/trigger", "interval=2026-01-30/2026-01-31&beside=");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_has(&refused.body, &["Run 1 is about the same; trigger again to start another one."]);
    let beside = hidden(&refused.body, "beside");
    let body = format!("interval=2026-01-30/2026-01-31&beside={beside}");
    assert_eq!(send(&service, "/dags/daily_report/trigger", &body).header("location"), "/runs/2");
}

#[test]
fn a_calendar_by_hour_has_a_row_for_each_day() {
    let service = service(&[]);
    let now = page(&service, "/dags/order_events/calendar?by=hour");
    let (before, _) = now.split_once("\" rel=\"next\"").expect("there is a next month");
    let next = before.rsplit("href=\"").next().unwrap_or_default().replace("&#38;", "&").replace("&amp;", "&");
    assert!(next.contains("by=hour"), "{next}");
    let month = page(&service, &next);
    assert_has(&month, &["slots-of", "<th scope=\"col\">23</th>", "4 to come", "By day"]);
    assert!((28..=31).contains(&month.matches("<th scope=\"row\">").count()), "{month}");
    assert!(!month.contains("class=\"month\"") && !month.contains("chosen-days"), "{month}");
    assert_has(&page(&service, "/dags/order_events/calendar"), &["class=\"month\"", "By hour"]);
}

/// Run 1 is of a program whose `greeting` has five parameters more, among them `loud`. Nothing led
/// from a run to the form with its parameters.
#[test]
fn a_run_is_started_again_with_the_parameters_of_an_earlier_one() {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let ran =
        call_at(&directory.path().join("home"), "cli_single", &["run", "--name", "Ada L", "--times", "3", "--quiet"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let service = Service::of("server", directory, &["--bind", "127.0.0.1:0"]);
    assert_has(&page(&service, "/runs/1"), &["Run again…", "/dags/greeting/trigger?like=1"]);
    assert_has(&page(&service, "/runs/1/values"), &["Run again with these", "/dags/greeting/trigger?like=1"]);
    let form = page(&service, "/dags/greeting/trigger?like=1");
    assert_has(&form, &["Filled with the parameters of run 1.", "value=\"Ada L\"", "name=\"p.times\" value=\"3\""]);
    assert_has(&form, &["The DAG has no parameter loud any more; in run 1 it was false.", "--name=Ada L"]);
    assert!(!form.contains("no parameter name"), "it has that one: {form}");
    // What was typed since stays, and what is said about the run, too.
    let changed = page(&service, "/dags/greeting/trigger?like=1&p.name=Bo&p.times=");
    assert_has(&changed, &["value=\"Bo\"", "name=\"p.times\" value=\"\"", "no parameter loud any more"]);
    let like = hidden(&form, "like");
    let sent = send(&service, "/dags/greeting/trigger", &format!("like={like}&p.name=Ada+L&p.times=3"));
    assert_eq!((sent.status, sent.header("location")), (303, "/runs/2"), "{sent:?}");
    service.wait(2, "success");
    assert_eq!(service.json("/api/v1/runs/2/values/greet"), json!(["hello Ada L", "hello Ada L", "hello Ada L"]));
}

/// Parameters of four types; the texts of `hostile` have a character that a page does not write.
#[test]
fn the_form_of_an_earlier_run_has_its_values_by_their_types() {
    let service = service(&[]);
    let mapped = trigger(&service, "mapped", "p.count=20&p.region=us&p.overwrite=true");
    let form = page(&service, &format!("/dags/mapped/trigger?like={mapped}"));
    assert_has(&form, &["name=\"p.count\" value=\"20\"", "<option value=\"us\" selected>"]);
    assert_has(&form, &["<option value=\"true\" selected>", "name=\"p.customer\" value=\"\""]);
    assert!(!form.contains("aria-invalid"), "{form}");
    let body = json!({ "params": { "text": "a\u{202e}b" } });
    let hostile = service.post("/api/v1/dags/hostile/runs", &body);
    assert_eq!(hostile.status, 201, "{hostile:?}");
    let hostile = page(&service, &format!("/dags/hostile/trigger?like={}", mapped + 1));
    assert_has(&hostile, &["The value of text in run 2 cannot be typed: its field is empty."]);
    // A run of another DAG has other parameters.
    let other = service.get(&format!("/dags/asking/trigger?like={mapped}"));
    assert_eq!(other.status, 404, "{other:?}");
    assert_has(&other.body, &["The DAG `asking` has no run 1"]);
}
