//! Random graphs whose tasks end in random ways, on both drivers, against a small model that was
//! written without looking at the engine.
//!
//! A graph consists of a few kinds of tasks whose constant argument determines how each of their
//! attempts ends. Both the observer of the run and the tasks themselves record what happened, and
//! both must agree with the model.
//!
//! `PROPTEST_CASES=10000 cargo test --package taskflow-tests --test testing properties::` tries
//! more graphs, `PROPTEST_RNG_SEED=7` others.

#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use serde::{Deserialize, Serialize};
use taskflow::engine::{Durability, Engine, Event, RunReport, RunState, TaskIndex, TaskState};
use taskflow::journal::Journal;
use taskflow::prelude::*;
use taskflow::{DagOptions, Selection};
use taskflow_tests::common::rules::{ExpectedVerdict, expected_verdict};
use taskflow_tests::common::{self, Log, live, locked, reference, watch_panics};

taskflow::pool!("pair", slots = 2);

// What is drawn.

/// How an attempt ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    Success,
    Error,
    Panic,
    Skip,
    Fail,
}

/// On which threads a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sync,
    Async,
    Blocking,
}

/// What the parameters of a task are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// `Vec<u32>`, `Vec<Option<u32>>`, `Vec<Result<u32, Failure>>`.
    Lists,
    /// `u32` or `&u32`, `Option<u32>`, `Result<u32, Failure>`; constants where there is no edge.
    Singles,
    /// As lists, and an `AnyOf<u32>`.
    First,
}

#[derive(Clone, PartialEq)]
struct Node {
    kind: Kind,
    shape: Shape,
    /// How the attempts end; the last counts for all that follow.
    attempts: Vec<End>,
    retries: u32,
    required: Vec<usize>,
    optional: Vec<usize>,
    outcome: Vec<usize>,
    first: Vec<usize>,
    after: Vec<usize>,
    rule: TriggerRule,
    priority: i32,
    /// How many of the two slots of the pool it takes.
    slots: Option<u32>,
}

#[derive(Clone, PartialEq)]
struct Graph {
    nodes: Vec<Node>,
    max_active_tasks: Option<u32>,
    part: Option<Part>,
}

/// Which part of the graph is run.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Part {
    Only(usize),
    From(usize),
}

impl Node {
    fn data(&self) -> impl Iterator<Item = usize> + '_ {
        [&self.required, &self.optional, &self.outcome, &self.first].into_iter().flatten().copied()
    }

    fn upstreams(&self) -> impl Iterator<Item = usize> + '_ {
        self.data().chain(self.after.iter().copied())
    }

    fn end(&self, attempt: u32) -> End {
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

fn graph(most: usize) -> impl Strategy<Value = Graph> {
    let limit = prop_oneof![2 => Just(None), 1 => (1..4u32).prop_map(Some)];
    (prop::collection::vec(raw_node(), 1..most), limit).prop_map(|(raw, max_active_tasks)| Graph {
        nodes: nodes(raw),
        max_active_tasks,
        part: None,
    })
}

fn part_of_a_graph(most: usize) -> impl Strategy<Value = Graph> {
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
fn above(nodes: &[Node], node: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        open.extend(nodes[node].upstreams().filter(|upstream| found.insert(*upstream)));
    }
    found
}

// The tasks.

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Script {
    /// Under which number its run keeps its notes.
    run: u64,
    task: usize,
    attempts: Vec<End>,
    slots: usize,
}

/// What the tasks of a run noted.
#[derive(Debug, Default)]
struct Notes {
    /// The inputs of each attempt.
    attempts: Vec<(usize, String)>,
    inside: usize,
    peak: usize,
    slots: usize,
    slots_peak: usize,
}

static NOTES: LazyLock<Mutex<HashMap<u64, Notes>>> = LazyLock::new(Mutex::default);

struct Inside {
    run: u64,
    slots: usize,
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(notes) = locked(&NOTES).get_mut(&self.run) {
            notes.inside -= 1;
            notes.slots -= self.slots;
        }
    }
}

impl Script {
    /// Records the attempt. Returns its number, and a guard that counts it as running.
    fn begin(&self, inputs: String) -> (usize, Inside) {
        let mut all = locked(&NOTES);
        let notes = all.entry(self.run).or_default();
        notes.attempts.push((self.task, inputs));
        notes.inside += 1;
        notes.slots += self.slots;
        notes.peak = notes.peak.max(notes.inside);
        notes.slots_peak = notes.slots_peak.max(notes.slots);
        let attempt = notes.attempts.iter().filter(|(task, _)| *task == self.task).count();
        (attempt, Inside { run: self.run, slots: self.slots })
    }

    fn end(&self, attempt: usize, ctx: Option<&TaskContext>) -> Result<u32> {
        if let Some(ctx) = ctx {
            assert_eq!(ctx.attempt() as usize, attempt, "the context counts otherwise");
        }
        let ctx = ctx.cloned().unwrap_or_else(|| TaskContext::detached("none"));
        match self.attempts[self.attempts.len().min(attempt) - 1] {
            End::Success => Ok(self.task as u32),
            End::Error => Err("an error as written")?,
            End::Panic => panic!("a panic as written"),
            End::Skip => Err(ctx.skip("a skip as written"))?,
            End::Fail => Err(ctx.fail("a failure as written"))?,
        }
    }
}

fn kinds(results: &[Result<u32, Failure>]) -> Vec<String> {
    results.iter().map(|result| result.as_ref().map_or_else(|f| f.kind().to_owned(), ToString::to_string)).collect()
}

fn inputs(required: &[u32], optional: &[Option<u32>], outcome: &[Result<u32, Failure>]) -> String {
    format!("{required:?} {optional:?} {:?}", kinds(outcome))
}

fn inputs_of_first(first: &AnyOf<u32>, rest: &str) -> String {
    format!("{} at {} of {rest}", **first, first.index())
}

type Outcomes = Vec<Result<u32, Failure>>;

#[task]
fn lists_sync(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    script.end(attempt, None)
}

#[task(blocking)]
fn lists_blocking(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    script.end(attempt, None)
}

#[task]
async fn lists_async(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    tokio::task::yield_now().await;
    script.end(attempt, None)
}

#[task]
fn aware_sync(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script, ctx: &TaskContext) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    script.end(attempt, Some(ctx))
}

#[task(blocking)]
fn aware_blocking(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script, ctx: &TaskContext) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    script.end(attempt, Some(ctx))
}

#[task]
async fn aware_async(a: &[u32], b: &[Option<u32>], c: Outcomes, script: &Script, ctx: &TaskContext) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(a, b, &c));
    tokio::task::yield_now().await;
    script.end(attempt, Some(ctx))
}

#[task]
fn singles_sync(a: &u32, b: Option<u32>, c: Result<u32, Failure>, script: &Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(&[*a], &[b], &[c]));
    script.end(attempt, None)
}

#[task(blocking)]
fn singles_blocking(a: u32, b: &Option<u32>, c: Result<u32, Failure>, script: &Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(&[a], &[*b], &[c]));
    script.end(attempt, None)
}

#[task]
async fn singles_async(a: u32, b: Option<u32>, c: &Result<u32, Failure>, script: Script) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs(&[a], &[b], std::slice::from_ref(c)));
    tokio::task::yield_now().await;
    script.end(attempt, None)
}

#[task]
fn first_sync(
    f: AnyOf<u32>,
    a: Vec<u32>,
    b: Vec<Option<u32>>,
    c: Outcomes,
    script: &Script,
    ctx: &TaskContext,
) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs_of_first(&f, &inputs(&a, &b, &c)));
    script.end(attempt, Some(ctx))
}

#[task(blocking)]
fn first_blocking(
    a: &[u32],
    f: AnyOf<u32>,
    b: Vec<Option<u32>>,
    c: Outcomes,
    script: &Script,
    ctx: &TaskContext,
) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs_of_first(&f, &inputs(a, &b, &c)));
    script.end(attempt, Some(ctx))
}

#[task]
async fn first_async(
    a: &[u32],
    b: Vec<Option<u32>>,
    f: AnyOf<u32>,
    c: Outcomes,
    script: &Script,
    ctx: &TaskContext,
) -> Result<u32> {
    let (attempt, _inside) = script.begin(inputs_of_first(&f, &inputs(a, &b, &c)));
    tokio::task::yield_now().await;
    script.end(attempt, Some(ctx))
}

/// Calls a task of the shape `Singles`, with edges where there are some and constants elsewhere.
macro_rules! singles {
    ($task:ident, $edges:expr, $script:expr) => {
        match $edges {
            (Some(a), Some(b), Some(c)) => $task(a, b, c, $script),
            (Some(a), Some(b), None) => $task(a, b, Ok(0), $script),
            (Some(a), None, Some(c)) => $task(a, Some(0), c, $script),
            (Some(a), None, None) => $task(a, Some(0), Ok(0), $script),
            (None, Some(b), Some(c)) => $task(0, b, c, $script),
            (None, Some(b), None) => $task(0, b, Ok(0), $script),
            (None, None, Some(c)) => $task(0, Some(0), c, $script),
            (None, None, None) => $task(0, Some(0), Ok(0), $script),
        }
    };
}

fn draw(graph: &Graph, run: u64) -> Dag<u32> {
    let mut options = DagOptions::NONE;
    options.max_active_tasks = graph.max_active_tasks;
    let dag = Dag::build_with("random", options, || {
        let mut outputs: Vec<Output<u32>> = Vec::new();
        for (index, node) in graph.nodes.iter().enumerate() {
            let of = |edges: &[usize]| edges.iter().map(|&from| outputs[from]).collect::<Vec<_>>();
            let (a, b, c, f) = (of(&node.required), of(&node.optional), of(&node.outcome), of(&node.first));
            let script =
                Script { run, task: index, attempts: node.attempts.clone(), slots: node.slots.unwrap_or(0) as usize };
            let single = || (a.first().copied(), b.first().copied(), c.first().copied());
            let aware = node.attempts.iter().any(|end| matches!(end, End::Skip | End::Fail));
            let output = match (node.shape, node.kind, aware) {
                (Shape::Lists, Kind::Sync, false) => lists_sync(a, b, c, script),
                (Shape::Lists, Kind::Blocking, false) => lists_blocking(a, b, c, script),
                (Shape::Lists, Kind::Async, false) => lists_async(a, b, c, script),
                (Shape::Lists, Kind::Sync, true) => aware_sync(a, b, c, script),
                (Shape::Lists, Kind::Blocking, true) => aware_blocking(a, b, c, script),
                (Shape::Lists, Kind::Async, true) => aware_async(a, b, c, script),
                (Shape::Singles, Kind::Sync, _) => singles!(singles_sync, single(), script),
                (Shape::Singles, Kind::Blocking, _) => singles!(singles_blocking, single(), script),
                (Shape::Singles, Kind::Async, _) => singles!(singles_async, single(), script),
                (Shape::First, Kind::Sync, _) => first_sync(f, a, b, c, script),
                (Shape::First, Kind::Blocking, _) => first_blocking(a, f, b, c, script),
                (Shape::First, Kind::Async, _) => first_async(a, b, f, c, script),
            };
            let output = output.id(format!("t{index}")).retries(node.retries).retry_delay(Duration::ZERO);
            let output = output.priority(node.priority).trigger_rule(node.rule);
            outputs.push(match node.slots {
                Some(slots) => output.pool("pair").pool_slots(slots),
                None => output,
            });
        }
        for (node, output) in graph.nodes.iter().zip(&outputs) {
            output.after(node.after.iter().map(|&from| outputs[from]).collect::<Vec<_>>());
        }
        outputs[0]
    });
    dag.expect("the graph is sound")
}

// The model.

/// What must come out.
#[derive(Debug, PartialEq)]
struct Expected {
    states: Vec<TaskState>,
    attempts: Vec<u32>,
    run: RunState,
}

fn model(graph: &Graph) -> Expected {
    let count = graph.nodes.len();
    let taken = taken(graph);
    let mut ends: Vec<Option<(TaskState, u32)>> = vec![None; count];
    // A node is done when everything above is: this ends, as there are no cycles.
    while ends.iter().any(Option::is_none) {
        for (index, node) in graph.nodes.iter().enumerate() {
            if !taken.contains(&index) {
                ends[index] = Some((TaskState::Removed, 0));
            } else if ends[index].is_none() && node.upstreams().all(|upstream| ends[upstream].is_some()) {
                let state = |upstream: usize| ends[upstream].map_or(TaskState::None, |(state, _)| state);
                ends[index] = Some(match verdict(node, state) {
                    ExpectedVerdict::Run => run_attempts(node),
                    ExpectedVerdict::Skip => (TaskState::Skipped, 0),
                    ExpectedVerdict::Fail => (TaskState::UpstreamFailed, 0),
                });
            }
        }
    }
    let (states, attempts): (Vec<TaskState>, Vec<u32>) = ends.into_iter().flatten().unzip();
    // The run ends as the tasks do that no other task of it depends on.
    let inner: BTreeSet<usize> = taken.iter().flat_map(|&index| graph.nodes[index].upstreams()).collect();
    let failed = (0..count).any(|index| is_bad(states[index]) && !inner.contains(&index));
    let run = if failed { RunState::Failed } else { RunState::Success };
    Expected { states, attempts, run }
}

fn is_bad(state: TaskState) -> bool {
    matches!(state, TaskState::Failed | TaskState::UpstreamFailed)
}

/// Which tasks take part.
fn taken(graph: &Graph) -> BTreeSet<usize> {
    let all: BTreeSet<usize> = (0..graph.nodes.len()).collect();
    let mut taken = match graph.part {
        None => return all,
        Some(Part::Only(task)) => BTreeSet::from([task]),
        Some(Part::From(task)) => {
            all.into_iter().filter(|&other| other == task || above(&graph.nodes, other).contains(&task)).collect()
        }
    };
    for task in taken.clone() {
        taken.extend(above(&graph.nodes, task));
    }
    taken
}

/// What all edges of a node together say, once every upstream has ended.
fn verdict(node: &Node, state: impl Fn(usize) -> TaskState) -> ExpectedVerdict {
    let rule = |rule: TriggerRule, upstreams: &[usize]| {
        let count = |test: fn(TaskState) -> bool| upstreams.iter().filter(|&&upstream| test(state(upstream))).count();
        let success = count(|state| state == TaskState::Success);
        let upstream_failed = count(|state| state == TaskState::UpstreamFailed);
        let skipped = count(|state| state == TaskState::Skipped);
        expected_verdict(rule, success, count(is_bad) - upstream_failed, upstream_failed, skipped)
    };
    let each = [
        rule(TriggerRule::AllSuccess, &node.required),
        rule(TriggerRule::NoneFailed, &node.optional),
        rule(TriggerRule::AllDone, &node.outcome),
        rule(TriggerRule::OneSuccess, &node.first),
        rule(node.rule, &node.after),
    ];
    if each.contains(&ExpectedVerdict::Fail) {
        ExpectedVerdict::Fail
    } else if each.contains(&ExpectedVerdict::Skip) {
        ExpectedVerdict::Skip
    } else {
        ExpectedVerdict::Run
    }
}

fn run_attempts(node: &Node) -> (TaskState, u32) {
    for attempt in 1..=node.retries + 1 {
        match node.end(attempt) {
            End::Success => return (TaskState::Success, attempt),
            End::Skip => return (TaskState::Skipped, attempt),
            End::Fail => return (TaskState::Failed, attempt),
            End::Error | End::Panic => {}
        }
    }
    (TaskState::Failed, node.retries + 1)
}

/// What a task must have been given, but for the place of an `AnyOf`.
fn expected_inputs(graph: &Graph, expected: &Expected, task: usize) -> String {
    let node = &graph.nodes[task];
    let success = |&upstream: &usize| (expected.states[upstream] == TaskState::Success).then_some(upstream as u32);
    let mut required: Vec<u32> = node.required.iter().map(|&upstream| upstream as u32).collect();
    let mut optional: Vec<Option<u32>> = node.optional.iter().map(success).collect();
    let mut outcome: Vec<String> = node
        .outcome
        .iter()
        .map(|&upstream| match expected.states[upstream] {
            TaskState::Success => upstream.to_string(),
            TaskState::Skipped => "skipped".to_owned(),
            TaskState::UpstreamFailed => "upstream_failed".to_owned(),
            _ => match graph.nodes[upstream].end(expected.attempts[upstream]) {
                End::Panic => "panic".to_owned(),
                _ => "error".to_owned(),
            },
        })
        .collect();
    if node.shape == Shape::Singles {
        if required.is_empty() {
            required.push(0);
        }
        if optional.is_empty() {
            optional.push(Some(0));
        }
        if outcome.is_empty() {
            outcome.push("0".to_owned());
        }
    }
    format!("{required:?} {optional:?} {outcome:?}")
}

// The comparison.

type Check = Result<(), TestCaseError>;

/// What the tasks noted agrees with the model.
fn check_notes(graph: &Graph, expected: &Expected, notes: &Notes) -> Check {
    let mut attempts = vec![0u32; graph.nodes.len()];
    for (task, seen) in &notes.attempts {
        attempts[*task] += 1;
        let wanted = expected_inputs(graph, expected, *task);
        let node = &graph.nodes[*task];
        if node.shape == Shape::First {
            let (first, rest) = seen.split_once(" of ").expect("the tasks write it so");
            prop_assert_eq!(rest, wanted, "inputs of t{}", task);
            let (value, place) = first.split_once(" at ").expect("the tasks write it so");
            let winner = node.first[place.parse::<usize>().expect("a number")];
            prop_assert_eq!(value, winner.to_string(), "the value of t{} is not that of its place", task);
            prop_assert_eq!(expected.states[winner], TaskState::Success);
        } else {
            prop_assert_eq!(seen, &wanted, "inputs of t{}", task);
        }
    }
    prop_assert_eq!(&attempts, &expected.attempts, "attempts that really ran");
    prop_assert_eq!((notes.inside, notes.slots), (0, 0));
    if let Some(most) = graph.max_active_tasks {
        prop_assert!(notes.peak <= most as usize, "{} tasks ran at once", notes.peak);
    }
    prop_assert!(notes.slots_peak <= 2, "{} slots were taken at once", notes.slots_peak);
    Ok(())
}

fn check_report(graph: &Graph, expected: &Expected, report: &RunReport<u32>) -> Check {
    let states: Vec<TaskState> = report.tasks().map(|task| task.state()).collect();
    prop_assert_eq!(&states, &expected.states);
    let attempts: Vec<u32> = report.tasks().map(|task| task.attempt_count()).collect();
    prop_assert_eq!(&attempts, &expected.attempts);
    prop_assert_eq!(report.state(), expected.run);
    for task in report.tasks() {
        let numbers: Vec<u32> = task.attempts().iter().map(|attempt| attempt.number).collect();
        prop_assert_eq!(&numbers, &(1..=task.attempt_count()).collect::<Vec<_>>());
        prop_assert_eq!(task.failure().is_none(), matches!(task.state(), TaskState::Success | TaskState::Removed));
        for pair in task.attempts().windows(2) {
            prop_assert!(pair[0].started <= pair[0].ended && pair[0].ended <= pair[1].started);
        }
        // Whatever it needed had ended.
        let node = &graph.nodes[task.index().as_usize()];
        if let Some(started) = task.started() {
            for upstream in node.required.iter().chain(&node.optional).chain(&node.outcome) {
                let upstream = report.task(&format!("t{upstream}")).expect("there is such a task");
                prop_assert!(upstream.ended() <= started, "{task:?} started before {upstream:?} ended");
            }
        }
    }
    Ok(())
}

/// The stored history of the last run of a journal matches its report.
fn check_history(journal: &Journal, report: &RunReport<u32>) -> Check {
    static RUNTIME: LazyLock<tokio::runtime::Runtime> =
        LazyLock::new(|| tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts"));
    let history = RUNTIME.block_on(journal.history("last")).expect("the history can be read");
    let summary = RUNTIME.block_on(journal.find("last")).expect("the run can be found");
    prop_assert_eq!(&history.info, report.run());
    prop_assert_eq!((history.state, summary.state), (report.state(), report.state()));
    prop_assert_eq!((history.ended, summary.ended), (Some(report.ended()), Some(report.ended())));
    prop_assert_eq!(history.halt_reason.as_deref(), report.halt_reason());
    prop_assert_eq!(history.sessions.len(), 1);
    prop_assert_eq!(history.tasks.len(), report.tasks().count());
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for (known, task) in history.tasks.iter().zip(report.tasks()) {
        *counts.entry(task.state().name()).or_default() += 1;
        prop_assert_eq!((&*known.id, known.state), (&*task.id(), task.state()));
        if task.state() != TaskState::Removed {
            prop_assert_eq!(known.since, Some(task.ended()), "end of {:?}", task);
        }
        prop_assert_eq!(known.has_value(), task.state() == TaskState::Success);
        let failed = matches!(task.state(), TaskState::Failed | TaskState::Cancelled);
        if failed || (task.state() == TaskState::Skipped && known.cause.is_none()) {
            prop_assert_eq!(&known.failure, &task.failure(), "failure of {:?}", task);
        }
        let attempts = task.attempts();
        prop_assert_eq!(known.attempts.len(), attempts.len(), "attempts of {:?}", task);
        for (stored, attempt) in known.attempts.iter().zip(attempts) {
            prop_assert_eq!(stored.number, attempt.number);
            prop_assert_eq!(stored.started, attempt.started, "start of attempt {} of {:?}", attempt.number, task);
            prop_assert_eq!(stored.ended, Some(attempt.ended), "end of attempt {} of {:?}", attempt.number, task);
            prop_assert_eq!(&stored.failure, &attempt.failure, "failure of attempt {} of {:?}", attempt.number, task);
        }
    }
    let counted = |counts: Vec<(TaskState, u32)>| -> BTreeMap<&str, u32> {
        counts.into_iter().map(|(state, count)| (state.name(), count)).collect()
    };
    prop_assert_eq!(&counted(history.counts()), &counts);
    prop_assert_eq!(&counted(summary.counts), &counts);
    Ok(())
}

/// Whether the upstreams let the task go, as they stand now.
fn may_start(node: &Node, state: impl Fn(usize) -> TaskState) -> bool {
    let bad = |upstream: &usize| is_bad(state(*upstream));
    let success = |upstream: &usize| state(*upstream) == TaskState::Success;
    let skipped = |upstream: &usize| state(*upstream) == TaskState::Skipped;
    let ended = |upstream: &usize| state(*upstream).is_terminal();
    let after = || node.after.iter();
    let by_order = match node.rule {
        TriggerRule::AllSuccess => after().all(success),
        TriggerRule::AllFailed => after().all(bad),
        TriggerRule::AllDone | TriggerRule::AllDoneSetupSuccess => after().all(ended),
        TriggerRule::AllDoneMinOneSuccess => after().all(|u| success(u) || bad(u)) && after().any(success),
        TriggerRule::OneSuccess => after().any(success),
        TriggerRule::OneFailed => after().any(bad),
        TriggerRule::OneDone => after().any(|u| success(u) || (bad(u) && state(*u) != TaskState::UpstreamFailed)),
        TriggerRule::NoneFailed => after().all(|u| success(u) || skipped(u)),
        TriggerRule::NoneFailedMinOneSuccess => after().all(|u| success(u) || skipped(u)) && after().any(success),
        TriggerRule::NoneSkipped => after().all(|u| success(u) || bad(u)),
        TriggerRule::AllSkipped => after().all(skipped),
        TriggerRule::Always => true,
    };
    node.required.iter().all(success)
        && node.optional.iter().all(|u| success(u) || skipped(u))
        && node.outcome.iter().all(ended)
        && (node.first.is_empty() || node.first.iter().any(success))
        && by_order
}

const LEGAL: [(TaskState, &[TaskState]); 4] = {
    use TaskState::{Cancelled, Failed, None, Running, Scheduled, Skipped, Success, UpForRetry, UpstreamFailed};
    [
        (None, &[Scheduled, Skipped, UpstreamFailed, Cancelled]),
        (Scheduled, &[Running, Skipped, Cancelled]),
        (Running, &[Success, Failed, Skipped, UpForRetry, Cancelled]),
        (UpForRetry, &[Scheduled, Skipped, Cancelled]),
    ]
};

/// Checks that the sequence of events is possible. Returns the last state of each task and of the
/// run.
fn check_story(graph: &Graph, events: &[Event]) -> Result<(Vec<TaskState>, RunState), TestCaseError> {
    let taken = taken(graph);
    let initial = |index| if taken.contains(&index) { TaskState::None } else { TaskState::Removed };
    let mut states: Vec<TaskState> = (0..graph.nodes.len()).map(initial).collect();
    let mut attempts = vec![0u32; states.len()];
    let mut times: BTreeMap<TaskIndex, Timestamp> = BTreeMap::new();
    let (last, before) = events.split_last().expect("there is at least the end of the run");
    for event in before {
        let Event::Task { at, task, attempt, from, to } = event else {
            return Err(TestCaseError::fail(format!("{event:?} is not the last event")));
        };
        let index = task.as_usize();
        let node = &graph.nodes[index];
        prop_assert_eq!(states[index], *from, "t{} was not {} before", index, from);
        let legal = LEGAL.iter().find(|(state, _)| state == from).is_some_and(|(_, next)| next.contains(to));
        prop_assert!(legal, "t{} went from {} to {}", index, from, to);
        if *to == TaskState::Running {
            attempts[index] += 1;
        }
        prop_assert_eq!(attempts[index], *attempt, "attempt of t{}", index);
        if (*from, *to) == (TaskState::None, TaskState::Scheduled) {
            prop_assert!(may_start(node, |upstream| states[upstream]), "t{} was scheduled too early", index);
        }
        if *to == TaskState::UpForRetry {
            prop_assert!(attempts[index] <= node.retries, "t{} has no retry left", index);
        }
        prop_assert!(times.insert(*task, *at).is_none_or(|before| before <= *at), "t{} went back in time", index);
        states[index] = *to;
        if let Some(most) = graph.max_active_tasks {
            let running = states.iter().filter(|state| **state == TaskState::Running).count();
            prop_assert!(running <= most as usize, "{} tasks were running at once", running);
        }
        let running = states.iter().zip(&graph.nodes).filter(|(state, _)| **state == TaskState::Running);
        let slots: u32 = running.filter_map(|(_, node)| node.slots).sum();
        prop_assert!(slots <= 2, "{} slots were taken at once", slots);
    }
    let Event::Run { to, .. } = last else {
        return Err(TestCaseError::fail(format!("{last:?} is the last event")));
    };
    for (index, state) in states.iter().enumerate() {
        prop_assert!(state.is_terminal(), "t{} ended as {}", index, state);
    }
    Ok((states, *to))
}

// The runs.

static ENGINES: LazyLock<[Engine; 3]> = LazyLock::new(|| {
    [1, 2, 4].map(|workers| {
        let workers = NonZeroUsize::new(workers).expect("not zero");
        Engine::builder().workers(workers).build().expect("no pool is named")
    })
});

fn next_run() -> u64 {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    RUNS.fetch_add(1, Ordering::Relaxed)
}

fn selection(graph: &Graph, dag: &Dag<u32>) -> Option<Selection> {
    let plan = dag.plan();
    Some(match graph.part? {
        Part::Only(task) => Selection::only(plan, &format!("t{task}")).expect("there is such a task"),
        Part::From(task) => Selection::from(plan, &format!("t{task}")).expect("there is such a task"),
    })
}

fn check(graph: &Graph) -> Check {
    watch_panics();
    let expected = model(graph);
    for engine in [None].into_iter().chain(ENGINES.iter().map(Some)) {
        let run = next_run();
        let dag = draw(graph, run);
        let log = Log::default();
        let mut request = dag.run().observe(log.observer());
        if let Some(selection) = selection(graph, &dag) {
            request = request.select(selection);
        }
        let report = match engine {
            None => reference(request),
            Some(engine) => live(request.engine(engine)),
        };
        let notes = locked(&NOTES).remove(&run).unwrap_or_default();
        let (states, end) = check_story(graph, &log.events())?;
        prop_assert_eq!(&states, &expected.states, "as the events tell it");
        prop_assert_eq!(end, expected.run);
        check_report(graph, &expected, &report)?;
        check_notes(graph, &expected, &notes)?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(common::cases(250))]

    #[test]
    fn every_run_of_a_random_graph_matches_the_model(graph in graph(16)) {
        check(&graph)?;
    }

    #[test]
    fn every_partial_run_of_a_random_graph_matches_the_model(graph in part_of_a_graph(12)) {
        check(&graph)?;
    }
}

/// Runs the graph with a journal on each engine.
fn check_stored(graph: &Graph, durability: Durability, fail_fast: bool) -> Check {
    watch_panics();
    for engine in ENGINES.iter() {
        let (run, journal) = (next_run(), Journal::in_memory().expect("its thread starts"));
        let dag = draw(graph, run);
        let mut request = dag.run().engine(engine).journal(&journal).durability(durability).fail_fast(fail_fast);
        if let Some(selection) = selection(graph, &dag) {
            request = request.select(selection);
        }
        let report = live(request);
        let notes = locked(&NOTES).remove(&run).unwrap_or_default();
        if !fail_fast {
            let expected = model(graph);
            check_report(graph, &expected, &report)?;
            check_notes(graph, &expected, &notes)?;
        }
        check_history(&journal, &report)?;
    }
    Ok(())
}

fn durability() -> impl Strategy<Value = Durability> {
    prop_oneof![Just(Durability::Strict), Just(Durability::Relaxed)]
}

proptest! {
    #![proptest_config(common::cases(60))]

    #[test]
    fn the_history_of_a_random_run_matches_its_report(graph in graph(16), durability in durability()) {
        check_stored(&graph, durability, false)?;
    }

    #[test]
    fn the_history_of_a_partial_random_run_matches_its_report(
        graph in part_of_a_graph(12),
        durability in durability(),
    ) {
        check_stored(&graph, durability, false)?;
    }

    #[test]
    fn the_history_of_a_fail_fast_random_run_matches_its_report(graph in graph(16)) {
        check_stored(&graph, Durability::Strict, true)?;
    }
}

proptest! {
    #![proptest_config(common::cases(20))]

    #[test]
    fn large_random_graphs_match_the_model(graph in graph(300)) {
        check(&graph)?;
    }
}

proptest! {
    #![proptest_config(common::cases(200))]

    /// Wherever a run is cancelled, every task ends, nothing starts afterwards, and no finished
    /// task changes.
    #[test]
    fn a_cancelled_random_run_ends(
        graph in graph(16),
        after in 0..40usize,
        is_stored in any::<bool>(),
    ) {
        watch_panics();
        for engine in ENGINES.iter() {
            let run = next_run();
            let log = Log::default();
            let (send_control, control) = std::sync::mpsc::channel::<taskflow::engine::RunControl>();
            let mut observe = log.observer();
            let mut seen = 0;
            let observer = move |event: &Event| {
                observe(event);
                seen += 1;
                if seen == after + 1 && let Ok(control) = control.recv_timeout(common::PATIENCE) {
                    control.cancel("as drawn");
                }
            };
            let journal = is_stored.then(|| Journal::in_memory().expect("its thread starts"));
            let mut request = draw(&graph, run).run().engine(engine).observe(observer);
            if let Some(journal) = &journal {
                request = request.journal(journal);
            }
            let handle = request.start().expect("the graph is sound");
            let _ = send_control.send(handle.control());
            let report = common::finish(handle);
            if let Some(journal) = &journal {
                check_history(journal, &report)?;
            }
            let notes = locked(&NOTES).remove(&run).unwrap_or_default();

            let events = log.events();
            let (states, end) = check_story(&graph, &events)?;
            prop_assert_eq!(&states, &report.tasks().map(|task| task.state()).collect::<Vec<_>>());
            prop_assert_eq!(end, report.state());
            let is_cancelled = |event: &Event| matches!(event, Event::Task { to: TaskState::Cancelled, .. });
            if let Some(halt) = events.iter().position(is_cancelled) {
                let starts = |event: &Event| {
                    matches!(event, Event::Task { to: TaskState::Running | TaskState::Scheduled, .. })
                };
                prop_assert!(!events[halt..].iter().any(starts), "something started after the cancellation");
                prop_assert_eq!(end, RunState::Cancelled);
            }
            // What was never given to a worker did not run; what ran was told of.
            for (task, node) in report.tasks().zip(&graph.nodes) {
                let ran = notes.attempts.iter().filter(|(index, _)| *index == task.index().as_usize()).count();
                prop_assert!(ran as u32 <= task.attempt_count(), "{:?} of {:?}", task, node);
                if task.state() == TaskState::Success {
                    prop_assert_eq!(ran as u32, task.attempt_count());
                }
            }
        }
    }

    /// With `fail_fast` the first failure ends the run, and it is the only one unless others were
    /// running.
    #[test]
    fn a_fail_fast_random_run_ends(graph in graph(16)) {
        watch_panics();
        let failure_is_due = model(&graph).states.contains(&TaskState::Failed);
        for engine in [None].into_iter().chain(ENGINES.iter().map(Some)) {
            let run = next_run();
            let log = Log::default();
            let request = draw(&graph, run).run().fail_fast(true).observe(log.observer());
            let report = match engine {
                None => reference(request),
                Some(engine) => live(request.engine(engine)),
            };
            locked(&NOTES).remove(&run);
            let events = log.events();
            let (states, end) = check_story(&graph, &events)?;
            prop_assert_eq!(end, report.state());
            prop_assert_eq!(states.contains(&TaskState::Failed), failure_is_due);
            prop_assert_eq!(end == RunState::Failed, failure_is_due);
            let is_failure = |event: &Event| matches!(event, Event::Task { to: TaskState::Failed, .. });
            if let Some(halt) = events.iter().position(is_failure) {
                let starts = |event: &Event| {
                    matches!(event, Event::Task { to: TaskState::Running | TaskState::Scheduled, .. })
                };
                prop_assert!(!events[halt..].iter().any(starts), "something started after the failure");
            }
        }
    }
}
