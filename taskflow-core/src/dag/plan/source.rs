//! Where a value comes from, and what an edge requires of it.

use std::fmt;

use super::index::NodeIndex;
use crate::task::TriggerRule;

/// Where a value comes from: a node or a parameter of the DAG.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Source(u32);

impl Source {
    const PARAM: u32 = 1 << 31;

    pub(crate) const fn task(node: NodeIndex) -> Self {
        let index = node.as_u32();
        assert!(index < Source::PARAM, "a graph has fewer than 2^31 nodes");
        Source(index)
    }

    pub(in crate::dag) fn param(index: u32) -> Self {
        Source(index | Source::PARAM)
    }

    /// The index of the node, if it is one.
    pub fn as_task(self) -> Option<NodeIndex> {
        (self.0 & Source::PARAM == 0).then_some(NodeIndex::new(self.0))
    }

    /// The index of the parameter, if it is one.
    pub fn as_param(self) -> Option<u32> {
        (self.0 & Source::PARAM != 0).then_some(self.0 & !Source::PARAM)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_param() {
            Some(param) => write!(f, "param {param}"),
            None => write!(f, "task {}", self.0),
        }
    }
}

/// What an edge requires of its upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EdgeKind {
    /// A success.
    Required,
    /// A success or a skip: `Option<T>`.
    Optional,
    /// Any end: `Result<T, Failure>`.
    Outcome,
    /// To be the first success among several: `AnyOf<T>`.
    First,
}

impl EdgeKind {
    /// The trigger rule that the type of the parameter implies.
    pub fn rule(self) -> TriggerRule {
        match self {
            EdgeKind::Required => TriggerRule::AllSuccess,
            EdgeKind::Optional => TriggerRule::NoneFailed,
            EdgeKind::Outcome => TriggerRule::AllDone,
            EdgeKind::First => TriggerRule::OneSuccess,
        }
    }

    /// `required`, `optional`, `outcome` or `first`.
    pub fn name(self) -> &'static str {
        match self {
            EdgeKind::Required => "required",
            EdgeKind::Optional => "optional",
            EdgeKind::Outcome => "outcome",
            EdgeKind::First => "first",
        }
    }
}
