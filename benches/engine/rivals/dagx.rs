//! dagx 0.3.1.

use dagx::{DagRunner, Task, TaskHandle, task};

use super::{Built, runtime};
use crate::graph::{Graph, Op};

struct Source;
#[task]
impl Source {
    async fn run() -> u64 {
        1
    }
}

struct Step;
#[task]
impl Step {
    async fn run(x: &u64) -> u64 {
        x.wrapping_mul(3).wrapping_add(1)
    }
}

struct Twice;
#[task]
impl Twice {
    async fn run(x: &u64) -> u64 {
        x.wrapping_mul(2)
    }
}

struct Add2;
#[task]
impl Add2 {
    async fn run(a: &u64, b: &u64) -> u64 {
        a.wrapping_add(*b)
    }
}

struct Add3;
#[task]
impl Add3 {
    async fn run(a: &u64, b: &u64, c: &u64) -> u64 {
        a.wrapping_add(*b).wrapping_add(*c)
    }
}

struct Add4;
#[task]
impl Add4 {
    async fn run(a: &u64, b: &u64, c: &u64, d: &u64) -> u64 {
        a.wrapping_add(*b).wrapping_add(*c).wrapping_add(*d)
    }
}

struct Dagx {
    dag: DagRunner,
    tasks: usize,
    last: TaskHandle<u64>,
}

pub(super) fn build(graph: &Graph) -> impl Built + use<> {
    runtime();
    let dag = DagRunner::new();
    let mut handles: Vec<TaskHandle<u64>> = Vec::with_capacity(graph.len());
    for (op, inputs) in graph.tasks() {
        let of = |input: &u32| &handles[*input as usize];
        let handle = match (op, inputs) {
            (Op::Source, _) => dag.add_task(Source).into(),
            (Op::Step, [x]) => dag.add_task(Step).depends_on(of(x)),
            (Op::Twice, [x]) => dag.add_task(Twice).depends_on(of(x)),
            (_, [a, b]) => dag.add_task(Add2).depends_on((of(a), of(b))),
            (_, [a, b, c]) => dag.add_task(Add3).depends_on((of(a), of(b), of(c))),
            (_, [a, b, c, d]) => dag.add_task(Add4).depends_on((of(a), of(b), of(c), of(d))),
            (op, inputs) => unreachable!("{op:?} of {} inputs in a narrowed graph", inputs.len()),
        };
        handles.push(handle);
    }
    Dagx { dag, tasks: graph.len(), last: handles[graph.last()] }
}

impl Built for Dagx {
    fn tasks(&self) -> usize {
        self.tasks
    }

    fn run(&mut self) {
        let spawn = |future| {
            tokio::spawn(future);
        };
        runtime().block_on(self.dag.run(spawn)).expect("no task fails");
    }

    fn result(&self) -> Option<u64> {
        self.dag.get(self.last).ok()
    }

    fn runs_again(&self) -> bool {
        false
    }
}
