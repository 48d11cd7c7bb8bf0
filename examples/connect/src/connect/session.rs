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
use super::{CutOff, SessionError};

/// How long a server may take to accept a call. The client itself goes on calling for ten minutes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to open a session. One that has just started compiles itself first.
const OPENING: Duration = Duration::from_secs(120);
/// How long an operation may take to get its first job. Spark 4.3 forgets one that is interrupted before, and its job runs on. The
/// server tells of jobs every two seconds.
const FIRST_JOB: Duration = Duration::from_secs(3);
/// An operation that was on its way when the attempt was cancelled begins after the first interrupt.
const BETWEEN_INTERRUPTS: Duration = Duration::from_secs(1);

/// Opens a session on the server to which a connection of the configuration leads: `sc://user:token@host:15002?use_ssl=true`.
///
/// 1. The connection is looked up and read; the server is called before Spark's client does, who would not give up for ten
///    minutes.
/// 2. A session is opened that no other attempt has: temporary views and settings are its own. What the session runs is tagged
///    on the server with the run, the task and the attempt.
/// 3. How far the stages of an operation are is the progress of the task.
/// 4. When the attempt is to end, because the run was cancelled or its time is over, the server is told to interrupt what the
///    session runs, as soon as it runs jobs or after three seconds, and again until the session is dropped: what awaits a result
///    gets an error, and the task ends.
/// 5. When the [`Session`] is dropped, also with the future of its task, the server ends it and all that still runs in it.
///
/// # Errors
///
/// When there is no such connection, when it does not lead to Spark Connect, and when nobody answers there.
pub async fn session(ctx: &TaskContext, connection: &str) -> Result<Session, SessionError> {
    let connection = ctx.connection(connection)?;
    let Address { place, remote } = Address::of(&connection)?;
    let connection = connection.name().to_owned();
    // This does not call the server yet.
    let spark = SparkSession::builder().remote(&remote).get_or_create().await;
    let spark =
        spark.map_err(|error| SessionError::Refused { connection: connection.clone(), source: error.into() })?;
    let unreachable =
        |reason| SessionError::Unreachable { connection: connection.clone(), place: place.clone(), reason };
    match timeout(PATIENCE, TcpStream::connect(&place)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Err(unreachable(error.to_string())),
        Err(_) => return Err(unreachable(format!("not within {} s", PATIENCE.as_secs()))),
    }
    let silent = || SessionError::Silent { connection: connection.clone(), place: place.clone() };
    let version = timeout(OPENING, spark.version()).await.map_err(|_| silent())?;
    let version =
        version.map_err(|error| SessionError::NoSession { connection, place: place.clone(), source: error.into() })?;
    tracing::info!(server = place, version, session = spark.session_id(), "a session of Spark Connect");

    for (what, who) in [("run", ctx.run_id()), ("task", ctx.task_id()), ("attempt", &ctx.attempt().to_string())] {
        // Spark refuses commas only.
        let _ = spark.add_tag(&format!("taskflow-{what}={}", who.replace(',', ";")));
    }
    let jobs = Arc::new(Notify::new());
    let (told, runs) = (ctx.clone(), Arc::clone(&jobs));
    spark.register_progress_handler(move |progress| {
        let (mut done, mut total) = (0, 0);
        for stage in &progress.stages {
            done += u64::try_from(stage.num_completed_tasks).unwrap_or_default();
            total += u64::try_from(stage.num_tasks).unwrap_or_default();
        }
        if total > 0 {
            runs.notify_waiters();
        }
        told.progress(done, total);
    });
    let watch = taskflow::spawn(interrupt_when_cancelled(ctx.clone(), spark.clone(), jobs));
    Ok(Session { spark, watch })
}

/// A session that ends with the attempt: a [`SparkSession`] otherwise. See [`session`].
pub struct Session {
    spark: SparkSession,
    watch: JoinHandle<()>,
}

impl Session {
    /// Fails where the answer to the last query was cut off: to be asked after each query, before its rows are believed.
    ///
    /// A server ends an answer after two minutes or a gigabyte, and lets the client ask for the rest. The client 4.2.0 takes that for
    /// the end, and gives the rows that it has, or none. Only the figures of the plan tell, which come last.
    ///
    /// # Errors
    ///
    /// When they have not come.
    pub fn check_whole(&self) -> Result<(), CutOff> {
        let last = self.spark.last_execution_info();
        if last.is_some_and(|info| info.metrics.is_some()) { Ok(()) } else { Err(CutOff) }
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
    /// Tells the server, on a thread of its own: futures are dropped where nobody may wait. A program that ends before the thread
    /// is through leaves a session that the server forgets in time. `stop().await` at the end of the task makes sure.
    fn drop(&mut self) {
        self.watch.abort();
        if self.spark.is_stopped() {
            return;
        }
        let spark = (*self.spark).clone();
        let end = move || {
            if let Err(error) = spark.stop() {
                tracing::warn!("the session of Spark Connect was not ended: {error}");
            }
        };
        if let Err(error) = std::thread::Builder::new().spawn(taskflow::carry(end)) {
            tracing::warn!("the session of Spark Connect was not ended: {error}");
        }
    }
}

/// All that the session runs, not only what has our tags: it has nobody else's, and a task may have changed them.
async fn interrupt_when_cancelled(ctx: TaskContext, spark: SparkSession, jobs: Arc<Notify>) {
    ctx.cancelled().await;
    let _ = timeout(FIRST_JOB, jobs.notified()).await;
    loop {
        match spark.interrupt_all().await {
            Ok(operations) if operations.is_empty() => {}
            Ok(operations) => tracing::info!("interrupted on the server: {}", operations.join(", ")),
            Err(error) => tracing::warn!("Spark Connect was not interrupted: {error}"),
        }
        sleep(BETWEEN_INTERRUPTS).await;
    }
}
