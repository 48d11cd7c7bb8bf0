//! The slots of a DAG: which ones come, what became of those that passed, and how late their runs
//! were.

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;

use super::backfill_form::{address_of, has_slots};
use super::dag::{Tab, find, tabs};
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::marks::Mark;
use super::reply::{Asked, Page, PageProblem, asked, not_found, request};
use super::run_facts::Fact;
use super::slots::{NextRow, next_rows, what_and_why};
use super::times::{Clock, Moment, took_for};
use super::{address, schedule_reset};
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::journal::Journal;
use crate::ops::accounts::Right;
use crate::ops::{self, PastSlots, SlotQuery};
use crate::run::RunType;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;

/// How many slots a page has, and how many of those to come.
const SLOTS: u32 = 50;
const NEXT: usize = 5;
/// The time in which slots without a run are counted.
const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

#[derive(Debug, Template)]
#[template(path = "slot_list.html")]
struct SlotListPage {
    frame: Frame,
    id: String,
    tabs: Vec<Tab>,
    facts: Vec<Fact>,
    next: Vec<NextRow>,
    filters: Vec<Filter>,
    rows: Vec<Row>,
    is_filtered: bool,
    here: String,
    zone: String,
    first: String,
    older: String,
    /// The form that backfills the slots that are shown, for those who may.
    backfill: String,
    /// The form that resets the schedule, for those who may.
    reset: String,
}

/// A slot, some slots in a row, or an entry in the history of the schedule.
#[derive(Debug)]
struct Row {
    key: String,
    at: Moment,
    mark: Option<Mark>,
    what: String,
    why: String,
    /// The page of the run; empty without one.
    href: String,
    run: String,
    /// How the run came about, if not by the schedule.
    kind: &'static str,
    /// Its creation, start and end.
    steps: [Option<Step>; 3],
}

/// A point in time on the way of a run, and how long it took to get there.
#[derive(Debug)]
struct Step {
    at: Moment,
    /// `06:00:02`, or with the day if it is another one than that of the slot.
    text: String,
    /// `+0.4 s`; empty for the creation of a run that is due at no time.
    after: String,
}

/// What can be chosen: the name in the address, words, and the fates.
const CHOICES: [(&str, &str, &[&str]); 6] = [
    ("", "All", &[]),
    ("runs", "With a run", &["queued", "running", "success", "failed", "cancelled", "interrupted"]),
    ("failed", "Failed", &["failed", "interrupted", "cancelled"]),
    ("lost", "Without a run", WITHOUT_A_RUN),
    ("waiting", "Waiting", &["waiting", "queued"]),
    ("history", "History", &["note"]),
];
const WITHOUT_A_RUN: &[&str] = &["missed", "skipped", "superseded", "expired", "paused"];

pub(super) async fn show(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let id = status.dag_id;
    let def = def.ok_or_else(|| not_found(format!("The program does not have the DAG `{id}` any more")))?;
    let request = request(status.timezone.as_deref());
    let (clock, journal) = (&request.clock, &state.journal);
    let choice = CHOICES.iter().find(|(name, ..)| *name == asked(&query, "show")).unwrap_or(&CHOICES[0]);
    let before: Option<Timestamp> = asked(&query, "before").parse().ok();
    let fates = choice.2.iter().map(|fate| (*fate).to_owned()).collect();
    // One more tells whether there is another page.
    let wanted = SlotQuery { fates, before, limit: Some(SLOTS + 1) };
    let mut slots = match ops::slots(journal, def, &wanted).await {
        Ok(slots) => slots,
        Err(error) if error.kind() == ErrorKind::Invalid => {
            return Err(not_found(format!(
                "`{id}` has neither a schedule nor event parameters, so that it has no slots"
            )));
        }
        Err(error) => return Err(error.into()),
    };
    let here = address::dag(&id) + "/slots";
    let at = |show: &str, before: &str| address::with(&here, &[("show", show), ("before", before)]);
    let is_more = slots.len() > SLOTS as usize;
    if let Some(rest) = slots.get(SLOTS as usize).map(|slot| slot.last) {
        // The next page begins before the last one of this page, so a page ends where the time
        // changes.
        let whole = slots.partition_point(|slot| slot.last > rest);
        slots.truncate(if whole == 0 { SLOTS as usize } else { whole });
    }
    let last = slots.last().filter(|_| is_more).map(|slot| at(choice.0, &slot.last.to_string()));
    let filters = CHOICES.iter().map(|(name, words, _)| Filter {
        words: (*words).to_owned(),
        count: None,
        href: at(name, ""),
        is_chosen: *name == choice.0,
    });
    let next = match before.is_none() && choice.0.is_empty() {
        true => next(journal, def, clock).await?,
        false => Vec::new(),
    };
    let mut facts = Vec::new();
    facts.extend(status.schedule.map(|schedule| Fact::new("Schedule", schedule)));
    facts.extend(status.waits_for.map(|waits_for| Fact::new("The next run waits for", waits_for)));
    facts.extend(lateness(&slots));
    if before.is_none() && choice.0.is_empty() {
        facts.extend(lost(journal, def).await?);
    }
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Slots")];
    let frame = Frame::new(&request, Place::Dags, format!("Slots · {id}"), path).live(format!("dag:{id}"), as_of);
    let may_operate = state.may(Right::Operate, def.id) && !state.options.read_only;
    let without_run = slots.iter().filter(|slot| slot.run.is_none() && slot.note.is_none());
    let ends = without_run.clone().map(|slot| slot.first).min().zip(without_run.map(|slot| slot.last).max());
    let ends = ends.filter(|_| may_operate && choice.0 == "lost" && has_slots(def));
    let backfill = ends.map(|(first, last)| address_of(def.id, &first.to_string(), &last.to_string()));
    Ok(Html(html(&SlotListPage {
        frame,
        tabs: tabs(&id, Some(def), "slots"),
        facts,
        next,
        filters: filters.collect(),
        rows: slots.iter().map(|slot| Row::of(slot, clock)).collect(),
        is_filtered: before.is_some() || !choice.0.is_empty(),
        zone: clock.zone_words(),
        first: if before.is_some() { at(choice.0, "") } else { String::new() },
        older: last.unwrap_or_default(),
        backfill: backfill.unwrap_or_default(),
        reset: match may_operate && def.options.schedule.is_some() {
            true => schedule_reset::address_of(def.id),
            false => String::new(),
        },
        here,
        id,
    })))
}

/// The next slots; none of a DAG that has event parameters only.
async fn next(journal: &Journal, def: &'static DagDef, clock: &Clock) -> Result<Vec<NextRow>, PageProblem> {
    if def.options.schedule.is_none() {
        return Ok(Vec::new());
    }
    match ops::next_slots(Some(journal), def, Timestamp::now(), NEXT).await {
        Ok(found) => Ok(next_rows(&found, clock)),
        Err(error) if matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Damaged) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// How late the runs of these slots were stored.
fn lateness(slots: &[PastSlots]) -> Option<Fact> {
    let late = |slot: &PastSlots| Some(slot.times.created?.since(slot.times.due?));
    let mut all: Vec<_> = slots.iter().filter_map(late).collect();
    all.sort_unstable();
    let (median, most) = (all.get(all.len() / 2)?, all.last()?);
    Some(Fact::new("Usually late by", took_for(*median)).hint(format!("at most {}", took_for(*most))))
}

/// How many slots had no run lately, and of how many.
async fn lost(journal: &Journal, def: &DagDef) -> Result<Option<Fact>, PageProblem> {
    let since = Timestamp::now() - DAY;
    let counts = ops::slot_counts(journal, def, since).await?;
    let fates = WITHOUT_A_RUN.iter().map(|fate| (counts.of(fate), fate)).filter(|(count, _)| *count > 0);
    let words: Vec<String> = fates.map(|(count, fate)| format!("{count} {fate}")).collect();
    if words.is_empty() {
        return Ok(None);
    }
    let share = match counts.slots {
        // It has events only.
        0 => String::new(),
        1 => " of 1 slot".to_owned(),
        // There are more than are counted.
        all if counts.since > since => format!(" of the last {all} slots"),
        all => format!(" of {all} slots"),
    };
    Ok(Some(Fact::new("Without a run in 24 h", words.join(", ") + &share).hint(counts.reason)))
}

impl Row {
    fn of(slot: &PastSlots, clock: &Clock) -> Row {
        let times = &slot.times;
        let (what, why) = what_and_why(slot, clock);
        let step = |at: Option<Timestamp>, from: Option<Timestamp>| Some(Step::of(at?, from, slot.last, clock));
        let mark = match (slot.run, &slot.note) {
            (Some(_), _) => Some(Mark::of(&slot.fate)),
            (None, None) => Some(Mark::of_slot(&slot.fate)),
            (None, Some(_)) => None,
        };
        Row {
            key: format!("{} {}", slot.last, slot.run.map_or(slot.fate.clone(), |run| run.to_string())),
            at: clock.at(slot.last),
            what: match slot.run {
                Some(_) => mark.map(|mark| mark.words.to_owned()).unwrap_or_default(),
                None => what,
            },
            mark,
            why,
            href: slot.run.map(address::run).unwrap_or_default(),
            run: slot.run.map(|run| run.to_string()).unwrap_or_default(),
            kind: match slot.run_type {
                Some(RunType::Backfill) => "backfill",
                Some(RunType::Event) => "by events",
                _ => "",
            },
            steps: [
                step(times.created, times.due),
                step(times.started, times.created),
                step(times.ended, times.started.or(times.created)),
            ],
        }
    }
}

impl Step {
    fn of(at: Timestamp, from: Option<Timestamp>, slot: Timestamp, clock: &Clock) -> Step {
        let day = |at: Timestamp| at.to_jiff().to_zoned(clock.zone.clone()).date();
        let moment = clock.at(at);
        Step {
            text: if day(at) == day(slot) { moment.clock.clone() } else { moment.text.clone() },
            after: from.map(|from| format!("+{}", took_for(at.since(from)))).unwrap_or_default(),
            at: moment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fates_of_the_choices_exist() {
        let known = SlotQuery::known_fates();
        for fate in CHOICES.iter().flat_map(|(_, _, fates)| *fates) {
            assert!(known.contains(fate), "{fate}");
        }
    }
}
