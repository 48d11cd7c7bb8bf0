//! Where runs are stored.
//!
//! - `traits`: what every kind of store can do, and what it guarantees. `conformance`: the tests that every store passes.
//! - `memory`, `sqlite`: the stores there are.
//! - `run_locks`: which process runs a run.

#[cfg(test)]
mod conformance;
mod memory;
mod run_locks;
#[cfg(feature = "sqlite")]
mod sqlite;
mod sync_mode;
mod traits;

pub(crate) use memory::MemoryStore;
pub(crate) use run_locks::{RunLock, RunLocks, build_id, worker};
#[cfg(feature = "sqlite")]
pub(crate) use sqlite::{SqliteStore, examine};
pub use sync_mode::SyncMode;
pub(crate) use traits::{
    Append, AppendTarget, Appended, NewRun, Request, RequestKind, RunRow, RunUpdate, Segment, Store,
};
pub use traits::{RunFilter, StoreError};
