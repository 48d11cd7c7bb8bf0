//! The values of one run, from the task that makes one to the last task that takes it.

use std::sync::Arc;

use crate::dag::{ArgPlan, Delivery, EdgeArg, EdgeKind, Plan, Source};
use crate::error::Failure;
use crate::task::Inputs;
use crate::value::AnyValue;

use super::machine::Machine;
use super::state::TaskState;

/// Holds each value until its last consumer has started its last attempt.
#[derive(Debug)]
pub(crate) struct Values {
    slots: Vec<Option<AnyValue>>,
    /// Consumers that may still ask: those not settled, and not in an attempt that nothing can follow.
    consumers: Vec<u32>,
    params: Vec<AnyValue>,
}

/// The inputs of an attempt, before those of several upstreams are put together.
#[derive(Debug)]
pub(crate) struct Gathered {
    pub(crate) inputs: Inputs,
    /// What to assemble, and at which position. Done on the thread that runs the task.
    pending: Vec<(usize, EdgeArg, Vec<Delivery>)>,
}

impl Values {
    pub(crate) fn new(plan: &Plan, params: Vec<AnyValue>) -> Self {
        let consumers = (0..plan.len() as u32).map(|node| plan.consumers(node)).collect();
        Values { slots: vec![None; plan.len()], consumers, params }
    }

    /// Keeps what a task produced, if somebody will want it.
    pub(crate) fn put(&mut self, task: u32, value: AnyValue, unused: &mut Vec<AnyValue>) {
        if self.consumers[task as usize] > 0 {
            self.slots[task as usize] = Some(value);
        } else {
            unused.push(value);
        }
    }

    /// The inputs of `task`. With `last` no later attempt can need them: the task stops counting as a consumer, and a
    /// value that nobody else wants leaves the store with it, so that a by-value parameter gets it by move.
    pub(crate) fn gather(&mut self, machine: &Machine, task: u32, last: bool) -> Gathered {
        let plan = machine.plan();
        let mut gathered = Gathered { inputs: Inputs::default(), pending: Vec::new() };
        for (position, arg) in plan.args(task).iter().enumerate() {
            match arg {
                ArgPlan::Constant(index) => gathered.inputs.push(Arc::clone(plan.constant(*index).value())),
                ArgPlan::Edges(edges) => match (edges.assemble, plan.sources(edges)) {
                    (None, &[source]) => {
                        if let Delivery::Value(value) = self.deliver(machine, source, EdgeKind::Required, last) {
                            gathered.inputs.push(value);
                        }
                    }
                    (_, sources) => {
                        let mut delivered = Vec::with_capacity(sources.len());
                        let winner = self.winner(machine, task, edges);
                        for &source in sources {
                            // Of an `AnyOf` only the first success is delivered, also when others have come since.
                            let lost = winner.is_some() && source.as_task() != winner;
                            let delivery = self.deliver(machine, source, edges.kind(), last);
                            delivered.push(if lost { Delivery::Absent } else { delivery });
                        }
                        gathered.pending.push((position, *edges, delivered));
                        // Its place among the inputs, until it is assembled.
                        gathered.inputs.push(Arc::new(()));
                    }
                },
            }
        }
        gathered
    }

    fn winner(&self, machine: &Machine, task: u32, edges: &EdgeArg) -> Option<u32> {
        if edges.kind() != EdgeKind::First {
            return None;
        }
        let plan = machine.plan();
        let sources = plan.sources(edges);
        // The joins of several `AnyOf` parameters are told apart by their winners being among the sources.
        let winners = plan.joins_of(task).filter_map(|join| machine.winner(join));
        winners.into_iter().find(|&winner| sources.iter().any(|source| source.as_task() == Some(winner)))
    }

    fn deliver(&mut self, machine: &Machine, source: Source, kind: EdgeKind, last: bool) -> Delivery {
        let Some(task) = source.as_task() else {
            let param = source.as_param().and_then(|index| self.params.get(index as usize));
            return param.map_or(Delivery::Absent, |value| Delivery::Value(Arc::clone(value)));
        };
        let slot = &mut self.slots[task as usize];
        let value = if last {
            let left = &mut self.consumers[task as usize];
            *left -= 1;
            if *left == 0 { slot.take() } else { slot.clone() }
        } else {
            slot.clone()
        };
        match (value, kind) {
            (Some(value), _) => Delivery::Value(value),
            (None, EdgeKind::Outcome) => Delivery::Failure(outcome_of(machine, task)),
            (None, _) => Delivery::Absent,
        }
    }

    /// A task that will not run (again), and was not gathered for a last time, wants nothing any more.
    pub(crate) fn release(&mut self, plan: &Plan, task: u32, unused: &mut Vec<AnyValue>) {
        for arg in plan.args(task) {
            let ArgPlan::Edges(edges) = arg else { continue };
            for source in plan.sources(edges) {
                let Some(upstream) = source.as_task() else { continue };
                let left = &mut self.consumers[upstream as usize];
                *left -= 1;
                if *left == 0 {
                    unused.extend(self.slots[upstream as usize].take());
                }
            }
        }
    }

    /// The result of the DAG: pinned until now by a count of its own.
    pub(crate) fn result(&mut self, plan: &Plan) -> Option<AnyValue> {
        let source = plan.result()?;
        match (source.as_task(), source.as_param()) {
            (Some(task), _) => self.slots[task as usize].take(),
            (None, Some(param)) => self.params.get(param as usize).cloned(),
            (None, None) => None,
        }
    }
}

fn outcome_of(machine: &Machine, task: u32) -> Arc<Failure> {
    machine.failure(task).unwrap_or_else(|| {
        let reason = match machine.task_state(task) {
            TaskState::Removed => "not part of this run".to_owned(),
            state => format!("its state is {state}"),
        };
        Arc::new(Failure::Skipped { reason })
    })
}

impl Gathered {
    /// Puts the inputs from several upstreams together.
    pub(crate) fn assemble(mut self) -> Inputs {
        for (position, edges, delivered) in self.pending {
            if let Some(assemble) = edges.assemble {
                self.inputs.replace(position, assemble(delivered));
            }
        }
        self.inputs
    }
}
