//! Arms of branches: what is drawn inside one runs only if it is taken.

use super::{Draft, Handle, index, with_draft};
use crate::dag::branch::InArm;

/// What is drawn until the guard is dropped belongs to the arm whose node this is; without one, to none.
pub(in crate::dag) fn enter(arm: Option<Handle>) -> InArm {
    let gate = arm.and_then(|arm| arm.source.as_task());
    let before = with_draft(|draft| std::mem::replace(&mut draft.open_gate, gate));
    InArm::new(arm, before.flatten())
}

/// The end of [`enter`].
pub(in crate::dag) fn leave(arm: Option<Handle>, before: Option<u32>) {
    with_draft(|draft| {
        if let Some(gate) = arm.and_then(|arm| arm.source.as_task()) {
            draft.arms.push((gate, index(draft.nodes.len())));
        }
        draft.open_gate = before;
    });
}

/// Whether a value is made in this arm, which has been drawn: then it is there only if the arm is taken.
pub(in crate::dag) fn is_in_arm(arm: Handle, value: Handle) -> bool {
    let within = |draft: &mut Draft| {
        let gate = arm.source.as_task()?;
        let &(_, end) = draft.arms.iter().rev().find(|&&(known, _)| known == gate)?;
        Some(draft.is_within(gate, end, value))
    };
    with_draft(within).flatten().unwrap_or(false)
}

impl Draft {
    /// Whether a value comes from the node of an arm, or from one drawn after it and before `end`.
    pub(super) fn is_within(&self, gate: u32, end: u32, from: Handle) -> bool {
        from.scope == self.scope && from.source.as_task().is_some_and(|task| (gate..end).contains(&task))
    }
}
