//! The page of a task with 100,000 elements.

use serde_json::json;

use crate::page::Page;
use crate::site::large;

/// Number 16.
#[test]
fn the_page_of_100_000_elements_has_the_numbers_of_the_api() {
    let service = large(&["elements=1"]);
    let summary = service.json("/api/v1/runs/1/tasks/score/elements/summary");
    // Those with `customer % 9_973 == 13`.
    assert_eq!((&summary["count"], &summary["failures"][0]["count"]), (&json!(100_000), &json!(11)));
    let page = Page::new(service.address);
    page.open("/runs/1/tasks/score");
    let elements = page.count("*");
    assert!(elements < 3_000, "{elements} elements");
    assert!(page.text("h1").contains("100000 elements"), "{}", page.text("h1"));
    let chips = page.texts("nav[aria-label=States] a");
    assert_eq!(chips, ["All 100000", "Success 99989", "Failed 11"], "{summary}");
    let bars = page.strings("Array.from(document.querySelectorAll('.histogram title'), title => title.textContent)");
    let counted: u64 = bars.iter().map(|bar| bar.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap()).sum();
    assert_eq!(counted, 100_000, "the bars of the histogram");
    assert_eq!(page.texts(".wrong tbody tr .num"), ["11"]);
    assert_eq!(page.count(".order rect.bad"), 11, "each failure is seen among the others");

    page.follow(".wrong tbody .num a");
    let failed: Vec<String> = (0..100_000).filter(|at| at % 9_973 == 13).map(|at| format!("score[{at}]")).collect();
    assert_eq!(page.texts("#elements tbody .name"), failed);
    page.open("/runs/1/tasks/score?from=99900");
    let last: Vec<String> = (99_900..100_000).map(|at| format!("score[{at}]")).collect();
    assert_eq!(page.texts("#elements tbody .name"), last, "page 1,000");
    assert_eq!(page.texts("#elements .pages"), ["99901 to 100000 of 100000 Previous"]);
    page.fill("[name=first]", "500");
    page.fill("[name=last]", "502");
    page.follow("#elements .find button");
    assert_eq!(page.texts("#elements tbody .name"), ["score[500]", "score[501]", "score[502]"]);

    page.open("/runs/1/tasks/score");
    page.follow("main .actions a");
    assert_eq!(page.texts(".affected .state"), failed);
    assert_eq!(page.text(".form button.primary"), "Clear 11 tasks");
    page.follow(".form button.primary");
    page.wait_for("document.title.startsWith('✕')");
    let again = service.json("/api/v1/runs/1/tasks/score/elements?state=failed&limit=1000");
    let attempts = again["elements"].as_array().expect("a list").iter().map(|element| &element["attempts"]);
    assert_eq!(attempts.collect::<Vec<_>>(), vec![&json!(2); 11], "they have run again: {again}");
    page.assert_clean();
}
