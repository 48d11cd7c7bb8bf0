//! What a step does when the timetable, its bounds or the rules of its time zone differ from those
//! of the last step: the program was edited, or built with another time zone database.

use super::decision::{Decision, SlotFate, SlotRecord};
use super::note::Note;
use super::search::SlotSearch;
use super::spec::{Recurrence, Schedule, just_before};
use super::state::{ScheduleState, Span};
use super::step::{GRACE, Stepper};
use crate::base::{Timestamp, catch};

/// How many slots of an old timetable are counted. Of more, the record says where they begin.
const COUNTED: u64 = 100_000;

/// How many slots of the last minute are looked at. A timetable of the user may have any number of
/// them: slots of the old one after these leave no record.
const IN_GRACE: u32 = 60;

/// `start` and `end` of a schedule.
type Bounds = (Option<Timestamp>, Option<Timestamp>);

impl Schedule {
    /// The timetable of an earlier build, without bounds; `None` if its fingerprint does not tell
    /// what its slots are.
    pub(crate) fn of_fingerprint(fingerprint: &str) -> Option<Schedule> {
        Recurrence::of_fingerprint(fingerprint).map(Schedule::new)
    }

    /// The fingerprint of the timetable of the last step, if that is another one: no step has noted
    /// the edit yet.
    pub(crate) fn replaces<'s>(&self, state: &'s ScheduleState) -> Option<&'s str> {
        let last = &*state.fingerprint;
        (!last.is_empty() && last != self.recurrence.fingerprint()).then_some(last)
    }

    /// The same schedule without `start` and `end`.
    pub(crate) fn unbounded(&self) -> Schedule {
        Schedule { start: None, end: None, ..self.clone() }
    }

    /// What waits outside of `start` and `end`, if they are others than those of the last step: no
    /// step has noted the edit yet. The slots in there are those of the
    /// [unbounded](Self::unbounded) schedule; not for `@once`, whose slot is at the start.
    pub(crate) fn leaves_waiting(&self, state: &ScheduleState) -> Vec<Span> {
        if state.bounds.is_none_or(|known| known == (self.start, self.end)) {
            return Vec::new();
        }
        state.pending.iter().flat_map(|&span| outside(span, span.within(self))).collect()
    }
}

impl Stepper<'_> {
    /// Notes a timetable that has changed. Slots that wait are those of the old one.
    pub(super) fn note_timetable(&mut self) {
        let fingerprint = self.schedule.recurrence.fingerprint();
        let bounds = (self.schedule.start, self.schedule.end);
        let known = self.state.bounds.replace(bounds);
        let waited_for_start = self.waited_for_start(known);
        let is_same = self.state.fingerprint == fingerprint;
        if self.state.fingerprint.is_empty() {
            self.state.fingerprint = fingerprint;
        } else if self.state.fingerprint != fingerprint {
            let from = std::mem::replace(&mut self.state.fingerprint, fingerprint.clone());
            self.decisions.push(Decision::Note(Note::TimetableChanged { from: from.clone(), to: fingerprint }));
            self.begin_anew(&from, known.unwrap_or(bounds));
        }
        if waited_for_start {
            self.begin_as_new();
        }
        self.leave_bounds(known, is_same);
        self.note_zone_rules();
    }

    /// Whether no slot was due yet, because of a `start` that was to come and is another one now.
    fn waited_for_start(&self, known: Option<Bounds>) -> bool {
        let Some((Some(start), _)) = known else { return false };
        let (noticed, due) = (self.state.noticed, self.situation.now - self.schedule.offset);
        self.schedule.start != Some(start) && noticed == just_before(start) && noticed > due
    }

    /// Begins as a DAG that is new: the state says that nothing is due before the old `start`.
    fn begin_as_new(&mut self) {
        let now = self.situation.now;
        let new = ScheduleState::first_seen(self.schedule, now, false);
        // The slot of `@once` without a start is when the DAG was first seen.
        self.state.first_seen = now;
        (self.state.noticed, self.state.pending) = (new.noticed, new.pending);
        self.search = SlotSearch::new(self.schedule, now);
    }

    /// Records the slots of the old timetable that are not decided, and begins the new one now: the
    /// state knows when a slot was last decided, not since when the new timetable counts, and what
    /// it names before was never due. A slot of the last minute is on time, as after any restart.
    ///
    /// The slots of a pause are those of the timetable that ends it, unless its time was over
    /// before anybody has seen the new one.
    fn begin_anew(&mut self, old: &str, bounds: Bounds) {
        let mut undecided = std::mem::take(&mut self.state.pending);
        if !self.state.is_paused(self.situation.now) {
            let due = self.situation.now - self.schedule.offset;
            let noticed = self.state.noticed;
            let begin = noticed.max(due - GRACE);
            undecided.push(Span::new(noticed, begin));
            // A slot of the last minute may be one of both timetables: the others leave a record.
            let mut after = begin;
            for _ in 0..IN_GRACE {
                let Some(slot) = self.first_in(Span::new(after, due)) else {
                    undecided.push(Span::new(after, due));
                    break;
                };
                undecided.push(Span::new(after, just_before(slot.at)));
                after = slot.at;
            }
            self.state.noticed = begin;
        }
        let records = self.records_of_old(old, bounds, &undecided);
        self.decisions.extend(records.into_iter().map(Decision::Record));
    }

    /// Records of slots of a timetable that the program does not have any more, within the bounds
    /// that it had. If its fingerprint does not tell what its slots are, only the first of a span
    /// is known.
    fn records_of_old(&self, fingerprint: &str, (start, end): Bounds, spans: &[Span]) -> Vec<SlotRecord> {
        const REASON: &str = "the timetable has changed";

        if let Some(old) = Schedule::of_fingerprint(fingerprint) {
            let old = Schedule { start, end, ..old };
            let search = SlotSearch::new(&old, self.state.first_seen);
            let begins = |span: &Span| search.first_in(*span).map(|slot| slot.at);
            let is_old = spans.iter().all(|span| span.first.is_none() || begins(span) == span.first);
            if is_old && search.count_in(spans, COUNTED).0 < COUNTED {
                return search.records(spans, SlotFate::Superseded, REASON);
            }
        }
        firsts(spans, REASON)
    }

    /// Records the slots that wait and are before `start` or after `end`, which were edited since
    /// they were noticed: until then their spans are [within](Span::within) these. `known` are the
    /// bounds of the last step. If the timetable is the same, the slots that passed since then
    /// count as those that wait.
    fn leave_bounds(&mut self, known: Option<Bounds>, is_same: bool) {
        const REASON: &str = "`start` or `end` has changed, and the slot is outside";

        let schedule = self.schedule;
        if matches!(schedule.recurrence, Recurrence::Once) {
            // The slot is at the start, wherever that is now.
            let is_gone = |span: &Span| span.first.is_some() && self.first_in(*span).is_none();
            let pending = self.state.pending.iter().copied();
            let (gone, left): (Vec<Span>, Vec<Span>) = pending.partition(is_gone);
            self.state.pending = left;
            let slots = gone.into_iter().filter_map(|span| span.first);
            self.decisions.extend(slots.map(|at| Decision::Record(record(at, REASON.to_owned()))));
            return;
        }
        if known == self.state.bounds {
            return;
        }
        let mut gone = Vec::new();
        for span in std::mem::take(&mut self.state.pending) {
            let mut within = span.within(schedule);
            if within == span {
                self.state.pending.push(span);
                continue;
            }
            gone.extend(outside(span, within));
            if within.after < within.until {
                if within.first.is_none() {
                    within.first = catch(|| self.first_in(within)).ok().flatten().map(|slot| slot.at);
                }
                self.state.pending.push(within);
            }
        }
        if let Some(known) = known.filter(|_| is_same) {
            gone.extend(self.leave_passed(known));
        }
        // The spans of an earlier version went on beyond the bounds, where no slot was.
        if gone.is_empty() || known.is_none() {
            return;
        }
        let unbounded = schedule.unbounded();
        let search = SlotSearch::new(&unbounded, self.state.first_seen);
        let records = catch(|| {
            let first = |span: &Span| Span { first: search.first_in(*span).map(|slot| slot.at), ..*span };
            let gone: Vec<Span> = gone.iter().map(first).collect();
            match search.count_in(&gone, COUNTED).0 < COUNTED {
                true => search.records(&gone, SlotFate::Superseded, REASON),
                false => firsts(&gone, REASON),
            }
        });
        // The code of a user need not be able to tell slots outside of the bounds.
        let records = records.unwrap_or_else(|_| firsts(&gone, REASON));
        self.decisions.extend(records.into_iter().map(Decision::Record));
    }

    /// What passed since the last step within the bounds of that step, and is outside of those of
    /// the schedule. What is outside of the old bounds was never due: the cursor moves over it, but
    /// for the last minute. The slots before an old `end` are taken up first.
    ///
    /// The slots of a pause are those of the schedule that ends it.
    fn leave_passed(&mut self, (start, end): Bounds) -> Vec<Span> {
        let (now, schedule, noticed) = (self.situation.now, self.schedule, self.state.noticed);
        let due = now - schedule.offset;
        if due <= noticed || self.state.is_paused(now) {
            return Vec::new();
        }
        let before = Schedule { start, end, ..schedule.clone() };
        let passed = Span::new(noticed, due).within(&before);
        let left = passed.within(schedule);
        let begin = due - GRACE;
        let is_decided = self.first_in(left).is_none();
        let decided = if is_decided { begin } else { left.after.min(begin) };
        self.state.noticed = noticed.max(decided);
        // A pause whose time is over is still to be recorded, with all of its slots.
        let may_take_up = !is_decided && self.state.pause.is_none();
        if may_take_up && left.until < begin && self.first_in(Span::new(left.until, begin)).is_some() {
            self.take_up_ended(left.until, begin);
        }
        outside(passed, left).collect()
    }

    fn note_zone_rules(&mut self) {
        let Some(rules) = &self.schedule.zone_rules else { return };
        if self.state.zone_rules.as_ref() == Some(rules) {
            return;
        }
        let before = self.state.zone_rules.replace(rules.clone());
        // Another zone is another timetable, which was noted.
        if before.is_some_and(|before| before.zone == rules.zone) {
            self.decisions.push(Decision::Note(Note::ZoneRulesChanged { zone: rules.zone.clone() }));
            self.record_moved(&rules.zone);
        }
    }

    /// Records the slots that waited and are none by the new rules. Only the first of a span is
    /// known by its time: the others are found again by the rules, which shift all of them.
    fn record_moved(&mut self, zone: &str) {
        let waited = self.state.pending.iter().filter_map(|span| Some((*span, span.first?)));
        let moved = waited.filter(|(span, first)| self.first_in(*span).is_none_or(|slot| slot.at != *first));
        let records = moved.map(|(_, at)| {
            let reason = format!("by the new rules of the time zone {zone} there is no slot at this time");
            Decision::Record(record(at, reason))
        });
        let records: Vec<Decision> = records.collect();
        self.decisions.extend(records);
    }
}

/// The parts of a span that are before and after its part within some bounds, if anything is there.
fn outside(span: Span, within: Span) -> impl Iterator<Item = Span> {
    let before = span.part(span.after, span.until.min(within.after));
    // With a `start` after `end` nothing is left, and no slot is in both parts.
    let after = span.part(span.after.max(within.after).max(within.until), span.until);
    [before, after].into_iter().filter(|part| part.after < part.until)
}

/// Records of the first slots of some spans, whose other slots are not known or too many.
fn firsts(spans: &[Span], why: &str) -> Vec<SlotRecord> {
    let firsts = spans.iter().filter_map(|span| Some((span.first?, span.until)));
    let of = |(at, until): (Timestamp, Timestamp)| match at == until {
        true => record(at, why.to_owned()),
        false => record(at, format!("{why}, and no slot from here up to {until} runs")),
    };
    firsts.map(of).collect()
}

/// The record of a slot of which an edit has disposed.
fn record(at: Timestamp, reason: String) -> SlotRecord {
    SlotRecord { first: at, last: at, count: 1, fate: SlotFate::Superseded, reason }
}
