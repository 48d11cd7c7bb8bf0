//! The contenders: taskflow and its rivals.
//!
//! Each builds the same graph as its documentation recommends, and passes values of type `u64`
//! along the edges. All that use threads have two.
//!
//! [`Program`] is a contender that is not part of this program.

mod bare;
mod dagrs;
mod dagx;
pub(crate) mod program;
mod rusty_taskflow;
pub(crate) mod taskflow;
mod tokio_counters;
mod tokio_spawn;

use crate::graph::Graph;

pub(crate) use program::Program;

/// The number of threads that run tasks.
const WORKERS: usize = 2;

/// A column of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Contender {
    Rival(Rival),
    Program(Program),
}

impl Contender {
    pub(crate) fn name(&self) -> &str {
        match self {
            Contender::Rival(rival) => rival.name(),
            Contender::Program(program) => program.name(),
        }
    }

    /// The description for the report.
    pub(crate) fn description(&self) -> &str {
        match self {
            Contender::Rival(rival) => rival.description(),
            Contender::Program(_) => "a program of the command line",
        }
    }

    pub(crate) fn is_taskflow(&self) -> bool {
        *self == Contender::Rival(Rival::Taskflow)
    }
}

/// A system that can run a graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    Taskflow,
    TaskflowAsync,
    Bare,
    TokioCounters,
    TokioSpawn,
    RustyTaskflow,
    Dagx,
    Dagrs,
}

/// A graph that is ready to run.
pub(crate) trait Built {
    /// The number of tasks, which is larger than requested if wide sums were split.
    fn tasks(&self) -> usize;

    /// Runs the graph. This is timed.
    fn run(&mut self);

    /// The result of the last run.
    fn result(&self) -> Option<u64>;

    /// Whether the graph can run more than once.
    fn runs_again(&self) -> bool;
}

impl Rival {
    /// In the order of the table's columns.
    pub(crate) const ALL: [Rival; 8] = [
        Rival::Taskflow,
        Rival::TaskflowAsync,
        Rival::Bare,
        Rival::TokioCounters,
        Rival::TokioSpawn,
        Rival::RustyTaskflow,
        Rival::Dagx,
        Rival::Dagrs,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Rival::Taskflow => "taskflow",
            Rival::TaskflowAsync => "taskflow-async",
            Rival::Bare => "bare-loop",
            Rival::TokioCounters => "tokio-counters",
            Rival::TokioSpawn => "tokio-spawn",
            Rival::RustyTaskflow => "rusty-taskflow",
            Rival::Dagx => "dagx",
            Rival::Dagrs => "dagrs",
        }
    }

    /// The description for the report.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Rival::Taskflow => "`#[task] fn`, on an engine with two workers",
            Rival::TaskflowAsync => "`#[task] async fn`, on a tokio runtime with two workers",
            Rival::Bare => {
                "one thread that calls boxed closures in order and keeps values in a vector: the lower bound"
            }
            Rival::TokioCounters => {
                "hand-written tokio: an atomic counter per task; ready tasks are spawned, except the first, which runs inline"
            }
            Rival::TokioSpawn => {
                "hand-written tokio: all tasks are spawned at once; values are passed through a `JoinHandle`, or a oneshot channel per consumer"
            }
            Rival::RustyTaskflow => {
                "rusty-taskflow 0.1.0, sync tasks; at most seven inputs, so wide sums are trees of sums of four"
            }
            Rival::Dagx => "dagx 0.3.1; at most eight inputs, so wide sums are trees of sums of four",
            Rival::Dagrs => "dagrs 0.9.0, actions on default nodes, one channel per edge",
        }
    }

    /// Builds `graph` for this contender.
    pub(crate) fn build(self, graph: &Graph, thread: Thread) -> Box<dyn Built> {
        match self {
            Rival::Taskflow => thread.build(|| taskflow::build(graph, taskflow::Tasks::Sync)),
            Rival::TaskflowAsync => thread.build(|| taskflow::build(graph, taskflow::Tasks::Async)),
            Rival::Bare => thread.build(|| bare::build(graph)),
            Rival::TokioCounters => thread.build(|| tokio_counters::build(graph)),
            Rival::TokioSpawn => thread.build(|| tokio_spawn::build(graph)),
            // Its graph cannot be sent to another thread.
            Rival::RustyTaskflow => Box::new(rusty_taskflow::build(&graph.narrowed())),
            Rival::Dagx => thread.build(|| dagx::build(&graph.narrowed())),
            Rival::Dagrs => thread.build(|| dagrs::build(graph)),
        }
    }
}

/// Where a graph is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thread {
    /// On the thread that runs it.
    This,
    /// On a separate thread, which then ends.
    Another,
}

impl Thread {
    fn build<B: Built + Send + 'static>(self, build: impl FnOnce() -> B + Send) -> Box<dyn Built> {
        let built = match self {
            Thread::This => build(),
            Thread::Another => std::thread::scope(|scope| scope.spawn(build).join()).expect("every shape can be built"),
        };
        Box::new(built)
    }
}

/// The tokio runtime of this process. The first call starts it, so that builds do not include its
/// start.
pub(crate) fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::OnceLock<tokio::runtime::Runtime> = std::sync::OnceLock::new();
    RUNTIME.get_or_init(|| {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.worker_threads(WORKERS).enable_all().build().expect("a runtime with two threads can be started")
    })
}
