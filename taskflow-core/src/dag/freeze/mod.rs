//! Freezes a draft into a [`Plan`]: ids, options, rules, index vectors, and all errors at once.

mod checks;
mod names;
mod scopes;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::arg::{ArgDraft, Assemble, EdgesDraft, as_it_is};
use super::builder::{self, Draft, Handle, index};
use super::def::{DagDef, DagInputs};
use super::error::{BuildError, BuildErrors};
use super::options::DagOptions;
use super::param::ParamDef;
use super::plan::{
    ArgCell, Call, ClusterIndex, EdgeCell, EdgeKind, GroupIndex, Ids, JoinIndex, Mapping, MappingIndex, NodeIndex,
    NodeOptions, Place, Plainness, Plan, Source, Teardown, Wiring,
};
use super::pool::PoolDef;
use super::projection::Projection;
use super::registry::Registry;
use super::units::Units;
use crate::base::SourceLocation;
use crate::base::index::{IndexVec, Indexing as _};
use crate::base::panics;
use crate::schedule::SlotDeadline;
use crate::task::{Deadline, DeadlineReference, TaskDef, TaskOptions};
use crate::value::{Constant, TypeInfo};

pub(super) fn trace_def(def: &DagDef) -> Result<Plan, BuildErrors> {
    let params = (def.params)();
    let header = Header { id: def.id, doc: def.doc, location: def.location, options: def.options, result: def.result };
    trace(Some(std::ptr::from_ref(def)), header, params, |scope| (def.trace)(DagInputs::new(scope)))
}

pub(super) fn trace_closure(
    id: &str,
    options: &DagOptions,
    location: SourceLocation,
    result: TypeInfo,
    body: impl FnOnce() -> Option<Handle>,
) -> Result<Plan, BuildErrors> {
    let header = Header { id, doc: "", location, options: *options, result };
    trace(None, header, Vec::new(), |_| body())
}

struct Header<'a> {
    id: &'a str,
    doc: &'static str,
    location: SourceLocation,
    options: DagOptions,
    result: TypeInfo,
}

fn trace(
    dag: Option<*const DagDef>,
    header: Header<'_>,
    params: Vec<ParamDef>,
    body: impl FnOnce(u32) -> Option<Handle>,
) -> Result<Plan, BuildErrors> {
    let names = params.iter().map(|param| param.name).collect();
    panics::install_hook();
    let traced = panics::catch(|| builder::trace(dag, names, body));
    let (draft, result) = traced.map_err(|panic| {
        let message = panic.to_string();
        BuildErrors::new(header.id, vec![BuildError::Panicked { message }])
    })?;
    Freezer { header, pools: Registry::pools(), errors: Vec::new() }.freeze(draft, params, result)
}

struct Freezer<'a> {
    header: Header<'a>,
    pools: Vec<PoolDef>,
    errors: Vec<BuildError>,
}

impl Freezer<'_> {
    fn freeze(mut self, mut draft: Draft, params: Vec<ParamDef>, result: Option<Handle>) -> Result<Plan, BuildErrors> {
        self.errors.append(&mut draft.errors);
        for param in &params {
            let mistakes = param.mistakes().into_iter();
            self.errors.extend(mistakes.map(|message| BuildError::Param { param: param.name.to_owned(), message }));
        }
        let result = result.and_then(|handle| {
            let foreign = handle.scope != draft.scope;
            if foreign {
                self.errors.push(BuildError::ForeignOutput { at: self.header.location });
            }
            let task = handle.source.as_task().filter(|_| !foreign);
            let inside = task.and_then(|task| draft.nodes.get(task)).filter(|node| node.mapping.is_some());
            if let Some(node) = inside {
                let (task, at) = (node.def.id.to_owned(), self.header.location);
                self.errors.push(BuildError::MappedTaskOutside { task, at });
            } else if task.is_some_and(|task| draft.mappings.iter().any(|mapping| mapping.expand == task)) {
                self.errors.push(BuildError::ElementOutside { at: self.header.location });
            }
            (!foreign).then_some(handle)
        });

        scopes::enter_groups(&mut draft);
        let groups = names::groups(&draft, &mut self.errors);
        let (defs, def_of) = defs(&draft);
        let ids = names::ids(&draft, &groups, &def_of, &mut self.errors);
        let (node_options, options_of) = self.options(&draft, &ids, &def_of);
        self.deadlines(&draft, &ids, &node_options, &options_of);

        scopes::close(&mut draft, &ids, &mut self.errors);
        draft.orders.sort_by_key(|order| (order.downstream, order.upstream));
        draft.orders.dedup_by_key(|order| (order.downstream, order.upstream));
        checks::cycles(&draft, &ids, &mut self.errors);
        checks::orders_of_elements(&draft, &mut self.errors);
        checks::units(&draft, &mut self.errors);
        checks::idle_rules(&draft, &ids, &node_options, &options_of, &mut self.errors);

        let gates = wire::gates(&draft, &node_options, &options_of);
        let (rest_of_work, rest_of_setups) = (scopes::rest_of_work(&draft), scopes::rest_of_setups(&draft, &gates));

        let result_projection = result.and_then(|handle| projection(handle, &draft, &ids));
        let arguments = self.arguments(&mut draft, &ids);
        if !self.errors.is_empty() {
            return Err(BuildErrors::new(self.header.id, self.errors));
        }

        let wiring = draft.nodes.iter().zip(&def_of).zip(&options_of).map(|((node, &def), &options)| {
            let (first_arg, first_join) = (node.first_arg, JoinIndex::default());
            Wiring { def, options, first_arg, first_join }
        });
        let mut plan = Plan {
            id: self.header.id.to_owned(),
            doc: self.header.doc,
            location: self.header.location,
            options: self.header.options,
            params,
            result: result.map(|handle| handle.source),
            result_projection,
            result_type: self.header.result,
            node_options,
            groups,
            defs,
            args: arguments.cells,
            edge_args: arguments.edges,
            sources: arguments.sources,
            projected: arguments.projected,
            constants: arguments.constants,
            orders: draft.orders.iter().map(|order| (order.upstream, order.downstream)).collect(),
            gates,
            rest_of_work,
            rest_of_setups,
            teardowns: scopes::teardowns(&draft),
            scopes: scopes::plans(&draft),
            joins: IndexVec::new(),
            successors: Vec::new(),
            successor_offsets: IndexVec::new(),
            consumers: vec![0; draft.nodes.len()].into(),
            mappings: mappings(&draft),
            places: places(&draft),
            cluster_of: cluster_of(&draft),
            clusters: std::mem::take(&mut draft.clusters),
            units: Units::of_draft(&draft),
            ids,
            locations: draft.nodes.iter().map(|node| node.at).collect(),
            group_of: group_of(&draft),
            wiring: wiring.collect(),
            plainness: Plainness::default(),
            hash: OnceLock::new(),
        };
        wire::wire(&mut plan);
        plan.find_plain_nodes();
        Ok(plan)
    }

    /// Deadlines that are relative to a slot need a schedule.
    fn deadlines(&mut self, draft: &Draft, ids: &Ids, sets: &[NodeOptions], options_of: &IndexVec<NodeIndex, u32>) {
        let has_any = self.header.options.deadline.is_some() || sets.iter().any(|set| set.deadline.is_some());
        if self.header.options.schedule.is_some() || !has_any {
            return;
        }
        let dag = self.header.id;
        let own = self.header.options.deadline.map(|deadline| (deadline, "the DAG".to_owned(), self.header.location));
        let of_task = draft.nodes.enumerated().filter_map(|(position, node)| {
            let deadline = sets[options_of[position] as usize].deadline?;
            Some((deadline, format!("task `{}`", &ids[position]), node.at.into()))
        });
        let mistakes = own.into_iter().chain(of_task).filter_map(|(deadline, subject, at)| {
            let after = match deadline.of_slot()? {
                SlotDeadline::After(after) => after,
                _ => std::time::Duration::from_secs(2 * 3600),
            };
            let instead = Deadline::new(after, DeadlineReference::Started).to_string();
            let (deadline, dag) = (deadline.to_string(), dag.to_owned());
            Some(BuildError::DeadlineWithoutSlot { deadline, subject, dag, instead, at })
        });
        self.errors.extend(mistakes);
    }

    fn arguments(&mut self, draft: &mut Draft, ids: &Ids) -> Arguments {
        let mut args = std::mem::take(&mut draft.args);
        let mut all = Arguments { cells: Vec::with_capacity(args.len()), ..Arguments::default() };
        for (place, arg) in args.drain(..).enumerate() {
            match arg {
                ArgDraft::Value(from) if from.projection.is_none() => all.cells.push(ArgCell::Value(from.source)),
                ArgDraft::Value(from) => {
                    all.edges(&[from], EdgeKind::Required, as_it_is, |handle| projection(handle, draft, ids));
                }
                ArgDraft::Constant(constant) => {
                    if let Err(message) = constant.json() {
                        let ((task, input, at), message) = (input(draft, ids, place), message.to_owned());
                        self.errors.push(BuildError::Constant { task, input, message, at });
                    }
                    all.cells.push(ArgCell::Constant(index(all.constants.len())));
                    all.constants.push(*constant);
                }
                ArgDraft::Edges(edges) => {
                    let EdgesDraft { from, kind, assemble, .. } = *edges;
                    if kind == EdgeKind::First && from.is_empty() {
                        let (task, input, at) = input(draft, ids, place);
                        self.errors.push(BuildError::EmptyAnyOf { task, input, at });
                    }
                    all.edges(&from, kind, assemble, |handle| projection(handle, draft, ids));
                }
            }
        }
        all
    }

    /// The task defaults for a group: those of the DAGs drawn around it, the nearest first.
    fn defaults(&self, draft: &Draft, group: Option<GroupIndex>) -> TaskOptions {
        let outer = |&group: &GroupIndex| draft.groups[group].parent;
        let dags = std::iter::successors(group, outer).filter_map(|group| draft.groups[group].dag);
        let defaults = dags.fold(TaskOptions::NONE, |defaults, dag| defaults.or(dag.options.task_defaults));
        defaults.or(self.header.options.task_defaults)
    }

    /// The resolved options, each different set once, and the index of each node's.
    fn options(
        &mut self,
        draft: &Draft,
        ids: &Ids,
        def_of: &IndexVec<NodeIndex, u32>,
    ) -> (Vec<NodeOptions>, IndexVec<NodeIndex, u32>) {
        let mut sets: Vec<NodeOptions> = Vec::new();
        let mut of = IndexVec::with_capacity(draft.nodes.len());
        // By task, for its last call without options of its own: where it was and what it resolved
        // to. The next call in the same place resolves to the same, without mistakes.
        let mut known: Vec<Option<Resolved>> = Vec::new();
        for ((position, node), &def) in draft.nodes.enumerated().zip(def_of) {
            if known.len() <= def as usize {
                known.resize(def as usize + 1, None);
            }
            let is_plain = node.options.is_none();
            if let Some((group, teardown, set)) = known[def as usize]
                && is_plain
                && (group, teardown) == (node.group, node.teardown)
            {
                of.push(set);
                continue;
            }
            let mistakes = self.errors.len();
            let own = node.options.as_deref().copied().unwrap_or_default();
            // The task defaults of a DAG do not apply to built-in tasks.
            let defaults = if node.def.is_built_in() { TaskOptions::NONE } else { self.defaults(draft, node.group) };
            let options = NodeOptions::resolve(&Call {
                options: own.or(node.def.options).or(defaults),
                waiting: node.def.waiting,
                teardown: node.teardown,
            });
            let id = &ids[position];
            checks::pool(&options, &self.pools, id, node.at.into(), &mut self.errors);
            checks::executor(&options, node.def, id, node.at.into(), &mut self.errors);
            let set = sets.iter().rposition(|set| *set == options).unwrap_or_else(|| {
                sets.push(options);
                sets.len() - 1
            });
            of.push(index(set));
            if is_plain && self.errors.len() == mistakes {
                known[def as usize] = Some((node.group, node.teardown, index(set)));
            }
        }
        (sets, of)
    }
}

/// Where a task was called without options of its own, and which option set that resolved to.
type Resolved = (Option<GroupIndex>, Option<Teardown>, u32);

/// The arguments of all nodes, in the form of the plan.
#[derive(Default)]
struct Arguments {
    cells: Vec<ArgCell>,
    edges: Vec<EdgeCell>,
    sources: Vec<Source>,
    projected: Vec<Option<Arc<Projection>>>,
    constants: Vec<Constant>,
}

impl Arguments {
    fn edges(
        &mut self,
        from: &[Handle],
        kind: EdgeKind,
        assemble: Assemble,
        projection: impl Fn(Handle) -> Option<Arc<Projection>>,
    ) {
        let first = index(self.sources.len());
        self.sources.extend(from.iter().map(|handle| handle.source));
        let mut projected = EdgeCell::PLAIN;
        if from.iter().any(|handle| handle.projection.is_some()) {
            projected = index(self.projected.len());
            self.projected.extend(from.iter().map(|handle| projection(*handle)));
        }
        self.cells.push(ArgCell::Edges(index(self.edges.len())));
        self.edges.push(EdgeCell { kind, first, count: index(from.len()), projected, assemble });
    }
}

/// For messages: the node that has this argument, the name of its input, and where it is.
fn input(draft: &Draft, ids: &Ids, arg: usize) -> (String, String, SourceLocation) {
    let node = NodeIndex::at(draft.nodes.as_slice().partition_point(|node| node.first_arg as usize <= arg) - 1);
    let drawn = &draft.nodes[node];
    let input = drawn.def.inputs.get(arg - drawn.first_arg as usize);
    let input = input.map_or_else(String::new, |input| input.name.to_owned());
    (ids[node].to_owned(), input, drawn.at.into())
}

fn arg_range(draft: &Draft, node: NodeIndex) -> std::ops::Range<usize> {
    let end = draft.nodes.get(node + 1).map_or(draft.args.len(), |next| next.first_arg as usize);
    draft.nodes[node].first_arg as usize..end
}

/// The projection of the value of `handle`; messages name its origin.
fn projection(handle: Handle, draft: &Draft, ids: &Ids) -> Option<Arc<Projection>> {
    let origin = || match (handle.source.as_task(), handle.source.as_param()) {
        (Some(task), _) => ids.get(task).map(|id| format!("task `{id}`")).unwrap_or_default(),
        (None, param) => {
            let name = param.and_then(|param| draft.params.get(param as usize));
            format!("the parameter `{}`", name.unwrap_or(&"?"))
        }
    };
    // A handle of another graph has been reported; its steps are not those of this draft.
    if handle.scope == draft.scope { Projection::of(handle, draft, origin) } else { None }
}

fn defs(draft: &Draft) -> (Vec<&'static TaskDef>, IndexVec<NodeIndex, u32>) {
    let mut defs: Vec<&'static TaskDef> = Vec::new();
    let mut known: HashMap<*const TaskDef, u32> = HashMap::new();
    // Neighbours mostly call one of a few tasks: comparing addresses is faster than hashing them.
    let mut recent: [Option<u32>; 4] = [None; 4];
    let of = draft.nodes.iter().map(|node| {
        let is_it = |place: &u32| std::ptr::eq(defs[*place as usize], node.def);
        if let Some(place) = recent.iter().copied().flatten().find(is_it) {
            return place;
        }
        let place = *known.entry(std::ptr::from_ref(node.def)).or_insert_with(|| {
            defs.push(node.def);
            index(defs.len() - 1)
        });
        recent.rotate_right(1);
        recent[0] = Some(place);
        place
    });
    let of = of.collect();
    (defs, of)
}

fn mappings(draft: &Draft) -> IndexVec<MappingIndex, Mapping> {
    let mut mappings: IndexVec<MappingIndex, Mapping> = draft
        .mappings
        .iter()
        .map(|mapping| Mapping {
            expand: mapping.expand,
            parent: mapping.parent,
            split: mapping.split,
            concurrency: mapping.concurrency,
            limit: mapping.limit,
            rate: mapping.rate,
            labels: mapping.labels.clone(),
            nodes: Vec::new(),
            joins: Vec::new(),
            collectors: Vec::new(),
            captured: Vec::new(),
        })
        .collect();
    for (node, draft) in draft.nodes.enumerated() {
        if let Some(mapping) = draft.mapping {
            mappings[mapping].nodes.push(node);
        }
    }
    mappings
}

fn group_of(draft: &Draft) -> IndexVec<NodeIndex, Option<GroupIndex>> {
    if draft.groups.is_empty() {
        return IndexVec::new();
    }
    draft.nodes.iter().map(|node| node.group).collect()
}

fn cluster_of(draft: &Draft) -> IndexVec<NodeIndex, Option<ClusterIndex>> {
    if draft.clusters.is_empty() {
        return IndexVec::new();
    }
    draft.nodes.iter().map(|node| node.cluster).collect()
}

fn places(draft: &Draft) -> IndexVec<NodeIndex, Place> {
    if draft.mappings.is_empty() {
        return IndexVec::new();
    }
    let mut counts = IndexVec::from(vec![0; draft.mappings.len()]);
    let mut places = IndexVec::with_capacity(draft.nodes.len());
    for node in &draft.nodes {
        let mut place = Place { mapping: node.mapping, ..Place::default() };
        if let Some(mapping) = node.mapping {
            place.index = counts[mapping];
            counts[mapping] += 1;
        }
        places.push(place);
    }
    for (mapping, draft) in draft.mappings.enumerated() {
        places[draft.expand].expands = Some(mapping);
    }
    places
}
