//! Whether everybody can use the pages: the rules of axe, and the keyboard.

use std::sync::LazyLock;

use serde_json::json;
use taskflow_tests::clients::Clients;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::page::Page;
use crate::site::{BEGINNINGS, empty, full, walk};

/// The rules of WCAG 2.2 AA, and what axe calls best practice: landmarks, the order of headings.
/// The number of a line of a log is a link as high as the line, which the size of targets excepts.
const RULES: &str = r#"
axe.run(document, {
    runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    resultTypes: ['violations'],
}).then(results => results.violations.flatMap(rule => rule.nodes
    .filter(node => rule.id !== 'target-size' || !node.html.startsWith('<a class="no"'))
    .map(node =>
    `${rule.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`)))"#;

/// The script of axe.
static AXE: LazyLock<String> = LazyLock::new(|| {
    std::fs::read_to_string(Clients::find().file("axe_playwright_python/axe.min.js")).expect("it is text")
});

/// What a page breaks of these rules.
pub(crate) fn axe_violations(page: &Page) -> Vec<String> {
    page.eval(&format!("{}; true", *AXE));
    page.strings(RULES)
}

/// A part of number 27: the rules of axe.
#[test]
fn no_page_breaks_a_rule_of_axe() {
    let service = full();
    for theme in ["light", "dark"] {
        let page = Page::new(service.address);
        page.media("prefers-color-scheme", theme);
        let mut broken = Vec::new();
        walk(&page, &BEGINNINGS, |path| {
            broken.extend(axe_violations(&page).into_iter().map(|rule| format!("{path} in {theme}: {rule}")));
        });
        assert!(broken.is_empty(), "{} in all: {broken:#?}", broken.len());
    }
}

/// A part of number 27: the order of tabs.
#[test]
fn a_page_is_used_with_the_keyboard() {
    let service = full();
    let page = Page::new(service.address);
    page.open("/runs/1");
    page.press("Tab");
    let focused = "document.activeElement";
    assert_eq!(page.eval(&format!("{focused}.matches('.jump')")), true, "the first stop skips the rail");
    assert_eq!(page.eval(&format!("{focused}.getBoundingClientRect().left >= 0")), true, "it is visible");
    page.press("Enter");
    page.wait_for("location.hash === '#main'");
    page.press("Tab");
    assert_eq!(page.eval(&format!("{focused}.closest('main') !== null")), true, "the next stop is in the page");
    // Each stop is visible when it has the focus, and none is a trap.
    let mut stops = 0;
    while page.eval(&format!("{focused} !== document.body")) == true && stops < 500 {
        let ring = page.eval(&format!(
            "(() => {{ const s = getComputedStyle({focused}); \
             return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2; }})()"
        ));
        assert_eq!(ring, true, "{}", page.eval(&format!("{focused}.outerHTML")));
        // What has a text is named by it, unless it is a part of the page that scrolls.
        let name = page.eval(&format!(
            "(e => e.ariaLabel || e.title || e.labels?.[0]?.innerText || e.querySelector('title')?.textContent \
             || (e.matches('[tabindex]:not(a)') ? '' : e.innerText))({focused})"
        ));
        assert!(
            name.as_str().is_some_and(|name| !name.trim().is_empty()),
            "{}",
            page.eval(&format!("{focused}.outerHTML"))
        );
        page.press("Tab");
        stops += 1;
    }
    assert!((10..500).contains(&stops), "{stops} stops");
}

/// WCAG 2.1.4: what is typed by accident, or by speech, must not act. Nobody has logged in.
#[test]
fn keys_of_one_character_are_switched_off_and_on_without_a_log_in() {
    let service = empty();
    let page = Page::new(service.address);
    page.open("/dags");
    let focus_on = |css: &str| page.eval(&format!("document.activeElement.matches({css:?})"));
    let switch = |words: &str| {
        page.wait_for("document.querySelector('dialog')?.open === true");
        page.click("dialog button");
        assert_eq!(page.text("dialog button"), words);
        page.eval("document.querySelector('dialog').close()");
    };
    page.press("?");
    page.wait_for("document.querySelector('dialog')?.open === true");
    assert!(page.text("dialog").contains("Single-key shortcuts can be switched off here"), "{}", page.text("dialog"));
    assert_eq!(page.text("dialog button"), "Single-key shortcuts are on");
    switch("Single-key shortcuts are off");
    // Also on the next page.
    for path in ["/dags", "/runs"] {
        page.open(path);
        for key in ["/", "j", "?", "."] {
            page.press(key);
            assert_eq!(focus_on("body"), true, "{key} acts on {path}");
        }
        assert_eq!(page.count("dialog[open]"), 0, "{path}");
    }
    page.open("/dags");
    page.click("#help");
    switch("Single-key shortcuts are on");
    page.press("j");
    assert_eq!(focus_on("main a.name"), true);
    page.press("/");
    assert_eq!(focus_on("main [type=search]"), true);
    page.assert_clean();
}

/// A run that has failed twice. Links say to everybody which key leads to them.
#[test]
fn keys_select_rows_open_forms_and_lead_to_levels_and_attempts_of_a_log() {
    let service = empty();
    let run = service.trigger("hostile", &json!({}));
    service.wait(run, "failed");
    assert_eq!(service.post(&format!("/api/v1/runs/{run}/retry"), &json!({})).status, 202);
    let attempts = || {
        let task = service.json(&format!("/api/v1/runs/{run}/tasks/fails"));
        task["attempts"].as_array().map_or(0, Vec::len)
    };
    eventually("it has run again", || attempts() == 2);
    service.wait(run, "failed");
    let page = Page::new(service.address);
    page.open("/runs");
    page.press("x");
    assert_eq!(page.count(".pick :checked"), 0, "no row has the focus");
    page.press("j");
    page.press("x");
    assert_eq!(page.count(".pick :checked"), 1);
    page.press("x");
    assert_eq!(page.count(".pick :checked"), 0);

    page.open(&format!("/runs/{run}"));
    page.press("c");
    page.wait_for("document.querySelector('dialog')?.open === true");
    let action = page.eval("document.querySelector('dialog form').getAttribute('action')");
    assert_eq!(action, format!("/runs/{run}/clear"));

    let log = |attempt: u32| format!("/runs/{run}/tasks/fails/{attempt}");
    page.open(&log(2));
    let leads_to = |key: &str, address: &str| {
        page.press(key);
        page.wait_for(&format!(
            "location.pathname + location.search === '{address}' && document.readyState === 'complete'"
        ));
    };
    leads_to("[", &log(1));
    leads_to("]", &log(2));
    leads_to("4", &format!("{}?level=error", log(2)));
    leads_to("1", &log(2));
    page.assert_clean();
}

/// A part of number 27: live regions do not flood. The title of a run has its state, and is said to
/// who hears the page. The timer of the page, which counts the seconds, is the test's.
#[test]
fn who_hears_a_page_is_told_of_its_state_at_most_every_five_seconds() {
    /// What was written into regions that are read aloud.
    const LISTEN: &str = r"(() => {
        window.heard = [];
        new MutationObserver(changes => {
            for (const { target } of changes) {
                const element = target.closest ? target : target.parentElement;
                const region = element?.closest('[aria-live], [role=status], [role=alert]');
                if (region) heard.push(region.textContent);
            }
        }).observe(document, { childList: true, characterData: true, subtree: true });
    })()";

    let service = Service::new();
    let run = service.trigger("gated", &json!({}));
    service.wait(run, "failed");
    let page = Page::new(service.address);
    page.hasten();
    let source = "window.setInterval = call => { window.second = call; };";
    page.call("Page.addScriptToEvaluateOnNewDocument", json!({ "source": source }));
    page.open(&format!("/runs/{run}"));
    page.eval(LISTEN);
    let heard = || page.strings("heard");
    let again = |verb: &str| {
        let answer = service.post(&format!("/api/v1/runs/{run}/{verb}"), &json!({}));
        assert!((200..300).contains(&answer.status), "{answer:?}");
    };
    for tries in 2..=10 {
        again("retry");
        page.wait_for(&format!(
            "document.title.startsWith('✕') \
             && document.querySelector('tr[data-key=gate] .num').innerText === '{tries}'"
        ));
    }
    service.open_gate();
    again("retry");
    page.wait_for("document.title.startsWith('✓')");
    assert_eq!(heard(), Vec::<String>::new(), "no second is over");
    page.eval("second()");
    assert_eq!(heard().len(), 1);
    std::fs::remove_file(service.directory().join("gate")).expect("it is there");
    again("clear");
    page.wait_for("document.title.startsWith('✕')");
    page.eval("for (let seconds = 0; seconds < 4; seconds++) second()");
    assert_eq!(heard().len(), 1, "it is too early for another one");
    page.eval("second()");
    let heard = heard();
    let signs: Vec<&str> = heard.iter().filter_map(|title| title.split(' ').next()).collect();
    assert_eq!(signs, ["✓", "✕"], "the states of then, and none in between: {heard:?}");
    page.assert_clean();
}
