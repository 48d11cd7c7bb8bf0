//! Selects tasks of a stored run.

use std::collections::HashSet;

use super::error::JournalError;
use super::graph::Graph;
use super::history::RunHistory;
use super::task_history::TaskHistory;
use crate::run::TaskState;

/// Selects tasks of a stored run: by id, by group, by state, with their upstream or downstream
/// tasks.
///
/// ```
/// # use taskflow::journal::TaskFilter;
/// // What failed, and everything that depends on it.
/// let failed = TaskFilter::all().failed().downstream();
/// // One task alone.
/// let load = TaskFilter::tasks(["load"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "a filter does nothing until it is passed to an operation"]
pub struct TaskFilter {
    names: Vec<String>,
    failed: bool,
    upstream: bool,
    downstream: bool,
}

impl TaskFilter {
    /// Every task.
    pub fn all() -> Self {
        TaskFilter::default()
    }

    /// These tasks, and the tasks of these groups. A task inside an `each` means all its
    /// elements; `area[3]` is one.
    pub fn tasks(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        TaskFilter { names: names.into_iter().map(Into::into).collect(), ..TaskFilter::default() }
    }

    /// Keeps those that failed, did not run because another task failed, or were stopped with their
    /// run.
    pub fn failed(mut self) -> Self {
        self.failed = true;
        self
    }

    /// Adds everything upstream of them.
    pub fn upstream(mut self) -> Self {
        self.upstream = true;
        self
    }

    /// Adds everything downstream of them.
    pub fn downstream(mut self) -> Self {
        self.downstream = true;
        self
    }

    /// The numbers of the tasks, in the order of the graph. Tasks that are not part of the run are
    /// left out.
    pub(super) fn of(&self, history: &RunHistory) -> Result<Vec<u32>, JournalError> {
        let graph = &*history.shape;
        let mut picked = vec![self.names.is_empty(); graph.nodes.len()];
        if !self.names.is_empty() {
            let names: HashSet<&str> = self.names.iter().map(|name| &**name).collect();
            let groups = named_groups(graph, &names);
            let mut found: HashSet<&str> = HashSet::new();
            let mut filled = vec![false; groups.len()];
            for (node, picked) in graph.nodes.iter().zip(&mut picked) {
                for name in ids_of(&node.id).filter_map(|id| names.get(id)) {
                    *picked = true;
                    found.insert(name);
                }
                if let Some(group) = node.group {
                    filled[group as usize] = true;
                    *picked |= groups[group as usize];
                }
            }
            // A group comes after the group around it.
            for (group, (id, parent)) in graph.groups.iter().enumerate().rev() {
                if let (true, Some(parent)) = (filled[group], parent) {
                    filled[*parent as usize] = true;
                }
                if filled[group] {
                    found.extend(names.get(&**id));
                }
            }
            for name in self.names.iter().filter(|name| !found.contains(&***name)) {
                history.place(name)?;
            }
        }
        if self.failed {
            picked.iter_mut().zip(&history.tasks).for_each(|(picked, task)| *picked &= has_failed(task));
        }
        let chosen = picked.clone();
        if self.downstream {
            let below = graph.successors();
            let mut open: Vec<u32> = (0..).zip(&chosen).filter_map(|(node, &chosen)| chosen.then_some(node)).collect();
            while let Some(node) = open.pop() {
                for &next in below.of(node) {
                    if !std::mem::replace(&mut picked[next as usize], true) {
                        open.push(next);
                    }
                }
            }
        }
        if self.upstream {
            let mut open: Vec<u32> = (0..).zip(&chosen).filter_map(|(node, &chosen)| chosen.then_some(node)).collect();
            while let Some(node) = open.pop() {
                let node = &graph.nodes[node as usize];
                for upstream in node.upstreams() {
                    if !std::mem::replace(&mut picked[upstream as usize], true) {
                        open.push(upstream);
                    }
                }
            }
        }
        let takes_part = |node: &u32| history.tasks[*node as usize].state != TaskState::Removed;
        let order = history.in_order().map(|place| place as u32);
        Ok(order.filter(|&node| picked.get(node as usize) == Some(&true)).filter(takes_part).collect())
    }
}

/// Whether a retry of the run would run the task again.
fn has_failed(task: &TaskHistory) -> bool {
    match task.state {
        TaskState::Failed | TaskState::UpstreamFailed | TaskState::Cancelled => true,
        TaskState::Skipped => task.by_halt,
        _ => false,
    }
}

/// The names that select a task by its id: itself, and the mapped tasks that it is an element of.
fn ids_of(id: &str) -> impl Iterator<Item = &str> {
    id.match_indices('[').map(|(end, _)| &id[..end]).chain([id])
}

/// For each group whether it is named, or within one that is.
fn named_groups(graph: &Graph, names: &HashSet<&str>) -> Vec<bool> {
    let mut named: Vec<bool> = Vec::with_capacity(graph.groups.len());
    for (id, parent) in &graph.groups {
        named.push(names.contains(&**id) || parent.is_some_and(|parent| named[parent as usize]));
    }
    named
}
