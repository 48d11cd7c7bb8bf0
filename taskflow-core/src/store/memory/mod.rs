//! The store in memory: for runs that need not survive, and as the reference for the other stores.

mod accounts;
mod audit;
mod backfills;
mod events;
mod rollups;
mod schedules;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::base::Timestamp;
use crate::callback::DeliveryAttempt;
use crate::run::{RunInfo, RunState};
use crate::store::account_rows::{AccountKind, AccountRow};
use crate::store::admission::{Admission, AdmissionRequest, Ticket, decide};
use crate::store::audit_rows::AuditRow;
use crate::store::backfill_rows::BackfillRow;
use crate::store::event_rows::{DeletedEvents, EventRow, WatchCursor};
use crate::store::identity::worker;
use crate::store::ownership::{Claim, Liveness, RunGuard};
use crate::store::rollup_rows::RollupRow;
use crate::store::rows::{
    Append, AppendTarget, Appended, NewGraph, NewRun, Request, RunFilter, RunOrder, RunRow, RunUpdate, Segment,
    SegmentRow, present_state,
};
use crate::store::schedule_rows::{NoteRow, ScheduleRow, SlotRow};
use crate::store::traits::{
    ChangeStore, GraphStore, Maintenance, Outbox, PoolStore, RequestStore, RunStore, SegmentStore, StoreError,
    StoreFuture, store_future,
};

/// Runs in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    data: Mutex<Data>,
    owned: Owned,
    /// After how many more operations it fails.
    #[cfg(feature = "testing")]
    fails_after: Mutex<Option<u64>>,
    /// How often entries of runs were read.
    #[cfg(test)]
    pub(crate) reads: std::sync::atomic::AtomicUsize,
}

/// The ids that this process has reserved. A store in memory has no other processes.
#[derive(Clone, Debug, Default)]
struct Owned(Arc<Mutex<HashSet<String>>>);

impl Owned {
    fn lock(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reserve(&self, name: String) -> Option<RunGuard> {
        let is_new = self.lock().insert(name.clone());
        let owned = self.clone();
        is_new.then(|| {
            RunGuard::new(move || {
                owned.lock().remove(&name);
            })
        })
    }

    /// The row, with what is known of its owner.
    fn row(&self, run: &Run) -> RunRow {
        let mut row = run.row.clone();
        row.set_owned(self.owns(run));
        row.waits = run.waits();
        row
    }

    /// The present state of a run, as that of its row.
    fn state(&self, run: &Run) -> RunState {
        present_state(run.row.state, Liveness::of(self.owns(run), run.row.state), run.waits())
    }

    fn owns(&self, run: &Run) -> bool {
        self.lock().contains(&run.row.info.run_id)
    }
}

/// Rows by DAG.
type States = BTreeMap<String, ScheduleRow>;

#[derive(Debug, Default)]
struct Data {
    runs: BTreeMap<i64, Run>,
    by_id: HashMap<String, i64>,
    /// The runs of each DAG, by logical date.
    by_date: HashMap<String, BTreeSet<(Timestamp, i64)>>,
    /// The runs that have not ended.
    open: BTreeSet<i64>,
    /// The last numbers of runs, tickets, requests, events and audit rows: no number is used again.
    last_run: i64,
    last_ticket: i64,
    last_request: i64,
    last_event: i64,
    last_audit: i64,
    graphs: HashMap<String, Vec<u8>>,
    requests: BTreeMap<i64, Request>,
    outbox: BTreeSet<String>,
    schedules: States,
    /// The records of each DAG, by their last slots.
    slots: HashMap<String, Vec<SlotRow>>,
    slot_deadlines: States,
    backfills: BTreeMap<i64, BackfillRow>,
    /// By their numbers.
    events: Vec<EventRow>,
    consumers: States,
    /// By source.
    watch_cursors: BTreeMap<String, WatchCursor>,
    notes: Vec<NoteRow>,
    /// By their numbers.
    audit: Vec<AuditRow>,
    /// By run.
    rollups: BTreeMap<i64, RollupRow>,
    accounts: BTreeMap<(AccountKind, String), AccountRow>,
    /// The last attempt of each notification, by run and key.
    deliveries: BTreeMap<(String, String), DeliveryAttempt>,
    closed: bool,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    params: Vec<u8>,
    segments: Vec<Segment>,
    /// The token and the ticket of the last request for its admission.
    admission: Option<(u64, Ticket)>,
    /// Its graphs before the present one: its older entries number tasks by them.
    former: BTreeSet<String>,
}

impl MemoryStore {
    /// Sets after how many more operations it fails; `None`: never. Returns how many were left.
    #[cfg(feature = "testing")]
    pub(crate) fn fail_after(&self, operations: Option<u64>) -> Option<u64> {
        std::mem::replace(&mut self.fails_after.lock().unwrap_or_else(PoisonError::into_inner), operations)
    }

    /// Whether every operation fails.
    #[cfg(feature = "testing")]
    pub(crate) fn is_failing(&self) -> bool {
        *self.fails_after.lock().unwrap_or_else(PoisonError::into_inner) == Some(0)
    }

    /// Counts an operation.
    #[cfg(feature = "testing")]
    fn count(&self) -> Result<(), StoreError> {
        match &mut *self.fails_after.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(0) => {
                let reason = "it fails, because the test wants it".to_owned();
                Err(StoreError::Read { place: "in memory".to_owned(), reason })
            }
            Some(left) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// The data, if the store is open.
    fn data(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        #[cfg(feature = "testing")]
        self.count()?;
        // Nothing panics under the lock halfway through a change.
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if data.closed {
            return Err(StoreError::Read { place: "in memory".to_owned(), reason: "it was closed".to_owned() });
        }
        Ok(data)
    }

    fn with<'a, T: Send + 'a>(&'a self, ask: impl FnOnce(&mut Data) -> T) -> StoreFuture<'a, T> {
        let answer = self.data().map(|mut data| ask(&mut data));
        store_future(std::future::ready(answer))
    }
}

impl Data {
    fn append(&mut self, part: &Append) -> Appended {
        let answer = self.append_run(part);
        if let Appended::Stored(_) = answer {
            for event in &part.events {
                self.emit(event);
            }
            self.audit(part.audit.as_deref());
        }
        answer
    }

    fn append_run(&mut self, part: &Append) -> Appended {
        match &part.run {
            AppendTarget::New(run) => self.begin(run, part),
            &AppendTarget::Existing { run: number, token } => match self.runs.get_mut(&number) {
                Some(run) if run.row.token == token && run.expects(part.segment.as_ref()) => {
                    run.segments.extend(part.segment.clone());
                    run.update(part.update.as_ref());
                    if run.row.state.is_terminal() {
                        self.open.remove(&number);
                        self.requests.retain(|_, request| request.run != number);
                    } else {
                        self.open.insert(number);
                    }
                    Appended::Stored(number)
                }
                _ => Appended::Fenced,
            },
        }
    }

    fn begin(&mut self, new: &NewRun, part: &Append) -> Appended {
        let row = RunRow {
            number: self.last_run + 1,
            info: new.info.clone(),
            graph: new.graph.clone(),
            build: new.build.clone(),
            owner: new.owner.clone().unwrap_or_default(),
            token: new.token(),
            liveness: Liveness::Unowned,
            waits: false,
            state: new.state(),
            tasks: new.tasks,
            created: new.created,
            ended: None,
            counts: Vec::new(),
        };
        let mut run =
            Run { row, params: new.params.clone(), segments: Vec::new(), admission: None, former: BTreeSet::new() };
        if self.by_id.contains_key(&new.info.run_id) || !run.expects(part.segment.as_ref()) {
            return Appended::Taken;
        }
        run.segments.extend(part.segment.clone());
        run.update(part.update.as_ref());
        run.former.clear();
        self.last_run += 1;
        self.by_id.insert(new.info.run_id.clone(), self.last_run);
        let of_dag = self.by_date.entry(new.info.dag_id.clone()).or_default();
        of_dag.insert((new.info.logical_date, self.last_run));
        if !run.row.state.is_terminal() {
            self.open.insert(self.last_run);
        }
        self.runs.insert(self.last_run, run);
        Appended::Stored(self.last_run)
    }

    fn admit(&mut self, request: &AdmissionRequest, owned: &Owned) -> Admission {
        let Some(run) = self.runs.get_mut(&request.run).filter(|run| run.row.token == request.token) else {
            return Admission::Fenced;
        };
        if request.is_first {
            run.update(Some(&RunUpdate { state: RunState::Running, ended: None, counts: Vec::new(), graph: None }));
            self.open.insert(request.run);
        }
        let Some(run) = self.runs.get(&request.run).filter(|run| run.row.state == RunState::Running) else {
            return Admission::Fenced;
        };
        let of_dag = |other: &&Run| {
            let row = &other.row;
            row.info.dag_id == run.row.info.dag_id && owned.lock().contains(&row.info.run_id)
        };
        // Only a run that has not ended has a ticket.
        let open = self.open.iter().filter_map(|number| self.runs.get(number));
        let others: Vec<Ticket> = open.filter(of_dag).filter_map(Run::ticket).collect();
        let own = run.ticket();
        let admission = decide(request, own, &others);
        let ticket = own.map_or(self.last_ticket + 1, |own| own.ticket);
        self.last_ticket = self.last_ticket.max(ticket);
        let is_admitted = admission == Admission::Admitted;
        let ticket = Ticket { run: request.run, ticket, is_admitted, is_backfill: request.is_backfill };
        if let Some(run) = self.runs.get_mut(&request.run) {
            run.admission = Some((request.token, ticket));
        }
        admission
    }

    /// The runs of a DAG with logical dates from `first` to `last`, in their order.
    fn of_dag(&self, dag: &str, (first, last): (Timestamp, Timestamp)) -> impl DoubleEndedIterator<Item = &Run> {
        let of_dag = self.by_date.get(dag).filter(|_| first <= last);
        let numbers = of_dag.map(|of_dag| of_dag.range((first, i64::MIN)..=(last, i64::MAX)));
        numbers.into_iter().flatten().filter_map(|(_, number)| self.runs.get(number))
    }

    fn delete(&mut self, number: i64) -> bool {
        let Entry::Occupied(run) = self.runs.entry(number) else { return false };
        if matches!(run.get().row.state, RunState::Running | RunState::Queued) {
            return false;
        }
        let run = run.remove();
        let RunInfo { run_id, dag_id, logical_date, .. } = &run.row.info;
        self.by_id.remove(run_id);
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

/// The logical dates that a filter allows, both inclusive. It may allow fewer of them.
fn dates(filter: &RunFilter) -> (Timestamp, Timestamp) {
    let first = filter.about.max(filter.logical_since).unwrap_or(Timestamp::from_nanos(i64::MIN));
    let last = filter.about.or(filter.logical_before).unwrap_or(Timestamp::from_nanos(i64::MAX));
    (first, last.max(first))
}

impl Run {
    /// Its ticket, if its present owner has asked for its admission.
    fn ticket(&self) -> Option<Ticket> {
        let (token, ticket) = self.admission?;
        (token == self.row.token && self.row.state == RunState::Running).then_some(ticket)
    }

    /// Whether it waits for its admission.
    fn waits(&self) -> bool {
        self.ticket().is_some_and(|ticket| !ticket.is_admitted)
    }

    /// Whether this segment is the next one.
    fn expects(&self, segment: Option<&Segment>) -> bool {
        segment.is_none_or(|segment| u32::try_from(self.segments.len() + 1) == Ok(segment.number))
    }

    fn update(&mut self, update: Option<&RunUpdate>) {
        let Some(update) = update else { return };
        (self.row.state, self.row.ended) = (update.state, update.ended);
        self.row.counts.clone_from(&update.counts);
        if let Some((graph, tasks)) = &update.graph {
            let former = std::mem::replace(&mut self.row.graph, graph.clone());
            self.former.extend(Some(former).filter(|former| former != graph));
            self.row.tasks = *tasks;
        }
    }

    fn data(&self, segment: u32, range: Range<u32>) -> Option<Vec<u8>> {
        let segment = self.segments.get(usize::try_from(segment.checked_sub(1)?).ok()?)?;
        Some(segment.data.get(range.start as usize..range.end as usize)?.to_vec())
    }
}

impl RunStore for MemoryStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>> {
        self.with(|data| batch.iter().map(|part| data.append(part)).collect())
    }

    fn reserve(&self, run_id: &str) -> Option<RunGuard> {
        self.owned.reserve(run_id.to_owned())
    }

    fn claim<'a>(&'a self, run: i64, owner: &'a str) -> StoreFuture<'a, Claim> {
        self.with(|data| {
            let Some(run) = data.runs.get_mut(&run) else { return Claim::Unknown };
            let Some(guard) = self.owned.reserve(run.row.info.run_id.clone()) else {
                return Claim::Held { by: worker() };
            };
            run.row.token += 1;
            owner.clone_into(&mut run.row.owner);
            Claim::Claimed(Box::new(self.owned.row(run)), guard)
        })
    }

    fn admit<'a>(&'a self, request: &'a AdmissionRequest) -> StoreFuture<'a, Admission> {
        self.with(|data| data.admit(request, &self.owned))
    }

    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>> {
        self.with(|data| data.runs.get(&run).map(|run| self.owned.row(run)))
    }

    fn last_number(&self) -> StoreFuture<'_, i64> {
        self.with(|data| data.last_run)
    }

    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>> {
        self.with(|data| {
            let number = data.by_id.get(run_id)?;
            data.runs.get(number).map(|run| self.owned.row(run))
        })
    }

    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let fit = |row: &RunRow| match row.info.run_id.find(text) {
                Some(_) if row.info.run_id == text => Some(0),
                Some(0) => Some(1),
                Some(_) => Some(2),
                None => None,
            };
            let runs = data.runs.values().rev();
            let mut found: Vec<(i32, &Run)> = runs.filter_map(|run| Some((fit(&run.row)?, run))).collect();
            found.sort_by_key(|&(fit, _)| fit);
            found.into_iter().take(limit as usize).map(|(_, run)| self.owned.row(run)).collect()
        })
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let is_wanted = |run: &&Run| {
                filter.allows(&run.row) && (filter.states.is_empty() || filter.states.contains(&self.owned.state(run)))
            };
            let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
            let is_open = |state: &RunState| !state.is_terminal();
            let mut wanted: Vec<&Run> = match &filter.dag {
                _ if !filter.states.is_empty() && filter.states.iter().all(is_open) => {
                    data.open.iter().filter_map(|number| data.runs.get(number)).filter(is_wanted).collect()
                }
                Some(dag) if filter.order == RunOrder::LogicalDate => {
                    // They are in order.
                    let latest_first = data.of_dag(dag, dates(filter)).rev();
                    return latest_first.filter(is_wanted).take(limit).map(|run| self.owned.row(run)).collect();
                }
                Some(dag) => data.of_dag(dag, dates(filter)).filter(is_wanted).collect(),
                None => data.runs.values().filter(is_wanted).collect(),
            };
            wanted.sort_by_key(|run| {
                let place = run.row.cursor(filter.order);
                std::cmp::Reverse((place.at, place.number))
            });
            // Only the rows that are wanted are copied.
            wanted.into_iter().take(limit).map(|run| self.owned.row(run)).collect()
        })
    }

    fn last_runs(&self) -> StoreFuture<'_, Vec<RunRow>> {
        self.with(|data| {
            let mut last: BTreeMap<&str, &Run> = BTreeMap::new();
            for run in data.runs.values() {
                let latest = last.entry(&run.row.info.dag_id).or_insert(run);
                if run.row.created >= latest.row.created {
                    *latest = run;
                }
            }
            last.into_values().map(|run| self.owned.row(run)).collect()
        })
    }

    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run).map(|run| run.params.clone()))
    }
}

impl SegmentStore for MemoryStore {
    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>> {
        #[cfg(test)]
        self.reads.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.with(|data| {
            let segments = data.runs.get(&run).map_or(&[][..], |run| &run.segments);
            let wanted = segments.iter().filter(|segment| segment.number >= from);
            wanted.map(|segment| SegmentRow { number: segment.number, events: segment.events.clone() }).collect()
        })
    }

    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run)?.data(segment, range))
    }
}

impl Data {
    /// Stores the graphs that are not there.
    fn put_graphs(&mut self, graphs: &[NewGraph]) {
        for graph in graphs {
            self.graphs.entry(graph.hash.clone()).or_insert_with(|| (graph.encode)());
        }
    }
}

impl GraphStore for MemoryStore {
    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.graphs.entry(hash.to_owned()).or_insert_with(|| snapshot.to_vec());
        })
    }

    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.with(|data| data.graphs.get(hash).cloned())
    }
}

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

impl PoolStore for MemoryStore {}

impl ChangeStore for MemoryStore {}

impl Outbox for MemoryStore {
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.outbox.insert(run_id.to_owned());
        })
    }

    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>> {
        self.with(|data| data.outbox.iter().cloned().collect())
    }

    fn outbox_done<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        self.with(|data| {
            let run = data.by_id.get(run_id).and_then(|number| data.runs.get(number));
            if !run.is_some_and(|run| matches!(run.row.state, RunState::Running | RunState::Queued)) {
                data.outbox.remove(run_id);
            }
        })
    }

    fn claim_deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        self.with(|_| {
            if self.owned.lock().contains(run_id) {
                return None;
            }
            self.owned.reserve(format!("{run_id}.notifications"))
        })
    }

    fn record_deliveries<'a>(&'a self, run_id: &'a str, attempts: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            if data.by_id.contains_key(run_id) {
                let by_key = |attempt: &DeliveryAttempt| ((run_id.to_owned(), attempt.key.clone()), attempt.clone());
                data.deliveries.extend(attempts.iter().map(by_key));
            }
        })
    }

    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>> {
        self.with(|data| {
            let from = (run_id.to_owned(), String::new());
            let of_run = data.deliveries.range(from..).take_while(|((of, _), _)| of == run_id);
            let mut attempts: Vec<DeliveryAttempt> = of_run.map(|(_, attempt)| attempt.clone()).collect();
            attempts.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
            attempts
        })
    }

    fn failed_deliveries(&self, limit: u32) -> StoreFuture<'_, Vec<(String, DeliveryAttempt)>> {
        self.with(|data| {
            let failed = data.deliveries.iter().filter(|(_, attempt)| attempt.error.is_some());
            let mut failed: Vec<_> = failed.map(|((run_id, _), attempt)| (run_id.clone(), attempt.clone())).collect();
            failed.sort_by(|(_, one), (_, other)| (other.at, &other.key).cmp(&(one.at, &one.key)));
            failed.truncate(limit as usize);
            failed
        })
    }
}

impl Maintenance for MemoryStore {
    fn delete<'a>(&'a self, runs: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64> {
        self.with(|data| {
            let deleted = runs.iter().map(|&run| u64::from(data.delete(run))).sum();
            data.audit(audit.filter(|_| deleted > 0));
            deleted
        })
    }

    fn delete_events<'a>(&'a self, numbers: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, DeletedEvents> {
        self.with(|data| {
            let deleted = data.delete_events(numbers);
            data.audit(audit.filter(|_| deleted.count > 0));
            deleted
        })
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
