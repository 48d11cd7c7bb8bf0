//! apalis-workflow on the shapes `chain` and `fan`: a task is a step of a workflow, and a step is a
//! row in a queue.
//!
//! A chain is a sequence of `and_then`. A fan is a `filter_map`, which queues one row per element
//! and one more that polls until all of them are done. The graphs of apalis can fan out too, but
//! there each row lists all of its siblings.

use std::error::Error;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use apalis_core::backend::ext::BackendExt;
use apalis_core::backend::ext::poll_strategy::{IntervalStrategy, PollWith};
use apalis_core::error::{BoxDynError, WorkerError};
use apalis_core::task::data::Data;
use apalis_core::task::task_fn::task_fn;
use apalis_core::worker::builder::WorkerBuilder;
use apalis_core::worker::context::WorkerContext;
use apalis_sqlite::{Config, SqliteStorage};
use apalis_workflow::sequential::router::WorkflowRouter;
use apalis_workflow::sequential::workflow::RootStep;
use apalis_workflow::sequential::{AndThen, Layer, Step};
use apalis_workflow::{SteppedFlow, WorkflowSink};
use sqlx::Row;
use sqlx::sqlite::{SqlitePool, SqlitePoolOptions};

use super::job::{Job, print_fact, print_time};
use super::raw;
use crate::rivals::runtime;
use crate::shape::Shape;

type Storage = PollWith<SqliteStorage<u64>, IntervalStrategy>;

/// A running worker.
type Running = Pin<Box<dyn Future<Output = Result<(), WorkerError>> + Send>>;

/// The number of rows that the worker fetches at once.
const BATCH: usize = 1_000;

/// How long it waits if there are no rows. Waking it by SQLite's update hook instead is not faster,
/// because the worker polls after each step anyway.
const POLL: Duration = Duration::from_millis(1);

pub(super) fn run(job: Job, home: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::create_dir_all(home)?;
    let file = home.join("apalis.db");
    let graph = job.shape.graph(job.n);
    let expected = job.shape.expected(job.n, &graph);
    print_fact("tasks", graph.len());
    runtime().block_on(async {
        // More connections would wait for each other's lock, sleeping for milliseconds.
        let pool = SqlitePoolOptions::new().max_connections(1).test_before_acquire(false);
        let pool = pool.connect_with(raw::options(&file, job.sync)).await?;
        // `setup` would turn `synchronous` off.
        SqliteStorage::migrations().run(&pool).await?;
        for run in 0..job.runs {
            let name = format!("{}-{run}", job.shape.name());
            let config = Config::default().queue(&name).batch_size(BATCH).lock_tasks(false);
            let mut storage = SqliteStorage::new(&pool).with_config(config).poll_with_interval(POLL);
            let progress = Arc::new(Progress { tasks: graph.len() as u64, ..Progress::default() });
            let (worker, rows) = match job.shape {
                Shape::Chain => (chain(&name, storage.clone(), progress.clone(), job.n), job.n),
                // The source, the `filter_map` before and after its elements, and the sum.
                Shape::Fan => (fan(&name, storage.clone(), progress.clone()), job.n + 4),
                _ => return Err("apalis runs `chain` and `fan`".into()),
            };
            let start = Instant::now();
            storage.push_start(job.n as u64).await?;
            worker.await?;
            print_time(start);
            progress.check(expected);
            check(&pool, &name, rows as i64).await?;
        }
        pool.close().await;
        print_fact("database", std::fs::metadata(file)?.len() / job.runs as u64);
        Ok(())
    })
}

fn chain(name: &str, storage: Storage, progress: Arc<Progress>, n: usize) -> Running {
    async fn source(_: u64, progress: Data<Arc<Progress>>, worker: WorkerContext) -> Result<u64, BoxDynError> {
        progress.ran(1, &worker)
    }
    async fn step(value: u64, progress: Data<Arc<Progress>>, worker: WorkerContext) -> Result<u64, BoxDynError> {
        progress.ran(value.wrapping_mul(3).wrapping_add(1), &worker)
    }
    let steps = Repeated { step: AndThen::new(task_fn(step)), times: n - 1 };
    let flow = SteppedFlow::new(name).and_then(source).add_step::<_, u64>(steps);
    Box::pin(WorkerBuilder::new(name).backend(storage).data(progress).build(flow).run())
}

fn fan(name: &str, storage: Storage, progress: Arc<Progress>) -> Running {
    async fn source(n: u64, progress: Data<Arc<Progress>>, worker: WorkerContext) -> Result<Vec<u64>, BoxDynError> {
        Ok(vec![progress.ran(1, &worker)?; n as usize])
    }
    async fn step(
        value: u64,
        progress: Data<Arc<Progress>>,
        worker: WorkerContext,
    ) -> Result<Option<u64>, BoxDynError> {
        progress.ran(value * 3 + 1, &worker).map(Some)
    }
    async fn sum(values: Vec<u64>, progress: Data<Arc<Progress>>, worker: WorkerContext) -> Result<u64, BoxDynError> {
        progress.ran(values.into_iter().sum(), &worker)
    }
    let flow = SteppedFlow::new(name).and_then(source).filter_map(step).and_then(sum);
    Box::pin(WorkerBuilder::new(name).backend(storage).data(progress).build(flow).run())
}

/// A number of steps. Each `and_then` creates a new type.
#[derive(Clone, Debug)]
struct Repeated<T> {
    step: T,
    times: usize,
}

/// The same, followed by the rest.
#[derive(Debug)]
struct RepeatedThen<T, S> {
    steps: Repeated<T>,
    then: S,
}

impl<T: Clone, S> Layer<S> for Repeated<T> {
    type Step = RepeatedThen<T, S>;

    fn layer(&self, then: S) -> Self::Step {
        RepeatedThen { steps: self.clone(), then }
    }
}

impl<T, S> Step<u64, Storage> for RepeatedThen<T, S>
where
    T: Layer<RootStep<u64>, Step: Step<u64, Storage>>,
    S: Step<u64, Storage>,
{
    type Response = S::Response;
    type Error = S::Error;

    fn register(&mut self, router: &mut WorkflowRouter<Storage>) -> Result<(), BoxDynError> {
        for _ in 0..self.steps.times {
            self.steps.step.layer(RootStep::default()).register(router)?;
        }
        self.then.register(router)
    }
}

/// Which tasks have run.
#[derive(Debug, Default)]
struct Progress {
    tasks: u64,
    ran: AtomicU64,
    result: AtomicU64,
}

impl Progress {
    /// Passes on the value of a finished task. After the last one the worker stores the rest and
    /// ends.
    fn ran(&self, value: u64, worker: &WorkerContext) -> Result<u64, BoxDynError> {
        if self.ran.fetch_add(1, Ordering::Relaxed) + 1 == self.tasks {
            self.result.store(value, Ordering::Relaxed);
            worker.stop()?;
        }
        Ok(value)
    }

    fn check(&self, expected: u64) {
        assert_eq!(self.ran.load(Ordering::Relaxed), self.tasks, "not each task ran once");
        assert_eq!(self.result.load(Ordering::Relaxed), expected, "a wrong result");
    }
}

/// Checks that all rows exist and are done.
async fn check(pool: &SqlitePool, name: &str, expected: i64) -> Result<(), sqlx::Error> {
    let sql = "SELECT count(*), count(*) FILTER (WHERE status = 'Done' AND last_result IS NOT NULL) FROM Jobs \
               WHERE job_type = ?";
    let row = sqlx::query(sql).bind(name).fetch_one(pool).await?;
    assert_eq!((row.try_get(0)?, row.try_get(1)?), (expected, expected), "rows, and those that are done");
    Ok(())
}
