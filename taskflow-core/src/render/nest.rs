//! Groups as opening and closing brackets around nodes.

use super::topo::Lists;
use super::view::View;
use crate::dag::index;

/// One step of writing a plan down as nested boxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nest {
    /// The box of a group begins.
    Open(u32),
    /// A node in the box that was opened last.
    Node(u32),
    /// The box of a group ends.
    Close,
}

/// Every node, each inside the boxes of its groups. Groups without a node are left out.
///
/// A stack instead of recursion: groups may be nested to any depth.
pub(super) fn nested(view: &View<'_>) -> Vec<Nest> {
    let count = view.groups.len();
    let mut used = vec![false; count];
    for group in view.nodes.iter().filter_map(|node| node.group) {
        used[group.index as usize] = true;
    }
    for group in (0..count).rev() {
        if let Some(parent) = view.groups[group].parent {
            used[parent.index as usize] |= used[group];
        }
    }

    // One more list, the last, for what is in no group.
    let outside = index(count);
    let nodes = view.nodes.iter().map(|node| node.group.map_or(outside, |group| group.index)).zip(0..);
    let groups = view.groups.iter().map(|group| group.parent.map_or(outside, |parent| parent.index)).zip(0..);
    let nodes_in = Lists::new(count + 1, nodes);
    let groups_in = Lists::new(count + 1, groups.filter(|(_, group): &(u32, u32)| used[*group as usize]));

    let mut steps = Vec::with_capacity(view.nodes.len() + 2 * count);
    let mut open = vec![(outside, 0)];
    while let Some((group, next)) = open.last_mut() {
        if *next == 0 {
            steps.extend(nodes_in.of(*group).iter().map(|node| Nest::Node(*node)));
        }
        if let Some(&inner) = groups_in.of(*group).get(*next) {
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
