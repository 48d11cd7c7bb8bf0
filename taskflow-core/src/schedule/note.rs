//! The history of a schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::deadline::MissedSlots;
use super::policy::Catchup;
use super::state::Pause;
use crate::base::Timestamp;
use crate::base::schema::Schema;

/// An entry in the history of a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(name = "ScheduleNote")]
pub enum Note {
    /// The timetable differs from that of the last step. Slots of the old one that waited for room,
    /// or that passed while no service was running, are recorded as superseded; those that wait for
    /// events still run, or expire. The new one begins then, and no slot is repeated.
    TimetableChanged {
        /// The fingerprint before.
        from: String,
        /// The fingerprint now.
        to: String,
    },
    /// The rules of the time zone differ from those of the last step: the program was built with
    /// another time zone database. No slot is repeated, and one that waits is dropped only if the
    /// new rules have moved it. Then it is recorded as superseded.
    ZoneRulesChanged {
        /// The IANA name of the zone.
        zone: String,
    },
    /// The clock shows an earlier time than before. No slot is repeated.
    ClockWentBack {
        /// By how much.
        by: Duration,
    },
    /// Ten slots wait: the runs take longer than the time between slots, or the service catches up.
    /// It is noted again when no slot has waited meanwhile.
    FallsBehind {
        /// The first of them.
        first: Timestamp,
    },
    /// The DAG was paused.
    Paused(Pause),
    /// The pause reached its end.
    PauseEnded(Pause),
    /// Somebody unpaused the DAG.
    Unpaused {
        /// Who.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// Which of the slots that had passed run.
        catchup: Catchup,
    },
    /// Slots have missed their deadlines.
    DeadlineMissed(MissedSlots),
    /// Somebody reset the schedule, which was ahead of the clock.
    Reset {
        /// Who.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// Slots up to here were decided before.
        from: Timestamp,
        /// Slots up to here are decided now.
        to: Timestamp,
    },
}
