//! The structural hash of a plan.

use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use super::options::{DagOptions, dag_options};
use super::plan::{ArgPlan, GroupPlan, NodeIndex, NodeOptions, Plan, Source, node_options};
use super::projection::Projection;
use crate::base::hex;
use crate::schedule::Catchup;
use crate::task::{Executor, TaskOptions, task_options};

/// Hashes a canonical text of the graph, so that what enters is plain to see: one line a fact, ids
/// instead of indices, JSON with sorted keys. The first 128 bits of SHA-256 are plenty against
/// accidents.
pub(super) fn structural(plan: &Plan) -> String {
    let mut hasher = Lines { hasher: Sha256::new(), line: String::new() };
    hasher.line(format_args!("dag {} {}", plan.id, of_dag(&plan.options)));
    for param in &plan.params {
        hasher.line(format_args!(
            "param {}: {} {:?} {:?} {:?} {:?}",
            param.name,
            param.ty.short(),
            param.default_text,
            param.range_text,
            param.choices,
            param.pattern
        ));
    }
    for group in plan.groups.iter().filter(|group| group.concurrency.is_some() || group.retries > 0) {
        let GroupPlan { id, concurrency, retries, retry_delay, .. } = group;
        hasher.line(format_args!("group {id} {concurrency:?} {retries} {retry_delay:?}"));
    }
    let mut order: Vec<NodeIndex> = plan.node_indices().collect();
    order.sort_by_key(|&node| plan.node(node).id());
    for node in order {
        let id = plan.node(node).id();
        let def = plan.def(node);
        let inputs: Vec<String> = def.inputs.iter().map(|input| input.ty.short()).collect();
        let (inputs, output) = (inputs.join(", "), def.output.short());
        hasher.line(format_args!("task {id} {}({inputs}) -> {output} {}", def.id, of_node(plan.node_options(node))));
        if let Some(isolation) = def.isolation {
            hasher.line(format_args!("  isolation {:?}", isolation.memory));
        }
        for arg in plan.args(node) {
            match arg {
                ArgPlan::Constant(constant) => {
                    let json = constant.json().map(canonical).unwrap_or_default();
                    hasher.line(format_args!("  value {json}"));
                }
                ArgPlan::Edges(edges) => {
                    hasher.line(format_args!("  edges {}", edges.kind().name()));
                    for (place, source) in edges.sources().iter().enumerate() {
                        let projection = edges.projections().get(place).and_then(Option::as_deref);
                        hasher.line(format_args!("    {}{}", name(plan, *source), projected(projection)));
                    }
                }
            }
        }
        if let Some(gate) = plan.gate(node) {
            hasher.line(format_args!("  gate {}", plan.node(gate).id()));
        }
        if let Some(mapping) = plan.place(node).mapping {
            let mapping = plan.mapping(mapping);
            let (list, concurrency, limit) = (plan.node(mapping.expand).id(), mapping.concurrency, mapping.limit);
            hasher.line(format_args!("  each {list} {concurrency:?} {limit:?}"));
            if let Some(rate) = mapping.rate {
                hasher.line(format_args!("  rate {rate}"));
            }
        }
        let mut upstreams: Vec<&str> = plan.orders(node).iter().map(|&(up, _)| plan.node(up).id()).collect();
        upstreams.sort_unstable();
        for upstream in upstreams {
            hasher.line(format_args!("  after {upstream}"));
        }
    }
    if let Some(result) = plan.result {
        hasher.line(format_args!("result {}{}", name(plan, result), projected(plan.result_projection())));
    }
    let digest = hasher.hasher.finalize();
    hex(&digest[..16])
}

// The options as the first version wrote them. Options added since are written only where they are
// used, so that the hashes of other graphs stay the same.

/// Writes a field of an option, as its row in the table says.
macro_rules! field {
    ($all:ident, $name:ident, $value:expr, always) => {
        $all.field(stringify!($name), &$value);
    };
    ($all:ident, $name:ident, $value:expr, if_some) => {
        later(&mut $all, stringify!($name), &$value, $value.is_some());
    };
    ($all:ident, $name:ident, $value:expr, if_any) => {
        later(&mut $all, stringify!($name), &$value, !$value.is_empty());
    };
    // Where the cluster is can change from one place to the next, as what is behind a connection
    // can.
    ($all:ident, $name:ident, $value:expr, if_kind) => {
        later(&mut $all, stringify!($name), &$value.map(Executor::kind), $value.is_some());
    };
    ($all:ident, $name:ident, $value:expr, defaults) => {
        $all.field(stringify!($name), &fmt::from_fn(|f| write_defaults(&$value, f)));
    };
    ($all:ident, $name:ident, $value:expr, never) => {};
    // It was a flag once: whether all slots that passed run.
    ($all:ident, $name:ident, $value:expr, catchup) => {
        $all.field(stringify!($name), &($value == Some(Catchup::All)));
    };
}

macro_rules! dag {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, hash($hash:ident), show($show:ident);
    )*) => {
        fn of_dag(options: &DagOptions) -> impl fmt::Display + '_ {
            fmt::from_fn(move |f| {
                let mut all = f.debug_struct("DagOptions");
                $(field!(all, $name, options.$name, $hash);)*
                all.finish()
            })
        }
    };
}

dag_options!(dag);

macro_rules! defaults {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $unset:expr, merge($merge:ident), hash($hash:ident), show($show:ident);
    )*) => {
        fn write_defaults(options: &TaskOptions, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut all = f.debug_struct("TaskOptions");
            $(field!(all, $name, options.$name, $hash);)*
            all.finish()
        }
    };
}

task_options!(defaults);

macro_rules! node {
    ($(
        $(#[$doc:meta])*
        $name:ident: $ty:ty = $resolve:expr, hash($hash:ident), show($place:literal: $show:ident);
    )*) => {
        fn of_node(options: &NodeOptions) -> impl fmt::Display + '_ {
            fmt::from_fn(move |f| {
                let mut all = f.debug_struct("NodeOptions");
                $(field!(all, $name, options.$name, $hash);)*
                all.finish()
            })
        }
    };
}

node_options!(node);

fn later(all: &mut fmt::DebugStruct<'_, '_>, name: &str, value: &dyn fmt::Debug, is_used: bool) {
    if is_used {
        all.field(name, value);
    }
}

struct Lines {
    hasher: Sha256,
    line: String,
}

impl Lines {
    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.line.clear();
        // Writing to a `String` cannot fail.
        let _ = writeln!(self.line, "{text}");
        self.hasher.update(self.line.as_bytes());
    }
}

fn name(plan: &Plan, source: Source) -> String {
    match (source.as_task(), source.as_param()) {
        (Some(task), _) => format!("task {}", plan.node(task).id()),
        (None, Some(param)) => format!("param {}", plan.params[param as usize].name),
        (None, None) => unreachable!("a source is a task or a parameter"),
    }
}

/// That the value changes on the way, by the types it has; closures have no name that would stay.
fn projected(projection: Option<&Projection>) -> String {
    projection.map(|projection| format!(" | {projection}")).unwrap_or_default()
}

/// JSON with sorted keys, whatever map type `serde_json` was built with.
fn canonical(json: &serde_json::Value) -> String {
    match json {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", serde_json::Value::from(key.as_str()), canonical(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
        }
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}
