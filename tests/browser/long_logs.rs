//! What long logs cost: showing, loading and scrolling them, and searching those of a run.
//! `docs/performance.md` has the results.

use std::fmt::Write as _;

use serde_json::{Value, json};
use taskflow::log::LogFiles;

use crate::budgets::{median, millis, painted, row, table, times, whole};
use crate::home::Service;
use crate::page::Page;
use crate::site::empty;

/// How many lines the log has, and a page of it.
const LINES: usize = 200_000;
const PART: usize = 20_000;

/// Scrolls to the end in at least 600 frames, as somebody does who holds a key, and says how many
/// frames there were, how many took more than 50 milliseconds, and how long the longest took.
const SCROLL: &str = r"
new Promise(done => {
    const root = document.documentElement, step = Math.max(200, root.scrollHeight / 600), took = [];
    let last;
    const frame = now => {
        if (last !== undefined) took.push(now - last);
        last = now;
        if (took.length >= 1200 || innerHeight + scrollY >= root.scrollHeight - 2) {
            done([took.length, took.filter(time => time > 50).length, Math.max(0, ...took)]);
            return;
        }
        scrollBy({ top: step, behavior: 'instant' });
        requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
})";

#[test]
#[ignore = "it measures times, and makes a home of 50 runs"]
fn the_cost_of_a_long_log() {
    let (service, runs) = whole();
    let log = format!("/runs/{}/tasks/talk/1", runs + 2);
    let page = Page::new(service.address);
    table();
    page.open(&log);
    let cold = painted(&page).1;
    assert_eq!(page.text("#lines"), format!("{LINES} lines"));
    let first = median(times(), |_| {
        page.open(&log);
        painted(&page).1
    });
    row(
        &format!("first lines of a log of {LINES} lines"),
        &format!("{first} ms; {cold:.0} ms when nobody has read it before"),
        "300 ms",
    );
    let part = |first: usize| page.open(&format!("{log}?from={first}&to={}", first + PART - 1));
    let all = millis(|| (1..LINES).step_by(PART).for_each(part));
    assert_eq!(page.count(".line"), PART as u64);
    row(&format!("all of its lines, in {} pages", LINES / PART), &format!("{all:.0} ms"), "3 s");
    part(1);
    let scrolled = page.eval(SCROLL);
    row(
        &format!("scrolling through {PART} of them"),
        &format!(
            "{} of {} frames above 50 ms, the longest {:.0} ms",
            scrolled[1],
            scrolled[0],
            scrolled[2].as_f64().unwrap_or_default()
        ),
        "no frame above 50 ms",
    );
}

/// How many bytes the logs have that are searched.
const SEARCHED: usize = 100 << 20;
/// What one line has, what all have, and what none has.
const TEXTS: [(&str, &str); 3] = [("one", "needle"), ("each", "landing"), ("no", "zebra")];

/// A log of about so many bytes within a minute.
fn log_of(bytes: usize, last: &str) -> String {
    // About as long as a line of those below.
    let lines = bytes / 120;
    let mut log = String::with_capacity(bytes + bytes / 4);
    let mut add = |line: usize, message: &str| {
        let at = line * 59_999 / lines;
        let _ = writeln!(
            log,
            "{{\"at\":\"2026-01-31T06:00:{:02}.{:03}Z\",\"level\":\"INFO\",\"message\":\"{message}\"}}",
            at / 1_000,
            at % 1_000
        );
    };
    for line in 1..lines {
        add(line, &format!("read row {line} of the landing zone, of 40 columns"));
    }
    add(lines, last);
    log
}

/// Writes the log of a task that has ended, and returns how many bytes it has.
fn write(service: &Service, run: i64, task: &str, log: &str) -> usize {
    let status = service.json(&format!("/api/v1/runs/{run}"));
    let id = status["run_id"].as_str().expect("an id");
    let path = LogFiles::new(service.home().join("logs")).path(id, task, 1);
    std::fs::create_dir_all(path.parent().expect("a directory")).expect("a home can be written");
    std::fs::write(path, log).expect("a home can be written");
    log.len()
}

#[test]
#[ignore = "it measures times, and writes 200 MB"]
fn the_cost_of_a_search() {
    const LOGS: usize = 100;

    let service = empty();
    table();
    let many = service.trigger("mapped", &json!({ "count": LOGS }));
    service.wait(many, "failed");
    let one = service.trigger("mapped", &json!({ "count": 1 }));
    service.wait(one, "success");
    let plain = log_of(SEARCHED / LOGS, "the landing zone is read");
    let last = log_of(SEARCHED / LOGS, "the needle of the landing zone");
    let bytes = (0..LOGS).map(|element| {
        let log = if element == LOGS - 1 { &last } else { &plain };
        write(&service, many, &format!("square[{element}]"), log)
    });
    let bytes: usize = bytes.sum();
    let whole = write(&service, one, "squares", &log_of(SEARCHED, "the needle of the landing zone"));
    for (what, run, bytes) in [(format!("{LOGS} logs"), many, bytes), ("1 log".to_owned(), one, whole)] {
        for (lines, text) in TEXTS {
            let page = format!("/runs/{run}/log?q={text}");
            let api = format!("/api/v1{page}&limit=20");
            let found = service.get(&api);
            assert_eq!(found.status, 200, "{found:?}");
            let first = found.body.lines().next().map(|line| line.parse::<Value>().expect("JSON"));
            assert_eq!(first.is_some(), lines != "no", "{first:?}");
            assert_eq!(service.get(&page).status, 200);
            let by = |path: &str| median(times().min(3), |_| millis(|| service.get(path)));
            row(
                &format!("search of {what} of together {} MB for a text that {lines} line has", bytes / 1_000_000),
                &format!("page {} ms, API with `limit=20` {} ms", by(&page), by(&api)),
                "500 ms for 1 GB",
            );
        }
    }
}
