//! DAGs whose timetable panics: at the end of a pause, and beside events.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use taskflow::journal::Note;
use taskflow::ops;
use taskflow::prelude::*;
use taskflow::schedule::{Catchup, Every, Note as ScheduleNote, Slot, Timetable, Unpause, Zone};
use taskflow::service::ServiceEvent;
use taskflow::testing::Test;
use taskflow::{RunState, Timestamp};

use crate::consumers::{Home, eventually};

taskflow::asset! {
    READINGS: Asset<u64> = "fragile/readings";
}

static IS_BROKEN: AtomicBool = AtomicBool::new(false);

/// A slot each period, as long as it does not panic.
#[derive(Debug)]
struct Fragile(Every, &'static AtomicBool);

impl Fragile {
    fn new(period: &str, is_broken: &'static AtomicBool) -> Self {
        Fragile(Every::parse(period, Zone::UTC).expect("a period"), is_broken)
    }
}

impl Timetable for Fragile {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        assert!(!self.1.load(Ordering::SeqCst), "no tide tables");
        self.0.after(moment)
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        assert!(!self.1.load(Ordering::SeqCst), "no tide tables");
        self.0.before(moment)
    }

    fn describe(&self) -> String {
        "at each tide".to_owned()
    }
}

#[task]
fn sum(readings: &Option<Events<u64>>) -> u64 {
    readings.iter().flat_map(Events::values).sum()
}

#[dag(schedule = Fragile::new("1s", &IS_BROKEN), events = "or")]
fn tides_or_readings(#[event(READINGS)] readings: Option<Events<u64>>) -> u64 {
    sum(readings)
}

/// Its schedule alone is paused, with the reason; its events start runs as before.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_served_while_the_timetable_panics() {
    let home = Home::new().await;
    let dag = tides_or_readings::def();
    let of_events = async || {
        let runs = home.runs(dag.id).await;
        runs.into_iter().filter(|run| run.info.run_id.starts_with("event__")).collect::<Vec<_>>()
    };
    let of_slots = async || {
        let runs = home.runs(dag.id).await;
        runs.into_iter().filter(|run| run.info.run_id.starts_with("scheduled__")).count()
    };
    let serving = home.serve(&[dag]).await;
    eventually("slots run", async || of_slots().await > 0).await;
    IS_BROKEN.store(true, Ordering::SeqCst);
    // Until the service has noticed, the timetable panics for everybody who asks.
    let paused = async || {
        let status = ops::consumers(Some(&home.journal), &[dag]).await.ok()?;
        status.into_iter().find_map(|status| status.schedule_pause)
    };
    eventually("its schedule is paused", async || paused().await.is_some()).await;
    let pause = paused().await.expect("a pause");
    assert_eq!(pause.by, "the service");
    assert!(pause.reason.starts_with("the timetable panicked at tests/schedule/fragile.rs:"), "{}", pause.reason);
    assert!(pause.reason.ends_with(": no tide tables"), "{}", pause.reason);
    assert!(home.status(dag).await.pause.is_none());
    let before = of_slots().await;
    for number in 1..=2 {
        home.emit("fragile/readings", json!(number)).await;
        eventually("its run succeeds", async || {
            let runs = of_events().await;
            runs.len() == number && runs.iter().all(|run| run.state == RunState::Success)
        })
        .await;
    }
    assert_eq!(home.values(&of_events().await).await, [json!(1), json!(2)]);
    assert_eq!(of_slots().await, before);
    // The views of all DAGs show it.
    let all = ops::dags(Some(&home.journal), &[dag]).await.expect("the others are shown, too");
    assert_eq!(all[0].pause.as_ref().map(|pause| pause.by.as_str()), Some("the service"));
    // The same process has the same timetable.
    let note = Note::default();
    let refused = ops::unpause(&home.journal, dag, &note, Catchup::None, Unpause::All).await;
    assert!(refused.expect_err("it panics").to_string().contains("no tide tables"));
    IS_BROKEN.store(false, Ordering::SeqCst);
    let unpaused = ops::unpause(&home.journal, dag, &note, Catchup::None, Unpause::Skip).await.expect("it is paused");
    assert!(unpaused.iter().all(|slots| slots.fate == "paused"), "no event is skipped: {unpaused:?}");
    eventually("slots run again", async || of_slots().await > before).await;
    let events = serving.stop().await;
    let pauses =
        events.iter().filter(|event| matches!(event, ServiceEvent::Noted { note: ScheduleNote::Paused(_), .. }));
    assert_eq!(pauses.count(), 1, "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Unserved { .. } | ServiceEvent::Trouble { .. })));
}

static IS_BROKEN_LATER: AtomicBool = AtomicBool::new(false);

#[task]
fn look() {}

#[dag(schedule = Fragile::new("1h", &IS_BROKEN_LATER))]
fn tides() {
    look();
}

/// Case 50, at 05:00, the end of a pause. Nothing was stored: the DAG was neither shown as paused
/// nor ever stepped again, and `unpause` was refused.
#[test]
fn a_dag_whose_timetable_panics_when_its_pause_ends_is_paused() {
    let mut service = Test::service().dag(tides {});
    service.at("2026-01-01T00:30:00Z").run_until("2026-01-01T02:30:00Z");
    service.pause_until("tides", "the harbour is closed", "2026-01-01T05:00:00Z");
    IS_BROKEN_LATER.store(true, Ordering::SeqCst);
    service.run_until("2026-01-01T06:30:00Z");
    let pause = service.pause_of("tides").expect("a pause");
    assert_eq!(pause.by, "the service");
    assert!(pause.reason.ends_with(": no tide tables"), "{}", pause.reason);
    IS_BROKEN_LATER.store(false, Ordering::SeqCst);
    service.unpause("tides", Catchup::None).run_until("2026-01-01T07:30:00Z");
    service.assert_slots("tides", &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z", "2026-01-01T07:00:00Z"]);
}

/// Panics whenever it is asked.
#[derive(Debug)]
struct Broken;

impl Timetable for Broken {
    fn after(&self, _: Timestamp) -> Option<Slot> {
        panic!("no tide tables")
    }

    fn before(&self, _: Timestamp) -> Option<Slot> {
        panic!("no tide tables")
    }

    fn describe(&self) -> String {
        "never".to_owned()
    }
}

#[dag(schedule = Broken, events = "or", paused)]
fn paused_and_broken(#[event(READINGS)] readings: Option<Events<u64>>) -> u64 {
    sum(readings)
}

#[dag]
fn each_reading(#[event(READINGS)] readings: Option<Events<u64>>) -> u64 {
    sum(readings)
}

/// The pause of its schedule took the place of the pause that the DAG begins with, and its events
/// started runs.
#[tokio::test(flavor = "multi_thread")]
async fn a_dag_that_begins_paused_stays_paused_though_its_timetable_panics() {
    let home = Home::new().await;
    let (paused, served) = (paused_and_broken::def(), each_reading::def());
    // What is shown of the other one asks its timetable.
    let serving = home.start(&[paused, served]);
    eventually("the service has seen it", async || {
        home.consumers(served).await.iter().flat_map(|status| &status.inputs).all(|input| input.cursor.is_some())
    })
    .await;
    for number in 1..=2 {
        home.emit("fragile/readings", json!(number)).await;
        eventually("the other DAG runs", async || home.runs(served.id).await.len() == number).await;
    }
    assert_eq!(home.runs(paused.id).await.len(), 0);
    serving.stop().await;
}
