//! The callbacks of runs.

use super::StoreFuture;
use crate::callback::DeliveryAttempt;
use crate::store::ownership::RunGuard;
use crate::store::rows::DeliveryPlace;

/// Which runs may have undelivered callbacks, and what was delivered.
pub(crate) trait Outbox: Send + Sync {
    /// Marks a run that this process owns as possibly having undelivered callbacks. A new run is
    /// stored with its mark: see [`NewRun::has_callbacks`].
    ///
    /// [`NewRun::has_callbacks`]: crate::store::rows::NewRun::has_callbacks
    fn outbox_add<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, ()>;

    /// The ids of the runs that may have undelivered callbacks.
    fn outbox_pending(&self) -> StoreFuture<'_, Vec<String>>;

    /// Removes the mark, unless the run has yet to end, or has another token than the caller knows:
    /// then somebody has claimed it since, and may have more to deliver. Without a token, there was
    /// no such run.
    fn outbox_done<'a>(&'a self, run_id: &'a str, token: Option<u64>) -> StoreFuture<'a, ()>;

    /// Takes the right to deliver the callbacks of a run that nobody owns. Returns `None` if a
    /// process owns the run or delivers its callbacks.
    fn claim_deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>>;

    /// Records the last attempts to deliver notifications, by their keys. What was delivered stays
    /// delivered, whoever records an attempt later. Does nothing if there is no such run.
    fn record_deliveries<'a>(&'a self, run_id: &'a str, attempts: &'a [DeliveryAttempt]) -> StoreFuture<'a, ()>;

    /// The last attempt of each notification of a run, oldest first.
    fn deliveries<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Vec<DeliveryAttempt>>;

    /// The last attempts that failed, with the ids of their runs, the latest first: those after a
    /// place, if there is one.
    fn failed_deliveries<'a>(
        &'a self,
        after: Option<&'a DeliveryPlace>,
        limit: u32,
    ) -> StoreFuture<'a, Vec<(String, DeliveryAttempt)>>;
}
