//! Finds nodes that look the same, including everything below them.
//!
//! Two nodes have one shape when they call the same task with the same options and what is below
//! them has the same shapes. A downstream with several upstreams counts as itself: leaving out a
//! node of some shape therefore hides no task but those that hang from it alone, and of these one
//! like it is printed.

use std::collections::HashMap;

use crate::dag::index;
use crate::render::topo::{Lists, topological};
use crate::render::view::{Endpoint, Link, View};

pub(super) struct Shapes {
    /// The downstreams of each node, each once, with the kinds of the edges to it as bits.
    below: Lists<u32>,
    links: HashMap<(u32, u32), u8>,
    upstreams: Vec<u32>,
    shape: Vec<u32>,
    size: Vec<usize>,
}

/// What a shape consists of; shapes are numbered in the order in which they are met.
#[derive(PartialEq, Eq, Hash)]
struct Key<'v> {
    task: &'v str,
    options: String,
    below: Vec<(u8, Below)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Below {
    /// A node with several upstreams.
    Shared(u32),
    /// The shape of a node with this upstream alone.
    Own(u32),
}

impl Shapes {
    pub(super) fn of(view: &View<'_>) -> Self {
        let count = view.nodes.len();
        let mut links: HashMap<(u32, u32), u8> = HashMap::new();
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for edge in &view.edges {
            if let Endpoint::Task(from) = edge.from {
                let pair = (from.index, edge.to.index);
                let kinds = links.entry(pair).or_insert_with(|| {
                    pairs.push(pair);
                    0
                });
                *kinds |= bit(edge.kind);
            }
        }
        let mut upstreams = vec![0u32; count];
        for (_, to) in &pairs {
            upstreams[*to as usize] += 1;
        }
        let below = Lists::new(count, pairs.iter().copied());
        let mut shapes = Shapes { below, links, upstreams, shape: vec![0; count], size: vec![1; count] };

        let mut known: HashMap<Key<'_>, u32> = HashMap::new();
        for &node in topological(count, pairs.iter().copied()).iter().rev() {
            let key = shapes.key(view, node);
            let next = index(known.len());
            shapes.shape[node as usize] = *known.entry(key).or_insert(next);
        }
        shapes
    }

    fn key<'v>(&mut self, view: &'v View<'_>, node: u32) -> Key<'v> {
        let mut below = Vec::new();
        let mut size = 1;
        for &child in self.below.of(node) {
            let kinds = self.links[&(node, child)];
            below.push(if self.upstreams[child as usize] > 1 {
                (kinds, Below::Shared(child))
            } else {
                size += self.size[child as usize];
                (kinds, Below::Own(self.shape[child as usize]))
            });
        }
        self.size[node as usize] = size;
        let view = &view.nodes[node as usize];
        let options = if view.options.is_empty() { String::new() } else { format!("{:?}", view.options) };
        Key { task: view.task, options, below }
    }

    /// The downstreams, in the order of the calls.
    pub(super) fn below(&self, node: u32) -> &[u32] {
        self.below.of(node)
    }

    /// The kinds of the edges between two nodes.
    pub(super) fn links(&self, from: u32, to: u32) -> Vec<Link> {
        let kinds = self.links.get(&(from, to)).copied().unwrap_or_default();
        Link::ALL.into_iter().filter(|link| kinds & bit(*link) != 0).collect()
    }

    /// How many different tasks are directly upstream.
    pub(super) fn upstreams(&self, node: u32) -> u32 {
        self.upstreams[node as usize]
    }

    /// The number of the shape.
    pub(super) fn shape(&self, node: u32) -> u32 {
        self.shape[node as usize]
    }

    /// How many tasks there are with those that hang from this one alone.
    pub(super) fn size(&self, node: u32) -> usize {
        self.size[node as usize]
    }
}

fn bit(link: Link) -> u8 {
    1 << link as u8
}
