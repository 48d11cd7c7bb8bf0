//! The task numbers of a history: which task an entry refers to.
//!
//! Without mapped tasks the number of a task is its place in the graph. The elements of a list get
//! numbers when the list is expanded ([`Entry::Expanded`](crate::run::Entry::Expanded)). A process
//! that resumes a run numbers them anew, after it has repeated the expansions. Numbers are
//! therefore valid for one session only; ids are permanent. The graph of a history contains the
//! elements as ordinary nodes, so its readers need not know about mappings.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::Arc;

use smallvec::SmallVec;

use super::drawn::Drawn;
use super::graph::{EdgeRule, Edges, Graph};
use super::history::RunHistory;
use super::id_index::IdIndex;
use super::steps;
use super::task_history::{Place, TaskHistory};
use crate::base::Timestamp;
use crate::base::index::IndexVec;
use crate::dag::node_id_of;
use crate::run::{TaskIndex, TaskState, within};

/// The place of a node of a template.
const NO_PLACE: u32 = u32::MAX;

/// From numbers to places, in the present session of the history.
#[derive(Clone, Debug, Default)]
pub(crate) struct Numbers {
    /// The graph as drawn, if it has mappings.
    base: Option<Arc<Drawn>>,
    /// The node and the place of each number. Nodes of templates have [no place](NO_PLACE).
    known: IndexVec<TaskIndex, (u32, u32)>,
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
        shape.nodes.extend(outside.map(|node| base.copy(node, Arc::clone(&base.nodes[node as usize].id))));
        let places = IdIndex::of(shape.nodes.len(), |place| &shape.nodes[place as usize].id);
        let mut numbers = Numbers { base: Some(base), known: IndexVec::new(), places };
        numbers.restart();
        for (index, _) in (0..).zip(&graph.nodes) {
            if let Some(place) = numbers.place(TaskIndex::new(index)) {
                numbers.wire(&mut shape, index, place, "", None);
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
        let mut place =
            |node: u32| if base.mapping_of(node).is_none() { places.next() } else { None }.unwrap_or(NO_PLACE);
        self.known = (0..base.nodes.len() as u32).map(|node| (node, place(node))).collect();
    }

    /// The place of the task with this number.
    pub(super) fn place(&self, number: TaskIndex) -> Option<usize> {
        match self.base {
            None => Some(number.as_usize()),
            Some(_) => Some(self.known.get(number)?.1 as usize).filter(|&place| place != NO_PLACE as usize),
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
        Some(known.filter(|(_, known)| known.1 != NO_PLACE).map(|(number, known)| (known.1, number)).collect())
    }

    /// Sets the edges of a node in the element that `path` names: `[3][0]`, or nothing. `like` is
    /// the place of the node in another element of the list.
    fn wire(&self, shape: &mut Graph, node: u32, place: usize, path: &str, like: Option<u32>) {
        let Some(base) = &self.base else { return };
        if let Some(like) = like.filter(|_| base.has_equal_edges(node)) {
            shape.nodes[place].edges = Arc::clone(&shape.nodes[like as usize].edges);
            return;
        }
        let mut id = String::new();
        let mut find = |upstream: u32| {
            let seen = base.seen_from(node, upstream);
            base.write_id(&mut id, seen, prefix(path, base.depth(seen)));
            self.places.get(&id, |place| &shape.nodes[place as usize].id)
        };
        let drawn = &base.nodes[node as usize];
        steps::count(drawn.inputs.len() + drawn.after.len());
        let mut inputs: SmallVec<[(u32, EdgeRule); 8]> = SmallVec::new();
        inputs.extend(drawn.inputs.iter().filter_map(|&(upstream, rule)| Some((find(upstream)?, rule))));
        let mut after: SmallVec<[u32; 8]> = SmallVec::new();
        after.extend(drawn.after.iter().filter_map(|&upstream| find(upstream)));
        shape.nodes[place].edges = Edges::shared(&inputs, &after, None);
    }
}

/// The elements that an id names: 3 and 0 of `read[3][0]`.
fn elements_of(id: &str) -> impl Iterator<Item = u32> + '_ {
    id.split('[').skip(1).map(|element| element.trim_end_matches(']').parse().unwrap_or(u32::MAX))
}

/// Adds an element to a path.
fn push_element(path: &mut String, element: u32) {
    // Writing to a string does not fail.
    let _ = write!(path, "[{element}]");
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
        self.gone.extend(gone.map(|task| (Arc::clone(&task.id), task)));
    }

    /// Puts the tasks that the graph no longer has at the end of the list of tasks.
    pub(super) fn put_back_gone(&mut self) {
        let gone = std::mem::take(&mut self.gone).into_values();
        // Entries in between can have found some in the list.
        self.tasks.extend(gone);
        self.tasks[self.shape.nodes.len()..].sort_by(|one, other| one.id.cmp(&other.id));
    }

    /// The places of its tasks for display: in the order of the graph, elements at their node.
    pub(crate) fn in_order(&self) -> impl Iterator<Item = usize> + use<> {
        let by_node = match &self.numbers.base {
            None => vec![(0..self.tasks.len() as u32).collect()],
            Some(base) => self.by_node(base),
        };
        by_node.into_iter().flatten().map(|place| place as usize)
    }

    /// The places of the tasks of each node of the graph as drawn, followed by those of tasks that
    /// it no longer has.
    pub(super) fn by_drawn_node(&self) -> Vec<Vec<u32>> {
        match &self.numbers.base {
            Some(base) => self.by_node(base),
            None => {
                let (nodes, all) = (self.shape.nodes.len() as u32, self.tasks.len() as u32);
                (0..nodes).map(|place| vec![place]).chain([(nodes..all).collect()]).collect()
            }
        }
    }

    /// The places of the tasks of each node, followed by those of tasks that the graph no longer
    /// has.
    fn by_node(&self, base: &Drawn) -> Vec<Vec<u32>> {
        let nodes: HashMap<&str, usize> =
            base.nodes.iter().enumerate().map(|(index, node)| (&*node.id, index)).collect();
        let mut of_node: Vec<Vec<u32>> = vec![Vec::new(); base.nodes.len() + 1];
        for (place, task) in (0..).zip(&self.tasks) {
            of_node[nodes.get(node_id_of(&task.id)).copied().unwrap_or(base.nodes.len())].push(place);
        }
        let path = |place: &u32| elements_of(&self.tasks[*place as usize].id);
        for places in &mut of_node {
            // Nearly always they are in order: the elements of a list are added one after the
            // other.
            if !places.is_sorted_by(|one, other| path(one).le(path(other))) {
                places.sort_by_cached_key(|place| (path(place).collect::<Vec<u32>>(), *place));
            }
        }
        of_node
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
        let (node, _) = *self.numbers.known.get(number)?;
        let place = self.numbers.place(number)?;
        let (index, mapping) = base.expanded_by(node)?;
        let mut path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        self.take_gone();
        // Its elements, if it has any, are those of another list. A session that begins repeats
        // what is kept.
        let (renews, events) = (self.tasks[place].state == TaskState::Running, self.events.len() as u64);
        let shape = Arc::make_mut(&mut self.shape);
        let outer = self.tasks[place].label.clone();
        let around = path.len();
        let mut collectors = self.numbers.collectors(shape, index, &path);
        let left_out = &self.left_out;
        let is_out = |node: u32| !left_out.is_empty() && left_out.contains(&base.nodes[node as usize].id);
        let (mut id, mut fresh, mut last) = (String::new(), Vec::new(), Vec::new());
        for element in 0..count {
            path.truncate(around);
            push_element(&mut path, element);
            std::mem::swap(&mut fresh, &mut last);
            fresh.clear();
            for &node in &mapping.nodes {
                base.write_id(&mut id, node, &path);
                let known = self.numbers.places.get_or_push(&id, |place| &shape.nodes[place as usize].id);
                let place = known.unwrap_or_else(|place| {
                    // Hashes nothing if nothing is gone.
                    let gone = if self.gone.is_empty() { None } else { self.gone.remove(&*id) };
                    let task = gone.map_or_else(|| TaskHistory::new(Arc::from(&*id)), |task| task.back(events));
                    shape.nodes.push(base.copy(node, Arc::clone(&task.id)));
                    self.tasks.push(task);
                    fresh.push((node, place));
                    place
                });
                let task = &mut self.tasks[place as usize];
                if renews {
                    task.renew(events);
                }
                // Until its own list is labelled.
                if task.label.is_none() {
                    task.label.clone_from(&outer);
                }
                match is_out(node) {
                    true => task.settle(at, TaskState::Removed),
                    false if task.state == TaskState::Removed => task.settle(at, TaskState::None),
                    false => {}
                }
                self.numbers.known.push((node, place));
            }
            for (at, &(node, place)) in fresh.iter().enumerate() {
                let like = last.get(at).filter(|&&(other, _)| other == node).map(|&(_, place)| place);
                self.numbers.wire(shape, node, place as usize, &path, like);
            }
            collectors.iter_mut().for_each(|collector| collector.add(&base, &fresh));
        }
        for Collector { place, inputs, after, .. } in collectors {
            shape.nodes[place as usize].edges = Arc::new(Edges { inputs: inputs.into(), after: after.into() });
        }
        path.truncate(around);
        // The list may have become shorter.
        self.remove_elements(at, &base, index, &path, count);
        self.tasks[place].details().length = Some(count);
        Some(())
    }

    /// Gives elements the states back that they had with another graph, if the process that took
    /// the run with the present one died before it had repeated the expansions. Without that they
    /// would run again, though their lists are the same.
    pub(super) fn regain_elements(&mut self) {
        let behind = self.shape.nodes.len();
        let Some(base) = self.numbers.base.clone().filter(|_| behind < self.tasks.len()) else { return };
        steps::count(base.nodes.len() + self.tasks.len() - behind);
        let nodes = (0..base.nodes.len() as u32).filter(|&node| base.mapping_of(node).is_some());
        let mapped: HashSet<&str> = nodes.map(|node| &*base.nodes[node as usize].id).collect();
        for task in &mut self.tasks[behind..] {
            if task.state == TaskState::Removed
                && let Some(state) = task.gone_as
                && mapped.contains(node_id_of(&task.id))
            {
                task.state = state;
            }
        }
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
        let (node, _) = *self.numbers.known.get(number)?;
        let place = self.numbers.place(number)?;
        let (_, mapping) = base.expanded_by(node)?;
        let path = self.tasks.get(place)?.id.get(base.nodes[node as usize].id.len()..)?.to_owned();
        let outer = self.tasks.get(place)?.label.clone();
        for (element, label) in labels.iter().enumerate() {
            let label: Arc<str> = match outer.as_deref() {
                Some(outer) => within(outer, Some(label)).into(),
                None => Arc::from(&**label),
            };
            let path = format!("{path}[{element}]");
            for &node in &mapping.nodes {
                if let Some(place) = self.find(&base.id(node, &path)) {
                    self.tasks[place].label = Some(Arc::clone(&label));
                }
            }
        }
        self.tasks[place].details().labels = Some(labels.into());
        Some(())
    }
}

/// A task that takes the values of all elements of a list, while the list is expanded.
struct Collector {
    node: u32,
    place: u32,
    inputs: Vec<(u32, EdgeRule)>,
    after: Vec<u32>,
}

impl Numbers {
    /// The tasks that take the values of all elements of this list.
    fn collectors(&self, shape: &Graph, mapping: u32, path: &str) -> Vec<Collector> {
        let Some(base) = &self.base else { return Vec::new() };
        let around = prefix(path, base.depth(base.mappings[mapping as usize].expand));
        let id_at = |place: u32| &*shape.nodes[place as usize].id;
        let collector = |&node: &u32| {
            let place = self.places.get(&base.id(node, around), id_at)?;
            let Edges { inputs, after } = &*shape.nodes[place as usize].edges;
            Some(Collector { node, place, inputs: inputs.to_vec(), after: after.to_vec() })
        };
        base.collectors(mapping).iter().filter_map(collector).collect()
    }
}

impl Collector {
    /// Connects the task to the new nodes of one more element: pairs of node and place. Nodes that
    /// were there before are connected already.
    fn add(&mut self, base: &Drawn, fresh: &[(u32, u32)]) {
        steps::count(1);
        let drawn = &base.nodes[self.node as usize];
        let place = |upstream: u32| fresh.iter().find(|&&(node, _)| node == upstream).map(|&(_, place)| place);
        let (inputs_before, after_before) = (self.inputs.len(), self.after.len());
        for edge in drawn.inputs.iter().filter_map(|&(upstream, rule)| Some((place(upstream)?, rule))) {
            if !self.inputs[inputs_before..].contains(&edge) {
                self.inputs.push(edge);
            }
        }
        for upstream in drawn.after.iter().filter_map(|&upstream| place(upstream)) {
            if !self.after[after_before..].contains(&upstream) {
                self.after.push(upstream);
            }
        }
    }
}
