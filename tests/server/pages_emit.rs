//! The form that emits an event of an asset by hand.

use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::pages::{assert_has, page, send, service};

const FORM: &str = "/events/emit?asset=warehouse%2Forders";

#[test]
fn an_event_is_emitted_by_hand_and_starts_what_the_form_has_shown() {
    let service = Service::held("pages", "on_orders");
    eventually("it is served", || service.get(FORM).body.contains("a run starts"));
    assert_has(
        &page(&service, "/events?asset=warehouse%2Forders"),
        &["Emit an event…", "/events/emit?asset=warehouse"],
    );
    assert_has(
        &page(&service, FORM),
        &["on_orders", "Orders of a day", "<code class=\"soft\">u64</code>", "day</code>"],
    );
    let of_asset = "asset=warehouse%2Forders";
    for (body, why) in [
        ("payload=1&partition=", "The events of this asset have a partition."),
        ("payload=one&partition=2026-01-31", "This is not JSON"),
        ("payload=%22one%22&partition=2026-01-31", "This is no event of asset"),
        ("payload=1&partition=2026-02-31", "This is no event of asset"),
    ] {
        let refused = send(&service, "/events/emit", &format!("{of_asset}&{body}"));
        assert_eq!(refused.status, 422, "{body}: {refused:?}");
        assert_has(&refused.body, &[why]);
    }
    assert_eq!(service.json("/api/v1/events"), serde_json::json!([]), "nothing was stored");

    let body = format!("{of_asset}&payload=17&partition=2026-01-31&key=a&reason=by+hand");
    let sent = send(&service, "/events/emit", &body);
    assert_eq!((sent.status, sent.header("location")), (303, "/events?asset=warehouse%2Forders"), "{sent:?}");
    eventually("the run of the event ends", || page(&service, "/runs?dag=on_orders&state=success").contains("run 1"));
    let known = send(&service, "/events/emit", &body);
    assert_eq!(known.status, 409, "{known:?}");
    assert_has(&known.body, &["Event 1 has this key: nothing was stored.", "value=\"by hand\""]);
    let trail = service.json("/api/v1/audit?action=emit");
    let entries = trail["entries"].as_array().expect("a list");
    let applied = entries.iter().find(|entry| entry["outcome"] == "applied").expect("it is in the trail");
    assert_eq!(applied["reason"], "by hand", "{trail}");

    assert_eq!(send(&service, "/dags/on_orders/pause", "").status, 303);
    assert_has(&page(&service, FORM), &["pending, the next run waits for the end of the pause"]);
}

#[test]
fn an_event_that_starts_nothing_says_so() {
    let service = service(&[]);
    assert_has(&page(&service, FORM), &["not served yet → does not take it"]);
    let filled = page(&service, &format!("{FORM}&payload=%7B&partition=2026-01-31"));
    assert_has(&filled, &["This is not JSON", "emit warehouse/orders &#39;{&#39; --partition 2026-01-31"]);
    assert_eq!(service.get("/events/emit?asset=warehouse%2Fodrers").status, 404);
    assert_eq!(service.get("/events/emit").status, 404);
    drop(service);
    let read_only = self::service(&["--read-only"]);
    assert_eq!(read_only.get(FORM).status, 404);
    assert!(!page(&read_only, "/events?asset=warehouse%2Forders").contains("Emit"));
}
