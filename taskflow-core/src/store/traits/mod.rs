//! What every kind of store can do.
//!
//! A store keeps rows and bytes and does not interpret them: runs, their segments in order,
//! snapshots of graphs, requests of other processes, the outbox of callbacks.
//! [`history`](crate::journal::history) interprets the entries in segments. Each trait here is one
//! of these subjects; a [`Store`] implements all of them.
//!
//! # Guarantees
//!
//! 1. [`RunStore::append`] is atomic: the store keeps all of a batch or none of it. Once `append`
//!    has returned, the batch survives the death of the process and, with
//!    [`SyncMode::Full`](super::SyncMode::Full), of the machine.
//! 2. A run has a *fencing token*, which counts the processes that have owned the run. An append
//!    with any token but the present one changes nothing and returns
//!    [`Appended::Fenced`](super::rows::Appended::Fenced): a process that was presumed dead cannot
//!    write.
//! 3. The segments of a run are numbered from 1 without gaps. An append with any number but the
//!    next is fenced, too. A fenced part stores nothing; the other parts of the batch are stored.
//! 4. Reads never wait for writes, and see whole batches.
//! 5. A read returns what was stored, or [`StoreError::Damaged`]: a store that can be damaged has
//!    checksums of what it holds ([`checksum`](super::checksum)), and notices changed bytes and a
//!    lost end.
//!
//! # Ownership
//!
//! A process owns a run from [`RunStore::reserve`] (a run that it is about to store) or
//! [`RunStore::claim`] (a stored run) until it drops the [`RunGuard`](super::RunGuard) or dies.
//! How a store notices the death of a process is its own affair: a lock file, a lease. Each
//! [`RunRow`](super::RunRow) that a store returns says whether the owner is alive
//! ([`Liveness`](super::Liveness)). A wrong answer, such as a lock on a network file system without
//! locks, cannot corrupt a run: claiming raises the token, which fences the former owner.
//!
//! Claim before you read. A history that was read before the claim may miss what the former owner
//! stored in between.

mod audit;
mod changes;
mod events;
mod histories;
mod outbox;
mod runs;
mod schedules;
mod upkeep;

use std::fmt;

pub(crate) use self::audit::AuditStore;
pub(crate) use self::changes::ChangeStore;
pub(crate) use self::events::EventStore;
pub(crate) use self::histories::{GraphStore, RollupStore, SEGMENTS, SegmentStore};
pub(crate) use self::outbox::Outbox;
pub(crate) use self::runs::{PoolStore, RequestStore, RunStore};
pub(crate) use self::schedules::{BackfillStore, ScheduleStore};
pub(crate) use self::upkeep::Maintenance;
use super::account_rows::AccountStore;
use super::error::StoreError;

/// A future of a store.
pub(crate) type StoreFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place for runs: everything that the journal needs of one.
pub(crate) trait Store:
    RunStore
    + SegmentStore
    + RollupStore
    + GraphStore
    + RequestStore
    + PoolStore
    + ScheduleStore
    + BackfillStore
    + EventStore
    + AuditStore
    + AccountStore
    + ChangeStore
    + Outbox
    + Maintenance
    + fmt::Debug
{
}

impl<T> Store for T where
    T: RunStore
        + SegmentStore
        + RollupStore
        + GraphStore
        + RequestStore
        + PoolStore
        + ScheduleStore
        + BackfillStore
        + EventStore
        + AuditStore
        + AccountStore
        + ChangeStore
        + Outbox
        + Maintenance
        + fmt::Debug
{
}

/// Boxes a future of a store.
pub(crate) fn store_future<'a, T>(
    future: impl Future<Output = Result<T, StoreError>> + Send + 'a,
) -> StoreFuture<'a, T> {
    Box::pin(future)
}
