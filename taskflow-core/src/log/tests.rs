//! Records from the task to the file and back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tracing::{Subscriber, info, warn};
use tracing_subscriber::layer::SubscriberExt as _;

use super::attempt::Attempt;
use super::span::attempt_span;
use super::{LogFiles, LogLevel, LogOptions, LogRecord, LogSink, layer, layer_with, mask};

fn subscriber(sink: &LogSink) -> impl Subscriber + use<> {
    tracing_subscriber::registry().with(layer(sink.clone()))
}

/// Runs a function like a task, with a log below `root`, and returns the status of the sink.
fn log_in(root: &Path, options: LogOptions, task: impl FnOnce(&LogSink)) -> super::LogStatus {
    let sink = options.open().unwrap();
    tracing::subscriber::with_default(subscriber(&sink), || {
        attempt_span("run", "dag", "task", 1).in_scope(|| task(&sink));
    });
    sink.flush();
    assert_eq!(sink.root(), root);
    sink.status()
}

fn records(root: &Path) -> Vec<LogRecord> {
    let log = LogFiles::new(root).read("run", "task", 1).unwrap();
    assert!(!log.torn);
    log.records
}

fn messages(records: &[LogRecord]) -> Vec<&str> {
    records.iter().map(|record| record.message.as_str()).collect()
}

#[test]
fn a_record_contains_what_was_emitted_and_where() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| {
        let span = tracing::info_span!("outer", rows = 1, late = tracing::field::Empty).entered();
        span.record("late", "here");
        let inner = tracing::info_span!("inner");
        warn!(parent: &inner, n = 3_u64, ratio = 0.5, nan = f64::NAN, ok = true, who = %"me", "two\nlines");
    });
    let records = records(root.path());
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(record.message, "two\nlines");
    assert_eq!(record.level, LogLevel::Warn);
    assert_eq!(record.target, "taskflow_core::log::tests");
    assert!(record.file.as_ref().unwrap().ends_with("tests.rs"));
    assert!(record.line.is_some() && record.thread.is_some());
    let fields = serde_json::json!({"n": 3, "ratio": 0.5, "nan": "NaN", "ok": true, "who": "me"});
    assert_eq!(serde_json::Value::Object(record.fields.clone()), fields);
    let spans = serde_json::json!([{"name": "outer", "fields": {"rows": 1, "late": "here"}}, {"name": "inner"}]);
    assert_eq!(serde_json::to_value(&record.spans).unwrap(), spans);
}

#[test]
fn an_attempt_that_emits_nothing_has_no_file() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| tracing::debug!("below the level"));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn a_custom_filter_does_not_hide_attempts() {
    let root = tempfile::tempdir().unwrap();
    let sink = LogSink::open(root.path()).unwrap();
    let targets = "taskflow_core=trace".parse().unwrap();
    let subscriber = tracing_subscriber::registry().with(layer_with(sink.clone(), targets));
    tracing::subscriber::with_default(subscriber, || {
        let _attempt = attempt_span("run", "dag", "task", 1).entered();
        tracing::trace!("kept");
        tracing::error!(target: "elsewhere", "left out");
    });
    sink.flush();
    assert_eq!(messages(&records(root.path())), ["kept"]);
}

#[test]
fn the_layers_of_two_sinks_are_independent() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sinks = [LogSink::open(one.path()).unwrap(), LogSink::open(two.path()).unwrap()];
    let subscriber = tracing_subscriber::registry().with(layer(sinks[0].clone())).with(layer(sinks[1].clone()));
    tracing::subscriber::with_default(subscriber, || {
        attempt_span("run", "dag", "task", 1).in_scope(|| info!("to both"));
    });
    sinks.iter().for_each(LogSink::flush);
    assert_eq!(messages(&records(one.path())), ["to both"]);
    assert_eq!(messages(&records(two.path())), ["to both"]);
}

#[test]
fn a_full_queue_drops_its_oldest_records_and_counts_them() {
    let root = tempfile::tempdir().unwrap();
    #[cfg(feature = "server")]
    let before = super::dropped_records();
    let status = log_in(root.path(), LogOptions::new(root.path()).queue_records(16), |sink| {
        info!("taken");
        sink.flush();
        sink.pause(true);
        for n in 0..17 {
            info!(n, "flood");
        }
        info!("last words");
        sink.pause(false);
        sink.flush();
        info!("taken again");
    });
    // The attempt has an eighth of the sixteen.
    assert_eq!((status.written, status.dropped), (4, 16));
    // Other tests drop some at the same time.
    #[cfg(feature = "server")]
    assert!(super::dropped_records() >= before + 16);
    let records = records(root.path());
    let dropped = "16 records were dropped: the task emitted them faster than they could be written";
    assert_eq!(messages(&records), ["taken", dropped, "flood", "last words", "taken again"]);
    assert_eq!((records[1].dropped, &records[2].fields["n"]), (16, &serde_json::json!(16)));
    assert_eq!((records[1].level, records[1].target.as_str()), (LogLevel::Warn, "taskflow"));
}

/// Ten tasks that log without a pause fill all there is, and a quiet one logs beside them.
#[test]
fn a_quiet_attempt_loses_nothing_to_chatty_ones() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()).queue_records(800), |sink| {
        sink.pause(true);
        for chatty in 0..10 {
            attempt_span("run", "dag", "chatty", chatty).in_scope(|| (0..1000).for_each(|n| info!(n, "flood")));
        }
        (0..50).for_each(|n| info!("{n}"));
        sink.pause(false);
    });
    let expected: Vec<String> = (0..50).map(|n| n.to_string()).collect();
    assert_eq!(messages(&records(root.path())), expected);
    let files = LogFiles::new(root.path());
    for chatty in 0..10 {
        let records = files.read("run", "chatty", chatty).unwrap().records;
        assert_eq!(records.last().unwrap().fields["n"], 999, "the last record arrives");
        assert_eq!(records[0].dropped + records.len() as u64 - 1, 1000);
    }
}

#[test]
fn queued_bytes_are_bounded_and_an_oversized_record_is_queued_alone() {
    let root = tempfile::tempdir().unwrap();
    let status = log_in(root.path(), LogOptions::new(root.path()).queue_bytes(10), |sink| {
        sink.pause(true);
        info!("larger than ten bytes");
        info!("one more");
        sink.pause(false);
    });
    assert_eq!((status.written, status.dropped), (1, 1));
}

/// More records than the limit of a log allows, at once and by attempts that append.
#[test]
fn a_log_at_its_limit_keeps_its_beginning_and_its_end_and_says_what_was_cut() {
    for rounds in [1, 10] {
        let root = tempfile::tempdir().unwrap();
        let files = LogFiles::new(root.path());
        let mut follow = files.follow("run", "task", 1);
        let mut followed = Vec::new();
        let mut cut = 0;
        for round in 0..rounds {
            let status =
                log_in(root.path(), LogOptions::new(root.path()).queue_records(100_000).attempt_limit(20_000), |_| {
                    (0..2000 / rounds).for_each(|n| info!(n = round * (2000 / rounds) + n, "row"));
                });
            assert_eq!(status.written, 2000 / rounds);
            cut += status.over_limit;
            followed.extend(follow.poll().unwrap());
        }
        let records = records(root.path());
        let rows = |part: &[LogRecord]| -> Vec<u64> {
            part.iter().map(|row| row.fields.get("n").and_then(serde_json::Value::as_u64).unwrap_or(u64::MAX)).collect()
        };
        let note = records.iter().position(|record| record.dropped > 0).expect("something was cut");
        let (head, tail) = (&records[..note], &records[note + 1..]);
        assert_eq!(rows(head), (0..note as u64).collect::<Vec<_>>());
        assert_eq!(rows(tail), (2000 - tail.len() as u64..2000).collect::<Vec<_>>());
        assert_eq!(records[note].dropped, 2000 - (records.len() as u64 - 1));
        assert_eq!(cut, records[note].dropped);
        let expected = format!("{cut} records were cut: a log keeps its beginning and its end, 20000 bytes in all");
        assert_eq!(records[note].message, expected);
        let size: u64 = fs::read_dir(files.path("run", "task", 1).parent().unwrap())
            .unwrap()
            .map(|file| file.unwrap().metadata().unwrap().len())
            .sum();
        assert!((10_000..=20_000).contains(&size), "{size}");
        if rounds == 1 {
            assert_eq!(followed, records);
        } else {
            assert_eq!(followed.last(), records.last());
            let seen = rows(&followed).into_iter().filter(|n| *n != u64::MAX).count() as u64;
            assert!(seen > 2000 - cut, "{seen}");
        }
    }
}

#[test]
fn a_resumed_attempt_appends_on_a_new_line() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| info!("before"));
    let file = LogFiles::new(root.path()).path("run", "task", 1);
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(r#"{"at":"2026-01"#);
    fs::write(&file, text).unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| info!("after"));
    let records = records(root.path());
    assert_eq!(records.len(), 3);
    assert_eq!((records[0].message.as_str(), records[2].message.as_str()), ("before", "after"));
    assert!(records[1].message.starts_with("this line of the log cannot be read ("), "{}", records[1].message);
}

#[test]
fn an_incomplete_last_line_is_omitted_and_reported() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| info!("whole"));
    let files = LogFiles::new(root.path());
    let file = files.path("run", "task", 1);
    let mut bytes = fs::read(&file).unwrap();
    bytes.extend_from_slice(b"\xff\xfe not text\n{\"at\":\"20");
    fs::write(&file, bytes).unwrap();
    let log = files.read("run", "task", 1).unwrap();
    assert!(log.torn);
    assert_eq!(log.records.len(), 2);
    assert_eq!(log.records[1].at, log.records[0].at);
}

#[test]
fn following_a_log_returns_appended_records() {
    let root = tempfile::tempdir().unwrap();
    let files = LogFiles::new(root.path());
    let mut follow = files.follow("run", "task", 1);
    assert_eq!(follow.poll().unwrap(), []);
    log_in(root.path(), LogOptions::new(root.path()), |sink| {
        info!("one");
        sink.flush();
        assert_eq!(messages(&follow.poll().unwrap()), ["one"]);
        assert_eq!(follow.poll().unwrap(), []);
        info!("two");
        info!("three");
    });
    let file = files.path("run", "task", 1);
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() - 1]).unwrap();
    assert_eq!(messages(&follow.poll().unwrap()), ["two"], "a line is returned once it is complete");
    fs::write(&file, &whole).unwrap();
    assert_eq!(messages(&follow.poll().unwrap()), ["three"]);
    files.remove_run("run").unwrap();
    files.remove_run("run").unwrap();
    assert_eq!(follow.poll().unwrap(), []);
}

#[test]
fn the_logs_of_a_run_are_merged_by_time() {
    let root = tempfile::tempdir().unwrap();
    let sink = LogSink::open(root.path()).unwrap();
    let long = "long/".repeat(100);
    tracing::subscriber::with_default(subscriber(&sink), || {
        let tasks = [attempt_span("a run", "dag", "load", 1), attempt_span("a run", "dag", &long, 10)];
        for n in 0..4 {
            tasks[n % 2].in_scope(|| info!("{n}"));
        }
        attempt_span("a run", "dag", "load", 2).in_scope(|| info!("4"));
    });
    drop(sink);
    let files = LogFiles::new(root.path());
    assert_eq!(files.tasks("a run").unwrap(), ["load", &long]);
    assert_eq!(files.attempts("a run", "load").unwrap(), [1, 2]);
    assert_eq!(files.attempts("a run", &long).unwrap(), [10]);
    assert_eq!(files.tasks("another").unwrap(), [""; 0]);
    let merged = files.read_run("a run").unwrap();
    let merged: Vec<_> = merged.iter().map(|of| (of.record.message.as_str(), of.task.as_str(), of.attempt)).collect();
    assert_eq!(merged, [("0", "load", 1), ("1", &*long, 10), ("2", "load", 1), ("3", &*long, 10), ("4", "load", 2)]);
}

#[test]
fn attempts_beyond_the_open_file_limit_keep_their_records() {
    let root = tempfile::tempdir().unwrap();
    let sink = LogSink::open(root.path()).unwrap();
    tracing::subscriber::with_default(subscriber(&sink), || {
        let attempts: Vec<_> = (0..200).map(|n| attempt_span("run", "dag", "task", n)).collect();
        for round in 0..3 {
            attempts.iter().for_each(|attempt| attempt.in_scope(|| info!(round)));
            sink.flush();
        }
    });
    drop(sink);
    let files = LogFiles::new(root.path());
    for n in 0..200 {
        assert_eq!(files.read("run", "task", n).unwrap().records.len(), 3);
    }
}

#[test]
fn dropping_the_sink_flushes_it() {
    let root = tempfile::tempdir().unwrap();
    let sink = LogSink::open(root.path()).unwrap();
    tracing::subscriber::with_default(subscriber(&sink), || {
        attempt_span("run", "dag", "task", 1).in_scope(|| info!("last words"));
    });
    drop(sink);
    assert_eq!(messages(&records(root.path())), ["last words"]);
}

#[test]
fn lost_records_are_counted_and_reported_once_writing_works_again() {
    let root = tempfile::tempdir().unwrap();
    let blocked = root.path().join("run");
    fs::write(&blocked, "a file where the directory should be").unwrap();
    let status = log_in(root.path(), LogOptions::new(root.path()), |sink| {
        info!("lost");
        sink.flush();
        fs::remove_file(&blocked).unwrap();
        info!("kept");
    });
    assert_eq!((status.written, status.failed), (1, 1));
    let error = status.first_error.unwrap();
    assert_eq!(error.path, LogFiles::new(root.path()).path("run", "task", 1));
    assert!(error.to_string().contains(" cannot be written: "), "{error}");
    let records = records(root.path());
    assert_eq!(messages(&records), ["1 record was lost before this: the file could not be written", "kept"]);
}

#[test]
fn a_panic_of_the_writer_loses_one_record() {
    let root = tempfile::tempdir().unwrap();
    let status = log_in(root.path(), LogOptions::new(root.path()), |_| {
        info!("one");
        info!("make the writer panic");
        info!("two");
    });
    assert_eq!((status.written, status.failed), (2, 1));
    assert_eq!(messages(&records(root.path())), ["one", "two"]);
}

#[test]
fn logging_does_not_block_without_a_writer() {
    let root = tempfile::tempdir().unwrap();
    let queue = super::queue::Queue::new(8, 1000);
    queue.gone();
    let attempt = Arc::new(Attempt::new("run".to_owned(), "task".to_owned(), 1));
    assert_eq!(queue.offer(&attempt, LogRecord::own("nobody comes".to_owned(), 0)).dropped, 1);
    queue.flush();
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
}

#[test]
fn secrets_do_not_reach_the_file() {
    mask("swordfish-1932");
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| {
        let _span = tracing::info_span!("login", auth_token = "t0ps3cret").entered();
        info!(db_password = "hunter2", note = "it is swordfish-1932", "connecting to pg://me:hunter3@host");
        info!(what = ?Some("swordfish-1932"), "swordfish-1932 password=hunter4");
    });
    let text = fs::read_to_string(LogFiles::new(root.path()).path("run", "task", 1)).unwrap();
    for secret in ["swordfish", "hunter", "t0ps3cret"] {
        assert!(!text.contains(secret), "{text}");
    }
    let records = records(root.path());
    assert_eq!(messages(&records), ["connecting to pg://me:***@host", "*** password=***"]);
    assert_eq!(records[0].fields["note"], "it is ***");
}

#[test]
fn a_long_message_is_cut_and_marked() {
    let root = tempfile::tempdir().unwrap();
    log_in(root.path(), LogOptions::new(root.path()), |_| info!("{}", "x".repeat(1_000_000)));
    let records = records(root.path());
    assert!(records[0].message.ends_with("x.. [934464 more bytes were cut]"));
    assert!(records[0].message.len() < 66_000);
}
