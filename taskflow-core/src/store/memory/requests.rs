//! Requests to the owners of runs in memory.

use super::MemoryStore;
use crate::store::audit_rows::AuditRow;
use crate::store::rows::Request;
use crate::store::traits::{RequestStore, StoreFuture};

impl RequestStore for MemoryStore {
    fn ask<'a>(&'a self, request: &'a Request, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool> {
        self.with(|data| {
            let is_open = data.runs.get(&request.run).is_some_and(|run| !run.row.state.is_terminal());
            if is_open {
                data.last_request += 1;
                data.requests.insert(data.last_request, request.clone());
                data.audit(audit);
            }
            is_open
        })
    }

    fn requests<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Request)>> {
        self.with(|data| {
            let asked = data.requests.iter().filter(|(_, request)| runs.contains(&request.run));
            asked.map(|(&id, request)| (id, request.clone())).collect()
        })
    }

    fn acknowledge<'a>(&'a self, ids: &'a [i64]) -> StoreFuture<'a, ()> {
        self.with(|data| data.requests.retain(|id, _| !ids.contains(id)))
    }
}
