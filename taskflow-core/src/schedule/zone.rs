//! Time zones, and the rule for the hours that daylight saving time removes or repeats.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::base::{Date, Timestamp, did_you_mean};

/// The zones that come with the program: the same on every machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone of a schedule.
#[derive(Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// The zone with an IANA name, such as `Asia/Seoul`.
    ///
    /// # Errors
    ///
    /// When there is no such zone.
    pub fn named(name: &str) -> Result<Self, ZoneError> {
        ZONES.get(name).map(Zone).map_err(|_| {
            let known: Vec<String> = ZONES.available().map(|zone| zone.as_str().to_owned()).collect();
            ZoneError { name: name.to_owned(), hint: did_you_mean(name, known.iter().map(String::as_str)) }
        })
    }

    /// All zones, by name.
    pub fn all() -> impl Iterator<Item = Zone> {
        ZONES.available().filter_map(|name| Zone::named(name.as_str()).ok())
    }

    /// When clocks change in `from <= t < to`.
    pub fn changes(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let before = Timestamp::from_nanos(from.as_nanos().saturating_sub(1));
        let changes = std::iter::successors(self.transition_after(before), |&change| self.transition_after(change));
        changes.take_while(|&change| change < to).collect()
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The day of the calendar of this zone that contains a point in time.
    pub fn day_of(&self, moment: Timestamp) -> Date {
        // The zones of the database are at most a day away from UTC, and so is the day.
        Date::from_jiff(self.local(moment).date()).unwrap_or_else(|| moment.date())
    }

    /// When a day begins; `None` if this zone skipped it.
    pub fn start_of(&self, day: Date) -> Option<Timestamp> {
        self.instant_of(day.to_jiff().to_datetime(Time::midnight()))
    }

    /// A point in time as clocks in this zone show it, with the offset: `2026-01-31 06:00 +09:00`,
    /// or `2026-01-30 21:00Z` in UTC.
    pub fn format(&self, moment: Timestamp) -> String {
        let (local, offset) = (self.local(moment), self.offset(moment));
        let form = if local.second() == 0 { "%Y-%m-%d %H:%M" } else { "%Y-%m-%d %H:%M:%S" };
        if offset.is_zero() {
            return format!("{}Z", local.strftime(form));
        }
        let seconds = offset.seconds();
        let (sign, minutes) = (if seconds < 0 { '-' } else { '+' }, seconds.abs() / 60);
        format!("{} {sign}{:02}:{:02}", local.strftime(form), minutes / 60, minutes % 60)
    }

    /// The time that clocks show.
    pub(super) fn local(&self, moment: Timestamp) -> DateTime {
        self.offset(moment).to_datetime(moment.to_jiff())
    }

    pub(super) fn offset(&self, moment: Timestamp) -> Offset {
        if self.is_utc() {
            return Offset::UTC;
        }
        self.0.to_offset(moment.to_jiff())
    }

    /// The instant of a local time. A time that is repeated is its first pass, a time that is
    /// missing is the end of the gap, and a time of a missing day is `None`.
    pub(super) fn instant_of(&self, local: DateTime) -> Option<Timestamp> {
        let instant = match self.0.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok()?,
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok()?,
            AmbiguousOffset::Gap { before, .. } => {
                if self.is_missing(local) {
                    return None;
                }
                // With the offset that ends at the gap, the time lies after the gap.
                let after = before.to_timestamp(local).ok()?;
                self.transition_at_or_before(Timestamp::from_jiff(after)?)?.to_jiff()
            }
        };
        Timestamp::from_jiff(instant)
    }

    /// Whether the zone skipped the whole day of a local time, as Apia skipped 30 December 2011.
    fn is_missing(&self, local: DateTime) -> bool {
        let gap = |time| {
            matches!(
                self.0.to_ambiguous_timestamp(local.date().to_datetime(time)).offset(),
                AmbiguousOffset::Gap { .. }
            )
        };
        gap(Time::midnight()) && gap(Time::constant(23, 59, 59, 0))
    }

    /// Most schedules are in UTC, where a search is arithmetic only.
    pub(super) fn is_utc(&self) -> bool {
        self.0 == TimeZone::UTC
    }

    /// The first change of the offset after a point in time.
    pub(super) fn transition_after(&self, moment: Timestamp) -> Option<Timestamp> {
        if self.is_utc() {
            return None;
        }
        Timestamp::from_jiff(self.0.following(moment.to_jiff()).next()?.timestamp())
    }

    /// The last change of the offset at or before a point in time.
    pub(super) fn transition_at_or_before(&self, moment: Timestamp) -> Option<Timestamp> {
        if self.is_utc() {
            return None;
        }
        let next = Timestamp::from_nanos(moment.as_nanos().saturating_add(1));
        Timestamp::from_jiff(self.0.preceding(next.to_jiff()).next()?.timestamp())
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// There is no time zone with this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no time zone `{name}`{hint}; write an IANA name, such as `Asia/Seoul` or `UTC`")]
pub struct ZoneError {
    name: String,
    hint: String,
}
