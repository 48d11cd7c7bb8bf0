//! Random graphs: which are drawn, and how a failed case is shown.

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use taskflow::prelude::*;

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    Success,
    Error,
    Panic,
    Skip,
    Fail,
}

/// On which threads a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sync,
    Async,
    Blocking,
}

/// What the parameters of a task are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `Vec<u32>`, `Vec<Option<u32>>`, `Vec<Result<u32, Failure>>`.
    Lists,
    /// `u32` or `&u32`, `Option<u32>`, `Result<u32, Failure>`; constants where there is no edge.
    Singles,
    /// As lists, and an `AnyOf<u32>`.
    First,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// How the attempts end; the last counts for all that follow.
    pub(crate) attempts: Vec<End>,
    pub(crate) retries: u32,
    pub(crate) required: Vec<usize>,
    pub(crate) optional: Vec<usize>,
    pub(crate) outcome: Vec<usize>,
    pub(crate) first: Vec<usize>,
    pub(crate) after: Vec<usize>,
    pub(crate) rule: TriggerRule,
    pub(crate) priority: i32,
    /// How many of the two slots of the pool it takes.
    pub(crate) slots: Option<u32>,
}

#[derive(Clone, PartialEq)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) max_active_tasks: Option<u32>,
    pub(crate) part: Option<Part>,
}

/// Which part of the graph is run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Part {
    Only(usize),
    From(usize),
}

impl Node {
    fn data(&self) -> impl Iterator<Item = usize> + '_ {
        [&self.required, &self.optional, &self.outcome, &self.first].into_iter().flatten().copied()
    }

    pub(crate) fn upstreams(&self) -> impl Iterator<Item = usize> + '_ {
        self.data().chain(self.after.iter().copied())
    }

    pub(crate) fn end(&self, attempt: u32) -> End {
        let last = self.attempts.len() - 1;
        self.attempts[last.min(attempt as usize - 1)]
    }
}

/// One line a task, for a reader who has to understand why a case failed.
impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?} ends {:?} retries {}", self.kind, self.shape, self.attempts, self.retries)?;
        for (name, edges) in [
            ("required", &self.required),
            ("optional", &self.optional),
            ("outcome", &self.outcome),
            ("first", &self.first),
            ("after", &self.after),
        ] {
            if !edges.is_empty() {
                write!(f, " {name} {edges:?}")?;
            }
        }
        if self.rule != TriggerRule::AllSuccess {
            write!(f, " {}", self.rule)?;
        }
        if self.priority != 0 {
            write!(f, " priority {}", self.priority)?;
        }
        self.slots.map_or(Ok(()), |slots| write!(f, " slots {slots}"))
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "at most {:?} at once, part {:?}", self.max_active_tasks, self.part)?;
        self.nodes.iter().enumerate().try_for_each(|(index, node)| writeln!(f, "  t{index}: {node:?}"))
    }
}

// Which graphs are drawn. Numbers of upstreams are taken modulo what is there, so that a shrunk
// case is still a graph.

#[derive(Clone, Debug)]
struct RawNode {
    kind: Kind,
    shape: Shape,
    attempts: Vec<End>,
    retries: u32,
    edges: Vec<(u8, usize)>,
    after: Vec<usize>,
    rule: TriggerRule,
    priority: i32,
    slots: Option<u32>,
}

fn raw_node() -> impl Strategy<Value = RawNode> {
    let end = prop_oneof![
        8 => Just(End::Success),
        2 => Just(End::Skip),
        2 => Just(End::Error),
        1 => Just(End::Panic),
        1 => Just(End::Fail),
    ];
    let kind = prop_oneof![4 => Just(Kind::Sync), 2 => Just(Kind::Async), 1 => Just(Kind::Blocking)];
    let shape = prop_oneof![Just(Shape::Lists), Just(Shape::Singles), Just(Shape::First)];
    let rule = prop_oneof![1 => Just(TriggerRule::AllSuccess), 2 => prop::sample::select(&TriggerRule::ALL)];
    let slots = prop_oneof![4 => Just(None), 1 => Just(Some(1)), 1 => Just(Some(2))];
    (
        kind,
        shape,
        prop::collection::vec(end, 1..4),
        0..3u32,
        prop::collection::vec((0..4u8, 0..64usize), 0..5),
        prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(0..64usize, 1..4)],
        rule,
        -1..2i32,
        slots,
    )
        .prop_map(|(kind, shape, attempts, retries, edges, after, rule, priority, slots)| RawNode {
            kind,
            shape,
            attempts,
            retries,
            edges,
            after,
            rule,
            priority,
            slots,
        })
}

pub(crate) fn graph(most: usize) -> impl Strategy<Value = Graph> {
    let limit = prop_oneof![2 => Just(None), 1 => (1..4u32).prop_map(Some)];
    (prop::collection::vec(raw_node(), 1..most), limit).prop_map(|(raw, max_active_tasks)| Graph {
        nodes: nodes(raw),
        max_active_tasks,
        part: None,
    })
}

pub(crate) fn part_of_a_graph(most: usize) -> impl Strategy<Value = Graph> {
    (graph(most), any::<bool>(), 0..64usize).prop_map(|(mut graph, only, task)| {
        let task = task % graph.nodes.len();
        graph.part = Some(if only { Part::Only(task) } else { Part::From(task) });
        graph
    })
}

fn nodes(raw: Vec<RawNode>) -> Vec<Node> {
    let count = raw.len();
    let mut nodes: Vec<Node> = Vec::new();
    let mut after: Vec<Vec<usize>> = Vec::new();
    for (index, raw) in raw.into_iter().enumerate() {
        let mut edges: [Vec<usize>; 4] = Default::default();
        if index > 0 {
            raw.edges.iter().for_each(|&(kind, from)| edges[usize::from(kind)].push(from % index));
        }
        let [mut required, mut optional, mut outcome, mut first] = edges;
        let interrupts = raw.attempts.iter().any(|end| matches!(end, End::Skip | End::Fail));
        let shape = match raw.shape {
            Shape::First if !first.is_empty() => Shape::First,
            Shape::Singles if !interrupts => Shape::Singles,
            _ => Shape::Lists,
        };
        if shape != Shape::First {
            first.clear();
        }
        if shape == Shape::Singles {
            [&mut required, &mut optional, &mut outcome].into_iter().for_each(|edges| edges.truncate(1));
        }
        after.push(raw.after.iter().map(|from| from % count).collect());
        nodes.push(Node {
            kind: raw.kind,
            shape,
            attempts: raw.attempts,
            retries: raw.retries,
            required,
            optional,
            outcome,
            first,
            after: Vec::new(),
            rule: raw.rule,
            priority: raw.priority,
            slots: raw.slots,
        });
    }
    // Order edges may go against the order of the calls, but not in a cycle.
    for (index, after) in after.into_iter().enumerate() {
        for from in after {
            let cycle = from == index || above(&nodes, from).contains(&index);
            if !cycle && !nodes[index].after.contains(&from) {
                nodes[index].after.push(from);
            }
        }
        if nodes[index].after.is_empty() {
            nodes[index].rule = TriggerRule::AllSuccess;
        }
    }
    nodes
}

/// Everything upstream of a node.
pub(crate) fn above(nodes: &[Node], node: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        open.extend(nodes[node].upstreams().filter(|upstream| found.insert(*upstream)));
    }
    found
}
