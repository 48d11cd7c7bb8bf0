//! rusty-taskflow 0.1.0.

use rusty_taskflow::sync_task;
use rusty_taskflow::tf::dependency::OutputWrapper;
use rusty_taskflow::tf::flow::Flow;

use super::{Built, runtime};
use crate::graph::{Graph, Op};

struct Source;
#[sync_task(path = "::rusty_taskflow")]
impl Source {
    fn run(self) -> u64 {
        1
    }
}

struct Step;
#[sync_task(path = "::rusty_taskflow")]
impl Step {
    fn run(self, x: &u64) -> u64 {
        x.wrapping_mul(3).wrapping_add(1)
    }
}

struct Twice;
#[sync_task(path = "::rusty_taskflow")]
impl Twice {
    fn run(self, x: &u64) -> u64 {
        x.wrapping_mul(2)
    }
}

struct Add2;
#[sync_task(path = "::rusty_taskflow")]
impl Add2 {
    fn run(self, a: &u64, b: &u64) -> u64 {
        a.wrapping_add(*b)
    }
}

struct Add3;
#[sync_task(path = "::rusty_taskflow")]
impl Add3 {
    fn run(self, a: &u64, b: &u64, c: &u64) -> u64 {
        a.wrapping_add(*b).wrapping_add(*c)
    }
}

struct Add4;
#[sync_task(path = "::rusty_taskflow")]
impl Add4 {
    fn run(self, a: &u64, b: &u64, c: &u64, d: &u64) -> u64 {
        a.wrapping_add(*b).wrapping_add(*c).wrapping_add(*d)
    }
}

struct Rusty {
    flow: Flow,
    tasks: usize,
    last: Option<OutputWrapper<u64>>,
    result: Option<u64>,
}

pub(super) fn build(graph: &Graph) -> impl Built + use<> {
    runtime();
    let mut flow = Flow::new();
    let mut outputs: Vec<OutputWrapper<u64>> = Vec::with_capacity(graph.len());
    for (op, inputs) in graph.tasks() {
        let of = |input: &u32| outputs[*input as usize].dup();
        let output = match (op, inputs) {
            (Op::Source, _) => flow.commit_source_task("source", Source),
            (Op::Step, [x]) => flow.commit_task("step", Step).with_dependencies(of(x)),
            (Op::Twice, [x]) => flow.commit_task("twice", Twice).with_dependencies(of(x)),
            (_, [a, b]) => flow.commit_task("add2", Add2).with_dependencies((of(a), of(b))),
            (_, [a, b, c]) => flow.commit_task("add3", Add3).with_dependencies((of(a), of(b), of(c))),
            (_, [a, b, c, d]) => flow.commit_task("add4", Add4).with_dependencies((of(a), of(b), of(c), of(d))),
            (op, inputs) => unreachable!("{op:?} of {} inputs in a narrowed graph", inputs.len()),
        };
        outputs.push(output);
    }
    Rusty { flow, tasks: graph.len(), last: outputs.pop(), result: None }
}

impl Built for Rusty {
    fn tasks(&self) -> usize {
        self.tasks
    }

    fn run(&mut self) {
        let last = self.last.take().expect("a flow runs once");
        self.result = Some(runtime().block_on(self.flow.run(last)).expect("no task fails"));
    }

    fn result(&self) -> Option<u64> {
        self.result
    }

    fn runs_again(&self) -> bool {
        false
    }
}
