//! Whether everybody can use the pages: the rules of axe, and the keyboard.

use std::sync::LazyLock;

use taskflow_tests::clients::Clients;

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
