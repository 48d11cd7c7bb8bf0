//! Deleting, checking, closing.

use super::{StoreFuture, store_future};
use crate::store::audit_rows::AuditRow;
use crate::value::FileRef;

/// Keeping a store in order.
pub(crate) trait Maintenance: Send + Sync {
    /// Deletes runs with everything that belongs to them, and graphs that no run refers to
    /// afterwards. Keeps runs that are stored as queued or running. Returns the numbers of those
    /// that were deleted: none after an error. An error that comes after some were deleted is not
    /// returned; the next call goes on, or has it. Parts of deleted runs may still take space until
    /// the next call, which may be one without runs. Others can write meanwhile. The row of the
    /// audit trail is stored with the first deletion.
    fn delete<'a>(&'a self, runs: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, Vec<i64>>;

    /// The ids of runs that were deleted and whose files have not been
    /// [forgotten](Maintenance::forget_files) since, in order. Each is stored with the deletion of
    /// its run. A run with the same id may have come meanwhile.
    fn left_files(&self) -> StoreFuture<'_, Vec<String>>;

    /// Whether this id is among the [left files](Maintenance::left_files).
    fn has_left_files<'a>(&'a self, run_id: &'a str) -> StoreFuture<'a, bool>;

    /// The files of deleted runs with these ids are gone. An unknown id is ignored.
    fn forget_files<'a>(&'a self, run_ids: &'a [String]) -> StoreFuture<'a, ()>;

    /// Deletes events. Their numbers are not used again, and their keys can be. Returns how many
    /// were deleted: none after an error. An error that comes after some were deleted is not
    /// returned; the next call goes on, or has it. Others can write meanwhile. The row of the audit
    /// trail is stored with the first deletion.
    fn delete_events<'a>(&'a self, numbers: &'a [i64], audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64>;

    /// The payloads in files that deleted events had, that have not been
    /// [forgotten](Maintenance::forget_payloads) since, and that no event has now. Each is stored
    /// with the deletion of its event.
    fn left_payloads(&self) -> StoreFuture<'_, Vec<FileRef>>;

    /// The files of these payloads are gone. An unknown one is ignored.
    fn forget_payloads<'a>(&'a self, files: &'a [FileRef]) -> StoreFuture<'a, ()>;

    /// Returns the space of deleted rows to the file system. Returns the size of the store before
    /// and after, in bytes.
    fn vacuum(&self) -> StoreFuture<'_, (u64, u64)>;

    /// Looks for damage without reading everything. Each finding is a sentence.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store in memory has no file"))]
    fn quick_check(&self) -> StoreFuture<'_, Vec<String>> {
        store_future(std::future::ready(Ok(Vec::new())))
    }

    /// Looks for damage. Each finding is a sentence that names the place.
    fn check(&self) -> StoreFuture<'_, Vec<String>>;

    /// Finishes writing and closes files. Later calls fail.
    fn close(&self) -> StoreFuture<'_, ()>;
}
