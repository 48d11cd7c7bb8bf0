//! Callbacks: which notifications they receive, and that none is lost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, Note, RunFilter, TaskFilter};
use taskflow::notify::{CallbackKind, Notification};
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{BoxError, notify};
use taskflow_tests::common::{PATIENCE, eventually, live, locked, reference};

/// What was told, by DAG: the kind and the subject of each notification.
static TOLD: LazyLock<Mutex<HashMap<String, Vec<Notification>>>> = LazyLock::new(Mutex::default);

fn tell(notification: &Notification) {
    locked(&TOLD).entry(notification.run.dag_id.clone()).or_default().push(notification.clone());
}

fn told(dag: &str) -> Vec<Notification> {
    locked(&TOLD).get(dag).cloned().unwrap_or_default()
}

fn short(notifications: &[Notification]) -> Vec<String> {
    notifications.iter().map(|notification| format!("{} {}", notification.kind, notification.subject())).collect()
}

#[task(on_success = tell, on_failure = tell, on_retry = tell, on_skip = tell, retries = 1, retry_delay = "1ms")]
fn work(n: u32, ctx: &TaskContext) -> Result<u32> {
    match n {
        0 => Err(ctx.skip("nothing to do"))?,
        1 if ctx.attempt() == 1 => Err("not yet")?,
        2 => Err("never")?,
        n => Ok(n),
    }
}

#[task]
fn quiet(n: u32) -> u32 {
    n
}

#[dag(on_success = tell, on_failure = tell)]
fn succeeds() -> u32 {
    quiet(work(1))
}

#[dag(on_success = tell, on_failure = tell, on_retry = tell, retries = 1, retry_delay = "1ms")]
fn fails() -> u32 {
    quiet(work(2))
}

#[dag(default(on_success = tell))]
fn by_default() -> u32 {
    work(0);
    quiet(7)
}

#[test]
fn callbacks_of_tasks_and_runs_receive_notifications() {
    live(succeeds::run());
    let notifications = told("succeeds");
    assert_eq!(short(&notifications), ["retry work", "success work", "success succeeds"]);
    let task = notifications[0].task.as_ref().unwrap();
    assert_eq!((task.attempt, notifications[0].failure.as_ref().unwrap().to_string().as_str()), (1, "not yet"));
    assert_eq!(
        (notifications[0].state(), notifications[1].state(), notifications[2].state()),
        ("up_for_retry", "success", "success")
    );
    assert!(notifications[0].retry_at.is_some_and(|due| due >= notifications[0].at));
    assert!(notifications[2].started <= notifications[1].started, "that of the run is when it began");
    assert_eq!(notifications[1].key, format!("{}/work/2/success", notifications[1].run.run_id));
    assert!(notifications[2].task.is_none() && notifications[2].failure.is_none());
}

#[test]
fn the_notification_of_a_failed_run_has_the_reason() {
    let report = live(fails::run());
    assert_eq!(report.state(), RunState::Failed);
    let notifications = told("fails");
    let all = ["retry work", "failure work", "retry fails", "retry work", "failure work", "failure fails"];
    assert_eq!(short(&notifications), all);
    assert_eq!(notifications[5].failure.as_ref().unwrap().to_string(), "never");
    let mut keys: Vec<&str> = notifications.iter().map(|notification| &*notification.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 6, "no two notifications have the same key");
}

#[test]
fn the_default_callbacks_of_a_dag_apply_to_tasks_without_their_own() {
    live(by_default::run());
    // A skip calls the callbacks of the task itself, but not those of tasks skipped because of it.
    let mut all = short(&told("by_default"));
    all.sort();
    assert_eq!(all, ["skip work", "success quiet"]);
}

#[task(on_failure = |notification| assert!(notification.task.is_none(), "the callback is broken"))]
fn bad() -> Result<u32> {
    Err("bad")?
}

#[dag]
fn broken_callback() -> u32 {
    bad()
}

#[test]
fn a_panicking_callback_does_not_affect_the_run() {
    let report = live(broken_callback::run());
    assert_eq!(report.task("bad").unwrap().failure().unwrap().to_string(), "bad");
}

#[dag(on_success = tell)]
fn in_order() -> u32 {
    quiet(quiet(1))
}

#[test]
fn a_run_on_one_thread_calls_its_callbacks() {
    reference(in_order::run());
    assert_eq!(short(&told("in_order")), ["success in_order"]);
}

#[task(on_failure = tell)]
fn unattended_work() -> Result<u32> {
    Err("the disk is full")?
}

#[dag(on_failure = tell)]
fn unattended() -> u32 {
    unattended_work()
}

#[dag(on_failure = tell)]
fn triggers_unattended() -> u32 {
    unattended::trigger()
}

/// A task that fails, and one that triggers a run which fails. Both replays told of the failures of
/// the task and of the run.
#[tokio::test]
async fn a_replay_calls_no_callbacks() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let all = || [short(&told("unattended")), short(&told("triggers_unattended"))];
    triggers_unattended::run().journal(&journal).await?;
    let once = [
        vec!["failure unattended_work".to_owned(), "failure unattended".to_owned()],
        vec!["failure triggers_unattended".to_owned()],
    ];
    assert_eq!(all(), once);
    let runs = journal.runs(&RunFilter::default()).await?;
    let triggered = runs.iter().find(|run| run.info.dag_id == "unattended").ok_or("it has run")?;
    for (run, task) in [(&*triggered.info.run_id, "unattended_work"), ("last", "unattended")] {
        let replay = journal.replay(run, task).await?;
        assert_eq!(replay.report.state(), RunState::Failed, "{task}");
        assert_eq!(all(), once, "{task}");
    }
    Ok(())
}

// The test kit.

#[task(retries = 2, retry_delay = "1h", on_retry = tell, on_failure = tell)]
fn load(rows: u32) -> u32 {
    rows
}

#[dag(deadline = "90m after start", on_deadline_missed = tell, on_success = tell, on_failure = tell)]
fn slow() -> u32 {
    load(1)
}

#[test]
fn the_test_kit_collects_notifications_without_calling_callbacks() {
    use CallbackKind::{DeadlineMissed, Retry, Success};
    let outcome = Test::new(slow {}).fail_times(load {}, 2, "the server is away").run();
    outcome.assert_notified(&[(Retry, "load"), (Retry, "load"), (DeadlineMissed, "slow"), (Success, "slow")]);
    let missed = &outcome.notifications()[2];
    assert_eq!(missed.deadline, Some(missed.started + Duration::from_secs(90 * 60)));
    assert_eq!(missed.at.since(missed.started), Duration::from_secs(90 * 60));
    assert!(outcome.event_log().contains("+5400s    the run has missed its deadline"), "{}", outcome.event_log());
    assert!(told("slow").is_empty());
}

#[test]
fn a_run_that_ends_before_its_deadline_does_not_miss_it() {
    let outcome = Test::new(slow {}).fail_times(load {}, 1, "the server is away").run();
    outcome.assert_notified(&[(CallbackKind::Retry, "load"), (CallbackKind::Success, "slow")]);
}

#[dag(deadline = "1h after logical_date", on_deadline_missed = tell)]
fn about_a_day() -> u32 {
    quiet(1)
}

#[test]
fn a_deadline_can_be_relative_to_the_logical_date() {
    // A run about yesterday is late before it begins.
    let journal = Journal::in_memory().unwrap();
    let day = Timestamp::now() - Duration::from_secs(86_400);
    live(about_a_day::run().logical_date(day).journal(&journal));
    assert_eq!(short(&told("about_a_day")), ["deadline_missed about_a_day"]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let history = runtime.block_on(journal.history("last")).unwrap();
    assert_eq!(history.missed_deadline.unwrap().deadline, day + Duration::from_secs(3600));
}

#[task(retries = 3, retry_delay = "1m", on_retry = tell, on_success = tell)]
fn element(n: u32) -> u32 {
    n
}

#[task]
fn numbers() -> Vec<u32> {
    (0..5).collect()
}

#[dag(on_success = tell, on_failure = tell)]
fn mapped() -> Vec<u32> {
    numbers().each(|n| element(n)).collect()
}

#[test]
fn notifications_identify_elements_by_their_index() {
    let outcome = Test::new(mapped {}).fail_times("element[3]", 1, "no").run();
    let task = outcome
        .notifications()
        .iter()
        .find(|notification| notification.kind == CallbackKind::Retry)
        .unwrap()
        .task
        .clone();
    let task = task.unwrap();
    assert_eq!((task.id.as_str(), task.element.as_slice(), task.attempt), ("element[3]", &[3][..], 1));
    assert_eq!(outcome.notifications().len(), 7);
}

#[test]
fn every_notification_is_delivered_after_any_crash() {
    // That nothing stays pending is checked by the test kit after every run.
    explore(0..60, || Test::new(mapped {}).fail_times("element[1]", 2, "no"));
    explore(0..60, || Test::new(slow {}).fail_times(load {}, 2, "no"));
}

#[test]
fn a_crash_loses_no_notification() {
    for entries in 1..24 {
        let outcome = Test::new(mapped {}).fail_times("element[3]", 1, "no").crash_after(entries).run();
        outcome.assert_success();
        let mut keys: Vec<&str> = outcome.notifications().iter().map(|notification| &*notification.key).collect();
        keys.sort_unstable();
        keys.dedup();
        assert!(keys.len() >= 7, "after {entries} entries: {keys:?}");
    }
}

// The journal.

static REFUSALS: AtomicU32 = AtomicU32::new(0);

/// Fails at its first call.
fn refuses_once(notification: &Notification) -> Result<()> {
    if REFUSALS.fetch_add(1, Ordering::Relaxed) == 0 {
        return Err("the pager is off".into());
    }
    tell(notification);
    Ok(())
}

#[dag(on_success = refuses_once)]
fn paged() -> u32 {
    quiet(1)
}

#[tokio::test]
async fn a_failed_delivery_is_shown_and_retried_later() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let report = paged::run().journal(&journal).await?;
    assert_eq!(report.state(), RunState::Success, "it does not fail the run");
    let history = journal.history("last").await?;
    let [delivery] = &history.deliveries[..] else { panic!("{:?}", history.deliveries) };
    assert_eq!((delivery.attempts, delivery.error.as_deref()), (1, Some("the pager is off")));
    assert_eq!(delivery.callback, "refuses_once");
    let wait = delivery.next.unwrap().since(delivery.at);
    assert!(wait >= Duration::from_secs(5) && wait <= Duration::from_secs(10), "{wait:?}");
    // It is not due yet, unless the machine has stood still for that long.
    let delivered = journal.deliver_pending().await?;
    if Timestamp::now() < delivery.next.unwrap() {
        assert_eq!(delivered, 0);
    }
    Ok(())
}

#[task]
fn dies() -> u32 {
    7
}

#[dag(on_success = tell, default(on_success = tell))]
fn pending() -> u32 {
    quiet(dies())
}

#[tokio::test]
async fn opening_a_home_delivers_the_pending_callbacks_of_a_dead_process() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    {
        let journal = Journal::open(home.path()).await?;
        pending::run().journal(&journal).await?;
        journal.close().await?;
    }
    assert_eq!(short(&told("pending")).len(), 3);
    // As if the process had died before it noted anything.
    forget(home.path()).await?;
    let journal = Journal::open(home.path()).await?;
    assert_eq!(journal.deliver_pending().await?, 3);
    let notifications = told("pending");
    assert_eq!(notifications.len(), 6);
    let keys = |notifications: &[Notification]| {
        notifications.iter().map(|notification| notification.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(keys(&notifications[..3]), keys(&notifications[3..]), "the same notifications under the same keys");
    assert_eq!(
        notifications[..3].iter().map(|n| n.at).collect::<Vec<_>>(),
        notifications[3..].iter().map(|n| n.at).collect::<Vec<_>>()
    );
    assert_eq!(journal.deliver_pending().await?, 0);
    assert_eq!(journal.history("last").await?.deliveries.len(), 3);
    Ok(())
}

/// Takes away what was noted, and puts every run back on the list.
async fn forget(home: &std::path::Path) -> Result<(), BoxError> {
    use sqlx::{ConnectOptions as _, Connection as _};
    let file = sqlx::sqlite::SqliteConnectOptions::new().filename(home.join("taskflow.db"));
    let mut database = file.connect().await?;
    sqlx::raw_sql("DELETE FROM deliveries; INSERT OR IGNORE INTO outbox (run_id) SELECT run_id FROM runs")
        .execute(&mut database)
        .await?;
    Ok(database.close().await?)
}

#[dag(on_success = tell)]
fn another() -> u32 {
    quiet(2)
}

#[dag(on_success = tell, default(on_success = tell))]
fn owed_beside() -> u32 {
    quiet(dies())
}

#[tokio::test]
async fn a_run_of_another_dag_in_the_same_home_delivers_pending_callbacks() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    {
        let journal = Journal::open(home.path()).await?;
        owed_beside::run().journal(&journal).await?;
        journal.close().await?;
    }
    forget(home.path()).await?;
    let before = told("owed_beside").len();
    let journal = Journal::open(home.path()).await?;
    another::run().journal(&journal).await?;
    tokio::task::spawn_blocking(move || eventually("that all are told", || told("owed_beside").len() == before + 3))
        .await?;
    Ok(())
}

#[task(deferrable, on_success = tell)]
fn asks(ctx: &TaskContext) -> Result<u32> {
    Ok(ctx.wait_for("go")?)
}

#[dag(on_success = tell)]
fn resumed() -> u32 {
    let first = work(3);
    asks().after(first)
}

#[tokio::test]
async fn a_resumed_run_first_delivers_its_pending_callbacks() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let handle = resumed::run().journal(&journal).start()?;
    let waits = async {
        loop {
            let history = journal.history("last").await;
            if history.is_ok_and(|history| history.task("asks").unwrap().state == TaskState::Deferred) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await?;
    journal.close().await?;
    assert_eq!(tokio::time::timeout(PATIENCE, handle).await?.state(), RunState::Interrupted);
    assert_eq!(short(&told("resumed")), ["success work"]);
    forget(home.path()).await?;

    let journal = Journal::open(home.path()).await?;
    journal.send_event("last", "go", &5, &Note::default()).await?;
    let report = journal.resume("last").await?.await?;
    assert_eq!(report.state(), RunState::Success);
    assert_eq!(short(&told("resumed")), ["success work", "success work", "success asks", "success resumed"]);
    let runs = journal.runs(&RunFilter::default()).await?;
    assert_eq!(runs.len(), 1);
    assert_eq!(journal.deliver_pending().await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_run_that_ends_again_notifies_again() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    again::run().journal(&journal).await?;
    journal.clear("last", &TaskFilter::tasks(["quiet"]), &Note::default()).await?;
    journal.resume("last").await?.await?;
    let notifications = told("again");
    assert_eq!(short(&notifications), ["success again", "success again"]);
    assert_ne!(notifications[0].key, notifications[1].key);
    Ok(())
}

#[dag(on_success = tell)]
fn again() -> u32 {
    quiet(1)
}

#[dag(on_failure = notify::log_line(), default(on_failure = notify::log_line()))]
fn logged() -> u32 {
    bad().id("plain")
}

#[test]
fn options_show_the_callbacks() {
    let plan = logged::def().plan().unwrap();
    let text = taskflow::render::render(&plan, taskflow::render::Format::Json);
    assert!(text.contains("\"on_failure\": \"log_line\""), "{text}");
}
