//! The journal: what happened in every run, kept so that runs survive.
//!
//! - [`Journal`]: the face. `error`: what can go wrong.
//! - `segment`: the entries of a run that were stored at once, as bytes. `graph`, `params`: what else is stored of a run.
//! - `store`: what every kind of store can do. `memory`, `sqlite`: the stores there are.
//! - `writer`: the thread that stores, and how runs hand their entries to it; states its protocol.
//! - `live`: which runs are being run, by whom.
//! - `history`: what the entries of a run come to. `values`: reading stored values.
//! - `resume`: going on with a run; states its protocol. `edit`: clearing, marking, cancelling; `pick`: which
//!   tasks are meant. `replay`: one task again, for a debugger. `explain`: why a task is where it is.
//! - `upkeep`: forgetting, checking, giving room back.

#[cfg(test)]
mod contract;
mod edit;
mod error;
mod explain;
mod graph;
mod history;
#[allow(clippy::module_inception, reason = "the type is the room's face")]
mod journal;
mod live;
mod memory;
mod params;
mod pick;
mod replay;
mod resume;
mod segment;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;
mod upkeep;
mod values;
mod writer;

pub use edit::{Cancellation, Note};
pub use error::JournalError;
pub use explain::Explanation;
pub use history::{AttemptHistory, Edit, RunHistory, SessionHistory, TaskHistory};
pub use journal::{Journal, JournalBuilder, RunSummary};
pub use pick::Pick;
pub use replay::Replay;
pub use store::{RunFilter, StoreError};
pub use upkeep::Prune;
pub use values::{RunParam, StoredValue};

/// Reads bytes that may be any as all that a run is made of, and makes a history of it: nothing may panic.
pub(crate) fn fold_any(bytes: &[u8]) {
    use std::sync::Arc;

    let _ = params::decode(bytes);
    let _ = graph::Graph::decode(bytes);
    let Ok(entries) = segment::read(bytes) else { return };
    let kind = graph::GraphKind {
        task: "task".to_owned(),
        output: "u32".to_owned(),
        retries: 0,
        pool: None,
        pool_slots: 1,
        rule: "all_success".to_owned(),
    };
    let node = |id: &str| graph::GraphNode { id: id.to_owned(), kind: 0, group: None, inputs: vec![], after: vec![] };
    let nodes = vec![node("a"), node("b"), node("c")];
    let dag = "dag".to_owned();
    let shape = graph::Graph { dag, hash: String::new(), kinds: vec![kind], nodes, groups: vec![], result: None };
    let shape = Arc::new(shape);
    let info = crate::task::RunInfo::manual("dag", crate::time::Timestamp::EPOCH);
    let row = store::RunRow {
        number: 1,
        info,
        graph: String::new(),
        build: String::new(),
        owner: String::new(),
        token: 1,
        state: crate::engine::RunState::Running,
        tasks: 3,
        created: crate::time::Timestamp::EPOCH,
        ended: None,
        counts: vec![],
    };
    let mut history = RunHistory::of_row(row, Arc::clone(&shape));
    if history.fold(1, entries, |_| Ok(Arc::clone(&shape))).is_ok() {
        let _ = history.explain_open();
        let _ = history.counts();
        let _ = history.started();
        let _ = Pick::all().failed().downstream().upstream().of(&history);
    }
}

/// What a write has to survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sync {
    /// The death of the machine: every commit waits until the disk has it (SQLite's `synchronous = FULL`).
    #[default]
    Full,
    /// The death of the process, by whatever signal. After a loss of power the last moments may be missing; what is there
    /// is in order (SQLite's `synchronous = NORMAL`).
    Normal,
}
