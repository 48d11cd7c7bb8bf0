//! The store in memory: for runs that need not survive, and beside which the others are tested.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::traits::{
    Append, AppendTarget, Appended, NewRun, Request, RunFilter, RunRow, RunUpdate, Segment, SegmentRow, Store,
    StoreError, StoreFuture, store_future,
};
use crate::callback::DeliveryAttempt;
use crate::run::RunState;

/// Runs in memory.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Data {
    runs: BTreeMap<i64, Run>,
    /// How many runs and requests there ever were: their numbers are not used again.
    last_run: i64,
    last_request: i64,
    graphs: HashMap<String, Vec<u8>>,
    requests: BTreeMap<i64, Request>,
    outbox_pending: BTreeSet<String>,
    /// The last try of each notification, by run and key.
    deliveries: BTreeMap<(String, String), DeliveryAttempt>,
    closed: bool,
}

#[derive(Debug)]
struct Run {
    row: RunRow,
    params: Vec<u8>,
    segments: Vec<Segment>,
    /// Graphs that it had before the one it has: its older entries count tasks by them.
    former: BTreeSet<String>,
}

impl MemoryStore {
    /// What is data, if the store is open.
    fn data(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        // Nothing under the lock can panic half way through a change.
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        if data.closed {
            return Err(StoreError::Read { place: "in memory".to_owned(), reason: "it was closed".to_owned() });
        }
        Ok(data)
    }

    fn with<'a, T: Send + 'a>(&'a self, ask: impl FnOnce(&mut Data) -> T) -> StoreFuture<'a, T> {
        let said = self.data().map(|mut data| ask(&mut data));
        store_future(std::future::ready(said))
    }
}

impl Data {
    fn append(&mut self, part: &Append) -> Appended {
        match &part.run {
            AppendTarget::New(run) => self.begin(run, part),
            &AppendTarget::Existing { run: number, token } => match self.runs.get_mut(&number) {
                Some(run) if run.row.token == token && run.expects(part.segment.as_ref()) => {
                    run.segments.extend(part.segment.clone());
                    run.update(part.update.as_ref());
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
            owner: new.owner.clone(),
            token: 1,
            state: RunState::Running,
            tasks: new.tasks,
            created: new.created,
            ended: None,
            counts: Vec::new(),
        };
        let mut run = Run { row, params: new.params.clone(), segments: Vec::new(), former: BTreeSet::new() };
        let taken = self.runs.values().any(|run| run.row.info.run_id == new.info.run_id);
        if taken || !run.expects(part.segment.as_ref()) {
            return Appended::Taken;
        }
        run.segments.extend(part.segment.clone());
        run.update(part.update.as_ref());
        run.former.clear();
        self.last_run += 1;
        self.runs.insert(self.last_run, run);
        Appended::Stored(self.last_run)
    }

    fn delete(&mut self, number: i64) -> bool {
        let Entry::Occupied(run) = self.runs.entry(number) else { return false };
        if run.get().row.state == RunState::Running {
            return false;
        }
        let run = run.remove();
        let run_id = &run.row.info.run_id;
        self.outbox_pending.remove(run_id);
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

impl Run {
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

impl RunFilter {
    fn lets_through(&self, run: &RunRow) -> bool {
        self.dag.as_ref().is_none_or(|dag| *dag == run.info.dag_id)
            && (self.states.is_empty() || self.states.contains(&run.state))
            && self.about.is_none_or(|about| run.info.logical_date == about)
            && self.since.is_none_or(|since| run.created >= since)
            && self.before.is_none_or(|before| run.created < before)
    }
}

impl Store for MemoryStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>> {
        self.with(|data| batch.iter().map(|part| data.append(part)).collect())
    }

    fn adopt<'a>(&'a self, run: i64, expected: u64, owner: &'a str) -> StoreFuture<'a, Option<u64>> {
        self.with(|data| {
            let number = run;
            let run = data.runs.get_mut(&run).filter(|run| run.row.token == expected)?;
            data.requests.retain(|_, request| request.run != number);
            run.row.token += 1;
            (run.row.state, run.row.ended) = (RunState::Running, None);
            run.row.counts.clear();
            owner.clone_into(&mut run.row.owner);
            Some(run.row.token)
        })
    }

    fn put_graph<'a>(&'a self, hash: &'a str, snapshot: &'a [u8]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.graphs.entry(hash.to_owned()).or_insert_with(|| snapshot.to_vec());
        })
    }

    fn graph<'a>(&'a self, hash: &'a str) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.with(|data| data.graphs.get(hash).cloned())
    }

    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>> {
        self.with(|data| data.runs.get(&run).map(|run| run.row.clone()))
    }

    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>> {
        self.with(|data| data.runs.values().map(|run| &run.row).find(|row| row.info.run_id == run_id).cloned())
    }

    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let fit = |row: &RunRow| match row.info.run_id.find(text) {
                Some(_) if row.info.run_id == text => Some(0),
                Some(0) => Some(1),
                Some(_) => Some(2),
                None => None,
            };
            let rows = data.runs.values().rev().map(|run| &run.row);
            let mut found: Vec<(i32, &RunRow)> = rows.filter_map(|row| Some((fit(row)?, row))).collect();
            found.sort_by_key(|&(fit, _)| fit);
            found.into_iter().take(limit as usize).map(|(_, row)| row.clone()).collect()
        })
    }

    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let mut rows: Vec<&RunRow> = data.runs.values().map(|run| &run.row).collect();
            rows.retain(|row| filter.lets_through(row));
            rows.sort_by_key(|row| std::cmp::Reverse((row.created, row.number)));
            rows.truncate(filter.limit.map_or(usize::MAX, |limit| limit as usize));
            rows.into_iter().cloned().collect()
        })
    }

    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run).map(|run| run.params.clone()))
    }

    fn segments(&self, run: i64, from: u32) -> StoreFuture<'_, Vec<SegmentRow>> {
        self.with(|data| {
            let segments = data.runs.get(&run).map_or(&[][..], |run| &run.segments);
            let wanted = segments.iter().filter(|segment| segment.number >= from);
            wanted.map(|segment| SegmentRow { number: segment.number, events: segment.events.clone() }).collect()
        })
    }

    fn data(&self, run: i64, segment: u32, range: Range<u32>) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run)?.data(segment, range))
    }

    fn ask<'a>(&'a self, request: &'a Request) -> StoreFuture<'a, ()> {
        self.with(|data| {
            if data.runs.contains_key(&request.run) {
                data.last_request += 1;
                data.requests.insert(data.last_request, request.clone());
            }
        })
    }

    fn requests(&self, after: i64) -> StoreFuture<'_, Vec<(i64, Request)>> {
        self.with(|data| {
            let later = data.requests.iter().filter(|&(&number, _)| number > after);
            later.map(|(&number, request)| (number, request.clone())).collect()
        })
    }

    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.outbox_pending.insert(run_id.to_owned());
        })
    }

    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>> {
        self.with(|data| data.outbox_pending.iter().cloned().collect())
    }

    fn outbox_done<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        self.with(|data| {
            let goes_on = |run: &Run| run.row.info.run_id == run_id && run.row.state == RunState::Running;
            if !data.runs.values().any(goes_on) {
                data.outbox_pending.remove(run_id);
            }
        })
    }

    fn record_deliveries<'a>(&'a self, run_id: &'a str, tried: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()> {
        self.with(|data| {
            if data.runs.values().any(|run| run.row.info.run_id == run_id) {
                let noted = tried.iter().map(|tried| ((run_id.to_owned(), tried.key.clone()), tried.clone()));
                data.deliveries.extend(noted);
            }
        })
    }

    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>> {
        self.with(|data| {
            let of_run = data.deliveries.iter().filter(|((of, _), _)| of == run_id);
            let mut tried: Vec<DeliveryAttempt> = of_run.map(|(_, tried)| tried.clone()).collect();
            tried.sort_by(|one, other| (one.at, &one.key).cmp(&(other.at, &other.key)));
            tried
        })
    }

    fn delete<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, u64> {
        self.with(|data| runs.iter().map(|&run| u64::from(data.delete(run))).sum())
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
