//! Hand-written tokio, the simple way: every task is a tokio task that awaits its inputs.

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::{Built, runtime};
use crate::graph::{Graph, Op};

struct Spawn {
    graph: Graph,
    takers: Vec<u32>,
    result: Option<u64>,
}

/// The source of a value.
enum Input {
    /// A value with a single consumer.
    Handle(JoinHandle<u64>),
    /// A copy for one of several consumers.
    Copy(oneshot::Receiver<u64>),
}

pub(super) fn build(graph: &Graph) -> impl Built + use<> {
    runtime();
    let takers = graph.successors().iter().map(|takers| takers.len() as u32).collect();
    Spawn { graph: graph.clone(), takers, result: None }
}

async fn task(op: Op, inputs: Vec<Input>, copies: Vec<oneshot::Sender<u64>>) -> u64 {
    let mut sum = 0u64;
    for input in inputs {
        let value = match input {
            Input::Handle(handle) => handle.await.expect("no task panics"),
            Input::Copy(copy) => copy.await.expect("no task panics"),
        };
        sum = sum.wrapping_add(value);
    }
    let value = op.of(sum);
    for copy in copies {
        // The receiver exists, because nothing is cancelled here.
        let _ = copy.send(value);
    }
    value
}

impl Built for Spawn {
    fn tasks(&self) -> usize {
        self.graph.len()
    }

    fn run(&mut self) {
        let last = runtime().block_on(async {
            let mut handles: Vec<Option<JoinHandle<u64>>> = Vec::with_capacity(self.graph.len());
            let mut copies: Vec<Vec<oneshot::Receiver<u64>>> = Vec::with_capacity(self.graph.len());
            for ((op, inputs), &takers) in self.graph.tasks().zip(&self.takers) {
                let take = |&input: &u32| match copies[input as usize].pop() {
                    Some(copy) => Input::Copy(copy),
                    None => Input::Handle(handles[input as usize].take().expect("one task takes it")),
                };
                let inputs = inputs.iter().map(take).collect();
                let several = if takers > 1 { takers } else { 0 };
                let (senders, receivers) = (0..several).map(|_| oneshot::channel()).unzip();
                handles.push(Some(tokio::spawn(task(op, inputs, senders))));
                copies.push(receivers);
            }
            let last = handles.pop().flatten().expect("the result has no consumer");
            last.await.expect("no task panics")
        });
        self.result = Some(last);
    }

    fn result(&self) -> Option<u64> {
        self.result
    }

    fn runs_again(&self) -> bool {
        true
    }
}
