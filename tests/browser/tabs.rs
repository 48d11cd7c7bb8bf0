//! What a tab costs: how soon it shows what was clicked and what has changed, and what it takes
//! while it stays open. `docs/performance.md` has the results.

use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use crate::budgets::{instant, median, number, painted, row, sorted, table, times, whole};
use crate::page::Page;

/// How many tasks the measure of a tab that stays open runs: those of an hour.
const HOUR: usize = 10_000;

#[test]
#[ignore = "it measures times, and makes a home of 50 runs"]
fn the_cost_of_a_click() {
    let (service, _) = whole();
    let page = Page::new(service.address);
    table();
    let took = median(times(), |turn| {
        page.open("/dags/warehouse/grid?runs=50&open=area_00");
        let row = 1 + turn * 5 % 50;
        page.eval(&format!(
            "{{ const rows = document.querySelectorAll('.grid tbody tr:not(.group)'); \
             Array.from(rows[{row}].querySelectorAll('td a')).at(-3).id = 'measured'; \
             addEventListener('click', () => sessionStorage.setItem('clicked', \
             performance.timeOrigin + performance.now()), true); }}"
        ));
        page.follow("#measured");
        assert!(page.address().contains("/tasks/"), "{}", page.address());
        let clicked = page.eval("Number(sessionStorage.getItem('clicked'))").as_f64().unwrap_or_default();
        painted(&page).0 - clicked
    });
    row("a click on a cell of the grid to the first paint of its task", &format!("{took} ms"), "100 ms");
}

/// Notes when the tasks of a run are shown differently, and how many of them have succeeded then.
const WATCH: &str = r"
{
    window.began = Date.now();
    window.shown = [];
    const success = `#tasks nav a[href*='state=success'] b`;
    const note = () => shown.push([Date.now(), Number(document.querySelector(success)?.textContent ?? 0)]);
    const all = { subtree: true, childList: true, characterData: true, attributes: true };
    new MutationObserver(note).observe(document.querySelector('#tasks'), all);
}";

#[test]
#[ignore = "it measures times"]
fn the_cost_of_a_change() {
    const RATE: usize = 25;

    let seconds = number("TASKFLOW_SECONDS", 20);
    let (service, _) = whole();
    let page = Page::new(service.address);
    table();
    let run = service.trigger("paced", &json!({ "count": RATE * seconds, "rate": RATE }));
    page.open(&format!("/runs/{run}"));
    page.eval(WATCH);
    // Whoever asks how far the run is would be measured as well.
    sleep(Duration::from_secs(seconds as u64));
    service.wait(run, "success");
    page.wait_for("document.title.startsWith('✓')");
    let began = page.eval("window.began").as_f64().expect("a time");
    let shown = page.eval("window.shown");
    let shown: Vec<(f64, f64)> = shown.as_array().expect("a list").iter().map(pair).collect();
    let tasks = service.json(&format!("/api/v1/runs/{run}/tasks"));
    let successes = tasks.as_array().expect("a list").iter().filter(|task| task["state"] == "success");
    let successes = sorted(successes.map(|task| instant(&task["since"])));
    // The success with number n is shown when the page counts n of them.
    let shown_at = |number: usize| shown.iter().find(|(_, count)| *count >= number as f64).map(|(time, _)| *time);
    let delays = (1..).zip(&successes).filter(|(_, time)| **time >= began);
    let delays = sorted(delays.map(|(number, time)| shown_at(number).expect("all are shown in the end") - time));
    assert!(!delays.is_empty(), "nothing has changed since the page was open");
    let part = |of: usize| delays[(delays.len() * of / 100).min(delays.len() - 1)];
    row(
        &format!("the end of a task to the page of its run, {} changes a second for {seconds} s", 2 * RATE),
        &format!("p50 {:.0} ms, p99 {:.0} ms, at most {:.0} ms", part(50), part(99), part(100)),
        "p99 300 ms",
    );
    let span = shown.last().map_or(0.0, |last| last.0 - shown[0].0) / 1_000.0;
    let most = (0..shown.len()).map(|first| {
        let end = shown[first].0 + 1_000.0;
        shown[first..].iter().take_while(|(time, _)| *time < end).count()
    });
    row(
        "changes of the page meanwhile",
        &format!("{:.1} a second, at most {} in one", shown.len() as f64 / span, most.max().unwrap_or(0)),
        "5 a second",
    );
}

fn pair(value: &Value) -> (f64, f64) {
    (value[0].as_f64().unwrap_or_default(), value[1].as_f64().unwrap_or_default())
}

/// What the browser says of a tab before and after it collects the garbage of scripts, which takes
/// time that the page would not.
struct Taken {
    before: Value,
    after: Value,
}

impl Taken {
    fn by(page: &Page) -> Taken {
        let before = page.call("Performance.getMetrics", json!({}));
        page.call("HeapProfiler.collectGarbage", json!({}));
        Taken { before, after: page.call("Performance.getMetrics", json!({})) }
    }
}

/// One of the numbers of the browser.
fn metric(metrics: &Value, name: &str) -> f64 {
    let mut all = metrics["metrics"].as_array().expect("a list").iter();
    all.find(|metric| metric["name"] == name).and_then(|metric| metric["value"].as_f64()).expect("a number")
}

#[test]
#[ignore = "it measures times"]
fn the_cost_of_an_open_tab() {
    let seconds = number("TASKFLOW_SECONDS", 60).max(10);
    let (service, _) = whole();
    table();
    let rate = HOUR.div_ceil(seconds);
    // It still runs when the measure ends.
    let run = service.trigger("paced", &json!({ "count": rate * (seconds + 15), "rate": rate }));
    let tabs = [("the home page", "/".to_owned()), ("the page of a run", format!("/runs/{run}"))];
    // Each has a context, and so a process, of its own.
    let tabs = tabs.map(|(name, path)| {
        let page = Page::new(service.address);
        // The browser would keep what was loaded for its developer tools.
        page.call("Network.disable", json!({}));
        page.call("Performance.enable", json!({}));
        page.open(&path);
        (name, page)
    });
    let measure = |what: &str, budget: &str| {
        // What happens first happens once.
        sleep(Duration::from_secs(5));
        let before = tabs.each_ref().map(|(_, page)| Taken::by(page));
        sleep(Duration::from_secs(seconds as u64));
        for ((name, page), before) in tabs.iter().zip(before) {
            let after = Taken::by(page);
            let passed = |name: &str| metric(&after.before, name) - metric(&before.after, name);
            let now = |name: &str| metric(&after.after, name);
            let grown = |name: &str| metric(&after.after, name) - metric(&before.after, name);
            row(
                &format!("{name}, {seconds} s {what}"),
                &format!(
                    "heap {:.1} MB ({:+.1}), {:.0} nodes ({:+.0}), main thread {:.2} % of a core",
                    now("JSHeapUsedSize") / 1e6,
                    grown("JSHeapUsedSize") / 1e6,
                    now("Nodes"),
                    grown("Nodes"),
                    100.0 * passed("TaskDuration") / passed("Timestamp"),
                ),
                budget,
            );
        }
    };
    measure(&format!("in which about {} tasks run", rate * seconds), "heap +10 MB");
    service.wait(run, "success");
    tabs[1].1.wait_for("document.title.startsWith('✓')");
    measure("without a change", "1 % of a core");
}
