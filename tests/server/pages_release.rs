//! The forms that send an event to a run, and reset a schedule.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::pages::{assert_has, page, send, service};

/// The task `approved` waits for the event `approval`. Its page had a line to copy only.
#[test]
fn an_event_that_a_task_waits_for_is_sent_by_a_form() {
    let service = Service::new();
    let run = service.trigger("approval", &json!({}));
    let state = || service.json(&format!("/api/v1/runs/{run}/tasks/approved"))["state"].clone();
    eventually("it waits", || state() == "deferred");
    let here = format!("/runs/{run}/release");
    for path in [format!("/runs/{run}"), format!("/runs/{run}/tasks/approved")] {
        assert_has(&page(&service, &path), &["Send the event…", &format!("{here}?key=approval")]);
    }
    // Also without a key: it is the only one.
    for path in [format!("{here}?key=approval"), here.clone()] {
        let form = page(&service, &path);
        assert_has(&form, &["name=\"key\" value=\"approval\"", "approved goes on.", "release 1 approval --home"]);
    }
    assert_has(&page(&service, &format!("{here}?key=other")), &["No task waits for other now"]);
    for (body, why) in [("key=approval&value=%7B", "This is not JSON"), ("key=&value=1", "Say which event.")] {
        let refused = send(&service, &here, body);
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert_has(&refused.body, &[why, "aria-invalid=\"true\""]);
    }
    assert_eq!(state(), "deferred", "nothing was sent");
    let sent = send(&service, &here, "key=approval&value=%22ada%22&reason=by+hand");
    assert_eq!((sent.status, sent.header("location")), (303, &*format!("/runs/{run}")), "{sent:?}");
    service.wait(run, "success");
    assert_eq!(service.json(&format!("/api/v1/runs/{run}/values/approved")), "ada");
    let trail = service.json(&format!("/api/v1/audit?run={run}&action=release"));
    assert_eq!(trail["entries"][0]["reason"], "by hand", "{trail}");
    assert_has(&page(&service, &here), &["has ended (success): no task waits for events."]);
    assert_eq!(send(&service, &here, "key=approval&value=1").status, 409);
    assert!(!page(&service, &format!("/runs/{run}/tasks/approved")).contains("Send the event…"));
}

/// A question has a form that follows the type of its answer.
#[test]
fn the_event_of_a_question_leads_to_the_form_of_its_answer() {
    let service = service(&[]);
    let run = service.trigger("asking", &json!({}));
    let asked = || service.json("/api/v1/approvals")[0]["key"].as_str().map(str::to_owned);
    eventually("it asks", || asked().is_some());
    let led = service.get(&format!("/runs/{run}/release?key={}", asked().expect("it asks")));
    assert_eq!((led.status, led.header("location")), (303, &*format!("/approvals/{run}/release")), "{led:?}");
    let task = page(&service, &format!("/runs/{run}/tasks/release"));
    assert_has(&task, &["Answer…", &format!("/approvals/{run}/release")]);
}

/// No page led to `reset-schedule`.
#[test]
fn the_form_that_resets_a_schedule_says_what_it_would_do() {
    let service = service(&[]);
    let here = "/dags/daily_report/reset-schedule";
    assert_has(&page(&service, "/dags/daily_report/slots"), &["reset the schedule…", here]);
    let form = page(&service, here);
    assert_has(&form, &["Reset the schedule of daily_report", "Runs stay as they are. It is not ahead of the clock"]);
    assert_has(&form, &["reset-schedule daily_report --home"]);
    let refused = send(&service, here, "reason=the+battery+was+empty");
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_has(&refused.body, &["there is nothing to reset.", "value=\"the battery was empty\""]);
    assert_eq!(service.get("/dags/mapped/reset-schedule").status, 422, "it has no schedule");
    drop(service);
    let read_only = self::service(&["--read-only"]);
    assert!(!page(&read_only, "/dags/daily_report/slots").contains("reset-schedule"));
}

/// The clock was ten minutes ahead.
#[cfg(feature = "failpoints")]
#[test]
fn a_schedule_that_a_wrong_clock_has_moved_ahead_goes_on_once_the_form_has_reset_it() {
    let service = Service::with_a_clock_of("serves", "seconds");
    let runs = || service.json("/api/v1/runs?dag=seconds").as_array().map_or(0, Vec::len);
    eventually("slots run", || runs() > 0);
    service.move_clock(-600);
    let notes = || service.json("/api/v1/dags/seconds/slots?fate=note").to_string();
    eventually("it notes the clock", || notes().contains("clock_went_back"));
    let here = "/dags/seconds/reset-schedule";
    assert_has(&page(&service, here), &["Its slots were last decided when the clock said", "they are decided again."]);
    let before = runs();
    let sent = send(&service, here, "reason=the+battery+was+empty");
    assert_eq!((sent.status, sent.header("location")), (303, "/dags/seconds/slots"), "{sent:?}");
    eventually("slots run again", || runs() > before);
    assert_has(&page(&service, "/dags/seconds/slots?show=history"), &["reset by", "the battery was empty"]);
}
