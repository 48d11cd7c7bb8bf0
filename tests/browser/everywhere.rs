//! What holds on every page.

use crate::page::Page;
use crate::site::{BEGINNINGS, full, walk};

/// Checks that what people have written is text.
#[track_caller]
pub(crate) fn assert_nothing_was_made_of_texts(page: &Page, path: &str) {
    let foreign = "script:not([src]), [onerror], [onfocus], img[src=x], a[href^=javascript]";
    assert_eq!(page.count(foreign), 0, "{path} has elements that a text has made");
}

/// Checks that the ground of a theme is there, so the style sheet is.
#[track_caller]
pub(crate) fn assert_ground(page: &Page, path: &str, theme: &str) {
    let ground = page.eval("getComputedStyle(document.body).backgroundColor");
    let expected = if theme == "light" { "rgb(255, 255, 255)" } else { "rgb(13, 17, 23)" };
    assert_eq!(ground, expected, "{path} in {theme}");
}

/// Numbers 1 and 26.
#[test]
fn every_page_opens_without_a_message_in_both_themes_and_runs_nothing_that_people_wrote() {
    let service = full();
    for theme in ["light", "dark"] {
        let page = Page::new(service.address);
        page.media("prefers-color-scheme", theme);
        let kinds = walk(&page, &BEGINNINGS, |path| {
            let problems = page.problems();
            assert!(problems.is_empty(), "{path} in {theme}: {problems:#?}");
            assert_nothing_was_made_of_texts(&page, path);
            assert_ground(&page, path, theme);
        });
        for kind in [
            "/",
            "/dags",
            "/dags/{}",
            "/dags/{}/pause",
            "/dags/{}/tasks/{}",
            "/dags/{}/trigger",
            "/dags/{}/unpause",
            "/runs",
            "/runs/{}",
            "/runs/{}/cancel",
            "/runs/{}/clear",
            "/runs/{}/mark?tasks",
            "/runs/{}/tasks/{}",
            "/runs/{}/tasks/{}/{}",
            "/assets",
            "/events?asset",
            "/backfills",
            "/backfills/{}",
            "/doctor",
        ] {
            assert!(kinds.contains(kind), "no page leads to {kind}: {kinds:#?}");
        }
    }
}
