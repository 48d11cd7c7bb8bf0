//! The state of a schedule whose own cannot be read.

use super::note::Note;
use super::state::{Pause, ScheduleState};
use crate::base::Timestamp;

/// What a store still has of a schedule whose state is damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleTraces {
    /// The last slot that became a run.
    pub last_run: Option<Timestamp>,
    /// The last slot that was recorded as none.
    pub last_record: Option<Timestamp>,
    /// When the timetable began, if it has been edited: what it names before was never due.
    pub begun: Option<Timestamp>,
    /// The history of the schedule, the latest entry first.
    pub notes: Vec<Note>,
}

impl ScheduleState {
    /// A state that is made of what the store has beside it. Slots after the last run or record
    /// passed while no service was running, but for those before an edited timetable began, or
    /// before the pause in which it was edited; without any of these, all slots up to now are
    /// decided. `paused`: whether the DAG is paused until somebody unpauses it.
    ///
    /// No slot runs twice, because the ids of runs derive from their slots.
    pub fn rebuilt(traces: &ScheduleTraces, paused: bool, now: Timestamp) -> Self {
        let pause = traces.notes.iter().find_map(|note| match note {
            Note::Paused(pause) => Some(Some(pause.clone())),
            Note::PauseEnded(_) | Note::Unpaused { .. } => Some(None),
            _ => None,
        });
        let pause = pause.unwrap_or_else(|| paused.then(|| Pause::of_new_dag(now)));
        let begun = traces.begun.map(|begun| pause.as_ref().map_or(begun, |pause| begun.min(pause.since)));
        let decided = traces.last_run.max(traces.last_record).max(begun).unwrap_or(now).min(now);
        ScheduleState {
            first_seen: decided,
            noticed: decided,
            pending: Vec::new(),
            last_run: traces.last_run.map(|slot| slot.min(now)),
            clock: now,
            clock_went_back: false,
            fingerprint: String::new(),
            zone_rules: None,
            bounds: None,
            pause,
            failures_until: traces.last_run,
            falls_behind: false,
        }
    }
}
