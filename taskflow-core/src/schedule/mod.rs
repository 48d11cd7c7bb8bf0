//! When DAGs are due: cron expressions, time zones, timetables, slots, and the step that decides
//! what becomes of each slot.
//!
//! Everything in this layer is a pure function of time.

mod cron;
mod cron_fields;
mod describe;
mod note;
mod parse;
mod policy;
mod slot;
mod spec;
mod state;
mod step;
mod timetable;
mod timetables;
mod zone;

pub use cron::{Cron, CronError};
pub use note::Note;
pub use parse::RecurrenceError;
pub use policy::{Catchup, First, Overlap, UnknownPolicy};
pub use slot::Slot;
pub use spec::{CATCHUP_WINDOW, Recurrence, Schedule};
pub use state::{Pause, ScheduleState, Span};
pub use step::{
    CLOCK_TOLERANCE, Decision, FailedRun, GRACE, Situation, SlotFate, SlotRecord, Step, Waits, step, unpause,
};
pub use timetable::Timetable;
pub use timetables::{Calendar, Crons, Dates, Every, EveryError, Exceptions, Shift};
pub use zone::{Zone, ZoneError};
