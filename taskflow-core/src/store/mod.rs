//! Where runs are stored.
//!
//! - `traits`: what every kind of store can do, and what it guarantees; a file each for runs, their
//!   histories, schedules, events, and so on. `error`: why a store cannot be used. `rows`: what it
//!   takes and returns, `schedule_rows` of schedules, `event_rows` of events, `audit_rows` of the
//!   audit trail, `rollup_rows` of rollups, `account_rows` of users, `change_rows` of what others
//!   changed. `ownership`: which process owns a run. `admission`: how many runs of a DAG are active
//!   at once. `pool_leases`: how processes share the slots of pools. `conformance`: the tests that
//!   every store passes.
//! - `memory`, `sqlite`: the stores. `checksum`: the checksums of what they hold, and their design.
//! - `blobs`: values, logs and artifacts, which lie outside the store.
//! - `runtime`: what drives the sockets and timers of a store. `identity`: how this process and
//!   this build call themselves.

#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server has users"))]
mod account_rows;
mod admission;
mod audit_rows;
mod backfill_rows;
mod blobs;
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server has streams"))]
mod change_rows;
#[cfg(feature = "sqlite")]
mod checksum;
#[cfg(test)]
mod conformance;
mod error;
mod event_rows;
mod identity;
mod memory;
mod ownership;
mod pool_leases;
mod rollup_rows;
mod rows;
mod runtime;
mod schedule_rows;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sync_mode;
mod traits;

#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "only the server uses it"))]
pub(crate) use account_rows::{AccountKind, AccountRow, AccountStore};
pub(crate) use admission::{Admission, AdmissionRequest};
pub(crate) use audit_rows::{AuditFilter, AuditRow};
pub(crate) use backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
pub(crate) use blobs::{BlobStore, DirectoryBlobs};
#[cfg(feature = "server")]
pub(crate) use change_rows::{RunHead, Subject, TableVersion};
pub use error::StoreError;
pub(crate) use error::waiting_for_lock;
pub(crate) use event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
pub(crate) use identity::{build_id, worker};
pub(crate) use memory::MemoryStore;
pub(crate) use ownership::{Claim, Liveness, RunGuard};
pub(crate) use pool_leases::PoolDemand;
pub(crate) use rollup_rows::RollupRow;
pub(crate) use rows::{
    Append, AppendTarget, Appended, NewGraph, NewRun, Request, RequestKind, RunRow, RunUpdate, Segment, SegmentRow,
};
pub use rows::{DeliveryPlace, RunCursor, RunFilter, RunOrder};
pub(crate) use runtime::StoreRuntime;
pub(crate) use schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};
#[cfg(all(test, feature = "sqlite"))]
pub(crate) use sqlite::be_impatient;
#[cfg(feature = "sqlite")]
#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "only the server uses it"))]
pub(crate) use sqlite::{SCHEMA, SqliteStore, examine};
pub use sync_mode::SyncMode;
pub(crate) use traits::{SEGMENTS, Store, StoreFuture};
