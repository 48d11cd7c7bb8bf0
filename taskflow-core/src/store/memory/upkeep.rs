//! Deleting runs and events in memory.

use std::collections::btree_map::Entry;
use std::sync::PoisonError;

use super::{Data, MemoryStore};
use crate::run::RunInfo;
use crate::store::audit_rows::AuditRow;
use crate::store::traits::{Maintenance, StoreFuture, store_future};
use crate::value::FileRef;

impl Maintenance for MemoryStore {
    fn delete<'a>(&'a self, runs: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, Vec<i64>> {
        self.with(|data| {
            let deleted: Vec<i64> = runs.iter().copied().filter(|&run| data.delete(run)).collect();
            data.audit(audit.filter(|_| !deleted.is_empty()));
            deleted
        })
    }

    fn left_files(&self) -> StoreFuture<'_, Vec<String>> {
        self.with(|data| data.left_files.iter().cloned().collect())
    }

    fn has_left_files<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        self.with(|data| data.left_files.contains(run_id))
    }

    fn forget_files<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, ()> {
        self.with(|data| data.left_files.retain(|run_id| !run_ids.contains(run_id)))
    }

    fn delete_events<'a>(&'a self, numbers: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64> {
        self.with(|data| {
            let deleted = data.delete_events(numbers);
            data.audit(audit.filter(|_| deleted > 0));
            deleted
        })
    }

    fn left_payloads(&self) -> StoreFuture<'_, Vec<FileRef>> {
        self.with(|data| data.left_payloads())
    }

    fn forget_payloads<'a>(&'a self, files: &'a [FileRef]) -> StoreFuture<'a, ()> {
        self.with(|data| data.left_payloads.retain(|_, left| !files.contains(left)))
    }

    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)> {
        self.with(|_| (0, 0))
    }

    fn check(&self) -> StoreFuture<'_, Vec<String>> {
        self.with(|_| Vec::new())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        store_future(std::future::ready(Ok(())))
    }
}

impl Data {
    fn delete(&mut self, number: i64) -> bool {
        let Entry::Occupied(run) = self.runs.entry(number) else { return false };
        if run.get().row.state.is_active() {
            return false;
        }
        let run = run.remove();
        let RunInfo { run_id, dag_id, logical_date, .. } = &run.row.info;
        self.by_id.remove(run_id);
        self.left_files.insert(run_id.clone());
        if let Some(of_dag) = self.by_date.get_mut(dag_id) {
            of_dag.remove(&(*logical_date, number));
        }
        self.open.remove(&number);
        self.rollups.remove(&number);
        self.outbox.remove(run_id);
        self.deliveries.retain(|(of, _), _| of != run_id);
        self.requests.retain(|_, request| request.run != number);
        for graph in run.former.iter().chain([&run.row.graph]) {
            if !self.runs.values().any(|run| run.row.graph == *graph || run.former.contains(graph)) {
                self.graphs.remove(graph);
            }
        }
        true
    }
}
