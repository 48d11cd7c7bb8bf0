//! The rollup of a run: the state, the duration and the number of attempts of each task, and what
//! failed.
//!
//! It is derived from the history, for lists and grids of many runs: a few bytes a task instead of
//! some entries. Its tasks are in the order of the graph, elements at their node. The ids are those
//! of the graph, so that a rollup does not repeat them.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::graph::Graph;
use super::history::RunHistory;
use super::task_history::TaskHistory;
use crate::base::text::bounded;
use crate::base::{Failure, Timestamp};
use crate::dag::node_id_of;
use crate::run::TaskState;
use crate::store::RollupRow;

/// The version of the encoding. A rollup of another version is made anew.
pub(super) const VERSION: u8 = 1;
/// The most groups of failures that are kept.
const GROUPS: usize = 100;
/// The most bytes of a message.
const MESSAGE: usize = 300;
/// How many tasks a check names.
const DIFFERENCES: usize = 5;
/// The duration of a task without a finished attempt.
const NONE: u32 = u32::MAX;

/// What is known of the tasks of a run at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rollup {
    /// The number of the last segment that it covers.
    pub(super) segments: u32,
    pub(super) stored: Stored,
    /// The tasks of the run, grouped by the nodes of its graph.
    pub(crate) rows: Arc<[RollupNode]>,
}

/// A node of the graph with its task instances; or, at the end, a task that the graph no longer
/// has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RollupNode {
    /// The id of the node: of the elements of a list, without their numbers.
    pub(crate) id: Arc<str>,
    /// The id of the group that contains it; empty at the top.
    pub(crate) group: Arc<str>,
    /// Its task instances.
    pub(crate) tasks: Range<usize>,
    /// Whether it has an instance for each element of a list.
    pub(crate) is_mapped: bool,
}

/// A task instance in a rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RollupTask {
    pub(crate) state: TaskState,
    /// How long its last attempt took, in milliseconds, if it has ended.
    pub(crate) took: Option<u32>,
    /// How many attempts it had; 255 stands for more, too.
    pub(crate) attempts: u8,
}

/// Task instances of one node that failed with the same message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RollupFailure {
    /// The message with `#` for digits and hexadecimal numbers.
    pub(crate) message: String,
    /// The message of the first of them.
    pub(crate) sample: String,
    /// Their numbers in the rollup; the one that failed first comes first.
    pub(crate) tasks: Vec<u32>,
}

impl RollupFailure {
    /// The message of a task, with its numbers if it is the first.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server shows it"))]
    pub(crate) fn message_of(&self, at: usize) -> &str {
        if self.tasks.first().is_some_and(|&first| first as usize == at) { &self.sample } else { &self.message }
    }
}

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) graph: String,
    /// The nodes that have an instance for each element of a list.
    lists: Vec<(u32, Elements)>,
    /// The ids of tasks that the graph no longer has.
    gone: Vec<String>,
    states: Vec<TaskState>,
    took: Vec<u32>,
    attempts: Vec<u8>,
    /// The failures, those that happened first at the beginning.
    failures: Vec<RollupFailure>,
    /// Why the run ended early.
    halted: String,
    /// When the run started, in nanoseconds since the epoch.
    started: Option<i64>,
}

/// The instances of a node in lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Elements {
    /// `[0]`, `[1]` and so on: so many.
    Numbered(u32),
    /// Of nested lists, such as `[3][0]`.
    Paths(Vec<String>),
}

impl Rollup {
    /// The rollup of a history.
    pub(crate) fn of(history: &RunHistory) -> Rollup {
        let Order { places, lists, gone } = Order::of(history);
        let mut stored = Stored {
            graph: history.graph.clone(),
            halted: history.halt_reason.clone().unwrap_or_default(),
            started: history.started().map(Timestamp::as_nanos),
            lists,
            gone,
            ..Stored::default()
        };
        let mut failed: Vec<(u32, &TaskHistory)> = Vec::new();
        for (at, &place) in (0..).zip(&places) {
            let task = &history.tasks[place as usize];
            stored.states.push(task.state);
            stored.took.push(took(task));
            stored.attempts.push(u8::try_from(task.attempts.len()).unwrap_or(u8::MAX));
            if task.state == TaskState::Failed {
                failed.push((at, task));
            }
        }
        failed.sort_by_key(|(_, task)| task.since);
        stored.failures = failures(&failed);
        let rows = rows(&stored, history.drawn()).unwrap_or_default().into();
        Rollup { segments: history.segments, stored, rows }
    }

    /// As a row of a store, with the labels of the history that it was made of.
    pub(super) fn row(&self, history: &RunHistory) -> RollupRow {
        let mut body = vec![VERSION];
        // Encoding plain data cannot fail.
        body.extend(postcard::to_stdvec(&self.stored).expect("a rollup can be written to memory"));
        let labels = labels(history);
        let labels = match labels.iter().all(Option::is_none) {
            true => Vec::new(),
            false => postcard::to_stdvec(&labels).expect("labels can be written to memory"),
        };
        RollupRow { run: history.number, segments: self.segments, body, labels }
    }

    /// Reads what is stored. `None` if it is of another version, or is not a rollup.
    pub(super) fn decode(row: &RollupRow) -> Option<Stored> {
        let (&version, body) = row.body.split_first()?;
        if version != VERSION {
            return None;
        }
        let stored: Stored = postcard::from_bytes(body).ok()?;
        let tasks = stored.states.len();
        let fits = |failure: &RollupFailure| {
            !failure.tasks.is_empty() && failure.tasks.iter().all(|&task| (task as usize) < tasks)
        };
        let is_whole = stored.took.len() == tasks && stored.attempts.len() == tasks;
        (is_whole && stored.failures.iter().all(fits)).then_some(stored)
    }

    /// The rollup of what is stored. `None` if it does not fit the graph. `like` is another run of
    /// the graph, which may have the same nodes.
    pub(super) fn new(segments: u32, stored: Stored, graph: &Graph, like: Option<&Rollup>) -> Option<Rollup> {
        let is_equal = |like: &&Rollup| (&like.stored.lists, &like.stored.gone) == (&stored.lists, &stored.gone);
        let rows = match like.filter(is_equal) {
            Some(like) if like.len() == stored.states.len() => Arc::clone(&like.rows),
            _ => rows(&stored, graph)?.into(),
        };
        Some(Rollup { segments, stored, rows })
    }

    /// The same rollup, encoded and decoded.
    #[cfg(feature = "testing")]
    pub(crate) fn stored_and_read(&self, history: &RunHistory) -> Option<Rollup> {
        let row = self.row(history);
        Rollup::new(row.segments, Rollup::decode(&row)?, history.drawn(), None).filter(|read| read == self)
    }

    /// How it differs from what it should be: at most [`DIFFERENCES`] parts of sentences about it.
    pub(super) fn differences(&self, expected: &Rollup) -> Vec<String> {
        if self.rows != expected.rows {
            return vec![format!("has {} tasks instead of {}, or others", self.len(), expected.len())];
        }
        let words = |task: RollupTask| {
            let took = task.took.map_or("no time".to_owned(), |took| format!("{took} ms"));
            format!("{} after {} attempts and {took}", task.state, task.attempts)
        };
        let tasks = (0..self.len()).filter(|&at| self.task(at) != expected.task(at));
        let tasks = tasks.map(|at| {
            let (found, expected) = (words(self.task(at)), words(expected.task(at)));
            format!("has `{}` as {found}, not {expected}", self.id_of(at))
        });
        let mut all: Vec<String> = tasks.take(DIFFERENCES).collect();
        if self.stored.failures != expected.stored.failures {
            all.push("has other failures".to_owned());
        }
        if self.stored.halted != expected.stored.halted {
            all.push("has another reason why the run ended early".to_owned());
        }
        all
    }

    /// How many task instances it has.
    pub(crate) fn len(&self) -> usize {
        self.stored.states.len()
    }

    /// Why the run ended early; empty if it did not.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server shows it"))]
    pub(crate) fn halted(&self) -> &str {
        &self.stored.halted
    }

    /// When the run started its tasks.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server shows it"))]
    pub(crate) fn started(&self) -> Option<Timestamp> {
        self.stored.started.map(Timestamp::from_nanos)
    }

    /// The failures by node and message, those that happened first at the beginning.
    pub(crate) fn failures(&self) -> &[RollupFailure] {
        &self.stored.failures
    }

    /// A task instance.
    pub(crate) fn task(&self, at: usize) -> RollupTask {
        let Stored { states, took, attempts, .. } = &self.stored;
        RollupTask { state: states[at], took: Some(took[at]).filter(|&took| took != NONE), attempts: attempts[at] }
    }

    /// Whether a task has this state.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server shows it"))]
    pub(crate) fn has(&self, state: TaskState) -> bool {
        self.stored.states.contains(&state)
    }

    /// The states of its tasks.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "the server shows it"))]
    pub(crate) fn all_states(&self) -> &[TaskState] {
        &self.stored.states
    }

    /// The states of the instances of a node.
    pub(crate) fn states(&self, node: &RollupNode) -> &[TaskState] {
        &self.stored.states[node.tasks.clone()]
    }

    /// The node with this id.
    pub(crate) fn node(&self, id: &str) -> Option<&RollupNode> {
        self.rows.iter().find(|node| &*node.id == id)
    }

    /// The node that has this task instance.
    pub(crate) fn node_of(&self, at: usize) -> Option<&RollupNode> {
        let place = self.rows.partition_point(|node| node.tasks.end <= at);
        self.rows.get(place).filter(|node| node.tasks.contains(&at))
    }

    /// The id of a task instance.
    pub(crate) fn id_of(&self, at: usize) -> String {
        let Some(node) = self.node_of(at) else { return String::new() };
        format!("{}{}", node.id, self.path_of(node, at))
    }

    /// What names the element of a task instance: `[3]`, or nothing outside of lists.
    fn path_of(&self, node: &RollupNode, at: usize) -> String {
        if !node.is_mapped {
            return String::new();
        }
        let element = at - node.tasks.start;
        // The lists come in the order of their nodes.
        let mapped = self.rows.iter().filter(|node| node.is_mapped);
        let list = mapped.zip(&self.stored.lists).find(|(node, _)| node.tasks.contains(&at));
        match list.map(|(_, (_, elements))| elements) {
            Some(Elements::Paths(paths)) => paths.get(element).cloned().unwrap_or_default(),
            _ => format!("[{element}]"),
        }
    }
}

/// The order of the tasks of a rollup.
struct Order {
    /// Their places in the history.
    places: Vec<u32>,
    lists: Vec<(u32, Elements)>,
    gone: Vec<String>,
}

impl Order {
    fn of(history: &RunHistory) -> Order {
        let id = |place: &u32| &*history.tasks[*place as usize].id;
        let path = |place: &u32| id(place).get(node_id_of(id(place)).len()..).unwrap_or_default();
        let is_mapped = mapped_nodes(history.drawn());
        let (mut places, mut lists, mut gone) = (Vec::with_capacity(history.tasks.len()), Vec::new(), Vec::new());
        for (node, of_node) in (0..).zip(history.by_drawn_node()) {
            match is_mapped.get(node as usize) {
                // An earlier graph may have had elements of it.
                Some(false) => {
                    let (own, elements): (Vec<u32>, Vec<u32>) =
                        of_node.into_iter().partition(|place| path(place).is_empty());
                    places.extend(own);
                    gone.extend(elements);
                }
                Some(true) => {
                    let paths = || of_node.iter().map(path);
                    lists.push((
                        node,
                        match is_numbered(paths()) {
                            true => Elements::Numbered(of_node.len() as u32),
                            false => Elements::Paths(paths().map(str::to_owned).collect()),
                        },
                    ));
                    places.extend(of_node);
                }
                None => gone.extend(of_node),
            }
        }
        places.extend(&gone);
        let gone = gone.iter().map(|place| id(place).to_owned()).collect();
        Order { places, lists, gone }
    }
}

/// Whether the paths are `[0]`, `[1]` and so on.
fn is_numbered<'a>(paths: impl Iterator<Item = &'a str>) -> bool {
    let number = |path: &str| path.strip_prefix('[')?.strip_suffix(']')?.parse::<usize>().ok();
    paths.enumerate().all(|(at, path)| number(path) == Some(at))
}

/// The labels of the tasks of a history, in the order of its rollup.
pub(super) fn labels(history: &RunHistory) -> Vec<Option<Arc<str>>> {
    Order::of(history).places.into_iter().map(|place| history.tasks[place as usize].label.clone()).collect()
}

/// The message with `#` for what differs from failure to failure: digits, and words of hexadecimal
/// digits.
pub(crate) fn normalised(message: &str) -> String {
    let mut normal = String::with_capacity(message.len());
    let mut word = String::new();
    let flush = |word: &mut String, normal: &mut String| {
        let digits = word.trim_start_matches("0x");
        let is_hex = digits.len() >= 6
            && digits.chars().all(|letter| letter.is_ascii_hexdigit())
            && digits.chars().any(|letter| letter.is_ascii_digit());
        match is_hex || (digits.len() < word.len() && digits.chars().all(|letter| letter.is_ascii_hexdigit())) {
            true => normal.push('#'),
            false => {
                let mut last = ' ';
                for letter in word.chars() {
                    let letter = if letter.is_ascii_digit() { '#' } else { letter };
                    // A number is one mark, however long it is.
                    if letter != '#' || last != '#' {
                        normal.push(letter);
                    }
                    last = letter;
                }
            }
        }
        word.clear();
    };
    for letter in message.chars() {
        match letter.is_alphanumeric() {
            true => word.push(letter),
            false => {
                flush(&mut word, &mut normal);
                normal.push(letter);
            }
        }
    }
    flush(&mut word, &mut normal);
    normal
}

/// The first line of a failure.
fn message(failure: Option<&Arc<Failure>>) -> String {
    let text = failure.map(ToString::to_string).unwrap_or_default();
    bounded(text.lines().next().unwrap_or_default(), MESSAGE).into_owned()
}

fn took(task: &TaskHistory) -> u32 {
    let millis = task.attempts.last().and_then(|last| Some(last.ended?.since(last.started).as_millis()));
    millis.map_or(NONE, |millis| u32::try_from(millis).map_or(NONE - 1, |millis| millis.min(NONE - 1)))
}

/// The failures by node and message. `failed` are in the order of time.
fn failures(failed: &[(u32, &TaskHistory)]) -> Vec<RollupFailure> {
    let mut groups: Vec<RollupFailure> = Vec::new();
    let mut known: HashMap<(&str, String), usize> = HashMap::new();
    for &(at, task) in failed {
        let sample = message(task.failure.as_ref());
        let normal = normalised(&sample);
        let place = *known.entry((node_id_of(&task.id), normal.clone())).or_insert(groups.len());
        let kept = groups.len();
        match groups.get_mut(place) {
            Some(group) => group.tasks.push(at),
            None if kept < GROUPS => groups.push(RollupFailure { message: normal, sample, tasks: vec![at] }),
            None => {}
        }
    }
    groups
}

/// For each node of a graph, whether it has an instance for each element of a list.
fn mapped_nodes(drawn: &Graph) -> Vec<bool> {
    let mut is_mapped = vec![false; drawn.nodes.len()];
    for &node in drawn.mappings.iter().flat_map(|mapping| &mapping.nodes) {
        if let Some(mapped) = is_mapped.get_mut(node as usize) {
            *mapped = true;
        }
    }
    is_mapped
}

/// The nodes of a graph with their instances, and the tasks that it no longer has. `None` if they
/// are not as many as there are states.
fn rows(stored: &Stored, drawn: &Graph) -> Option<Vec<RollupNode>> {
    let groups: Vec<Arc<str>> = drawn.groups.iter().map(|(id, _)| Arc::from(&**id)).collect();
    let top: Arc<str> = Arc::from("");
    let is_mapped = mapped_nodes(drawn);
    let mut lists = stored.lists.iter();
    let (mut rows, mut next) = (Vec::with_capacity(drawn.nodes.len()), 0);
    for (at, node) in (0..).zip(&drawn.nodes) {
        let is_mapped = is_mapped[at as usize];
        let count = match is_mapped {
            false => 1,
            true => match lists.next()? {
                (of, Elements::Numbered(count)) if *of == at => *count as usize,
                (of, Elements::Paths(paths)) if *of == at => paths.len(),
                _ => return None,
            },
        };
        let group = node.group.and_then(|group| groups.get(group as usize)).unwrap_or(&top);
        let tasks = next..next + count;
        rows.push(RollupNode { id: Arc::clone(&node.id), group: Arc::clone(group), tasks, is_mapped });
        next += count;
    }
    for id in &stored.gone {
        let id = Arc::from(&**id);
        rows.push(RollupNode { id, group: Arc::clone(&top), tasks: next..next + 1, is_mapped: false });
        next += 1;
    }
    (next == stored.states.len()).then_some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_in_numbers_are_the_same() {
        assert_eq!(normalised("timeout after 30 s"), normalised("timeout after 1345 s"));
        assert_eq!(normalised("row 7: no such customer"), "row #: no such customer");
        assert_eq!(normalised("object 0xdeadbeef is gone"), normalised("object 0x1f is gone"));
        assert_eq!(normalised("commit 4d56e4c7 is gone"), normalised("commit df12c61c is gone"));
        assert_eq!(normalised("orders-2.csv"), "orders-#.csv");
    }

    #[test]
    fn words_of_hexadecimal_letters_are_words() {
        assert_eq!(normalised("the facade of cafe 5 was added"), "the facade of cafe # was added");
    }
}
