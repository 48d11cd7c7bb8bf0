//! Scopes: what is drawn between a setup and its teardown.

use std::ops::Range;
use std::panic::Location;

use super::{Draft, Gate, Handle, with_draft};
use crate::dag::error::BuildError;
use crate::dag::plan::{ClusterIndex, ClusterKind, NodeIndex, Teardown};

/// A scope that has been drawn.
#[derive(Clone, Debug)]
pub(in crate::dag) struct ScopeDraft {
    pub(in crate::dag) setup: NodeIndex,
    /// The nodes of its work, and of scopes inside.
    pub(in crate::dag) body: Range<NodeIndex>,
    /// The nodes of its teardown.
    pub(in crate::dag) teardown: Range<NodeIndex>,
}

/// A scope that is being drawn, until this is dropped.
pub(in crate::dag) struct OpenScope {
    /// `None` where the setup was none: that has been reported.
    setup: Option<NodeIndex>,
    body: Range<NodeIndex>,
    /// Whether the teardown is being drawn; else it is the body.
    tears_down: bool,
    /// What was open around it.
    outer: (Option<Gate>, Option<Teardown>, Option<ClusterIndex>),
}

/// Opens a scope; what is drawn from now on is its body.
pub(in crate::dag) fn open_scope(setup: Handle, at: &'static Location<'static>) -> Option<OpenScope> {
    with_draft(|draft| {
        let setup = match draft.task_of(setup, at).and_then(|setup| draft.check_setup(setup, at)) {
            Ok(setup) => Some(setup),
            Err(error) => {
                draft.errors.push(error);
                None
            }
        };
        let first = draft.nodes.next_index();
        let outer = (draft.open_gate, draft.open_teardown, draft.open_cluster);
        if let Some(node) = setup {
            draft.open_cluster_from(node, ClusterKind::Scope(node));
            draft.open_gate = Some(Gate { node, first });
        }
        OpenScope { setup, body: first..first, tears_down: false, outer }
    })
}

impl OpenScope {
    /// What is drawn from now on is the teardown.
    pub(in crate::dag) fn tear_down(&mut self) {
        with_draft(|draft| {
            let first = draft.nodes.next_index();
            self.body.end = first;
            self.tears_down = true;
            draft.open_gate = self.setup.map(|node| Gate { node, first }).or(draft.open_gate);
            draft.open_teardown = Some(Teardown::Quiet);
        });
    }
}

impl Drop for OpenScope {
    /// Leaves the scope, also when what draws it panics.
    fn drop(&mut self) {
        with_draft(|draft| {
            (draft.open_gate, draft.open_teardown, draft.open_cluster) = self.outer;
            if let (Some(setup), true) = (self.setup, self.tears_down) {
                let teardown = self.body.end..draft.nodes.next_index();
                draft.scopes.push(ScopeDraft { setup, body: self.body.clone(), teardown });
            }
        });
    }
}

/// A failure of this teardown is one of the run.
pub(in crate::dag) fn fails_run(teardown: Handle, at: &'static Location<'static>) {
    with_draft(|draft| match draft.task_of(teardown, at) {
        Ok(task) => {
            let node = &mut draft.nodes[task];
            match &mut node.teardown {
                Some(teardown) => *teardown = Teardown::FailsRun,
                None => draft.errors.push(BuildError::NoTeardown { task: node.def.id.to_owned(), at: at.into() }),
            }
        }
        Err(error) => draft.errors.push(error),
    });
}

impl Draft {
    /// A setup must live where its scope does: a scope inside an arm, an element or another scope
    /// could end without it, or with it, as often as it is there.
    fn check_setup(&self, setup: NodeIndex, at: &'static Location<'static>) -> Result<NodeIndex, BuildError> {
        let node = &self.nodes[setup];
        let task = || node.def.id.to_owned();
        let is_around = |gate: Gate| setup < gate.first;
        if node.mapping != self.open_mapping || self.open_gate.is_some_and(is_around) {
            return Err(BuildError::SetupElsewhere { task: task(), at: at.into() });
        }
        if self.scopes.iter().any(|scope| scope.setup == setup) {
            return Err(BuildError::SetupOfTwo { task: task(), at: at.into() });
        }
        Ok(setup)
    }
}
