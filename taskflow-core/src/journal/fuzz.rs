//! All that a run is read from, given bytes that may be any: for the fuzz targets, and for proptest
//! among the unit tests.

use std::sync::Arc;

use super::rollup::{Rollup, RollupNode};
use super::{RunHistory, TaskFilter, graph, params, segment};
use crate::run::RunInfo;
use crate::schedule::{BackfillPlan, ConsumerState, DeadlineState, Note, ScheduleState};
use crate::store;

/// Reads bytes that may be any as all that a run is made of, and makes a history of it: nothing may
/// panic.
pub(crate) fn fold_any(bytes: &[u8]) {
    let _ = params::decode(bytes);
    let _ = graph::Graph::decode(bytes);
    read_states(bytes);
    read_rollup(bytes);
    let Ok(entries) = segment::read(bytes) else { return };
    let (mut history, shape) = three_tasks();
    let mut entries = entries.into_iter();
    if entries.all(|(at, entry)| history.apply(1, at, entry, |_| Ok(Arc::clone(&shape))).is_ok()) {
        let _ = history.view();
        let _ = history.explain_open();
        let _ = history.counts();
        let _ = history.started();
        let _ = TaskFilter::all().failed().downstream().upstream().of(&history);
    }
}

/// Reads the states of schedules, consumers, deadlines and backfills, and what else is JSON.
fn read_states(bytes: &[u8]) {
    fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
        let _ = serde_json::from_slice::<T>(bytes);
    }
    read::<ScheduleState>(bytes);
    read::<ConsumerState>(bytes);
    read::<DeadlineState>(bytes);
    read::<BackfillPlan>(bytes);
    read::<Note>(bytes);
    read::<RunInfo>(bytes);
    read::<store::RequestKind>(bytes);
}

/// Reads a rollup and, if it fits a graph, all that is asked of one.
fn read_rollup(bytes: &[u8]) {
    let (_, shape) = three_tasks();
    let row = store::RollupRow { run: 1, segments: 1, body: bytes.to_vec(), labels: Vec::new() };
    let Some(stored) = Rollup::decode(&row) else { return };
    let Some(rollup) = Rollup::new(1, stored, &shape, None) else { return };
    let _ = (rollup.halted(), rollup.started());
    for at in 0..rollup.len() {
        let _ = (rollup.task(at), rollup.id_of(at));
    }
    let states = |node: &RollupNode| rollup.states(node).len();
    let _: usize = rollup.rows.iter().map(states).sum();
    for failure in rollup.failures() {
        for &at in &failure.tasks {
            let _ = failure.message_of(at as usize);
        }
    }
}

/// A run without entries, with the tasks `a`, `b` and `c`, and its graph.
pub(super) fn three_tasks() -> (RunHistory, Arc<graph::Graph>) {
    let kind = graph::GraphKind {
        task: "task".to_owned(),
        output: "u32".to_owned(),
        retries: 0,
        pool: None,
        pool_slots: 1,
        rule: "all_success".to_owned(),
    };
    let node = |id: &str| graph::GraphNode { id: id.into(), kind: 0, group: None, edges: Arc::default() };
    let nodes = vec![node("a"), node("b"), node("c")];
    let dag = "dag".to_owned();
    let shape = graph::Graph {
        dag,
        hash: String::new(),
        kinds: vec![kind],
        nodes,
        groups: vec![],
        result: None,
        mappings: vec![],
    };
    let shape = Arc::new(shape);
    let info = RunInfo::manual("dag", crate::base::Timestamp::EPOCH);
    let row = store::RunRow {
        number: 1,
        info,
        graph: String::new(),
        build: String::new(),
        owner: String::new(),
        token: 1,
        liveness: store::Liveness::default(),
        waits: false,
        state: crate::run::RunState::Running,
        tasks: 3,
        created: crate::base::Timestamp::EPOCH,
        ended: None,
        counts: vec![],
    };
    (RunHistory::of_row(row, &shape), shape)
}
