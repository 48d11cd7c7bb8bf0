//! What somebody does who has never seen the pages: only what is written on them leads on.

use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

use crate::home::Service;
use crate::page::Page;

/// A directory in which the example `delays` finds its files, except for the weather.
fn without_weather() -> TempDir {
    let directory = tempfile::tempdir().expect("temporary directories can be made");
    let data = directory.path().join("examples/data");
    let made = std::fs::create_dir_all(data).and_then(|()| std::fs::create_dir(directory.path().join("target")));
    made.expect("directories can be made");
    for file in ["flights-2013-01.csv.gz", "airlines.csv", "airports.csv"] {
        bring(directory.path(), file);
    }
    directory
}

/// Links a file of the examples to where the example looks for it.
fn bring(directory: &Path, file: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/data").canonicalize();
    let data = data.expect("the examples are there");
    symlink(data.join(file), directory.join("examples/data").join(file)).expect("links can be made");
}

/// Waits until an element has this text.
#[track_caller]
fn wait_for_text(page: &Page, css: &str, text: &str) {
    page.wait_for(&format!("document.querySelector({css:?})?.innerText.includes({text:?}) === true"));
}

/// Waits until a task of the run on the page has a state.
#[track_caller]
fn wait_for_task(page: &Page, task: &str, state: &str) {
    let mark = format!("document.querySelector('tr[data-key={task}] .mark')?.getAttribute('aria-label')");
    page.wait_for(&format!("{mark} === '{state}'"));
}

/// Number 35.
#[test]
fn who_knows_no_address_runs_an_example_repairs_it_and_asks_for_a_year_of_it() {
    let service = Service::started_in(without_weather(), "delays");
    let page = Page::new(service.address);
    page.hasten();

    // From an empty home to the only DAG, and to a run of it.
    page.open("/");
    page.follow_words("See the DAGs");
    page.follow_words("delays");
    page.click_words("Trigger…");
    page.wait_for("document.querySelector('dialog')?.open === true");
    page.fill_field("late_after_min", "30");
    page.follow_words("Trigger");
    page.wait_for("document.title.startsWith('✕')");
    wait_for_text(&page, ".wrong", "no weather.csv");

    // What its logs say about that.
    page.follow_words("Log");
    page.fill_field("Search all logs of the run", "weather.csv");
    page.follow_words("Search");
    let hits = page.texts(".hit .tx");
    assert!(matches!(&hits[..], [hit] if hit.contains("no weather.csv")), "{hits:?}");

    // Once it is repaired, what has failed runs again, as the preview says.
    bring(service.directory(), "weather.csv");
    page.follow_words("Run 1");
    page.eval("window.isFirst = true");
    page.click_words("Clear…");
    page.wait_for("document.querySelector('dialog')?.open === true");
    page.eval("document.querySelector('dialog [name=which]').value = 'failed'");
    page.click_words("Preview again");
    wait_for_text(&page, "dialog button.primary", "Clear 9 tasks");
    let affected = page.texts("dialog .affected li");
    assert_eq!(affected.first().map(String::as_str), Some("weather failed → runs again"), "{affected:?}");
    assert_eq!(affected.len(), 9, "{affected:?}");
    page.fill_field("Reason", "the weather is there");
    page.click_words("Clear 9 tasks");
    page.wait_for("document.title.startsWith('✓')");
    wait_for_task(&page, "report", "success");
    assert!(page.text("#history").contains("the weather is there"));
    assert_eq!(page.eval("window.isFirst"), true, "it was followed to its end");

    // A year of it: what would run, and then the first of them.
    page.follow_words("delays");
    page.click_words("Backfill…");
    page.wait_for("document.querySelector('dialog')?.open === true");
    page.fill_field("From", "2013-01-01");
    page.fill_field("To", "2013-12-31");
    page.click_words("Preview");
    wait_for_text(&page, "dialog .preview h2", "365 slots");
    page.follow_words("Run 365 slots");
    page.eval("window.isFirst = true");
    page.wait_for(r"/[1-9]\d* success/.test(document.querySelector('.marks')?.innerText)");
    page.click_words("Cancel…");
    page.wait_for("document.querySelector('dialog')?.open === true");
    page.click("dialog button.danger");
    wait_for_text(&page, ".sub", "cancelled");
    assert_eq!(page.eval("window.isFirst"), true, "it was not loaded again");
    page.assert_clean();
}
