//! What a store takes and returns of events.

use crate::base::Timestamp;
use crate::run::Stored;
use crate::value::FileRef;

/// An event that is to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewEvent {
    /// The name of the asset.
    pub(crate) asset: String,
    /// The stored form of the partition.
    pub(crate) partition: Option<String>,
    /// Two events of an asset with the same key are one: the first.
    pub(crate) key: Option<String>,
    /// The type of the payload, without modules.
    pub(crate) ty: String,
    /// The stored form of the payload.
    pub(crate) value: Stored,
    pub(crate) emitted: Timestamp,
    /// The id of the run, if a run emits it. The event outlives the run.
    pub(crate) run: Option<String>,
    /// The id of the task instance; none for the result of a run.
    pub(crate) task: Option<String>,
    /// Who emits it, if no run does.
    pub(crate) by: String,
    /// Whether it is left out if the last event of this asset and partition has the same payload.
    pub(crate) on_change: bool,
}

impl NewEvent {
    /// Identifies the payload: equal payloads are equal here, wherever they are stored.
    pub(super) fn content(&self) -> FileRef {
        match &self.value {
            Stored::Inline(bytes) => FileRef::of(bytes),
            Stored::File(file) => *file,
        }
    }
}

/// A stored event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventRow {
    /// Later events have higher numbers. A number is never used again.
    pub(crate) number: i64,
    pub(crate) asset: String,
    pub(crate) partition: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) ty: String,
    /// The hash and the length of the payload.
    pub(crate) content: FileRef,
    /// The payload, if it was asked for.
    pub(crate) value: Option<Stored>,
    pub(crate) emitted: Timestamp,
    pub(crate) run: Option<String>,
    pub(crate) task: Option<String>,
    pub(crate) by: String,
}

/// The outcome of an emission. The number is that of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emitted {
    /// It is stored.
    Stored(i64),
    /// The asset has an event with this key: that one.
    Known(i64),
    /// The last event of the asset and partition has the same payload: that one.
    Unchanged(i64),
}

impl Emitted {
    /// The number of the event.
    pub(crate) fn number(self) -> i64 {
        match self {
            Emitted::Stored(number) | Emitted::Known(number) | Emitted::Unchanged(number) => number,
        }
    }
}

/// How far the events of a source outside are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WatchCursor {
    pub(crate) source: String,
    /// In the terms of the source.
    pub(crate) cursor: String,
    pub(crate) updated: Timestamp,
}

/// Two numbers that only grow, and tell whether there is anything new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventProgress {
    /// How many steps of consumers were ever stored.
    pub(crate) steps: i64,
    /// The highest number that an event has had; 0 before the first.
    pub(crate) last_event: i64,
}

/// Selects events. The default selects all, oldest first, without their payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EventFilter {
    /// Of one of these assets; of any if empty.
    pub(crate) assets: Vec<String>,
    /// With a higher number.
    pub(crate) after: Option<i64>,
    /// With a lower number.
    pub(crate) before: Option<i64>,
    /// Emitted before this time.
    pub(crate) emitted_before: Option<Timestamp>,
    /// Of this partition.
    pub(crate) partition: Option<String>,
    /// Emitted by this run.
    pub(crate) run: Option<String>,
    /// Emitted by a task: not by hand, from outside, or as the result of a run.
    pub(crate) of_tasks: bool,
    /// The event with the highest number comes first.
    pub(crate) newest_first: bool,
    /// At most this many; all if `None`.
    pub(crate) limit: Option<u32>,
    /// With their payloads.
    pub(crate) with_values: bool,
}

impl EventFilter {
    /// The event with this number.
    pub(crate) fn number(number: i64) -> Self {
        EventFilter {
            after: Some(number.saturating_sub(1)),
            before: Some(number.saturating_add(1)),
            ..EventFilter::default()
        }
    }

    /// Whether an event fits all conditions.
    pub(super) fn allows(&self, event: &EventRow) -> bool {
        (self.assets.is_empty() || self.assets.contains(&event.asset))
            && self.after.is_none_or(|after| event.number > after)
            && self.before.is_none_or(|before| event.number < before)
            && self.emitted_before.is_none_or(|before| event.emitted < before)
            && self.partition.as_ref().is_none_or(|partition| event.partition.as_ref() == Some(partition))
            && self.run.as_ref().is_none_or(|run| event.run.as_ref() == Some(run))
            && (!self.of_tasks || event.task.is_some())
    }
}
