//! The page of a log: real text, which the browser finds, and nothing else than text.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;
use taskflow::log::LogFiles;
use taskflow_tests::common::eventually;
use tempfile::tempdir;

use crate::home::Service;
use crate::page::Page;
use crate::proxy::Proxy;
use crate::site::{empty, large, walk};

/// An attempt that is running, whose log the test writes.
struct Running {
    service: Service,
    run: i64,
    file: PathBuf,
}

impl Running {
    fn new() -> Running {
        let service = Service::new();
        let run = service.trigger("forever", &json!({}));
        eventually("it runs", || service.json(&format!("/api/v1/runs/{run}/tasks/endless"))["state"] == "running");
        let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
        let file = LogFiles::new(service.home().join("logs")).path(&id, "endless", 1);
        std::fs::create_dir_all(file.parent().expect("a directory")).expect("a home can be written");
        Running { service, run, file }
    }

    fn page(&self) -> String {
        format!("/runs/{}/tasks/endless/1", self.run)
    }

    /// Writes `line 1`, `line 2` and so on, as the attempt would.
    fn log(&self, lines: std::ops::RangeInclusive<u32>) {
        self.append(lines.map(|number| format!("line {number}")));
    }

    fn append(&self, messages: impl Iterator<Item = String>) {
        let line = |message| format!("{}\n", json!({"at": AT, "level": "INFO", "message": message}));
        let mut log = OpenOptions::new().create(true).append(true).open(&self.file).expect("a home can be written");
        log.write_all(messages.map(line).collect::<String>().as_bytes()).expect("a home can be written");
    }
}

const AT: &str = "2026-01-31T06:00:00Z";

/// Whether the page shows its end.
const AT_END: &str = "innerHeight + scrollY >= document.documentElement.scrollHeight - 2";

/// Numbers 12 and 37.
#[test]
fn a_log_is_followed_until_somebody_scrolls_up() {
    let running = Running::new();
    running.log(1..=300);
    let page = Page::new(running.service.address);
    page.hasten();
    page.open(&running.page());
    let has = |lines: u32| page.wait_for(&format!("document.querySelectorAll('.line').length === {lines}"));
    has(300);
    page.wait_for(AT_END);
    running.log(301..=350);
    has(350);
    page.wait_for(AT_END);
    // Somebody reads.
    page.eval("document.querySelector('#L100').scrollIntoView({ block: 'center' })");
    page.wait_for(&format!("!({AT_END})"));
    let place = page.eval("document.querySelector('#L100').getBoundingClientRect().top");
    running.log(351..=387);
    has(387);
    page.wait_for("document.querySelector('#unseen')?.textContent === '37 new lines ↓'");
    assert_eq!(page.eval("document.querySelector('#L100').getBoundingClientRect().top"), place, "nothing has moved");
    page.click("#unseen");
    page.wait_for(AT_END);
    assert_eq!(page.count("#unseen"), 0);
    // The space bar holds it. The lines that come meanwhile are there when it is let go.
    page.press(" ");
    running.log(388..=394);
    page.wait_for("document.querySelector('#live').textContent.startsWith('‖ held, ')");
    assert_eq!(page.count(".line"), 387);
    page.press(" ");
    has(394);
    running.log(395..=400);
    has(400);
    page.wait_for(AT_END);
    // Selected text stays where it is, at the end, too.
    page.eval("getSelection().selectAllChildren(document.querySelector('#L395 .tx'))");
    running.log(401..=402);
    page.wait_for("document.querySelector('#unseen')?.textContent === '2 new lines ↓'");
    assert_eq!(page.eval("getSelection().toString()"), "line 395");
    assert_eq!(page.text("#lines"), "402 lines");
    let cancelled = running.service.post(&format!("/api/v1/runs/{}/cancel", running.run), &json!({}));
    assert_eq!(cancelled.status, 200, "{cancelled:?}");
    page.wait_for("document.title.startsWith('■')");
    assert_eq!(page.eval("getSelection().toString()"), "line 395");
    page.assert_clean();
}

/// Number 13.
#[test]
fn a_log_whose_stream_is_cut_often_has_each_line_once() {
    const CUTS: usize = 20;
    const LINES: u32 = 2_000;

    let running = Running::new();
    let proxy = Proxy::cutting(CUTS, 600..12_000, running.service.address);
    let page = Page::new(proxy.address);
    page.hasten();
    page.open(&running.page());
    for first in (1..LINES).step_by(200) {
        running.log(first..=first + 199);
    }
    page.wait_for(&format!("document.querySelectorAll('.line').length === {LINES}"));
    let texts = page.strings("Array.from(document.querySelectorAll('.line .tx'), line => line.textContent.trim())");
    let written: Vec<String> = (1..=LINES).map(|number| format!("line {number}")).collect();
    assert_eq!(texts, written);
    assert_eq!(proxy.left(), 0, "the streams were cut");
}

/// A part of number 14.
#[test]
fn a_log_of_50_000_lines_is_found_and_read_in_parts() {
    let service = large(&["talking_less=1"]);
    let page = Page::new(service.address);
    page.open("/runs/1/tasks/talk/1");
    assert_eq!(page.count(".line"), 1_200, "its beginning and its end");
    assert_eq!(page.text("#lines"), "50000 lines");
    assert_eq!(page.eval("window.find('line=50000')"), true);
    assert_eq!(page.eval("window.find('line=25000')"), false, "it is left out");
    // What is left out comes in parts.
    page.follow(".cut");
    assert_eq!(page.count(".line"), 20_000);
    let last = page.eval("Array.from(document.querySelectorAll('.line')).at(-1).id");
    assert_eq!(last, "L49000");
    assert_eq!(page.eval("window.find('line=35000')"), true, "in a part that has not been drawn");
    page.fill("[name=q]", "line=25000");
    page.follow(".find button");
    assert_eq!(page.texts(".line .tx"), ["read a row of the landing zone line=25000"]);
    page.click(".line .no");
    page.wait_for("document.querySelector('.line:target')?.innerText.includes('line=25000')");
    page.assert_clean();
}

/// A part of number 14: the 150,000th line of a log of 200,000.
#[test]
fn a_line_far_inside_a_log_of_200_000_lines_is_found_linked_and_marked() {
    let service = large(&["talking=1"]);
    let page = Page::new(service.address);
    let log = "/runs/1/tasks/talk/1";
    page.open(log);
    assert_eq!(page.text("#lines"), "200000 lines");
    assert_eq!(page.eval("window.find('line=150000')"), false, "it is left out");
    // A part with as many lines as a page has.
    page.open(&format!("{log}?from=140001&to=160000"));
    assert_eq!(page.count(".line"), 20_000);
    assert_eq!(page.eval("window.find('line=150000')"), true, "in a chunk that has not been drawn");
    let found = page.eval("getSelection().anchorNode.parentElement.closest('.line').id");
    assert_eq!(found, "L150000");
    // The server finds what is not loaded. The number of the line leads to it.
    page.fill("[name=q]", "line=77777");
    page.follow(".find button");
    assert_eq!(page.texts(".line .tx"), ["read a row of the landing zone line=77777"]);
    page.follow(".line .no");
    assert_eq!(page.eval("location.hash"), "#L77777");
    // A link to a line, as somebody sends it.
    page.open(&format!("{log}?lines=150000#L150000"));
    assert_eq!(page.texts(".line.chosen .tx"), ["read a row of the landing zone line=150000"]);
    page.wait_for(
        "(() => { const r = document.querySelector('.line.chosen').getBoundingClientRect(); \
         return r.top >= 0 && r.bottom <= innerHeight; })()",
    );
    let ground = |css: &str| page.eval(&format!("getComputedStyle(document.querySelector('{css}')).backgroundColor"));
    assert_ne!(ground(".line.chosen"), ground(".line:not(.chosen)"), "the line is marked");
    page.assert_clean();
}

/// Number 14.
#[test]
fn the_browser_finds_the_lines_that_are_shown_and_the_server_the_others() {
    let service = empty();
    let run = service.trigger("talking", &json!({}));
    service.wait(run, "success");
    let log = format!("/runs/{run}/tasks/writes_much/1");
    eventually("its log is written", || service.get(&log).body.contains("5000 lines"));
    let page = Page::new(service.address);
    page.open(&log);
    // Far below what is visible, in a chunk that has not been drawn.
    assert_eq!(page.eval("window.find('line=4321')"), true);
    assert_eq!(page.eval("window.find('line=777')"), false, "it is in the part that is left out");
    page.fill("[name=q]", "line=777");
    page.follow(".find button");
    assert_eq!(page.texts(".line .tx"), ["read a row line=777"]);
    page.click(".line .no");
    page.wait_for("document.querySelector('.line:target')?.innerText.includes('line=777')");
    let in_view = "(() => { const r = document.querySelector('.line:target').getBoundingClientRect(); \
                   return r.top >= 0 && r.bottom <= innerHeight; })()";
    page.wait_for(in_view);
    let ground = |css: &str| page.eval(&format!("getComputedStyle(document.querySelector('{css}')).backgroundColor"));
    assert_ne!(ground(".line:target"), ground(".line:not(:target)"), "the line is marked");
    page.assert_clean();
}

/// Number 15.
#[test]
fn a_hostile_log_is_text() {
    let directory = tempdir().expect("temporary directories can be made");
    let service = Service::of("hostile", directory, &["--bind", "127.0.0.1:0"]);
    let text = "\u{1b}[31mred\u{1b}]8;;http://evil.test\u{1b}\\link\u{1b}]52;c;ZXZpbA==\u{7}\u{202e}\u{0}\
                <script>alert(1)</script>";
    let run = service.trigger("bad", &json!({ "text": text }));
    service.wait(run, "failed");
    let page = Page::new(service.address);
    let kinds = walk(&page, &[&format!("/runs/{run}"), &format!("/runs/{run}/tasks/logs/1")], |path| {
        let problems = page.problems();
        assert!(problems.is_empty(), "{path}: {problems:#?}");
        // Controls and what changes the direction of writing. Tabs and ends of lines are text.
        let controls = page.eval(
            r"/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200b\u2028\u202a-\u202e\u2066-\u2069\ufeff]/
                .exec(document.documentElement.textContent)?.[0].codePointAt(0) ?? null",
        );
        assert!(controls.is_null(), "{path} has the character {controls}");
        assert_eq!(
            page.count("script:not([src^='/static/']), a[href^='http://evil']"),
            0,
            "{path} has what the log has made"
        );
    });
    assert!(kinds.contains("/runs/{}/tasks/{}/{}"), "{kinds:?}");
}

/// A part of number 15: a line of 1 MB that is there, and another one that comes while the log is
/// followed. They were cut, and nothing led to the rest.
#[test]
fn a_line_of_a_megabyte_is_folded_and_leads_to_its_text() {
    const LONG: usize = 1 << 20;

    let running = Running::new();
    let long = || std::iter::once(format!("{}the end", "x".repeat(LONG)));
    running.log(1..=3);
    running.append(long());
    let page = Page::new(running.service.address);
    page.hasten();
    page.open(&running.page());
    page.wait_for("document.querySelectorAll('.line').length === 4");
    running.append(long());
    running.log(6..=7);
    page.wait_for("document.querySelectorAll('.line').length === 7");
    let lengths = page.eval("Array.from(document.querySelectorAll('.line .tx'), line => line.textContent.length)");
    let longest = lengths.as_array().expect("a list").iter().filter_map(serde_json::Value::as_u64).max();
    assert!(longest.is_some_and(|longest| (10_000..11_000).contains(&longest)), "{lengths}");
    assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), true, "the page does not get wider");
    let links = page.strings("Array.from(document.querySelectorAll('.line a.fold'), a => a.getAttribute('href'))");
    assert_eq!(links, [4, 5].map(|line| format!("{}/raw?lines={line}", running.page())));
    for link in links {
        page.open(&link);
        let text = page.eval("document.body.textContent.trim()");
        let text = text.as_str().expect("a text");
        assert!(text.ends_with("xthe end") && text.matches('x').count() == LONG, "{} bytes", text.len());
        assert_eq!(text.lines().count(), 1, "other lines are not among them");
    }
    page.assert_clean();
}
