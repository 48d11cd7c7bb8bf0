//! Schedules and calendars as the options of a DAG have them.
//!
//! Options are constants, and a timetable of one's own is made at run time: the options hold a
//! function that makes it, and its source text. Two such options are equal if their texts are. The
//! structural hash takes the text as well, as it does for defaults of parameters: it runs no code
//! of the user and is the same on every machine. The state of a schedule has the fingerprint of the
//! timetable, which also notices what the text does not show.

use std::fmt;
use std::sync::Arc;

use crate::schedule::Timetable;

/// What `schedule = ..` of a DAG is.
#[derive(Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum ScheduleSource {
    /// A cron expression, several of them, a preset, or a period: what
    /// [`Recurrence::parse`](crate::schedule::Recurrence::parse) takes.
    Text(&'static str),
    /// A timetable of one's own.
    Timetable(Expression<dyn Timetable>),
}

impl ScheduleSource {
    /// The text, or the source text of the expression.
    pub const fn text(self) -> &'static str {
        match self {
            ScheduleSource::Text(text) => text,
            ScheduleSource::Timetable(timetable) => timetable.source,
        }
    }
}

impl From<&'static str> for ScheduleSource {
    fn from(text: &'static str) -> Self {
        ScheduleSource::Text(text)
    }
}

impl fmt::Display for ScheduleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

/// As the structural hash takes it: a text in quotes, an expression without them.
impl fmt::Debug for ScheduleSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ScheduleSource::Text(text) => fmt::Debug::fmt(text, f),
            ScheduleSource::Timetable(timetable) => fmt::Debug::fmt(timetable, f),
        }
    }
}

/// An expression in the options of a DAG.
pub struct Expression<T: ?Sized + 'static> {
    source: &'static str,
    make: fn() -> Arc<T>,
}

impl<T: ?Sized> Expression<T> {
    /// The value of `make`, whose source text is `source`.
    pub const fn new(source: &'static str, make: fn() -> Arc<T>) -> Self {
        Expression { source, make }
    }

    /// The source text.
    pub const fn source(self) -> &'static str {
        self.source
    }

    /// Evaluates the expression, which is code of the user.
    pub(super) fn value(self) -> Arc<T> {
        (self.make)()
    }
}

impl<T: ?Sized> Clone for Expression<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for Expression<T> {}

impl<T: ?Sized> PartialEq for Expression<T> {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl<T: ?Sized> fmt::Display for Expression<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.source)
    }
}

impl<T: ?Sized> fmt::Debug for Expression<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.source)
    }
}
