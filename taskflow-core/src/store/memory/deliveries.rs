//! Notifications in memory: which runs have some to deliver, and the last attempt of each.

use super::MemoryStore;
use crate::callback::DeliveryAttempt;
use crate::store::ownership::RunGuard;
use crate::store::rows::DeliveryPlace;
use crate::store::traits::{Outbox, StoreFuture};

impl Outbox for MemoryStore {
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()> {
        self.with(|data| {
            data.outbox.insert(run_id.to_owned());
        })
    }

    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>> {
        self.with(|data| data.outbox.iter().cloned().collect())
    }

    fn outbox_done<'a>(&'a self, run_id: &'a str, token: Option<u64>) -> StoreFuture<'a, ()> {
        self.with(|data| {
            let run = data.by_id.get(run_id).and_then(|number| data.runs.get(number));
            if !run.is_some_and(|run| run.row.state.is_active() || Some(run.row.token) != token) {
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
            let known = if data.by_id.contains_key(run_id) { attempts } else { &[] };
            for attempt in known {
                let place = (run_id.to_owned(), attempt.key.clone());
                if data.deliveries.get(&place).is_none_or(|last| last.error.is_some()) {
                    data.deliveries.insert(place, attempt.clone());
                }
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

    fn failed_deliveries<'a>(
        &'a self,
        after: Option<&'a DeliveryPlace>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<(String, DeliveryAttempt)>> {
        self.with(|data| {
            let failed = data.deliveries.iter().filter(|(_, attempt)| attempt.error.is_some());
            let places = failed.map(|((run_id, key), attempt)| {
                (DeliveryPlace(attempt.at, key.clone(), run_id.clone()), (run_id.clone(), attempt.clone()))
            });
            let mut failed: Vec<_> = places.filter(|(place, _)| after.is_none_or(|after| place < after)).collect();
            failed.sort_by(|(one, _), (other, _)| other.cmp(one));
            failed.into_iter().take(limit as usize).map(|(_, failed)| failed).collect()
        })
    }
}
