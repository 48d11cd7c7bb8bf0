//! Times on pages.

use crate::page::Page;
use crate::site::{BEGINNINGS, full, walk};

/// The times of a page that are wrong: the full form in `title` must be the instant of `datetime`,
/// and the text must name its zone unless it is relative, or the page names the zone of all.
const WRONG: &str = r"
Array.from(document.querySelectorAll('time'), time => {
    const instant = Date.parse(time.dateTime);
    if (Number.isNaN(instant)) return 'no instant: ' + time.outerHTML;
    const full = /^\w+, (\d+ \w+ \d+ [\d:]+) \S+ \(UTC([+-]\d\d:\d\d)\)$/.exec(time.title);
    if (full && Math.abs(Date.parse(full[1] + ' GMT' + full[2].replace(':', '')) - instant) >= 1000)
        return 'another instant: ' + time.outerHTML;
    const text = time.textContent.trim();
    const relative = / ago$|^in |^now$/.test(text);
    const zoned = /\d\d:\d\d \S+$/.test(text);
    if (!relative && !zoned && !Array.from(document.querySelectorAll('.zone, #zone')).some(zone => zone.textContent.trim()))
        return 'no zone: ' + time.outerHTML;
    return '';
}).filter(words => words)";

/// Number 20.
#[test]
fn every_time_has_a_zone_and_is_the_instant_that_it_says() {
    let service = full();
    let page = Page::new(service.address);
    let mut times = 0;
    walk(&page, &BEGINNINGS, |path| {
        assert_eq!(page.strings(WRONG), Vec::<String>::new(), "{path}");
        times += page.count("time");
    });
    assert!(times > 100, "only {times} times");
}

/// A part of number 20.
#[test]
fn a_page_does_not_depend_on_the_zone_and_the_language_of_the_browser() {
    let service = full();
    let page = Page::new(service.address);
    page.open("/dags/daily_report");
    let here = page.texts("time");
    page.call("Emulation.setTimezoneOverride", serde_json::json!({ "timezoneId": "Australia/Lord_Howe" }));
    page.call("Emulation.setLocaleOverride", serde_json::json!({ "locale": "ar-EG" }));
    page.open("/dags/daily_report");
    let elsewhere = page.texts("time");
    let absolute = |texts: Vec<String>| texts.into_iter().filter(|text| text.contains(':')).collect::<Vec<_>>();
    let here = absolute(here);
    assert!(!here.is_empty());
    assert_eq!(here, absolute(elsewhere));
}
