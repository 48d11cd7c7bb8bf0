//! The traits of a store for a SQLite file. Each function is an operation, which has a place of its
//! own.

use std::ops::Range;

use super::schedules::Table;
use super::{
    SqliteStore, accounts, admit, append, audit, backfills, changes, claim, count, data, deliveries, events, pools,
    read, requests, rollups, schedules, segments, upkeep,
};
use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::store::account_rows::{AccountKind, AccountRow, AccountStore};
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::audit_rows::{AuditFilter, AuditRow};
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use crate::store::change_rows::{RunHead, TableVersion};
use crate::store::event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use crate::store::ownership::{Claim, RunGuard};
use crate::store::pool_leases::{PoolDemand, PoolGrant};
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::{Append, Appended, DeliveryPlace, Request, RunFilter, RunRow, SegmentRow};
use crate::store::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
use crate::store::traits::{
    AuditStore, BackfillStore, ChangeStore, EventStore, GraphStore, Maintenance, Outbox, PoolStore, RequestStore,
    RollupStore, RunStore, ScheduleStore, SegmentStore, StoreFuture, store_future,
};
use crate::value::FileRef;

impl RunStore for SqliteStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>> {
        store_future(append::append(self, batch))
    }

    fn reserve(&self, run_id: &str) -> Option<RunGuard> {
        self.locks.reserve(run_id)
    }

    fn hold_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        store_future(claim::hold_id(self, run_id))
    }

    fn without_run<'a>(&'a self, run_ids: &'a [String], by_rows: bool) -> StoreFuture<'a, Vec<String>> {
        store_future(read::without_run(self, run_ids, by_rows))
    }

    fn claim<'a>(&'a self, run: i64, owner: &'a str) -> StoreFuture<'a, Claim> {
        store_future(claim::claim(self, run, owner))
    }

    fn owner_died<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        store_future(claim::owner_died(self, run_id))
    }

    fn admit<'a>(&'a self, request: &'a AdmissionRequest) -> StoreFuture<'a, Admission> {
        store_future(admit::admit(self, request))
    }

    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>> {
        store_future(read::run(self, run))
    }

    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>> {
        store_future(read::run_by_id(self, run_id))
    }

    fn last_number(&self) -> StoreFuture<'_, i64> {
        store_future(read::last_number(self))
    }

    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::find(self, text, limit))
    }

    fn runs_by_id<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::runs_by_id(self, run_ids))
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::filter(self, filter))
    }

    fn count_runs<'a>(&'a self, filter: &'a RunFilter, most: u32) -> StoreFuture<'a, (u64, bool)> {
        store_future(count::count(self, filter, most))
    }

    fn last_runs(&self) -> StoreFuture<'_, Vec<RunRow>> {
        store_future(read::last_runs(self))
    }

    fn last_runs_of<'a>(&'a self, dags: &'a [&'a str], each: u32) -> StoreFuture<'a, Vec<RunRow>> {
        store_future(read::last_runs_of(self, dags, each))
    }

    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>> {
        store_future(read::params(self, run))
    }

    fn params_of<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Vec<u8>)>> {
        store_future(read::params_of(self, runs))
    }
}

impl ChangeStore for SqliteStore {
    fn data_version(&self) -> StoreFuture<'_, Option<i64>> {
        store_future(changes::data_version(self))
    }

    fn run_heads<'a>(&'a self, after: i64, also: &'a [i64]) -> StoreFuture<'a, Vec<RunHead>> {
        store_future(changes::run_heads(self, after, also))
    }

    fn table_versions(&self) -> StoreFuture<'_, Vec<TableVersion>> {
        store_future(changes::table_versions(self))
    }
}

impl SegmentStore for SqliteStore {
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>> {
        store_future(segments::segments(self, run, from))
    }

    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>> {
        store_future(data::data(self, run, segment, range))
    }
}

impl RollupStore for SqliteStore {
    fn last_segments<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, u32)>> {
        store_future(rollups::last_segments(self, runs))
    }

    fn rollups<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<RollupRow>> {
        store_future(rollups::rollups(self, runs))
    }

    fn rollup_with_labels(&self, run: i64) -> StoreFuture<'_, Option<RollupRow>> {
        store_future(rollups::with_labels(self, run))
    }

    fn put_rollups<'a>(&'a self, rollups: &'a [RollupRow]) -> StoreFuture<'a, ()> {
        store_future(rollups::put(self, rollups))
    }
}

impl GraphStore for SqliteStore {
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()> {
        store_future(append::put_graph(self, hash, snapshot))
    }

    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        store_future(read::graph(self, hash))
    }
}

impl RequestStore for SqliteStore {
    fn ask<'a>(&'a self, request: &'a Request, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool> {
        store_future(requests::ask(self, request, audit))
    }

    fn requests<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Request)>> {
        store_future(requests::requests(self, runs))
    }

    fn acknowledge<'a>(&'a self, ids: &'a [i64]) -> StoreFuture<'a, ()> {
        store_future(requests::acknowledge(self, ids))
    }
}

impl PoolStore for SqliteStore {
    fn shares_pools(&self) -> bool {
        true
    }

    fn hold_pools<'a>(&'a self, holder: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        store_future(pools::hold(self, holder))
    }

    fn lease_pools<'a>(&'a self, holder: &'a str, demands: &'a [PoolDemand]) -> StoreFuture<'a, Vec<PoolGrant>> {
        store_future(pools::lease(self, holder, demands))
    }
}

impl ScheduleStore for SqliteStore {
    fn schedule_steps(&self) -> StoreFuture<'_, i64> {
        store_future(schedules::steps(self))
    }

    fn schedules(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::Schedules))
    }

    fn schedule<'a>(&'a self, dag: &'a str) -> StoreFuture<'a, Option<ScheduleRow>> {
        store_future(schedules::schedule(self, dag))
    }

    fn step_schedules<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::Schedules, steps))
    }

    fn slot_deadlines(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::SlotDeadlines))
    }

    fn step_slot_deadlines<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::SlotDeadlines, steps))
    }

    fn slots<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<SlotRow>> {
        store_future(schedules::slots(self, dag, limit))
    }

    fn schedule_notes<'a>(&'a self, dag: &'a str, limit: u32) -> StoreFuture<'a, Vec<NoteRow>> {
        store_future(schedules::notes(self, dag, limit))
    }

    fn schedule_notes_from<'a>(
        &'a self,
        dag: &'a str,
        from: Timestamp,
        skipped: u32,
        limit: u32,
    ) -> StoreFuture<'a, Vec<NoteRow>> {
        store_future(schedules::notes_from(self, dag, from, (skipped, limit)))
    }
}

impl BackfillStore for SqliteStore {
    fn open_backfills(&self) -> StoreFuture<'_, Vec<Result<BackfillRow, DamagedRow>>> {
        store_future(backfills::open(self))
    }

    fn backfills<'a>(
        &'a self,
        dag: Option<&'a str>,
        before: Option<i64>,
        limit: Option<u32>,
    ) -> StoreFuture<'a, Vec<BackfillRow>> {
        store_future(backfills::latest(self, dag, before, limit))
    }

    fn backfill(&self, number: i64) -> StoreFuture<'_, Option<BackfillRow>> {
        store_future(backfills::one(self, number))
    }

    fn change_backfill<'a>(&'a self, change: &'a BackfillChange) -> StoreFuture<'a, Changed> {
        store_future(backfills::change(self, change))
    }

    fn slot_runs<'a>(&'a self, dag: &'a str, ranges: &'a [(Timestamp, Timestamp)]) -> StoreFuture<'a, Vec<SlotRunRow>> {
        store_future(backfills::slot_runs(self, dag, ranges))
    }
}

impl EventStore for SqliteStore {
    fn emit<'a>(
        &'a self,
        events: &'a [NewEvent],
        cursor: Option<&'a WatchCursor>,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, Vec<Emitted>> {
        store_future(events::emit(self, events, cursor, audit))
    }

    fn watch_cursor<'a>(&'a self, source: &'a str) -> StoreFuture<'a, Option<WatchCursor>> {
        store_future(events::watch_cursor(self, source))
    }

    fn events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, Vec<EventRow>> {
        store_future(events::events(self, filter))
    }

    fn count_matching_events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, u64> {
        store_future(events::count_matching(self, filter))
    }

    fn count_events(&self, after: i64, until: i64) -> StoreFuture<'_, Vec<(String, u64)>> {
        store_future(events::count(self, after, until))
    }

    fn last_event(&self) -> StoreFuture<'_, i64> {
        store_future(events::last(self))
    }

    fn event_progress(&self) -> StoreFuture<'_, EventProgress> {
        store_future(events::progress(self))
    }

    fn consumers(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>> {
        store_future(schedules::states(self, Table::Consumers))
    }

    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>> {
        store_future(schedules::step(self, Table::Consumers, steps))
    }
}

impl AuditStore for SqliteStore {
    fn record_audit<'a>(&'a self, row: &'a AuditRow) -> StoreFuture<'a, ()> {
        store_future(audit::record(self, row))
    }

    fn audit<'a>(&'a self, filter: &'a AuditFilter) -> StoreFuture<'a, Vec<AuditRow>> {
        store_future(audit::rows(self, filter))
    }

    fn count_audit(&self, before: Timestamp) -> StoreFuture<'_, u64> {
        store_future(audit::count(self, before))
    }

    fn delete_audit<'a>(&'a self, before: Timestamp, audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64> {
        store_future(audit::delete(self, before, audit))
    }
}

impl AccountStore for SqliteStore {
    fn accounts(&self, kind: AccountKind) -> StoreFuture<'_, Vec<AccountRow>> {
        store_future(accounts::all(self, kind))
    }

    fn account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        store_future(accounts::of_name(self, kind, name))
    }

    fn account_of_secret<'a>(&'a self, kind: AccountKind, secret: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        store_future(accounts::of_secret(self, kind, secret))
    }

    fn add_account<'a>(&'a self, row: &'a AccountRow, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool> {
        store_future(accounts::add(self, row, audit))
    }

    fn change_account<'a>(
        &'a self,
        from: &'a AccountRow,
        state: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool> {
        store_future(accounts::change(self, from, state, audit))
    }

    fn use_account<'a>(&'a self, kind: AccountKind, name: &'a str, at: Timestamp) -> StoreFuture<'a, ()> {
        store_future(accounts::used(self, kind, name, at))
    }

    fn remove_account<'a>(
        &'a self,
        kind: AccountKind,
        name: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool> {
        store_future(accounts::remove(self, kind, name, audit))
    }

    fn remove_accounts_of<'a>(
        &'a self,
        kind: AccountKind,
        owner: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, u64> {
        store_future(accounts::remove_of(self, kind, owner, audit))
    }

    fn remove_unused(&self, kind: AccountKind, since: Timestamp) -> StoreFuture<'_, u64> {
        store_future(accounts::remove_unused(self, kind, since))
    }
}

impl Outbox for SqliteStore {
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        store_future(deliveries::outbox_add(self, run_id))
    }

    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(deliveries::outbox_pending(self))
    }

    fn outbox_done<'a>(&'a self, run_id: &'a str, token: Option<u64>) -> StoreFuture<'a, ()> {
        store_future(deliveries::outbox_done(self, run_id, token))
    }

    fn claim_deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        store_future(claim::claim_deliveries(self, run_id))
    }

    fn record_deliveries<'a>(&'a self, run_id: &'a str, attempts: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()> {
        store_future(deliveries::record_deliveries(self, run_id, attempts))
    }

    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>> {
        store_future(deliveries::deliveries(self, run_id))
    }

    fn failed_deliveries<'a>(
        &'a self,
        after: Option<&'a DeliveryPlace>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<(String, DeliveryAttempt)>> {
        store_future(deliveries::failed(self, after, limit))
    }
}

impl Maintenance for SqliteStore {
    fn delete<'a>(&'a self, runs: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, Vec<i64>> {
        store_future(upkeep::delete(self, runs, audit))
    }

    fn left_files(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(upkeep::left_files(self))
    }

    fn has_left_files<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        store_future(upkeep::has_left_files(self, run_id))
    }

    fn forget_files<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, ()> {
        store_future(upkeep::forget_files(self, run_ids))
    }

    fn delete_events<'a>(&'a self, numbers: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64> {
        store_future(events::delete(self, numbers, audit))
    }

    fn left_payloads(&self) -> StoreFuture<'_, Vec<FileRef>> {
        store_future(events::left_payloads(self))
    }

    fn forget_payloads<'a>(&'a self, files: &'a [FileRef]) -> StoreFuture<'a, ()> {
        store_future(events::forget_payloads(self, files))
    }

    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)> {
        store_future(upkeep::vacuum(self))
    }

    fn quick_check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(upkeep::quick_check(self))
    }

    fn check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(upkeep::check(self))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        store_future(upkeep::close(self))
    }
}
