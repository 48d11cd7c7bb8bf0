//! The page of a log: real text, which the browser finds, and nothing else than text.

use serde_json::json;
use taskflow_tests::common::eventually;
use tempfile::tempdir;

use crate::home::Service;
use crate::page::Page;
use crate::site::empty;

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
    let dags = service.json("/api/v1/dags");
    let dags = dags["dags"].as_array().or(dags.as_array()).expect("a list").clone();
    let page = Page::new(service.address);
    for dag in &dags {
        let dag = dag["id"].as_str().or(dag["dag_id"].as_str()).expect("a DAG has an id");
        let response = service.post(&format!("/api/v1/dags/{dag}/runs"), &json!({}));
        assert!([201, 409, 422].contains(&response.status), "{dag}: {response:?}");
    }
    crate::site::walk(&page, |path| {
        let problems = page.problems();
        assert!(problems.is_empty(), "{path}: {problems:#?}");
        let controls = page.eval(
            "/[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u061c\\u200b\\u202a-\\u202e\\u2066-\\u2069\\u2028\\ufeff]/\
             .exec(document.documentElement.textContent)?.[0].codePointAt(0) ?? null",
        );
        assert!(controls.is_null(), "{path} has the character {controls}");
        assert_eq!(page.count("a[href*='evil'][href^=http]"), 0, "{path} has a link that the log has made");
    });
}
