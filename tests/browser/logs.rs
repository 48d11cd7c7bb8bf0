//! The page of a log: real text, which the browser finds, and nothing else than text.

use serde_json::json;
use taskflow_tests::common::eventually;
use tempfile::tempdir;

use crate::home::Service;
use crate::page::Page;
use crate::site::{empty, walk};

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
