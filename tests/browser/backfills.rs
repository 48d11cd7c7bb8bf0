//! Backfills by hand: the form, the preview, the page that follows, and what can be done with it.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::page::Page;
use crate::site::large;

/// A part of number 10.
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

/// Number 10.
#[test]
fn days_of_the_calendar_become_a_backfill_that_is_watched_and_changed_by_dialogs() {
    let service = Service::new();
    let page = Page::new(service.address);
    page.hasten();
    // Two links choose a range.
    page.open("/dags/daily/calendar?month=2026-01");
    page.follow(".month a.day:has([datetime='2026-01-20'])");
    page.follow(".month a.day:has([datetime='2026-01-10'])");
    assert_eq!(page.count(".month .chosen"), 11);
    page.eval("window.isFirst = true");
    page.click(".chosen-days a.button");
    page.wait_for("document.querySelector('dialog .preview h2')?.innerText.startsWith('11 slots') === true");
    page.fill("dialog [name=to]", "2026-01-12");
    page.fill("dialog [name=reason]", "new <b>rates");
    page.click("dialog button[formmethod=get]");
    page.wait_for("document.querySelector('dialog button.primary')?.innerText === 'Run 3 slots'");
    // Somebody else runs one of them meanwhile.
    let other = json!({ "dag": "daily", "slots": ["2026-01-11"] });
    assert_eq!(service.post("/api/v1/backfills", &other).status, 201);
    eventually("the other is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    page.click("dialog button.primary");
    page.wait_for("document.querySelector('dialog .banner')?.innerText.includes('since its preview') === true");
    assert_eq!(page.text("dialog button.primary"), "Run 2 slots");
    assert_eq!(page.eval("document.querySelector('dialog [name=reason]').value"), "new <b>rates");
    assert_eq!(page.texts("dialog .fates .state").len(), 2, "what runs, and what is left alone");
    page.click("dialog button.primary");
    page.wait_for("location.pathname === '/backfills/2'");
    page.wait_for("document.querySelector('.sub')?.innerText === 'done · 3 of 3 slots'");
    assert_eq!(page.texts(".marks .state"), ["3 success"]);
    assert_eq!(page.count(".slots-of tbody a"), 3, "each slot leads to its run");
    assert!(page.text(".history").contains("new <b>rates"));

    // A long one: paused, limited and cancelled, in dialogs and without a script.
    let problems = page.problems();
    assert!(problems.iter().all(|problem| problem.contains("412")), "{problems:?}");
    page.open("/dags/daily/backfill?from=2020-01-01&to=2025-12-31&limit=1");
    page.follow(".form button.primary");
    let here = page.address();
    page.eval("window.isFirst = true");
    let ask = |verb: &str| {
        page.click(&format!("main .actions a[href$='/{verb}']"));
        page.wait_for("document.querySelector('dialog')?.open === true");
    };
    ask("pause");
    page.fill("dialog [name=reason]", "lunch");
    page.click("dialog button.primary");
    page.wait_for("document.querySelector('main .banner')?.innerText.includes('lunch') === true");
    assert_eq!(page.eval("window.isFirst"), true, "the page was not loaded again");
    ask("limit");
    page.fill("dialog [name=limit]", "7");
    page.click("dialog button.primary");
    eventually("the limit is another one", || service.json(&format!("/api/v1{here}"))["limit"] == 7);
    let plain = Page::new(service.address);
    plain.without_scripts();
    plain.open(&here);
    assert!(plain.text(".sub").starts_with("paused"), "{}", plain.text(".sub"));
    plain.follow("main .actions a[href$='/cancel']");
    plain.follow(".form button.danger");
    assert_eq!(plain.address(), here);
    assert!(plain.text(".sub").starts_with("cancelled"), "{}", plain.text(".sub"));
    page.wait_for("document.querySelector('.sub').innerText.startsWith('cancelled')");
    assert_eq!(page.count("main .actions a"), 0, "nothing is left to do");
    plain.assert_clean();
}

/// A part of number 10: of five days two have no run, one succeeded, one failed and one runs.
#[test]
fn the_form_of_a_backfill_counts_the_slots_of_each_fate_and_does_what_it_says() {
    let service = large(&["retried=1"]);
    let body = json!({ "dag": "loads", "slots": ["2026-01-02/2026-01-04"], "limit": 3 });
    assert_eq!(service.post("/api/v1/backfills", &body).status, 201);
    // By the day: the number of its run, and the state.
    let run_of = |day: u32| {
        let runs = service.json("/api/v1/runs?dag=loads");
        let of_day = format!("2026-01-{day:02}T00:00:00Z");
        let mut runs = runs.as_array().expect("a list").iter().filter(|run| run["logical_date"] == of_day);
        runs.next().map(|run| (run["number"].clone(), run["state"].clone()))
    };
    let has_state = |day: u32, state: &str| run_of(day).is_some_and(|(_, known)| known == state);
    eventually("they have ended or run", || {
        has_state(2, "success") && has_state(3, "failed") && has_state(4, "running")
    });
    let page = Page::new(service.address);
    page.hasten();
    let (new, again) = ("has no run yet", "run again: its run is cleared");
    let left = |count: u32, why: &str| format!("{count} left alone: {why}");
    let runs = left(1, "its run has not ended");
    let all = [
        ("missing", vec![format!("2 new: {new}"), left(2, "has a run"), runs.clone()], "Run 2 slots"),
        ("all", vec![format!("2 new: {new}"), format!("2 {again}"), runs.clone()], "Run 4 slots"),
        (
            "failed",
            vec![left(2, "has no run"), left(1, "its run has not failed"), format!("1 {again}"), runs],
            "Run 1 slot",
        ),
    ];
    for (scope, fates, button) in all {
        page.open(&format!("/dags/loads/backfill?from=2026-01-01&to=2026-01-05&scope={scope}"));
        assert!(page.text(".preview h2").starts_with("5 slots"), "{}", page.text(".preview h2"));
        assert_eq!(page.texts(".fates .state span"), fates, "{scope}");
        assert_eq!(page.texts(".form button.primary"), [button], "{scope}");
    }
    // The last one: only what has failed runs again.
    let attempts = |day: u32| {
        let (number, _) = run_of(day).expect("it has a run");
        let task = service.json(&format!("/api/v1/runs/{number}/tasks/load"));
        task["attempts"].as_array().map_or(0, Vec::len)
    };
    page.follow(".form button.primary");
    assert_eq!(page.address(), "/backfills/2");
    page.wait_for("document.querySelector('.sub').innerText.startsWith('done')");
    assert_eq!([2, 3, 4].map(attempts), [1, 2, 1]);
    assert!(run_of(1).is_none() && run_of(5).is_none(), "those without a run are left alone");

    // What is pending is cancelled, and what runs goes on.
    page.open("/dags/loads/backfill?from=2026-02-04&to=2026-02-09&limit=1");
    page.follow(".form button.primary");
    let third = page.address();
    let active = || service.json(&format!("/api/v1{third}"))["active"].as_array().map_or(0, Vec::len);
    eventually("the first one runs", || active() == 1);
    page.open(&format!("{third}/cancel"));
    page.follow(".form button.danger");
    page.wait_for("document.querySelector('.sub').innerText.startsWith('cancelled')");
    let in_february = || {
        let runs = service.json("/api/v1/runs?dag=loads");
        let runs = runs.as_array().expect("a list").iter();
        let runs = runs.filter(|run| run["logical_date"].as_str().is_some_and(|date| date.starts_with("2026-02")));
        runs.map(|run| run["state"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(in_february(), ["running"], "it goes on");
    service.open_gate();
    eventually("it has ended", || in_february() == ["success"]);
    page.assert_clean();
}

/// A parameter with the name of a flag: the form showed `--limit` of the backfill in its place.
#[test]
fn the_command_of_a_backfill_has_the_flag_of_a_parameter_with_the_name_of_another() {
    let service = large(&["retried=1"]);
    let page = Page::new(service.address);
    page.open("/dags/loads/backfill?from=2026-01-01&limit=2&p.limit=7");
    let command = page.text(".steps code");
    assert!(command.contains("--limit 2 --param-limit=7"), "{command}");
    page.assert_clean();
}
