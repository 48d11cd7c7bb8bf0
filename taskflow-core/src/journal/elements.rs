//! The task numbers of a history: which task an entry refers to.
//!
//! Without mapped tasks the number of a task is its place in the graph. The elements of a list get
//! numbers when the list is expanded ([`Entry::Expanded`](crate::run::Entry::Expanded)). A process
//! that resumes a run numbers them anew, after it has repeated the expansions. Numbers are
//! therefore valid for one session only; ids are permanent. The graph of a history contains the
//! elements as ordinary nodes, so its readers need not know about mappings.

use std::collections::HashMap;
use std::sync::Arc;

use super::drawn::Drawn;
use super::graph::{Graph, GraphNode};
use super::history::RunHistory;
use super::id_index::IdIndex;
use super::steps;
use super::task_history::{Place, TaskHistory};
use crate::base::Timestamp;
use crate::base::index::IndexVec;
use crate::dag::node_id_of;
use crate::run::{TaskIndex, TaskState, within};

/// From numbers to places, in the present session of the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// The graph as drawn, if it has mappings.
    base: Option<Arc<Drawn>>,
    /// The node and the place of each number. Nodes of templates have no place.
    known: IndexVec<TaskIndex, (u32, Option<u32>)>,
    /// The places of the tasks of the graph.
    places: IdIndex,
}

impl Numbers {
    /// The numbers at the beginning of a session, and the graph without the nodes of templates.
    pub(super) fn of(graph: &Arc<Graph>) -> (Self, Arc<Graph>) {
        if graph.mappings.is_empty() {
            let places = IdIndex::of(graph.nodes.len(), |place| &graph.nodes[place as usize].id);
            return (Numbers { places, ..Numbers::default() }, Arc::clone(graph));
        }
        let base = Arc::new(Drawn::new(graph));
        let mut shape = Graph { nodes: Vec::new(), mappings: Vec::new(), result: None, ..(**graph).clone() };
        let outside = (0..graph.nodes.len() as u32).filter(|&node| base.mapping_of(node).is_none());
        shape.nodes.extend(outside.map(|node| base.copy(node, base.id(node, ""))));
        let places = IdIndex::of(shape.nodes.len(), |place| &shape.nodes[place as usize].id);
        let mut numbers = Numbers { base: Some(base), known: IndexVec::new(), places };
        numbers.restart();
        for (index, _) in (0..).zip(&graph.nodes) {
            if let Some(place) = numbers.place(TaskIndex::new(index)) {
                numbers.wire(&mut shape, index, place, "");
            }
        }
        shape.result = graph.result.and_then(|result| numbers.place(TaskIndex::new(result))).map(|place| place as u32);
        (numbers, Arc::new(shape))
    }

    /// The graph as drawn, of which `shape` is the one with the elements.
    pub(super) fn drawn<'a>(&'a self, shape: &'a Graph) -> &'a Graph {
        self.base.as_ref().map_or(shape, |drawn| drawn)
    }

    /// A session begins: only nodes outside all mappings have numbers.
    pub(super) fn restart(&mut self) {
        let Some(base) = &self.base else { return };
        steps::count(base.nodes.len());
        // The nodes outside all mappings have the first places, in their order.
        let mut places = 0..;
        let mut place = |node: u32| if base.mapping_of(node).is_none() { places.next() } else { None };
        self.known = (0..base.nodes.len() as u32).map(|node| (node, place(node))).collect();
    }

    /// The place of the task with this number.
    pub(super) fn place(&self, number: TaskIndex) -> Option<usize> {
        match self.base {
            None => Some(number.as_usize()),
            Some(_) => self.known.get(number)?.1.map(|place| place as usize),
        }
    }

    /// How many tasks have a number.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// The numbers from this one on.
    pub(super) fn from(&self, number: usize) -> impl Iterator<Item = TaskIndex> + '_ {
        self.known.enumerated().skip(number).map(|(number, _)| number)
    }

    /// The number of each place; `None` if places are numbers.
    pub(super) fn by_place(&self) -> Option<HashMap<u32, TaskIndex>> {
        self.base.as_ref()?;
        let known = self.known.enumerated();
        steps::count(self.known.len());
        Some(known.filter_map(|(number, known)| Some((known.1?, number))).collect())
    }

    /// The edges of a node in the element that `path` names: `[3][0]`, or nothing.
    fn wire(&self, shape: &mut Graph, node: u32, place: usize, path: &str) {
        let Some(base) = &self.base else { return };
        let own = base.mapping_of(node);
        let mut id = String::new();
        let mut find = |upstream: u32| {
            // The list represents the elements of a mapping further inside until it is expanded.
            let mut seen = upstream;
            while let Some(mapping) = base.mapping_of(seen)
                && !base.is_within(own, Some(mapping))
            {
                seen = base.mappings[mapping as usize].expand;
            }
            id.clear();
            id.push_str(&base.nodes[seen as usize].id);
            id.push_str(prefix(path, base.depth(seen)));
            self.places.get(&id, |place| &shape.nodes[place as usize].id)
        };
        let drawn = &base.nodes[node as usize];
        steps::count(drawn.inputs.len() + drawn.after.len());
        let mut inputs = Vec::with_capacity(drawn.inputs.len());
        inputs.extend(drawn.inputs.iter().filter_map(|&(upstream, rule)| Some((find(upstream)?, rule))));
        let mut after = Vec::with_capacity(drawn.after.len());
        after.extend(drawn.after.iter().filter_map(|&upstream| find(upstream)));
        (shape.nodes[place].inputs, shape.nodes[place].after) = (inputs, after);
    }
}

/// The elements that an id names: 3 and 0 of `read[3][0]`.
fn elements_of(id: &str) -> impl Iterator<Item = u32> + '_ {
    id.split('[').skip(1).map(|element| element.trim_end_matches(']').parse().unwrap_or(u32::MAX))
}

/// The first `depth` places of a path.
fn prefix(path: &str, depth: usize) -> &str {
    let end = path.match_indices(']').map(|(at, _)| at + 1).take(depth).last();
    &path[..end.unwrap_or(0)]
}

impl RunHistory {
    /// The place of the task with this id.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        let place = self.numbers.places.get(id, |place| &self.tasks[place as usize].id).map(|place| place as usize);
        // Those that the graph no longer has lie behind, in the order of their ids.
        place.or_else(|| {
            let behind = self.shape.nodes.len();
            let found = self.tasks[behind..].binary_search_by(|task| (*task.id).cmp(id));
            found.ok().map(|at| behind + at)
        })
    }

    /// Takes the tasks that the graph no longer has from the list of tasks, which may grow then.
    pub(super) fn take_gone(&mut self) {
        let gone = self.tasks.drain(self.shape.nodes.len()..);
        steps::count(gone.len());
        self.gone.extend(gone.map(|task| (task.id.clone(), task)));
    }

    /// Puts the tasks that the graph no longer has at the end of the list of tasks.
    pub(super) fn put_back_gone(&mut self) {
        let gone = std::mem::take(&mut self.gone).into_values();
        // Entries in between can have found some in the list.
        self.tasks.extend(gone);
        self.tasks[self.shape.nodes.len()..].sort_by(|one, other| one.id.cmp(&other.id));
    }

    /// The places of its tasks for display: in the order of the graph, elements at their node.
    pub(crate) fn in_order(&self) -> Vec<usize> {
        let Some(base) = &self.numbers.base else { return (0..self.tasks.len()).collect() };
        let nodes: HashMap<&str, usize> =
            base.nodes.iter().enumerate().map(|(index, node)| (&*node.id, index)).collect();
        let mut of_node: Vec<Vec<usize>> = vec![Vec::new(); base.nodes.len() + 1];
        for (place, task) in self.tasks.iter().enumerate() {
            // Those that the graph no longer has come last.
            of_node[nodes.get(node_id_of(&task.id)).copied().unwrap_or(base.nodes.len())].push(place);
        }
        let path = |place: &usize| elements_of(&self.tasks[*place].id);
        for places in &mut of_node {
            // Nearly always they are in order: the elements of a list are added one after the
            // other.
            if !places.is_sorted_by(|one, other| path(one).le(path(other))) {
                places.sort_by_cached_key(|place| (path(place).collect::<Vec<u32>>(), *place));
            }
        }
        of_node.concat()
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
        let (index, mapping) = base.expanded_by(node)?;
        let path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        self.take_gone();
        // Its elements, if it has any, are those of another list. A session that begins repeats
        // what is kept.
        let (renews, events) = (self.tasks[place].state == TaskState::Running, self.events.len() as u64);
        let shape = Arc::make_mut(&mut self.shape);
        let outer = self.tasks[place].label.clone();
        let mut fresh = Vec::new();
        for element in 0..count {
            let path = format!("{path}[{element}]");
            fresh.clear();
            for &node in &mapping.nodes {
                let id = base.id(node, &path);
                let place = match self.numbers.places.get(&id, |place| &shape.nodes[place as usize].id) {
                    Some(place) => {
                        if renews {
                            self.tasks[place as usize].renew(events);
                        }
                        place
                    }
                    None => {
                        let place = shape.nodes.len() as u32;
                        let mut task = self.gone.remove(&id).map_or_else(|| TaskHistory::new(&id), TaskHistory::back);
                        if renews {
                            task.renew(events);
                        }
                        self.tasks.push(task);
                        shape.nodes.push(base.copy(node, id));
                        self.numbers.places.push(|place| &shape.nodes[place as usize].id);
                        fresh.push((node, place));
                        place
                    }
                };
                // Until its own list is labelled.
                let label = &mut self.tasks[place as usize].label;
                if label.is_none() {
                    label.clone_from(&outer);
                }
                if self.tasks[place as usize].state == TaskState::Removed {
                    self.tasks[place as usize].settle(at, TaskState::None);
                }
                self.numbers.known.push((node, Some(place)));
            }
            for &(node, place) in &fresh {
                self.numbers.wire(shape, node, place as usize, &path);
            }
            self.numbers.feed_collectors(shape, index, &fresh, &path);
        }
        // The list may have become shorter.
        self.remove_elements(at, &base, index, &path, count);
        self.tasks[place].length = Some(count);
        Some(())
    }

    /// Removes the elements of a list from this one on, and the elements of lists in them.
    fn remove_elements(&mut self, at: Timestamp, base: &Drawn, mapping: u32, path: &str, from: u32) {
        for element in from.. {
            let path = format!("{path}[{element}]");
            let mut exists = false;
            for &node in &base.mappings[mapping as usize].nodes {
                let Some(place) = self.find(&base.id(node, &path)) else { continue };
                exists = true;
                self.tasks[place].settle(at, TaskState::Removed);
                if let Some((inner, _)) = base.expanded_by(node) {
                    self.remove_elements(at, base, inner, &path, 0);
                }
            }
            if !exists {
                return;
            }
        }
    }
}

impl RunHistory {
    /// The graph as drawn: with templates instead of elements.
    pub(super) fn drawn(&self) -> &Graph {
        self.numbers.base.as_deref().map_or(&*self.shape, |base| base)
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
        let (_, mapping) = base.expanded_by(node)?;
        let path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        let outer = self.tasks.get(place)?.label.clone();
        for (element, label) in labels.iter().enumerate() {
            let label = outer.as_deref().map_or_else(|| label.clone(), |outer| within(outer, Some(label)));
            let path = format!("{path}[{element}]");
            for &node in &mapping.nodes {
                if let Some(place) = self.find(&base.id(node, &path)) {
                    self.tasks[place].label = Some(label.clone());
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
    fn feed_collectors(&self, shape: &mut Graph, mapping: u32, fresh: &[(u32, u32)], path: &str) {
        let Some(base) = self.base.as_ref().filter(|_| !fresh.is_empty()) else { return };
        let around = prefix(path, base.depth(base.mappings[mapping as usize].expand));
        let place = |upstream: u32| fresh.iter().find(|&&(node, _)| node == upstream).map(|&(_, place)| place);
        steps::count(base.collectors(mapping).len());
        for &node in base.collectors(mapping) {
            let drawn = &base.nodes[node as usize];
            let id_at = |place: u32| &*shape.nodes[place as usize].id;
            let Some(collector) = self.places.get(&base.id(node, around), id_at) else { continue };
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
