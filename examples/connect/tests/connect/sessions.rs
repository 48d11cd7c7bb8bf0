//! The sessions of tasks.

use spark_connect::prelude::*;
use taskflow::{Result, TaskContext};

use crate::connect;
use crate::server::Server;

fn context(server: &Server, task: &str) -> TaskContext {
    TaskContext::detached(task).with_config(&server.config())
}

#[tokio::test]
async fn operations_are_tagged_with_run_task_and_attempt() -> Result<()> {
    let server = Server::shared();
    let context = context(&server, "tagged, twice");
    let spark = connect::session(&context, "spark_connect").await?;
    let run = format!("taskflow-run={}", context.run_id());
    assert_eq!(spark.get_tags(), [run.as_str(), "taskflow-task=tagged; twice", "taskflow-attempt=1"]);
    assert_eq!(spark.range(1000)?.count_async().await?, 1000);
    let jobs = server.jobs("taskflow-task=tagged; twice");
    assert!(!jobs.is_empty());
    assert!(jobs.iter().all(|job| job.has_tag(&run) && job.has_tag("taskflow-attempt=1")), "{jobs:?}");
    Ok(())
}

#[tokio::test]
async fn sessions_have_views_of_their_own() -> Result<()> {
    let server = Server::shared();
    let context = context(&server, "apart");
    let (one, two) =
        (connect::session(&context, "spark_connect").await?, connect::session(&context, "spark_connect").await?);
    one.range(3)?.create_or_replace_temp_view_async("numbers").await?;
    assert_eq!(one.sql("SELECT * FROM numbers")?.count_async().await?, 3);
    let error = two.sql("SELECT * FROM numbers")?.count_async().await.unwrap_err();
    assert_eq!(error.error_class, "TABLE_OR_VIEW_NOT_FOUND");
    // Ending one session does not end the other.
    two.stop().await?;
    drop(two);
    assert_eq!(one.sql("SELECT * FROM numbers")?.count_async().await?, 3);
    Ok(())
}
