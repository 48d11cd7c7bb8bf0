//! The graph of a run, and its tasks on the axis of time.

use serde_json::{Value, json};

use crate::home::Service;
use crate::page::Page;
use crate::site::large;

/// Number 17.
#[test]
fn the_states_of_a_graph_change_and_no_node_moves() {
    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let page = Page::new(service.address);
    page.hasten();
    page.open(&format!("/runs/{run}"));
    let nodes = "Array.from(document.querySelectorAll('.graph g.task'), node => { \
                 const { x, y, width, height } = node.getBBox(); \
                 return [node.dataset.task, x, y, width, height].join(' '); })";
    let states = "Array.from(document.querySelectorAll('.graph g.task'), node => node.dataset.state)";
    let before = page.strings(nodes);
    assert_eq!(page.strings(states), ["failed", "upstream_failed"]);
    // Somebody looks at a part of it.
    page.eval("document.querySelector('.graph').scrollIntoView({ block: 'center' })");
    page.press("+");
    let part = page.eval("document.querySelector('.graph svg').getAttribute('viewBox')");
    service.open_gate();
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).status, 202);
    page.wait_for(&format!("{states}.join() === 'success,success'"));
    assert_eq!(page.strings(nodes), before);
    assert_eq!(page.eval("document.querySelector('.graph svg').getAttribute('viewBox')"), part);
    page.press("0");
    assert_ne!(page.eval("document.querySelector('.graph svg').getAttribute('viewBox')"), part, "it is whole again");
    page.assert_clean();
}

/// The names of the boxes of the graph.
const BOXES: &str = "Array.from(document.querySelectorAll('.graph g.task'), node => node.dataset.task)";

/// A part of number 17.
#[test]
fn the_graph_of_5_000_tasks_has_its_groups_as_boxes_that_open() {
    let service = large(&["warehouse=3"]);
    let page = Page::new(service.address);
    // What is drawn opens group by group, without a script.
    page.without_scripts();
    for (path, states) in [("/dags/warehouse", false), ("/runs/1", true)] {
        page.open(path);
        let boxes = page.strings(BOXES);
        assert_eq!((boxes.len(), &*boxes[0], &*boxes[1]), (101, "orders", "area_00"), "{path}");
        let known =
            page.strings("Array.from(document.querySelectorAll('.graph g[data-state]'), node => node.dataset.state)");
        assert_eq!(known.len(), if states { 101 } else { 0 });
        let elements = page.count("*");
        assert!(elements < 8_000, "{elements} elements at {path}");
        page.follow(".graph a:has([data-task=area_07])");
        let boxes = page.strings(BOXES);
        assert_eq!(boxes.len(), 150, "a group is open: {}", page.address());
        assert!(boxes.contains(&"area_07.step_49".to_owned()) && !boxes.contains(&"area_07".to_owned()), "{boxes:?}");
        // Two open groups are more than a page draws.
        page.follow(".graph a:has([data-task=area_08])");
        assert_eq!(page.strings(BOXES), Vec::<String>::new());
        assert!(page.text("main .empty").contains("Find a task"), "{}", page.text("main"));
        page.follow("main .pages a[href*='open=area_07']");
        assert_eq!(page.strings(BOXES).len(), 150, "the other is closed");
        page.assert_clean();
    }
}

/// A part of number 17.
#[test]
fn a_task_of_a_large_graph_is_found_with_what_is_near_it_and_its_state_is_live() {
    let service = large(&["warehouse=3"]);
    let page = Page::new(service.address);
    page.hasten();
    page.open("/runs/1/graph?q=AREA_42.step_1");
    assert_eq!(page.count(".found-tasks a"), 10);
    page.follow(".found-tasks a[href$='area_42.step_12']");
    // Two steps upstream, two downstream.
    let near = ["area_42.step_10", "area_42.step_11", "area_42.step_12", "area_42.step_13", "area_42.step_14"];
    assert_eq!(page.strings(BOXES), near);
    let states = "Array.from(document.querySelectorAll('.graph g.task'), node => node.dataset.state)";
    let places = "Array.from(document.querySelectorAll('.graph g.task'), node => { \
                  const { x, y } = node.getBoundingClientRect(); return [x, y].map(Math.round).join(); })";
    let (before, known) = (page.strings(places), page.strings(states));
    assert_eq!(known.len(), 5);
    page.eval("window.isFirst = true");
    let mark = json!({ "state": "failed", "tasks": ["area_42.step_12"] });
    assert_eq!(service.post("/api/v1/runs/1/mark", &mark).status, 200);
    page.wait_for(&format!("{states}[2] === 'failed'"));
    assert_eq!(page.strings(places), before, "no box has moved");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.follow("main .chips a[href$='depth=5']");
    assert_eq!(page.strings(BOXES).len(), 11);
    page.follow("main h2 a[href$='area_42.step_12']");
    assert_eq!(page.address(), "/runs/1/tasks/area_42.step_12");
    page.assert_clean();
}

/// A part of number 17: the box of a closed group has the state of its tasks that needs attention.
#[test]
fn the_state_of_a_closed_group_is_live_and_no_box_moves() {
    let service = large(&["warehouse=3"]);
    let page = Page::new(service.address);
    page.hasten();
    page.open("/runs/1");
    let places = "Array.from(document.querySelectorAll('.graph g.task'), node => { \
                  const { x, y, width, height } = node.getBBox(); \
                  return [node.dataset.task, x, y, width, height].join(' '); })";
    let before = page.strings(places);
    let area = page.eval(
        "Array.from(document.querySelectorAll('.graph g.task[data-task^=area]')) \
         .find(node => node.dataset.state === 'success').dataset.task",
    );
    let area = area.as_str().expect("most groups have no failure");
    page.eval("window.isFirst = true");
    let mark = json!({ "state": "failed", "tasks": [format!("{area}.step_12")] });
    assert_eq!(service.post("/api/v1/runs/1/mark", &mark).status, 200);
    page.wait_for(&format!("document.querySelector('.graph g.task[data-task={area}]').dataset.state === 'failed'"));
    assert_eq!(page.strings(places), before);
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}

/// The milliseconds from the start of a run to a time in its document.
fn millis(run: &Value, at: &Value) -> f64 {
    let parse = |value: &Value| value.as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
    (parse(at).as_microsecond() - parse(&run["started"]).as_microsecond()) as f64 / 1_000.0
}

/// Number 18.
#[test]
fn the_bars_of_a_run_are_its_attempts_and_the_critical_path_is_what_it_waited_for() {
    let service = large(&["retried=1"]);
    let run = service.json("/api/v1/runs/1");
    let page = Page::new(service.address);
    page.open("/runs/1");
    let bars = |task: &str| -> Vec<(String, f64, f64)> {
        let bars = page.eval(&format!(
            "Array.from(document.querySelectorAll(\"tr[data-key='{task}'] .axis rect\"), bar => \
             [bar.className.baseVal, +bar.getAttribute('x'), +bar.getAttribute('width')])"
        ));
        let bar = |bar: &Value| {
            let number = |at: usize| bar[at].as_f64().expect("a number");
            (bar[0].as_str().expect("a class").to_owned(), number(1), number(2))
        };
        bars.as_array().expect("a list").iter().map(bar).collect()
    };
    let whole = millis(&run, &run["ended"]);
    // A bar that is too short to be seen is four thousandths wide, and so is a rounding at each
    // end.
    let is_near = |one: f64, other: f64| (one - other).abs() <= 6.0;
    for task in run["tasks"].as_array().expect("a list") {
        let id = task["id"].as_str().expect("an id");
        let parts = bars(id);
        let attempts: Vec<_> = parts
            .iter()
            .filter(|(class, ..)| class == "ok" || class == "blocked" || class == "bad" || class == "wait")
            .collect();
        let expected = task["attempts"].as_array().expect("a list");
        assert_eq!(attempts.len(), expected.len(), "{id}: {parts:?}");
        for ((_, x, width), attempt) in attempts.iter().zip(expected) {
            let (from, to) = (millis(&run, &attempt["started"]), millis(&run, &attempt["ended"]));
            assert!(is_near(*x, from * 1_000.0 / whole), "{id}: {parts:?} {attempt}");
            assert!(is_near(x + width, to * 1_000.0 / whole), "{id}: {parts:?} {attempt}");
        }
        // No time between its parts is left out.
        for pair in parts.windows(2) {
            assert!(is_near(pair[0].1 + pair[0].2, pair[1].1), "{id}: {parts:?}");
        }
    }
    assert!(bars("flaky").iter().any(|(class, ..)| class == "gap"), "the time before the retry");
    // Together, the tasks of the path are the run.
    assert_eq!(page.texts(".tasks tr.critical .name"), ["flaky", "last"]);
    let on_path: f64 = ["flaky", "last"].iter().flat_map(|task| bars(task)).map(|(_, _, width)| width).sum();
    assert!((985.0..=1_010.0).contains(&on_path), "{on_path}");
    page.assert_clean();
}
