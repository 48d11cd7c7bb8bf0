//! Clusters as opening and closing brackets around nodes.

use super::topo::Lists;
use super::view::View;
use crate::dag::index;

/// One step of writing a plan down as nested boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nest {
    /// The box of a cluster begins.
    Open(u32),
    /// A node in the box that was opened last.
    Node(u32),
    /// The box of a cluster ends.
    Close,
}

/// Every node, each inside the boxes of its clusters. Clusters without a node are left out.
///
/// A stack instead of recursion: clusters may be nested to any depth.
pub(super) fn nested(view: &View<'_>) -> Vec<Nest> {
    let count = view.clusters.len();
    let mut used = vec![false; count];
    for cluster in view.nodes.iter().filter_map(|node| node.cluster) {
        used[cluster as usize] = true;
    }
    for cluster in (0..count).rev() {
        if let Some(parent) = view.clusters[cluster].parent {
            used[parent as usize] |= used[cluster];
        }
    }

    // One more list, the last, for what is in no cluster.
    let outside = index(count);
    let nodes = view.nodes.iter().map(|node| node.cluster.unwrap_or(outside)).zip(0..);
    let clusters = view.clusters.iter().map(|cluster| cluster.parent.unwrap_or(outside)).zip(0..);
    let nodes_in = Lists::new(count + 1, nodes);
    let clusters_in = Lists::new(count + 1, clusters.filter(|(_, cluster): &(u32, u32)| used[*cluster as usize]));

    let mut steps = Vec::with_capacity(view.nodes.len() + 2 * count);
    let mut open = vec![(outside, 0)];
    while let Some((cluster, next)) = open.last_mut() {
        if *next == 0 {
            steps.extend(nodes_in.of(*cluster).iter().map(|node| Nest::Node(*node)));
        }
        if let Some(&inner) = clusters_in.of(*cluster).get(*next) {
            *next += 1;
            steps.push(Nest::Open(inner));
            open.push((inner, 0));
        } else {
            open.pop();
            if !open.is_empty() {
                steps.push(Nest::Close);
            }
        }
    }
    steps
}
