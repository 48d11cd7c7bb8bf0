//! What a step of a schedule needs to know, and what it can decide.

use std::time::Duration;

use super::note::Note;
use super::slot::Slot;
use super::state::{Pause, ScheduleState, Span};
use crate::base::Timestamp;

/// What a step needs to know beside the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The time.
    pub now: Timestamp,
    /// How many runs of the schedule are queued or running.
    pub active: u32,
    /// The run of the slot before the first pending one, if it did not succeed.
    pub unsuccessful: Option<String>,
    /// The runs of the schedule that have failed since the last one that succeeded, the latest slot
    /// first. No more of them are needed than `pause_after_failures` says.
    pub failures: Vec<FailedRun>,
}

/// A run of a schedule that has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedRun {
    /// Its slot.
    pub slot: Timestamp,
    /// The id of the run.
    pub run_id: String,
}

/// What a step decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The new state.
    pub state: ScheduleState,
    /// In order.
    pub decisions: Vec<Decision>,
    /// When to step again, unless a run ends or somebody acts before.
    pub wake: Option<Timestamp>,
    /// Why the oldest pending slot waits.
    pub waits: Option<Waits>,
}

impl Step {
    /// Whether there is something to store.
    pub fn is_to_be_stored(&self, before: Option<&ScheduleState>) -> bool {
        fn decided(state: &ScheduleState) -> (&[Span], Option<&Pause>, bool) {
            (&state.pending, state.pause.as_ref(), state.clock_went_back)
        }
        let has_changed = |before: &ScheduleState| {
            // What waits is within the bounds that are stored with it.
            decided(before) != decided(&self.state) || before.bounds != self.state.bounds
        };
        !self.decisions.is_empty() || before.is_none_or(has_changed)
    }
}

/// A decision about slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The slot becomes a run.
    Start {
        /// The slot.
        slot: Slot,
        /// How long after it was due.
        late: Duration,
    },
    /// The slots become no runs.
    Record(SlotRecord),
    /// The active runs of the schedule are cancelled, to make room.
    CancelActive,
    /// Something to note in the history of the schedule.
    Note(Note),
}

impl Decision {
    /// What is to be recorded, and what is to be noted.
    pub(crate) fn records_and_notes(decisions: Vec<Decision>) -> (Vec<SlotRecord>, Vec<Note>) {
        let (mut records, mut notes) = (Vec::new(), Vec::new());
        for decision in decisions {
            match decision {
                Decision::Record(record) => records.push(record),
                Decision::Note(note) => notes.push(note),
                Decision::Start { .. } | Decision::CancelActive => {}
            }
        }
        (records, notes)
    }
}

/// Slots that became no runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotRecord {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many they are.
    pub count: u64,
    /// What became of them.
    pub fate: SlotFate,
    /// Why.
    pub reason: String,
}

/// What became of a slot or an event that is no run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SlotFate {
    /// It passed while no service was running, or waited too long.
    Missed,
    /// A run was still active.
    Skipped,
    /// The DAG was paused.
    Paused,
    /// A later slot or event took its place, or the schedule was edited and has it no more.
    Superseded,
    /// The events that it waited for did not come in time, or the event was too old.
    Expired,
    /// Its run could not be made: a default of a parameter failed.
    Failed,
}

impl SlotFate {
    /// Every fate.
    pub const ALL: [SlotFate; 6] = [
        SlotFate::Missed,
        SlotFate::Skipped,
        SlotFate::Paused,
        SlotFate::Superseded,
        SlotFate::Expired,
        SlotFate::Failed,
    ];

    /// The name in stores and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            SlotFate::Missed => "missed",
            SlotFate::Skipped => "skipped",
            SlotFate::Paused => "paused",
            SlotFate::Superseded => "superseded",
            SlotFate::Expired => "expired",
            SlotFate::Failed => "failed",
        }
    }

    /// The fate with this name.
    pub fn named(name: &str) -> Option<Self> {
        SlotFate::ALL.into_iter().find(|fate| fate.name() == name)
    }
}

/// Why a pending slot waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Waits {
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
    /// The DAG is paused.
    Paused,
}
