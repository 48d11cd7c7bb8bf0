//! Tasks whose constant argument determines how each of their attempts ends, and which note what
//! happened.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::DagOptions;
use taskflow::prelude::*;
use taskflow_tests::common::locked;

use crate::random_graphs::{End, Graph, Kind, Shape};

taskflow::pool!("pair", slots = 2);

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
pub(crate) struct Notes {
    /// The inputs of each attempt.
    pub(crate) attempts: Vec<(usize, String)>,
    pub(crate) inside: usize,
    pub(crate) peak: usize,
    pub(crate) slots: usize,
    pub(crate) slots_peak: usize,
}

pub(crate) static NOTES: LazyLock<Mutex<HashMap<u64, Notes>>> = LazyLock::new(Mutex::default);

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

pub(crate) fn draw(graph: &Graph, run: u64) -> Dag<u32> {
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
