//! The graphs that the pictures are tried on.

use std::sync::Arc;
use std::time::Duration;

use taskflow_core::base::Failure;
use taskflow_core::dag::{AnyOf, Dag, DagDef, DagInputs, DagOptions, Handle, Output, ParamDef, Plan, PlanCell, group};
use taskflow_core::private::{
    DagResult, Param, PoolDef, PoolEntry, SourceLocation, TaskOptions, TriggerRule, TypeInfo, dag_input, inventory,
};
use taskflow_core::schedule::Catchup;

use crate::task::task;

inventory::submit! { PoolEntry(PoolDef { name: "warehouse", slots: 4 }) }

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Flight;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
pub(crate) struct Summary;

task!(
    #[doc = "Reads one day of flights from the landing folder."]
    #[kind(Async)]
    #[options(retries = Some(3), timeout = Some(Duration::from_secs(600)))]
    fn extract(day: String) -> Vec<u8>
);
task!(fn parse(raw: Vec<u8>) -> Vec<Flight>);
task!(#[kind(Blocking)] fn read_csv(path: String) -> Vec<String>);
task!(fn add_weather(flights: Vec<Flight>, weather: Vec<String>) -> Vec<Flight>);
task!(fn by_carrier(flights: Vec<Flight>, airlines: Vec<String>, late_after_min: u32) -> Vec<Summary>);
task!(fn by_origin(flights: Vec<Flight>, airports: Vec<String>, late_after_min: u32) -> Vec<Summary>);
task!(
    #[doc = "Replaces the rows of the day."]
    #[kind(Async)]
    #[options(retries = Some(5), pool = Some("warehouse"), pool_slots = Some(2))]
    fn load(table: String, rows: Vec<Summary>) -> u64
);
task!(fn report(day: String, loaded: Vec<u64>) -> String);

/// An ETL: one source, three look-up tables, two branches, a group that loads, a report.
pub(crate) fn delays() -> Arc<Plan> {
    static DELAYS: DagDef = DagDef {
        id: "delays",
        module: module_path!(),
        doc: "Daily delays per carrier and per origin.\n\nThe rest of the comment is not a headline.",
        location: SourceLocation { file: "src/main.rs", line: 12, column: 1 },
        options: {
            let mut options = DagOptions::NONE;
            options.schedule = Some(taskflow_core::dag::ScheduleSource::Text("0 6 * * *"));
            options.timezone = Some("Asia/Seoul");
            options.catchup = Some(Catchup::All);
            options.max_active_runs = Some(2);
            options.tags = &["flights", "daily"];
            options
        },
        params: delays_params,
        result: TypeInfo::of::<String>(),
        trace: trace_delays,
        plan: PlanCell::new(),
    };
    DELAYS.plan().expect("a sound graph")
}

fn delays_params() -> Vec<ParamDef> {
    vec![
        Param::<String>::new("day")
            .default_from("|run| run.data_interval().start_date()", |run| run.dag_id.clone())
            .pattern("^[0-9-]+$")
            .help("The day to load.")
            .erase(),
        Param::<u32>::new("late_after_min").default("15", || 15).range("0..=600", 0..=600).erase(),
        Param::<String>::new("mode").choices(&["full", "delta"]).erase(),
    ]
}

fn trace_delays(mut inputs: DagInputs) -> Option<Handle> {
    let day: Output<String> = dag_input(&mut inputs);
    let late_after_min: Output<u32> = dag_input(&mut inputs);
    let _mode: Output<String> = dag_input(&mut inputs);
    let flights = parse(extract(day));
    let airlines = read_csv("airlines.csv").id("airlines");
    let airports = read_csv("airports.csv").id("airports");
    let weather = read_csv("weather.csv").id("weather");
    let flights = add_weather(flights, weather);
    let per_carrier = by_carrier(flights, airlines, late_after_min);
    let per_origin = by_origin(flights, airports, late_after_min);
    let loaded = group("warehouse", || [load("per_carrier", per_carrier), load("per_origin", per_origin)]);
    report(day, loaded).into_handle()
}

task!(fn start() -> u32);
task!(fn left(n: u32) -> u32);
task!(fn right(n: u32) -> u32);
task!(fn maybe(n: u32) -> u32);
task!(fn merge(left: u32, right: Option<u32>) -> u32);
task!(fn judge(merged: Result<u32, Failure>, left: Result<u32, Failure>) -> u32);
task!(fn fastest(candidates: AnyOf<u32>) -> u32);
task!(#[kind(Blocking)] fn cleanup() -> ());
task!(#[kind(Async)] fn alert() -> ());

/// Every kind of edge, and rules on order edges.
pub(crate) fn rules() -> Arc<Plan> {
    build("rules", || {
        let start = start();
        let (left, right) = (left(start), right(start));
        let merged = merge(left, right);
        let fastest = fastest([left, right, maybe(start)]);
        let judged = judge(merged, left);
        let cleanup = cleanup().trigger_rule(TriggerRule::AllDone).after((judged, fastest));
        alert().trigger_rule(TriggerRule::OneFailed).after((merged, cleanup)).priority(10);
        let _ = right >> judged;
        judged
    })
}

task!(fn ingest(n: Vec<u32>) -> u32);
task!(fn check(n: Vec<u32>) -> u32);
task!(fn fit(n: Vec<u32>) -> u32);
task!(fn publish(n: Vec<u32>) -> u32);

/// About thirty nodes in groups within groups, with edges across them.
pub(crate) fn nested() -> Arc<Plan> {
    build("nested", || {
        let sources: Vec<Output<u32>> = group("sources", || {
            ["orders", "clicks", "stock"]
                .map(|name| {
                    group(name, || {
                        let raw = ingest(Vec::<u32>::new()).retries(2);
                        check(vec![raw])
                    })
                })
                .to_vec()
        });
        let config = ingest(Vec::<u32>::new()).id("config");
        let features = group("features", || {
            let joined = fit(vec![sources[0], sources[1], config]).id("join");
            let wide: Vec<_> = (0..4).map(|_| fit(vec![joined])).collect();
            let inner = group("text", || {
                let tokens = fit(vec![sources[1]]).id("tokens");
                let vectors = fit(vec![tokens, joined]).id("vectors");
                fit(vec![vectors]).id("reduce")
            });
            fit([wide, vec![inner]].concat()).id("collect")
        });
        let models = group("models", || {
            ["small", "large"].map(|name| {
                group(name, || {
                    let fitted = fit(vec![features]).pool("warehouse");
                    let checked = check(vec![fitted, sources[2]]);
                    let tuned = fit(vec![fitted]).id("tune_with_a_rather_long_name_that_is_cut");
                    publish(vec![checked, tuned])
                })
            })
        });
        let audit = check(vec![sources[0], models[0]]).id("audit");
        publish(vec![models[0], models[1], audit, config])
    })
}

task!(fn part(n: u32) -> u32);
task!(fn total(parts: Vec<u32>) -> u32);

/// A node above `width` nodes above one node.
pub(crate) fn fan(width: u32) -> Arc<Plan> {
    build("fan", || {
        let start = start();
        total((0..width).map(|_| part(start)).collect::<Vec<_>>())
    })
}

task!(fn step(inputs: Vec<u32>) -> u32);

/// `count` nodes, each with up to three upstreams among the ones before it.
pub(crate) fn random(count: usize, reach: usize, seed: u64) -> Arc<Plan> {
    let mut state = seed;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound.max(1)
    };
    build("random", move || {
        let mut nodes: Vec<Output<u32>> = vec![step(Vec::<u32>::new())];
        for at in 1..count {
            let upstreams: Vec<_> =
                (0..below(3) + usize::from(below(12) > 0)).map(|_| nodes[at - 1 - below(reach.min(at))]).collect();
            nodes.push(step(upstreams));
        }
        nodes[count - 1]
    })
}

/// One node after the other.
pub(crate) fn chain(length: usize) -> Arc<Plan> {
    build("chain", || (1..length).fold(start(), |last, _| left(last)))
}

/// A DAG whose names and texts hold everything that a format could take for its own.
pub(crate) fn hostile() -> Arc<Plan> {
    build("a \"b\" <c> & d]]>\n%s", || {
        let first =
            read_csv("quote \" backslash \\ <tag> &amp; ]]> $x `code` #35; \u{1}\n end").id("Überflüge-한국어.zug");
        let _ = load("x".repeat(500), Output::clone(&step_summary(first))).id("end");
        total(Vec::<Output<u32>>::new())
    })
}

task!(#[doc = "Says \"no\" to <b>tags</b> & --> arrows."] fn step_summary(rows: Vec<String>) -> Vec<Summary>);

pub(crate) fn build<T: taskflow_core::value::Value>(id: &str, body: impl FnOnce() -> Output<T>) -> Arc<Plan> {
    let mut options = DagOptions::NONE;
    options.task_defaults = TaskOptions::NONE;
    Arc::clone(Dag::build_with(id, options, body).expect("a sound graph").plan())
}

/// `depth` layers of `width` nodes with three upstreams each.
pub(crate) fn layers(width: usize, depth: usize) -> Arc<Plan> {
    build("layers", || {
        let mut layer: Vec<Output<u32>> = (0..width).map(|_| step(Vec::<u32>::new())).collect();
        for _ in 1..depth {
            layer = (0..width).map(|at| step([0, 1, 7].map(|by| layer[(at + by) % width]))).collect();
        }
        step(layer)
    })
}

/// `count` groups of three nodes between two nodes.
pub(crate) fn shards(count: usize) -> Arc<Plan> {
    build("shards", || {
        let first = start();
        let loaded: Vec<_> = (0..count)
            .map(|shard| {
                group(&format!("shard_{shard}"), || {
                    let raw = ingest(vec![first]);
                    publish(vec![check(vec![raw])])
                })
            })
            .collect();
        total(loaded)
    })
}

/// Groups within groups, `depth` of them, with two nodes in each.
pub(crate) fn deep_groups(depth: usize) -> Arc<Plan> {
    fn inside(depth: usize, before: Output<u32>) -> Output<u32> {
        if depth == 0 {
            return before;
        }
        group("g", || {
            let here = step(vec![before]);
            let inner = inside(depth - 1, here);
            step(vec![inner, before])
        })
    }
    build("deep", || inside(depth, start()))
}

/// No task at all.
pub(crate) fn empty() -> Arc<Plan> {
    static EMPTY: DagDef = DagDef {
        id: "empty",
        module: module_path!(),
        doc: "",
        location: SourceLocation { file: file!(), line: 1, column: 1 },
        options: DagOptions::NONE,
        params: Vec::new,
        result: TypeInfo::of::<()>(),
        trace: |_| None,
        plan: PlanCell::new(),
    };
    EMPTY.plan().expect("a sound graph")
}

/// No task, and a parameter that is the result.
pub(crate) fn echo() -> Arc<Plan> {
    static ECHO: DagDef = DagDef {
        id: "echo",
        module: module_path!(),
        doc: "",
        location: SourceLocation { file: file!(), line: 1, column: 1 },
        options: DagOptions::NONE,
        params: || vec![Param::<String>::new("text").erase()],
        result: TypeInfo::of::<String>(),
        trace: |mut inputs| dag_input::<String>(&mut inputs).into_handle(),
        plan: PlanCell::new(),
    };
    ECHO.plan().expect("a sound graph")
}
