//! What a step needs to know, and what it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::state::ConsumerState;
use crate::base::Timestamp;
use crate::base::schema::Schema;
use crate::schedule::decision::{FailedRun, SlotRecord};
use crate::schedule::note::Note;
use crate::schedule::slot::Slot;

/// An event that may be pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingEvent {
    /// Later events have higher numbers.
    pub number: i64,
    /// When it was emitted.
    pub at: Timestamp,
}

/// The groups of the pending events of an asset: by key, or by the period that they are a part of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventGroups {
    /// By number of event.
    pub events: BTreeMap<i64, EventGroup>,
    /// By period, the parts that it consists of, in order. Empty for keys.
    pub parts: BTreeMap<String, Vec<String>>,
}

/// The group of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventGroup {
    /// Its key or period.
    pub key: String,
    /// Which part of the period it is about; `None` for a key.
    pub part: Option<String>,
}

/// What [`consume`](super::consume()) needs to know beside the state.
#[derive(Clone, Debug)]
pub struct EventSituation<'a> {
    /// The time.
    pub now: Timestamp,
    /// How many runs of the schedule and of events are queued or running.
    pub active: u32,
    /// The run of the slot before, if it did not succeed.
    pub unsuccessful: Option<String>,
    /// The number of the last event of any asset.
    pub last_event: i64,
    /// By asset, its events after the cursor, in ascending order. Earlier ones are ignored.
    pub pending: &'a BTreeMap<String, Vec<PendingEvent>>,
    /// By asset, the groups of its pending events, for inputs with a key or of whole periods. An
    /// event without a group is not looked at.
    pub groups: &'a BTreeMap<String, EventGroups>,
    /// The last event of each active run: keys and periods have one run at a time.
    pub running: &'a BTreeSet<i64>,
    /// The slots that have a run already, one of a backfill for example. They take no events.
    pub slots_with_runs: &'a BTreeSet<Timestamp>,
    /// The runs that have failed since the last one that succeeded, the latest first. No more of
    /// them are needed than `pause_after_failures` says.
    pub failures: Vec<FailedRun>,
}

/// What [`consume`](super::consume()) decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerStep {
    /// The new state.
    pub state: ConsumerState,
    /// In order.
    pub decisions: Vec<ConsumerDecision>,
    /// When to step again, unless an event is emitted, a run ends or somebody acts before.
    pub wake: Option<Timestamp>,
    /// What the next run waits for.
    pub waits: Option<EventWaits>,
    pub(super) schedule_changed: bool,
}

impl ConsumerStep {
    /// Whether there is something to store.
    pub fn is_to_be_stored(&self, before: Option<&ConsumerState>) -> bool {
        let decided = |state: &ConsumerState| {
            (state.cursors.clone(), state.decided.clone(), state.open.clone(), state.pause.clone())
        };
        !self.decisions.is_empty()
            || self.schedule_changed
            || before.is_none_or(|before| decided(before) != decided(&self.state))
    }
}

/// A decision about events and slots.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConsumerDecision {
    /// A run starts.
    Start(EventRun),
    /// Events or slots that become no runs.
    Record(SlotRecord),
    /// The active runs of the DAG are cancelled, to make room.
    CancelActive,
    /// Something to note in the history of the DAG.
    Note(Note),
}

/// A run that events start.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventRun {
    /// The slot that the run is about, if a slot starts it.
    pub slot: Option<Slot>,
    /// When the last of its events was emitted, or the slot was due: its logical date.
    pub at: Timestamp,
    /// What each input takes, in their order: numbers of events, in ascending order. Nothing from
    /// an optional input without events, and from one that only looks.
    pub taken: Vec<Vec<i64>>,
    /// The key or the period that the run is about.
    pub key: Option<String>,
    /// Whether the period has had a run before: this one takes the newest event of each part, the
    /// others than those in `taken` once more.
    pub again: bool,
}

impl EventRun {
    /// The last event that the run consumes.
    pub fn last_event(&self) -> Option<i64> {
        self.taken.iter().flatten().copied().max()
    }
}

/// A period of which some parts have a pending event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PendingPeriod {
    /// The period.
    pub period: String,
    /// How many of its parts have one.
    pub present: usize,
    /// How many of its parts need one, before a run starts.
    #[serde(default)]
    pub needed: usize,
    /// The parts without one, in order.
    pub missing: Vec<String>,
}

impl fmt::Display for PendingPeriod {
    /// `2028-02: 27 of 29, missing 2028-02-03, 2028-02-29`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// How many of the missing parts are named.
        const NAMED: usize = 5;

        let PendingPeriod { period, present, needed, missing } = self;
        let parts = present + missing.len();
        write!(f, "{period}: {present} of {parts}")?;
        // A server of an earlier version does not say how many are needed.
        if (1..parts).contains(needed) {
            write!(f, ", {needed} needed")?;
        }
        let (named, others) = missing.split_at(missing.len().min(NAMED));
        if !named.is_empty() {
            write!(f, ", missing {}", named.join(", "))?;
        }
        if others.is_empty() { Ok(()) } else { write!(f, " and {} more", others.len()) }
    }
}

/// What the next run of a consumer waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventWaits {
    /// As many runs are active as may be.
    ForRoom {
        /// The active runs.
        active: u32,
    },
    /// The run of the slot before has not succeeded.
    ForPrevious {
        /// The id of the run.
        run: String,
    },
    /// Events of these assets.
    ForEvents {
        /// The assets.
        assets: Vec<String>,
    },
    /// The asset to be without a new event for a while.
    ForSettling {
        /// The asset.
        asset: String,
        /// Until then, if no event comes.
        until: Timestamp,
    },
    /// The end of the run of a key or a period, which has more events.
    ForKey {
        /// The key or the period.
        key: String,
    },
    /// The rest of a period.
    ForParts {
        /// The asset.
        asset: String,
        /// What is there of it.
        period: PendingPeriod,
    },
    /// The next slot of the schedule.
    ForSlot,
    /// The DAG is paused.
    Paused,
}
