//! The checksums of the row of a run: one for each group of columns that is written together.

use crate::store::checksum::{Checksum, of_columns};

/// The columns that never change, but for the parameters.
pub(super) struct InfoColumns<'a> {
    pub(super) run_id: &'a str,
    pub(super) dag_id: &'a str,
    pub(super) run_type: &'a str,
    pub(super) logical_date: i64,
    pub(super) created: i64,
    pub(super) build: &'a str,
    pub(super) info: &'a str,
}

impl InfoColumns<'_> {
    pub(super) fn checksum(&self) -> Checksum {
        let InfoColumns { run_id, dag_id, run_type, logical_date, created, build, info } = self;
        let (logical_date, created) = (logical_date.to_be_bytes(), created.to_be_bytes());
        let texts = [run_id, dag_id, run_type, build, info].map(|text| text.as_bytes());
        of_columns("info", &[&texts[..], &[&logical_date, &created]].concat())
    }
}

pub(super) fn params(run_id: &str, params: &[u8]) -> Checksum {
    of_columns("params", &[run_id.as_bytes(), params])
}

pub(super) fn state(state: &str, ended: Option<i64>, counts: &str) -> Checksum {
    let ended = ended.map(i64::to_be_bytes);
    of_columns("state", &[state.as_bytes(), ended.as_ref().map_or(&[], |ended| &ended[..]), counts.as_bytes()])
}

pub(super) fn owner(owner: &str, token: i64) -> Checksum {
    of_columns("owner", &[owner.as_bytes(), &token.to_be_bytes()])
}

pub(super) fn graph(graph: &str, tasks: i64) -> Checksum {
    of_columns("graph", &[graph.as_bytes(), &tasks.to_be_bytes()])
}
