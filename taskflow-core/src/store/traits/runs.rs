//! Runs: who owns them, what is asked of their owners, and the slots of pools that these share.

use super::{StoreFuture, store_future};
use crate::store::admission::{Admission, AdmissionRequest};
use crate::store::audit_rows::AuditRow;
use crate::store::ownership::{Claim, RunGuard};
use crate::store::pool_leases::{PoolDemand, PoolGrant};
use crate::store::rows::{Append, Appended, Request, RunFilter, RunRow};

/// Runs, and who owns them.
pub(crate) trait RunStore: Send + Sync {
    /// Stores new runs, new segments and updates of runs: all of it or nothing. Returns one answer
    /// for each part, in order.
    ///
    /// A new run that this process has [reserved](RunStore::reserve) belongs to it from then on.
    /// Without a reservation the run is stored with an owner who counts as dead.
    fn append<'a>(&'a self, batch: &'a [Append]) -> StoreFuture<'a, Vec<Appended>>;

    /// Reserves the id of a run that this process is about to store. Returns `None` if this process
    /// has reserved or claimed the id already. Does no I/O: `append` finds out whether another
    /// process owns such a run.
    fn reserve(&self, run_id: &str) -> Option<RunGuard>;

    /// Takes an id that no run has any more, so that no run with it is stored until the guard is
    /// dropped. Returns `None` if a process has it. Another process can still reserve it: what it
    /// appends is answered with [`Appended::Taken`].
    fn hold_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunGuard>>;

    /// Those of these ids that no run has. `by_rows`: by reading the rows of all runs, because an
    /// index that is damaged may lack one.
    fn without_run<'a>(&'a self, run_ids: &'a [String], by_rows: bool) -> StoreFuture<'a, Vec<String>>;

    /// Makes this process, called `owner`, the owner of a stored run and raises the token. State
    /// and history of the run stay as they are; requests that nobody has acknowledged are left to
    /// the new owner. A claim may be lost with the power of the machine, but not without what the
    /// owner stored.
    fn claim<'a>(&'a self, run: i64, owner: &'a str) -> StoreFuture<'a, Claim>;

    /// Whether the owner of a run died while it owned the run. An owner that is asked to leave
    /// releases its run, as a drained process does. `false` if nobody owned it.
    fn owner_died<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool> {
        let _ = run_id;
        store_future(std::future::ready(Ok(false)))
    }

    /// Asks whether a run of this process may start, and admits it if fewer runs of its DAG are
    /// active than the request allows. Counting and admitting are one transaction. Until it is
    /// admitted the run waits, and its [`RunRow`] says so; see
    /// [`admission`](crate::store::admission). As a claim, an admission may be lost with the power
    /// of the machine.
    fn admit<'a>(&'a self, request: &'a AdmissionRequest) -> StoreFuture<'a, Admission>;

    /// Renews what proves that this process is alive. The writer calls it regularly while runs are
    /// live. Only a store whose ownership expires has to do something.
    fn heartbeat(&self) -> StoreFuture<'_, ()> {
        store_future(std::future::ready(Ok(())))
    }

    /// The run with this number.
    fn run(&self, run: i64) -> StoreFuture<'_, Option<RunRow>>;

    /// The run with this id.
    fn run_by_id<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, Option<RunRow>>;

    /// The runs with these ids, in any order. An id that no run has is left out.
    fn runs_by_id<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, Vec<RunRow>>;

    /// The number of the run that was stored last, whether or not it was deleted since; 0 if there
    /// was none.
    fn last_number(&self) -> StoreFuture<'_, i64>;

    /// At most `limit` runs whose ids contain this text. The id that equals the text comes first,
    /// then ids that begin with it, then all others; within each class the highest number comes
    /// first.
    fn find<'a>(&'a self, text: &'a str, limit: u32) -> StoreFuture<'a, Vec<RunRow>>;

    /// The runs that match the filter, whatever its parameters, in its order.
    fn runs<'a>(&'a self, filter: &'a RunFilter) -> StoreFuture<'a, Vec<RunRow>>;

    /// How many runs match the filter, whatever its parameters, place, order and limit, and whether
    /// there may be more: counting ends at `most` runs, or before.
    fn count_runs<'a>(&'a self, filter: &'a RunFilter, most: u32) -> StoreFuture<'a, (u64, bool)>;

    /// The run of each DAG that was created last, by the id of the DAG.
    fn last_runs(&self) -> StoreFuture<'_, Vec<RunRow>>;

    /// The runs of each of these DAGs that were created last, at most `each` of one and at least
    /// one, by the id of the DAG and then the latest first.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only the pages ask for them"))]
    fn last_runs_of<'a>(&'a self, dags: &'a [&'a str], each: u32) -> StoreFuture<'a, Vec<RunRow>>;

    /// The encoded parameters that a run was created with.
    fn params(&self, run: i64) -> StoreFuture<'_, Option<Vec<u8>>>;

    /// The encoded parameters of these runs, with their numbers, in any order. A run that is not
    /// there is left out.
    fn params_of<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Vec<u8>)>>;
}

/// What processes ask of the owner of a run.
///
/// A request stays until an owner acknowledges it or the run ends, so it survives the death of an
/// owner that has not carried it out.
pub(crate) trait RequestStore: Send + Sync {
    /// Leaves a request for the owner of a run, present or future, with the row of the audit trail
    /// about it. Does nothing if there is no such run or it has ended. Returns whether the request
    /// is stored.
    fn ask<'a>(&'a self, request: &'a Request, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool>;

    /// The unacknowledged requests to the owner of these runs, with their ids, oldest first.
    fn requests<'a>(&'a self, runs: &'a [i64]) -> StoreFuture<'a, Vec<(i64, Request)>>;

    /// Removes requests that were carried out. An unknown id is ignored.
    fn acknowledge<'a>(&'a self, ids: &'a [i64]) -> StoreFuture<'a, ()>;
}

/// The slots of pools that processes share; see [`pool_leases`](crate::store::pool_leases).
///
/// A store in memory has one process, so nothing is leased there.
pub(crate) trait PoolStore: Send + Sync {
    /// Whether the slots of pools have to be leased, because several processes may use the store.
    fn shares_pools(&self) -> bool {
        false
    }

    /// Makes a holder of leases, which lives until the guard is dropped or the process dies. The
    /// name must be unique.
    fn hold_pools<'a>(&'a self, holder: &'a str) -> StoreFuture<'a, Option<RunGuard>> {
        let _ = holder;
        store_future(std::future::ready(Ok(None)))
    }

    /// Adjusts what a holder holds of each pool. Returns one answer for each demand, in order.
    fn lease_pools<'a>(&'a self, holder: &'a str, demands: &'a [PoolDemand]) -> StoreFuture<'a, Vec<PoolGrant>> {
        let _ = holder;
        let whole = |demand: &PoolDemand| PoolGrant { held: demand.size, owed: 0, is_contended: false };
        store_future(std::future::ready(Ok(demands.iter().map(whole).collect())))
    }
}
