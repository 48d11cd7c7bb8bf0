//! A graph with mappings, prepared for expanding its lists.

use std::ops::Deref;
use std::sync::Arc;

use super::graph::{Graph, GraphMapping, GraphNode};

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
            let upstreams = known.inputs.iter().map(|&(upstream, _)| upstream).chain(known.after.iter().copied());
            for mapping in upstreams.filter_map(|upstream| drawn.mapping_of[upstream as usize]) {
                let collectors = &mut drawn.collectors[mapping as usize];
                let is_outside = drawn.mapping_of[node as usize] == mappings[mapping as usize].parent;
                if is_outside && collectors.last() != Some(&node) {
                    collectors.push(node);
                }
            }
        }
        drawn
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
        let id = &self.graph.nodes[node as usize].id;
        let mut whole = String::with_capacity(id.len() + path.len());
        whole.push_str(id);
        whole.push_str(path);
        whole
    }

    /// A node without its edges.
    pub(super) fn copy(&self, node: u32, id: String) -> GraphNode {
        let GraphNode { kind, group, .. } = self.graph.nodes[node as usize];
        GraphNode { id, kind, group, inputs: Vec::new(), after: Vec::new() }
    }
}

impl Deref for Drawn {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.graph
    }
}
