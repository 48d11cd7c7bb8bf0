//! The audit trail.

use super::StoreFuture;
use crate::base::Timestamp;
use crate::store::audit_rows::{AuditFilter, AuditRow};

/// The audit trail: who has asked for which change. It is apart from the runs, so that deleting
/// runs deletes none of it.
///
/// The row about a change is stored in the transaction of the change: each operation that a person
/// can cause takes the row, and stores both or neither. No stored row ever changes.
pub(crate) trait AuditStore: Send + Sync {
    /// Stores a row about what has changed nothing: a refusal.
    fn record_audit<'a>(&'a self, row: &'a AuditRow) -> StoreFuture<'a, ()>;

    /// The rows that match a filter, the newest first.
    fn audit<'a>(&'a self, filter: &'a AuditFilter) -> StoreFuture<'a, Vec<AuditRow>>;

    /// How many rows there are before a point in time.
    fn count_audit(&self, before: Timestamp) -> StoreFuture<'_, u64>;

    /// Deletes the rows before a point in time, the oldest first, and stores the row about that
    /// with the first of them. Others can write meanwhile; what they store stays. Returns how many
    /// were deleted. Not atomic: an error after the first deletion ends it early, and the answer is
    /// what is gone. Another call goes on, or has the error.
    fn delete_audit<'a>(&'a self, before: Timestamp, audit: Option<&'a AuditRow>) -> StoreFuture<'a, u64>;
}
