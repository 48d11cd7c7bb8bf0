//! The calendar of a DAG where clocks change.

use serde_json::Value;

use crate::page::Page;
use crate::site::large;

/// The slots of a month as `2096-03-25 03:00`, in the zone of the page.
const SHOWN: &str = "Array.from(document.querySelectorAll('.month .slot'), slot => \
                     slot.closest('td').querySelector('.date').getAttribute('datetime') + ' ' + slot.innerText.trim())";

/// Months in which the clock of a zone changes: the DAG, its zone, the month, the day of the
/// change.
const MONTHS: [(&str, &str, &str, &str); 6] = [
    ("nights_in_berlin", "Europe/Berlin", "2096-03", "2096-03-25"),
    ("nights_in_berlin", "Europe/Berlin", "2096-10", "2096-10-28"),
    ("nights_in_new_york", "America/New_York", "2096-03", "2096-03-11"),
    ("nights_in_new_york", "America/New_York", "2096-11", "2096-11-04"),
    ("nights_on_lord_howe", "Australia/Lord_Howe", "2096-04", "2096-04-01"),
    ("nights_on_lord_howe", "Australia/Lord_Howe", "2096-10", "2096-10-07"),
];

/// Number 19.
#[test]
fn slots_stand_at_their_day_and_time_where_clocks_change() {
    let service = large(&["retried=1"]);
    let page = Page::new(service.address);
    for (dag, zone, month, change) in MONTHS {
        // A day more at both ends: in UTC, a slot may be in another month.
        let (year, number) = month.split_once('-').expect("a month");
        let next = format!("{year}-{:02}-02", number.parse::<u32>().expect("a number") + 1);
        let from = jiff::civil::Date::strptime("%Y-%m-%d", format!("{month}-01")).expect("a day").yesterday();
        let query = format!("from={}T00:00:00Z&to={next}T00:00:00Z&limit=500", from.expect("a day"));
        let slots = service.json(&format!("/api/v1/dags/{dag}/slots?{query}"))["slots"].clone();
        let at = |slot: &Value| slot["at"].as_str().expect("a time").parse::<jiff::Timestamp>().expect("a time");
        let local = |at: jiff::Timestamp, zone: &str, format: &str| {
            at.in_tz(zone).expect("a zone").strftime(format).to_string()
        };
        let slots: Vec<jiff::Timestamp> = slots.as_array().expect("a list").iter().map(at).collect();
        let in_month = |&&at: &&jiff::Timestamp| local(at, zone, "%Y-%m") == month;
        let slots: Vec<&jiff::Timestamp> = slots.iter().filter(in_month).collect();
        assert!(slots.len() >= 28, "{slots:?}");
        // The days are those of the schedule, whichever zone somebody has chosen for times.
        for (choice, of_times) in [("schedule", zone), ("utc", "UTC"), ("mine", "UTC")] {
            page.open(&format!("/dags/{dag}/calendar?month={month}&tz={choice}"));
            assert!(page.text("h2 .zoned").contains(zone), "{}", page.text("h2 .zoned"));
            let expected: Vec<String> = slots.iter().map(|&&at| local(at, zone, "%Y-%m-%d %H:%M")).collect();
            assert_eq!(page.strings(SHOWN), expected, "{dag} in {month} in {of_times}");
            let days = page.texts(".month .date");
            assert!((28..=31).contains(&days.len()), "{days:?}");
            assert!(days.iter().zip(1..).all(|(text, day)| *text == day.to_string()), "{choice}: {days:?}");
            let titles =
                page.strings("Array.from(document.querySelectorAll('.month .slot span[title]'), e => e.title)");
            for (title, &&at) in titles.iter().zip(&slots) {
                let time = local(at, of_times, "%-d %b %Y %H:%M %Z");
                assert!(title.starts_with(&time), "{title}: {time}");
            }
            let why = page.text(&format!("td:has([datetime='{change}']) .why"));
            assert!(why.contains("clock"), "{dag} on {change}: {why}");
        }
        page.open(&format!("/dags/{dag}/calendar?month={month}&tz=schedule"));
        page.assert_clean();
    }
}

/// A part of number 19.
#[test]
fn a_day_without_a_slot_says_why() {
    let service = large(&["retried=1"]);
    let page = Page::new(service.address);
    page.open("/dags/nights_in_berlin/calendar?month=2096-12");
    let day = |day: &str, css: &str| page.texts(&format!("td:has([datetime='2096-12-{day}']) {css}"));
    assert_eq!(day("25", ".slot"), Vec::<String>::new());
    assert!(day("25", ".why").iter().any(|why| !why.is_empty()), "it says why");
    assert_eq!(day("24", ".slot"), ["02:30"]);
    assert_eq!(day("24", ".why"), Vec::<String>::new());
    // The months before and after are a key away.
    page.open("/dags/nights_in_berlin/calendar");
    let this = page.address();
    page.press("]");
    page.wait_for(&format!("location.pathname + location.search !== '{this}' && document.readyState === 'complete'"));
    page.press("[");
    page.wait_for("document.querySelector('.month .today') !== null && document.readyState === 'complete'");
    page.assert_clean();
}
