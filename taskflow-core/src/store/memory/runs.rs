//! The runs in memory: their owners, their admission, and searches for them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Data, MemoryStore, Owned, Run};
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::admission::{Admission, AdmissionRequest, Ticket, decide};
use crate::store::identity::worker;
use crate::store::ownership::{Claim, RunGuard};
use crate::store::rows::{Append, Appended, RunFilter, RunOrder, RunRow, RunUpdate};
use crate::store::traits::{RunStore, StoreFuture};

impl RunStore for MemoryStore {
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>> {
        self.with(|data| batch.iter().map(|part| data.append(part)).collect())
    }

    fn reserve(&self, run_id: &str) -> Option<RunGuard> {
        self.owned.reserve(run_id.to_owned())
    }

    fn hold_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        self.with(|_| self.owned.reserve(run_id.to_owned()))
    }

    fn without_run<'a>(&'a self, run_ids: &'a [String], _: bool) -> StoreFuture<'a, Vec<String>> {
        self.with(|data| run_ids.iter().filter(|run_id| !data.by_id.contains_key(*run_id)).cloned().collect())
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

    fn runs_by_id<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let numbers: BTreeSet<i64> = run_ids.iter().filter_map(|run_id| data.by_id.get(run_id).copied()).collect();
            let runs = numbers.iter().filter_map(|number| data.runs.get(number));
            runs.map(|run| self.owned.row(run)).collect()
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

    fn count_runs<'a>(&'a self, filter: &'a RunFilter, most: u32) -> StoreFuture<'a, (u64, bool)> {
        let filter = RunFilter { after: None, ..filter.clone() };
        self.with(|data| {
            let is_wanted = |run: &&Run| {
                filter.allows(&run.row) && (filter.states.is_empty() || filter.states.contains(&self.owned.state(run)))
            };
            let most = most as usize;
            let found = data.runs.values().filter(is_wanted).take(most.saturating_add(1)).count();
            (found.min(most) as u64, found > most)
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

    fn last_runs_of<'a>(&'a self, dags: &'a [&'a str], each: u32) -> StoreFuture<'a, Vec<RunRow>> {
        self.with(|data| {
            let by_id: BTreeSet<&str> = dags.iter().copied().collect();
            let last = by_id.into_iter().flat_map(|dag| {
                let mut runs: Vec<&Run> = data.of_dag(dag, dates(&RunFilter::default())).collect();
                runs.sort_by_key(|run| std::cmp::Reverse((run.row.created, run.row.number)));
                runs.into_iter().take(each as usize)
            });
            last.map(|run| self.owned.row(run)).collect()
        })
    }

    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>> {
        self.with(|data| data.runs.get(&run).map(|run| run.params.clone()))
    }

    fn params_of<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Vec<u8>)>> {
        self.with(|data| {
            let stored = runs.iter().filter_map(|run| Some((*run, data.runs.get(run)?.params.clone())));
            stored.collect()
        })
    }
}

impl Data {
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
    pub(super) fn of_dag(
        &self,
        dag: &str,
        (first, last): (Timestamp, Timestamp),
    ) -> impl DoubleEndedIterator<Item = &Run> {
        let of_dag = self.by_date.get(dag).filter(|_| first <= last);
        let numbers = of_dag.map(|of_dag| of_dag.range((first, i64::MIN)..=(last, i64::MAX)));
        numbers.into_iter().flatten().filter_map(|(_, number)| self.runs.get(number))
    }
}

impl Run {
    /// Its ticket, if its present owner has asked for its admission.
    fn ticket(&self) -> Option<Ticket> {
        let (token, ticket) = self.admission?;
        (token == self.row.token && self.row.state == RunState::Running).then_some(ticket)
    }

    /// Whether it waits for its admission.
    pub(super) fn waits(&self) -> bool {
        self.ticket().is_some_and(|ticket| !ticket.is_admitted)
    }
}

/// The logical dates that a filter allows, both inclusive. It may allow fewer of them.
fn dates(filter: &RunFilter) -> (Timestamp, Timestamp) {
    let first = filter.about.max(filter.logical_since).unwrap_or(Timestamp::from_nanos(i64::MIN));
    let last = filter.about.or(filter.logical_before).unwrap_or(Timestamp::from_nanos(i64::MAX));
    (first, last.max(first))
}
