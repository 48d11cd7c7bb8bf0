//! From a plan to its view.

use super::options::OptionList;
use super::{
    ArgValue, ArgView, ClusterKind, ClusterView, EdgeView, Endpoint, GroupView, Link, NodeView, ParamView, Ref,
    ResultView, View,
};
use crate::dag::{self, ArgPlan, ClusterIndex, EdgeKind, GroupIndex, NodeIndex, ParamDef, ParamDefault, Plan, Source};
use crate::task::TriggerRule;

/// A JSON null for a constant without a JSON form; freezing refuses those, so that no picture shows
/// it.
static NO_JSON: serde_json::Value = serde_json::Value::Null;

impl<'p> View<'p> {
    /// What there is to show of a plan.
    pub fn of(plan: &'p Plan) -> Self {
        let option_sets: Vec<OptionList> = plan.option_sets().iter().map(OptionList::of_node).collect();
        let nodes: Vec<NodeView<'p>> = plan.node_indices().map(|node| node_view(plan, node, &option_sets)).collect();
        let edges = plan.node_indices().zip(&nodes).flat_map(|(index, node)| edges_of(plan, index, node)).collect();
        View {
            dag_id: plan.id(),
            doc: plan.doc(),
            hash: plan.hash(),
            location: plan.location().to_string(),
            options: OptionList::of_dag(plan.options()),
            params: plan.params().iter().map(param_view).collect(),
            groups: plan.group_indices().map(|group| group_view(plan, group)).collect(),
            clusters: cluster_views(plan),
            nodes,
            edges,
            result: plan
                .result()
                .and_then(|source| Some(ResultView { from: endpoint(plan, source)?, ty: plan.result_type().short() })),
        }
    }
}

fn param_view(param: &ParamDef) -> ParamView<'_> {
    let (default, default_from_run) = match param.default_view() {
        Some(ParamDefault::Value(value)) => (Some(value), None),
        Some(ParamDefault::FromRun(expression)) => (None, Some(expression)),
        None => (None, None),
    };
    ParamView {
        name: param.name,
        ty: param.ty.short(),
        required: !param.has_default(),
        default,
        default_from_run,
        range: param.range_text,
        choices: param.choices,
        pattern: param.pattern,
        help: param.help,
    }
}

fn group_view(plan: &Plan, group: GroupIndex) -> GroupView<'_> {
    let this = plan.group(group);
    let parent = this.parent.map(|parent| group_ref(plan, parent));
    GroupView { id: &this.id, label: inside(&this.id, parent), parent }
}

fn cluster_views(plan: &Plan) -> Vec<ClusterView<'_>> {
    let mut views: Vec<ClusterView<'_>> = Vec::with_capacity(plan.clusters().len());
    // For each cluster the innermost group around its inside.
    let mut groups: Vec<Option<Ref<'_>>> = Vec::with_capacity(plan.clusters().len());
    for cluster in plan.clusters() {
        let parent = cluster.parent.map(ClusterIndex::as_u32);
        let around = parent.and_then(|parent| groups[parent as usize]);
        let named = |kind, node, words: &str| {
            let of = plan.node(node).id();
            (kind, of, format!("{words} {}", inside(of, around)), around)
        };
        let (kind, of, label, group) = match cluster.kind {
            dag::ClusterKind::Group(group) => {
                let group = group_ref(plan, group);
                (ClusterKind::Group, group.id, inside(group.id, around).to_owned(), Some(group))
            }
            dag::ClusterKind::Each(mapping) => {
                let of = plan.node(plan.mapping(mapping).expand).id();
                // `files.each`, or `files.each_2`: the list is `files`.
                let list = inside(of.rsplit_once('.').map_or(of, |(list, _)| list), around);
                (ClusterKind::Each, of, format!("each of {list}"), around)
            }
            dag::ClusterKind::Scope(setup) => named(ClusterKind::Scope, setup, "scope of"),
            dag::ClusterKind::Arm(arm) => named(ClusterKind::Arm, arm, "arm"),
        };
        views.push(ClusterView { kind, of, label, parent });
        groups.push(group);
    }
    views
}

fn group_ref(plan: &Plan, group: GroupIndex) -> Ref<'_> {
    Ref { index: group.as_u32(), id: &plan.group(group).id }
}

fn node_ref(plan: &Plan, node: NodeIndex) -> Ref<'_> {
    Ref { index: node.as_u32(), id: plan.node(node).id() }
}

/// The name without that of the group around it.
fn inside<'p>(id: &'p str, group: Option<Ref<'_>>) -> &'p str {
    let own = group.and_then(|group| id.strip_prefix(group.id)?.strip_prefix('.'));
    own.unwrap_or(id)
}

fn node_view<'p>(plan: &'p Plan, at: NodeIndex, option_sets: &[OptionList]) -> NodeView<'p> {
    let node = plan.node(at);
    let def = plan.def(at);
    let group = node.group().map(|group| group_ref(plan, group));
    let args = plan.args(at).enumerate().map(|(position, arg)| {
        let input = def.inputs.get(position);
        let value = match arg {
            ArgPlan::Constant(constant) => ArgValue::Constant { constant: constant.json().unwrap_or(&NO_JSON) },
            ArgPlan::Edges(edges) => ArgValue::Edges {
                edge: edges.kind().into(),
                sources: edges.sources().iter().filter_map(|source| endpoint(plan, *source)).collect(),
                projections: edges.projections().iter().map(|way| way.as_ref().map(ToString::to_string)).collect(),
            },
        };
        ArgView {
            name: input.map_or("", |input| input.name),
            ty: input.map(|input| input.ty.short()).unwrap_or_default(),
            value,
        }
    });
    NodeView {
        id: node.id(),
        label: inside(node.id(), group),
        task: def.id,
        built_in: def.is_built_in(),
        kind: def.kind.name(),
        group,
        each: plan.place(at).mapping.map(|mapping| node_ref(plan, plan.mapping(mapping).expand)),
        cluster: plan.cluster_of(at).map(ClusterIndex::as_u32),
        description: def.doc,
        output: def.output.short(),
        options: option_sets[plan.options_index(at)].clone().of_place(def.isolation, !plan.teardowns_of(at).is_empty()),
        location: node.location().to_string(),
        args: args.collect(),
    }
}

/// The edges that end at a node, each once.
fn edges_of<'p>(plan: &'p Plan, index: NodeIndex, node: &NodeView<'p>) -> Vec<EdgeView<'p>> {
    let to = node_ref(plan, index);
    let mut edges = Vec::new();
    for arg in &node.args {
        if let ArgValue::Edges { edge, sources, .. } = &arg.value {
            edges.extend(sources.iter().map(|from| EdgeView { from: *from, to, kind: *edge, rule: None }));
        }
    }
    let rule = Some(plan.node_options(index).trigger_rule);
    for &(upstream, _) in plan.orders(index) {
        if let Some(from) = endpoint(plan, Source::task(upstream)) {
            edges.push(EdgeView { from, to, kind: Link::Order, rule });
        }
    }
    if let Some(from) = plan.gate(index).and_then(|gate| endpoint(plan, Source::task(gate))) {
        edges.push(EdgeView { from, to, kind: Link::Order, rule: Some(TriggerRule::AllSuccess) });
    }
    edges.sort_unstable_by_key(|edge| (edge.from, edge.kind));
    edges.dedup_by_key(|edge| (edge.from, edge.kind));
    edges
}

fn endpoint(plan: &Plan, source: Source) -> Option<Endpoint<'_>> {
    if let Some(node) = source.as_task() {
        return Some(Endpoint::Task(node_ref(plan, node)));
    }
    let index = source.as_param()?;
    let param = plan.params().get(index as usize)?;
    Some(Endpoint::Param(Ref { index, id: param.name }))
}

impl From<EdgeKind> for Link {
    fn from(kind: EdgeKind) -> Self {
        match kind {
            EdgeKind::Required => Link::Required,
            EdgeKind::Optional => Link::Optional,
            EdgeKind::Outcome => Link::Outcome,
            EdgeKind::First => Link::First,
        }
    }
}
