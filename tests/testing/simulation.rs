//! Random graphs that use every feature, each run many times with other interleavings and faults:
//! processes that die, stores that are slow or fail, clocks that are wrong after a restart. The
//! test kit checks that all of them end the same, that no stored success runs again, and that the
//! journal matches what happened.
//!
//! `TASKFLOW_SIMULATIONS=100000` makes that many runs instead of 2,000; `TASKFLOW_GRAPH=17` looks
//! at one graph only, and `TASKFLOW_SEED=3` makes one run of it.
#![allow(clippy::needless_pass_by_value, reason = "tasks take their inputs in every way")]

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use taskflow::Group;
use taskflow::engine::Durability;
use taskflow::notify::{Callback, Deadline, DeadlineReference, log_line};
use taskflow::prelude::*;
use taskflow::testing::{Test, explore};
use taskflow::{DagOptions, Mapped};
use taskflow_tests::common::watch_panics;

taskflow::pool!("narrow", slots = 2);

/// A random number generator with a seed.
struct Dice(u64);

impl Dice {
    /// [SplitMix64](https://prng.di.unimi.it/splitmix64.c).
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    fn some_of<V: Copy>(&mut self, from: &[V], most: u64) -> Vec<V> {
        if from.is_empty() {
            return Vec::new();
        }
        (0..self.roll(most + 1)).map(|_| from[self.roll(from.len() as u64) as usize]).collect()
    }
}

/// How every attempt of a task ends, but for those that the test kit makes fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum End {
    Success,
    Error,
    Panic,
    Skip,
    Fail,
}

impl End {
    fn drawn(dice: &mut Dice) -> Self {
        match dice.roll(16) {
            0 => End::Error,
            1 => End::Panic,
            2 => End::Skip,
            3 => End::Fail,
            _ => End::Success,
        }
    }

    fn come_to(self, ctx: &TaskContext, value: u64) -> Result<u64> {
        match self {
            End::Success => Ok(value),
            End::Error => Err("an error as drawn")?,
            End::Panic => panic!("a panic as drawn"),
            End::Skip => Err(ctx.skip("a skip as drawn"))?,
            End::Fail => Err(ctx.fail("a failure as drawn"))?,
        }
    }
}

fn mix(values: impl IntoIterator<Item = u64>) -> u64 {
    values.into_iter().fold(7, |sum, value| sum.wrapping_mul(31).wrapping_add(value))
}

fn mixed(required: &[u64], optional: &[Option<u64>], outcome: &[Result<u64, Failure>]) -> u64 {
    let required = required.iter().copied();
    let optional = optional.iter().map(|value| value.unwrap_or(3));
    let outcome = outcome.iter().map(|value| *value.as_ref().unwrap_or(&5));
    mix(required.chain(optional).chain(outcome))
}

#[task]
fn work(
    ctx: &TaskContext,
    required: Vec<u64>,
    optional: Vec<Option<u64>>,
    outcome: Vec<Result<u64, Failure>>,
    end: End,
) -> Result<u64> {
    end.come_to(ctx, mixed(&required, &optional, &outcome))
}

#[task]
async fn wait(
    ctx: &TaskContext,
    required: Vec<u64>,
    optional: Vec<Option<u64>>,
    outcome: Vec<Result<u64, Failure>>,
    seconds: u64,
    end: End,
) -> Result<u64> {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    end.come_to(ctx, mixed(&required, &optional, &outcome))
}

/// Without a context it cannot be told to stop.
#[task]
async fn deaf(required: Vec<u64>, seconds: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    mix(required)
}

/// Holds no slot until its time has come.
#[task(deferrable)]
fn pause(ctx: &TaskContext, required: Vec<u64>, seconds: u64, end: End) -> Result<u64> {
    ctx.defer_until(ctx.logical_date() + Duration::from_secs(seconds))?;
    end.come_to(ctx, mix(required))
}

/// Finds what it looks for at once, or never.
#[sensor(poke_interval = "10s", timeout = "1m")]
fn look(required: Vec<u64>, is_there: bool) -> Option<u64> {
    is_there.then(|| mix(required))
}

#[task(blocking)]
fn first(any: AnyOf<u64>) -> u64 {
    any.into_inner()
}

/// Another list when it is cleared.
#[task]
fn numbers(ctx: &TaskContext, _after: Option<u64>, count: u64) -> Vec<u64> {
    let rounds = ctx.idempotency_key().rsplit('/').next().and_then(|round| round.parse::<u64>().ok());
    let first = rounds.unwrap_or(0);
    (first..first + (count + first) % 5).collect()
}

#[task]
fn of_all(values: Vec<u64>) -> u64 {
    mix(values)
}

#[task]
fn of_some(values: Vec<Option<u64>>) -> u64 {
    mixed(&[], &values, &[])
}

#[task]
fn of_any(values: Vec<Result<u64, Failure>>) -> u64 {
    mixed(&[], &[], &values)
}

#[derive(Clone, Serialize, Deserialize)]
enum Route {
    Left(u64),
    Right { value: u64 },
    Nowhere,
}

#[task]
fn route(way: u64, _after: Option<u64>) -> Route {
    match way {
        0 => Route::Left(1),
        1 => Route::Right { value: 2 },
        _ => Route::Nowhere,
    }
}

#[task]
fn flag(is_set: bool, _after: Option<u64>) -> bool {
    is_set
}

/// What the test kit does to a task of the graph.
enum Tweak {
    Fails(u32),
    Takes(u64),
}

/// A graph under construction.
struct Sketch<'a> {
    dice: &'a mut Dice,
    outputs: Vec<Output<u64>>,
    tweaks: &'a mut Vec<(String, Tweak)>,
    count: u32,
    /// The name of the group that is being drawn, and a dot.
    group: String,
    /// The seed of the dice for limits, which are of their own, so that the graphs stay what they
    /// were.
    limits: u64,
}

impl Sketch<'_> {
    /// The dice for the limits of the next group.
    fn limits(&self) -> Dice {
        Dice(self.limits ^ (u64::from(self.count) << 32))
    }

    fn any(&mut self) -> Option<Output<u64>> {
        let picked = self.dice.roll(self.outputs.len().max(1) as u64) as usize;
        self.outputs.get(picked).copied()
    }

    /// Gives a node a name, options and order edges.
    fn finish(&mut self, output: Output<u64>, is_ordered: bool) -> Output<u64> {
        let id = format!("t{}", self.count);
        self.count += 1;
        let dice = &mut *self.dice;
        let mut output = output.id(id.clone()).priority(dice.roll(3) as i32 - 1);
        if dice.one_in(2) {
            output = output.retries(dice.roll(3) as u32).retry_delay(Duration::from_secs(dice.roll(100)));
        }
        if dice.one_in(4) {
            // Never at the very moment in which a task ends: either could come first.
            output = output.timeout(Duration::from_millis(1500 + 1000 * dice.roll(60)));
        }
        if dice.one_in(4) {
            output = output.pool("narrow").pool_slots(1 + dice.roll(2) as u32);
        }
        if is_ordered && dice.one_in(3) {
            let before = dice.some_of(&self.outputs, 3);
            if !before.is_empty() {
                let rule = TriggerRule::ALL[dice.roll(TriggerRule::ALL.len() as u64) as usize];
                output = output.trigger_rule(rule);
                output.after(before);
            }
        }
        match dice.roll(6) {
            0 => self.tweaks.push((format!("{}{id}", self.group), Tweak::Fails(1 + dice.roll(2) as u32))),
            1 => self.tweaks.push((format!("{}{id}", self.group), Tweak::Takes(dice.roll(90)))),
            _ => {}
        }
        output
    }

    fn plain(&mut self) -> Output<u64> {
        let [required, optional, outcome] = [2, 1, 2].map(|most| self.dice.some_of(&self.outputs, most));
        let end = End::drawn(self.dice);
        let seconds = self.dice.roll(80);
        let output = match self.dice.roll(8) {
            3 => pause(required, seconds * 3, end),
            4 => look(required, end != End::Error),
            0 | 1 => wait(required, optional, outcome, seconds, end),
            2 => deaf(required, seconds),
            _ => work(required, optional, outcome, end),
        };
        self.finish(output, true)
    }

    /// A task for each element, or a list for each, or both.
    fn list(&mut self, of: Output<Vec<u64>>, depth: u32) -> Mapped<u64> {
        let limit = self.dice.roll(4) as u32;
        let mut sketch = Sketch {
            dice: &mut *self.dice,
            outputs: Vec::new(),
            tweaks: &mut *self.tweaks,
            count: self.count,
            group: String::new(),
            limits: self.limits,
        };
        let outside = self.outputs.clone();
        let mapped = of.each(|element| {
            sketch.outputs = vec![element];
            // Values from outside reach every element.
            sketch.outputs.extend(sketch.dice.some_of(&outside, 2));
            let inner = sketch.plain();
            sketch.outputs.push(inner);
            if depth > 0 && sketch.dice.one_in(2) {
                let count = sketch.dice.roll(3);
                let list = sketch.list(numbers(inner, count), depth - 1);
                let all = sketch.collect(list);
                sketch.outputs.push(all);
            }
            sketch.plain()
        });
        self.count = sketch.count;
        let mapped = if self.dice.one_in(4) { mapped.rate("4/min") } else { mapped };
        if limit > 0 { mapped.concurrency(limit) } else { mapped }
    }

    fn collect(&mut self, mapped: Mapped<u64>) -> Output<u64> {
        match self.dice.roll(3) {
            0 => of_all(mapped),
            1 => of_some(mapped),
            _ => of_any(mapped),
        }
    }

    fn after(&mut self) -> Option<Output<u64>> {
        if self.dice.one_in(2) { self.any() } else { None }
    }

    fn node(&mut self) -> Output<u64> {
        match self.dice.roll(12) {
            0 if !self.outputs.is_empty() => {
                let from = [self.any(), self.any()];
                let output = first(from.into_iter().flatten().collect::<Vec<_>>());
                self.finish(output, false)
            }
            1 | 2 => {
                let count = self.dice.roll(4);
                let list = match self.after() {
                    Some(after) => numbers(after, count),
                    None => numbers(Some(0), count),
                };
                let mapped = self.list(list, 1);
                self.collect(mapped)
            }
            3 => {
                let way = self.dice.roll(3);
                let way = match self.after() {
                    Some(after) => route(way, after),
                    None => route(way, Some(0)),
                };
                branch!(way => {
                    Route::Left(value) => of_all([value]),
                    Route::Right { value } => {
                        self.outputs.push(value);
                        let inner = self.plain();
                        self.outputs.pop();
                        inner
                    }
                    Route::Nowhere => of_all(Vec::<u64>::new()),
                })
            }
            6 if self.group.is_empty() => {
                let name = format!("unit{}", self.count);
                self.group = format!("{name}.");
                let unit = Group::new(&name).retries(1 + self.dice.roll(2) as u32);
                let unit = unit.retry_delay(Duration::from_secs(self.dice.roll(60)));
                let mut limits = self.limits();
                let unit = if limits.one_in(2) { unit.concurrency(1 + limits.roll(2) as u32) } else { unit };
                let output = unit.draw(|| {
                    let known = self.outputs.len();
                    for _ in 0..self.dice.roll(3) {
                        let inner = self.plain();
                        self.outputs.push(inner);
                    }
                    let last = self.plain();
                    self.outputs.truncate(known);
                    last
                });
                self.group.clear();
                output
            }
            5 => {
                let (setup, end) = (self.plain(), End::drawn(self.dice));
                let retries = self.dice.roll(3) as u32;
                scope(
                    setup,
                    |made| {
                        let known = self.outputs.len();
                        self.outputs.push(made);
                        for _ in 0..self.dice.roll(3) {
                            let inner = self.plain();
                            self.outputs.push(inner);
                        }
                        let last = self.node();
                        self.outputs.truncate(known);
                        last
                    },
                    |made| work(vec![made], Vec::<Output<u64>>::new(), Vec::<Output<u64>>::new(), end).retries(retries),
                )
            }
            4 => {
                let is_set = self.dice.one_in(2);
                let condition = match self.after() {
                    Some(after) => flag(is_set, after),
                    None => flag(is_set, Some(0)),
                };
                match self.dice.roll(2) {
                    0 => only_if(condition, || self.plain()),
                    _ => when(condition, || of_all(vec![1])).otherwise(|| of_all(vec![2])),
                }
            }
            _ => self.plain(),
        }
    }
}

/// A graph, and what the test kit does to its tasks.
fn draw(graph: u64) -> (Dag<u64>, Vec<(String, Tweak)>) {
    let mut dice = Dice(graph);
    let mut tweaks = Vec::new();
    let mut options = DagOptions::NONE;
    options.max_active_tasks = dice.one_in(4).then(|| 1 + dice.roll(3) as u32);
    options.timeout = dice.one_in(10).then(|| Duration::from_secs(1 + dice.roll(300)));
    options.fail_fast = dice.one_in(8);
    watched(graph, &mut options);
    let nodes = 2 + dice.roll(7);
    let dag = Dag::build_with(&format!("graph_{graph}"), options, || {
        let mut sketch = Sketch {
            dice: &mut dice,
            outputs: Vec::new(),
            tweaks: &mut tweaks,
            count: 0,
            group: String::new(),
            limits: graph ^ 0x006c_696d_6974,
        };
        for _ in 0..nodes {
            let output = sketch.node();
            sketch.outputs.push(output);
        }
        sketch.any().expect("there are nodes")
    });
    (dag.unwrap_or_else(|error| panic!("graph {graph}: {error}")), tweaks)
}

/// Retries of the whole run, a deadline, callbacks: with dice of their own, so that the graphs stay
/// what they were.
fn watched(graph: u64, options: &mut DagOptions) {
    let mut dice = Dice(graph ^ 0x00ca_11ba_c45f);
    options.retries = dice.one_in(3).then(|| 1 + dice.roll(2) as u32);
    options.retry_delay = dice.one_in(2).then(|| Duration::from_secs(dice.roll(100)));
    let references = [DeadlineReference::LogicalDate, DeadlineReference::Queued, DeadlineReference::Started];
    let after = Duration::from_secs(dice.roll(200));
    options.deadline = dice.one_in(3).then(|| Deadline::new(after, references[dice.roll(3) as usize]));
    let tell = Some(Callback::new(|| Arc::new(log_line())));
    if dice.one_in(2) {
        let told = &mut options.callbacks;
        (told.on_success, told.on_failure, told.on_retry, told.on_deadline_missed) = (tell, tell, tell, tell);
        let told = &mut options.task_defaults.callbacks;
        (told.on_success, told.on_failure, told.on_retry, told.on_skip) = (tell, tell, tell, tell);
    }
    let after = Duration::from_secs(dice.roll(100));
    let of_tasks = dice.one_in(4).then(|| Deadline::new(after, DeadlineReference::Started));
    options.task_defaults.deadline = of_tasks;
}

fn test(dag: &Dag<u64>, tweaks: &[(String, Tweak)], graph: u64) -> Test<u64> {
    let mut dice = Dice(!graph);
    let test = Test::new(dag).durability(if dice.one_in(4) { Durability::Relaxed } else { Durability::Strict });
    let test = if dice.one_in(8) { test.cancel_after(dice.roll(60)) } else { test };
    tweaks.iter().fold(test, |test, (id, tweak)| match tweak {
        Tweak::Fails(times) => test.fail_times(id.as_str(), *times, "an error of the test"),
        Tweak::Takes(seconds) => test.takes(id.as_str(), Duration::from_secs(*seconds)),
    })
}

/// How many runs of each graph there are.
const SEEDS: u64 = 20;

/// Two halves, so that two cores have something to do.
fn simulate(half: u64) {
    watch_panics();
    let variable = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let runs = variable("TASKFLOW_SIMULATIONS").unwrap_or(2000);
    let graphs = match variable("TASKFLOW_GRAPH") {
        Some(graph) => graph..graph + 1,
        None => 0..runs.div_ceil(SEEDS),
    };
    for graph in graphs.filter(|graph| graph % 2 == half) {
        let (dag, tweaks) = draw(graph);
        explore(graph * SEEDS..(graph + 1) * SEEDS, || test(&dag, &tweaks, graph));
    }
}

#[test]
fn a_random_graph_ends_the_same_under_injected_faults() {
    simulate(0);
}

#[test]
fn another_random_graph_ends_the_same_under_injected_faults() {
    simulate(1);
}
