//! A part of a view: groups as one node each, or what is near a task.
//!
//! A graph of thousands of tasks cannot be looked at, and takes long to draw. A part of it is a
//! [`View`] again, so that every picture can be made of it.

use std::collections::{BTreeSet, VecDeque};

use super::view::{EdgeView, Endpoint, NodeView, OptionList, Ref, View};

/// A part of a view.
pub(crate) struct Part<'p> {
    pub(crate) view: View<'p>,
    /// For each of its nodes the nodes of the whole that it stands for.
    pub(crate) members: Vec<Vec<usize>>,
    /// For each of its nodes whether it is a group.
    pub(crate) is_group: Vec<bool>,
}

impl<'p> View<'p> {
    /// The graph with each group as one node, unless the group and those around it are open.
    pub(crate) fn collapsed(&self, is_open: impl Fn(&str) -> bool) -> Part<'p> {
        let mut nodes: Vec<NodeView<'p>> = Vec::new();
        let (mut members, mut is_group) = (Vec::new(), Vec::new());
        let mut of_group: Vec<Option<u32>> = vec![None; self.groups.len()];
        let mut of: Vec<Option<u32>> = Vec::with_capacity(self.nodes.len());
        for (at, node) in self.nodes.iter().enumerate() {
            let closed = self.groups_around(node).into_iter().find(|&group| !is_open(self.groups[group].id));
            let known = closed.and_then(|group| of_group[group]);
            let place = known.unwrap_or_else(|| {
                let place = u32::try_from(nodes.len()).unwrap_or(u32::MAX);
                nodes.push(closed.map_or_else(|| node.clone(), |group| self.group_as_node(group)));
                members.push(Vec::new());
                is_group.push(closed.is_some());
                if let Some(group) = closed {
                    of_group[group] = Some(place);
                }
                place
            });
            members[place as usize].push(at);
            of.push(Some(place));
        }
        for (node, members) in nodes.iter_mut().zip(&members).zip(&is_group).filter(|(_, is)| **is).map(|(of, _)| of) {
            node.options = OptionList::of_group(members.len());
        }
        Part { view: self.with_nodes(nodes, &of), members, is_group }
    }

    /// A task with what is at most `depth` edges away, upstream or downstream: the nearest `most`.
    pub(crate) fn around(&self, task: usize, depth: usize, most: usize) -> Part<'p> {
        let mut near: Vec<Vec<(usize, bool)>> = vec![Vec::new(); self.nodes.len()];
        for edge in &self.edges {
            if let Endpoint::Task(from) = edge.from {
                near[from.index as usize].push((edge.to.index as usize, true));
                near[edge.to.index as usize].push((from.index as usize, false));
            }
        }
        // Upstreams of upstreams and downstreams of downstreams, but not the other downstreams of
        // an upstream.
        let mut found = BTreeSet::from([task]);
        let mut next = VecDeque::from([(task, 0, None)]);
        while let Some((at, far, way)) = next.pop_front() {
            for &(other, is_down) in near[at].iter().filter(|(_, is_down)| way.is_none_or(|way| way == *is_down)) {
                if far < depth && found.len() < most && found.insert(other) {
                    next.push_back((other, far + 1, Some(is_down)));
                }
            }
        }
        let mut of = vec![None; self.nodes.len()];
        for (place, &at) in found.iter().enumerate() {
            of[at] = u32::try_from(place).ok();
        }
        let nodes: Vec<NodeView<'p>> = found.iter().map(|&at| self.nodes[at].clone()).collect();
        let is_group = vec![false; nodes.len()];
        Part { view: self.with_nodes(nodes, &of), members: found.into_iter().map(|at| vec![at]).collect(), is_group }
    }

    /// The groups around a node, the outermost first.
    fn groups_around(&self, node: &NodeView<'_>) -> Vec<usize> {
        let inner = node.group.map(|group| group.index as usize);
        let outwards =
            std::iter::successors(inner, |&group| self.groups[group].parent.map(|parent| parent.index as usize));
        let mut groups: Vec<usize> = outwards.collect();
        groups.reverse();
        groups
    }

    fn group_as_node(&self, group: usize) -> NodeView<'p> {
        let group = &self.groups[group];
        let cluster =
            self.clusters.iter().find(|cluster| cluster.kind == super::ClusterKind::Group && cluster.of == group.id);
        NodeView {
            id: group.id,
            label: group.label,
            task: group.label,
            built_in: false,
            kind: "group",
            group: group.parent,
            each: None,
            cluster: cluster.and_then(|cluster| cluster.parent),
            description: "",
            output: String::new(),
            options: OptionList::default(),
            location: String::new(),
            args: Vec::new(),
        }
    }

    /// The view of these nodes. `of` has the place among them of each node of the whole.
    fn with_nodes(&self, nodes: Vec<NodeView<'p>>, of: &[Option<u32>]) -> View<'p> {
        let place = |of: &[Option<u32>], node: Ref<'_>| of.get(node.index as usize).copied().flatten();
        let mut edges: Vec<EdgeView<'p>> = Vec::new();
        for edge in &self.edges {
            let Endpoint::Task(from) = edge.from else { continue };
            if let (Some(from), Some(to)) = (place(of, from), place(of, edge.to))
                && from != to
            {
                let named = |index: u32| Ref { index, id: nodes[index as usize].id };
                edges.push(EdgeView { from: Endpoint::Task(named(from)), to: named(to), ..*edge });
            }
        }
        edges.sort_by_key(|edge| (edge.to, edge.from, edge.kind));
        edges.dedup_by_key(|edge| (edge.to, edge.from, edge.kind));
        drop_cycles(nodes.len(), &mut edges);
        View { params: Vec::new(), result: None, nodes, edges, ..self.clone_without_nodes() }
    }

    fn clone_without_nodes(&self) -> View<'p> {
        View {
            dag_id: self.dag_id,
            doc: self.doc,
            hash: self.hash,
            location: self.location.clone(),
            options: self.options.clone(),
            params: Vec::new(),
            groups: self.groups.clone(),
            clusters: self.clusters.clone(),
            nodes: Vec::new(),
            edges: Vec::new(),
            result: None,
        }
    }
}

/// Two groups may lead to each other. Of such a circle, the edges that lead back are left out:
/// layouts have one direction.
fn drop_cycles(nodes: usize, edges: &mut Vec<EdgeView<'_>>) {
    let from = |edge: &EdgeView<'_>| match edge.from {
        Endpoint::Task(from) => from.index as usize,
        Endpoint::Param(_) => 0,
    };
    let (mut waits, mut leads) = (vec![0_usize; nodes], vec![Vec::new(); nodes]);
    for edge in edges.iter() {
        waits[edge.to.index as usize] += 1;
        leads[from(edge)].push(edge.to.index as usize);
    }
    let mut order = vec![usize::MAX; nodes];
    let mut ready: BTreeSet<usize> = (0..nodes).filter(|&node| waits[node] == 0).collect();
    let mut open: BTreeSet<usize> = (0..nodes).collect();
    for place in 0..nodes {
        // Where only circles are left, the first node is as good as any.
        let Some(node) = ready.pop_first().or_else(|| open.first().copied()) else { break };
        open.remove(&node);
        order[node] = place;
        for &to in &leads[node] {
            waits[to] = waits[to].saturating_sub(1);
            if waits[to] == 0 && open.contains(&to) {
                ready.insert(to);
            }
        }
    }
    edges.retain(|edge| order[from(edge)] < order[edge.to.index as usize]);
}
