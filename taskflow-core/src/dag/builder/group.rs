//! Groups: boxes around nodes.

use std::panic::Location;
use std::time::Duration;

use super::{Draft, GroupDraft, Handle, with_draft};
use crate::dag::def::DagDef;
use crate::dag::error::BuildError;
use crate::dag::plan::{ClusterIndex, ClusterKind, GroupIndex, NodeIndex};
use crate::task::TriggerRule;

/// The options of a group.
pub(in crate::dag) struct GroupWish {
    pub(in crate::dag) name: String,
    pub(in crate::dag) concurrency: Option<u32>,
    pub(in crate::dag) after: Vec<Handle>,
    pub(in crate::dag) rule: Option<TriggerRule>,
    pub(in crate::dag) retries: u32,
    pub(in crate::dag) retry_delay: Duration,
    /// The DAG that is drawn in it.
    pub(in crate::dag) dag: Option<&'static DagDef>,
}

/// A group that is being drawn, until this is dropped.
pub(in crate::dag) struct OpenGroup {
    group: GroupIndex,
    outer: Option<GroupIndex>,
    outer_cluster: Option<ClusterIndex>,
}

/// Opens a group: the nodes drawn from now on are in it. `None` outside a `#[dag]` function.
pub(in crate::dag) fn open_group(wish: GroupWish, at: &'static Location<'static>) -> Option<OpenGroup> {
    let GroupWish { name, concurrency, after, rule, retries, retry_delay, dag } = wish;
    with_draft(|draft| {
        let (outer, group, first) = (draft.open_group, draft.groups.next_index(), draft.nodes.next_index());
        let upstreams: Vec<Result<NodeIndex, BuildError>> = after.iter().map(|&node| draft.task_of(node, at)).collect();
        let (mut after, mut mistakes) = (Vec::new(), Vec::new());
        for upstream in upstreams {
            match upstream {
                Ok(upstream) => after.push(upstream),
                Err(mistake) => mistakes.push(mistake),
            }
        }
        if concurrency == Some(0) {
            mistakes.push(BuildError::NoConcurrency { at: at.into() });
        }
        if rule.is_some() && after.is_empty() && mistakes.is_empty() {
            mistakes.push(BuildError::GroupRule { group: name.clone(), at: at.into() });
        }
        draft.errors.append(&mut mistakes);
        let nodes = first..first;
        let parent = outer;
        draft.groups.push(GroupDraft { name, parent, concurrency, after, rule, retries, retry_delay, dag, nodes, at });
        draft.open_group = Some(group);
        let outer_cluster = draft.open_cluster(ClusterKind::Group(group));
        OpenGroup { group, outer, outer_cluster }
    })
}

/// Whether this DAG is being drawn on this thread, by itself or inside another one.
pub(in crate::dag) fn draws(def: &'static DagDef) -> bool {
    let draws = |draft: &mut Draft| {
        let parent = |&group: &GroupIndex| draft.groups[group].parent;
        let around = std::iter::successors(draft.open_group, parent);
        let inside = around.into_iter().any(|group| draft.groups[group].dag.is_some_and(|dag| std::ptr::eq(dag, def)));
        inside || draft.dag.is_some_and(|dag| std::ptr::eq(dag, def))
    };
    with_draft(draws).unwrap_or(false)
}

impl Drop for OpenGroup {
    /// Leaves the group, also when what draws it panics.
    fn drop(&mut self) {
        with_draft(|draft| {
            (draft.open_group, draft.open_cluster) = (self.outer, self.outer_cluster);
            let end = draft.nodes.next_index();
            if let Some(group) = draft.groups.get_mut(self.group) {
                group.nodes.end = end;
            }
        });
    }
}
