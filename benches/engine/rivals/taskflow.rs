//! taskflow, as its users write it.

use std::num::NonZeroUsize;
use std::sync::OnceLock;

use taskflow::engine::Engine;
use taskflow::prelude::*;

use super::{Built, WORKERS, runtime};
use crate::graph::{Graph, Op};

/// The kind of the task functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tasks {
    Sync,
    Async,
}

/// The tasks.
mod sync {
    use taskflow::prelude::*;

    #[task]
    pub(super) fn source() -> u64 {
        1
    }

    #[task]
    pub(super) fn step(x: u64) -> u64 {
        x.wrapping_mul(3).wrapping_add(1)
    }

    #[task]
    pub(super) fn twice(x: u64) -> u64 {
        x.wrapping_mul(2)
    }

    #[task]
    pub(super) fn add2(a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    #[task]
    pub(super) fn add3(a: u64, b: u64, c: u64) -> u64 {
        a.wrapping_add(b).wrapping_add(c)
    }

    #[task]
    pub(super) fn sum(values: &[u64]) -> u64 {
        values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
    }
}

/// The same tasks as `async fn`.
mod asynchronous {
    use taskflow::prelude::*;

    #[task]
    pub(super) async fn source() -> u64 {
        1
    }

    #[task]
    pub(super) async fn step(x: u64) -> u64 {
        x.wrapping_mul(3).wrapping_add(1)
    }

    #[task]
    pub(super) async fn twice(x: u64) -> u64 {
        x.wrapping_mul(2)
    }

    #[task]
    pub(super) async fn add2(a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    #[task]
    pub(super) async fn add3(a: u64, b: u64, c: u64) -> u64 {
        a.wrapping_add(b).wrapping_add(c)
    }

    #[task]
    pub(super) async fn sum(values: Vec<u64>) -> u64 {
        values.iter().fold(0, |sum, &value| sum.wrapping_add(value))
    }
}

struct Typed {
    dag: Dag<u64>,
    result: Option<u64>,
}

/// Builds the graph with the tasks of a module.
macro_rules! draw {
    ($graph:expr, $tasks:ident) => {{
        use $tasks::{add2, add3, source, step, sum, twice};

        let mut outputs: Vec<Output<u64>> = Vec::with_capacity($graph.len());
        for (op, inputs) in $graph.tasks() {
            let of = |input: &u32| outputs[*input as usize];
            outputs.push(match (op, inputs) {
                (Op::Source, _) => source(),
                (Op::Step, [x]) => step(of(x)),
                (Op::Twice, [x]) => twice(of(x)),
                (_, [a, b]) => add2(of(a), of(b)),
                (_, [a, b, c]) => add3(of(a), of(b), of(c)),
                (_, many) => sum(many.iter().map(of).collect::<Vec<_>>()),
            });
        }
        outputs[$graph.last()]
    }};
}

pub(super) fn build(graph: &Graph, tasks: Tasks) -> impl Built + use<> {
    Typed { dag: dag(graph, tasks), result: None }
}

pub(crate) fn dag(graph: &Graph, tasks: Tasks) -> Dag<u64> {
    let dag = Dag::build("bench", || match tasks {
        Tasks::Sync => draw!(graph, sync),
        Tasks::Async => draw!(graph, asynchronous),
    });
    dag.expect("every shape is a valid graph")
}

pub(crate) fn engine() -> &'static Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| {
        let workers = NonZeroUsize::new(WORKERS).expect("two is not zero");
        Engine::builder().workers(workers).build().expect("no pool is named")
    })
}

impl Built for Typed {
    fn tasks(&self) -> usize {
        self.dag.plan().len()
    }

    fn run(&mut self) {
        let report = {
            // Async tasks run on the runtime of the caller.
            let _entered = runtime().enter();
            self.dag.run().engine(engine()).start().expect("its threads can be started")
        };
        let report = report.wait();
        self.result = report.result().copied();
    }

    fn result(&self) -> Option<u64> {
        self.result
    }

    fn runs_again(&self) -> bool {
        true
    }
}
