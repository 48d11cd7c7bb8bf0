//! The metrics: their names, and programs that nobody here wrote and that read them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use taskflow_tests::clients::Clients;
use taskflow_tests::common::eventually;

use crate::home::Service;

/// The names of all metrics with the names of their labels. Dashboards and alerts depend on them.
const KNOWN: [&str; 48] = [
    "process_cpu_seconds_total{}",
    "process_max_fds{}",
    "process_open_fds{}",
    "process_resident_memory_bytes{}",
    "process_start_time_seconds{}",
    "process_threads{}",
    "process_virtual_memory_bytes{}",
    "taskflow_backfill_slots{backfill,fate}",
    "taskflow_build_info{version}",
    "taskflow_clock_went_back_total",
    "taskflow_dag_next_slot_timestamp_seconds{dag}",
    "taskflow_dag_paused{dag}",
    "taskflow_deadlines_missed_total",
    "taskflow_deliveries_pending{}",
    "taskflow_disk_free_bytes{}",
    "taskflow_events_pending{dag}",
    "taskflow_events_total{asset}",
    "taskflow_http_request_seconds{method,route}",
    "taskflow_http_requests_busy_total",
    "taskflow_http_requests_limited_total",
    "taskflow_http_requests_total{method,route,status}",
    "taskflow_journal_batch_entries{}",
    "taskflow_journal_batch_seconds{}",
    "taskflow_journal_bytes{}",
    "taskflow_log_dropped_total{}",
    "taskflow_log_ins_total",
    "taskflow_pool_slots",
    "taskflow_queue_oldest_seconds{}",
    "taskflow_run_duration_seconds{dag,state}",
    "taskflow_run_last_success_timestamp_seconds{dag}",
    "taskflow_run_start_delay_seconds{}",
    "taskflow_runs_total{dag,state}",
    "taskflow_runs{dag,state}",
    "taskflow_scheduler_lag_seconds{}",
    "taskflow_scheduler_last_tick_timestamp_seconds{}",
    "taskflow_slot_to_run_seconds",
    "taskflow_slots_total",
    "taskflow_slots_waiting",
    "taskflow_sse_clients{}",
    "taskflow_sse_resets_total",
    "taskflow_task_attempts_total{dag,outcome}",
    "taskflow_task_duration_seconds{dag}",
    "taskflow_task_queue_seconds{}",
    "taskflow_tasks{state}",
    "taskflow_watcher_errors_total",
    "taskflow_watcher_events_total",
    "taskflow_watcher_last_poll_timestamp_seconds",
    "taskflow_webhook_deliveries_total",
];

/// A service that has something to count: runs that have ended and one that has not, a backfill
/// that is paused.
fn service() -> Service {
    let service = Service::new();
    let good = service.trigger("greeting", &json!({}));
    let bad = service.trigger("gated", &json!({}));
    service.trigger("approval", &json!({}));
    service.wait(good, "success");
    service.wait(bad, "failed");
    // It has not ended by the time it is paused.
    let backfill = json!({ "dag": "daily", "slots": ["2016-01-01/2025-12-31"], "limit": 1 });
    service.post("/api/v1/backfills", &backfill);
    service.post("/api/v1/backfills/1/pause", &json!({}));
    let ended = ["greeting", "gated"].map(|dag| format!("taskflow_task_attempts_total{{dag=\"{dag}\""));
    eventually("the ends are counted", || {
        let metrics = service.get("/metrics").body;
        ended.iter().all(|line| metrics.contains(line)) && metrics.contains("taskflow_backfill_slots{")
    });
    service
}

/// The labels of each metric of a text, by its name. A metric without samples has no entry there.
fn labels(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let series = line.rsplit_once(' ').expect("a series and its value").0;
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let base = base.filter(|base| text.contains(&format!("# TYPE {base} histogram")));
        let names = labels.trim_end_matches('}').split("\",").filter_map(|label| Some(label.split_once('=')?.0));
        let of_name: &mut BTreeSet<String> = known.entry(base.unwrap_or(name).to_owned()).or_default();
        of_name.extend(names.filter(|name| *name != "le").map(str::to_owned));
    }
    known
}

/// All names, also of those without samples.
fn names(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|rest| Some(rest.split_once(' ')?.0.to_owned())).collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_names_and_labels_of_metrics_are_those_that_dashboards_know() {
    let service = service();
    let text = service.get("/metrics").body;
    let labels = labels(&text);
    let shown = |name: &String| match labels.get(name) {
        Some(labels) => format!("{name}{{{}}}", labels.iter().cloned().collect::<Vec<_>>().join(",")),
        None => name.clone(),
    };
    let mut found: Vec<String> = names(&text).iter().map(shown).collect();
    found.sort();
    assert_eq!(found, KNOWN);
}

#[test]
fn the_attempts_of_a_run_are_counted_once() {
    let service = service();
    let text = service.get("/metrics").body;
    for line in [
        "taskflow_task_attempts_total{dag=\"greeting\",outcome=\"success\"} 1",
        "taskflow_task_attempts_total{dag=\"gated\",outcome=\"error\"} 1",
        "taskflow_task_duration_seconds_count{dag=\"greeting\"} 1",
        "taskflow_tasks{state=\"deferred\"} 1",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}: {text}");
    }
    // What fails again is another attempt; those of before are not counted again.
    assert_eq!(service.post("/api/v1/runs/2/retry", &json!({})).status, 202);
    eventually("the second attempt is counted", || {
        service.get("/metrics").body.contains("taskflow_task_attempts_total{dag=\"gated\",outcome=\"error\"} 2\n")
    });
}

#[test]
fn pools_and_the_queue_are_gauges_and_batches_are_counted() {
    let service = Service::of(
        "limits",
        tempfile::tempdir().expect("temporary directories can be made"),
        &["--bind", "127.0.0.1:0"],
    );
    let log = service.home().join("log").display().to_string();
    let go = service.home().join("go").display().to_string();
    let holds = service.trigger("seated", &json!({ "names": ["a", "b", "c"], "log": &log, "go": &go }));
    let first = service.trigger("alone", &json!({ "name": "d", "log": &log, "go": &go }));
    service.wait(holds, "running");
    service.wait(first, "running");
    service.trigger("alone", &json!({ "name": "e", "log": &log, "go": &go }));
    let lines = [
        "taskflow_pool_slots{pool=\"desk\",kind=\"size\"} 2",
        "taskflow_pool_slots{pool=\"desk\",kind=\"taken\"} 2",
        "taskflow_pool_slots{pool=\"desk\",kind=\"waiting\"} 1",
    ];
    eventually("two of three tasks have the slots", || {
        let text = service.get("/metrics").body;
        lines.iter().all(|line| text.lines().any(|known| known == *line))
    });
    let text = service.get("/metrics").body;
    let value = |name: &str| -> f64 {
        let of_name = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        of_name.unwrap_or_else(|| panic!("{name}: {text}")).parse().expect("a number")
    };
    assert_eq!(service.json("/api/v1/runs/3")["state"], "queued");
    assert!(value("taskflow_queue_oldest_seconds") > 0.0);
    let batches = value("taskflow_journal_batch_seconds_count");
    assert!(batches > 0.0 && batches <= value("taskflow_journal_batch_entries_sum"));
    assert_eq!(batches, value("taskflow_journal_batch_entries_count"));
    // The third had to wait for a slot, and the run behind it to be started.
    std::fs::write(service.home().join("go"), "").expect("temporary files can be written");
    (1..=3).for_each(|run| service.wait(run, "success"));
    eventually("the starts are counted", || {
        let text = service.get("/metrics").body;
        text.lines().any(|line| line == "taskflow_task_queue_seconds_count{pool=\"desk\"} 3")
    });
    let text = service.get("/metrics").body;
    let sum = text.lines().find_map(|line| line.strip_prefix("taskflow_task_queue_seconds_sum{pool=\"desk\"} "));
    assert!(sum.is_some_and(|sum| sum.parse::<f64>().is_ok_and(|sum| sum > 0.0)), "{text}");
}

#[test]
fn open_streams_are_counted() {
    let service = Service::new();
    let clients = || {
        let text = service.get("/metrics").body;
        let count = text.lines().find_map(|line| line.strip_prefix("taskflow_sse_clients ")?.parse::<u64>().ok());
        count.unwrap_or_else(|| panic!("{text}"))
    };
    assert_eq!(clients(), 0);
    let mut streams: Vec<_> = (0..3).map(|_| service.connect()).collect();
    for stream in &mut streams {
        write!(stream, "GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    }
    eventually("all are open", || clients() == 3);
    streams.pop();
    eventually("one is gone", || clients() == 2);
    drop(streams);
    eventually("all are gone", || clients() == 0);
    // The place of another process of the service, or of long ago.
    let lost = service.send("GET", "/api/v1/stream", &[("last-event-id", "0.1")], "");
    assert_eq!(lost.status, 200, "{lost:?}");
    eventually("it is counted", || service.get("/metrics").body.contains("\ntaskflow_sse_resets_total 1\n"));
}

#[test]
fn slots_that_wait_are_counted_by_what_they_wait_for() {
    // Its tasks do not end, and it is due every second.
    let service = Service::held("serves", "seconds");
    let waiting = |because: &str| -> u64 {
        let series = format!("taskflow_slots_waiting{{dag=\"seconds\",because=\"{because}\"}} ");
        let text = service.get("/metrics").body;
        text.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok()).unwrap_or(0)
    };
    eventually("two slots wait for the end of the run", || waiting("overlap") >= 2);
    assert_eq!(service.call_of("serves", &["pause", "seconds"]).code, Some(0));
    eventually("they wait for the end of the pause", || waiting("paused") >= 2 && waiting("overlap") == 0);
}

/// Events are counted whichever process stores them, and those that are there already are not.
#[test]
fn events_are_counted_by_asset_from_the_start_of_the_server() {
    let emit = |service: &Service, key: &str| {
        let emitted = service.call(&["emit", "reports", "1", "--key", key]);
        assert_eq!(emitted.code, Some(0), "{emitted:?}");
    };
    let counted = |service: &Service| -> u64 {
        let text = service.get("/metrics").body;
        let of_asset = |line: &str| line.strip_prefix("taskflow_events_total{asset=\"reports\"} ")?.parse().ok();
        text.lines().find_map(of_asset).unwrap_or_else(|| panic!("{text}"))
    };
    let service = Service::new();
    assert_eq!(counted(&service), 0);
    emit(&service, "a");
    let known = service.post("/api/v1/events", &json!({ "asset": "reports", "payload": 1, "key": "a" }));
    assert_eq!(known.status, 200, "{known:?}");
    assert_eq!(counted(&service), 1);
    let new = service.post("/api/v1/events", &json!({ "asset": "reports", "payload": 2, "key": "b" }));
    assert_eq!(new.status, 201, "{new:?}");
    assert_eq!([counted(&service), counted(&service)], [2, 2]);
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    let service = Service::over(directory, &["--bind", "127.0.0.1:0"]);
    assert_eq!(counted(&service), 0);
    emit(&service, "c");
    assert_eq!(counted(&service), 1);
}

/// One has a source in which nothing happens, the other looks for files that are not there.
#[test]
fn a_watcher_that_looks_and_finds_nothing_is_seen_to_look() {
    let service = Service::with_schedules_of("assets");
    let polls = || -> BTreeMap<String, f64> {
        let text = service.get("/metrics").body;
        let poll = |line: &str| {
            let rest = line.strip_prefix("taskflow_watcher_last_poll_timestamp_seconds{watcher=\"")?;
            let (source, last) = rest.split_once("\"} ")?;
            Some((source.to_owned(), last.parse().ok()?))
        };
        text.lines().filter_map(poll).collect()
    };
    let sources = |polls: &BTreeMap<String, f64>| polls.keys().cloned().collect::<Vec<_>>();
    let known = ["files:/nowhere/**/*.csv", "queue"];
    eventually("both have looked", || sources(&polls()) == known);
    let first = polls();
    eventually("both look again", || polls().iter().all(|(source, last)| *last > first[source]));
    let text = service.get("/metrics").body;
    assert!(!text.contains("taskflow_watcher_events_total{"), "{text}");
}

/// A slot that is due and that no service has decided.
#[cfg(feature = "failpoints")]
#[test]
fn the_lag_of_the_scheduler_is_the_age_of_the_oldest_slot_without_a_decision() {
    let lag = |service: &Service| {
        let text = service.get("/metrics").body;
        let lag =
            text.lines().find_map(|line| line.strip_prefix("taskflow_scheduler_lag_seconds ")?.parse::<f64>().ok());
        lag.unwrap_or_else(|| panic!("{text}"))
    };
    let service = Service::with_schedules();
    eventually("the schedule is known", || {
        let next = service.json("/api/v1/dags/daily")["next"].is_string();
        next && service.get("/metrics").body.contains("taskflow_scheduler_last_tick_timestamp_seconds ")
    });
    assert!(lag(&service) < 0.001, "{}", lag(&service));
    let (code, directory) = service.stop();
    assert_eq!(code, Some(0));
    // Two days later nobody has served it.
    let clock = directory.path().join("clock");
    std::fs::write(&clock, (2 * 86_400).to_string()).expect("temporary files can be written");
    let clock = clock.display().to_string();
    let service = Service::with_environment("server", directory, &[("TASKFLOW_CLOCK", &clock)]);
    let late = lag(&service);
    assert!((86_400.0..=2.0 * 86_400.0).contains(&late), "{late}");
    assert_eq!(service.call(&["pause", "daily"]).code, Some(0));
    assert!(lag(&service) < 0.001, "the slots of a DAG that is paused pass");
}

/// Each schedule notes it. It is one clock.
#[cfg(feature = "failpoints")]
#[test]
fn a_clock_that_goes_back_is_counted_once() {
    let service = Service::with_a_clock_of("serves", "seconds,tides");
    let value = |series: &str| -> u64 {
        let text = service.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ').map(str::to_owned));
        line.map_or(0, |value| value.parse().expect("a number"))
    };
    let counted = || value("taskflow_clock_went_back_total");
    let runs =
        || ["seconds", "tides"].map(|dag| value(&format!("taskflow_runs_total{{dag=\"{dag}\",state=\"success\"}}")));
    let notes = |dag: &str| {
        let notes = service.json(&format!("/api/v1/dags/{dag}/slots?fate=note"));
        let notes = notes.as_array().expect("a list").iter();
        notes.filter(|entry| entry["note"]["kind"] == "clock_went_back").count() as u64
    };
    for times in 1..=2 {
        let before = runs();
        eventually("slots run", || runs().iter().zip(before).all(|(now, before)| *now > before));
        assert_eq!(counted(), times - 1);
        service.move_clock(-4 * i64::try_from(times).expect("it is small"));
        eventually("both note it", || notes("seconds") == times && notes("tides") == times);
        eventually("it is counted", || counted() == times);
    }
    // The slots after the second time show that all of it was reported.
    let before = runs();
    eventually("slots run", || runs().iter().zip(before).all(|(now, before)| *now > before));
    assert_eq!((counted(), notes("seconds"), notes("tides")), (2, 2, 2));
}

#[test]
fn a_parser_of_prometheus_reads_the_metrics() {
    const PARSE: &str = "
import sys
from prometheus_client.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family
    assert family.type != 'unknown', family
    for sample in family.samples:
        print(sample.name)
";
    let service = service();
    let text = service.get("/metrics").body;
    let mut python = Command::new(Clients::find().program("python"))
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    python.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("it reads");
    let output = python.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{text}");
    let samples = String::from_utf8(output.stdout).expect("it is UTF-8").lines().count();
    assert_eq!(samples, text.lines().filter(|line| !line.starts_with('#')).count());
}

#[test]
fn the_alerts_and_the_dashboard_name_metrics_that_exist() {
    let service = service();
    let text = service.get("/metrics").body;
    let (names, labels) = (names(&text), labels(&text));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).expect("it is there");
    let alerts = read("alerts.yml");
    let mut expressions: Vec<String> =
        alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).map(str::to_owned).collect();
    assert_eq!(expressions.len(), alerts.matches("- alert: ").count());
    let board: Value = serde_json::from_str(&read("grafana.json")).expect("it is JSON");
    let panels = board["panels"].as_array().expect("it has panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("it has queries"));
    expressions.extend(targets.map(|target| target["expr"].as_str().expect("it is text").to_owned()));
    for expression in expressions {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut count = 0;
        for (at, _) in expression.match_indices("taskflow_").chain(expression.match_indices("process_")) {
            if expression[..at].ends_with(is_of_name) {
                continue;
            }
            let name: &str = expression[at..].split(|c| !is_of_name(c)).next().unwrap_or_default();
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let base = base.filter(|base| names.contains(*base)).unwrap_or(name);
            assert!(names.contains(base), "`{expression}` has the metric {name}, which does not exist");
            let rest = expression[at + name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            for label in rest.unwrap_or_default().split(',').filter_map(|label| label.split(['=', '!']).next()) {
                // The first two are those of the server of Prometheus.
                let is_known = ["", "instance", "job"].contains(&label)
                    || labels.get(base).is_none_or(|labels| labels.contains(label));
                assert!(is_known, "`{expression}` has the label {label}, which {name} does not have");
            }
            count += 1;
        }
        assert!(count > 0 || expression.starts_with("up{"), "`{expression}` has no metric of taskflow");
    }
}
