//! Searching the logs of a whole run: by the API, and on its page.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use taskflow_tests::common::eventually;
use tempfile::tempdir;

use crate::home::Service;
use crate::pages::{assert_has, page};

fn service() -> Service {
    Service::of("pages", tempdir().expect("temporary directories can be made"), &["--bind", "127.0.0.1:0"])
}

#[track_caller]
fn records(service: &Service, path: &str) -> Vec<Value> {
    let response = service.get(path);
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.body.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
}

#[test]
fn the_api_finds_records_with_a_text_in_all_logs_of_a_run() {
    let service = service();
    let run = service.trigger("daily_report", &json!({}));
    eventually("it ends", || service.json(&format!("/api/v1/runs/{run}"))["ended"].is_string());
    let log = format!("/api/v1/runs/{run}/log");
    let all = records(&service, &log);
    // Case does not matter, and fields are found as the pages show them.
    let found = records(&service, &format!("{log}?q=LANDING"));
    let has_text = |record: &&Value| record.to_string().contains("landing");
    assert_eq!(found, all.iter().filter(has_text).cloned().collect::<Vec<_>>());
    let tasks: BTreeSet<&str> = found.iter().filter_map(|record| record["task"].as_str()).collect();
    assert_eq!(tasks, BTreeSet::from(["fetch[0]", "fetch[1]", "fetch[2]", "list"]));
    let of_field = records(&service, &format!("{log}?q=files%3D3%20source"));
    assert_eq!(of_field.len(), 1, "{of_field:?}");
    assert_eq!(of_field[0]["message"], "listed the new files");
    assert_eq!(records(&service, &format!("{log}?q=landing&limit=2")), found[..2], "the earliest ones");
    assert_eq!(records(&service, &format!("{log}?limit=3")), all[..3]);
    assert_eq!(records(&service, &format!("{log}?q=listed&level=warn")), Vec::<Value>::new());
    assert_eq!(records(&service, &format!("{log}?q=zebra")), Vec::<Value>::new());
    service.get(&format!("{log}?q=row&follow=true")).assert_problem(400, "`q` is for logs that are not followed");
    service.get(&format!("{log}?limit=0")).assert_problem(400, "limit");
}

#[test]
fn the_page_groups_what_it_finds_by_task_and_leads_to_the_place_in_the_log() {
    let service = service();
    let run = service.trigger("talking", &json!({}));
    service.wait(run, "success");
    let log = format!("/runs/{run}/log");
    assert_has(&page(&service, &format!("/runs/{run}")), &[&format!("href=\"{log}\"")]);
    // A log that is written this fast may have gaps, and its end may still be on the way to it.
    eventually("lines are written", || {
        page(&service, &format!("{log}?q=Read+a+ROW")).contains(" lines of 1 task match")
    });
    let found = page(&service, &format!("{log}?q=Read+a+ROW"));
    let (before, _) = found.split_once(" lines of 1 task match").expect("there are lines");
    let lines: usize = before.rsplit('>').next().and_then(|lines| lines.parse().ok()).expect("a number");
    let more = format!("{} more lines", lines - 3);
    assert_has(&found, &[&more, "value=\"Read a ROW\"", "/tasks/writes_much/1?q=Read%20a%20ROW"]);
    assert_eq!(found.matches("class=\"line hit").count(), 3, "the first few: {found}");
    let place = format!("/runs/{run}/tasks/writes_much/1?from=1&amp;to=203#L3");
    assert_has(&found, &[&place]);
    assert_has(&page(&service, &place.replace("&amp;", "&")), &["id=\"L3\""]);
    assert_has(&page(&service, &format!("{log}?q=zebra")), &["No line of its logs has this text."]);
    let known = records(&service, &format!("/api/v1{log}?q=read%20a%20row"));
    let last = &known.last().expect("there are lines")["fields"]["line"];
    let one = page(&service, &format!("{log}?q=line%3D{last}"));
    assert_has(&one, &["1 line matches", &format!("class=\"found\">line={last}<")]);
}

#[test]
fn the_page_shows_warnings_and_errors_if_nothing_is_searched_for() {
    let service = service();
    let run = service.trigger("hostile", &json!({}));
    service.wait(run, "failed");
    let shown = page(&service, &format!("/runs/{run}/log"));
    assert_has(&shown, &["2 lines of 1 task match", ">fails</a>", "&lt;script&gt;"]);
    assert!(!shown.contains("<script>alert"), "{shown}");
    assert!(!shown.contains(">All levels<"), "{shown}");
    // Keys mean the same levels as in the log of an attempt.
    assert_has(&shown, &["aria-keyshortcuts=\"3\">Warnings<", "aria-keyshortcuts=\"4\">Errors<"]);
    let silent = service.trigger("skipping", &json!({}));
    service.wait(silent, "success");
    let shown = page(&service, &format!("/runs/{silent}/log"));
    assert_has(&shown, &["No task of this run has logged a warning or an error."]);
    assert_has(
        &page(&service, &format!("/runs/{run}/log?q=alert")),
        &["aria-keyshortcuts=\"1\">All levels<", "<span class=\"found\">alert"],
    );
}
