//! The values of one run, from the task that makes one to the last task that takes it.

use std::sync::Arc;

use crate::base::index::{IndexVec, indices};
use crate::base::{Failure, catch};
use crate::dag::{
    ArgCell, ArgPlan, At, Delivery, EdgeArg, EdgeKind, Layout, NodeIndex, Plan, Projection, RunJoinIndex, Source,
    as_it_is,
};
use crate::machine::Machine;
use crate::run::{TaskIndex, TaskState};
use crate::task::Inputs;
use crate::value::AnyValue;

/// Holds each value until its last consumer has started its last attempt.
#[derive(Debug)]
pub(crate) struct Values {
    slots: IndexVec<TaskIndex, Slot>,
    params: Vec<AnyValue>,
}

#[derive(Clone, Debug)]
struct Slot {
    value: Option<AnyValue>,
    /// Consumers that may still need it: those neither settled nor in their last attempt.
    consumers: u32,
}

/// The inputs of an attempt, before those of several upstreams are put together.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    inputs: Inputs,
    /// Inputs to assemble on the thread that runs the task. Boxed, because most tasks have none.
    #[allow(clippy::box_collection, reason = "a permit is moved a few times; a pointer is cheaper than a vector")]
    pending: Option<Box<Vec<Pending>>>,
}

#[derive(Debug)]
struct Pending {
    position: usize,
    assemble: fn(Vec<Delivery>) -> AnyValue,
    delivered: Vec<Delivery>,
    /// The projection of each delivered value; empty without projections.
    projections: Vec<Option<Arc<Projection>>>,
}

impl Values {
    pub(crate) fn new(plan: &Plan, params: Vec<AnyValue>) -> Self {
        let slots = plan.all_consumers().iter().map(|&consumers| Slot { value: None, consumers }).collect();
        Values { slots, params }
    }

    /// Keeps the value of a task if it has consumers.
    #[inline(always)]
    pub(crate) fn put(&mut self, task: TaskIndex, value: AnyValue, unused: &mut Vec<AnyValue>) {
        let slot = &mut self.slots[task];
        if slot.consumers > 0 {
            slot.value = Some(value);
        } else {
            unused.push(value);
        }
    }

    /// Discards the value of a task that will run again.
    pub(crate) fn forget(&mut self, task: TaskIndex) -> Option<AnyValue> {
        self.slots[task].value.take()
    }

    /// The inputs of `task`. With `last` no later attempt can need them: the task no longer counts
    /// as a consumer, and a value without other consumers leaves its slot, so that a parameter by
    /// value receives it by move.
    pub(crate) fn gather(&mut self, machine: &Machine, task: TaskIndex, last: bool) -> Gathered {
        if !machine.plan().mappings().is_empty() {
            return self.gather_among_elements(machine, task, last);
        }
        let mut gathered = Gathered::default();
        for arg in machine.plan().args(machine.layout().node(task)).enumerate() {
            self.gather_arg(machine, task, arg, last, &mut gathered);
        }
        gathered
    }

    fn gather_arg(
        &mut self,
        machine: &Machine,
        task: TaskIndex,
        (position, arg): (usize, ArgPlan<'_>),
        last: bool,
        gathered: &mut Gathered,
    ) {
        let edges = match arg {
            ArgPlan::Constant(constant) => return gathered.inputs.push(constant.value().clone()),
            ArgPlan::Edges(edges) => edges,
        };
        match (edges.assemble, edges.sources()) {
            (None, &[source]) => {
                if let Delivery::Value(value) = self.deliver(machine, source, EdgeKind::Required, last) {
                    gathered.inputs.push(value);
                }
            }
            (assemble, sources) => {
                let Some(assemble) = assemble else { return };
                let delivered = if edges.kind() == EdgeKind::Required && last {
                    // The inputs of a sum, of which there may be very many.
                    sources.iter().map(|&source| self.deliver_success(source)).collect()
                } else {
                    let winner = winner(machine, task, position, &edges);
                    let deliver = |&source: &Source| {
                        let delivery = self.deliver(machine, source, edges.kind(), last);
                        // Of an `AnyOf` only the first success counts, even if others follow.
                        let lost = winner.is_some_and(|winner| winner != source);
                        if lost { Delivery::Absent } else { delivery }
                    };
                    sources.iter().map(deliver).collect()
                };
                let projections = edges.projections().to_vec();
                let pending = Pending { position, assemble, delivered, projections };
                gathered.pending.get_or_insert_default().push(pending);
                // A placeholder until it is assembled.
                gathered.inputs.push(AnyValue::new(()));
            }
        }
    }

    /// As above, for a plain task: its only attempt takes its inputs, and there are no lists.
    #[inline]
    pub(crate) fn gather_plain(&mut self, machine: &Machine, node: NodeIndex, gathered: &mut Gathered) {
        for (position, cell) in machine.plan().arg_cells(node).iter().enumerate() {
            match *cell {
                ArgCell::Value(source) => match source.as_task() {
                    Some(upstream) => {
                        if let Some(value) = self.take(upstream.task()) {
                            gathered.inputs.push(value);
                        }
                    }
                    None => {
                        if let Some(value) = self.param(source) {
                            gathered.inputs.push(value);
                        }
                    }
                },
                ArgCell::Constant(index) => gathered.inputs.push(machine.plan().constant(index).value().clone()),
                ArgCell::Edges(_) => return self.gather_edges(machine, node, position, gathered),
            }
        }
    }

    /// The rest of the inputs of a plain task, from the first that is made of several.
    #[inline(never)]
    fn gather_edges(&mut self, machine: &Machine, node: NodeIndex, first: usize, gathered: &mut Gathered) {
        for (position, arg) in machine.plan().args(node).enumerate().skip(first) {
            self.gather_arg(machine, node.task(), (position, arg), true, gathered);
        }
    }

    /// Takes the value of an upstream for one of its consumers: by move for the last one.
    #[inline]
    fn take(&mut self, upstream: TaskIndex) -> Option<AnyValue> {
        let slot = &mut self.slots[upstream];
        slot.consumers -= 1;
        if slot.consumers == 0 { slot.value.take() } else { slot.value.clone() }
    }

    /// What a source that had to succeed passes to the last possible attempt of a consumer.
    #[inline]
    fn deliver_success(&mut self, source: Source) -> Delivery {
        let value = match source.as_task() {
            Some(node) => self.take(node.task()),
            None => self.param(source),
        };
        value.map_or(Delivery::Absent, Delivery::Value)
    }

    /// As [`gather`](Values::gather), for a plan with mappings: a value may come from outside an
    /// element, or from all elements.
    fn gather_among_elements(&mut self, machine: &Machine, task: TaskIndex, last: bool) -> Gathered {
        let layout = machine.layout();
        let mut gathered = Gathered::default();
        for (position, arg) in layout.plan().args(layout.node(task)).enumerate() {
            let edges = match arg {
                ArgPlan::Constant(constant) => {
                    gathered.inputs.push(constant.value().clone());
                    continue;
                }
                ArgPlan::Edges(edges) => edges,
            };
            let winner = winner(machine, task, position, &edges);
            let mut delivered = Vec::with_capacity(edges.sources().len());
            let mut projections = Vec::new();
            for (index, &source) in edges.sources().iter().enumerate() {
                let lost = winner.is_some_and(|winner| winner != source);
                match origin(layout, task, source) {
                    Origin::Param => delivered.push(self.deliver_param(source)),
                    Origin::Element { .. } | Origin::Around(_) if lost => delivered.push(Delivery::Absent),
                    Origin::Element { expand, element } => delivered.push(self.element(layout, expand, element)),
                    Origin::Around(upstream) => {
                        delivered.push(self.deliver_task(machine, upstream, edges.kind(), false));
                    }
                    Origin::Beside(upstream) => {
                        let delivery = self.deliver_task(machine, upstream, edges.kind(), last);
                        delivered.push(if lost { Delivery::Absent } else { delivery });
                    }
                    Origin::Elements(upstreams) => delivered.extend(
                        upstreams.into_iter().map(|upstream| self.deliver_task(machine, upstream, edges.kind(), last)),
                    ),
                }
                if let Some(projection) = edges.projections().get(index) {
                    projections.resize(delivered.len(), projection.clone());
                }
            }
            match (edges.assemble, &delivered[..]) {
                (None, [Delivery::Value(value)]) => gathered.inputs.push(value.clone()),
                (assemble, _) => {
                    let assemble = assemble.unwrap_or(as_it_is);
                    let pending = Pending { position, assemble, delivered, projections };
                    gathered.pending.get_or_insert_default().push(pending);
                    gathered.inputs.push(AnyValue::new(()));
                }
            }
        }
        gathered
    }

    #[inline(never)]
    fn param(&self, source: Source) -> Option<AnyValue> {
        source.as_param().and_then(|index| self.params.get(index as usize)).cloned()
    }

    fn deliver_param(&self, source: Source) -> Delivery {
        self.param(source).map_or(Delivery::Absent, Delivery::Value)
    }

    /// One element of a list. The thread that runs the task takes it out: this can be a clone,
    /// which is user code.
    fn element(&self, layout: &Layout, expand: TaskIndex, element: u32) -> Delivery {
        let list = self.slots[expand].value.clone();
        let mapping = layout.block_of(expand).map(|block| layout.plan().mapping(block.mapping));
        match (list, mapping) {
            (Some(list), Some(mapping)) => Delivery::Element { list, element, item: mapping.split.item },
            _ => Delivery::Absent,
        }
    }

    fn deliver(&mut self, machine: &Machine, source: Source, kind: EdgeKind, last: bool) -> Delivery {
        match source.as_task() {
            Some(node) => self.deliver_task(machine, node.task(), kind, last),
            None => self.deliver_param(source),
        }
    }

    fn deliver_task(&mut self, machine: &Machine, task: TaskIndex, kind: EdgeKind, last: bool) -> Delivery {
        let value = if last { self.take(task) } else { self.slots[task].value.clone() };
        match (value, kind) {
            (Some(value), _) => Delivery::Value(value),
            (None, EdgeKind::Outcome) => Delivery::Failure(outcome_of(machine, task)),
            (None, _) => Delivery::Absent,
        }
    }

    /// Releases the inputs of a task that will not run (again) and did not take them for the last
    /// time.
    pub(crate) fn release(&mut self, layout: &Layout, task: TaskIndex, unused: &mut Vec<AnyValue>) {
        let plan = layout.plan();
        for arg in plan.args(layout.node(task)) {
            let ArgPlan::Edges(edges) = arg else { continue };
            for &source in edges.sources() {
                if plan.mappings().is_empty() {
                    if let Some(upstream) = source.as_task() {
                        self.release_one(upstream.task(), unused);
                    }
                    continue;
                }
                match origin(layout, task, source) {
                    Origin::Beside(upstream) => self.release_one(upstream, unused),
                    Origin::Elements(upstreams) => {
                        upstreams.into_iter().for_each(|upstream| self.release_one(upstream, unused));
                    }
                    // These remain for later elements.
                    Origin::Param | Origin::Element { .. } | Origin::Around(_) => {}
                }
            }
        }
    }

    fn release_one(&mut self, upstream: TaskIndex, unused: &mut Vec<AnyValue>) {
        let slot = &mut self.slots[upstream];
        slot.consumers = slot.consumers.saturating_sub(1);
        if slot.consumers == 0 {
            unused.extend(slot.value.take());
        }
    }

    /// Adds slots for new elements.
    #[inline]
    pub(crate) fn grow(&mut self, layout: &Layout) {
        if self.slots.next_index() < layout.numbers().end {
            self.add_slots(layout);
        }
    }

    fn add_slots(&mut self, layout: &Layout) {
        for task in indices(self.slots.next_index()..layout.numbers().end) {
            self.slots.push(Slot { value: None, consumers: layout.plan().consumers(layout.node(task)) });
        }
    }

    /// The list of an expand node that succeeded in an earlier part of the run, unless it was
    /// stored: its value is that of its upstream.
    pub(crate) fn restore_list(&mut self, layout: &Layout, expand: TaskIndex) {
        if self.slots[expand].value.is_some() {
            return;
        }
        let edges = layout.plan().args(layout.node(expand)).find_map(|arg| match arg {
            ArgPlan::Edges(edges) => Some(edges),
            ArgPlan::Constant(_) => None,
        });
        let Some((edges, &source)) = edges.and_then(|edges| Some((edges, edges.sources().first()?))) else { return };
        let list = match origin(layout, expand, source) {
            Origin::Around(upstream) | Origin::Beside(upstream) => self.slots[upstream].value.clone(),
            Origin::Param => source.as_param().and_then(|index| self.params.get(index as usize).cloned()),
            Origin::Element { expand, element } => match self.element(layout, expand, element) {
                Delivery::Element { list, element, item } => item(&list, element as usize),
                _ => None,
            },
            Origin::Elements(_) => None,
        };
        let projection = edges.projections().first().and_then(Option::as_ref);
        let list = match (list, projection) {
            // Earlier versions did not store the list.
            (Some(list), Some(projection)) => catch(|| projection.apply(list)).and_then(std::convert::identity).ok(),
            (list, _) => list,
        };
        if self.slots[expand].consumers > 0 {
            self.slots[expand].value = list;
        }
    }

    /// The list that the elements of an expand node are taken from, if it is there.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "the test kit is what uses it"))]
    pub(crate) fn list(&self, expand: TaskIndex) -> Option<&AnyValue> {
        self.slots[expand].value.as_ref()
    }

    /// All values that are left.
    pub(crate) fn into_rest(self) -> impl Iterator<Item = AnyValue> {
        self.slots.into_iter().filter_map(|slot| slot.value).chain(self.params)
    }

    /// The result of the DAG: pinned until now by a count of its own.
    pub(crate) fn result(&mut self, plan: &Plan) -> Option<AnyValue> {
        let source = plan.result()?;
        match (source.as_task(), source.as_param()) {
            (Some(node), _) => self.slots[node.task()].value.take(),
            (None, Some(param)) => self.params.get(param as usize).cloned(),
            (None, None) => None,
        }
    }
}

/// Where an input of a task instance comes from.
enum Origin {
    Param,
    /// One element of a list.
    Element {
        expand: TaskIndex,
        element: u32,
    },
    /// A task around the element; others of its elements may want the value as well.
    Around(TaskIndex),
    /// A task of the same element, or both are in none.
    Beside(TaskIndex),
    /// The same task of all elements.
    Elements(Vec<TaskIndex>),
}

fn origin(layout: &Layout, task: TaskIndex, source: Source) -> Origin {
    let Some(upstream) = source.as_task() else { return Origin::Param };
    let plan = layout.plan();
    let at = layout.at(task);
    let (own, from) = (plan.place(layout.node(task)).mapping, plan.place(upstream));
    if let Some(mapping) = from.expands
        && plan.is_within(own, Some(mapping))
    {
        let way = |at: &At| layout.around(*at);
        let inside = std::iter::successors(at, way).find(|at| layout.mapping_at(*at) == mapping);
        if let Some(at) = inside {
            return Origin::Element { expand: layout.expand_at(at), element: at.element };
        }
    }
    match from.mapping {
        mapping if mapping == own => layout.task(upstream, at).map_or(Origin::Elements(Vec::new()), Origin::Beside),
        Some(mapping) if !plan.is_within(own, Some(mapping)) => {
            let elements = layout.elements(mapping, at).into_iter();
            Origin::Elements(elements.filter_map(|at| layout.task(upstream, Some(at))).collect())
        }
        _ => layout.task(upstream, at).map_or(Origin::Elements(Vec::new()), Origin::Around),
    }
}

/// The upstream that made an `AnyOf` argument run, the one at this position. A parameter of the DAG
/// is there before any task.
fn winner(machine: &Machine, task: TaskIndex, position: usize, edges: &EdgeArg<'_>) -> Option<Source> {
    if edges.kind() != EdgeKind::First {
        return None;
    }
    if let Some(&param) = edges.sources().iter().find(|source| source.as_param().is_some()) {
        return Some(param);
    }
    // The joins of the `AnyOf` arguments of a task are its last ones, in order. An argument with a
    // parameter of the DAG has none.
    let has_join = |arg: &ArgPlan<'_>| match arg {
        ArgPlan::Edges(edges) => {
            edges.kind() == EdgeKind::First && edges.sources().iter().all(|source| source.as_task().is_some())
        }
        ArgPlan::Constant(_) => false,
    };
    let layout = machine.layout();
    let from_here = layout.plan().args(layout.node(task)).skip(position).filter(has_join).count();
    let joins: Vec<RunJoinIndex> = layout.joins_of(task).collect();
    let join = *joins.get(joins.len().checked_sub(from_here)?)?;
    let winner = layout.node(machine.winner(join)?);
    edges.sources().iter().find(|source| source.as_task() == Some(winner)).copied()
}

fn outcome_of(machine: &Machine, task: TaskIndex) -> Arc<Failure> {
    machine.failure(task).unwrap_or_else(|| {
        let reason = match machine.task_state(task) {
            TaskState::Removed => "not part of this run".to_owned(),
            state => format!("its state is {state}"),
        };
        Arc::new(Failure::Skipped { reason })
    })
}

impl Gathered {
    /// Whether nothing is in it.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.inputs.is_empty() && self.pending.is_none()
    }

    /// The inputs, if none is left to assemble.
    #[inline]
    pub(crate) fn complete(&mut self) -> Option<&mut Inputs> {
        if self.pending.is_none() { Some(&mut self.inputs) } else { None }
    }

    /// Puts the inputs from several upstreams together, and applies projections. A closure of the
    /// user may panic here.
    ///
    /// # Errors
    ///
    /// When a projection does not find what it looks for.
    pub(crate) fn assemble(mut self) -> Result<Inputs, Failure> {
        if let Some(pending) = self.pending {
            for Pending { position, assemble, mut delivered, projections } in *pending {
                delivered.iter_mut().try_for_each(Delivery::take_out)?;
                for (delivery, projection) in delivered.iter_mut().zip(&projections) {
                    if let (Delivery::Value(value), Some(projection)) = (&*delivery, projection) {
                        *delivery = Delivery::Value(projection.apply(value.clone())?);
                    }
                }
                self.inputs.replace(position, assemble(delivered));
            }
        }
        Ok(self.inputs)
    }
}
