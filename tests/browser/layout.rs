//! Small windows, large text, paper, and the colours and motions that a user prefers.

use crate::page::Page;
use crate::site::{BEGINNINGS, full, large, walk};

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

/// A part of number 27: forced colours.
#[test]
fn a_state_is_seen_in_forced_colours() {
    let service = full();
    let page = Page::new(service.address);
    page.media("forced-colors", "active");
    page.open("/runs/1");
    assert_eq!(page.eval("matchMedia('(forced-colors: active)').matches"), true);
    let colours = page.strings(
        "(() => { const mark = document.querySelector('h1 .mark'); \
         return [getComputedStyle(mark).stroke, getComputedStyle(mark.querySelector('rect')).fill]; })()",
    );
    assert_ne!(colours[0], colours[1], "the glyph and its ground");
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
