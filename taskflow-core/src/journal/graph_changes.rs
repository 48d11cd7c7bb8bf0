//! What differs between the graph that a run was last run with and the graph of this program.

use std::collections::{BTreeMap, HashSet};

use super::graph::Graph;
use crate::run::GraphChanges;

/// The differences between two graphs of a DAG.
pub(super) fn changes(old: &Graph, new: &Graph) -> GraphChanges {
    let missing = |from: &Graph, of: &Graph| {
        let known: HashSet<&str> = from.nodes.iter().map(|node| &*node.id).collect();
        let missing = of.nodes.iter().filter(|node| !known.contains(&*node.id));
        missing.map(|node| node.id.to_string()).collect::<Vec<_>>()
    };
    let (was, is) = (numbered(old), numbered(new));
    let renumbered = is.iter().filter(|(name, calls)| was.get(*name).is_some_and(|before| before != *calls));
    let renumbered = renumbered.map(|(name, _)| name.clone()).collect();
    GraphChanges { new: missing(old, new), gone: missing(new, old), renumbered }
}

/// How many calls of each function, in each group, have an id that comes of their number.
fn numbered(graph: &Graph) -> BTreeMap<String, u32> {
    let mut calls = BTreeMap::new();
    for node in &graph.nodes {
        let kind = &graph.kinds[node.kind as usize];
        let (group, name) = node.id.rsplit_once('.').map_or(("", &*node.id), |(group, name)| (group, name));
        let is_numbered = name.strip_prefix(&*kind.task).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('_').is_some_and(|number| number.parse::<u32>().is_ok())
        });
        if is_numbered {
            let whole = if group.is_empty() { kind.task.clone() } else { format!("{group}.{}", kind.task) };
            *calls.entry(whole).or_insert(0) += 1;
        }
    }
    calls
}
