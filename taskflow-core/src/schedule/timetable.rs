//! When a DAG is due: the interface of all kinds of schedules.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::slot::Slot;
use crate::base::{Date, Timestamp};

/// Decides when a DAG is due.
///
/// A timetable is a pure function of time. It must not read a clock: the same program computes past
/// and future slots, for a backfill, for the calendar and for the question why a run has not
/// started.
///
/// `taskflow::testing::check_timetable` tests whether an implementation follows the rules.
///
/// # Rules
///
/// 1. `after(t)` returns a slot later than `t`, and no slot lies between them.
/// 2. `before(t)` returns a slot at or before `t`, and no slot lies between them.
/// 3. If slots have intervals, the interval of a slot ends at the slot and begins where the
///    interval of the slot before ends.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a timetable",
    label = "not a timetable",
    note = "write a cron expression or a preset in quotes, as in `schedule = \"0 6 * * *\"`, or a value whose type implements \
            `taskflow::schedule::Timetable`"
)]
pub trait Timetable: fmt::Debug + Send + Sync + 'static {
    /// The first slot after a point in time. `None` if there is none.
    fn after(&self, moment: Timestamp) -> Option<Slot>;

    /// The last slot at or before a point in time. `None` if there is none.
    fn before(&self, moment: Timestamp) -> Option<Slot>;

    /// The timetable in words, such as "at 06:00 on weekdays, Asia/Seoul".
    fn describe(&self) -> String;

    /// What its author may not have meant, such as a step that begins again with each hour. `next`
    /// and `doctor` show it.
    fn note(&self) -> Option<String> {
        None
    }

    /// Why slots on a day are left out, or take place on another day, if they do: for a calendar.
    fn exception_on(&self, day: Date) -> Option<String> {
        let _ = day;
        None
    }

    /// The smallest time between two slots after a point in time, if the timetable knows it better
    /// than a look at its next 200 slots does. The option `spread` stays below it.
    fn smallest_gap(&self, from: Timestamp) -> Option<Duration> {
        let _ = from;
        None
    }

    /// A text that differs between timetables with different slots. A change is noted in the
    /// history of the schedule; no slot is repeated because of it.
    fn fingerprint(&self) -> String {
        self.describe()
    }
}

/// Implements the trait for what points to a timetable.
macro_rules! pointer {
    ($($pointer:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<T: Timetable + ?Sized> Timetable for $pointer {
            fn after(&self, moment: Timestamp) -> Option<Slot> {
                (**self).after(moment)
            }

            fn before(&self, moment: Timestamp) -> Option<Slot> {
                (**self).before(moment)
            }

            fn describe(&self) -> String {
                (**self).describe()
            }

            fn note(&self) -> Option<String> {
                (**self).note()
            }

            fn exception_on(&self, day: Date) -> Option<String> {
                (**self).exception_on(day)
            }

            fn smallest_gap(&self, from: Timestamp) -> Option<Duration> {
                (**self).smallest_gap(from)
            }

            fn fingerprint(&self) -> String {
                (**self).fingerprint()
            }
        }
    )*};
}

pointer!(&'static T, Arc<T>);
