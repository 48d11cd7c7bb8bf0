//! What tasks emit arrives in the log of their attempt, beside whatever else the application
//! listens with.
//!
//! The subscriber is that of the whole process, as in an application, so that threads of runtimes
//! and pools have it. Each test has a run of its own.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

use taskflow::log::{AlreadyInstalled, LogFiles, LogLevel, LogRecord, LogSink};
use taskflow_tests::common::locked;
use taskflow_tests::private::attempt_span;
use tracing::{Event, Instrument as _, Subscriber, info};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::prelude::*;

/// A layer as an application may have one.
struct Counting;

static COUNTED: AtomicUsize = AtomicUsize::new(0);

impl<S: Subscriber> Layer<S> for Counting {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if event.metadata().target() == "counted" {
            COUNTED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A test that looks into the logs. When the last one has ended they are gone, as what a static
/// holds would never be.
struct Reader;

/// How many there are.
static READERS: Mutex<usize> = Mutex::new(0);

fn root() -> PathBuf {
    std::env::temp_dir().join(format!("taskflow-log-capture-{}", std::process::id()))
}

impl Reader {
    fn new() -> Self {
        let mut readers = locked(&READERS);
        *readers += 1;
        std::fs::create_dir_all(root()).expect("temporary directories can be made");
        Reader
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let mut readers = locked(&READERS);
        *readers -= 1;
        if *readers == 0 {
            let _ = std::fs::remove_dir_all(root());
        }
    }
}

/// The subscriber of the process.
fn sink() -> &'static LogSink {
    static SINK: OnceLock<LogSink> = OnceLock::new();
    // Until the thread of the test ends.
    thread_local!(static READER: Reader = Reader::new());

    READER.with(|_| ());
    SINK.get_or_init(|| {
        let sink = LogSink::open(root()).expect("a thread");
        let layer = taskflow::log::layer(sink.clone());
        let subscriber = tracing_subscriber::registry().with(layer).with(Counting);
        tracing::subscriber::set_global_default(subscriber).expect("the first subscriber");
        tracing_log::LogTracer::init().expect("the first logger");
        sink
    })
}

/// The span of the only attempt of the task `task` in that run.
fn attempt(run: &str) -> tracing::Span {
    sink();
    attempt_span(run, "dag", "task", 1)
}

fn records(run: &str) -> Vec<LogRecord> {
    sink().flush();
    let log = LogFiles::new(sink().root()).read(run, "task", 1).expect("a readable log");
    assert!(!log.torn);
    log.records
}

fn messages(run: &str) -> Vec<String> {
    records(run).into_iter().map(|record| record.message).collect()
}

#[test]
fn other_layers_are_not_affected() {
    attempt("beside").in_scope(|| {
        info!(target: "counted", "an event for both");
        tracing::trace!(target: "counted", "an event that the logs leave out");
    });
    info!(target: "counted", "an event outside of attempts");
    assert_eq!(COUNTED.load(Ordering::Relaxed), 3);
    assert_eq!(messages("beside"), ["an event for both"]);
}

#[test]
fn records_of_the_log_crate_keep_their_source_location() {
    attempt("log_crate").in_scope(|| {
        let _span = tracing::info_span!("around").entered();
        log::warn!(target: "a::library", "through log");
        log::debug!("below the level");
    });
    let records = records("log_crate");
    let [record] = &records[..] else { panic!("{records:?}") };
    assert_eq!(
        (record.message.as_str(), record.level, record.target.as_str()),
        ("through log", LogLevel::Warn, "a::library")
    );
    assert!(record.file.as_ref().unwrap().ends_with("log_capture/main.rs"));
    assert!(record.fields.is_empty(), "{:?}", record.fields);
    assert_eq!(record.spans[0].name, "around");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn taskflow_spawn_keeps_the_attempt_that_tokio_spawn_loses() {
    let task = async {
        tokio::spawn(async { info!("lost") }).await.unwrap();
        taskflow::spawn(async {
            tokio::task::yield_now().await;
            info!("kept");
        })
        .await
        .unwrap();
        tokio::task::spawn_blocking(|| info!("lost, too")).await.unwrap();
        taskflow::spawn_blocking(|| info!("kept, too")).await.unwrap();
    };
    task.instrument(attempt("spawned")).await;
    assert_eq!(messages("spawned"), ["kept", "kept, too"]);
}

#[test]
fn carried_work_keeps_the_attempt_on_any_thread() {
    attempt("carried").in_scope(|| {
        let _span = tracing::info_span!("around", rows = 2).entered();
        std::thread::spawn(|| info!("lost")).join().unwrap();
        std::thread::spawn(taskflow::carry(|| info!("in a thread"))).join().unwrap();
        let work = taskflow::carry(|| info!("in a pool"));
        // The function given to `scope` runs on a thread of the pool already.
        rayon::scope(|scope| {
            info!("lost, too");
            scope.spawn(|_| work());
        });
    });
    let records = records("carried");
    assert_eq!(records.iter().map(|record| record.message.as_str()).collect::<Vec<_>>(), ["in a thread", "in a pool"]);
    assert!(records.iter().all(|record| record.spans[0].fields["rows"] == 2), "{records:?}");
}

#[test]
fn work_that_outlives_its_attempt_still_belongs_to_it() {
    let (go, wait) = std::sync::mpsc::channel();
    let late = attempt("late").in_scope(|| {
        info!("early");
        std::thread::spawn(taskflow::carry(move || {
            wait.recv().unwrap();
            info!("late");
        }))
    });
    go.send(()).unwrap();
    late.join().unwrap();
    assert_eq!(messages("late"), ["early", "late"]);
}

#[test]
fn an_event_with_an_explicit_parent_belongs_to_the_attempt_of_that_parent() {
    let (one, two) = (attempt("parent_one"), attempt("parent_two"));
    one.in_scope(|| {
        info!("own");
        info!(parent: &two, "of the other");
        info!(parent: None, "of nobody");
    });
    assert_eq!(messages("parent_one"), ["own"]);
    assert_eq!(messages("parent_two"), ["of the other"]);
}

#[test]
fn an_attempt_inside_another_has_its_own_log() {
    attempt("outer").in_scope(|| {
        info!("outer");
        attempt("inner").in_scope(|| info!("inner"));
        info!("outer again");
    });
    assert_eq!(messages("outer"), ["outer", "outer again"]);
    assert_eq!(messages("inner"), ["inner"]);
}

#[test]
fn concurrent_attempts_keep_their_records_separate_and_in_order() {
    sink();
    std::thread::scope(|scope| {
        for number in 1..=8 {
            scope.spawn(move || {
                let span = attempt_span("many", "dag", "task", number);
                for n in 0..100_u64 {
                    span.in_scope(|| info!(n, number, "row"));
                }
            });
        }
    });
    sink().flush();
    let files = LogFiles::new(sink().root());
    assert_eq!(files.attempts("many", "task").unwrap(), [1, 2, 3, 4, 5, 6, 7, 8]);
    for number in 1..=8 {
        let records = files.read("many", "task", number).unwrap().records;
        let rows: Vec<_> = records.iter().map(|record| record.fields["n"].as_u64().unwrap()).collect();
        assert_eq!(rows, (0..100).collect::<Vec<_>>());
        assert!(records.iter().all(|record| record.fields["number"] == number));
    }
}

#[test]
fn init_explains_how_to_add_the_layer_to_an_existing_subscriber() {
    let error = taskflow::log::init(sink().clone()).unwrap_err();
    assert_eq!(error, AlreadyInstalled::Subscriber);
    insta::assert_snapshot!(error, @"the application already has a tracing subscriber, so taskflow cannot log what tasks emit: add `.with(taskflow::log::layer(sink))` to its `tracing_subscriber::registry()`");
}
