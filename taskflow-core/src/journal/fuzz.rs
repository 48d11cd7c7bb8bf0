//! All that a run is read from, given bytes that may be any: for the fuzz targets, and for proptest
//! among the unit tests.

use std::sync::Arc;

use super::{RunHistory, TaskFilter, graph, params, segment};
use crate::store;

/// Reads bytes that may be any as all that a run is made of, and makes a history of it: nothing may
/// panic.
pub(crate) fn fold_any(bytes: &[u8]) {
    let _ = params::decode(bytes);
    let _ = graph::Graph::decode(bytes);
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
    let info = crate::run::RunInfo::manual("dag", crate::base::Timestamp::EPOCH);
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
