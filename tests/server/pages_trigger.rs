//! What the form that starts a run says beside its parameters, and the calendar by hour.

use serde_json::json;

use crate::pages::{assert_has, hidden, page, send, service};

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
