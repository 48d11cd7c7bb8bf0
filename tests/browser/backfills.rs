//! The page of a backfill follows it.

use serde_json::json;

use crate::home::Service;
use crate::page::Page;

/// A part of number 10: there is no form for backfills yet.
#[test]
fn the_page_of_a_backfill_has_the_fates_of_its_slots_and_follows_it() {
    let service = Service::new();
    let start = |slots: &str, limit: u32| {
        let body = json!({ "dag": "daily", "slots": [slots], "limit": limit, "reason": "new rates" });
        let started = service.post("/api/v1/backfills", &body);
        assert_eq!(started.status, 201, "{started:?}");
        format!("/backfills/{}", started.json()["number"])
    };
    let page = Page::new(service.address);
    page.hasten();
    // Two slots have a run, which is left alone.
    page.open(&start("2026-01-01/2026-01-02", 2));
    page.wait_for("document.querySelector('.sub').innerText.startsWith('done')");
    let second = start("2026-01-01/2026-01-06", 1);
    page.open("/backfills");
    page.eval("window.isFirst = true");
    page.wait_for(&format!("document.querySelector('a[href=\"{second}\"]').closest('td').innerText.includes('done')"));
    assert_eq!(page.eval("window.isFirst"), true, "the list follows");
    page.open(&second);
    let document = service.json(&format!("/api/v1{second}"));
    let fact = |name: &str| {
        page.eval(&format!(
            "Array.from(document.querySelectorAll('.facts div')).find(fact => \
             fact.querySelector('dt').textContent === '{name}').querySelector('dd').innerText"
        ))
    };
    assert_eq!(page.text(".sub"), "done · 6 of 6 slots");
    assert_eq!((fact("Succeeded"), document["counts"]["success"].clone()), (json!("4"), json!(4)), "{document}");
    let left = fact("Left alone");
    assert!(left.as_str().is_some_and(|left| left.starts_with('2')), "{left}");
    assert_eq!(service.json("/api/v1/runs?dag=daily").as_array().map(Vec::len), Some(6));

    // What people do with it is seen at once.
    let third = start("2026-02-01/2026-02-28", 1);
    page.open(&third);
    page.eval("window.isFirst = true");
    let act = |verb: &str| service.post(&format!("/api/v1{third}/{verb}"), &json!({ "reason": format!("to {verb}") }));
    if act("pause").status == 200 {
        page.wait_for("document.querySelector('.sub').innerText.startsWith('paused')");
        assert_eq!(act("resume").status, 200);
    }
    page.wait_for("document.querySelector('.sub').innerText === 'done · 28 of 28 slots'");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}
