//! The values of one run, from the task that makes one to the last task that takes it.

use std::sync::Arc;

use super::machine::Machine;
use super::state::TaskState;
use crate::dag::{ArgPlan, Delivery, EdgeArg, EdgeKind, Plan, Projection, Source};
use crate::error::Failure;
use crate::task::Inputs;
use crate::value::AnyValue;

/// Holds each value until its last consumer has started its last attempt.
#[derive(Debug)]
pub(crate) struct Values {
    slots: Vec<Slot>,
    params: Vec<AnyValue>,
}

#[derive(Clone, Debug)]
struct Slot {
    value: Option<AnyValue>,
    /// Consumers that may still ask: those not settled, and not in an attempt that nothing can follow.
    consumers: u32,
}

/// The inputs of an attempt, before those of several upstreams are put together.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    inputs: Inputs,
    /// What to assemble: done on the thread that runs the task. Boxed, because most tasks have nothing of the kind.
    #[allow(clippy::box_collection, reason = "a grant is moved a few times; a pointer is cheaper than a vector")]
    pending: Option<Box<Vec<Pending>>>,
}

#[derive(Debug)]
struct Pending {
    position: usize,
    assemble: fn(Vec<Delivery>) -> AnyValue,
    delivered: Vec<Delivery>,
    /// How what is delivered changes on the way, one for each; empty when nothing does.
    projections: Vec<Option<Arc<Projection>>>,
}

impl Values {
    pub(crate) fn new(plan: &Plan, params: Vec<AnyValue>) -> Self {
        let slots = (0..plan.len() as u32).map(|node| Slot { value: None, consumers: plan.consumers(node) }).collect();
        Values { slots, params }
    }

    /// Keeps what a task produced, if somebody will want it.
    pub(crate) fn put(&mut self, task: u32, value: AnyValue, unused: &mut Vec<AnyValue>) {
        let slot = &mut self.slots[task as usize];
        if slot.consumers > 0 {
            slot.value = Some(value);
        } else {
            unused.push(value);
        }
    }

    /// The inputs of `task`. With `last` no later attempt can need them: the task stops counting as a consumer, and a
    /// value that nobody else wants leaves the store with it, so that a by-value parameter gets it by move.
    pub(crate) fn gather(&mut self, machine: &Machine, task: u32, last: bool) -> Gathered {
        let mut gathered = Gathered::default();
        for (position, arg) in machine.plan().args(task).enumerate() {
            match arg {
                ArgPlan::Constant(constant) => gathered.inputs.push(Arc::clone(constant.value())),
                ArgPlan::Edges(edges) => match (edges.assemble, edges.sources()) {
                    (None, &[source]) => {
                        if let Delivery::Value(value) = self.deliver(machine, source, EdgeKind::Required, last) {
                            gathered.inputs.push(value);
                        }
                    }
                    (assemble, sources) => {
                        let Some(assemble) = assemble else { continue };
                        let winner = winner(machine, task, &edges);
                        let deliver = |&source: &Source| {
                            let delivery = self.deliver(machine, source, edges.kind(), last);
                            // Of an `AnyOf` only the first success counts, also when others have come since.
                            let lost = winner.is_some_and(|winner| winner != source);
                            if lost { Delivery::Absent } else { delivery }
                        };
                        let delivered = sources.iter().map(deliver).collect();
                        let projections = edges.projections().to_vec();
                        let pending = Pending { position, assemble, delivered, projections };
                        gathered.pending.get_or_insert_default().push(pending);
                        // Its place among the inputs, until it is assembled.
                        gathered.inputs.push(Arc::new(()));
                    }
                },
            }
        }
        gathered
    }

    fn deliver(&mut self, machine: &Machine, source: Source, kind: EdgeKind, last: bool) -> Delivery {
        let Some(task) = source.as_task() else {
            let param = source.as_param().and_then(|index| self.params.get(index as usize));
            return param.map_or(Delivery::Absent, |value| Delivery::Value(Arc::clone(value)));
        };
        let slot = &mut self.slots[task as usize];
        let value = if last {
            slot.consumers -= 1;
            if slot.consumers == 0 { slot.value.take() } else { slot.value.clone() }
        } else {
            slot.value.clone()
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
            for source in edges.sources() {
                let Some(upstream) = source.as_task() else { continue };
                let slot = &mut self.slots[upstream as usize];
                slot.consumers -= 1;
                if slot.consumers == 0 {
                    unused.extend(slot.value.take());
                }
            }
        }
    }

    /// Everything that is still here.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = AnyValue> {
        self.slots.into_iter().filter_map(|slot| slot.value).chain(self.params)
    }

    /// The result of the DAG: pinned until now by a count of its own.
    pub(crate) fn result(&mut self, plan: &Plan) -> Option<AnyValue> {
        let source = plan.result()?;
        match (source.as_task(), source.as_param()) {
            (Some(task), _) => self.slots[task as usize].value.take(),
            (None, Some(param)) => self.params.get(param as usize).cloned(),
            (None, None) => None,
        }
    }
}

/// The upstream that made an `AnyOf` argument run. A parameter of the DAG is there before any task.
fn winner(machine: &Machine, task: u32, edges: &EdgeArg<'_>) -> Option<Source> {
    if edges.kind() != EdgeKind::First {
        return None;
    }
    if let Some(&param) = edges.sources().iter().find(|source| source.as_param().is_some()) {
        return Some(param);
    }
    // The joins of several `AnyOf` parameters are told apart by their winners being among the sources.
    let winners = machine.plan().joins_of(task).filter_map(|join| machine.winner(join));
    let mut sources =
        winners.filter_map(|winner| edges.sources().iter().find(|source| source.as_task() == Some(winner)).copied());
    sources.next()
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
    /// Puts the inputs from several upstreams together, and applies projections. A closure of the user may panic here.
    ///
    /// # Errors
    ///
    /// When a projection does not find what it looks for.
    pub(crate) fn assemble(mut self) -> Result<Inputs, Failure> {
        if let Some(pending) = self.pending {
            for Pending { position, assemble, mut delivered, projections } in *pending {
                for (delivery, projection) in delivered.iter_mut().zip(&projections) {
                    if let (Delivery::Value(value), Some(projection)) = (&*delivery, projection) {
                        *delivery = Delivery::Value(projection.apply(Arc::clone(value))?);
                    }
                }
                self.inputs.replace(position, assemble(delivered));
            }
        }
        Ok(self.inputs)
    }
}
