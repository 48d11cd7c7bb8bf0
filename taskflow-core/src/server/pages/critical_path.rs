//! When the tasks of a run could have started, and which of them decided when it ended.

use std::collections::{HashMap, HashSet};

use crate::base::Timestamp;
use crate::journal::{GraphNode, RunHistory, TaskHistory};

/// What the tasks of a run waited for before they started.
#[derive(Debug, Default)]
pub(crate) struct CriticalPath<'h> {
    /// When all upstreams of a task had ended, by its id.
    ready: HashMap<&'h str, Timestamp>,
    /// The tasks on the critical path: the one that ended last, of its upstreams the one that ended
    /// last, and so on.
    path: HashSet<&'h str>,
}

impl<'h> CriticalPath<'h> {
    pub(crate) fn of(history: &'h RunHistory) -> CriticalPath<'h> {
        let tasks = &history.tasks;
        let started = history.started().unwrap_or(history.created);
        let upstreams = |place: usize| {
            let node = history.shape.nodes.get(place);
            node.into_iter().flat_map(GraphNode::upstreams).map(|upstream| upstream as usize)
        };
        let last = |places: &mut dyn Iterator<Item = usize>| {
            places.filter_map(|place| Some((end(tasks.get(place)?)?, place))).max()
        };
        let mut ready = HashMap::new();
        for (place, task) in tasks.iter().enumerate().filter(|(_, task)| !task.attempts.is_empty()) {
            let after = last(&mut upstreams(place)).map_or(started, |(end, _)| end);
            ready.insert(&*task.id, after.max(started));
        }
        let mut path = HashSet::new();
        let has_run = |place: &usize| !tasks[*place].attempts.is_empty();
        let mut next = last(&mut (0..tasks.len()).filter(has_run)).map(|(_, place)| place);
        // Edges form no cycle; the set guards against a damaged graph.
        while let Some(place) = next.filter(|&place| path.insert(&*tasks[place].id)) {
            next = last(&mut upstreams(place)).map(|(_, place)| place);
        }
        CriticalPath { ready, path }
    }

    /// When all upstreams of a task had ended.
    pub(crate) fn ready(&self, task: &str) -> Option<Timestamp> {
        self.ready.get(task).copied()
    }

    /// Whether a task is on the critical path. A path of one task says nothing.
    pub(crate) fn has(&self, task: &str) -> bool {
        self.path.len() > 1 && self.path.contains(task)
    }
}

/// When a task ended; a task that never ran has decided nothing.
fn end(task: &TaskHistory) -> Option<Timestamp> {
    task.attempts.last()?.ended
}
