//! Waiting without a slot: sensors, and tasks that are deferred for a time or an event.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{EventDelivery, Journal, JournalError, Note, RunHistory, TaskFilter};
use taskflow::prelude::*;
use taskflow::{BoxError, Engine, Value, sensors};
use taskflow_tests::calls::Calls;
use taskflow_tests::common::{PATIENCE, finish, live, on_both_drivers, reference};

/// How often each function was called, by test and name.
static CALLS: Calls = Calls::new();

/// Finds something at its third poke.
#[sensor(poke_interval = "1ms")]
fn third(name: &str) -> Option<u32> {
    let poke = CALLS.call(name);
    (poke.is_multiple_of(3)).then_some(poke)
}

#[task]
fn double(n: u32) -> u32 {
    n * 2
}

#[test]
fn a_sensor_is_poked_until_its_condition_holds() {
    let dag = Dag::build("poked", || double(third("poked"))).unwrap();
    on_both_drivers(&dag, |report| {
        assert_eq!(report.state(), RunState::Success);
        let sensor = report.task("third").unwrap();
        assert_eq!((sensor.state(), sensor.attempts().len()), (TaskState::Success, 1));
        assert!(report.result().is_some_and(|n| n % 6 == 0), "{:?}", report.result());
    });
    assert_eq!(CALLS.of("poked"), 6);
}

#[sensor(poke_interval = "10m", timeout = "1h")]
async fn never(name: &str) -> Option<u32> {
    CALLS.call(name);
    None
}

#[test]
fn a_sensor_that_times_out_fails_without_retry() {
    let dag = Dag::build("nothing", || double(never("nothing").retries(3))).unwrap();
    let report = reference(dag.run());
    assert_eq!(report.state(), RunState::Failed);
    let sensor = report.task("never").unwrap();
    assert_eq!((sensor.state(), sensor.attempts().len()), (TaskState::Failed, 1));
    // At its start, after ten, twenty, .. minutes, and for the last time when the hour is over.
    assert_eq!(sensor.failure().unwrap().to_string(), "found nothing within 3600s, in 7 pokes");
    assert_eq!(CALLS.of("nothing"), 7);
    assert_eq!(report.task("double").unwrap().state(), TaskState::UpstreamFailed);
}

#[test]
fn a_sensor_that_times_out_can_be_skipped() {
    let dag = Dag::build("soft", || {
        let found =
            never("soft").timeout(Duration::from_secs(1200)).poke_interval(Duration::from_secs(500)).soft_fail();
        double(found)
    });
    let report = reference(dag.unwrap().run());
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(report.task("never").unwrap().state(), TaskState::Skipped);
    let failure = report.task("never").unwrap().failure().unwrap().to_string();
    assert_eq!(failure, "skipped: found nothing within 1200s, in 4 pokes");
    assert_eq!(report.task("double").unwrap().state(), TaskState::Skipped);
}

/// Fails at its second poke, finds at its fourth.
#[sensor(poke_interval = "1m", retries = 1, retry_delay = "1h", timeout = "1d")]
fn shaky(name: &str, ctx: &TaskContext) -> Result<Option<String>> {
    match CALLS.call(name) {
        2 => Err("the server is away")?,
        4 => {
            let minutes = ctx.waiting_since().map_or(0, |since| since.as_nanos() / 60_000_000_000);
            Ok(Some(format!("{} {} {}", ctx.attempt(), ctx.waited(), minutes > 0)))
        }
        _ => Ok(None),
    }
}

#[test]
fn an_error_of_a_sensor_fails_the_attempt_and_keeps_the_poke_count() {
    let dag = Dag::build("shaky", || shaky("shaky")).unwrap();
    let report = reference(dag.run());
    assert_eq!(report.result().map(String::as_str), Some("2 2 true"));
    let attempts = report.task("shaky").unwrap();
    assert_eq!(attempts.attempts().len(), 2);
}

/// Waits for an hour, which is measured from its first call.
#[task(deferrable)]
fn later(value: Vec<u32>, ctx: &TaskContext) -> Result<Vec<u32>> {
    CALLS.call(&format!("later {value:?}"));
    let since = ctx.waiting_since().ok_or("it can wait")?;
    ctx.defer_until(since + Duration::from_secs(3600))?;
    Ok(value)
}

#[task]
fn numbers(n: u32) -> Vec<u32> {
    (0..n).collect()
}

#[test]
fn a_deferred_task_is_called_again_at_its_time() {
    let dag = Dag::build("later", || later(numbers(2))).unwrap();
    let report = reference(dag.run());
    assert_eq!(report.result(), Some(&vec![0, 1]));
    assert_eq!(CALLS.of("later [0, 1]"), 2);
    let task = report.task("later").unwrap();
    assert_eq!(task.attempts().len(), 1);
    let attempt = &task.attempts()[0];
    assert!(attempt.ended.since(attempt.started) >= Duration::from_secs(3600));
}

#[test]
fn a_waiting_task_holds_no_slot() {
    let engine = Engine::builder().max_active_tasks(std::num::NonZeroUsize::MIN).build().unwrap();
    let dag = Dag::build("slots", || {
        let waits: Vec<_> = (0..20).map(|_| third("slots")).collect();
        total(waits)
    });
    let report = live(dag.unwrap().run().engine(&engine));
    assert_eq!(report.state(), RunState::Success);
}

#[task]
fn total(numbers: &[u32]) -> u32 {
    numbers.iter().sum()
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Approval {
    Yes { by: String },
    No,
}

#[task(deferrable)]
async fn ask(key: String, ctx: &TaskContext) -> Result<Approval> {
    CALLS.call(&format!("ask {key}"));
    Ok(ctx.wait_for(&key)?)
}

#[task]
fn told(approval: &Approval) -> String {
    format!("{approval:?}")
}

fn yes(by: &str) -> Approval {
    Approval::Yes { by: by.to_owned() }
}

#[test]
fn an_event_is_sent_by_a_call_with_a_typed_value() {
    let dag = Dag::build("asks", || told(ask("approval-a"))).unwrap();
    let handle = dag.run().start().unwrap();
    let control = handle.control();
    let wait = || CALLS.of("ask approval-a") > 0;
    until_true(wait);
    // Another key is not for it, and what is no `Approval` leaves it waiting.
    control.send_event("approval-b", &yes("eve")).unwrap();
    control.send_event("approval-a", &17).unwrap();
    until_true(|| CALLS.of("ask approval-a") > 1);
    control.send_event("approval-a", &yes("ann")).unwrap();
    let report = finish(handle);
    assert_eq!(report.result().map(String::as_str), Some(r#"Yes { by: "ann" }"#));
    assert_eq!(CALLS.of("ask approval-a"), 3);
}

#[track_caller]
fn until_true(condition: impl Fn() -> bool) {
    let start = std::time::Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "this does not come true");
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn an_event_can_arrive_early_and_reaches_every_waiting_task() {
    let dag = Dag::build("early", || {
        let opened = third("early");
        let first = ask("early").after(opened);
        vec_of([told(first), told(ask("early").id("ask_2").after(first))])
    });
    let handle = dag.unwrap().run().start().unwrap();
    handle.control().send_event("early", &Approval::No).unwrap();
    assert_eq!(finish(handle).result(), Some(&vec!["No".to_owned(), "No".to_owned()]));
}

#[task]
fn vec_of(texts: Vec<String>) -> Vec<String> {
    texts
}

#[task(deferrable)]
fn ask_for_a_while(ctx: &TaskContext) -> Result<String> {
    let since = ctx.waiting_since().ok_or("it can wait")?;
    let answer: Option<Approval> = ctx.wait_for_until("nobody says it", since + Duration::from_secs(7200))?;
    Ok(format!("{answer:?} after {}", ctx.waited()))
}

#[test]
fn a_wait_for_an_event_can_time_out() {
    let dag = Dag::build("a_while", || ask_for_a_while()).unwrap();
    assert_eq!(reference(dag.run()).result().map(String::as_str), Some("None after 1"));
}

#[task]
fn waits_without_saying_so(ctx: &TaskContext) -> Result<u32> {
    Ok(ctx.wait_for("x")?)
}

#[test]
fn waiting_in_a_task_that_is_not_deferrable_explains_the_option() {
    let dag = Dag::build("no", || waits_without_saying_so().retries(3)).unwrap();
    on_both_drivers(&dag, |report| {
        let task = report.task("waits_without_saying_so").unwrap();
        assert_eq!(task.attempts().len(), 1);
        let expected = "`waits_without_saying_so` waits and is not deferrable: write `#[task(deferrable)]`";
        assert_eq!(task.failure().unwrap().to_string(), expected);
    });
}

#[test]
fn a_cancelled_run_does_not_wait_for_deferred_tasks() {
    let dag = Dag::build("cancelled", || total(vec![double(never("cancelled")), double(3)])).unwrap();
    let handle = dag.run().start().unwrap();
    until_true(|| CALLS.of("cancelled") > 0);
    handle.control().cancel("enough");
    let report = finish(handle);
    assert_eq!(report.state(), RunState::Cancelled);
    assert_eq!(report.task("never").unwrap().state(), TaskState::Cancelled);
}

/// A8: the stored attempt of a sensor that is cancelled between two pokes began when it ended.
#[tokio::test]
async fn an_attempt_that_is_cancelled_while_it_waits_keeps_its_start() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let dag = Dag::build("kept_start", || double(never("kept start")))?;
    let handle = dag.run().journal(&journal).start()?;
    let waits =
        |history: &RunHistory| history.task("never").is_some_and(|task| task.state == TaskState::UpForReschedule);
    let before = history(&journal, waits).await;
    handle.control().cancel("enough");
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Cancelled);
    let after = journal.history("last").await?;
    let start = |history: &RunHistory| history.task("never").map(|task| task.attempts[0].started);
    assert_eq!(start(&after), start(&before));
    Ok(())
}

#[sensor(poke_interval = "1h")]
fn second_poke() -> Option<u32> {
    (CALLS.call("second poke") > 1).then_some(7)
}

/// A task that `fail_fast` skipped while it waited has not skipped itself: it has to run again.
#[tokio::test]
async fn a_sensor_that_fail_fast_skipped_is_retried_with_the_tasks_that_failed() -> Result<(), BoxError> {
    static WAITS: AtomicBool = AtomicBool::new(false);
    #[task]
    async fn fails_once() -> Result<u32> {
        while !WAITS.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        if CALLS.call("fails once") == 1 { Err("no")? } else { Ok(1) }
    }
    let journal = Journal::in_memory()?;
    let dag = Dag::build("cut_wait", || total(vec![second_poke(), fails_once()]))?;
    let handle = dag.run().journal(&journal).fail_fast(true).start()?;
    history(&journal, |history| {
        history.task("second_poke").is_some_and(|task| task.state == TaskState::UpForReschedule)
    })
    .await;
    WAITS.store(true, Ordering::SeqCst);
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.task("second_poke").unwrap().state(), TaskState::Skipped);
    let mut cleared = journal.clear("last", &TaskFilter::all().failed(), &Note::default()).await?;
    cleared.sort();
    assert_eq!(cleared, ["fails_once", "second_poke", "total"]);
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!((report.state(), report.result()), (RunState::Success, Some(&8)));
    Ok(())
}

/// Takes longer than it may at its second poke.
#[sensor(poke_interval = "1ms", execution_timeout = "2s", retries = 1, retry_delay = "0s")]
async fn slow(name: &str) -> Option<u32> {
    let poke = CALLS.call(name);
    if poke == 2 {
        std::future::pending::<()>().await;
    }
    (poke > 2).then_some(poke)
}

#[test]
fn each_poke_has_its_own_timeout() {
    let dag = Dag::build("limit", || slow("limit")).unwrap();
    let report = live(dag.run());
    assert_eq!(report.result(), Some(&3));
    let attempts = report.task("slow").unwrap().attempts();
    assert_eq!(attempts.len(), 2);
    assert_eq!(attempts[0].failure.as_ref().map(|failure| failure.kind()), Some("timeout"));
}

#[test]
fn sensor_options_on_another_task_are_a_mistake() {
    let error =
        Dag::build("no", || double(1).poke_interval(Duration::from_secs(1)).soft_fail()).unwrap_err().to_string();
    assert!(error.contains("`.poke_interval(..)` (at tests/external/waits.rs:"), "{error}");
    assert!(error.contains("is for sensors, and `double` is not one: write `#[sensor]`"), "{error}");
}

/// Runs the graph until its history is as wanted, then closes its journal; the run is interrupted.
async fn interrupt<T: Value>(
    home: &std::path::Path,
    dag: &Dag<T>,
    wanted: impl Fn(&RunHistory) -> bool,
) -> Result<(), BoxError> {
    let journal = Journal::open(home).await?;
    let handle = dag.run().journal(&journal).start()?;
    history(&journal, wanted).await;
    journal.close().await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.state(), RunState::Interrupted);
    Ok(())
}

/// The last run, as soon as its history is as wanted.
async fn history(journal: &Journal, wanted: impl Fn(&RunHistory) -> bool) -> RunHistory {
    let look = async {
        loop {
            if let Ok(history) = journal.history("last").await
                && wanted(&history)
            {
                return history;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, look).await.expect("the history becomes as wanted")
}

fn is(history: &RunHistory, task: &str, state: TaskState) -> bool {
    history.task(task).is_some_and(|task| task.state == state)
}

#[tokio::test]
async fn a_deferred_task_of_an_interrupted_run_receives_its_event() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("resumed", || told(ask("resumed")))?;
    interrupt(home.path(), &dag, |history| is(history, "ask", TaskState::Deferred)).await?;

    let journal = Journal::open(home.path()).await?;
    let known = journal.history("last").await?;
    let wait = known.task("ask").unwrap().waits_for.clone().unwrap();
    assert_eq!((wait.event.as_deref(), wait.count, wait.until), (Some("resumed"), 1, None));
    let why = known.explain("ask").unwrap().why;
    assert!(why[0].starts_with("it waits for the event `resumed` (since "), "{why:?}");
    assert_eq!(why[1], "`release 1 resumed` sends it, with `--value JSON` if it takes a value");

    // It continues to wait in another process, which ends as well.
    let handle = journal.resume_dag("1", &dag).await?.start()?;
    let told = journal.send_event("1", "something else", &1, &Note::default()).await?;
    assert!(matches!(told, EventDelivery::Requested { .. }), "{told:?}");
    history(&journal, |history| history.sessions.len() == 2 && is(history, "ask", TaskState::Deferred)).await;
    journal.close().await?;
    handle.await;

    let journal = Journal::open(home.path()).await?;
    let note = Note { by: "ann".to_owned(), reason: "looks good".to_owned() };
    assert_eq!(journal.send_event("1", "resumed", &yes("ann"), &note).await?, EventDelivery::Stored);
    let report = journal.resume_dag("1", &dag).await?.await?;
    assert_eq!(report.result().map(String::as_str), Some(r#"Yes { by: "ann" }"#));
    // One attempt, called once before it waited and once after.
    let task = journal.history("1").await?.task("ask").cloned().unwrap();
    assert_eq!((task.attempts.len(), task.attempts[0].number, &task.waits_for), (1, 1, &None));
    assert_eq!(CALLS.of("ask resumed"), 2);
    let error = journal.send_event("1", "resumed", &1, &Note::default()).await.unwrap_err();
    assert!(matches!(error, JournalError::Nothing { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn another_process_can_send_an_event_to_a_live_run() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("told", || told(ask("told")))?;
    let journal = Journal::open(home.path()).await?;
    let handle = dag.run().journal(&journal).start()?;
    // Another journal on the same home represents another process.
    let other = Journal::open(home.path()).await?;
    history(&other, |history| is(history, "ask", TaskState::Deferred)).await;
    let answer = other.send_event("last", "told", &Approval::No, &Note::default()).await?;
    assert!(matches!(answer, EventDelivery::Requested { .. }), "{answer:?}");
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.result().map(String::as_str), Some("No"));
    Ok(())
}

#[tokio::test]
async fn a_cleared_task_ignores_earlier_events() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let dag = Dag::build("cleared", || told(ask("cleared")))?;
    let handle = dag.run().journal(&journal).start()?;
    handle.control().send_event("cleared", &yes("ann"))?;
    assert_eq!(handle.await.result().map(String::as_str), Some(r#"Yes { by: "ann" }"#));

    journal.clear("last", &TaskFilter::tasks(["ask".to_owned()]).downstream(), &Note::default()).await?;
    let handle = journal.resume_dag("last", &dag).await?.start()?;
    history(&journal, |history| is(history, "ask", TaskState::Deferred)).await;
    handle.control().send_event("cleared", &Approval::No)?;
    assert_eq!(handle.await.result().map(String::as_str), Some("No"));
    Ok(())
}

/// Finds something when it is called in the second session.
#[sensor(poke_interval = "1s", timeout = "1d")]
fn second_session(name: &str, ctx: &TaskContext) -> Option<String> {
    let ready = CALLS.of(&format!("{name} is there")) > 0;
    let pokes = CALLS.call(name);
    ready.then(|| format!("attempt {}, counted on: {}", ctx.attempt(), ctx.waited() + 1 == pokes))
}

#[tokio::test]
async fn a_sensor_continues_in_the_next_process() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let dag = Dag::build("looks", || second_session("looks"))?;
    interrupt(home.path(), &dag, |history| {
        let wait = history.task("second_session").and_then(|task| task.waits_for.clone());
        wait.is_some_and(|wait| wait.count > 0 && wait.until.is_some())
    })
    .await?;
    CALLS.call("looks is there");
    let journal = Journal::open(home.path()).await?;
    let report = journal.resume_dag("last", &dag).await?.await?;
    assert_eq!(report.result().map(String::as_str), Some("attempt 1, counted on: true"));
    let known = journal.history("last").await?;
    assert_eq!(known.task("second_session").unwrap().attempts.len(), 1);
    Ok(())
}

#[test]
fn a_file_is_found_once_it_no_longer_changes() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("landed.csv").to_str().unwrap().to_owned();
    let settled = |settle: u64| {
        let path = path.clone();
        let file = move || sensors::file_landed(path, Duration::from_secs(settle)).timeout(Duration::from_secs(600));
        reference(Dag::build("file", file).unwrap().run())
    };
    let failure = settled(0).task("file_landed").unwrap().failure().unwrap();
    assert_eq!(failure.kind(), "nothing_found");
    std::fs::write(&path, "a,b").unwrap();
    assert_eq!(settled(0).result(), Some(&path));
    // It was written a moment ago.
    assert_eq!(settled(3600).task("file_landed").unwrap().failure().unwrap().kind(), "nothing_found");
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
    std::fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
    assert_eq!(settled(3600).result(), Some(&path));
}

#[test]
fn a_time_sensor_returns_its_time() {
    let time = Timestamp::now() + Duration::from_secs(86_400);
    let report = reference(Dag::build("time", || sensors::time_reached(time)).unwrap().run());
    assert_eq!(report.result(), Some(&time));
    assert!(report.task("time_reached").unwrap().ended() >= time);
}

#[test]
fn a_sensor_waits_for_a_port() {
    // The system assigns a port that no other process uses.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    let open = |address: String| Dag::build("port", || sensors::port_open(address)).unwrap();
    assert_eq!(live(open(address.clone()).run()).result(), Some(&address));
    let report = live(open("nonsense".to_owned()).run());
    let failure = report.task("port_open").unwrap().failure().unwrap().to_string();
    assert_eq!(failure, "`nonsense` is not a valid address: write `host:port`");
    // Bound, so that nobody else can listen there, and not listening.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let report = reference(open(silent.local_addr().unwrap().to_string()).run());
    assert_eq!(report.task("port_open").unwrap().failure().unwrap().kind(), "nothing_found");
}

#[test]
fn the_elements_of_a_list_wait_independently() {
    let dag = Dag::build("elements", || {
        let waits = numbers(4).each(|n| later(one(n)).retries(1));
        lengths(waits)
    });
    let report = reference(dag.unwrap().run());
    assert_eq!(report.result(), Some(&4));
    assert_eq!(CALLS.of("later [3]"), 2);
}

#[task]
fn one(n: u32) -> Vec<u32> {
    vec![n]
}

#[task]
fn lengths(lists: &[Vec<u32>]) -> u32 {
    lists.iter().map(|list| list.len() as u32).sum()
}
