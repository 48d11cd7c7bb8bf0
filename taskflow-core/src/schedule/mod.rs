//! When DAGs are due: cron expressions, time zones, timetables and their slots.
//!
//! Everything in this layer is a pure function of time.

mod cron;
mod cron_fields;
mod describe;
mod slot;
mod timetable;
mod timetables;
mod zone;

pub use cron::{Cron, CronError};
pub use slot::Slot;
pub use timetable::Timetable;
pub use timetables::{Calendar, Crons, Dates, Every, EveryError, Exceptions, Shift};
pub use zone::{Zone, ZoneError};
