//! A session of Spark Connect that belongs to one attempt of a task.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use spark_connect::SparkSession;
use taskflow::TaskContext;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::address::Address;
use super::{IncompleteResult, SessionError};

/// How long a server may take to accept a TCP connection. Spark's client itself would retry for ten
/// minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long it may take to open a session. A server that has just started needs time for
/// compilation.
const SESSION_TIMEOUT: Duration = Duration::from_secs(120);
/// How long to wait for the first job of an operation before interrupting it. Spark 4.3 loses an
/// interrupt that arrives earlier, and the job continues. The server reports jobs every two
/// seconds.
const FIRST_JOB_TIMEOUT: Duration = Duration::from_secs(3);
/// The interval between interrupts. An operation that was being sent when the attempt was cancelled
/// starts after the first one.
const INTERRUPT_INTERVAL: Duration = Duration::from_secs(1);

/// Opens a session on the server of a connection: `sc://user:token@host:15002?use_ssl=true`.
///
/// 1. Looks up the connection and checks that the server can be reached. Spark's client would retry
///    for ten minutes.
/// 2. Opens a session for this attempt, with temporary views and settings of its own. Its
///    operations are tagged on the server with the run, the task and the attempt.
/// 3. Reports the progress of the stages of an operation as the progress of the task.
/// 4. When the attempt is cancelled or times out, interrupts the operations of the session: as soon
///    as they run jobs or after three seconds, and then repeatedly until the session is dropped.
///    Awaiting a result then fails, and the task ends.
/// 5. When the [`Session`] is dropped, also because the future of the task is dropped, the server
///    closes it and ends its operations.
///
/// # Errors
///
/// If the connection is missing or not one to Spark Connect, or if the server cannot be reached or
/// opens no session.
pub async fn session(ctx: &TaskContext, connection: &str) -> Result<Session, SessionError> {
    let connection = ctx.connection(connection)?;
    let Address { endpoint, remote } = Address::of(&connection)?;
    let connection = connection.name().to_owned();
    // This does not contact the server yet.
    let spark = SparkSession::builder().remote(&remote).get_or_create().await;
    let spark =
        spark.map_err(|error| SessionError::Rejected { connection: connection.clone(), source: error.into() })?;
    let unreachable =
        |reason| SessionError::Unreachable { connection: connection.clone(), endpoint: endpoint.clone(), reason };
    match timeout(CONNECT_TIMEOUT, TcpStream::connect(&endpoint)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("no response within {} s", CONNECT_TIMEOUT.as_secs()))),
    }
    let no_response = || SessionError::NoResponse { connection: connection.clone(), endpoint: endpoint.clone() };
    let version = timeout(SESSION_TIMEOUT, spark.version()).await.map_err(|_| no_response())?;
    let version = version.map_err(|error| SessionError::NoSession {
        connection,
        endpoint: endpoint.clone(),
        source: error.into(),
    })?;
    tracing::info!(server = endpoint, version, session = spark.session_id(), "opened a session of Spark Connect");

    for (what, who) in [("run", ctx.run_id()), ("task", ctx.task_id()), ("attempt", &ctx.attempt().to_string())] {
        // Spark only rejects commas in tags.
        let _ = spark.add_tag(&format!("taskflow-{what}={}", who.replace(',', ";")));
    }
    let jobs = Arc::new(Notify::new());
    let (progress_ctx, jobs_running) = (ctx.clone(), Arc::clone(&jobs));
    spark.register_progress_handler(move |progress| {
        let (mut done, mut total) = (0, 0);
        for stage in &progress.stages {
            done += u64::try_from(stage.num_completed_tasks).unwrap_or_default();
            total += u64::try_from(stage.num_tasks).unwrap_or_default();
        }
        if total > 0 {
            jobs_running.notify_waiters();
        }
        progress_ctx.progress(done, total);
    });
    let watch = taskflow::spawn(interrupt_when_cancelled(ctx.clone(), spark.clone(), jobs));
    Ok(Session { spark, watch })
}

/// A [`SparkSession`] that ends with the attempt. See [`session`].
pub struct Session {
    spark: SparkSession,
    watch: JoinHandle<()>,
}

impl Session {
    /// Checks that the result of the last query is complete. Call this after each query, before
    /// using its rows.
    ///
    /// A server ends a response after two minutes or a gigabyte, and the client must request the
    /// rest. The client 4.2.0 does not, and returns the rows that it has, or none. Only the metrics
    /// of the plan, which come last, show that the result is complete.
    ///
    /// # Errors
    ///
    /// If there are no metrics.
    pub fn check_complete(&self) -> Result<(), IncompleteResult> {
        let last = self.spark.last_execution_info();
        if last.is_some_and(|info| info.metrics.is_some()) { Ok(()) } else { Err(IncompleteResult) }
    }
}

impl Deref for Session {
    type Target = SparkSession;

    fn deref(&self) -> &SparkSession {
        &self.spark
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spark.fmt(f)
    }
}

impl Drop for Session {
    /// Closes the session on a separate thread, because a future may be dropped where blocking is
    /// not allowed. If the program ends before the thread does, the session stays open until the
    /// server times it out. Call `stop().await` at the end of the task to avoid that.
    fn drop(&mut self) {
        self.watch.abort();
        if self.spark.is_stopped() {
            return;
        }
        let spark = (*self.spark).clone();
        let end = move || {
            if let Err(error) = spark.stop() {
                tracing::warn!("cannot close the session of Spark Connect: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new().spawn(taskflow::carry(end)) {
            tracing::warn!("cannot close the session of Spark Connect: {error}");
        }
    }
}

/// Interrupts all operations of the session, whatever their tags: it belongs to this attempt, and
/// the task may have changed the tags.
async fn interrupt_when_cancelled(ctx: TaskContext, spark: SparkSession, jobs: Arc<Notify>) {
    ctx.cancelled().await;
    let _ = timeout(FIRST_JOB_TIMEOUT, jobs.notified()).await;
    loop {
        match spark.interrupt_all().await {
            Ok(operations) if operations.is_empty() => {}
            Ok(operations) => tracing::info!("interrupted operations on the server: {}", operations.join(", ")),
            Err(error) => tracing::warn!("cannot interrupt Spark Connect: {error}"),
        }
        sleep(INTERRUPT_INTERVAL).await;
    }
}
