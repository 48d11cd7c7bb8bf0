//! What the pages of large runs cost. Sizes do not depend on the machine, so that they are a test;
//! times are measured on demand (`docs/performance.md` says how, and has the results).

use std::io::Write as _;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::page::Page;
use crate::site::{large, thousand};

/// The most bytes of a page, as they are and compressed.
const PLAIN: usize = 400_000;
const COMPRESSED: usize = 60_000;
/// The most elements of a list. A browser lays out so many in a moment.
const ELEMENTS: u64 = 5_000;

fn compressed(text: &str) -> usize {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes()).expect("a vector can be written");
    gzip.finish().expect("a vector can be written").len()
}

#[test]
fn pages_of_large_runs_are_small() {
    let service = large(&["warehouse=3"]);
    for path in [
        "/",
        "/dags",
        "/dags/warehouse",
        "/dags/warehouse/grid?open=area_03",
        "/dags/warehouse/graph?open=area_03",
        "/runs",
        "/runs/1",
        "/runs/1/graph?open=area_03",
    ] {
        assert_small(&service, path);
    }
    let service = large(&["elements=1"]);
    for path in ["/dags/elements", "/runs/1", "/runs/1/tasks/score", "/runs/1/tasks/score?state=success"] {
        assert_small(&service, path);
    }
    let service = large(&["talking_less=1"]);
    for path in ["/runs/1/tasks/talk", "/runs/1/tasks/talk/1", "/runs/1/tasks/talk/1?q=line"] {
        assert_small(&service, path);
    }
}

/// Number 38. Browsers keep static files for ever.
#[test]
fn a_page_asks_for_itself_and_for_one_stream() {
    let service = large(&["retried=1"]);
    let page = Page::new(service.address);
    for path in ["/", "/dags", "/dags/retried/grid", "/runs", "/runs/1"] {
        let from = page.count_events();
        page.open(path);
        let asked = || {
            let all = page.requests(from).into_iter();
            all.filter(|(address, _)| !address.contains("/static/")).map(|(_, kind)| kind).collect::<Vec<String>>()
        };
        eventually(&format!("{path} has a stream"), || asked().len() > 1);
        assert_eq!(asked(), ["Document", "EventSource"], "{path}");
    }
    page.assert_clean();
}

/// Each DAG of the first page has as many runs as its row shows.
#[test]
fn a_list_of_1_000_dags_is_small() {
    let service = thousand();
    for path in ["/dags", "/", "/dags?show=failed", "/runs"] {
        assert_small(&service, path);
    }
    let page = Page::new(service.address);
    page.open("/dags");
    let mut listed = Vec::new();
    loop {
        assert!(page.count("*") < ELEMENTS, "{} elements at {}", page.count("*"), page.address());
        listed.extend(page.texts("main tbody .name"));
        if page.count(".pages a[rel=next]") == 0 {
            break;
        }
        page.follow(".pages a[rel=next]");
    }
    assert_eq!(page.text(".pages span"), "1001 to 1001 of 1001 DAGs");
    let known = service.json("/api/v1/dags");
    let known: Vec<&str> = known.as_array().expect("a list").iter().filter_map(|dag| dag["dag_id"].as_str()).collect();
    assert_eq!(listed, known, "each DAG is on one page");
    page.follow(".pages a[rel=prev]");
    assert_eq!(page.texts("main tbody .name"), known[900..1_000]);

    // The bars of a row are its runs. Those that did not succeed are links with names.
    page.open("/dags?q=orders_of_shop_003");
    let runs = service.json("/api/v1/runs?dag=orders_of_shop_003&limit=25");
    let runs: Vec<_> = runs.as_array().expect("a list").iter().rev().collect();
    let bars = "Array.from(document.querySelectorAll('.strip path:not(.base)'), path => \
                [path.getAttribute('class'), path.getAttribute('d').split('M').length - 1].join(' '))";
    let count = |state: &str| runs.iter().filter(|run| run["state"] == state).count();
    let mut drawn = page.strings(bars);
    drawn.sort();
    assert_eq!(drawn, [format!("bad {}", count("failed")), format!("ok {}", count("success"))]);
    let failed = runs.iter().filter(|run| run["state"] == "failed").map(|run| format!("/runs/{}", run["number"]));
    let links = page.strings("Array.from(document.querySelectorAll('.strip a'), a => a.getAttribute('href'))");
    let all = std::iter::once("/runs?dag=orders_of_shop_003".to_owned());
    assert_eq!(links, all.chain(failed).collect::<Vec<_>>());
    let names = page.strings("Array.from(document.querySelectorAll('.strip a title'), title => title.textContent)");
    assert_eq!(names[0], "All runs of orders_of_shop_003");
    assert!(names[1..].iter().all(|name| name.starts_with("Run ") && name.contains(": failed, ")), "{names:?}");
    page.assert_clean();
}

#[track_caller]
fn assert_small(service: &Service, path: &str) {
    let page = service.get(path);
    assert_eq!(page.status, 200, "{path}");
    let (plain, compressed) = (page.body.len(), compressed(&page.body));
    assert!(plain <= PLAIN && compressed <= COMPRESSED, "{path} has {plain} bytes, {compressed} compressed");
}

/// The median of what is measured, in milliseconds; nothing if it is not measured.
pub(crate) fn median(times: usize, measure: impl FnMut(usize) -> f64) -> String {
    let all = sorted((0..times).map(measure));
    all.get(times / 2).map(|median| format!("{median:.0}")).unwrap_or_default()
}

pub(crate) fn sorted(all: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let mut all: Vec<f64> = all.into_iter().collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The milliseconds that something takes.
pub(crate) fn millis<T>(measured: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    let _ = measured();
    start.elapsed().as_secs_f64() * 1_000.0
}

/// A point in time that the API names, in milliseconds since 1970.
pub(crate) fn instant(time: &Value) -> f64 {
    let time: jiff::Timestamp = time.as_str().and_then(|time| time.parse().ok()).expect("a time");
    time.as_microsecond() as f64 / 1_000.0
}

/// Begins a table of measures. The line that names the test has not ended.
pub(crate) fn table() {
    println!("\n| what | measured | budget |\n|---|---|---|");
}

pub(crate) fn row(what: &str, measured: &str, budget: &str) {
    println!("| {what} | {measured} | {budget} |");
}

/// When a page that was just opened painted something, in milliseconds since 1970; and how long
/// that took.
pub(crate) fn painted(page: &Page) -> (f64, f64) {
    let paint = "performance.getEntriesByType('paint').find(entry => entry.name === 'first-contentful-paint')";
    page.wait_for(&format!("{paint} !== undefined"));
    let took = page.eval(&format!("{paint}.startTime")).as_f64().unwrap_or_default();
    (page.eval("performance.timeOrigin").as_f64().unwrap_or_default() + took, took)
}

/// The server with the whole fixture, and the number of runs of its grid: the next one has the
/// elements, the one after that the long log. Its home is made once for all measures.
pub(crate) fn whole() -> (Service, usize) {
    let runs = number("TASKFLOW_GRID_RUNS", 50);
    (large(&[&format!("warehouse={runs}"), "elements=1", "talking=1"]), runs)
}

/// How often something is measured.
pub(crate) fn times() -> usize {
    number("TASKFLOW_TIMES", 9)
}

/// The number in a variable of the environment.
pub(crate) fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |number| number.parse().expect("it is a number"))
}

#[test]
#[ignore = "it measures times, and makes a home of 50 runs"]
fn the_cost_of_pages() {
    let ((service, runs), times) = (whole(), times());
    let dags = thousand();
    let (elements, talking) = (runs + 1, runs + 2);
    let of_dags = ["/".to_owned(), "/dags".to_owned()].map(|path| (&dags, path));
    let pages = [
        "/".to_owned(),
        "/dags".to_owned(),
        "/dags/warehouse".to_owned(),
        "/dags/warehouse/grid?runs=50".to_owned(),
        "/dags/warehouse/grid?runs=50&open=all".to_owned(),
        "/dags/warehouse/grid?runs=50&rows=changed".to_owned(),
        "/dags/warehouse/grid.svg?runs=50".to_owned(),
        "/runs".to_owned(),
        "/runs/1".to_owned(),
        format!("/runs/{elements}"),
        format!("/runs/{elements}/tasks/score"),
        format!("/runs/{talking}/tasks/talk/1"),
        format!("/runs/{talking}/tasks/talk/1?from=1&to=20000"),
    ];
    let pages = pages.map(|path| (&service, path)).into_iter().chain(of_dags);
    println!("\n| page | bytes | compressed | elements | requests, cold | warm | server, ms | first paint, ms |");
    println!("|---|---|---|---|---|---|---|---|");
    for (service, path) in pages {
        let body = service.get(&path).body;
        let server = median(times, |_| millis(|| service.get(&path)));
        let page = Page::new(service.address);
        let open = || {
            let from = page.count_events();
            page.open(&path);
            // The stream is opened after the page has loaded.
            std::thread::sleep(Duration::from_millis(500));
            page.requests(from).len()
        };
        let (cold, warm) = (open(), open());
        // An image paints nothing that is measured.
        let is_page = page.eval("document.contentType") == "text/html";
        let painted = median(if is_page { times } else { 0 }, |_| {
            open();
            painted(&page).1
        });
        println!(
            "| `{path}` | {} | {} | {} | {cold} | {warm} | {server} | {painted} |",
            body.len(),
            compressed(&body),
            page.count("*"),
        );
    }
    // What pages share, as it is sent.
    table();
    let page = Page::new(service.address);
    page.open("/runs/1");
    let files = "performance.getEntriesByType('resource').filter(file => file.name.includes('/static/'))";
    for file in
        page.strings(&format!("{files}.map(file => `${{new URL(file.name).pathname}} | ${{file.encodedBodySize}}`)"))
    {
        let (path, bytes) = file.split_once(" | ").expect("a size");
        row(&format!("`{path}`"), &format!("{bytes} bytes compressed"), "script 6 KB, style 8 KB, glyphs 3 KB");
    }
}
