//! Many slots as a small table: a day, a month or a year is a row.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;

use super::marks::Mark;
use super::times::Clock;
use crate::base::Timestamp;

/// How many cells a table has at most, if its slots can be put together.
const CELLS: usize = 1_100;

/// A slot as it is put into a table.
#[derive(Clone, Debug)]
pub(crate) struct SlotMark {
    pub(crate) at: Timestamp,
    pub(crate) mark: Mark,
    /// More about it, after its state.
    pub(crate) note: &'static str,
    /// The address of its run, or empty.
    pub(crate) href: String,
}

/// Slots by time.
#[derive(Debug, Default)]
pub(crate) struct SlotTable {
    /// The heads of the columns: hours, days or months; empty if the columns are only counted.
    pub(crate) heads: Vec<String>,
    pub(crate) rows: Vec<SlotRow>,
    /// Each mark that is in it, how many slots have it, the most urgent first.
    pub(crate) counts: Vec<(Mark, usize)>,
}

/// A day, a month or a year.
#[derive(Debug)]
pub(crate) struct SlotRow {
    pub(crate) label: String,
    pub(crate) cells: Vec<Option<SlotCell>>,
}

/// A slot, or several.
#[derive(Debug)]
pub(crate) struct SlotCell {
    pub(crate) mark: Mark,
    pub(crate) title: String,
    pub(crate) href: String,
}

/// What a cell stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// An hour, mostly with a slot at its beginning; a day is a row.
    Hour,
    /// A slot; a day is a row.
    Slot,
    /// A day; a month is a row.
    Day,
    /// A month; a year is a row.
    Month,
}

impl Unit {
    fn of(times: &[Zoned]) -> Unit {
        let days: BTreeSet<_> = times.iter().map(Zoned::date).collect();
        let hours: BTreeSet<_> = times.iter().map(|time| (time.date(), time.hour())).collect();
        let is_daily = days.len() == times.len();
        match () {
            () if is_daily && days.len() <= CELLS => Unit::Day,
            () if !is_daily && times.len() <= CELLS => {
                let is_hourly = hours.len() == times.len() && times.iter().all(|time| time.minute() == 0);
                if is_hourly { Unit::Hour } else { Unit::Slot }
            }
            () if days.len() <= CELLS => Unit::Day,
            () => Unit::Month,
        }
    }

    /// The row and the column of a slot; of a slot that is only counted, no column.
    fn place(self, time: &Zoned) -> (jiff::civil::Date, Option<usize>) {
        let number = |number: i8| usize::try_from(number).unwrap_or(0);
        let (date, first) = (time.date(), time.date().first_of_month());
        match self {
            Unit::Hour => (date, Some(number(time.hour()))),
            Unit::Slot => (date, None),
            Unit::Day => (first, Some(number(time.day() - 1))),
            Unit::Month => (date.first_of_year(), Some(number(time.month() - 1))),
        }
    }

    fn label(self, row: jiff::civil::Date) -> String {
        let format = match self {
            Unit::Hour | Unit::Slot => "%-d %b %Y",
            Unit::Day => "%b %Y",
            Unit::Month => "%Y",
        };
        row.strftime(format).to_string()
    }

    fn heads(self) -> Vec<String> {
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        match self {
            Unit::Hour => (0..24).map(|hour| format!("{hour:02}")).collect(),
            Unit::Slot => Vec::new(),
            Unit::Day => (1..=31).map(|day| day.to_string()).collect(),
            Unit::Month => months.map(str::to_owned).to_vec(),
        }
    }

    /// The hour, the day or the month of a cell of several slots.
    fn several(self, time: &Zoned) -> String {
        let format = match self {
            Unit::Hour => "%-d %b %Y, %H:00 to %H:59",
            Unit::Slot | Unit::Day => "%-d %b %Y",
            Unit::Month => "%B %Y",
        };
        time.strftime(format).to_string()
    }
}

impl SlotTable {
    /// A table of slots, in ascending order. `month` is the address of the slots of a month such as
    /// `2026-01`, for cells of several slots.
    pub(crate) fn of(slots: &[SlotMark], clock: &Clock, month: impl Fn(&str) -> String) -> SlotTable {
        let times = times(slots, clock);
        SlotTable::in_unit(slots, &times, Unit::of(&times), clock, month)
    }

    /// The same with a row for each day and a column for each hour. The cell of several slots leads
    /// nowhere.
    pub(crate) fn by_hour(slots: &[SlotMark], clock: &Clock) -> SlotTable {
        SlotTable::in_unit(slots, &times(slots, clock), Unit::Hour, clock, |_| String::new())
    }

    fn in_unit(
        slots: &[SlotMark],
        times: &[Zoned],
        unit: Unit,
        clock: &Clock,
        month: impl Fn(&str) -> String,
    ) -> SlotTable {
        let mut rows: BTreeMap<jiff::civil::Date, Vec<Vec<usize>>> = BTreeMap::new();
        for (at, time) in times.iter().enumerate() {
            let (row, column) = unit.place(time);
            let cells = rows.entry(row).or_default();
            let column = column.unwrap_or(cells.len());
            if cells.len() <= column {
                cells.resize(column + 1, Vec::new());
            }
            cells[column].push(at);
        }
        let cell = |of: Vec<usize>| {
            let (first, more) = (*of.first()?, of.len() > 1);
            let worst = of.iter().map(|&at| slots[at].mark).min_by_key(|mark| mark.urgency())?;
            let SlotMark { at, mark, note, href } = &slots[first];
            Some(match more {
                false => SlotCell {
                    mark: *mark,
                    title: format!("{}: {}{note}", clock.at(*at).text, mark.words),
                    href: href.clone(),
                },
                true => {
                    let counts: Vec<String> = counted(of.iter().map(|&at| slots[at].mark))
                        .iter()
                        .map(|(mark, count)| format!("{count} {}", mark.words))
                        .collect();
                    let title = format!("{}: {}", unit.several(&times[first]), counts.join(", "));
                    SlotCell { mark: worst, title, href: month(&times[first].strftime("%Y-%m").to_string()) }
                }
            })
        };
        let row = |(row, cells): (_, Vec<Vec<usize>>)| SlotRow {
            label: unit.label(row),
            cells: cells.into_iter().map(cell).collect(),
        };
        SlotTable {
            heads: unit.heads(),
            rows: rows.into_iter().map(row).collect(),
            counts: counted(slots.iter().map(|slot| slot.mark)),
        }
    }
}

impl SlotCell {
    /// The class of its mark, as an attribute. Most slots succeed, so that a success has none.
    pub(crate) fn class(&self) -> &'static str {
        match (self.mark.hollow, self.mark.family) {
            (true, _) => " class=\"hollow\"",
            (_, "ok") => "",
            (_, "bad") => " class=\"bad\"",
            (_, "blocked") => " class=\"blocked\"",
            (_, "run") => " class=\"run\"",
            (_, "other") => " class=\"other\"",
            _ => " class=\"wait\"",
        }
    }
}

/// When slots are, in the zone of a clock.
fn times(slots: &[SlotMark], clock: &Clock) -> Vec<Zoned> {
    slots.iter().map(|slot| slot.at.to_jiff().to_zoned(clock.zone.clone())).collect()
}

/// How often each mark is there, the most urgent first.
fn counted(marks: impl Iterator<Item = Mark>) -> Vec<(Mark, usize)> {
    let mut counts: Vec<(Mark, usize)> = Vec::new();
    for mark in marks {
        match counts.iter_mut().find(|(known, _)| *known == mark) {
            Some((_, count)) => *count += 1,
            None => counts.push((mark, 1)),
        }
    }
    counts.sort_by_key(|(mark, _)| mark.urgency());
    counts
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn table(from: &str, every: u64, count: u64) -> SlotTable {
        let from: Timestamp = from.parse().unwrap();
        let slot = |at: u64| SlotMark {
            at: from + std::time::Duration::from_secs(at * every),
            mark: Mark::of(if at == 2 { "failed" } else { "success" }),
            note: "",
            href: format!("/runs/{at}"),
        };
        let slots: Vec<SlotMark> = (0..count).map(slot).collect();
        let clock = Clock::new("2026-12-01T00:00:00Z".parse().unwrap(), TimeZone::UTC);
        SlotTable::of(&slots, &clock, |month| format!("/calendar?month={month}"))
    }

    #[test]
    fn a_year_of_days_has_a_row_for_each_month() {
        let year = table("2025-01-01T06:00:00Z", 86_400, 365);
        assert_eq!((year.rows.len(), year.heads.len()), (12, 31));
        assert_eq!((&*year.rows[1].label, year.rows[1].cells.len()), ("Feb 2025", 28));
        let third = year.rows[0].cells[2].as_ref().unwrap();
        assert_eq!((&*third.title, &*third.href), ("3 Jan 2025 06:00 UTC: failed", "/runs/2"));
        assert_eq!(
            year.counts.iter().map(|(mark, count)| (mark.words, *count)).collect::<Vec<_>>(),
            [("failed", 1), ("success", 364)]
        );
    }

    #[test]
    fn by_hour_the_slots_of_an_hour_are_one_cell() {
        let clock = Clock::new("2026-12-01T00:00:00Z".parse().unwrap(), TimeZone::UTC);
        let from: Timestamp = "2026-01-01T05:00:00Z".parse().unwrap();
        let slot = |at: u64| SlotMark {
            at: from + std::time::Duration::from_secs(at * 1_800),
            mark: Mark::of(if at == 1 { "failed" } else { "success" }),
            note: "",
            href: format!("/runs/{at}"),
        };
        let slots: Vec<SlotMark> = (0..3).map(slot).collect();
        let table = SlotTable::by_hour(&slots, &clock);
        let cells = &table.rows[0].cells;
        assert_eq!((table.rows.len(), table.heads.len(), cells.len()), (1, 24, 7));
        let (both, one) = (cells[5].as_ref().unwrap(), cells[6].as_ref().unwrap());
        assert_eq!((&*both.title, &*both.href), ("1 Jan 2026, 05:00 to 05:59: 1 failed, 1 success", ""));
        assert_eq!((both.mark.words, &*one.href), ("failed", "/runs/2"));
    }

    #[test]
    fn many_slots_of_a_day_are_one_cell() {
        let week = table("2026-01-01T00:00:00Z", 3_600, 24 * 7);
        assert_eq!((week.rows.len(), week.heads.len(), week.rows[0].cells.len()), (7, 24, 24));
        let year = table("2025-01-01T00:00:00Z", 3_600, 8_760);
        assert_eq!((year.rows.len(), year.rows[0].cells.len()), (12, 31));
        let first = year.rows[0].cells[0].as_ref().unwrap();
        assert_eq!((&*first.title, &*first.href), ("1 Jan 2025: 1 failed, 23 success", "/calendar?month=2025-01"));
        let quarters = table("2026-01-01T00:00:00Z", 900, 200);
        assert_eq!((quarters.rows.len(), quarters.heads.len()), (3, 0));
        let decade = table("2015-01-01T00:00:00Z", 86_400, 3_653);
        assert_eq!((decade.rows.len(), decade.heads.len()), (10, 12));
        assert!(table("2026-01-01T00:00:00Z", 60, 0).rows.is_empty());
    }
}
