//! What others have changed.

use super::{StoreFuture, store_future};
use crate::store::change_rows::{RunHead, TableVersion};

/// What tells a reader that others have changed something. See
/// [`change_rows`](crate::store::change_rows).
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server has streams"))]
pub(crate) trait ChangeStore: Send + Sync {
    /// A number that differs from the last one if anything was committed in between, whichever
    /// process did it. `None` if the store cannot tell: then ask the other methods.
    ///
    /// Only the answers of one store value can be compared, and only while none of its reads fails
    /// or is dropped.
    fn data_version(&self) -> StoreFuture<'_, Option<i64>> {
        store_future(std::future::ready(Ok(None)))
    }

    /// The heads of the runs that are stored as queued or running, of all runs with a higher number
    /// than `after`, and of these runs.
    fn run_heads<'a>(&'a self, after: i64, also: &'a [i64]) -> StoreFuture<'a, Vec<RunHead>> {
        let _ = (after, also);
        store_future(std::future::ready(Ok(Vec::new())))
    }

    /// The versions of everything that is not a run.
    fn table_versions(&self) -> StoreFuture<'_, Vec<TableVersion>> {
        store_future(std::future::ready(Ok(Vec::new())))
    }
}
