//! The task numbers of a history: which task an entry refers to.
//!
//! Without mapped tasks the number of a task is its place in the graph. The elements of a list get
//! numbers when the list is expanded ([`Entry::Expanded`](crate::run::Entry::Expanded)). A process
//! that resumes a run numbers them anew, after it has repeated the expansions. Numbers are
//! therefore valid for one session only; ids are permanent. The graph of a history contains the
//! elements as ordinary nodes, so its readers need not know about mappings.

use std::collections::HashMap;
use std::sync::Arc;

use super::graph::{Graph, GraphMapping, GraphNode};
use super::history::RunHistory;
use super::task_history::{Place, TaskHistory};
use crate::base::Timestamp;
use crate::base::index::IndexVec;
use crate::dag::{node_id_of, path_of};
use crate::run::{TaskIndex, TaskState};

/// From numbers to places, in the present session of the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// The graph as drawn, if it has mappings.
    base: Option<Arc<Graph>>,
    /// The node and the place of each number. Nodes of templates have no place.
    known: IndexVec<TaskIndex, (u32, Option<u32>)>,
    /// The places of the tasks of the graph.
    places: HashMap<String, u32>,
}

impl Numbers {
    /// The numbers at the beginning of a session, and the graph without the nodes of templates.
    pub(super) fn of(graph: &Arc<Graph>) -> (Self, Arc<Graph>) {
        if graph.mappings.is_empty() {
            return (Numbers::default(), Arc::clone(graph));
        }
        let mut numbers = Numbers { base: Some(Arc::clone(graph)), known: IndexVec::new(), places: HashMap::new() };
        let mut shape = Graph { nodes: Vec::new(), mappings: Vec::new(), result: None, ..(**graph).clone() };
        numbers.restart();
        for (index, node) in (0..).zip(&graph.nodes) {
            if graph.mapping_of(index).is_none() {
                numbers.places.insert(node.id.clone(), shape.nodes.len() as u32);
                shape.nodes.push(GraphNode { inputs: Vec::new(), after: Vec::new(), ..node.clone() });
            }
        }
        numbers.restart();
        for (index, _) in (0..).zip(&graph.nodes) {
            if let Some(place) = numbers.place(TaskIndex::new(index)) {
                numbers.wire(&mut shape, index, place, "");
            }
        }
        shape.result = graph.result.and_then(|result| numbers.place(TaskIndex::new(result))).map(|place| place as u32);
        (numbers, Arc::new(shape))
    }

    /// A session begins: only nodes outside all mappings have numbers.
    pub(super) fn restart(&mut self) {
        let Some(base) = &self.base else { return };
        let place = |index: u32, node: &GraphNode| match base.mapping_of(index) {
            Some(_) => None,
            None => self.places.get(&node.id).copied(),
        };
        self.known = (0..).zip(&base.nodes).map(|(index, node)| (index, place(index, node))).collect();
    }

    /// The place of the task with this number.
    pub(super) fn place(&self, number: TaskIndex) -> Option<usize> {
        match self.base {
            None => Some(number.as_usize()),
            Some(_) => self.known.get(number)?.1.map(|place| place as usize),
        }
    }

    /// The number of each place; `None` if places are numbers.
    pub(super) fn by_place(&self) -> Option<HashMap<u32, TaskIndex>> {
        self.base.as_ref()?;
        let known = self.known.enumerated();
        Some(known.filter_map(|(number, known)| Some((known.1?, number))).collect())
    }

    /// The edges of a node in the element that `path` names: `[3][0]`, or nothing.
    fn wire(&self, shape: &mut Graph, node: u32, place: usize, path: &str) {
        let Some(base) = &self.base else { return };
        let own = base.mapping_of(node);
        let find = |upstream: u32| {
            // The list represents the elements of a mapping further inside until it is expanded.
            let mut seen = upstream;
            while let Some(mapping) = base.mapping_of(seen)
                && !base.is_within(own, Some(mapping))
            {
                seen = base.mappings[mapping as usize].expand;
            }
            let around = prefix(path, base.depth(seen));
            self.places.get(&format!("{}{around}", base.nodes[seen as usize].id)).copied()
        };
        let drawn = &base.nodes[node as usize];
        let inputs = drawn.inputs.iter().filter_map(|&(upstream, rule)| Some((find(upstream)?, rule))).collect();
        let after = drawn.after.iter().filter_map(|&upstream| find(upstream)).collect();
        (shape.nodes[place].inputs, shape.nodes[place].after) = (inputs, after);
    }
}

/// The first `depth` places of a path.
fn prefix(path: &str, depth: usize) -> &str {
    let end = path.match_indices(']').map(|(at, _)| at + 1).take(depth).last();
    &path[..end.unwrap_or(0)]
}

impl RunHistory {
    /// The places of its tasks for display: in the order of the graph, elements at their node.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let mut places: Vec<usize> = (0..self.tasks.len()).collect();
        if let Some(base) = &self.numbers.base {
            let nodes: HashMap<&str, usize> =
                base.nodes.iter().enumerate().map(|(index, node)| (&*node.id, index)).collect();
            let node = |place: usize| nodes.get(node_id_of(&self.tasks[place].id)).copied().unwrap_or(usize::MAX);
            places.sort_by_cached_key(|&place| (node(place), path_of(&self.tasks[place].id), place));
        }
        places
    }

    /// The numbers of the tasks at these places, for entries.
    pub(super) fn numbers_of(&self, places: &[u32]) -> Vec<TaskIndex> {
        match self.numbers.base {
            None => places.iter().map(|&place| TaskIndex::new(place)).collect(),
            Some(_) => {
                let numbers = self.numbers.by_place().unwrap_or_default();
                places.iter().filter_map(|place| numbers.get(place).copied()).collect()
            }
        }
    }

    /// Adds the elements of the list of an expand node.
    pub(super) fn expanded(&mut self, at: Timestamp, number: TaskIndex, count: u32) -> Option<()> {
        let base = Arc::clone(self.numbers.base.as_ref()?);
        let (node, place) = *self.numbers.known.get(number)?;
        let place = place? as usize;
        let (index, mapping) = (0..).zip(&base.mappings).find(|(_, mapping)| mapping.expand == node)?;
        let path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        let mut gone: HashMap<String, TaskHistory> =
            self.tasks.split_off(self.shape.nodes.len()).into_iter().map(|task| (task.id.clone(), task)).collect();
        // Its elements, if it has any, are those of another list. A session that begins repeats
        // what is kept.
        let (renews, events) = (self.tasks[place].state == TaskState::Running, self.events.len() as u64);
        let shape = Arc::make_mut(&mut self.shape);
        let collectors = collectors(&base, mapping);
        for element in 0..count {
            let path = format!("{path}[{element}]");
            let mut fresh = Vec::new();
            for &node in &mapping.nodes {
                let id = format!("{}{path}", base.nodes[node as usize].id);
                let place = match self.numbers.places.get(&id) {
                    Some(&place) => {
                        if renews {
                            self.tasks[place as usize].renew(events);
                        }
                        place
                    }
                    None => {
                        let place = shape.nodes.len() as u32;
                        let drawn = base.nodes[node as usize].clone();
                        shape.nodes.push(GraphNode { id: id.clone(), inputs: Vec::new(), after: Vec::new(), ..drawn });
                        let mut task = gone.remove(&id).map_or_else(|| TaskHistory::new(&id), TaskHistory::back);
                        if renews {
                            task.renew(events);
                        }
                        self.tasks.push(task);
                        self.numbers.places.insert(id, place);
                        fresh.push((node, place));
                        place
                    }
                };
                if self.tasks[place as usize].state == TaskState::Removed {
                    self.tasks[place as usize].settle(at, TaskState::None);
                }
                self.numbers.known.push((node, Some(place)));
            }
            for &(node, place) in &fresh {
                self.numbers.wire(shape, node, place as usize, &path);
            }
            self.numbers.feed_collectors(shape, &base, mapping, &collectors, &fresh, &path);
        }
        // The list may have become shorter.
        let mut left_out = count;
        while mapping.nodes.iter().any(|&node| {
            let id = format!("{}{path}[{left_out}]", base.nodes[node as usize].id);
            self.numbers.places.contains_key(&id)
        }) {
            let ending = format!("{path}[{left_out}]");
            for (node, drawn) in (0..).zip(&base.nodes) {
                if !base.is_within(base.mapping_of(node), Some(index)) {
                    continue;
                }
                let start = format!("{}{ending}", drawn.id);
                for task in self.tasks.iter_mut().filter(|task| task.id.starts_with(&start)) {
                    task.settle(at, TaskState::Removed);
                }
            }
            left_out += 1;
        }
        self.tasks[place].length = Some(count);
        let mut gone: Vec<TaskHistory> = gone.into_values().collect();
        gone.sort_by(|one, other| one.id.cmp(&other.id));
        self.tasks.extend(gone);
        Some(())
    }
}

impl RunHistory {
    /// The graph as drawn: with templates instead of elements.
    pub(super) fn drawn(&self) -> &Graph {
        self.numbers.base.as_ref().unwrap_or(&self.shape)
    }

    /// The stored value that the list of an expand node is taken from; nothing for other tasks.
    pub(super) fn list_of(&self, number: TaskIndex) -> Option<Place> {
        self.numbers.base.as_ref()?;
        let place = self.numbers.place(number)?;
        self.tasks.get(place)?.length?;
        let inputs = self.shape.nodes.get(place)?.inputs.iter();
        let (upstream, _) = inputs.into_iter().find(|(_, edge)| !edge.is_without_value())?;
        self.tasks.get(*upstream as usize)?.source().cloned()
    }

    /// Sets the labels of the elements of a list.
    pub(super) fn labelled(&mut self, number: TaskIndex, labels: Vec<String>) -> Option<()> {
        let base = Arc::clone(self.numbers.base.as_ref()?);
        let (node, place) = *self.numbers.known.get(number)?;
        let place = place? as usize;
        let mapping = base.mappings.iter().find(|mapping| mapping.expand == node)?;
        let path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        for (element, label) in labels.iter().enumerate() {
            for &node in &mapping.nodes {
                let id = format!("{}{path}[{element}]", base.nodes[node as usize].id);
                if let Some(&place) = self.numbers.places.get(&id) {
                    self.tasks[place as usize].label = Some(label.clone());
                }
            }
        }
        self.tasks[place].labels = Some(labels.into());
        Some(())
    }
}

impl Numbers {
    /// Connects the tasks that take the values of all elements to the new nodes of one more
    /// element: pairs of node and place. Nodes that were there before are connected already.
    fn feed_collectors(
        &self,
        shape: &mut Graph,
        base: &Graph,
        mapping: &GraphMapping,
        collectors: &[u32],
        fresh: &[(u32, u32)],
        path: &str,
    ) {
        if fresh.is_empty() {
            return;
        }
        let around = prefix(path, base.depth(mapping.expand));
        let place = |upstream: u32| fresh.iter().find(|&&(node, _)| node == upstream).map(|&(_, place)| place);
        for &node in collectors {
            let drawn = &base.nodes[node as usize];
            let Some(&collector) = self.places.get(&format!("{}{around}", drawn.id)) else { continue };
            let GraphNode { inputs, after, .. } = &mut shape.nodes[collector as usize];
            let (inputs_before, after_before) = (inputs.len(), after.len());
            for edge in drawn.inputs.iter().filter_map(|&(upstream, rule)| Some((place(upstream)?, rule))) {
                if !inputs[inputs_before..].contains(&edge) {
                    inputs.push(edge);
                }
            }
            for upstream in drawn.after.iter().filter_map(|&upstream| place(upstream)) {
                if !after[after_before..].contains(&upstream) {
                    after.push(upstream);
                }
            }
        }
    }
}

/// The nodes that take the values of all elements of a mapping.
fn collectors(base: &Graph, mapping: &GraphMapping) -> Vec<u32> {
    let is_inside = |upstream: &u32| mapping.nodes.binary_search(upstream).is_ok();
    let takes = |node: &GraphNode| {
        node.inputs.iter().any(|(upstream, _)| is_inside(upstream)) || node.after.iter().any(is_inside)
    };
    let found = (0..).zip(&base.nodes).filter(|&(node, drawn)| takes(drawn) && base.mapping_of(node) == mapping.parent);
    found.map(|(node, _)| node).collect()
}
