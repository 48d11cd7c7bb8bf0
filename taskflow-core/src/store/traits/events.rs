//! The events of assets.

use super::StoreFuture;
use crate::store::audit_rows::AuditRow;
use crate::store::event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use crate::store::schedule_rows::{DamagedRow, ScheduleRow, ScheduleStep, Stepped};

/// The events of assets, and which of them DAGs have consumed.
///
/// The numbers of events are in the order in which they were stored: once a reader has seen an
/// event, no event with a lower number appears.
pub(crate) trait EventStore: Send + Sync {
    /// Stores events in one transaction. Returns one answer for each event, in order. The events of
    /// tasks are stored by [`RunStore::append`](super::RunStore::append). With `cursor`, the events
    /// are those of a source, which is at that cursor after them; it is stored in the same
    /// transaction. The row of the audit trail is stored if an event is.
    fn emit<'a>(
        &'a self,
        events: &'a [NewEvent],
        cursor: Option<&'a WatchCursor>,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, Vec<Emitted>>;

    /// The last cursor of a source.
    fn watch_cursor<'a>(&'a self, source: &'a str) -> StoreFuture<'a, Option<WatchCursor>>;

    /// The events that match the filter, in its order.
    fn events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, Vec<EventRow>>;

    /// How many events match the conditions of the filter, whatever its limit. Reads none of them.
    fn count_matching_events<'a>(&'a self, filter: &'a EventFilter) -> StoreFuture<'a, u64>;

    /// How many events with numbers above `after` and up to `until` the store has, by asset.
    #[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of a server"))]
    fn count_events(&self, after: i64, until: i64) -> StoreFuture<'_, Vec<(String, u64)>>;

    /// The highest number that an event has had; 0 before the first.
    fn last_event(&self) -> StoreFuture<'_, i64>;

    /// How far events and consumers are: a cheap way to notice those of other processes.
    fn event_progress(&self) -> StoreFuture<'_, EventProgress>;

    /// What DAGs have consumed, by DAG. Damage of one row hides no other.
    fn consumers(&self) -> StoreFuture<'_, Vec<Result<ScheduleRow, DamagedRow>>>;

    /// As [`ScheduleStore::step_schedules`](super::ScheduleStore::step_schedules), for what DAGs
    /// have consumed. Records of slots are in the same table as those of schedules.
    fn step_consumers<'a>(&'a self, steps: &'a [ScheduleStep]) -> StoreFuture<'a, Vec<Stepped>>;
}
