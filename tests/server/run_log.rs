//! Searching the logs of a whole run: by the API, and on its page.

use std::collections::BTreeSet;
#[cfg(target_os = "linux")]
use std::io::Read as _;

use serde_json::{Value, json};
use taskflow::log::LogFiles;
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

/// A service with a run that has ended, whose logs are these: the task, the attempt, and the lines.
fn with_logs(logs: &[(&str, u32, String)]) -> (Service, i64) {
    let service = Service::new();
    let run = service.trigger("greeting", &json!({}));
    service.wait(run, "success");
    // Its own log is written within a moment. After that, nobody writes to it.
    let log = format!("/api/v1/runs/{run}/log");
    eventually("its log is written", || records(&service, &log).len() == 2);
    let id = service.json(&format!("/api/v1/runs/{run}"))["run_id"].as_str().expect("an id").to_owned();
    let files = LogFiles::new(service.home().join("logs"));
    std::fs::remove_file(files.path(&id, "greet", 1)).expect("it is there");
    for (task, attempt, text) in logs {
        let path = files.path(&id, task, *attempt);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("directories can be made");
        std::fs::write(path, text).expect("files can be written");
    }
    (service, run)
}

fn line(second: u32, level: &str, message: &str) -> String {
    let record = json!({"at": format!("2026-01-31T06:00:{second:02}Z"), "level": level, "message": message});
    format!("{record}\n")
}

/// The beginnings of the messages.
#[track_caller]
fn messages(service: &Service, path: &str) -> Vec<String> {
    let message = |record: &Value| record["message"].as_str().expect("a text").chars().take(9).collect();
    records(service, path).iter().map(message).collect()
}

/// Two attempts of a task and one of another, with records at the same time and out of order, a
/// damaged line, an empty one, one that is longer than what is read at once, and an incomplete one.
#[test]
fn the_api_has_the_records_of_several_attempts_in_the_order_of_time() {
    let torn = line(0, "ERROR", "torn row");
    let first = line(1, "INFO", "a row")
        + &line(5, "WARN", "slow")
        + &line(3, "INFO", "late row")
        + "{\"at\":\"2026\n\n"
        + &line(7, "INFO", &"x".repeat(600_000))
        + torn.trim_end();
    let second = line(3, "ERROR", "a third row") + &line(2, "DEBUG", "detail");
    let other = line(1, "INFO", "other row") + &line(8, "INFO", "end");
    let (service, run) = with_logs(&[("greet", 2, first), ("greet", 3, second), ("other", 1, other)]);
    let log = format!("/api/v1/runs/{run}/log");
    let all = ["a row", "other row", "detail", "late row", "this line", "a third r", "slow", "xxxxxxxxx", "end"]
        .map(str::to_owned);
    assert_eq!(messages(&service, &log), all);
    for limit in 1..=all.len() + 1 {
        let expected = &all[..limit.min(all.len())];
        assert_eq!(messages(&service, &format!("{log}?limit={limit}")), expected, "{limit}");
    }
    for (query, expected) in [
        ("level=warn", &["this line", "a third r", "slow"][..]),
        ("level=warn&limit=2", &["this line", "a third r"]),
        ("q=ROW", &["a row", "other row", "late row", "a third r"]),
        ("q=row&limit=3", &["a row", "other row", "late row"]),
        ("q=row&level=error", &["a third r"]),
        ("attempt=3", &["detail", "a third r"]),
        ("attempt=2&limit=2", &["a row", "late row"]),
        ("task=greet&limit=3", &["a row", "detail", "late row"]),
    ] {
        assert_eq!(messages(&service, &format!("{log}?{query}")), expected, "{query}");
    }
    let long = &records(&service, &format!("{log}?attempt=2"))[4]["message"];
    assert_eq!(long.as_str().map(str::len), Some(600_000));
    let plain = service.send("GET", &format!("{log}?limit=2"), &[("accept", "text/plain")], "");
    assert_eq!(plain.body, "2026-01-31T06:00:01Z INFO greet#2: a row\n2026-01-31T06:00:01Z INFO other#1: other row\n");
    // The command line reads the files itself.
    for (words, expected) in [(&["--level", "warn"][..], 3), (&[], all.len())] {
        let printed = service.call(&[&["logs", &run.to_string(), "--json"][..], words].concat());
        assert_eq!(printed.stdout.lines().count(), expected, "{printed:?}");
    }
}

/// The most memory that the service has had, in kB.
#[cfg(target_os = "linux")]
fn peak(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.process())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the peak");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Three logs of 16 MB each.
#[cfg(target_os = "linux")]
#[test]
fn a_part_of_large_logs_takes_the_memory_of_that_part() {
    let large = line(1, "INFO", &"x".repeat(16_000)).repeat(1_000);
    let (service, run) = with_logs(&[("greet", 2, large.clone()), ("greet", 3, large.clone()), ("other", 1, large)]);
    let before = peak(&service);
    for (query, count) in [("limit=20", 20), ("level=error", 0)] {
        assert_eq!(records(&service, &format!("/api/v1/runs/{run}/log?{query}")).len(), count, "{query}");
    }
    let grown = peak(&service) - before;
    assert!(grown < 24 * 1024, "{grown} kB");
}

/// Three logs of 8 MB each, with records of the same minute. All lines were held, and then the
/// whole text beside them.
#[cfg(target_os = "linux")]
#[test]
fn the_whole_text_of_large_logs_is_sent_in_the_order_of_time_and_takes_the_memory_of_a_part() {
    let large: String = (0..500).map(|n| line(n * 60 / 500, "INFO", &format!("{n} {}", "ö".repeat(8_000)))).collect();
    let (service, run) = with_logs(&[("greet", 2, large.clone()), ("greet", 3, large.clone()), ("other", 1, large)]);
    let log = format!("/api/v1/runs/{run}/log");
    let before = peak(&service);
    let (head, mut body) = service.stream(&log, &[]);
    let mut text = String::new();
    body.read_to_string(&mut text).expect("it is sent to its end");
    let grown = peak(&service) - before;
    assert!(grown < 32 * 1024, "{grown} kB");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("accept-ranges: bytes"), "{head}");
    let place = |record: &Value| {
        let word = |name: &str| record[name].to_string();
        let number = record["message"].as_str().and_then(|text| text.split(' ').next()?.parse::<u32>().ok());
        (word("at"), word("task"), word("attempt"), number.expect("it begins with its number"))
    };
    let read: Vec<_> = text.lines().map(|line| place(&serde_json::from_str(line).expect("a line of JSON"))).collect();
    assert_eq!(read.len(), 3 * 500);
    assert!(read.is_sorted(), "by time, then by log, then as in its file");
    // A download goes on where it has ended, also inside a letter.
    let tag = head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    for (from, to) in [(0, 5), (10_000_001, 10_000_020), (text.len() - 9, text.len() - 1)] {
        let range = format!("bytes={from}-{to}");
        let (head, mut body) = service.stream(&log, &[("range", &*range), ("if-range", tag)]);
        let mut part = Vec::new();
        body.read_to_end(&mut part).expect("it is sent to its end");
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        assert!(head.contains(&format!("content-range: bytes {from}-{to}/{}", text.len())), "{head}");
        assert_eq!(part, text.as_bytes()[from..=to], "{range}");
    }
    assert_eq!(service.send("GET", &log, &[("if-none-match", tag)], "").status, 304);
    service.send("GET", &log, &[("range", "bytes=99999999-")], "").assert_problem(416, "there are");
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
