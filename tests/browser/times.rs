//! Times on pages.

use serde_json::json;
use taskflow_tests::common::eventually;

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

/// The instants of a page.
const INSTANTS: &str = "Array.from(document.querySelectorAll('main time'), time => time.dateTime)";

/// The times of a page that are wrong in Kathmandu, whose clock is 5 h 45 min ahead all year.
const WRONG_IN_KATHMANDU: &str = r"
Array.from(document.querySelectorAll('main time:not(.ago)'), time => {
    const text = time.textContent.trim(), local = new Date(Date.parse(time.dateTime) + 20700000);
    if (!time.dateTime.includes('T')) return text === String(+time.dateTime.slice(-2)) ? '' : 'another day: ' + time.outerHTML;
    if (text === local.toISOString().slice(11, 19)) return '';
    const [, day, year, clock] = /^(\d+ \w+)( \d{4})? (\d\d:\d\d) GMT\+5:45$/.exec(text) ?? [];
    const shown = Date.parse(`${day} ${year ?? local.getUTCFullYear()} ${clock} UTC`);
    return local - shown >= 0 && local - shown < 60000 ? '' : 'another time: ' + time.outerHTML;
}).filter(words => words)";

/// A part of number 20: each page in the zone of its schedule, of the browser and in UTC.
#[test]
fn the_choice_of_a_zone_changes_no_instant_of_any_page() {
    let service = full();
    // What has not ended then waits for a person, or for an hour.
    eventually("the backfill is done", || service.json("/api/v1/backfills/1")["state"] == "done");
    let zones = Page::new(service.address);
    zones.call("Emulation.setTimezoneOverride", json!({ "timezoneId": "Asia/Kathmandu" }));
    let mut in_own_zone = 0;
    let mut look = |path: &str| {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut in_zone = |zone: &str| {
            zones.open(&format!("{path}{sign}tz={zone}"));
            assert_eq!(zones.strings(WRONG), Vec::<String>::new(), "{path} in {zone}");
            if zone == "mine" {
                assert_eq!(zones.strings(WRONG_IN_KATHMANDU), Vec::<String>::new(), "{path}");
                let of_schedule = u64::from(path.contains("/calendar"));
                assert_eq!(zones.count("h2 .zoned"), of_schedule, "{path}: the times are in another zone");
                in_own_zone += zones.count("main time:not(.ago)");
            }
            zones.strings(INSTANTS)
        };
        let mut all = || ["schedule", "mine", "utc"].map(&mut in_zone);
        let is_same = |[one, other, last]: &[Vec<String>; 3]| one == other && other == last;
        let mut seen = all();
        if !is_same(&seen) {
            // A slot may have come meanwhile, but not twice.
            seen = all();
        }
        assert!(is_same(&seen), "{path}: {seen:#?}");
    };
    let walker = Page::new(service.address);
    walk(&walker, &BEGINNINGS, &mut look);
    assert!(in_own_zone > 50, "only {in_own_zone} times");

    // The switch of a page does the same without loading it again.
    let page = Page::new(service.address);
    page.open("/dags/daily_report");
    page.eval("window.isFirst = true");
    let (before, texts) = (page.strings(INSTANTS), page.texts("main time:not(.ago)"));
    for zone in ["mine", "utc", "schedule"] {
        page.click("#zone");
        page.wait_for(&format!("document.body.dataset.tz === '{zone}'"));
        assert_eq!(page.strings(INSTANTS), before, "{zone}");
        assert_eq!(page.texts("main time:not(.ago)") == texts, zone == "schedule", "{zone}");
    }
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}
