//! Backfills in memory.

use super::{Data, MemoryStore};
use crate::base::Timestamp;
use crate::store::audit_rows::AuditRow;
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use crate::store::rows::{Append, AppendTarget};
use crate::store::schedule_rows::DamagedRow;
use crate::store::traits::{BackfillStore, StoreFuture};

impl BackfillStore for MemoryStore {
    fn open_backfills(&self) -> StoreFuture<'_, Vec<Result<BackfillRow, DamagedRow>>> {
        self.with(|data| data.backfills.values().filter(|row| row.is_open).cloned().map(Ok).collect())
    }

    fn backfills<'a>(
        &'a self,
        dag: Option<&'a str>,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> StoreFuture<'a, Vec<BackfillRow>> {
        self.with(|data| {
            let rows = data.backfills.range(..before.unwrap_or(i64::MAX)).rev().map(|(_, row)| row);
            let rows = rows.filter(|row| dag.is_none_or(|dag| row.dag == dag));
            rows.take(limit.map_or(usize::MAX, |limit| limit as usize)).cloned().collect()
        })
    }

    fn backfill(&self, number: i64) -> StoreFuture<'_, Option<BackfillRow>> {
        self.with(|data| data.backfills.get(&number).cloned())
    }

    fn change_backfill<'a>(&'a self, change: &'a BackfillChange) -> StoreFuture<'a, Changed> {
        self.with(|data| data.change_backfill(change))
    }

    fn slot_runs<'a>(&'a self, dag: &'a str, ranges: &'a [(Timestamp, Timestamp)]) -> StoreFuture<'a, Vec<SlotRunRow>> {
        self.with(|data| {
            let rows = ranges.iter().flat_map(|&range| data.of_dag(dag, range)).map(|run| &run.row);
            let mut rows: Vec<SlotRunRow> = rows
                .map(|row| SlotRunRow {
                    number: row.number,
                    run_id: row.info.run_id.clone(),
                    logical_date: row.info.logical_date,
                    state: row.state,
                    ended: row.ended,
                })
                .collect();
            rows.sort_by_key(|row| (row.logical_date, row.number));
            rows
        })
    }
}

impl Data {
    fn change_backfill(&mut self, change: &BackfillChange) -> Changed {
        let BackfillChange { row, runs, graphs, beside, audit } = change;
        let version = self.backfills.get(&row.number).map_or(0, |row| row.version);
        let open =
            self.backfills.values().filter(|other| other.is_open && other.dag == row.dag && other.number != row.number);
        let is_beside = |beside: &Vec<(i64, i64)>| open.map(|row| (row.number, row.version)).eq(beside.iter().copied());
        let is_taken = runs.iter().any(|run| self.by_id.contains_key(&run.info.run_id));
        if version + 1 != row.version || is_taken || !beside.as_ref().is_none_or(is_beside) {
            return Changed::Conflict;
        }
        let number = match row.number {
            0 => self.backfills.last_key_value().map_or(1, |(last, _)| last + 1),
            number => number,
        };
        self.backfills.insert(number, BackfillRow { number, ..row.clone() });
        self.put_graphs(graphs);
        for run in runs {
            let run = AppendTarget::New(Box::new(run.clone()));
            self.append(&Append { run, segment: None, update: None, events: Vec::new(), audit: None });
        }
        let of_this = |row: &AuditRow| AuditRow { backfill: row.backfill.map(|_| number), ..row.clone() };
        self.audit(audit.as_ref().map(of_this).as_ref());
        Changed::Stored(number)
    }
}
