//! The frozen graph.
//!
//! A plan is what the engine runs, the command line shows and the journal records. Nodes have indices (`0..len`, in the
//! order of the calls) for the engine, and ids for everybody else: an index means nothing outside its plan.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::arg::Assemble;
use super::def::DagOptions;
use super::each::Split;
use super::hash;
use super::label::Labels;
use super::param::ParamDef;
use super::projection::Projection;
use super::rate::Rate;
use super::units::Units;
use crate::task::{
    Callbacks, Executor, Kind, RetryPolicy, SensorPolicy, SourceLocation, TaskDef, TriggerRule, Waiting,
};
use crate::value::{Constant, TypeInfo};

/// A DAG, checked and ready to run any number of times, also at once.
pub struct Plan {
    pub(super) id: String,
    pub(super) doc: &'static str,
    pub(super) location: SourceLocation,
    pub(super) options: DagOptions,
    pub(super) params: Vec<ParamDef>,
    pub(super) result: Option<Source>,
    pub(super) result_projection: Option<Arc<Projection>>,
    pub(super) result_type: TypeInfo,

    pub(super) nodes: Vec<Node>,
    /// What the engine reads of each node, apart from what people read: four of them fit a cache line.
    pub(super) wiring: Vec<Wiring>,
    pub(super) node_options: Vec<NodeOptions>,
    pub(super) groups: Vec<GroupPlan>,
    pub(super) defs: Vec<&'static TaskDef>,

    pub(super) args: Vec<ArgCell>,
    pub(super) edge_args: Vec<EdgeCell>,
    pub(super) sources: Vec<Source>,
    /// What becomes of the values on the way; only for arguments with a projected edge, one for each of its sources.
    pub(super) projected: Vec<Option<Arc<Projection>>>,
    pub(super) constants: Vec<Constant>,
    /// The order edges, sorted by downstream.
    pub(super) orders: Vec<(u32, u32)>,
    /// The gates, as `(upstream, node)`, sorted by node.
    pub(super) gates: Vec<(u32, u32)>,
    /// Each setup with each node of its teardown, sorted.
    pub(super) teardowns: Vec<(u32, u32)>,
    /// What is drawn between a setup and its teardown; inner scopes before outer ones.
    pub(super) scopes: Vec<ScopePlan>,

    pub(super) joins: Vec<Join>,
    /// The joins below each node: those of node `n` are `successors[successor_offsets[n]..successor_offsets[n + 1]]`.
    pub(super) successors: Vec<u32>,
    pub(super) successor_offsets: Vec<u32>,
    /// How many data edges leave each node, plus one for the result of the DAG.
    pub(super) consumers: Vec<u32>,
    /// What is there once for each element of a list.
    pub(super) mappings: Vec<Mapping>,
    /// Where each node is in the mappings; empty in a plan without any.
    pub(super) places: Vec<Place>,
    pub(super) units: Units,
    pub(super) hash: OnceLock<String>,
}

/// A task instance: one call of a task in a DAG.
#[derive(Debug)]
pub struct Node {
    pub(super) id: Box<str>,
    pub(super) group: Option<u32>,
    pub(super) at: &'static std::panic::Location<'static>,
}

/// Where a node stands in the index vectors. Its arguments and joins end where those of the next node begin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wiring {
    pub(super) def: u32,
    pub(super) options: u32,
    pub(super) first_arg: u32,
    pub(super) first_join: u32,
}

/// An argument as the plan keeps it.
#[derive(Clone, Copy, Debug)]
pub(super) enum ArgCell {
    /// An index into the constants.
    Constant(u32),
    /// The value of one upstream, as it is: the common case.
    Value(Source),
    /// An index into the edge cells.
    Edges(u32),
}

/// The edges of an argument that has several, or one that is projected or of another kind than [`EdgeKind::Required`].
#[derive(Clone, Copy)]
pub(super) struct EdgeCell {
    pub(super) kind: EdgeKind,
    pub(super) first: u32,
    pub(super) count: u32,
    /// Where its projections begin, or [`EdgeCell::PLAIN`].
    pub(super) projected: u32,
    pub(super) assemble: Assemble,
}

impl EdgeCell {
    /// None of the edges is projected.
    pub(super) const PLAIN: u32 = u32::MAX;
}

/// The options of a node, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeOptions {
    /// When and how often it is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may run.
    pub timeout: Option<Duration>,
    /// The pool it runs in.
    pub pool: Option<&'static str>,
    /// How many of its slots it takes.
    pub pool_slots: u32,
    /// Among ready tasks the highest goes first.
    pub priority: i32,
    /// The rule for its order edges.
    pub trigger_rule: TriggerRule,
    /// Where its attempts run, if not in the process of the engine.
    pub executor: Option<Executor>,
    /// Whether it is the teardown of a scope, or part of one.
    pub teardown: Option<Teardown>,
    /// What it may wait for without holding a slot.
    pub waiting: Waiting,
    /// Who is told of what happens to it.
    pub callbacks: Callbacks,
    /// How often and how long it looks, if it is a sensor.
    pub sensor: Option<SensorPolicy>,
    /// Words to find it by.
    pub tags: &'static [&'static str],
}

/// Work between a setup and its teardown.
#[derive(Clone, Debug)]
pub(crate) struct ScopePlan {
    pub(crate) setup: u32,
    pub(crate) work: Range<u32>,
    pub(crate) teardown: Range<u32>,
}

/// What the failure of a teardown means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Teardown {
    /// It is shown.
    Quiet,
    /// It fails the run.
    FailsRun,
}

/// A part of the graph that is there once for each element of a list.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The node that has the list.
    pub(crate) expand: u32,
    /// The mapping that this node is itself part of.
    pub(crate) parent: Option<u32>,
    pub(crate) split: Split,
    /// How many of its tasks may run at once.
    pub(crate) concurrency: Option<u32>,
    /// How many elements there may be.
    pub(crate) limit: Option<u32>,
    /// How often one may begin.
    pub(crate) rate: Option<Rate>,
    /// What people call them.
    pub(crate) labels: Option<Labels>,
    /// Its nodes, without those of mappings inside it.
    pub(crate) nodes: Vec<u32>,
    /// The joins of these nodes.
    pub(crate) joins: Vec<u32>,
    /// Joins outside that wait for nodes in here, once for each edge.
    pub(crate) collectors: Vec<u32>,
    /// Edges from nodes outside, other than its expand node, to joins in here.
    pub(crate) captured: Vec<(u32, u32)>,
}

/// Where a node is in the mappings.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    /// The mapping it is part of.
    pub(crate) mapping: Option<u32>,
    /// Which of its nodes it is.
    pub(crate) index: u32,
    /// Its first join among the joins of the mapping.
    pub(crate) first_join: u32,
    /// The mapping whose list it has, if it is an expand node.
    pub(crate) expands: Option<u32>,
}

/// A box around nodes.
#[derive(Debug)]
pub struct GroupPlan {
    /// Its full name: that of the box around it, a dot, and its own.
    pub id: String,
    /// The box around it.
    pub parent: Option<u32>,
    /// How many of its tasks may run at once.
    pub concurrency: Option<u32>,
    /// How often all of it may be tried again.
    pub retries: u32,
    /// The wait before that.
    pub retry_delay: Duration,
}

/// Where a value comes from: a node or a parameter of the DAG.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(u32);

/// What an edge asks of its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EdgeKind {
    /// A success.
    Required,
    /// A success or a skip: `Option<T>`.
    Optional,
    /// Any end: `Result<T, Failure>`.
    Outcome,
    /// To be the first success among several: `AnyOf<T>`.
    First,
}

/// An argument of a node.
#[derive(Clone, Copy, Debug)]
pub enum ArgPlan<'a> {
    /// A plain value.
    Constant(&'a Constant),
    /// Edges from upstreams.
    Edges(EdgeArg<'a>),
}

/// The edges of one argument.
#[derive(Clone, Copy)]
pub struct EdgeArg<'a> {
    kind: EdgeKind,
    sources: &'a [Source],
    projections: &'a [Option<Arc<Projection>>],
    /// How the parameter's value is made of what is delivered; `None` when it is the upstream's value as it is.
    pub(crate) assemble: Option<Assemble>,
}

/// Upstreams of one node that stand under one rule. The node may run when all its joins say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Join {
    /// The node below.
    pub node: u32,
    /// How many upstreams.
    pub upstreams: u32,
    /// The rule.
    pub rule: TriggerRule,
}

impl Source {
    const PARAM: u32 = 1 << 31;

    pub(crate) fn task(index: u32) -> Self {
        assert!(index < Source::PARAM, "a graph has fewer than 2^31 nodes");
        Source(index)
    }

    pub(super) fn param(index: u32) -> Self {
        Source(index | Source::PARAM)
    }

    /// The index of the node, if it is one.
    pub fn as_task(self) -> Option<u32> {
        (self.0 & Source::PARAM == 0).then_some(self.0)
    }

    /// The index of the parameter, if it is one.
    pub fn as_param(self) -> Option<u32> {
        (self.0 & Source::PARAM != 0).then_some(self.0 & !Source::PARAM)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_param() {
            Some(param) => write!(f, "param {param}"),
            None => write!(f, "task {}", self.0),
        }
    }
}

impl EdgeKind {
    /// The trigger rule that the type of the parameter stands for.
    pub fn rule(self) -> TriggerRule {
        match self {
            EdgeKind::Required => TriggerRule::AllSuccess,
            EdgeKind::Optional => TriggerRule::NoneFailed,
            EdgeKind::Outcome => TriggerRule::AllDone,
            EdgeKind::First => TriggerRule::OneSuccess,
        }
    }

    /// `required`, `optional`, `outcome` or `first`.
    pub fn name(self) -> &'static str {
        match self {
            EdgeKind::Required => "required",
            EdgeKind::Optional => "optional",
            EdgeKind::Outcome => "outcome",
            EdgeKind::First => "first",
        }
    }
}

impl<'a> EdgeArg<'a> {
    /// What the edges ask of their upstreams.
    pub fn kind(&self) -> EdgeKind {
        self.kind
    }

    /// The upstreams, in the order in which they were passed.
    pub fn sources(&self) -> &'a [Source] {
        self.sources
    }

    /// What becomes of the values on the way, one for each source; empty when they all come as they are.
    pub fn projections(&self) -> &'a [Option<Arc<Projection>>] {
        self.projections
    }
}

impl fmt::Debug for EdgeArg<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {:?}", self.kind, self.sources)
    }
}

impl Plan {
    /// What kind of thread of the engine a node takes; `away` says whether those with an executor run there.
    pub(crate) fn lane(&self, node: u32, away: bool) -> Kind {
        if self.executor(node, away).is_some() { Kind::Async } else { self.def(node).lane() }
    }

    /// Whether any node takes another thread than those of the workers.
    pub(crate) fn needs_runtime(&self, away: bool) -> bool {
        let nodes = 0..super::builder::index(self.len());
        self.defs.iter().any(|def| def.lane() != Kind::Sync)
            || self.node_options.iter().any(|options| options.executor.is_some())
                && nodes.into_iter().any(|node| self.executor(node, away).is_some())
    }

    /// The executor that a node runs on, if that is not this process.
    pub(crate) fn executor(&self, node: u32, away: bool) -> Option<Executor> {
        self.node_options(node).executor.filter(|executor| away && !executor.is_off())
    }
}

impl Node {
    /// Its id, unique in the DAG.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The call that made it.
    pub fn location(&self) -> SourceLocation {
        self.at.into()
    }

    /// The index of the box it is in.
    pub fn group(&self) -> Option<u32> {
        self.group
    }
}

impl Plan {
    /// The id of the DAG.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The doc comment of the DAG.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    /// Where the DAG is written.
    pub fn location(&self) -> SourceLocation {
        self.location
    }

    /// Whether a node tears down what was set up, and so runs although a run ends early.
    pub(crate) fn is_teardown(&self, node: u32) -> bool {
        self.node_options(node).teardown.is_some()
    }

    /// Its options.
    pub fn options(&self) -> &DagOptions {
        &self.options
    }

    /// Whether anybody is to be told what happens in its runs.
    pub(crate) fn has_callbacks(&self) -> bool {
        !self.options.callbacks.is_empty() || self.node_options.iter().any(|options| !options.callbacks.is_empty())
    }

    /// Its parameters.
    pub fn params(&self) -> &[ParamDef] {
        &self.params
    }

    /// What becomes of that value on its way out.
    pub fn result_projection(&self) -> Option<&Projection> {
        self.result_projection.as_deref()
    }

    /// Which value is the result of a run.
    pub fn result(&self) -> Option<Source> {
        self.result
    }

    /// The type of the result.
    pub fn result_type(&self) -> TypeInfo {
        self.result_type
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// How many tasks a run of it has before any list is there: the nodes outside every `each`.
    pub fn task_count(&self) -> usize {
        self.nodes.len() - self.mappings.iter().map(|mapping| mapping.nodes.len()).sum::<usize>()
    }

    /// Whether it has no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes, in the order of the calls.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The boxes, outer ones before inner ones.
    pub fn groups(&self) -> &[GroupPlan] {
        &self.groups
    }

    /// The index of the node with this id. Takes time in proportion to the size of the plan.
    pub fn find(&self, id: &str) -> Option<u32> {
        let index = self.nodes.iter().position(|node| &*node.id == id)?;
        u32::try_from(index).ok()
    }

    /// The task that a node calls.
    pub fn def(&self, node: u32) -> &'static TaskDef {
        self.defs[self.def_index(node)]
    }

    /// The tasks that the nodes call.
    pub fn defs(&self) -> &[&'static TaskDef] {
        &self.defs
    }

    /// Which of [`Plan::defs`] a node calls.
    pub fn def_index(&self, node: u32) -> usize {
        self.wiring[node as usize].def as usize
    }

    /// The options of a node.
    pub fn node_options(&self, node: u32) -> &NodeOptions {
        &self.node_options[self.options_index(node)]
    }

    /// The different option sets; most plans have a handful.
    pub fn option_sets(&self) -> &[NodeOptions] {
        &self.node_options
    }

    /// Which of [`Plan::option_sets`] a node has.
    pub fn options_index(&self, node: u32) -> usize {
        self.wiring[node as usize].options as usize
    }

    /// The arguments of a node, in the order of the parameters.
    pub fn args(&self, node: u32) -> impl ExactSizeIterator<Item = ArgPlan<'_>> {
        let end = self.wiring.get(node as usize + 1).map_or(self.args.len(), |next| next.first_arg as usize);
        let cells = &self.args[self.wiring[node as usize].first_arg as usize..end];
        cells.iter().map(|cell| match cell {
            ArgCell::Constant(index) => ArgPlan::Constant(&self.constants[*index as usize]),
            ArgCell::Value(source) => ArgPlan::Edges(EdgeArg {
                kind: EdgeKind::Required,
                sources: std::slice::from_ref(source),
                projections: &[],
                assemble: None,
            }),
            ArgCell::Edges(index) => {
                let EdgeCell { kind, first, count, projected, assemble } = self.edge_args[*index as usize];
                let sources = &self.sources[first as usize..][..count as usize];
                let projections = match projected {
                    EdgeCell::PLAIN => &[],
                    first => &self.projected[first as usize..][..count as usize],
                };
                ArgPlan::Edges(EdgeArg { kind, sources, projections, assemble: Some(assemble) })
            }
        })
    }

    /// The upstreams of a node connected by order alone, as `(upstream, node)`.
    pub fn orders(&self, node: u32) -> &[(u32, u32)] {
        let first = self.orders.partition_point(|&(_, downstream)| downstream < node);
        let count = self.orders[first..].partition_point(|&(_, downstream)| downstream == node);
        &self.orders[first..][..count]
    }

    /// The node of the arm of a branch that this node is in, where it takes nothing that would be missing if the arm is not
    /// taken: it must succeed, whatever the rule of the order edges is.
    pub fn gate(&self, node: u32) -> Option<u32> {
        let place = self.gates.binary_search_by_key(&node, |&(_, below)| below).ok()?;
        Some(self.gates[place].0)
    }

    /// What is drawn between a setup and its teardown.
    pub(crate) fn scopes(&self) -> &[ScopePlan] {
        &self.scopes
    }

    /// Each setup of a scope with each node of its teardown, sorted.
    pub fn teardowns(&self) -> &[(u32, u32)] {
        &self.teardowns
    }

    /// What tears down what a node sets up; nothing if it is no setup.
    pub fn teardowns_of(&self, setup: u32) -> &[(u32, u32)] {
        let first = self.teardowns.partition_point(|&(known, _)| known < setup);
        let count = self.teardowns[first..].partition_point(|&(known, _)| known == setup);
        &self.teardowns[first..][..count]
    }

    /// All upstream nodes, through values, through order and through its gate; one that feeds several parameters comes several times.
    pub fn upstreams(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let data = self.args(node).flat_map(|arg| match arg {
            ArgPlan::Constant(_) => &[],
            ArgPlan::Edges(edges) => edges.sources(),
        });
        let order = self.orders(node).iter().map(|&(upstream, _)| upstream);
        data.filter_map(|source| source.as_task()).chain(order).chain(self.gate(node))
    }

    /// Every rule that some node waits by.
    pub fn joins(&self) -> &[Join] {
        &self.joins
    }

    /// The indices of the joins of a node.
    pub fn joins_of(&self, node: u32) -> Range<u32> {
        let end = self.wiring.get(node as usize + 1).map_or(self.joins.len() as u32, |next| next.first_join);
        self.wiring[node as usize].first_join..end
    }

    /// The indices of the joins that a node is an upstream of.
    pub fn successors(&self, node: u32) -> &[u32] {
        let from = self.successor_offsets[node as usize] as usize;
        let to = self.successor_offsets[node as usize + 1] as usize;
        &self.successors[from..to]
    }

    /// How many data edges leave a node, plus one if it is the result of the DAG.
    pub fn consumers(&self, node: u32) -> u32 {
        self.consumers[node as usize]
    }

    /// What is there once for each element of a list.
    pub(crate) fn mappings(&self) -> &[Mapping] {
        &self.mappings
    }

    /// The groups that are tried again as a whole.
    pub(crate) fn units(&self) -> &Units {
        &self.units
    }

    /// Where a node is in the mappings.
    pub(crate) fn place(&self, node: u32) -> Place {
        self.places.get(node as usize).copied().unwrap_or_default()
    }

    /// Whether a mapping is the outer one or in it; the top level is around all.
    pub(crate) fn is_within(&self, inner: Option<u32>, outer: Option<u32>) -> bool {
        let parent = |&mapping: &u32| self.mappings[mapping as usize].parent;
        outer.is_none_or(|outer| std::iter::successors(inner, parent).any(|mapping| mapping == outer))
    }

    /// Whether a node is drawn inside an `each`: a run has it once for each element.
    pub fn is_mapped(&self, node: u32) -> bool {
        self.place(node).mapping.is_some()
    }

    /// The structural hash, 32 hexadecimal digits: the version of the DAG.
    ///
    /// It covers ids, the names of the tasks, the short names of their types, edges, constants, options, and the
    /// parameters with their defaults and bounds, and so changes when the graph does. Comments, bodies and places in the
    /// source do not enter. Computed at the first call.
    pub fn hash(&self) -> &str {
        self.hash.get_or_init(|| hash::structural(self))
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({}, {} nodes)", self.id, self.nodes.len())
    }
}
