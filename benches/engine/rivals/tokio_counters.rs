//! Hand-written tokio, the fast way: values in slots, a counter of missing inputs per task, and a
//! spawn for each ready task except the first, which runs inline.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::sync::Notify;

use super::{Built, runtime};
use crate::graph::Graph;

type Body = Box<dyn Fn(&[AtomicU64]) -> u64 + Send + Sync>;

struct Shared {
    tasks: Vec<Task>,
    values: Vec<AtomicU64>,
    missing: Vec<AtomicU32>,
    over: Notify,
}

struct Task {
    body: Body,
    inputs: u32,
    successors: Box<[u32]>,
}

pub(super) fn build(graph: &Graph) -> impl Built + use<> {
    // Started here, so that no run includes it.
    runtime();
    let tasks = graph.tasks().zip(graph.successors()).map(|((op, inputs), successors)| {
        let count = inputs.len() as u32;
        let inputs: Box<[u32]> = inputs.into();
        let value = |values: &[AtomicU64], input: u32| values[input as usize].load(Ordering::Relaxed);
        let sum = move |values: &[AtomicU64]| inputs.iter().fold(0u64, |sum, &at| sum.wrapping_add(value(values, at)));
        Task { body: Box::new(move |values| op.of(sum(values))), inputs: count, successors: successors.into() }
    });
    let tasks: Vec<Task> = tasks.collect();
    Arc::new(Shared {
        values: tasks.iter().map(|_| AtomicU64::new(0)).collect(),
        missing: tasks.iter().map(|_| AtomicU32::new(0)).collect(),
        tasks,
        over: Notify::new(),
    })
}

fn work(shared: &Arc<Shared>, first: u32) {
    let mut ready = Some(first);
    while let Some(now) = ready.take() {
        let task = &shared.tasks[now as usize];
        shared.values[now as usize].store((task.body)(&shared.values), Ordering::Relaxed);
        for &successor in &task.successors {
            // This counter makes the values of all upstream tasks visible to the last one.
            if shared.missing[successor as usize].fetch_sub(1, Ordering::AcqRel) > 1 {
                continue;
            }
            match ready {
                None => ready = Some(successor),
                Some(_) => spawn(shared, successor),
            }
        }
        if now as usize + 1 == shared.tasks.len() {
            shared.over.notify_one();
        }
    }
}

fn spawn(shared: &Arc<Shared>, task: u32) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move { work(&shared, task) });
}

impl Built for Arc<Shared> {
    fn tasks(&self) -> usize {
        self.tasks.len()
    }

    fn run(&mut self) {
        for (missing, task) in self.missing.iter().zip(&self.tasks) {
            missing.store(task.inputs, Ordering::Relaxed);
        }
        runtime().block_on(async {
            for (number, task) in (0..).zip(&self.tasks) {
                if task.inputs == 0 {
                    spawn(self, number);
                }
            }
            self.over.notified().await;
        });
    }

    fn result(&self) -> Option<u64> {
        self.values.last().map(|value| value.load(Ordering::Acquire))
    }

    fn runs_again(&self) -> bool {
        true
    }
}
