//! What tasks see of other runs in their journal: runs of another DAG, and earlier runs of their
//! own.

use std::time::Duration;

use taskflow::engine::{RunState, TaskState};
use taskflow::journal::{Journal, RunHistory};
use taskflow::prelude::*;
use taskflow::schedule::ScheduleSource;
use taskflow::sensors::{ExternalRun, external_run};
use taskflow::{BoxError, Value};
use taskflow_tests::common::{self, PATIENCE, failure_of, live};

const DAY: Duration = Duration::from_secs(86_400);

fn day(number: u32) -> Timestamp {
    Timestamp::EPOCH + DAY * number
}

#[task]
fn rows(n: u64) -> Result<u64> {
    if n == 0 { Err("nothing has come")? } else { Ok(n) }
}

#[task]
fn count(n: u64) -> u64 {
    n
}

fn orders(n: u64) -> Dag<u64> {
    Dag::build("orders", || count(rows(n))).expect("it has no mistake")
}

#[task]
fn seen(run: &str) -> String {
    run.to_owned()
}

fn looks(run: impl Fn() -> ExternalRun) -> Dag<String> {
    let poke = Duration::from_millis(1);
    Dag::build("reports", || seen(external_run(run()).poke_interval(poke).retries(2))).expect("it has no mistake")
}

#[tokio::test]
async fn a_sensor_waits_until_the_run_of_a_logical_date_succeeds() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    orders(1).run().logical_date(day(1)).journal(&journal).await?;
    let handle = looks(|| ExternalRun::at("orders", day(2))).run().journal(&journal).start()?;
    waits(&journal, handle.info().run_id.clone(), 3).await;
    let orders = orders(1).run().logical_date(day(2)).journal(&journal).await?;
    let report = tokio::time::timeout(PATIENCE, handle).await?;
    assert_eq!(report.success()?, &orders.run().run_id);
    assert_eq!(report.task("external_run").unwrap().attempt_count(), 1);
    Ok(())
}

/// Waits until the sensor has looked so often.
async fn waits(journal: &Journal, run: String, times: u32) {
    let looked = |history: &RunHistory| {
        let wait = history.task("external_run").and_then(Looked::wait);
        wait.is_some_and(|count| count >= times)
    };
    let start = std::time::Instant::now();
    while !journal.history(&run).await.is_ok_and(|history| looked(&history)) {
        assert!(start.elapsed() < PATIENCE, "the sensor does not look");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// How often a sensor has looked.
trait Looked {
    fn wait(&self) -> Option<u32>;
}

impl Looked for taskflow::journal::TaskHistory {
    fn wait(&self) -> Option<u32> {
        self.waits_for.as_ref().map(|wait| wait.count)
    }
}

#[tokio::test]
async fn without_a_date_a_sensor_watches_the_newest_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    orders(0).run().journal(&journal).await?;
    let orders = orders(1).run().journal(&journal).await?;
    let report = looks(|| ExternalRun::newest("orders")).run().journal(&journal).await?;
    assert_eq!(report.success()?, &orders.run().run_id);
    Ok(())
}

#[tokio::test]
async fn a_failed_run_fails_the_sensor_without_retry() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let orders = orders(0).run().logical_date(day(3)).journal(&journal).await?;
    let report = looks(|| ExternalRun::at("orders", day(3))).run().journal(&journal).await?;
    let run = &orders.run().run_id;
    let failure = failure_of(&report, "external_run");
    assert_eq!(failure, format!("the run `{run}` of `orders` with the logical date 1970-01-04T00:00:00Z is failed"));
    assert_eq!(report.task("external_run").unwrap().attempt_count(), 1);

    // It may be what is waited for.
    let failed = || ExternalRun::at("orders", day(3)).allowed_states([RunState::Failed]);
    let report = looks(failed).run().journal(&journal).await?;
    assert_eq!(report.success()?, run);
    Ok(())
}

#[tokio::test]
async fn a_sensor_can_wait_for_one_task_of_a_run() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    orders(0).run().journal(&journal).await?;
    let looked = async |run: ExternalRun| {
        let run = std::cell::Cell::new(Some(run));
        let report = looks(|| run.take().expect("it is drawn once")).run().journal(&journal).await?;
        Ok::<_, BoxError>(failure_of(&report, "external_run"))
    };
    let failure = looked(ExternalRun::newest("orders").task("count")).await?;
    assert!(failure.starts_with("the task `count` of the run `manual__"), "{failure}");
    assert!(failure.ends_with("` of `orders` is upstream_failed"), "{failure}");
    let failure = looked(ExternalRun::newest("orders").task("cuont")).await?;
    assert!(failure.ends_with("` of `orders` has no task `cuont`"), "{failure}");
    let allowed = ExternalRun::newest("orders").task("count").allowed_states([TaskState::UpstreamFailed]);
    assert_eq!(looked(allowed).await?, "none");
    Ok(())
}

#[test]
fn without_a_journal_a_sensor_finds_no_run() {
    let report = live(looks(|| ExternalRun::newest("orders")).run());
    assert_eq!(
        failure_of(&report, "external_run"),
        "this run has no journal, which is needed to find a run of `orders`"
    );
}

#[task]
fn read_until(day: u64) -> u64 {
    day
}

#[task]
fn read(ctx: &TaskContext, until: u64) -> Result<String> {
    Ok(match ctx.previous_success()? {
        Some(previous) => {
            assert_eq!(previous.run().dag_id, ctx.dag_id());
            format!("{} to {until}, after {}", previous.value::<u64>("read_until")?, previous.run().logical_date.date())
        }
        None => format!("all to {until}"),
    })
}

#[task]
async fn read_async(ctx: &TaskContext, until: u64) -> Result<u64> {
    let previous = ctx.previous_success()?.ok_or("there is one")?;
    Ok(until - previous.value::<u64>("read_until")?)
}

fn reading<T: Value>(read: impl FnOnce(Output<u64>) -> Output<T>, until: u64) -> Dag<T> {
    Dag::build("reading", || read(read_until(until))).expect("it has no mistake")
}

/// E7: `ctx.previous_success()`, whose `run()` is that of a context: `run().logical_date`.
#[tokio::test]
async fn a_task_can_read_the_previous_successful_run() -> Result<(), BoxError> {
    let home = tempfile::tempdir()?;
    let journal = Journal::open(home.path()).await?;
    let run = async |at: u32, until: u64| {
        let report = reading(read, until).run().logical_date(day(at)).journal(&journal).await?;
        Ok::<_, BoxError>(report.success()?.clone())
    };
    assert_eq!(run(5, 50).await?, "all to 50");
    assert_eq!(run(3, 30).await?, "all to 30");
    assert_eq!(run(6, 60).await?, "50 to 60, after 1970-01-06");
    assert_eq!(run(4, 40).await?, "30 to 40, after 1970-01-04");
    // Of one about the same time nothing is to be had, nor of one that has failed.
    let failing = reading(|until| rows(0).after(until), 70).run().logical_date(day(7)).journal(&journal).await?;
    assert_eq!(failing.state(), RunState::Failed);
    assert_eq!(run(8, 80).await?, "60 to 80, after 1970-01-07");
    let report = reading(read_async, 90).run().logical_date(day(9)).journal(&journal).await?;
    assert_eq!(report.success()?, &10);
    Ok(())
}

#[task]
fn asks_wrongly(ctx: &TaskContext, task: &str) -> Result<u64> {
    let previous = ctx.previous_success()?.ok_or("there is one")?;
    if task == "read" { Ok(previous.value("read")?) } else { Ok(previous.value::<u64>(task)?) }
}

#[tokio::test]
async fn values_of_earlier_runs_are_typed() -> Result<(), BoxError> {
    let journal = Journal::in_memory()?;
    let first = reading(read, 50).run().journal(&journal).await?;
    let first = &first.run().run_id;
    let asked = async |task: &'static str| {
        let report = reading(|until| asks_wrongly(task).after(until), 1).run().journal(&journal).await?;
        Ok::<_, BoxError>(failure_of(&report, "asks_wrongly"))
    };
    let wrong = format!("the value of task `read` of the run `{first}` is a `String`, but was requested as a `u64`");
    assert_eq!(asked("read").await?, wrong);
    let unknown = asked("raed").await?;
    assert!(unknown.contains("`raed`"), "{unknown}");
    Ok(())
}

#[task]
fn span(ctx: &TaskContext) -> Result<(Timestamp, Timestamp)> {
    let interval = ctx.data_interval()?;
    Ok((interval.start, interval.end))
}

#[test]
fn a_task_of_a_dag_without_intervals_cannot_ask_for_one() {
    let dag = |schedule: Option<&'static str>| {
        let mut options = taskflow::DagOptions::NONE;
        options.schedule = schedule.map(ScheduleSource::Text);
        Dag::build_with("spans", options, || span().retries(3)).unwrap()
    };
    common::on_both_drivers(&dag(Some("0 6 * * *")), |report| {
        let date = report.run().logical_date;
        let &(start, end) = report.result().expect("an interval");
        assert!(start < end && end <= date, "{start} to {end}, at {date}");
        assert_eq!(end.since(start).as_secs(), 86_400);
    });
    for schedule in [None, Some("@once"), Some("@continuous")] {
        common::on_both_drivers(&dag(schedule), |report| {
            assert_eq!(
                failure_of(report, "span"),
                "the runs of `spans` have no data interval, because it has no schedule with intervals: write \
                 `#[dag(schedule = \"@daily\")]`, or use `ctx.logical_date()`"
            );
            assert_eq!(report.task("span").unwrap().attempt_count(), 1);
        });
    }
}
