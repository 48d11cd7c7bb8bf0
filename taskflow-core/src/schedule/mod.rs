//! When DAGs are due: cron expressions, time zones, timetables, slots, the step that decides what
//! becomes of each slot, the one that decides which events become runs, the order in which queued
//! runs start, deadlines of slots, and the plans of backfills.
//!
//! Everything in this layer is a pure function of time.

mod backfill;
mod clock_time;
mod consume;
mod cron;
mod cron_fields;
mod deadline;
mod decision;
mod describe;
mod fair_turns;
#[cfg(any(feature = "cli", feature = "server"))]
mod moment;
mod note;
mod parse;
mod policy;
mod rebuild;
mod rule_changes;
mod search;
mod slot;
mod spec;
mod state;
mod step;
mod timetable;
mod timetables;
mod zone;
mod zone_rules;

pub use backfill::{
    ActiveRun, ActiveSlot, BackfillAction, BackfillCounts, BackfillDecision, BackfillError, BackfillFate,
    BackfillPhase, BackfillPlan, BackfillRequest, BackfillSituation, BackfillStep, BackfillWaits, BackfillWindow,
    FutureSlots, LeftAlone, MAX_FAILURES, SharedSlots, Shuffle, SlotRange, SlotRun, SlotRunState, SlotRuns,
};
pub use clock_time::ClockTime;
pub use consume::{
    Consumer, ConsumerDecision, ConsumerState, ConsumerStep, EventGroup, EventGroups, EventInput, EventRun,
    EventSituation, EventWaits, PartsNeeded, PendingEvent, PendingPeriod, Takes, consume, unpause_consumer,
};
pub(crate) use consume::{
    Offered, begin_changed_slots, end_consumer_pause, is_of_events, offers, pass_over_slots, unpause_consumer_noted,
};
pub use cron::{Cron, CronError};
pub use deadline::{DeadlineState, MissedSlots, SETTLING, SlotDeadline, SlotStanding};
pub use decision::{Decision, FailedRun, Situation, SlotFate, SlotRecord, Step, Waits};
pub use fair_turns::{FairTurns, PASSED_OVER, WaitingRun};
#[cfg(any(feature = "cli", feature = "server"))]
pub(crate) use moment::Moment;
pub use note::Note;
pub use parse::RecurrenceError;
pub use policy::{BackfillOrder, BackfillScope, Catchup, Combine, First, OnUpdate, Overlap, UnknownPolicy, Unpause};
pub use rebuild::ScheduleTraces;
pub use slot::Slot;
pub use spec::{CATCHUP_WINDOW, Recurrence, Schedule};
pub use state::{BEHIND, Backlog, Pause, ScheduleState, Span};
pub use step::{CLOCK_TOLERANCE, GRACE, step, unpause};
pub(crate) use step::{begin_changed, end_pause, pass_over, unpause_noted};
pub use timetable::Timetable;
pub use timetables::{Calendar, Crons, Dates, Every, EveryError, Exceptions, Shift};
pub use zone::{Zone, ZoneError};
pub use zone_rules::ZoneRules;
