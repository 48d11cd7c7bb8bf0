//! The grid of a DAG: 5,000 tasks, columns that come, the keyboard, slots without runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use taskflow_tests::common::eventually;

use crate::budgets::number;
use crate::home::Service;
use crate::page::Page;
use crate::site::{empty, large};

/// The cells of a grid as `task of /runs/N: state`.
const CELLS: &str = r"
(() => {
    const runs = Array.from(document.querySelectorAll('.grid thead tr:last-child th[scope=col]:not(.p50)'),
        head => head.querySelector('a')?.getAttribute('href') ?? '');
    return Array.from(document.querySelectorAll('.grid tbody tr:not(.group)'), row =>
        Array.from(row.cells).slice(2).map((cell, at) => {
            const state = cell.querySelector('a')?.title.split(',')[0].replaceAll(' ', '_') ?? '';
            return `${row.dataset.key} of ${runs[at]}: ${state}`;
        })).flat();
})()";

/// What the API says about the tasks of runs, in the same form.
fn states(service: &Service, runs: impl IntoIterator<Item = i64>) -> BTreeSet<String> {
    let mut states = BTreeSet::new();
    for run in runs {
        for task in service.json(&format!("/api/v1/runs/{run}/tasks")).as_array().expect("a list") {
            let text = |name: &str| task[name].as_str().expect("a text").to_owned();
            states.insert(format!("{} of /runs/{run}: {}", text("id"), text("state")));
        }
    }
    states
}

/// The most elements of a page. A browser lays out so many in a moment.
const ELEMENTS: u64 = 20_000;

/// Number 3. `TASKFLOW_GRID_RUNS=50` makes as many runs, which takes a while; `the_cost_of_pages`
/// measures when they are painted.
#[test]
fn the_grid_of_5_000_tasks_has_every_state_of_the_api_and_few_elements() {
    let runs = number("TASKFLOW_GRID_RUNS", 3);
    let service = large(&[&format!("warehouse={runs}")]);
    let page = Page::new(service.address);
    page.open("/dags/warehouse/grid?runs=50");
    assert_eq!(page.count(".grid tbody tr"), 101, "a row for each group, and one for the task outside");
    page.follow(".pages a[href*='open=all']");
    let mut shown = BTreeSet::new();
    loop {
        let elements = page.count("*");
        assert!(elements < ELEMENTS, "{elements} elements at {}", page.address());
        shown.extend(page.strings(CELLS));
        let next = ".pages a[rel='next']";
        if page.count(next) == 0 {
            break;
        }
        page.follow(next);
    }
    let expected = states(&service, 1..=i64::try_from(runs).expect("it is small"));
    assert_eq!(shown.len(), runs * 5_001);
    assert_eq!(shown.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(page.address().contains("from="), "the last rows are on a page of their own");
    // Row 4,900 has an address.
    page.open("/dags/warehouse/grid?runs=50&open=all&from=4900");
    let far: BTreeSet<String> = page.strings(CELLS).into_iter().collect();
    assert!(!far.is_empty() && far.is_subset(&expected), "{far:?}");
    assert!(far.iter().all(|cell| cell.starts_with("area_9")), "{far:?}");
    assert!(page.count("*") < ELEMENTS);
    page.assert_clean();
}

/// Number 4.
#[test]
fn a_grid_in_which_5_000_tasks_change_keeps_the_focus_and_its_place() {
    let service = large(&["warehouse=3"]);
    let page = Page::new(service.address);
    page.hasten();
    page.open("/dags/warehouse/grid?open=area_50");
    page.eval("window.isFirst = true");
    page.eval("document.querySelector('tr[data-key^=\"area_50.\"]:nth-of-type(80) td a').focus()");
    let place = "(() => { const cell = document.activeElement, place = cell.getBoundingClientRect(); \
                 return [cell.getAttribute('href'), Math.round(place.x), Math.round(place.y)].join(' '); })()";
    let before = page.eval(place);
    assert!(before.as_str().is_some_and(|place| place.starts_with("/runs/")), "{before}");
    let run = service.trigger("warehouse", &json!({}));
    let state = || service.json(&format!("/api/v1/runs/{run}"))["state"].clone();
    let is_over = || state() == "success" || state() == "failed";
    while !is_over() {
        assert_eq!(page.eval(place), before);
    }
    // Columns come when nobody uses the grid.
    page.eval("document.activeElement.blur()");
    let head = format!("document.querySelector('.grid thead a[href=\"/runs/{run}\"] .mark')");
    let ended = state();
    page.wait_for(&format!("{head}?.getAttribute('aria-label') === {ended}"));
    let shown: BTreeSet<String> = page.strings(CELLS).into_iter().collect();
    let expected = states(&service, 1..=run);
    assert_eq!(shown.difference(&expected).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(shown.len(), 4 * 51, "the tasks of the open group, and the one outside");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

/// A part of number 4: a column comes, and the oldest goes.
#[test]
fn the_focus_stays_with_its_run_when_columns_move() {
    let service = empty();
    let runs: Vec<i64> = (0..10).map(|_| service.trigger("skipping", &json!({}))).collect();
    runs.iter().for_each(|&run| service.wait(run, "success"));
    let page = Page::new(service.address);
    page.hasten();
    page.open("/dags/skipping/grid?runs=10");
    let focus = "document.activeElement.getAttribute('href')";
    page.eval("document.querySelector('.grid tbody tr').cells[6].querySelector('a').focus()");
    let cell = page.eval(focus);
    assert_eq!(cell, "/runs/5/tasks/skips");
    let run = service.trigger("skipping", &json!({}));
    service.wait(run, "success");
    page.wait_for("document.querySelector('#live').textContent.includes('changes wait')");
    assert_eq!(page.count(&format!(".grid a[href='/runs/{run}']")), 0, "nothing moves while somebody uses the grid");
    assert_eq!(page.eval(focus), cell);
    page.eval("document.activeElement.blur()");
    page.wait_for(&format!("document.querySelector('.grid thead a[href=\"/runs/{run}\"]') !== null"));
    assert_eq!(page.count(".grid thead tr:last-child a"), 10);
    let shown: BTreeSet<String> = page.strings(CELLS).into_iter().collect();
    assert_eq!(shown, states(&service, 2..=11));
    page.assert_clean();
}

/// Number 5.
#[test]
fn a_grid_is_used_with_the_keyboard() {
    let service = empty();
    for _ in 0..3 {
        let run = service.trigger("talking", &json!({}));
        service.wait(run, "success");
    }
    let page = Page::new(service.address);
    page.open("/dags/talking/grid");
    let is_in = "document.activeElement.closest('.grid') !== null";
    let tab_until = |condition: &str| {
        for _ in 0..60 {
            if page.eval(condition) == true {
                return;
            }
            page.press("Tab");
        }
        panic!("`{condition}` does not come true with the key Tab");
    };
    tab_until(is_in);
    page.press("End");
    assert_eq!(page.eval("document.activeElement.closest('td')?.matches(':last-child') === true"), true);
    page.press("Home");
    assert_eq!(page.eval("document.activeElement.matches('th .name')"), true, "the name of the row");
    for key in ["ArrowDown", "ArrowDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowDown", "ArrowLeft"] {
        page.press(key);
        assert_eq!(page.eval(is_in), true, "{key} leaves the grid");
    }
    let focus = "document.activeElement.getAttribute('href')";
    let cell = page.eval(focus);
    let cell = cell.as_str().expect("a link");
    assert!(cell.starts_with("/runs/"), "{cell}");
    // Its name says what the colour does.
    let detail = page.eval("document.activeElement.title");
    assert!(detail.as_str().is_some_and(|detail| detail.starts_with("success, ")), "{detail}");
    // So does a line at the end of the window.
    assert_eq!(page.eval("getComputedStyle(document.activeElement, '::after').position"), "fixed");
    // The grid is one stop: its cells are reached with the arrows, and the last one again with Tab.
    let is_out = || assert_eq!(page.eval(is_in), false, "{}", page.eval("document.activeElement.outerHTML"));
    page.press("Shift+Tab");
    is_out();
    page.press("Tab");
    assert_eq!(page.eval(focus), cell);
    page.press("Enter");
    page.wait_for(&format!("location.pathname === '{cell}' && document.readyState === 'complete'"));
    tab_until("document.activeElement.getAttribute('aria-label')?.startsWith('Log of attempt') === true");
    page.press("Enter");
    page.wait_for(&format!("location.pathname === '{cell}/1' && document.readyState === 'complete'"));
    for _ in 0..2 {
        page.back();
        page.wait_for("document.readyState === 'complete'");
    }
    page.wait_for(&format!("location.pathname === '/dags/talking/grid' && {focus} === '{cell}'"));
    page.press("Tab");
    is_out();
    page.assert_clean();
}

/// Number 6.
#[test]
fn slots_without_runs_are_hollow_with_their_reason_until_a_backfill_fills_them() {
    let service = Service::with_schedules_of("large");
    let slots = |fate: &str| -> BTreeMap<String, Value> {
        let all =
            service.json("/api/v1/dags/crowded/slots?from=2026-01-01T00:00:00Z&to=2099-01-01T00:00:00Z&limit=500");
        let all = all["slots"].as_array().expect("a list").iter();
        all.filter(|slot| slot["fate"] == fate)
            .map(|slot| (slot["at"].as_str().expect("a time").to_owned(), slot.clone()))
            .collect()
    };
    // The run of the first slot has not ended when the others are due.
    eventually("slots are skipped", || slots("skipped").len() >= 2);
    let pause = service.send("PUT", "/api/v1/dags/crowded/pause", &JSON, "{\"reason\": \"disk swap\"}");
    assert_eq!(pause.status, 200, "{pause:?}");
    service.open_gate();
    eventually("the run has ended", || slots("success").len() == 1);
    let skipped = slots("skipped");
    let until = skipped.keys().next_back().expect("there is one");
    let page = Page::new(service.address);
    page.hasten();
    page.open(&format!("/dags/crowded/grid?runs=100&until={until}"));
    let titles = page.strings(
        "Array.from(document.querySelectorAll('.grid thead tr:last-child th[scope=col] .mark.hollow'), \
         mark => mark.closest('span').title)",
    );
    let with = |fate: &str| titles.iter().filter(|title| title.contains(&format!(", {fate}"))).collect::<Vec<_>>();
    assert_eq!(with("skipped").len(), skipped.len(), "{titles:?}");
    for slot in skipped.values() {
        let reason = slot["reason"].as_str().unwrap_or_default();
        assert!(!reason.is_empty() && titles.iter().any(|title| title.contains(reason)), "{slot} {titles:?}");
    }
    // A backfill fills one.
    let missed = skipped.keys().next().expect("there is one");
    let backfill = service.post("/api/v1/backfills", &json!({ "dag": "crowded", "slots": [missed] }));
    assert_eq!(backfill.status, 201, "{backfill:?}");
    page.wait_for(&format!(
        "document.querySelectorAll('.grid thead tr:last-child .hollow').length === {}",
        titles.len() - 1
    ));
    page.wait_for("document.querySelectorAll('.grid thead tr:last-child a .mark[aria-label=success]').length === 2");
    page.assert_clean();
}

/// Number 6. The machine sleeps over four midnights: the last slot runs late, and nothing ran for
/// the others. A backfill of the first one catches up with it.
#[cfg(feature = "failpoints")]
#[test]
fn missed_slots_are_hollow_with_their_reason_until_one_is_caught_up_with() {
    const DAY: i64 = 86_400;
    /// The states of the columns, oldest first; of a slot without a run, its fate.
    const SHOWN: &str = "Array.from(document.querySelectorAll('.grid thead tr:last-child th[scope=col]:not(.p50)'), \
                         head => (head.querySelector('a') ? 'run ' : '') \
                         + head.querySelector('.mark').getAttribute('aria-label'))";

    let service = Service::with_a_clock_of("server", "daily");
    // A pause makes a schedule known that has had no slot, whether or not the service has seen it.
    for method in ["PUT", "DELETE"] {
        let answer = service.send(method, "/api/v1/dags/daily/pause", &JSON, "{}");
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let page = Page::new(service.address);
    page.hasten();
    page.open("/dags/daily/grid");
    assert!(page.text("main .empty").contains("no runs or slots"), "{}", page.text("main"));
    page.eval("window.isFirst = true");
    service.move_clock(4 * DAY);
    page.wait_for(&format!("{SHOWN}.join() === 'missed,missed,missed,run success'"));
    let missed = service.json("/api/v1/dags/daily/slots?fate=missed");
    let [missed] = missed.as_array().map(Vec::as_slice).expect("a list") else { panic!("{missed}") };
    assert_eq!((&missed["count"], &missed["reason"]), (&json!(3), &json!("no service was running")));
    let titles = page.strings(
        "Array.from(document.querySelectorAll('.grid thead tr:last-child .hollow'), \
         mark => mark.closest('span').title)",
    );
    assert_eq!(titles.len(), 3, "{titles:?}");
    assert!(titles.iter().all(|title| title.ends_with(", missed: no service was running")), "{titles:?}");
    let backfill = service.post("/api/v1/backfills", &json!({ "dag": "daily", "slots": [missed["first"]] }));
    assert_eq!(backfill.status, 201, "{backfill:?}");
    page.wait_for(&format!("{SHOWN}.join() === 'run success,missed,missed,run success'"));
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
