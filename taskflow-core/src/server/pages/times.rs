//! Points in time and durations as pages show them.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The time of the server and the zone of a page.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

/// A point in time as a page shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// `26 Jan 12:00 KST`.
    pub(crate) text: String,
    /// `12:00:04`: for tables whose head names the zone.
    pub(crate) clock: String,
    /// `3 h ago` or `in 3 h`.
    pub(crate) relative: String,
    /// For the attribute `datetime`.
    pub(crate) iso: String,
    /// The full form, for the attribute `title`.
    pub(crate) full: String,
}

impl Clock {
    pub(crate) fn new(now: Timestamp, zone: TimeZone) -> Clock {
        Clock { now, zone }
    }

    /// The abbreviation of the zone now, such as `KST`.
    pub(crate) fn zone_name(&self) -> String {
        self.now.to_zoned(self.zone.clone()).strftime("%Z").to_string()
    }

    /// The zone with its abbreviation, such as `Asia/Seoul (KST)`.
    pub(crate) fn zone_words(&self) -> String {
        let short = self.zone_name();
        match self.zone.iana_name() {
            Some(name) if name != short => format!("{name} ({short})"),
            _ => short,
        }
    }

    /// A point in time of a document.
    pub(crate) fn at(&self, at: crate::base::Timestamp) -> Moment {
        self.moment(at.to_jiff())
    }

    /// How long ago a point in time of a document is; zero if it is to come.
    pub(crate) fn since(&self, at: crate::base::Timestamp) -> Duration {
        Duration::from_millis(millis_between(at.to_jiff(), self.now))
    }

    pub(crate) fn moment(&self, at: Timestamp) -> Moment {
        let local = at.to_zoned(self.zone.clone());
        let same_year = local.year() == self.now.to_zoned(self.zone.clone()).year();
        let format = if same_year { "%-d %b %H:%M %Z" } else { "%-d %b %Y %H:%M %Z" };
        Moment {
            text: local.strftime(format).to_string(),
            clock: local.strftime("%H:%M:%S").to_string(),
            relative: self.relative(at),
            iso: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            full: local.strftime("%A, %-d %B %Y %H:%M:%S %Z (UTC%:z)").to_string(),
        }
    }

    fn relative(&self, at: Timestamp) -> String {
        let millis = at.as_millisecond() - self.now.as_millisecond();
        let words = coarse(millis.unsigned_abs());
        match millis {
            -1000..=1000 => "now".to_owned(),
            ..-1000 => format!("{words} ago"),
            _ => format!("in {words}"),
        }
    }
}

/// For the filter `safe` of templates: its texts are numbers and the names of months and zones.
impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { text, iso, full, .. } = self;
        write!(f, "<time datetime=\"{iso}\" title=\"{full}\">{text}</time>")
    }
}

impl Moment {
    /// The point in time relative to now.
    pub(crate) fn ago(&self) -> String {
        let Moment { relative, iso, full, .. } = self;
        format!("<time class=\"ago\" datetime=\"{iso}\" title=\"{full}\">{relative}</time>")
    }
}

/// A duration in its largest unit: `3 h`.
fn coarse(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A duration in at most two units: `1 m 58 s`, `0.4 s`.
pub(crate) fn took(millis: u64) -> String {
    let seconds = millis / 1000;
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{}.{} s", seconds, millis % 1000 / 100),
        10_000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// As [`took`].
pub(crate) fn took_for(duration: Duration) -> String {
    took(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

/// The milliseconds between two points in time; 0 if they are in the wrong order.
pub(crate) fn millis_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.as_millisecond() - from.as_millisecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_names_its_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let clock = Clock::new("2026-01-26T06:00:00Z".parse().unwrap(), zone);
        let moment = clock.moment("2026-01-26T03:00:04Z".parse().unwrap());
        assert_eq!(moment.text, "26 Jan 04:00 CET");
        assert_eq!(moment.clock, "04:00:04");
        assert_eq!(moment.relative, "2 h ago");
        assert_eq!(moment.full, "Monday, 26 January 2026 04:00:04 CET (UTC+01:00)");
        assert_eq!(clock.moment("2025-01-26T03:00:04Z".parse().unwrap()).text, "26 Jan 2025 04:00 CET");
        assert_eq!(clock.zone_words(), "Europe/Berlin (CET)");
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let shown = [400, 2_500, 42_000, 118_000, 7_380_000, 100_000_000].map(took);
        assert_eq!(shown, ["400 ms", "2.5 s", "42 s", "1 m 58 s", "2 h 03 m", "1 d 03 h"]);
    }
}
