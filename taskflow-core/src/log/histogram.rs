//! How many lines a log has over time.
//!
//! A log only grows, and nobody knows how long it will be. So the bins begin with a millisecond,
//! and become twice as wide whenever the log outgrows them: it has at most [`BINS`] of them, and
//! each line is looked at once.

use crate::base::Timestamp;

/// The most bins.
const BINS: usize = 120;
const MILLISECOND: i64 = 1_000_000;
/// How many characters a point in time has up to its second: `2026-01-31T06:00:00`.
const SECOND: usize = 19;

/// The lines of a log by time.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogHistogram {
    start: Option<i64>,
    /// The width of a bin, in milliseconds; 0 while there is none.
    width: i64,
    bins: Vec<LogBin>,
    clock: LineClock,
}

/// The lines of a span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogBin {
    pub(crate) lines: usize,
    pub(crate) errors: usize,
    /// The number of its first line, from 0.
    pub(crate) first: usize,
    /// The number of its first line that is an error.
    pub(crate) first_error: usize,
}

impl LogHistogram {
    /// The bins, in order. The last one has a line.
    pub(crate) fn bins(&self) -> &[LogBin] {
        &self.bins
    }

    /// The width of a bin, in milliseconds.
    pub(crate) fn width(&self) -> u64 {
        u64::try_from(self.width).unwrap_or(0)
    }

    /// Adds the lines of a record, which is a line of the file. One whose time cannot be read has
    /// that of the record before.
    pub(super) fn add(&mut self, record: &[u8], number: usize, lines: usize) {
        let Some(at) = self.clock.read(record) else { return };
        let since = at.saturating_sub(*self.start.get_or_insert(at)) / MILLISECOND;
        self.width = self.width.max(1);
        // A clock may go back.
        let mut place = usize::try_from(since / self.width).unwrap_or(0);
        while place >= BINS {
            self.widen();
            place /= 2;
        }
        if self.bins.len() <= place {
            self.bins.resize(place + 1, LogBin::default());
        }
        let is_error = is_error(record);
        let of_record = LogBin { lines, errors: if is_error { lines } else { 0 }, first: number, first_error: number };
        self.bins[place] = self.bins[place].with(of_record);
    }

    /// Puts each two bins together.
    fn widen(&mut self) {
        let merged = self.bins.chunks(2).map(|pair| pair.iter().fold(LogBin::default(), |sum, bin| sum.with(*bin)));
        self.bins = merged.collect();
        self.width = self.width.saturating_mul(2);
    }
}

impl LogBin {
    fn with(self, other: LogBin) -> LogBin {
        LogBin {
            lines: self.lines + other.lines,
            errors: self.errors + other.errors,
            first: if self.lines == 0 { other.first } else { self.first },
            first_error: if self.errors == 0 && other.errors > 0 { other.first_error } else { self.first_error },
        }
    }
}

/// The time of a record as the writer writes it: `{"at":"2026-01-31T06:00:00.000000001Z",..`.
fn time_of(record: &[u8]) -> Option<&[u8]> {
    let rest = record.strip_prefix(br#"{"at":""#)?;
    rest.split(|byte| *byte == b'"').next()
}

/// Whether a record is an error, as far as the order in which the writer has its members says.
fn is_error(record: &[u8]) -> bool {
    let Some(time) = time_of(record) else { return false };
    record[br#"{"at":""#.len() + time.len()..].starts_with(br#"","level":"ERROR""#)
}

/// Reads the times of records, in nanoseconds. Most have the second of the one before.
#[derive(Clone, Debug, Default)]
struct LineClock {
    second: [u8; SECOND],
    second_at: i64,
    last: Option<i64>,
}

impl LineClock {
    fn read(&mut self, record: &[u8]) -> Option<i64> {
        self.last = time_of(record).and_then(|time| self.nanos(time)).or(self.last);
        self.last
    }

    fn nanos(&mut self, time: &[u8]) -> Option<i64> {
        let (second, rest) = time.split_at_checked(SECOND)?;
        if second != self.second {
            let at: Timestamp = format!("{}Z", std::str::from_utf8(second).ok()?).parse().ok()?;
            self.second_at = at.as_nanos();
            self.second.copy_from_slice(second);
        }
        let digits = rest.strip_suffix(b"Z")?.strip_prefix(b".").unwrap_or_default();
        if digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let value = digits.iter().fold(0_i64, |value, digit| value * 10 + i64::from(digit - b'0'));
        Some(self.second_at.saturating_add(value * 10_i64.pow(9 - u32::try_from(digits.len()).ok()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(millis: i64, level: &str) -> Vec<u8> {
        let at = Timestamp::from_nanos(millis * MILLISECOND);
        format!("{{\"at\":\"{at}\",\"level\":\"{level}\",\"message\":\"x\"}}\n").into_bytes()
    }

    #[test]
    fn a_log_that_outgrows_its_bins_has_wider_ones_and_no_line_is_lost() {
        let mut histogram = LogHistogram::default();
        for line in 0..10_000_usize {
            let level = if line == 7_777 { "ERROR" } else { "INFO" };
            histogram.add(&record(i64::try_from(line).unwrap() * 37, level), line, 1);
        }
        let bins = histogram.bins();
        assert!((BINS / 2..=BINS).contains(&bins.len()), "{}", bins.len());
        assert_eq!(bins.iter().map(|bin| bin.lines).sum::<usize>(), 10_000);
        let errors: Vec<&LogBin> = bins.iter().filter(|bin| bin.errors > 0).collect();
        assert_eq!((errors.len(), errors[0].first_error), (1, 7_777));
        assert!(errors[0].first < 7_777 && errors[0].lines > 1);
        // Each line is in the bin of its time.
        for (at, bin) in bins.iter().enumerate() {
            assert_eq!((bin.first as u64 * 37) / histogram.width(), at as u64);
        }
    }

    #[test]
    fn times_that_go_back_or_cannot_be_read_are_those_of_the_beginning_or_the_record_before() {
        let mut histogram = LogHistogram::default();
        histogram.add(b"not json\n", 0, 1);
        assert!(histogram.bins().is_empty(), "there is no time yet");
        histogram.add(&record(5_000, "INFO"), 1, 1);
        histogram.add(&record(5_050, "INFO"), 2, 3);
        histogram.add(br#"{"at":"yesterday","level":"INFO"}"#, 5, 1);
        histogram.add(&record(1_000, "ERROR"), 6, 1);
        let bins = histogram.bins();
        assert_eq!((histogram.width(), bins.len()), (1, 51));
        assert_eq!(bins[50], LogBin { lines: 4, errors: 0, first: 2, first_error: 0 });
        assert_eq!(bins[0], LogBin { lines: 2, errors: 1, first: 1, first_error: 6 });
    }
}
