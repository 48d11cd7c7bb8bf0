//! Small windows, large text, paper, and the colours and motions that a user prefers.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::everywhere::assert_ground;
use crate::page::Page;
use crate::site::{BEGINNINGS, empty, full, large, walk};

/// The elements that make the page wider than its window.
const WIDER: &str = r"
document.documentElement.scrollWidth <= innerWidth ? [] :
    Array.from(document.querySelectorAll('.page *'), e => {
        const reach = e.getBoundingClientRect().right;
        return reach > innerWidth + 0.5 ? `${Math.round(reach)} px: ${e.outerHTML.slice(0, 120)}` : '';
    }).filter(words => words).slice(0, 5)";

/// A part of number 27: reflow at 320 pixels, text of 200 %.
#[test]
fn no_page_scrolls_sideways_at_320_pixels_or_with_text_of_200_percent() {
    let service = full();
    // A window of 1280 pixels at 200 % has 640 pixels of CSS.
    for width in [320, 640] {
        let page = Page::new(service.address);
        page.size(width, 800);
        walk(&page, &BEGINNINGS, |path| {
            let wider = page.strings(WIDER);
            assert!(wider.is_empty(), "{path} at {width} pixels: {wider:#?}");
        });
    }
}

/// A part of number 27.
#[test]
fn no_page_of_a_large_run_scrolls_sideways_at_320_pixels() {
    let grids = large(&["warehouse=3"]);
    let lists = large(&["elements=1"]);
    let pages = [
        (&grids, "/dags/warehouse"),
        (&grids, "/dags/warehouse/grid?open=area_03"),
        (&grids, "/runs/1"),
        (&lists, "/runs/1"),
        (&lists, "/runs/1/tasks/score"),
    ];
    for (service, path) in pages {
        let page = Page::new(service.address);
        page.size(320, 800);
        page.open(path);
        let wider = page.strings(WIDER);
        assert!(wider.is_empty(), "{path}: {wider:#?}");
        page.assert_clean();
    }
}

/// The marks and the cells of grids whose glyph does not stand out from its ground with the colours
/// that a user has chosen for all pages.
const UNSEEN: &str = r"
(() => {
    const probe = document.body.appendChild(document.createElement('i'));
    Object.assign(probe.style, { forcedColorAdjust: 'none', color: 'CanvasText', backgroundColor: 'Canvas' });
    const { color, backgroundColor } = getComputedStyle(probe);
    probe.remove();
    const marks = Array.from(document.querySelectorAll('main .mark'), mark => {
        const ground = mark.querySelector('rect');
        return [mark, getComputedStyle(mark).stroke, ground ? getComputedStyle(ground).fill : backgroundColor];
    });
    const cells = Array.from(document.querySelectorAll('.grid tbody td svg'), cell =>
        [cell, getComputedStyle(cell).stroke, getComputedStyle(cell).backgroundColor]);
    return [...marks, ...cells].map(([element, glyph, ground]) =>
        glyph === color && ground === backgroundColor ? '' : `${glyph} on ${ground}: ${element.outerHTML.slice(0, 160)}`)
        .filter(words => words);
})()";

/// A part of number 27: forced colours. The glyph of a failure was black on dark red.
#[test]
fn every_state_is_seen_in_forced_colours() {
    let service = full();
    let page = Page::new(service.address);
    page.media("forced-colors", "active");
    let mut marks = 0;
    for path in ["/runs/1", "/runs", "/dags/hostile", "/dags/daily_report/grid", "/backfills/1"] {
        page.open(path);
        assert_eq!(page.eval("matchMedia('(forced-colors: active)').matches"), true);
        assert_eq!(page.strings(UNSEEN), Vec::<String>::new(), "{path}");
        marks += page.count("main .mark, .grid tbody td svg");
    }
    assert!(marks > 20, "only {marks}");
}

/// A part of number 27: reduced motion.
#[test]
fn nothing_moves_for_who_wants_no_motion() {
    let service = full();
    let page = Page::new(service.address);
    page.media("prefers-reduced-motion", "reduce");
    for path in ["/", "/runs", "/runs/1", "/dags/mapped"] {
        page.open(path);
        assert_eq!(page.eval("document.getAnimations().length"), 0, "{path}");
    }
}

/// Number 39. The system has the dark theme; the second tab runs no script.
#[test]
fn the_theme_is_that_of_the_system_until_somebody_chooses_another_one() {
    let service = empty();
    let page = Page::new(service.address);
    let plain = page.beside();
    plain.without_scripts();
    let has = |tab: &Page, theme: &str| assert_ground(tab, &tab.address(), theme);
    for tab in [&page, &plain] {
        tab.media("prefers-color-scheme", "dark");
        tab.open("/dags");
        has(tab, "dark");
    }
    for (choice, theme) in [("light", "light"), ("dark", "dark"), ("system", "dark")] {
        page.click("#theme");
        has(&page, theme);
        page.open("/runs");
        has(&page, theme);
        plain.open("/runs");
        has(&plain, theme);
        let written = plain.eval("document.documentElement.dataset.theme ?? 'system'");
        assert_eq!(written, choice, "the server knows it");
    }
    for tab in [&page, &plain] {
        tab.media("prefers-color-scheme", "light");
        has(tab, "light");
        tab.assert_clean();
    }
}

/// Number 31.
#[test]
fn a_run_is_printed_on_white_without_what_only_a_screen_needs() {
    let service = full();
    let page = Page::new(service.address);
    page.media("prefers-color-scheme", "dark");
    page.open("/runs/1");
    page.eval("document.querySelector('.message').append('\\nline'.repeat(60))");
    page.print();
    assert_eq!(page.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
    for css in [".rail", ".actions", ".find"] {
        let shown = page.eval(&format!("getComputedStyle(document.querySelector('{css}')).display"));
        assert_eq!(shown, "none", "{css} is printed");
    }
    // What is cut off or scrolls cannot be read on paper.
    page.size(720, 1000);
    let cut = page.strings(
        "Array.from(document.querySelectorAll('main *'), e => { const s = getComputedStyle(e); \
         return e.scrollHeight > e.clientHeight + 1 && ['auto', 'scroll'].includes(s.overflowY) ? e.className : ''; \
         }).filter(name => name)",
    );
    assert_eq!(cut, Vec::<String>::new());
    assert_eq!(page.strings(WIDER), Vec::<String>::new());
    let document = page.call("Page.printToPDF", serde_json::json!({}));
    assert!(document["data"].as_str().is_some_and(|data| data.starts_with("JVBERi0")), "it is a PDF");
}

/// Number 36: a window of 360 pixels, and a thumb.
#[test]
fn on_a_phone_somebody_approves_retries_and_reads_a_log() {
    /// What is pressed is not smaller than a fingertip may miss.
    const TARGETS: &str = "Array.from(document.querySelectorAll('.act button, .act .button, dialog button'), \
                           e => e.getBoundingClientRect()).every(r => r.height >= 24 && r.width >= 24)";

    let service = empty();
    let asking = service.trigger("asking", &json!({}));
    let failed = service.trigger("hostile", &json!({}));
    service.wait(failed, "failed");
    eventually("it asks", || service.json("/api/v1/approvals").as_array().is_some_and(|all| all.len() == 1));
    let page = Page::new(service.address);
    page.hasten();
    page.size(360, 740);
    let check = |what: &str| {
        let wider = page.strings(WIDER);
        assert!(wider.is_empty(), "{what}: {wider:#?}");
        assert_eq!(page.eval(TARGETS), true, "{what}");
    };

    // Approve.
    page.open("/");
    check("home");
    page.click_words("Answer…");
    page.wait_for("document.querySelector('dialog')?.open === true");
    check("the question");
    assert!(page.text("dialog h1").contains("Release 4.3 to all regions?"));
    page.click("dialog button[value=approved]");
    page.wait_for(&format!("location.pathname === '/runs/{asking}/tasks/release'"));
    service.wait(asking, "success");

    // Retry.
    page.open("/");
    page.follow_words("Retry");
    assert_eq!(page.address(), format!("/runs/{failed}"));
    let attempts = || {
        let task = service.json(&format!("/api/v1/runs/{failed}/tasks/fails"));
        task["attempts"].as_array().map_or(0, Vec::len)
    };
    eventually("it has run again", || attempts() == 2);
    service.wait(failed, "failed");

    // Read the log of what went wrong.
    page.wait_for("document.querySelector('.wrong a.tail')?.getAttribute('href')?.endsWith('/2') === true");
    check("the run");
    page.follow_words("Full log");
    assert_eq!(page.address(), format!("/runs/{failed}/tasks/fails/2"));
    check("the log");
    let lines = page.texts(".line .tx");
    assert!(lines.iter().any(|line| line.contains("alert('x')")), "{lines:?}");
    page.fill("[name=q]", "alert");
    page.follow(".find button");
    let found = page.texts(".line.hit .tx");
    assert!(!found.is_empty() && found.iter().all(|line| line.contains("alert")), "{found:?}");
    check("the search");
    page.assert_clean();
}
