//! A graph with mappings, prepared for expanding its lists.

use std::ops::Deref;
use std::sync::Arc;

use super::graph::{Edges, Graph, GraphMapping, GraphNode};

/// A graph as drawn, with what every expansion looks up in it.
#[derive(Debug)]
pub(super) struct Drawn {
    graph: Arc<Graph>,
    /// The mapping that contains each node.
    mapping_of: Vec<Option<u32>>,
    /// How deep each node is nested in mappings.
    depth: Vec<usize>,
    /// The mapping that each node expands.
    expands: Vec<Option<u32>>,
    /// For each mapping, the nodes that take the values of all its elements.
    collectors: Vec<Vec<u32>>,
    /// Whether a node has the same edges in every element of its list: none within the element.
    equal_edges: Vec<bool>,
    /// Those of every copy until it is connected.
    no_edges: Arc<Edges>,
}

impl Drawn {
    pub(super) fn new(graph: &Arc<Graph>) -> Self {
        let (nodes, mappings) = (graph.nodes.len(), &graph.mappings);
        let mut drawn = Drawn {
            graph: Arc::clone(graph),
            mapping_of: vec![None; nodes],
            depth: vec![0; nodes],
            expands: vec![None; nodes],
            collectors: vec![Vec::new(); mappings.len()],
            equal_edges: vec![true; nodes],
            no_edges: Arc::default(),
        };
        let mut depths: Vec<usize> = Vec::with_capacity(mappings.len());
        for (index, mapping) in (0..).zip(mappings) {
            let depth = 1 + mapping.parent.map_or(0, |parent| depths[parent as usize]);
            depths.push(depth);
            drawn.expands[mapping.expand as usize] = Some(index);
            for &node in &mapping.nodes {
                (drawn.mapping_of[node as usize], drawn.depth[node as usize]) = (Some(index), depth);
            }
        }
        for (node, known) in (0..).zip(&graph.nodes) {
            for mapping in known.upstreams().filter_map(|upstream| drawn.mapping_of[upstream as usize]) {
                let collectors = &mut drawn.collectors[mapping as usize];
                let is_outside = drawn.mapping_of[node as usize] == mappings[mapping as usize].parent;
                if is_outside && collectors.last() != Some(&node) {
                    collectors.push(node);
                }
            }
        }
        for (node, known) in (0..).zip(&graph.nodes) {
            let mut upstreams = known.upstreams().map(|upstream| drawn.seen_from(node, upstream));
            let is_equal = upstreams.all(|seen| drawn.mapping_of(seen) != drawn.mapping_of(node));
            drawn.equal_edges[node as usize] = is_equal;
        }
        drawn
    }

    /// What represents an upstream of a node until lists are expanded: the list, for an element of
    /// a mapping further inside.
    pub(super) fn seen_from(&self, node: u32, upstream: u32) -> u32 {
        let own = self.mapping_of(node);
        let mut seen = upstream;
        while let Some(mapping) = self.mapping_of(seen)
            && !self.is_within(own, Some(mapping))
        {
            seen = self.mappings[mapping as usize].expand;
        }
        seen
    }

    /// Whether a node has the same edges in every element of its list.
    pub(super) fn has_equal_edges(&self, node: u32) -> bool {
        self.equal_edges[node as usize]
    }

    /// The mapping that contains a node.
    pub(super) fn mapping_of(&self, node: u32) -> Option<u32> {
        self.mapping_of[node as usize]
    }

    /// How deep a node is nested in mappings.
    pub(super) fn depth(&self, node: u32) -> usize {
        self.depth[node as usize]
    }

    /// The mapping that a node expands, with its index.
    pub(super) fn expanded_by(&self, node: u32) -> Option<(u32, &GraphMapping)> {
        let index = (*self.expands.get(node as usize)?)?;
        Some((index, &self.graph.mappings[index as usize]))
    }

    /// The nodes that take the values of all elements of a mapping.
    pub(super) fn collectors(&self, mapping: u32) -> &[u32] {
        &self.collectors[mapping as usize]
    }

    /// The id of an instance of a node: its path is `[3][0]`, or nothing.
    pub(super) fn id(&self, node: u32, path: &str) -> String {
        let mut whole = String::new();
        self.write_id(&mut whole, node, path);
        whole
    }

    /// As [`Drawn::id`], into a text that may be used before.
    pub(super) fn write_id(&self, whole: &mut String, node: u32, path: &str) {
        let id = &self.graph.nodes[node as usize].id;
        whole.clear();
        whole.reserve(id.len() + path.len());
        whole.push_str(id);
        whole.push_str(path);
    }

    /// A node without its edges.
    pub(super) fn copy(&self, node: u32, id: Arc<str>) -> GraphNode {
        let GraphNode { kind, group, .. } = self.graph.nodes[node as usize];
        GraphNode { id, kind, group, edges: Arc::clone(&self.no_edges) }
    }
}

impl Deref for Drawn {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.graph
    }
}
