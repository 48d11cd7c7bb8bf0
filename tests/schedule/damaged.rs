//! Rows of schedules and of deadlines that are damaged.

use std::time::Duration;

use taskflow::Timestamp;
use taskflow::journal::Note;
use taskflow::notify::Notification;
use taskflow::ops;
use taskflow::prelude::*;
use taskflow::schedule::{BackfillRequest, Note as ScheduleNote, Pause, ScheduleState, ScheduleTraces, SlotRange};
use taskflow::service::ServiceEvent;

use crate::consumers::{Home, eventually};
use crate::support::utc;

#[task]
fn say(word: String) -> String {
    word
}

fn tell(_: &Notification) {}

#[dag(schedule = every("1s"), catchup = "all", deadline = "1h after slot", on_deadline_missed = tell)]
fn sound() -> String {
    say("sound".to_owned())
}

#[dag(schedule = every("1s"), catchup = "all", deadline = "1h after slot", on_deadline_missed = tell)]
fn rotten() -> String {
    say("rotten".to_owned())
}

taskflow::asset! {
    BOTTLES: Asset<u64> = "damaged/bottles";
}

#[task]
fn sum(bottles: &Option<Events<u64>>) -> u64 {
    bottles.iter().flat_map(Events::values).sum()
}

/// Its schedule is stored with its events.
#[dag(schedule = every("1s"), deadline = "1s after slot", on_deadline_missed = tell)]
fn adrift(#[event(BOTTLES)] bottles: Option<Events<u64>>) -> u64 {
    sum(bottles)
}

#[task]
fn fail() -> Result<u64> {
    Err("the disk is full")?
}

/// Each of its slots misses its deadline.
#[dag(schedule = every("1s"), deadline = "1s after slot", on_deadline_missed = tell)]
fn hapless() -> u64 {
    fail()
}

/// The service looks at its last runs before each step.
#[dag(schedule = every("1s"), pause_after_failures = 3)]
fn guarded() -> String {
    say("guarded".to_owned())
}

/// What a service reported as trouble.
fn trouble(events: &[ServiceEvent]) -> Vec<&str> {
    let trouble = events.iter().filter_map(|event| match event {
        ServiceEvent::Trouble { error } => Some(error.as_str()),
        _ => None,
    });
    trouble.collect()
}

/// What a service reported as unserved.
fn unserved(events: &[ServiceEvent]) -> Vec<(&'static str, &str)> {
    let unserved = events.iter().filter_map(|event| match event {
        ServiceEvent::Unserved { dag, reason } => Some((*dag, reason.as_str())),
        _ => None,
    });
    unserved.collect()
}

async fn runs(home: &Home, dag: &str, more: usize) {
    let before = home.runs(dag).await.len();
    eventually(&format!("{more} slots of {dag} run"), async || home.runs(dag).await.len() >= before + more).await;
}

/// It holds up its own DAG only, is reported once, and `reset-schedule` mends it.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_schedule_holds_up_no_other() {
    let home = Home::new().await;
    let dags = [sound::def(), rotten::def()];
    let serving = home.start(&dags);
    runs(&home, "rotten", 1).await;
    runs(&home, "sound", 1).await;
    serving.stop().await;
    home.edit("UPDATE schedules SET state = replace(state, '\"last_run\"', '\"last_fun\"') WHERE dag = 'rotten'").await;
    let before = home.runs("rotten").await;
    let serving = home.start(&dags);
    runs(&home, "sound", 3).await;
    assert_eq!(home.runs("rotten").await.len(), before.len());
    // The views name it, and show the others.
    let next = ops::next_slots(Some(&home.journal), rotten::def(), Timestamp::now(), 1).await;
    let error = next.expect_err("it cannot be read").to_string();
    assert!(error.contains("the schedule of `rotten`: its checksum does not match"), "{error}");
    assert!(error.ends_with("; `reset-schedule rotten` makes the schedule anew from its runs"), "{error}");
    let all = ops::dags(Some(&home.journal), &dags).await.expect("the store can be read");
    assert_eq!((all[0].error.as_deref(), all[1].error.as_ref()), (None, Some(&error)));
    assert!(all[0].next.is_some() && all[1].next.is_none() && all[1].schedule.is_some(), "{all:?}");
    // Mended, the slots since the last run are caught up with, in the same service.
    let note = Note { by: "mina".to_owned(), reason: "a bad disk".to_owned() };
    let reset = ops::reset_schedule(&home.journal, rotten::def(), &note).await.expect("it is damaged");
    assert_eq!(reset.to, before.last().expect("a run").info.logical_date);
    runs(&home, "rotten", 4).await;
    assert!(ops::reset_schedule(&home.journal, rotten::def(), &note).await.is_err(), "it is sound again");
    let events = serving.stop().await;
    assert_eq!(unserved(&events), [("rotten", error.as_str())]);
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Trouble { .. })), "{events:?}");
    let slots: Vec<Timestamp> = home.runs("rotten").await.iter().map(|run| run.info.logical_date).collect();
    let second = Duration::from_secs(1);
    assert!(slots.windows(2).all(|pair| pair[1].since(pair[0]) == second), "none twice, none lost: {slots:?}");
    let past = ops::past_slots(&home.journal, rotten::def(), 1000).await.expect("the store can be read");
    let mut notes: Vec<_> = past.into_iter().filter_map(|slots| slots.note).collect();
    // A busy machine takes its time to catch up.
    notes.retain(|note| !matches!(note, ScheduleNote::FallsBehind { .. }));
    assert!(matches!(&notes[..], [ScheduleNote::Reset { by, .. }] if by == "mina"), "{notes:?}");
}

/// What is decided of its deadlines as well.
#[tokio::test(flavor = "multi_thread")]
async fn damaged_deadlines_hold_up_no_others() {
    let home = Home::new().await;
    let dags = [sound::def(), rotten::def()];
    let serving = home.start(&dags);
    runs(&home, "rotten", 2).await;
    serving.stop().await;
    home.edit("UPDATE slot_deadlines SET version = version + 1 WHERE dag = 'rotten'").await;
    let serving = home.start(&dags);
    runs(&home, "rotten", 2).await;
    runs(&home, "sound", 2).await;
    let events = serving.stop().await;
    let [("rotten", reason)] = unserved(&events)[..] else { panic!("{events:?}") };
    assert!(reason.contains("the deadlines of `rotten`: its checksum does not match"), "{reason}");
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Trouble { .. })), "{events:?}");
    ops::reset_schedule(&home.journal, rotten::def(), &Note::default()).await.expect("they are damaged");
    let serving = home.start(&dags);
    runs(&home, "rotten", 1).await;
    assert!(unserved(&serving.stop().await).is_empty());
}

/// The slots of `adrift` are not known without what it has consumed. That was an error of all: the
/// deadlines of the DAGs after it were not judged.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_consumer_does_not_hold_up_the_deadlines_of_others() {
    let home = Home::new().await;
    let dags = [adrift::def(), hapless::def()];
    let missed =
        async || ops::missed_deadlines(&home.journal, "hapless", 1_000).await.expect("the store can be read").len();
    let serving = home.serve(&dags).await;
    runs(&home, "adrift", 1).await;
    eventually("a deadline is judged", async || missed().await > 0).await;
    serving.stop().await;
    home.edit("UPDATE consumers SET version = version + 1 WHERE dag = 'adrift'").await;
    let before = missed().await;
    let serving = home.start(&dags);
    eventually("deadlines of the other DAG are judged", async || missed().await > before + 2).await;
    let events = serving.stop().await;
    let [("adrift", reason)] = unserved(&events)[..] else { panic!("{events:?}") };
    assert!(reason.contains("the consumer of `adrift`: its checksum does not match"), "{reason}");
    assert!(!events.iter().any(|event| matches!(event, ServiceEvent::Trouble { .. })), "{events:?}");
}

/// A run that is stored as running. The service read the active runs of all DAGs at once: it
/// resumed none, stored no slot, started no queued run and judged no deadline.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_run_holds_up_no_other_dag() {
    let home = Home::new().await;
    let dags = [rotten::def(), sound::def(), hapless::def()];
    let ended = async || home.runs("sound").await.iter().filter(|run| run.state == taskflow::RunState::Success).count();
    let missed =
        async || ops::missed_deadlines(&home.journal, "hapless", 1_000).await.expect("the store can be read").len();
    let serving = home.start(&dags);
    runs(&home, "rotten", 2).await;
    serving.stop().await;
    home.edit("UPDATE runs SET state = 'running', ended = NULL WHERE dag_id = 'rotten'").await;
    let (before, judged) = (ended().await, missed().await);
    let serving = home.start(&dags);
    eventually("slots of another DAG run", async || ended().await >= before + 3).await;
    eventually("deadlines of another DAG are judged", async || missed().await >= judged + 2).await;
    let events = serving.stop().await;
    let trouble = trouble(&events);
    let is_damage = |error: &&str| error.contains("run ") && error.contains("does not match");
    assert!(!trouble.is_empty() && trouble.iter().all(is_damage), "{trouble:?}");
}

/// A run that has ended, of a DAG that pauses after failures. No slot of any DAG was stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_last_run_holds_up_no_other_schedule() {
    let home = Home::new().await;
    let dags = [guarded::def(), sound::def()];
    let serving = home.start(&dags);
    eventually("a run has ended", async || {
        home.runs("guarded").await.iter().any(|run| run.state == taskflow::RunState::Success)
    })
    .await;
    serving.stop().await;
    home.edit("UPDATE runs SET info = info || ' ' WHERE dag_id = 'guarded'").await;
    let serving = home.start(&dags);
    runs(&home, "sound", 3).await;
    let events = serving.stop().await;
    assert!(trouble(&events).iter().any(|error| error.contains("run ")), "{events:?}");
}

/// A service that was started read the plans first, and then resumed and scheduled nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_backfill_holds_up_no_schedule() {
    let home = Home::new().await;
    let ranges = vec![SlotRange { from: utc("2026-01-01T00:00:00Z"), to: utc("2026-01-01T00:00:09Z") }];
    let request = BackfillRequest { ranges, ..BackfillRequest::default() };
    let started = ops::start_backfill(&home.journal, rotten::def(), &request, None, &Note::default()).await;
    assert_eq!(started.expect("it has slots").status.number, 1);
    home.edit("UPDATE backfills SET version = version + 1").await;
    let serving = home.start(&[rotten::def(), sound::def()]);
    runs(&home, "rotten", 2).await;
    runs(&home, "sound", 2).await;
    let events = serving.stop().await;
    let [error] = trouble(&events)[..] else { panic!("{events:?}") };
    assert!(error.starts_with("a backfill of `rotten`: "), "{error}");
    assert!(error.contains("backfill 1: its checksum does not match"), "{error}");
    let again = ops::start_backfill(&home.journal, rotten::def(), &request, None, &Note::default()).await;
    assert!(again.is_err(), "which slots the other one has is not known");
}

/// A state is made anew of what is left, with the pause of before.
#[test]
fn a_schedule_is_made_anew_from_its_traces() {
    let now = utc("2026-03-05T12:00:00Z");
    let pause = Pause { by: "mina".to_owned(), reason: String::new(), since: utc("2026-03-01T12:00:00Z"), until: None };
    let unpaused = ScheduleNote::Unpaused {
        by: "mina".to_owned(),
        reason: String::new(),
        catchup: taskflow::schedule::Catchup::None,
    };
    let (run, record) = (utc("2026-03-02"), utc("2026-03-04"));
    let traces = |notes: &[ScheduleNote]| ScheduleTraces {
        last_run: Some(run),
        last_record: Some(record),
        begun: None,
        notes: notes.to_vec(),
    };
    let of = |traces: &ScheduleTraces, paused| ScheduleState::rebuilt(traces, paused, now);
    let state = of(&traces(&[]), false);
    assert_eq!((state.noticed, state.last_run, state.pause), (record, Some(run), None));
    let paused = ScheduleNote::Paused(pause.clone());
    assert_eq!(of(&traces(&[paused.clone(), unpaused.clone()]), false).pause, Some(pause));
    // What an edited timetable names before was never due. The slots of a pause stay.
    let edited = ScheduleTraces { begun: Some(utc("2026-03-05")), ..traces(&[]) };
    assert_eq!(of(&edited, false).noticed, utc("2026-03-05"));
    let in_pause = ScheduleTraces { last_record: None, notes: vec![paused.clone()], ..edited };
    assert_eq!(of(&in_pause, false).noticed, run, "it was edited in the pause");
    assert_eq!(of(&traces(&[unpaused, paused]), true).pause, None, "somebody has unpaused it");
    let new = of(&ScheduleTraces::default(), true);
    assert_eq!((new.noticed, new.pause.map(|pause| pause.reason)), (now, Some("the DAG is new".to_owned())));
    let ahead = ScheduleTraces { last_run: Some(utc("2036-01-01")), ..ScheduleTraces::default() };
    assert_eq!(of(&ahead, false).noticed, now, "the clock was wrong");
}

/// The views of schedules name damaged deadlines as well.
#[cfg(all(feature = "cli", unix))]
#[tokio::test(flavor = "multi_thread")]
async fn each_view_names_damaged_deadlines() {
    use sqlx::ConnectOptions as _;

    let home = crate::serve::Home::new();
    std::fs::write(home.hold(), "").expect("temporary files can be written");
    let service = home.serve("tardy");
    taskflow_tests::common::eventually("a deadline is judged", || home.notes("tardy").len() == 1);
    service.kill();
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
    let mut connection = file.connect().await.expect("the store opens");
    let edit = "UPDATE slot_deadlines SET version = version + 1 WHERE dag = 'tardy'";
    sqlx::raw_sql(edit).execute(&mut connection).await.expect("the store can be edited");
    drop(connection);
    let damage = "the deadlines of `tardy`: its checksum does not match";
    let next = home.call(&["next", "tardy"]);
    assert_eq!(next.code, Some(1));
    assert!(next.stdout.contains("tardy") && next.stderr.contains(damage), "{}{}", next.stdout, next.stderr);
    let dags = home.call(&["dags", "--output", "json"]).json();
    let tardy = dags.as_array().expect("a list").iter().find(|dag| dag["dag_id"] == "tardy").expect("the DAG");
    assert!(tardy["error"].as_str().is_some_and(|error| error.contains(damage)) && tardy["next"].is_string());
    let findings = home.call(&["doctor", "--output", "json"]).json();
    let findings = findings["findings"].as_array().expect("a list").clone();
    let found = findings.iter().find(|finding| finding["finding"] == "deadlines_damaged").expect("a finding");
    assert_eq!((&found["dag"], &found["severity"]), (&"tardy".into(), &"problem".into()));
    assert!(found["message"].as_str().is_some_and(|message| message.contains(damage)), "{found}");
    assert_eq!(home.call(&["reset-schedule", "tardy", "--by", "mina"]).code, Some(0));
    assert_eq!(home.call(&["next", "tardy"]).code, Some(0));
}

/// Each view names it and what mends it, and shows the others. Runs by hand start as before.
#[cfg(all(feature = "cli", unix))]
#[tokio::test(flavor = "multi_thread")]
async fn each_view_names_a_damaged_schedule() {
    use sqlx::ConnectOptions as _;

    let home = crate::serve::Home::new();
    assert_eq!(home.call(&["pause", "tides", "--by", "mina", "--reason", "migration"]).code, Some(0));
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(home.path().join("taskflow.db"));
    let mut connection = file.connect().await.expect("the store opens");
    let edit = "UPDATE schedules SET state = replace(state, 'migration', 'migraine')";
    sqlx::raw_sql(edit).execute(&mut connection).await.expect("the store can be edited");
    drop(connection);
    let mends = "`reset-schedule tides` makes the schedule anew from its runs";
    let next = home.call(&["next"]);
    assert_eq!(next.code, Some(1));
    assert!(next.stdout.contains("seconds"), "{}", next.stdout);
    assert!(
        next.stderr.contains("`tides`: ") && next.stderr.contains("its checksum does not match"),
        "{}",
        next.stderr
    );
    let dags = home.call(&["dags", "--output", "json"]).json();
    let of = |dag: &str| {
        let dags = dags.as_array().expect("a list");
        dags.iter().find(|entry| entry["dag_id"] == dag).expect("the DAG").clone()
    };
    assert!(of("tides")["error"].as_str().is_some_and(|error| error.ends_with(mends)), "{}", of("tides"));
    assert!(of("seconds")["next"].is_string());
    let findings = home.call(&["doctor", "--output", "json"]).json();
    let findings = findings["findings"].as_array().expect("a list").clone();
    let damaged = findings.iter().find(|finding| finding["finding"] == "schedule_damaged").expect("a finding");
    assert_eq!((&damaged["dag"], &damaged["severity"]), (&"tides".into(), &"problem".into()));
    assert_eq!(damaged["next_step"], mends);
    assert!(!findings.iter().any(|finding| finding["finding"] == "store_unusable"), "{findings:?}");
    let check = home.call(&["db", "check"]);
    assert_eq!(check.code, Some(1));
    assert_eq!(check.stdout.lines().count(), 1, "{}", check.stdout);
    assert!(check.stdout.contains("the schedule of `tides`") && check.stdout.contains(mends), "{}", check.stdout);
    let run = home.call(&["run", "tides", "-q"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let reset = home.call(&["reset-schedule", "tides", "--by", "mina"]);
    assert!(reset.stderr.contains("the schedule of `tides` continues from "), "{}", reset.stderr);
    let tides = home.call(&["next", "tides", "--output", "json"]).json();
    assert_eq!((&tides[0]["pause"]["by"], &tides[0]["pause"]["reason"]), (&"mina".into(), &"migration".into()));
    assert_eq!(home.call(&["db", "check"]).code, Some(0));
}
