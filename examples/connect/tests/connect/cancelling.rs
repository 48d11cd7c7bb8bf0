//! Queries whose attempt ends before they do.

use std::time::Duration;

use spark_connect::prelude::*;
use taskflow::engine::{RunState, TaskState};
use taskflow::prelude::*;

use crate::connect;
use crate::server::{Server, eventually};

/// Ten thousand Spark tasks, which take an hour in total.
const LONG: &str = "SELECT sum(hash(id)) FROM range(0, 2000000000000, 1, 10000)";

async fn summed(ctx: &TaskContext) -> Result<i64> {
    let spark = connect::session(ctx, "spark_connect").await?;
    let rows = spark.sql(LONG)?.collect_async().await?;
    Ok(rows.first().and_then(|row| row.get(0)?.as_i64()).ok_or("a sum is one row")?)
}

#[task]
async fn cancelled(ctx: &TaskContext) -> Result<i64> {
    summed(ctx).await
}

/// Runs a first query, which takes longer on a server that has just started.
#[task]
async fn warm_up(ctx: &TaskContext) -> Result<i64> {
    Ok(connect::session(ctx, "spark_connect").await?.sql("SELECT sum(hash(id)) FROM range(10)")?.count_async().await?)
}

#[task(timeout = "30s")]
async fn too_slow(ctx: &TaskContext, _warm: i64) -> Result<i64> {
    summed(ctx).await
}

/// Whether there are jobs with the tag, and all of them have failed.
fn have_failed(server: &Server, tag: &str) -> bool {
    let jobs = server.jobs(tag);
    !jobs.is_empty() && jobs.iter().all(|job| job.status == "FAILED")
}

#[test]
fn progress_is_that_of_the_query_and_a_cancelled_run_interrupts_it_on_the_server() {
    let server = Server::shared();
    let engine = server.engine();
    let dag = Dag::build("cancelling", || cancelled()).expect("the graph is valid");
    // Without a limit, the task ends because its query does, not because the grace period is over.
    let handle = dag.run().engine(&engine).grace(Duration::MAX).start().expect("the graph is valid");
    let control = handle.control();
    eventually("there is progress", || {
        control.running().iter().any(|task| task.progress.is_some_and(|(done, total)| done > 0 && total >= 10_000))
    });
    let tag = format!("taskflow-run={}", handle.info().run_id);
    assert!(server.jobs(&tag).iter().any(|job| job.status == "RUNNING"));

    control.cancel("enough");
    let report = handle.wait();
    assert_eq!(report.state(), RunState::Cancelled);
    eventually("the job has ended", || have_failed(&server, &tag));
}

#[test]
fn an_attempt_whose_time_is_over_interrupts_its_query_on_the_server() {
    let server = Server::shared();
    let engine = server.engine();
    let dag = Dag::build("too slow", || too_slow(warm_up())).expect("the graph is valid");
    let report = dag.run().engine(&engine).grace(Duration::MAX).wait().expect("the graph is valid");
    let task = report.task("too_slow").expect("it is there");
    assert_eq!(task.state(), TaskState::Failed);
    let failure = task.failure().expect("it has failed").to_string();
    assert!(failure.contains("timed out"), "{failure}");
    eventually("the job has ended", || have_failed(&server, "taskflow-task=too_slow"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_future_that_is_dropped_ends_its_query_on_the_server() {
    let server = Server::shared();
    let context = TaskContext::detached("dropped").with_config(&server.config());
    let waiting = tokio::spawn(async move { summed(&context).await.map_err(|error| error.to_string()) });
    let tag = "taskflow-task=dropped";
    let runs = || server.jobs(tag).iter().any(|job| job.status == "RUNNING");
    tokio::task::block_in_place(|| eventually("the job runs", runs));
    waiting.abort();
    tokio::task::block_in_place(|| eventually("the job has ended", || have_failed(&server, tag)));
}
