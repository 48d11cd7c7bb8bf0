//! Explores many interleavings of a run, with random faults, each of them reproducible.

use std::collections::BTreeMap;
use std::ops::Range;

use super::faults::Faults;
use super::outcome::Outcome;
use super::test::Test;
use crate::dag::{ArgPlan, EdgeKind, Plan};
use crate::engine::RunReport;
use crate::run::Durability;
use crate::value::{AnyValue, Value};

/// Runs a single seed instead of all.
const VARIABLE: &str = "TASKFLOW_SEED";

/// Runs the test once unchanged, and then once per seed with another interleaving and random
/// faults: the process dies (also before anything is stored), the store is slow or fails, the clock
/// differs after a restart, the number of workers varies. After the end, some tasks are cleared or
/// marked, and the run is resumed.
///
/// Every run must have the same outcome: the same state of every task and the same result (compared
/// as JSON); no task whose success was stored runs again; and the journal matches the events. Where
/// the order of events is meant to matter, less is compared: not the result with an `AnyOf`, not
/// the states with `fail_fast`, a time limit of the run or a cancellation, neither after an edit.
///
/// ```
/// use taskflow::prelude::*;
/// use taskflow::testing::{Test, explore};
/// # #[task] fn squares(n: u64) -> Vec<u64> { (0..n).map(|n| n * n).collect() }
/// # #[task] fn half(n: u64) -> u64 { n / 2 }
/// # #[task] fn total(numbers: &[u64]) -> u64 { numbers.iter().sum() }
/// #[dag]
/// fn halves(n: u64) -> u64 {
///     total(squares(n).each(|n| half(n)))
/// }
///
/// explore(0..50, || Test::new(halves::run(4)).fail_times("half[2]", 1, "not yet"));
/// ```
///
/// With the environment variable `TASKFLOW_SEED` it runs only that seed.
///
/// # Panics
///
/// If a run differs: with the seed, the events, and the command that repeats it.
#[track_caller]
pub fn explore<T: Value>(seeds: Range<u64>, test: impl Fn() -> Test<T>) {
    let (first, calm) = match test().try_run() {
        Ok(calm) => (Comparison::of(&calm), calm),
        Err(error) => panic!("the test fails without faults: {error}"),
    };
    let seeds = match std::env::var(VARIABLE) {
        Ok(seed) => match seed.parse::<u64>() {
            Ok(seed) => seed..seed.saturating_add(1),
            Err(_) => panic!("{VARIABLE} is `{seed}`, but a seed is a number"),
        },
        Err(_) => seeds,
    };
    for seed in seeds {
        let differs = match test().disturbed(seed, calm.steps).try_run() {
            Ok(outcome) => first.differs_from(&outcome),
            Err(error) => Some(error.to_string()),
        };
        if let Some(what) = differs {
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("NAME");
            panic!("with the seed {seed}: {what}\nto reproduce it: {VARIABLE}={seed} cargo test {name} -- --exact");
        }
    }
}

impl<T: Value> Test<T> {
    /// A test with the interleaving and the faults of this seed.
    fn disturbed(mut self, seed: u64, steps: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let own = std::mem::take(&mut self.faults);
        let random = Faults::random(&mut rng, steps);
        // Faults configured by the test are kept.
        self.faults = Faults {
            crash_after: own.crash_after,
            slow_store: own.slow_store.max(random.slow_store),
            failing_store: own.failing_store.or(random.failing_store),
            clock_jumps: own.clock_jumps,
            cancel_after: own.cancel_after,
            events: own.events,
            ..random
        };
        self.workers = rng.usize(1..=self.workers.max(4));
        if rng.u32(0..4) == 0 {
            self.durability = Durability::Relaxed;
        }
        self.is_stored = true;
        self.seed(seed)
    }
}

/// The outcome of the undisturbed run, as far as every other run must match it.
struct Comparison {
    states: Option<BTreeMap<String, &'static str>>,
    run: Option<&'static str>,
    result: Option<Result<serde_json::Value, Vec<u8>>>,
}

impl Comparison {
    fn of<T: Value>(outcome: &Outcome<T>) -> Self {
        let report = outcome.report();
        let plan = report.plan();
        let order_matters = outcome.is_order_dependent();
        let states = || report.tasks().map(|task| (task.id().into_owned(), task.state().name())).collect();
        Comparison {
            states: (!order_matters).then(states),
            run: (!order_matters).then(|| report.state().name()),
            result: if order_matters || takes_the_first(plan) { None } else { result(report) },
        }
    }

    fn differs_from<T: Value>(&self, outcome: &Outcome<T>) -> Option<String> {
        let other = Comparison::of(outcome);
        let log = || format!("{outcome:?}{}", outcome.event_log());
        if let (Some(one), Some(other)) = (&self.states, &other.states)
            && one != other
        {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            let differ = keys.filter(|key| one.get(*key) != other.get(*key));
            let name = |state: Option<&&'static str>| state.map_or("missing", |state| state);
            let differ: Vec<String> = differ
                .map(|key| format!("`{key}` is {}, without faults {}", name(other.get(key)), name(one.get(key))))
                .collect();
            return Some(format!("{}\n{}", differ.join(", "), log()));
        }
        if let (Some(one), Some(other)) = (self.run, other.run)
            && one != other
        {
            return Some(format!("the run is {other}, without faults {one}\n{}", log()));
        }
        if let (Some(one), Some(other)) = (&self.result, &other.result)
            && one != other
        {
            return Some(format!("the result is {}, without faults {}\n{}", shown(other), shown(one), log()));
        }
        None
    }
}

impl<T> Outcome<T> {
    /// Whether states may depend on the order of events.
    fn is_order_dependent(&self) -> bool {
        let options = self.report().plan().options();
        let is_ended_early = options.timeout.is_some() || options.fail_fast || self.report().halt_reason().is_some();
        is_ended_early || self.is_edited
    }
}

fn takes_the_first(plan: &Plan) -> bool {
    let is_first = |arg: ArgPlan<'_>| matches!(arg, ArgPlan::Edges(edges) if edges.kind() == EdgeKind::First);
    plan.node_indices().any(|node| plan.args(node).any(is_first))
}

fn shown(result: &Result<serde_json::Value, Vec<u8>>) -> String {
    result.as_ref().map_or_else(|bytes| format!("{bytes:?}"), ToString::to_string)
}

/// The result in a form that can be compared: as JSON, or in its stored form if JSON cannot
/// represent it.
fn result<T: Value>(report: &RunReport<T>) -> Option<Result<serde_json::Value, Vec<u8>>> {
    let ty = crate::value::TypeInfo::of_value::<T>();
    let value: AnyValue = report.shared_result()?;
    Some(ty.json(&value).map_err(|_| ty.encode(&value).unwrap_or_default()))
}
