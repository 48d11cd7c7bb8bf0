//! Arms of branches: nodes inside an arm run only if it is taken.

use super::{Draft, Gate, Handle, with_draft};
use crate::dag::branch::InArm;
use crate::dag::plan::{ClusterIndex, ClusterKind, NodeIndex};

/// What was open before an arm was entered.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dag) struct Before {
    gate: Option<Gate>,
    cluster: Option<ClusterIndex>,
}

/// What is drawn until the guard is dropped belongs to the arm whose node this is; without one, to
/// none.
pub(in crate::dag) fn enter(arm: Option<Handle>) -> InArm {
    let gate = arm.and_then(|arm| arm.source.as_task()).map(|node| Gate { node, first: node });
    let before = with_draft(|draft| Before {
        gate: std::mem::replace(&mut draft.open_gate, gate),
        cluster: match gate {
            Some(Gate { node, .. }) => draft.open_cluster_from(node, ClusterKind::Arm(node)),
            None => draft.open_cluster,
        },
    });
    InArm::new(arm, before.unwrap_or_default())
}

/// The end of [`enter`].
pub(in crate::dag) fn leave(arm: Option<Handle>, before: Before) {
    with_draft(|draft| {
        if let Some(gate) = arm.and_then(|arm| arm.source.as_task()) {
            draft.arms.push((gate, draft.nodes.next_index()));
        }
        (draft.open_gate, draft.open_cluster) = (before.gate, before.cluster);
    });
}

/// Whether a value is made in this arm, which has been drawn: then it is there only if the arm is
/// taken.
pub(in crate::dag) fn is_in_arm(arm: Handle, value: Handle) -> bool {
    let within = |draft: &mut Draft| {
        let gate = arm.source.as_task()?;
        let &(_, end) = draft.arms.iter().rev().find(|&&(known, _)| known == gate)?;
        Some(draft.is_within(Gate { node: gate, first: gate }, end, value))
    };
    with_draft(within).flatten().unwrap_or(false)
}

impl Draft {
    /// Whether a value comes from a gate, or from what was drawn behind it and before `end`.
    pub(super) fn is_within(&self, gate: Gate, end: NodeIndex, from: Handle) -> bool {
        let is_behind = |task| task == gate.node || (gate.first..end).contains(&task);
        from.scope == self.scope && from.source.as_task().is_some_and(is_behind)
    }
}
