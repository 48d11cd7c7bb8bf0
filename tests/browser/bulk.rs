//! Runs and DAGs that are selected in a list.

use serde_json::json;
use taskflow_tests::common::eventually;

use crate::home::Service;
use crate::page::Page;
use crate::site::empty;

/// Whether the buttons for a selection are shown.
const IS_SHOWN: &str = "getComputedStyle(document.querySelector('.bulk')).display !== 'none'";

fn failed(service: &Service) -> [i64; 2] {
    [(); 2].map(|()| {
        let run = service.trigger("hostile", &json!({}));
        service.wait(run, "failed");
        run
    })
}

fn has_run_again(service: &Service, run: i64) -> bool {
    let task = service.json(&format!("/api/v1/runs/{run}/tasks/fails"));
    task["attempts"].as_array().is_some_and(|attempts| attempts.len() == 2)
}

/// Numbers 32 and 37.
#[test]
fn a_selection_stays_while_the_list_changes_and_is_cleared_as_the_form_has_shown() {
    let service = empty();
    let [first, second] = failed(&service);
    let page = Page::new(service.address);
    page.hasten();
    page.open("/runs");
    assert_eq!(page.eval(IS_SHOWN), false, "nothing is selected");
    page.click(&format!(".pick input[value='{first}']"));
    assert_eq!(page.eval(IS_SHOWN), true);
    // No row comes in while the list is used.
    let later = service.trigger("skipping", &json!({}));
    page.wait_for("document.querySelector('#live').textContent === '● live, changes wait'");
    assert_eq!(page.count(&format!("tr[data-key='{later}']")), 0);
    page.eval("document.activeElement.blur()");
    page.hover("h1");
    page.wait_for(&format!("document.querySelector(\"tr[data-key='{later}']\") !== null"));
    assert_eq!(
        page.strings("Array.from(document.querySelectorAll('.pick :checked'), e => e.value)"),
        [first.to_string()]
    );

    page.click(&format!(".pick input[value='{second}']"));
    page.follow(".bulk button[value=failed]");
    assert_eq!(page.texts("button.primary"), ["Retry 4 tasks of 2 runs"]);
    page.fill("[name=reason]", "the disk is back");
    page.follow("button.primary");
    assert_eq!(page.address(), "/runs");
    eventually("both have run again", || has_run_again(&service, first) && has_run_again(&service, second));
    page.assert_clean();
}

/// Numbers 9 and 32.
#[test]
fn all_that_match_are_changed_without_a_script() {
    let service = empty();
    let runs = failed(&service);
    let page = Page::new(service.address);
    page.without_scripts();
    page.open("/runs?dag=hostile&state=failed");
    assert_eq!(page.eval(IS_SHOWN), true, "the filter can be changed as a whole");
    page.eval("document.querySelector('.bulk select').value = 'all'");
    page.follow(".bulk button[value=failed]");
    page.follow("button.primary");
    assert_eq!(page.address(), "/runs?dag=hostile");
    eventually("both have run again", || runs.iter().all(|&run| has_run_again(&service, run)));

    page.open("/dags");
    page.click(".pick input[value=ad_spend]");
    page.click(".pick input[value=daily_report]");
    page.follow(".bulk button");
    page.fill("[name=reason]", "disk swap");
    page.follow("button.primary");
    for dag in ["ad_spend", "daily_report"] {
        assert_eq!(service.json(&format!("/api/v1/dags/{dag}"))["pause"]["reason"], "disk swap", "{dag}");
    }
    page.assert_clean();
}
