//! A part of a graph: what `--only` and `--from` run.

use super::plan::{NodeIndex, Plan};
use crate::base::index::IndexVec;
use crate::base::{ErrorKind, nearest};

/// Which nodes of a plan take part in a run; the others are `removed` from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(IndexVec<NodeIndex, bool>);

impl Selection {
    /// The task and everything upstream of it that it needs.
    ///
    /// # Errors
    ///
    /// If the plan has no such task; the message suggests the most similar id.
    pub fn only(plan: &Plan, task: &str) -> Result<Self, SelectionError> {
        let mut selected = IndexVec::from(vec![false; plan.len()]);
        selected[find(plan, task)?] = true;
        Ok(Selection::with_upstreams(plan, selected))
    }

    /// The task, everything downstream of it, and everything upstream that these need.
    ///
    /// # Errors
    ///
    /// If the plan has no such task; the message suggests the most similar id.
    pub fn from(plan: &Plan, task: &str) -> Result<Self, SelectionError> {
        let mut selected = IndexVec::from(vec![false; plan.len()]);
        let mut open = vec![find(plan, task)?];
        while let Some(node) = open.pop() {
            if !std::mem::replace(&mut selected[node], true) {
                let below = plan.successors(node).iter().map(|&join| plan.join(join).node);
                open.extend(below);
            }
        }
        Ok(Selection::with_upstreams(plan, selected))
    }

    fn with_upstreams(plan: &Plan, mut selected: IndexVec<NodeIndex, bool>) -> Self {
        let mut open: Vec<NodeIndex> =
            selected.enumerated().filter_map(|(node, &taken)| taken.then_some(node)).collect();
        while let Some(node) = open.pop() {
            // A setup that takes part is torn down, even if not all of the work does.
            let own = plan.teardowns_of(node).iter().map(|&(_, teardown)| teardown);
            let is_teardown = plan.node_options(node).teardown.is_some();
            let work = if is_teardown { plan.orders(node) } else { &[] };
            let is_work =
                |upstream: &NodeIndex| work.iter().chain(plan.rest_of_work(node)).any(|(known, _)| known == upstream);
            // An element waits for its list, also if it does not take it.
            let list = plan.place(node).mapping.map(|mapping| plan.mapping(mapping).expand);
            for next in plan.upstreams(node).filter(|upstream| !is_work(upstream)).chain(own).chain(list) {
                if !std::mem::replace(&mut selected[next], true) {
                    open.push(next);
                }
            }
        }
        Selection(selected)
    }

    /// These nodes, in the order of the plan.
    pub(crate) fn of(taken: IndexVec<NodeIndex, bool>) -> Self {
        Selection(taken)
    }

    /// Whether the node takes part.
    pub fn contains(&self, node: NodeIndex) -> bool {
        self.0.get(node).copied().unwrap_or(false)
    }
}

fn find(plan: &Plan, task: &str) -> Result<NodeIndex, SelectionError> {
    plan.find(task).ok_or_else(|| {
        let nearest = nearest(task, plan.nodes().map(super::plan::Node::id)).map(str::to_owned);
        SelectionError { dag: plan.id().to_owned(), task: task.to_owned(), nearest }
    })
}

/// An unknown task.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("DAG `{dag}` has no task `{task}`{}", nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
pub struct SelectionError {
    dag: String,
    task: String,
    nearest: Option<String>,
}

impl SelectionError {
    /// The class of the error: always [`ErrorKind::NotFound`].
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::NotFound
    }
}
