//! DAGs that consume events, with a service in this process.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use taskflow::asset::Day;
use taskflow::engine::{ConsumedEvents, RunType, TriggeringEvents};
use taskflow::graph::{DagDef, Params};
use taskflow::journal::{Note, RunFilter, RunHistory, RunOrder};
use taskflow::notify::Notification;
use taskflow::ops::{self, ConsumerStatus, NewAssetEvent};
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Note as ScheduleNote, Pause, Unpause};
use taskflow::service::{Service, ServiceEvent, ServiceOptions};
use taskflow::tasks::SourceLocation;
use taskflow::{Durability, Engine, Journal, RunState};
use taskflow_tests::common::locked;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Loaded {
    rows: u64,
}

taskflow::asset! {
    /// Orders in the warehouse.
    ORDERS: Asset<Loaded, Day> = "consumers/orders";
    RATES: Asset<f64> = "consumers/rates";
    /// An asset that nothing in this program produces.
    NUMBERS: Asset<u64> = "consumers/numbers";
}

#[task(produces = ORDERS)]
fn load(rows: u64) -> Loaded {
    Loaded { rows }
}

#[dag]
fn orders(rows: u64) {
    load(rows);
}

#[task]
fn rows(orders: &Events<Loaded, Day>) -> Vec<String> {
    orders.iter().map(|order| format!("{}: {}", order.partition, order.rows)).collect()
}

/// Consumes what `orders` produces.
#[dag]
fn report(#[event(ORDERS)] orders: Events<Loaded, Day>, #[param(default = |run| run.day())] day: Date) -> Vec<String> {
    let _ = day;
    rows(orders)
}

#[task]
fn lines(report: &Event<Vec<String>>, rate: &Seen<f64>) -> String {
    format!("{} lines at {:?}", report.len(), rate.as_ref().map(|rate| rate.value))
}

/// Consumes the results of `report`, and looks at the rate.
#[dag]
fn summary(#[event(report)] report: Event<Vec<String>>, #[event(RATES)] rate: Seen<f64>) -> String {
    lines(report, rate)
}

/// Runs that end when the test says.
static HOLD: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

async fn held() {
    while HOLD.load(std::sync::atomic::Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[task]
async fn of_one(number: Event<u64>) -> Vec<u64> {
    held().await;
    vec![number.value]
}

#[task]
async fn of_all(numbers: Events<u64>) -> Vec<u64> {
    held().await;
    numbers.values().copied().collect()
}

#[task]
async fn of_newest(number: Latest<u64>) -> Vec<u64> {
    held().await;
    vec![number.value]
}

#[dag]
pub(crate) fn one(#[event(NUMBERS)] numbers: Event<u64>) -> Vec<u64> {
    of_one(numbers)
}

#[dag]
pub(crate) fn all(#[event(NUMBERS)] numbers: Events<u64>) -> Vec<u64> {
    of_all(numbers)
}

#[dag]
fn newest(#[event(NUMBERS)] numbers: Latest<u64>) -> Vec<u64> {
    of_newest(numbers)
}

#[dag]
fn unlucky(#[event(NUMBERS)] numbers: Events<u64>, #[param(default = |_| panic!("no value"))] value: u64) -> Vec<u64> {
    let _ = value;
    of_all(numbers)
}

/// The same asset, as a later build declares it.
const TEXTS: Asset<String> =
    Asset::new("consumers/numbers", "", SourceLocation { file: file!(), line: line!(), column: column!() });

#[task]
fn of_texts(texts: &Events<String>) -> u64 {
    texts.len() as u64
}

#[dag]
fn texts(#[event(TEXTS)] texts: Events<String>) -> u64 {
    of_texts(texts)
}

#[task]
fn next(number: &Event<u64>) -> u64 {
    number.value + 1
}

/// Each starts the other.
#[dag]
fn ping(#[event(pong)] number: Event<u64>) -> u64 {
    next(number)
}

#[dag]
fn pong(#[event(ping)] number: Event<u64>) -> u64 {
    next(number)
}

fn tell(_: &Notification) {}

/// Each slot waits for a number for a second.
#[dag(schedule = every("2s"), wait = "1s", deadline = "3s after slot", on_deadline_missed = tell)]
fn expiring(#[event(NUMBERS)] number: Event<u64>) -> Vec<u64> {
    of_one(number)
}

pub(crate) struct Home {
    directory: TempDir,
    pub(crate) journal: Journal,
}

impl Home {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().expect("temporary directories can be made");
        let journal = Journal::open(directory.path()).await.expect("a home can be made");
        Home { directory, journal }
    }

    /// A service of these DAGs, which has seen them.
    pub(crate) async fn serve(&self, dags: &[&'static DagDef]) -> Serving {
        self.serve_at_most(dags, ops::DEFAULT_MAX_ACTIVE_RUNS).await
    }

    /// The same, which runs so many runs at once.
    pub(crate) async fn serve_at_most(&self, dags: &[&'static DagDef], max_active_runs: NonZeroUsize) -> Serving {
        let serving = self.start_at_most(dags, max_active_runs);
        for dag in dags {
            eventually("the service has seen its DAGs", async || {
                let status = self.consumers(dag).await;
                status
                    .iter()
                    .flat_map(|status| &status.inputs)
                    .all(|input| input.cursor.is_some() || input.takes == "seen")
            })
            .await;
        }
        serving
    }

    /// A service of these DAGs.
    pub(crate) fn start(&self, dags: &[&'static DagDef]) -> Serving {
        self.start_at_most(dags, ops::DEFAULT_MAX_ACTIVE_RUNS)
    }

    fn start_at_most(&self, dags: &[&'static DagDef], max_active_runs: NonZeroUsize) -> Serving {
        let options = ServiceOptions {
            with_schedules: true,
            grace: Duration::from_secs(5),
            durability: Durability::Strict,
            max_active_runs,
        };
        // A service drains its engine.
        let engine = Engine::builder().build().expect("an engine");
        let service = Service::new(self.directory.path(), &self.journal, &engine, dags.to_vec(), options);
        let service = service.expect("the home is free");
        let (stop, stopped) = oneshot::channel();
        let events = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&events);
        let served = tokio::spawn(async move {
            let stop = async { stopped.await.unwrap_or_default() };
            service.run(stop, |event| locked(&reported).push(event)).await;
        });
        Serving { stop, served, events }
    }

    /// Changes the store while nobody else does.
    pub(crate) async fn edit(&self, sql: &str) {
        let file = SqliteConnectOptions::new().filename(self.directory.path().join("taskflow.db"));
        let mut connection = file.connect().await.expect("the store opens");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the store can be edited");
    }

    pub(crate) async fn emit(&self, asset: &str, payload: serde_json::Value) -> i64 {
        let note = Note::by_user("");
        let emitted = ops::emit(&self.journal, asset, NewAssetEvent::new(payload), &note).await;
        emitted.expect("an event can be emitted").number
    }

    pub(crate) async fn consumers(&self, dag: &DagDef) -> Vec<ConsumerStatus> {
        ops::consumers(Some(&self.journal), &[dag]).await.expect("the store can be read")
    }

    pub(crate) async fn status(&self, dag: &DagDef) -> ConsumerStatus {
        self.consumers(dag).await.remove(0)
    }

    /// Waits until a DAG is paused, and returns who has paused it and why.
    pub(crate) async fn paused(&self, dag: &DagDef) -> Pause {
        eventually(&format!("{} is paused", dag.id), async || self.status(dag).await.pause.is_some()).await;
        self.status(dag).await.pause.expect("a pause")
    }

    /// The runs of a DAG, oldest first.
    pub(crate) async fn runs(&self, dag: &str) -> Vec<RunHistory> {
        let filter = RunFilter { dag: Some(dag.to_owned()), order: RunOrder::Number, ..RunFilter::default() };
        let mut histories = Vec::new();
        for run in self.journal.runs(&filter).await.expect("the store can be read").iter().rev() {
            histories.push(self.journal.history(&run.info.run_id).await.expect("a history"));
        }
        histories
    }

    /// Waits until so many runs of a DAG have succeeded, and no more of it are there.
    pub(crate) async fn succeeded(&self, dag: &str, count: usize) -> Vec<RunHistory> {
        eventually(&format!("{count} runs of {dag} succeed"), async || {
            let runs = self.runs(dag).await;
            runs.len() == count && runs.iter().all(|run| run.state == RunState::Success)
        })
        .await;
        self.runs(dag).await
    }

    /// What the task of each run returned.
    pub(crate) async fn values(&self, runs: &[RunHistory]) -> Vec<serde_json::Value> {
        let mut values = Vec::new();
        for run in runs {
            values.push(ops::value(&self.journal, run, &run.tasks[0].id).await.expect("a value"));
        }
        values
    }

    pub(crate) async fn trigger(&self, dag: &'static DagDef, params: Params) {
        let draft = ops::draft(dag, None).expect("a graph").params(params);
        ops::trigger(draft, &self.journal).await.expect("a run can be queued");
    }
}

pub(crate) struct Serving {
    stop: oneshot::Sender<String>,
    served: JoinHandle<()>,
    events: Arc<Mutex<Vec<ServiceEvent>>>,
}

impl Serving {
    /// Whether the service has reported such an event.
    pub(crate) fn has_reported(&self, is_it: impl Fn(&ServiceEvent) -> bool) -> bool {
        locked(&self.events).iter().any(is_it)
    }

    pub(crate) async fn stop(self) -> Vec<ServiceEvent> {
        self.stop.send("the test is over".to_owned()).expect("the service runs");
        self.served.await.expect("the service does not panic");
        std::mem::take(&mut *locked(&self.events))
    }
}

pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(std::time::Instant::now() < until, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dag_consumes_what_another_produces() {
    let home = Home::new().await;
    home.emit("consumers/rates", json!(1.25)).await;
    let serving = home.serve(&[orders::def(), report::def(), summary::def()]).await;
    home.trigger(orders::def(), Params::default().with(5_u64)).await;
    let reports = home.succeeded("report", 1).await;
    let summaries = home.succeeded("summary", 1).await;
    let info = &reports[0].info;
    assert_eq!((info.run_id.as_str(), info.run_type), ("event__2__report", RunType::Event));
    let TriggeringEvents { consumed, path, .. } = info.triggering_events.as_ref().expect("events");
    assert_eq!(path, &["orders"]);
    let ConsumedEvents { param, asset, first, last, count, .. } = &consumed[0];
    assert_eq!((param.as_str(), asset.as_str(), *first, *last, *count), ("orders", "consumers/orders", 2, 2, 1));
    let day = info.day();
    assert_eq!(home.values(&reports).await, [json!([format!("{day}: 5")])]);
    // The result of a DAG is an event as well; looking consumes nothing.
    assert_eq!(home.values(&summaries).await, [json!("1 lines at Some(1.25)")]);
    let TriggeringEvents { consumed, path, .. } = summaries[0].info.triggering_events.as_ref().expect("events");
    assert_eq!((consumed.len(), consumed[0].asset.as_str()), (1, "dag:report"));
    assert_eq!(path, &["orders", "report"]);
    let status = home.status(report::def()).await;
    assert_eq!((status.inputs[0].cursor, status.inputs[0].pending), (Some(2), 0));
    assert_eq!(status.waits_for.as_deref(), Some("an event of consumers/orders"));
    serving.stop().await;
}

/// Case 66.
#[tokio::test(flavor = "multi_thread")]
async fn events_wait_while_a_run_is_active() {
    let home = Home::new().await;
    let serving = home.serve(&[one::def(), all::def(), newest::def()]).await;
    HOLD.store(true, std::sync::atomic::Ordering::SeqCst);
    home.emit("consumers/numbers", json!(1)).await;
    for dag in ["one", "all", "newest"] {
        eventually("a run is active", async || home.runs(dag).await.iter().any(|run| run.state == RunState::Running))
            .await;
    }
    for number in 2..=5 {
        home.emit("consumers/numbers", json!(number)).await;
    }
    let status = home.status(one::def()).await;
    assert_eq!((status.inputs[0].pending, status.inputs[0].first_pending), (4, Some(2)));
    assert_eq!(status.waits_for.as_deref(), Some("the end of the active run"));
    HOLD.store(false, std::sync::atomic::Ordering::SeqCst);
    let ones = home.succeeded("one", 5).await;
    assert_eq!(home.values(&ones).await, [json!([1]), json!([2]), json!([3]), json!([4]), json!([5])]);
    let alls = home.succeeded("all", 2).await;
    assert_eq!(home.values(&alls).await, [json!([1]), json!([2, 3, 4, 5])]);
    let newests = home.succeeded("newest", 2).await;
    assert_eq!(home.values(&newests).await, [json!([1]), json!([5])]);
    let past = ops::past_slots(&home.journal, newest::def(), 10).await.expect("the store can be read");
    let fates: Vec<_> = past.iter().map(|slot| (slot.fate.as_str(), slot.count)).collect();
    assert_eq!(fates, [("success", 1), ("superseded", 3), ("success", 1)]);
    assert_eq!(past[1].reason, "events 2 to 4 of `consumers/numbers`: a later event took its place");
    serving.stop().await;
}

/// Case 72, and events of before the service was there.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_dag_keeps_its_events() {
    let home = Home::new().await;
    home.emit("consumers/numbers", json!(1)).await;
    home.serve(&[all::def(), newest::def()]).await.stop().await;
    home.emit("consumers/numbers", json!(2)).await;
    let note = Note { by: "mina".to_owned(), reason: "migration".to_owned() };
    ops::pause(&home.journal, all::def(), &note, None).await.expect("it is not paused");
    let serving = home.serve(&[all::def(), newest::def()]).await;
    let newests = home.succeeded("newest", 1).await;
    assert_eq!(home.values(&newests).await, [json!([2])], "the cursor is stored");
    for number in 3..=5 {
        home.emit("consumers/numbers", json!(number)).await;
        home.succeeded("newest", number - 1).await;
    }
    assert_eq!(home.runs("all").await.len(), 0);
    let status = home.status(all::def()).await;
    assert_eq!((status.pause.as_ref().map(|pause| pause.by.as_str()), status.inputs[0].pending), (Some("mina"), 4));
    let unpaused = ops::unpause(&home.journal, all::def(), &Note::default(), Catchup::None, Unpause::Newest).await;
    let records = unpaused.expect("it is paused");
    assert_eq!((records[0].fate.as_str(), records[0].count), ("superseded", 3));
    let alls = home.succeeded("all", 1).await;
    assert_eq!(home.values(&alls).await, [json!([5])], "the service reads again what it had dropped");
    serving.stop().await;
}

/// Case 79.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_of_another_type_pauses_the_dag() {
    let home = Home::new().await;
    let serving = home.serve(&[texts::def(), all::def()]).await;
    home.emit("consumers/numbers", json!(1)).await;
    home.succeeded("all", 1).await;
    let pause = home.paused(texts::def()).await;
    home.emit("consumers/numbers", json!(2)).await;
    home.succeeded("all", 2).await;
    let status = home.status(texts::def()).await;
    let reason =
        "parameter `texts`: event 1 of `consumers/numbers` has a payload of the type `u64`, and `String` is expected";
    assert_eq!((pause.by.as_str(), pause.reason.as_str()), ("taskflow", reason));
    assert_eq!((status.inputs[0].pending, home.runs("texts").await.len()), (2, 0), "nothing is skipped");
    let past = ops::past_slots(&home.journal, texts::def(), 10).await.expect("the store can be read");
    let noted: Vec<ScheduleNote> = past.into_iter().filter_map(|slots| slots.note).collect();
    assert_eq!(noted, [ScheduleNote::Paused(pause)], "its history says why");
    let events = serving.stop().await;
    let paused = events
        .iter()
        .filter(|event| matches!(event, ServiceEvent::Paused { dag: "texts", reason: why } if why == reason));
    assert_eq!(paused.count(), 1);
    // Somebody decides.
    let serving = home.serve(&[texts::def(), all::def()]).await;
    let skipped = ops::unpause(&home.journal, texts::def(), &Note::default(), Catchup::None, Unpause::Skip)
        .await
        .expect("it is paused");
    let [record] = &skipped[..] else { panic!("{skipped:?}") };
    assert_eq!((record.fate.as_str(), record.count), ("skipped", 2), "what is skipped is recorded: {record:?}");
    assert!(record.reason.starts_with("events 1 to "), "{record:?}");
    let number = home.emit("consumers/numbers", json!(3)).await;
    home.succeeded("all", 3).await;
    let pause = home.paused(texts::def()).await;
    assert!(pause.reason.contains(&format!("event {number} of `consumers/numbers`")), "{}", pause.reason);
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_that_fails_pauses_the_dag() {
    let home = Home::new().await;
    let serving = home.serve(&[unlucky::def()]).await;
    home.emit("consumers/numbers", json!(1)).await;
    let pause = home.paused(unlucky::def()).await;
    assert!(pause.reason.contains("no value"), "{}", pause.reason);
    let status = home.status(unlucky::def()).await;
    assert_eq!(status.inputs[0].pending, 1);
    serving.stop().await;
}

/// Case 78, at run time.
#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_events_ends() {
    let home = Home::new().await;
    let serving = home.serve(&[ping::def(), pong::def()]).await;
    home.trigger(ping::def(), Params::default().with(Event::new(0_u64))).await;
    let paused = async || {
        let status = ops::consumers(Some(&home.journal), &[ping::def(), pong::def()]).await.expect("a store");
        status.into_iter().find_map(|status| status.pause).map(|pause| pause.reason)
    };
    eventually("the cycle ends", async || paused().await.is_some()).await;
    let reason = paused().await.expect("a pause");
    assert_eq!(reason, "100 runs have started each other through events: ping -> pong -> ping");
    let count = home.runs("ping").await.len() + home.runs("pong").await.len();
    assert_eq!(count, 100);
    serving.stop().await;
}

/// Case 78, before anything runs.
#[test]
fn check_dags_reports_cycles_and_contradictions_of_events() {
    let crash = std::panic::catch_unwind(taskflow::testing::check_dags).expect_err("there are mistakes");
    let message = crash.downcast_ref::<String>().expect("a message");
    assert!(message.contains("\n- their events start runs for ever: ping -> pong -> ping"), "{message}");
    let texts = "`texts` (tests/schedule/consumers.rs:";
    assert!(message.contains(texts), "{message}");
    assert!(
        message.contains(
            "its parameter `texts` takes events of `consumers/numbers` with the payload `String`, and the asset is declared at"
        ),
        "{message}"
    );
    assert!(
        message.contains("the default of its parameter `value` panicked at tests/schedule/consumers.rs:"),
        "{message}"
    );
    let lines: Vec<&str> = message.lines().skip(1).collect();
    // One more is that of a deadline, and one that of a default in `virtual_time`.
    assert!(message.contains("`by_events` (tests/schedule/deadlines.rs:"), "{message}");
    assert_eq!(lines.len(), 5, "{message}");
}

/// Case 71, its deadline: no event comes, so the slot expires, and misses its deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_slot_that_waits_for_events_in_vain_misses_its_deadline() {
    let home = Home::new().await;
    let serving = home.serve(&[expiring::def()]).await;
    eventually("a slot has missed its deadline", async || {
        !ops::missed_deadlines(&home.journal, "expiring", 100).await.expect("the store can be read").is_empty()
    })
    .await;
    serving.stop().await;
    let missed = ops::missed_deadlines(&home.journal, "expiring", 100).await.expect("the store can be read");
    let slot = missed.last().expect("the first one");
    assert!(slot.reason.starts_with("the slot was expired: "), "{slot:?}");
    assert_eq!(slot.deadline, slot.last + Duration::from_secs(3));
    assert!(home.runs("expiring").await.is_empty());
}
