//! Pages follow the engine, and what a person does with them stays as it is meanwhile.

use serde_json::json;

use crate::home::Service;
use crate::page::Page;
use crate::site::empty;

/// How often a page changes while a person uses it.
const CHANGES: u64 = 100;

/// What a person has done with a page.
const HANDS: &str = r"
JSON.stringify({
    folds: Array.from(document.querySelectorAll('details'), fold => fold.open),
    typed: document.querySelector('main [name=q]').value,
    caret: document.querySelector('main [name=q]').selectionStart,
    focus: document.activeElement.name,
    selected: getSelection().toString(),
    under: Array.from(document.querySelectorAll(':hover')).at(-1).closest('tr').dataset.key,
    place: Math.round(document.querySelector('tr:hover').getBoundingClientRect().top),
})";

/// Adds up the layout shifts from now on, as browsers count them: the part of the window that
/// moves, by how far it moves.
const SHIFTS: &str = "(() => { window.shifted = 0; new PerformanceObserver(list => { \
                      for (const shift of list.getEntries()) if (!shift.hadRecentInput) shifted += shift.value; \
                      }).observe({ type: 'layout-shift' }); })()";

/// The rows of a list without the times that are relative to now.
const ROWS: &str = "Array.from(document.querySelectorAll('main tbody tr'), row => \
                    [row.querySelector('.name').href, row.querySelector('.mark').getAttribute('aria-label'), \
                    row.cells[5].innerText].join(' '))";

/// Lets the clock of a page stand still, so that it never asks for itself: what it shows from then
/// on, the stream has told.
const STAND_STILL: &str = "(() => { window.isFirst = true; const now = Date.now(); Date.now = () => now; })()";

/// Notes each state that the mark of a row is shown with.
fn watch(page: &Page, row: &str) {
    page.eval(&format!(
        "(() => {{ window.shown = []; const note = () => {{ \
         const state = document.querySelector(\"tr[data-key='{row}'] .mark\")?.getAttribute('aria-label'); \
         if (state && state !== shown.at(-1)) shown.push(state); }}; note(); \
         new MutationObserver(note).observe(document.querySelector('main'), \
         {{ subtree: true, childList: true, attributes: true }}); }})()"
    ));
}

/// Number 2. The run ends in two tabs that hear of it by their streams alone.
#[test]
fn a_run_that_a_form_has_started_is_followed_in_another_tab_to_its_end() {
    let service = Service::new();
    let page = Page::new(service.address);
    page.hasten();
    let list = page.beside();
    list.hasten();
    list.open("/runs");
    list.eval(STAND_STILL);
    // The first run of the home.
    watch(&list, "1");
    page.open("/dags/approval/trigger");
    page.follow(".form button");
    let run = page.address();
    assert_eq!(run, "/runs/1");
    page.eval(STAND_STILL);
    watch(&page, "approved");
    list.wait_for(&format!("document.querySelector('main tbody .name')?.getAttribute('href') === '{run}'"));
    list.wait_for("shown.at(-1) === 'running'");
    page.wait_for("shown.at(-1) === 'deferred'");
    let release = json!({ "key": "approval", "value": "ada" });
    assert_eq!(service.post(&format!("/api/v1{run}/release"), &release).status, 200);
    page.wait_for("shown.at(-1) === 'success' && document.title.startsWith('✓')");
    list.wait_for("shown.at(-1) === 'success'");
    for page in [page, list] {
        let shown = page.strings("shown");
        let ends = shown.iter().filter(|state| ["success", "failed"].contains(&state.as_str())).count();
        assert_eq!(ends, 1, "no state comes back: {shown:?}");
        assert_eq!(page.eval("window.isFirst"), true, "no page was loaded again");
        page.assert_clean();
    }
}

/// Number 21.
#[test]
fn what_a_person_does_with_a_page_stays_while_it_changes() {
    let service = empty();
    let run = service.trigger("mapped", &json!({ "count": 20 }));
    service.wait(run, "failed");
    let page = Page::new(service.address);
    page.hasten();
    // The mouse is in the middle: what is above of it is not seen.
    page.size(1280, 300);
    page.open(&format!("/runs/{run}"));
    page.eval("document.querySelector('.as-list').open = true");
    page.fill("main [name=q]", "squ");
    page.eval("getSelection().selectAllChildren(document.querySelector('.history li'))");
    page.hover("tr[data-key='square[7]'] .name");
    let before = page.eval(HANDS);
    page.eval(SHIFTS);
    let events = page.count(".history li");
    for change in 1..=CHANGES {
        // The run fails and succeeds by turns: its page begins with what went wrong, or does not.
        let state = if change % 2 == 0 { "failed" } else { "skipped" };
        let reason = format!("change {change}");
        let mark = json!({ "state": state, "tasks": ["square[13]"], "reason": reason });
        let marked = service.post(&format!("/api/v1/runs/{run}/mark"), &mark);
        assert_eq!(marked.status, 200, "{marked:?}");
        page.wait_for(&format!("document.querySelector('#history').textContent.includes('change {change}')"));
        assert_eq!(page.eval(HANDS), before, "after change {change}");
    }
    assert!(page.count(".history li") >= events + CHANGES);
    let shifted = page.eval("shifted").as_f64().expect("a number");
    assert!(shifted < 0.02, "what is seen has moved by {shifted}");
    page.assert_clean();
}

/// Number 37, of a list that is held with the space bar while three runs come.
#[test]
fn a_page_that_is_held_stays_as_it_is_and_is_right_when_it_is_let_go() {
    let service = empty();
    let run_once = || {
        let run = service.trigger("skipping", &json!({}));
        service.wait(run, "success");
    };
    run_once();
    let page = Page::new(service.address);
    page.hasten();
    page.open("/runs");
    page.eval("window.isFirst = true");
    let before = page.strings(ROWS);
    page.press(" ");
    page.wait_for("document.querySelector('#live').dataset.state === 'held'");
    (0..3).for_each(|_| run_once());
    page.wait_for(r"/^‖ held, [1-9]\d* changes$/.test(document.querySelector('#live').textContent)");
    assert_eq!(page.strings(ROWS), before);
    page.press(" ");
    page.wait_for("document.querySelectorAll('main tbody tr').length === 4");
    page.wait_for("document.querySelector('#live').dataset.state === 'on'");
    let fresh = page.beside();
    fresh.open("/runs");
    assert_eq!(page.strings(ROWS), fresh.strings(ROWS));
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

/// Number 37, of the row of a task that succeeds while its name is selected.
#[test]
fn a_row_in_which_text_is_selected_waits_until_nothing_is() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let page = Page::new(service.address);
    page.hasten();
    page.open(&format!("/runs/{run}"));
    page.eval("window.isFirst = true");
    page.eval("getSelection().selectAllChildren(document.querySelector('tr[data-key=gate] .name'))");
    let row = "document.querySelector('tr[data-key=gate]').outerHTML";
    let before = page.eval(row);
    service.open_gate();
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).status, 202);
    page.wait_for(
        "document.title.startsWith('✓') && document.querySelector('#live').textContent.includes('changes wait')",
    );
    assert_eq!(page.eval(row), before);
    assert_eq!(page.eval("getSelection().toString()"), "gate");
    let is_success =
        |task: &str| format!("document.querySelector('tr[data-key={task}] .mark').ariaLabel === 'success'");
    assert_eq!(page.eval(&is_success("after")), true, "the other row does not wait");
    page.eval("getSelection().removeAllRanges()");
    page.wait_for(&is_success("gate"));
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

/// Number 30, by the number of changes instead of an hour.
#[test]
fn a_page_that_changes_often_does_not_grow() {
    let service = Service::new();
    let page = Page::new(service.address);
    page.hasten();
    page.open("/dags");
    let turn = |change: u64| {
        let reason = json!({ "reason": format!("pause {change}") });
        assert_eq!(service.send("PUT", "/api/v1/dags/daily/pause", &JSON, &reason.to_string()).status, 200);
        page.wait_for(&format!("document.querySelector('main').textContent.includes('pause {change}')"));
        assert_eq!(service.send("DELETE", "/api/v1/dags/daily/pause", &JSON, "{}").status, 200);
        page.wait_for("!document.querySelector('main').textContent.includes('pause ')");
    };
    (0..5).for_each(turn);
    let before = page.cost();
    (5..5 + CHANGES / 2).for_each(turn);
    let after = page.cost();
    assert!(after.nodes <= before.nodes + 50, "{before:?} {after:?}");
    assert!(after.listeners <= before.listeners + 5, "{before:?} {after:?}");
    assert!(after.heap <= before.heap + (1 << 20), "{before:?} {after:?}");
    page.assert_clean();
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Number 22.
#[test]
fn a_hidden_tab_asks_for_nothing_and_is_right_when_it_is_shown_again() {
    let service = empty();
    let first = Page::new(service.address);
    let mut tabs = vec![first];
    for _ in 1..7 {
        tabs.push(tabs[0].tab());
    }
    // A browser has six connections to a server: the seventh tab would not open if those that are
    // hidden had streams.
    for tab in &tabs {
        tab.show();
        tab.hasten();
        tab.open("/runs");
    }
    tabs[0].wait_for("document.hidden");
    let from = tabs[0].count_events();
    let run = service.trigger("skipping", &json!({}));
    service.wait(run, "success");
    tabs[6].wait_for("document.querySelectorAll('main tbody tr').length === 1");
    assert_eq!(tabs[0].requests(from), []);
    assert_eq!(tabs[0].count("main tbody tr"), 0);
    for (place, tab) in tabs.iter().enumerate() {
        tab.show();
        tab.wait_for(&format!("document.querySelectorAll('main tbody tr').length === {}", place + 1));
        let fresh = Page::new(service.address);
        fresh.open("/runs");
        assert_eq!(tab.strings(ROWS), fresh.strings(ROWS));
        // It follows again.
        let run = service.trigger("skipping", &json!({}));
        service.wait(run, "success");
        tab.wait_for(&format!(
            "document.querySelector('tr[data-key=\"{run}\"] .mark')?.getAttribute('aria-label') === 'success'"
        ));
        tab.assert_clean();
    }
}
