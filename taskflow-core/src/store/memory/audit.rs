//! The audit trail in memory.

use super::{Data, MemoryStore};
use crate::base::Timestamp;
use crate::store::audit_rows::{AuditFilter, AuditRow};
use crate::store::traits::{AuditStore, StoreFuture};

impl AuditStore for MemoryStore {
    fn record_audit<'a>(&'a self, row: &'a AuditRow) -> StoreFuture<'a, ()> {
        self.with(|data| data.audit(Some(row)))
    }

    fn audit<'a>(&'a self, filter: &'a AuditFilter) -> StoreFuture<'a, Vec<AuditRow>> {
        self.with(|data| {
            let rows = data.audit.iter().rev().filter(|row| filter.allows(row));
            rows.take(filter.limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect()
        })
    }

    fn count_audit(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        self.with(|data| data.audit.iter().filter(|row| row.at < before).count() as u64)
    }

    fn delete_audit<'a>(&'a self, before: Timestamp, audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64> {
        self.with(|data| {
            let count = data.audit.len();
            data.audit.retain(|row| row.at >= before);
            let deleted = count - data.audit.len();
            data.audit(audit.filter(|_| deleted > 0));
            deleted as u64
        })
    }
}

impl Data {
    /// Stores a row with the change that it is about.
    pub(super) fn audit(&mut self, row: Option<&AuditRow>) {
        let Some(row) = row else { return };
        self.last_audit += 1;
        let run = row.run.or_else(|| self.by_id.get(row.run_id.as_ref()?).copied());
        self.audit.push(AuditRow { number: self.last_audit, run, ..row.clone() });
    }
}
