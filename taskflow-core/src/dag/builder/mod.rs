//! The graph under construction.
//!
//! Each thread has a stack of builders: [`trace`] pushes one, the calls inside the traced function
//! add to it, and it is popped when the function returns. Traces may nest (a DAG's function that
//! asks for the plan of another); each has its own scope number, by which a handle of another graph
//! is recognised.

mod arm;
mod group;
mod mapping;
mod scope;

use std::cell::RefCell;
use std::fmt;
use std::num::NonZeroU32;
use std::ops::Range;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(super) use arm::{Before, enter, is_in_arm, leave};
pub(super) use group::{GroupWish, draws, open_group};
pub(super) use mapping::{MappingDraft, is_expand_node, open_mapping, put_elements_on, reopen_mapping, with_mapping};
pub(super) use scope::{OpenScope, ScopeDraft, fails_run, open_scope};

use super::arg::{Arg, ArgDraft};
use super::def::DagDef;
use super::error::BuildError;
use super::output::Output;
use super::plan::{Cluster, ClusterIndex, ClusterKind, GroupIndex, MappingIndex, NodeIndex, Source, Teardown};
use super::projection::Step;
use crate::base::SourceLocation;
use crate::base::index::IndexVec;
use crate::task::{SensorOptions, TaskDef, TaskOptions, TriggerRule, Waiting};

/// The value that an [`Output`] represents, and its graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    pub(super) scope: u32,
    pub(super) source: Source,
    /// The last step of its projection: a place in the draft, counted from 1.
    pub(super) projection: Option<NonZeroU32>,
}

impl Handle {
    /// A handle of no graph: using it is reported as using one of another graph.
    pub(super) const NOWHERE: Handle =
        Handle { scope: u32::MAX, source: Source::task(NodeIndex::new(0)), projection: None };

    pub(super) fn new(scope: u32, source: Source) -> Self {
        Handle { scope, source, projection: None }
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

/// What a traced function drew, before it is checked.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) scope: u32,
    /// The DAG that is drawn, if it is that of a `#[dag]` function: only its address counts.
    pub(super) dag: Option<*const DagDef>,
    pub(super) params: Vec<&'static str>,
    pub(super) nodes: IndexVec<NodeIndex, NodeDraft>,
    pub(super) args: Vec<ArgDraft>,
    /// Steps of projections, each with the place of the one before it, counted from 1.
    pub(super) projections: Vec<(Option<NonZeroU32>, Step)>,
    pub(super) orders: Vec<Order>,
    pub(super) groups: IndexVec<GroupIndex, GroupDraft>,
    pub(super) errors: Vec<BuildError>,
    /// Nodes that run only if another one succeeds from which they take nothing, as `(other,
    /// node)`, in the order of nodes.
    pub(super) gates: Vec<(NodeIndex, NodeIndex)>,
    /// Nodes that are called after another one, in the order of nodes.
    pub(super) named: Vec<Named>,
    pub(super) mappings: IndexVec<MappingIndex, MappingDraft>,
    /// What pictures draw a box around; outer ones before inner ones.
    pub(super) clusters: IndexVec<ClusterIndex, Cluster>,
    open_cluster: Option<ClusterIndex>,
    open_group: Option<GroupIndex>,
    open_mapping: Option<MappingIndex>,
    /// The gate of what is being drawn.
    open_gate: Option<Gate>,
    /// What is being drawn is a teardown.
    open_teardown: Option<Teardown>,
    /// Arms that have been drawn, each with the first node after it.
    pub(super) arms: Vec<(NodeIndex, NodeIndex)>,
    /// Scopes that have been drawn, inner ones before outer ones.
    pub(super) scopes: Vec<ScopeDraft>,
}

/// What is drawn runs only if this node succeeds: that of an arm, or the setup of a scope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gate {
    pub(super) node: NodeIndex,
    /// The first node drawn behind it.
    pub(super) first: NodeIndex,
}

/// A node whose id is that of a task or parameter, a dot and a label: `route.Small`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named {
    pub(super) node: NodeIndex,
    pub(super) base: Source,
    pub(super) label: &'static str,
}

#[derive(Debug)]
pub(super) struct NodeDraft {
    pub(super) def: &'static TaskDef,
    pub(super) explicit_id: Option<Box<str>>,
    /// Boxed because most nodes have none.
    pub(super) options: Option<Box<TaskOptions>>,
    /// The first of its arguments; they end where those of the next node begin.
    pub(super) first_arg: u32,
    pub(super) group: Option<GroupIndex>,
    /// The innermost cluster that it is in.
    pub(super) cluster: Option<ClusterIndex>,
    /// The mapping in whose template it is.
    pub(super) mapping: Option<MappingIndex>,
    /// The mapping whose list it has, if it is an expand node.
    pub(super) expands: Option<MappingIndex>,
    /// Whether it is part of a teardown.
    pub(super) teardown: Option<Teardown>,
    pub(super) at: &'static Location<'static>,
}

impl NodeDraft {
    pub(super) fn options_mut(&mut self) -> &mut TaskOptions {
        self.options.get_or_insert_default()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) upstream: NodeIndex,
    pub(super) downstream: NodeIndex,
    pub(super) at: &'static Location<'static>,
}

#[derive(Debug)]
pub(super) struct GroupDraft {
    pub(super) name: String,
    pub(super) parent: Option<GroupIndex>,
    pub(super) concurrency: Option<u32>,
    /// What its first tasks come after, by which rule.
    pub(super) after: Vec<NodeIndex>,
    pub(super) rule: Option<TriggerRule>,
    pub(super) retries: u32,
    pub(super) retry_delay: Duration,
    /// The DAG that is drawn in it.
    pub(super) dag: Option<&'static DagDef>,
    /// Its nodes, those of groups inside it among them.
    pub(super) nodes: Range<NodeIndex>,
    pub(super) at: &'static Location<'static>,
}

thread_local! {
    static OPEN: RefCell<Vec<Draft>> = const { RefCell::new(Vec::new()) };
}

/// Runs `function` with a new builder for its calls.
pub(super) fn trace<R>(
    dag: Option<*const DagDef>,
    params: Vec<&'static str>,
    function: impl FnOnce(u32) -> R,
) -> (Draft, R) {
    static SCOPES: AtomicU32 = AtomicU32::new(0);

    /// Takes the draft out again, also when `function` panics.
    struct Opened;
    impl Drop for Opened {
        fn drop(&mut self) {
            OPEN.with_borrow_mut(Vec::pop);
        }
    }

    let scope = SCOPES.fetch_add(1, Ordering::Relaxed);
    OPEN.with_borrow_mut(|open| {
        open.push(Draft {
            scope,
            dag,
            params,
            nodes: IndexVec::new(),
            args: Vec::new(),
            projections: Vec::new(),
            orders: Vec::new(),
            groups: IndexVec::new(),
            errors: Vec::new(),
            gates: Vec::new(),
            named: Vec::new(),
            mappings: IndexVec::new(),
            clusters: IndexVec::new(),
            open_cluster: None,
            open_group: None,
            open_mapping: None,
            open_gate: None,
            open_teardown: None,
            arms: Vec::new(),
            scopes: Vec::new(),
        });
    });
    let opened = Opened;
    let result = function(scope);
    std::mem::forget(opened);
    let draft = OPEN.with_borrow_mut(Vec::pop).expect("the draft pushed above is still there");
    (draft, result)
}

fn with_draft<R>(change: impl FnOnce(&mut Draft) -> R) -> Option<R> {
    OPEN.with_borrow_mut(|open| open.last_mut().map(change))
}

/// Adds a call of `def` to the graph under construction. What `#[task]` functions do.
///
/// # Panics
///
/// Outside a `#[dag]` function, with the location of the call and what to do instead.
#[doc(hidden)]
#[track_caller]
pub fn add_task<T, const N: usize>(def: &'static TaskDef, mut args: [Arg; N]) -> Output<T> {
    match add_node(def, &mut args, Location::caller()) {
        Some(handle) => Output::new(handle),
        None if def.module == TaskDef::TRIGGER => panic!(
            "`{id}::trigger(..)` adds a node to a graph: call it inside a `#[dag]` function; inside a task, use \
             `ctx.trigger({id}::run(..)).await`, and elsewhere `{id}::run(..).await`",
            id = def.id,
        ),
        None => panic!(
            "the task `{id}` was called outside a `#[dag]` function; \
             to run the function itself, for example in a unit test, call `{id}::call(..)`",
            id = def.id,
        ),
    }
}

/// Adds a node with an id of its own. `None` outside a `#[dag]` function.
pub(crate) fn add_named<T, const N: usize>(
    def: &'static TaskDef,
    mut args: [Arg; N],
    id: String,
    at: &'static Location<'static>,
) -> Option<Output<T>> {
    let handle = add_node(def, &mut args, at)?;
    with_node(handle, at, |node| node.explicit_id = Some(id.into()));
    Some(Output::new(handle))
}

/// Adds a node. Takes its arguments out of `args`.
fn add_node(def: &'static TaskDef, args: &mut [Arg], at: &'static Location<'static>) -> Option<Handle> {
    with_draft(|draft| {
        let first_arg = index(draft.args.len());
        for arg in args {
            let arg = arg.take();
            draft.check(&arg, at);
            draft.args.push(arg);
        }
        let node = draft.nodes.next_index();
        let source = Source::task(node);
        if let Some(gate) = draft.open_gate
            && !draft.args[first_arg as usize..]
                .iter()
                .any(|arg| arg.is_held_by(|from| draft.is_within(gate, node, *from)))
        {
            draft.gates.push((gate.node, node));
        }
        let (group, mapping, teardown) = (draft.open_group, draft.open_mapping, draft.open_teardown);
        let (explicit_id, options, expands) = (None, None, None);
        let cluster = draft.open_cluster;
        let node = NodeDraft { def, explicit_id, options, first_arg, group, cluster, mapping, expands, teardown, at };
        draft.nodes.push(node);
        Handle::new(draft.scope, source)
    })
}

/// Adds a node of a built-in task. Its id is that of `base`, a dot and `label`.
///
/// # Panics
///
/// Outside a `#[dag]` function.
#[track_caller]
pub(super) fn add_built_in<const N: usize>(
    def: &'static TaskDef,
    mut args: [Arg; N],
    (base, label): (Source, &'static str),
    at: &'static Location<'static>,
) -> Handle {
    let Some(handle) = add_node(def, &mut args, at) else {
        panic!("`branch!`, `when`, `only_if` and `each` add parts to a graph: call them inside a `#[dag]` function");
    };
    with_draft(|draft| draft.named.extend(handle.source.as_task().map(|node| Named { node, base, label })));
    handle
}

/// The handle of the value of `handle` after the projection `step`.
pub(super) fn add_projection(handle: Handle, step: Step) -> Handle {
    OPEN.with_borrow_mut(|open| {
        let Some(draft) = open.iter_mut().rev().find(|draft| draft.scope == handle.scope) else {
            return Handle { scope: Handle::NOWHERE.scope, ..handle };
        };
        draft.projections.push((handle.projection, step));
        Handle { projection: NonZeroU32::new(index(draft.projections.len())), ..handle }
    })
}

/// Changes the node behind `handle`, or reports why that is impossible.
pub(super) fn with_node(handle: Handle, at: &'static Location<'static>, change: impl FnOnce(&mut NodeDraft)) {
    with_draft(|draft| match draft.task_of(handle, at) {
        Ok(task) => change(&mut draft.nodes[task]),
        Err(error) => draft.errors.push(error),
    });
}

/// Like [`with_node`], for options of sensors.
pub(super) fn with_sensor(
    handle: Handle,
    at: &'static Location<'static>,
    option: &'static str,
    change: impl FnOnce(&mut SensorOptions),
) {
    with_draft(|draft| match draft.task_of(handle, at) {
        Ok(task) => {
            let node = &mut draft.nodes[task];
            match node.def.waiting {
                Waiting::Sensor => change(&mut node.options_mut().sensor),
                Waiting::Never | Waiting::Deferrable => {
                    let task = node.def.id.to_owned();
                    draft.errors.push(BuildError::NoSensor { task, option, at: at.into() });
                }
            }
        }
        Err(error) => draft.errors.push(error),
    });
}

/// Like [`with_node`], for options of tasks that a later layer defines: `change` says why it cannot
/// be made.
pub(super) fn with_own_option(
    handle: Handle,
    at: &'static Location<'static>,
    change: impl FnOnce(&'static TaskDef, &mut TaskOptions) -> Result<(), String>,
) {
    with_draft(|draft| match draft.task_of(handle, at) {
        Ok(task) => {
            let node = &mut draft.nodes[task];
            let (def, task) = (node.def, node.explicit_id.as_deref().unwrap_or(node.def.id).to_owned());
            if let Err(message) = change(def, node.options_mut()) {
                draft.errors.push(BuildError::Words { task, message, at: at.into() });
            }
        }
        Err(error) => draft.errors.push(error),
    });
}

pub(super) fn add_order(upstream: Handle, downstream: Handle, at: &'static Location<'static>) {
    with_draft(|draft| match (draft.task_of(upstream, at), draft.task_of(downstream, at)) {
        (Ok(upstream), Ok(downstream)) => draft.orders.push(Order { upstream, downstream, at }),
        (Err(error), _) | (_, Err(error)) => draft.errors.push(error),
    });
}

pub(crate) fn report(error: BuildError) {
    with_draft(|draft| draft.errors.push(error));
}

impl Draft {
    /// Opens a cluster inside the present one, and returns the present one.
    fn open_cluster(&mut self, kind: ClusterKind) -> Option<ClusterIndex> {
        let cluster = self.clusters.push(Cluster { kind, parent: self.open_cluster });
        self.open_cluster.replace(cluster)
    }

    /// As [`Draft::open_cluster`], for a cluster that begins with a node, which has been drawn: the
    /// node moves into the cluster if it was drawn beside it. A cluster that the node is in already
    /// continues.
    fn open_cluster_from(&mut self, node: NodeIndex, kind: ClusterKind) -> Option<ClusterIndex> {
        let own = self.nodes[node].cluster;
        let begun = own.map(|cluster| (cluster, self.clusters[cluster]));
        if let Some((cluster, Cluster { parent, .. })) = begun.filter(|(_, begun)| begun.kind == kind)
            && parent == self.open_cluster
        {
            return self.open_cluster.replace(cluster);
        }
        let outer = self.open_cluster(kind);
        if own == outer {
            self.nodes[node].cluster = self.open_cluster;
        }
        outer
    }

    fn task_of(&self, handle: Handle, at: &'static Location<'static>) -> Result<NodeIndex, BuildError> {
        let at = SourceLocation::from(at);
        if handle.scope != self.scope {
            return Err(BuildError::ForeignOutput { at });
        }
        handle.source.as_task().ok_or_else(|| {
            let param = handle.source.as_param().and_then(|index| self.params.get(index as usize));
            BuildError::NotATask { param: (*param.unwrap_or(&"?")).to_owned(), at }
        })
    }
}

/// Graphs are indexed by `u32`; more nodes than that do not fit in memory either.
pub(crate) fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a graph has fewer than 2^32 nodes, arguments and edges")
}
