//! Pages that change several runs or DAGs at once.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::pages::{assert_has, hidden, page, send, service, trigger};

/// How many attempts a task of a run has had.
fn attempts(service: &crate::home::Service, run: i64, task: &str) -> usize {
    let task = service.json(&format!("/api/v1/runs/{run}/tasks/{task}"));
    task["attempts"].as_array().map_or(0, Vec::len)
}

#[test]
fn the_selected_runs_are_cleared_as_the_form_has_shown() {
    let service = service(&[]);
    let failed = [trigger(&service, "hostile", ""), trigger(&service, "hostile", "")];
    let (good, running) = (trigger(&service, "skipping", ""), trigger(&service, "asking", ""));
    failed.iter().for_each(|&run| service.wait(run, "failed"));
    service.wait(good, "success");
    eventually("it asks", || page(&service, "/").contains("Release 4.3 to all regions?"));
    let list = page(&service, "/runs");
    let [first, second] = failed;
    assert_has(&list, &["id=\"bulk\"", &format!("name=\"run\" value=\"{first}\""), "Retry failed…"]);
    assert!(!list.contains("All that match"), "the list has no filter");

    let query = format!("run={first}&run={second}&run={good}&run={running}&run=99");
    let form = page(&service, &format!("/runs:clear?{query}&which=failed"));
    assert_has(
        &form,
        &[
            "Retry 5 runs",
            &format!("hostile, run {first}"),
            "failed → 2 of 3 tasks run again",
            "Retry 4 tasks of 2 runs",
            &format!("Left alone: Run {running} is running; wait for its end, or cancel it first."),
            "Left alone: There is no run `99`",
            &format!("retry {second} --home"),
        ],
    );
    assert_has(&page(&service, &format!("/runs:clear?{query}&which=all")), &["Clear 8 tasks of 3 runs"]);

    // The token is that of other tasks.
    let token = hidden(&form, "token");
    let stale = send(&service, "/runs:clear", &format!("{query}&which=all&token={token}&reason=x"));
    assert_eq!(stale.status, 412, "{stale:?}");
    assert_has(&stale.body, &["The runs have changed since the preview", "value=\"x\""]);
    assert_eq!(attempts(&service, first, "fails"), 1, "nothing was done");

    let sent = send(&service, "/runs:clear", &format!("{query}&which=failed&token={token}&reason=disk+is+back"));
    assert_eq!((sent.status, sent.header("location")), (303, "/runs"), "{sent:?}");
    for run in failed {
        eventually("it has run again", || attempts(&service, run, "fails") == 2);
        service.wait(run, "failed");
        assert_has(&page(&service, &format!("/runs/{run}")), &["disk is back"]);
        let trail = service.json(&format!("/api/v1/audit?run={run}&action=retry"));
        assert_eq!(trail["entries"][0]["outcome"], "applied", "{trail}");
    }
    assert_eq!(attempts(&service, good, "skips"), 1);
}

#[test]
fn all_runs_that_match_a_filter_are_cancelled_and_those_that_start_later_are_not() {
    let service = service(&[]);
    let shown = [trigger(&service, "asking", ""), trigger(&service, "asking", "")];
    assert_has(&page(&service, "/runs?dag=asking"), &["All that match", "name=\"dag\" value=\"asking\""]);
    let form = page(&service, "/runs:cancel?of=all&dag=asking&state=&type=");
    assert_has(&form, &["Cancel 2 runs", "→ cancelled", "asked to end"]);
    let runs = hidden(&form, "run");
    let later = trigger(&service, "asking", "");
    let body = format!("run={}&dag=asking&reason=too+late", runs.replace(' ', "+"));
    let sent = send(&service, "/runs:cancel", &body);
    assert_eq!((sent.status, sent.header("location")), (303, "/runs?dag=asking"), "{sent:?}");
    shown.iter().for_each(|&run| service.wait(run, "cancelled"));
    assert_ne!(service.json(&format!("/api/v1/runs/{later}"))["state"], "cancelled");
    // They have ended: there is nothing to do, and nothing to refuse.
    assert_has(&page(&service, &format!("/runs:cancel?run={}", shown[0])), &["has already ended (state: cancelled)"]);
    assert_eq!(send(&service, "/runs:cancel", &body).status, 303);
}

#[test]
fn a_form_about_no_run_or_all_runs_says_so() {
    let service = service(&[]);
    trigger(&service, "skipping", "");
    for (query, why) in [
        ("", "No run is selected"),
        ("run=", "No run is selected"),
        ("of=all&dag=&state=&type=", "The list has no filter"),
        ("of=all&state=everything", "The list has no filter"),
        ("of=all&dag=nothing", "No run matches the filter any more"),
    ] {
        for form in ["clear", "cancel"] {
            let html = page(&service, &format!("/runs:{form}?{query}"));
            assert_has(&html, &[why]);
            assert!(!html.contains("class=\"primary\"") && !html.contains("class=\"danger\""), "{html}");
            let sent = send(&service, &format!("/runs:{form}"), query);
            assert_eq!(sent.status, 422, "{query}: {sent:?}");
        }
    }
    let many: String = (1..=501).map(|run| format!("run={run}&")).collect();
    let refused = send(&service, "/runs:cancel", &many);
    assert_eq!(refused.status, 422, "{refused:?}");
    assert_has(&refused.body, &["More than 500 runs"]);
}

#[test]
fn several_dags_are_paused_and_unpaused_with_one_reason() {
    let service = service(&[]);
    let list = page(&service, "/dags?q=orders");
    assert_has(&list, &["name=\"dag\" value=\"orders_hourly\"", "name=\"dag\" value=\"on_orders\"", "All that match"]);
    // Neither a schedule nor events start it.
    assert!(!page(&service, "/dags?q=skipping").contains("type=\"checkbox\""));

    assert_eq!(send(&service, "/dags/ad_spend/pause", "reason=before").status, 303);
    let form = page(&service, "/dags:pause?dag=orders_hourly&dag=on_orders&dag=ad_spend&dag=skipping&dag=none");
    assert_has(
        &form,
        &[
            "Pause 2 DAGs",
            "not paused → paused",
            "Left alone: ad_spend is paused by",
            "Left alone: skipping has no schedule",
            "Left alone: There is no DAG `none`",
            "pause on_orders --home",
        ],
    );
    let body = "dag=orders_hourly+on_orders&q=orders&reason=%3Cb%3Edisk+swap";
    let sent = send(&service, "/dags:pause", body);
    assert_eq!((sent.status, sent.header("location")), (303, "/dags?q=orders"), "{sent:?}");
    for dag in ["orders_hourly", "on_orders"] {
        assert_eq!(service.json(&format!("/api/v1/dags/{dag}"))["pause"]["reason"], json!("<b>disk swap"), "{dag}");
    }

    let form = page(&service, "/dags:unpause?of=all&q=orders&show=paused");
    assert_has(&form, &["Unpause 2 DAGs", "paused → not paused", "Slots that passed", "Events that are pending"]);
    let dags = hidden(&form, "dag").replace(' ', "+");
    let refused = send(&service, "/dags:unpause", &format!("dag={dags}&dag=none&catchup=none&events=skip"));
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_has(&refused.body, &["2 of 3 DAGs changed. There is no DAG `none`"]);
    assert!(service.json("/api/v1/dags/on_orders")["pause"].is_null());
    for query in ["", "of=all&q=&show=", "of=all&q=nothing"] {
        assert_eq!(send(&service, "/dags:unpause", query).status, 422, "{query}");
    }
}
