//! The calendar of a DAG: a month of slots by day, past and to come, and why a day has none.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;
use jiff::civil::Date as Day;
use jiff::tz::TimeZone;

use super::address;
use super::backfill_form::{address_of, has_slots};
use super::dag::{Tab, find, tabs};
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, asked, not_found, request};
use super::slot_table::{self, SlotTable};
use super::times::Clock;
use crate::base::{Date, Timestamp};
use crate::ops::accounts::Right;
use crate::ops::{self, CalendarDay, SlotStatus};
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;

/// How many slots of a day are shown one by one.
const SLOTS: usize = 6;
/// How many years before and after this one the links lead to.
const YEARS: i16 = 1;

#[derive(Debug, Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    frame: Frame,
    id: String,
    tabs: Vec<Tab>,
    /// `January 2026`.
    month: String,
    zone: String,
    previous: String,
    next: String,
    today: String,
    weeks: Vec<Vec<DayCell>>,
    /// By day and by hour.
    views: Vec<Filter>,
    /// The slots by hour, if they are asked for in place of the weeks.
    hours: Option<SlotTable>,
    more: bool,
    /// For those who may start a backfill.
    range: Option<Range>,
}

/// The days that are chosen for a backfill: links choose the first one, then the last one.
#[derive(Debug, Default)]
struct Range {
    words: String,
    /// The form with the preview of the chosen days, or else of the month; empty without a past
    /// day.
    backfill: String,
    backfill_words: &'static str,
    /// The link that chooses no day.
    clear: String,
}

/// A day; one of another month is empty.
#[derive(Debug, Default)]
struct DayCell {
    number: i8,
    iso: String,
    is_today: bool,
    /// The link that chooses it, or empty.
    choose: String,
    is_chosen: bool,
    slots: Vec<SlotMark>,
    /// `19 success, 1 failed`, if there are many.
    counts: Vec<(Mark, usize)>,
    notes: Vec<String>,
    clock_change: String,
}

#[derive(Debug)]
struct SlotMark {
    mark: Mark,
    /// `06:00`, in the zone of the schedule.
    time: String,
    title: String,
    href: String,
    is_coming: bool,
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let missing = || not_found(format!("The program does not have the DAG `{}` any more", status.dag_id));
    let def = def.ok_or_else(missing)?;
    let request = request(status.timezone.as_deref());
    let clock = &request.clock;
    // A day is one of the schedule, in whichever zone its reader wants to see times.
    let zone = status.timezone.as_deref().and_then(|zone| TimeZone::get(zone).ok());
    let days = Clock::new(clock.now, zone.unwrap_or(TimeZone::UTC));
    let today = days.now.to_zoned(days.zone.clone()).date();
    let first = month(asked(&query, "month")).unwrap_or(today).first_of_month();
    let calendar =
        ops::calendar(&state.journal, def, Date::from_jiff(first).unwrap_or_else(|| Timestamp::now().date())).await?;
    let id = status.dag_id;
    let here = address::dag(&id) + "/calendar";
    let (from, until) = (asked(&query, "from"), asked(&query, "to"));
    let by = if asked(&query, "by") == "hour" { "hour" } else { "" };
    let to = |day: Day| {
        let month = day.strftime("%Y-%m").to_string();
        address::with(&here, &[("by", by), ("month", &month), ("from", from), ("to", until)])
    };
    let this_month = first.strftime("%Y-%m").to_string();
    let views = [("", "By day"), ("hour", "By hour")].map(|(name, words)| Filter {
        words: words.to_owned(),
        count: None,
        href: address::with(&here, &[("by", name), ("month", &this_month)]),
        is_chosen: name == by,
    });
    let hours = (by == "hour").then(|| {
        let slots: Vec<slot_table::SlotMark> = calendar.days.iter().flat_map(|day| &day.slots).map(of_table).collect();
        // An hour is one of the schedule, as a day is.
        SlotTable::by_hour(&slots, &days)
    });
    let is_near = |day: &Day| (day.year() - today.year()).abs() <= YEARS;
    // The week begins on Monday.
    let before = usize::try_from(first.weekday().to_monday_zero_offset()).unwrap_or(0);
    let mut cells: Vec<DayCell> = (0..before).map(|_| DayCell::default()).collect();
    cells.extend(calendar.days.iter().map(|day| DayCell::of(day, today, &days, clock)));
    let may_change = state.may(Right::Operate, def.id) && !state.options.read_only;
    let range = (may_change && has_slots(def) && hours.is_none()).then(|| {
        let chosen =
            Chosen { here: &here, month: first, today, days: [day(asked(&query, "from")), day(asked(&query, "to"))] };
        chosen.mark(&mut cells);
        chosen.range(def.id)
    });
    while !cells.len().is_multiple_of(7) {
        cells.push(DayCell::default());
    }
    let mut weeks = Vec::new();
    while !cells.is_empty() {
        let rest = cells.split_off(7.min(cells.len()));
        weeks.push(std::mem::replace(&mut cells, rest));
    }
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Calendar")];
    Ok(Html(html(&CalendarPage {
        frame: Frame::new(&request, Place::Dags, format!("{} · {id}", first.strftime("%B %Y")), path),
        tabs: tabs(&id, Some(def), "calendar"),
        month: first.strftime("%B %Y").to_string(),
        zone: days.zone_words(),
        previous: first.yesterday().ok().filter(is_near).map(|day| to(day.first_of_month())).unwrap_or_default(),
        next: first.last_of_month().tomorrow().ok().filter(is_near).map(to).unwrap_or_default(),
        today: if first == today.first_of_month() { String::new() } else { address::with(&here, &[("by", by)]) },
        weeks,
        views: views.into(),
        hours,
        range,
        more: calendar.more,
        id,
    })))
}

/// A day such as `2026-01-31`.
pub(super) fn day(text: &str) -> Option<Day> {
    text.parse().ok()
}

/// What is chosen in a month.
struct Chosen<'a> {
    here: &'a str,
    /// The first day of the month that is shown.
    month: Day,
    today: Day,
    /// The first and the last day.
    days: [Option<Day>; 2],
}

impl Chosen<'_> {
    /// Days that have passed are links: the first choice is one end, the second the other.
    fn mark(&self, cells: &mut [DayCell]) {
        let month = self.month.strftime("%Y-%m").to_string();
        for cell in cells.iter_mut() {
            let Some(own) = day(&cell.iso) else { continue };
            cell.is_chosen = match self.days {
                [Some(from), to] => (from..=to.unwrap_or(from)).contains(&own),
                _ => false,
            };
            if own > self.today {
                continue;
            }
            let (from, to) = match self.days {
                [Some(from), None] => (from.min(own), Some(from.max(own))),
                _ => (own, None),
            };
            let to = to.map(|to| to.to_string()).unwrap_or_default();
            cell.choose = address::with(self.here, &[("month", &month), ("from", &from.to_string()), ("to", &to)]);
        }
    }

    fn range(&self, dag: &str) -> Range {
        let format = |day: Day| day.strftime("%-d %b %Y").to_string();
        let month = self.month.strftime("%Y-%m").to_string();
        let clear = address::with(self.here, &[("month", &month)]);
        let of = |from: Day, to: Day| address_of(dag, &from.to_string(), &to.to_string());
        match self.days {
            [Some(from), Some(to)] => Range {
                words: if from == to { format(from) } else { format!("{} to {}", format(from), format(to)) },
                backfill: of(from, to),
                backfill_words: "Backfill these days…",
                clear,
            },
            [Some(from), None] => Range {
                words: format!("From {}: choose the other end", format(from)),
                backfill: of(from, from),
                backfill_words: "Backfill this day…",
                clear,
            },
            _ if self.month > self.today => Range::default(),
            _ => Range {
                words: "To backfill some days, choose the first one and the last one.".to_owned(),
                backfill: of(self.month, self.month.last_of_month().min(self.today)),
                backfill_words: "Backfill this month…",
                clear: String::new(),
            },
        }
    }
}

/// The first day of a month such as `2026-01`.
pub(super) fn month(text: &str) -> Option<Day> {
    format!("{text}-01").parse().ok()
}

impl DayCell {
    fn of(day: &CalendarDay, today: Day, days: &Clock, clock: &Clock) -> DayCell {
        let mut counts: Vec<(Mark, usize)> = Vec::new();
        for slot in &day.slots {
            let mark = mark_of(slot);
            match counts.iter_mut().find(|(known, _)| *known == mark) {
                Some((_, count)) => *count += 1,
                None => counts.push((mark, 1)),
            }
        }
        counts.sort_by_key(|(mark, _)| mark.urgency());
        let is_few = day.slots.len() <= SLOTS;
        DayCell {
            number: day.day.day(),
            iso: day.day.to_string(),
            is_today: day.day.to_jiff() == today,
            choose: String::new(),
            is_chosen: false,
            slots: if is_few {
                day.slots.iter().map(|slot| SlotMark::of(slot, days, clock)).collect()
            } else {
                Vec::new()
            },
            counts: if is_few { Vec::new() } else { counts },
            notes: day.notes.clone(),
            clock_change: day.clock_change.clone().unwrap_or_default(),
        }
    }
}

/// A slot of the table by hour.
fn of_table(slot: &SlotStatus) -> slot_table::SlotMark {
    let href = slot.run.map(address::run).unwrap_or_default();
    slot_table::SlotMark { at: slot.at, mark: mark_of(slot), note: "", href }
}

/// The mark of a slot: of its run, or hollow.
fn mark_of(slot: &SlotStatus) -> Mark {
    match slot.run {
        Some(_) => Mark::of(&slot.fate),
        None if slot.fate == "coming" => Mark { words: "to come", ..Mark::of_slot("waiting") },
        None => Mark::of_slot(&slot.fate),
    }
}

impl SlotMark {
    fn of(slot: &SlotStatus, days: &Clock, clock: &Clock) -> SlotMark {
        let mark = mark_of(slot);
        let local = slot.at.to_jiff().to_zoned(days.zone.clone());
        let reason = if slot.reason.is_empty() { String::new() } else { format!(": {}", slot.reason) };
        let what = match slot.run {
            Some(run) => format!("run {run}, {}", mark.words),
            None => mark.words.to_owned(),
        };
        SlotMark {
            mark,
            time: local.strftime("%H:%M").to_string(),
            title: format!("{}, {what}{reason}", clock.at(slot.at).text),
            href: slot.run.map(address::run).unwrap_or_default(),
            is_coming: slot.fate == "coming",
        }
    }
}
