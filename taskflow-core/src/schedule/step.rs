//! The one function that decides what happens to the slots of a DAG.
//!
//! The service calls it with the time of the clock, the test kit with a virtual one, and `next`,
//! the calendar and a preview with times to come. It reads no clock and no store.
//!
//! # Protocol
//!
//! 1. A DAG that is new gets a state whose slots begin with the next one, or as `first`, `start`
//!    and `catchup` say.
//!    A timetable that was edited begins now, and what waits of the old one is recorded.
//! 2. When as many runs in a row have failed as `pause_after_failures` says, the DAG is paused.
//!    While it is paused no slot is decided. When the pause ends, the slots that passed are
//!    recorded as paused, or run as `unpause` says.
//! 3. Slots since the last step are noticed. Those that are more than [`GRACE`] late passed while
//!    no service was running: `catchup` and `catchup_window` decide which of them are missed.
//! 4. The other slots are pending. The oldest become runs while there is room; `overlap` decides
//!    what happens to the rest: they wait, or they are recorded.
//!    If ten of them wait, the schedule falls behind, which is noted.
//! 5. The caller stores the new state, the records and the runs in one transaction. A crash before
//!    that repeats the step with the same outcome; the ids of runs derive from their slots, so that
//!    no second process can make a run twice.

use std::time::Duration;

use super::decision::{Decision, Situation, SlotFate, SlotRecord, Step, Waits};
use super::note::Note;
use super::policy::{Catchup, Overlap};
use super::search::SlotSearch;
use super::slot::Slot;
use super::spec::{Recurrence, Schedule, just_before};
use super::state::{BEHIND, Pause, ScheduleState, Span};
use crate::base::Timestamp;

/// A clock that is further behind the last step than this is taken to be wrong: the service
/// schedules nothing until it is right, or somebody [resets](ScheduleState::reset) the schedules.
pub const CLOCK_TOLERANCE: Duration = Duration::from_secs(86_400);

/// How late a slot may be noticed and still count as on time.
pub const GRACE: Duration = Duration::from_secs(60);

/// Why slots passed that nobody has noticed in time.
const NO_SERVICE: &str = "no service was running";

/// Decides what happens to the slots of a DAG up to now. `None` as the state is a DAG that no
/// service has seen before.
pub fn step(schedule: &Schedule, state: Option<&ScheduleState>, situation: &Situation) -> Step {
    let now = situation.now;
    let state = state.cloned().unwrap_or_else(|| ScheduleState::first_seen(schedule, now, false));
    let mut stepper = Stepper::new(schedule, situation, state);
    stepper.note_timetable();
    stepper.note_clock();
    stepper.pause_after_failures();
    let waits = if stepper.is_paused() {
        Some(Waits::Paused)
    } else if matches!(schedule.recurrence, Recurrence::Continuous) {
        stepper.continue_after_previous()
    } else {
        stepper.notice();
        stepper.expire();
        let waits = stepper.start();
        stepper.note_backlog();
        waits
    };
    let wake = stepper.wake();
    let Stepper { mut state, decisions, .. } = stepper;
    state.clock = state.clock.max(now);
    Step { state, decisions, wake, waits }
}

/// Ends a pause. Of the slots that waited before it and those that passed meanwhile, the last one
/// runs with [`Catchup::Last`], and with [`Catchup::All`] all that are not older than
/// `catchup_window`. The others are recorded as paused.
pub fn unpause(
    schedule: &Schedule,
    state: &ScheduleState,
    now: Timestamp,
    catchup: Catchup,
) -> (ScheduleState, Vec<SlotRecord>) {
    let (state, records, _) = unpause_noted(schedule, state, now, catchup);
    (state, records)
}

/// As [`unpause`], with what is to be noted.
pub(crate) fn unpause_noted(
    schedule: &Schedule,
    state: &ScheduleState,
    now: Timestamp,
    catchup: Catchup,
) -> (ScheduleState, Vec<SlotRecord>, Vec<Note>) {
    let situation = Situation { now, active: 0, unsuccessful: None, failures: Vec::new() };
    let mut stepper = Stepper::new(schedule, &situation, state.clone());
    let Some(pause) = stepper.state.pause.clone() else { return (stepper.state, Vec::new(), Vec::new()) };
    // Otherwise the next step would take the slots that are to run for those of the old timetable.
    // The pause is there meanwhile: its slots are those of the timetable that ends it.
    let known = stepper.state.fingerprint.clone();
    stepper.note_timetable();
    stepper.state.pause = None;
    if stepper.state.fingerprint != known {
        // Whoever makes the next step may be another build, with another timetable. The slots were
        // asked for, and run by the one that it has.
        stepper.state.fingerprint.clear();
    }
    let (due, why) = (now - schedule.offset, pause.why());
    match catchup {
        Catchup::None => stepper.record_pause(&pause, now),
        Catchup::Last => {
            stepper.leave_last_waiting(due, &why);
            stepper.take_up(catchup, due, due, SlotFate::Paused, &why);
        }
        Catchup::All => stepper.take_up(catchup, due, due, SlotFate::Paused, &why),
    }
    let (records, notes) = Decision::records_and_notes(stepper.decisions);
    (stepper.state, records, notes)
}

/// Begins with a schedule that was edited, as the next step would: what waits of an old timetable,
/// or outside of new bounds, is recorded, and a new timetable or new rules of its time zone are
/// noted.
pub(crate) fn begin_changed(
    schedule: &Schedule,
    state: &ScheduleState,
    now: Timestamp,
) -> (ScheduleState, Vec<Decision>) {
    let situation = Situation { now, active: 0, unsuccessful: None, failures: Vec::new() };
    let mut stepper = Stepper::new(schedule, &situation, state.clone());
    stepper.note_timetable();
    (stepper.state, stepper.decisions)
}

/// Ends a pause whose time has come, as the next step would: the slots up to its end are recorded
/// as paused, and those that follow are left to the next step. Changes nothing if there is no such
/// pause.
pub(crate) fn end_pause(schedule: &Schedule, state: &ScheduleState, now: Timestamp) -> (ScheduleState, Vec<Decision>) {
    let situation = Situation { now, active: 0, unsuccessful: None, failures: Vec::new() };
    let mut stepper = Stepper::new(schedule, &situation, state.clone());
    stepper.is_paused();
    (stepper.state, stepper.decisions)
}

/// The state with its cursor at now, if no slot has passed since the last decision: the next slot
/// is one of a pause that begins now. Otherwise a timetable that is edited during the pause would
/// have slots before it.
pub(crate) fn pass_over(schedule: &Schedule, state: &ScheduleState, now: Timestamp) -> ScheduleState {
    let mut state = state.clone();
    if state.fingerprint == schedule.recurrence.fingerprint() {
        let search = SlotSearch::new(schedule, state.first_seen);
        move_cursor(&mut state, &search, now - schedule.offset);
    }
    state
}

/// Moves the cursor to `due` if no slot lies between them.
fn move_cursor(state: &mut ScheduleState, search: &SlotSearch<'_>, due: Timestamp) {
    if search.first_in(Span::new(state.noticed, due)).is_none() {
        state.noticed = state.noticed.max(due);
    }
}

/// A step that is being made.
pub(super) struct Stepper<'a> {
    pub(super) schedule: &'a Schedule,
    pub(super) situation: &'a Situation,
    pub(super) state: ScheduleState,
    pub(super) decisions: Vec<Decision>,
    pub(super) search: SlotSearch<'a>,
}

impl<'a> Stepper<'a> {
    fn new(schedule: &'a Schedule, situation: &'a Situation, state: ScheduleState) -> Self {
        let search = SlotSearch::new(schedule, state.first_seen);
        Stepper { schedule, situation, state, decisions: Vec::new(), search }
    }

    fn note_clock(&mut self) {
        let by = self.state.clock.since(self.situation.now);
        if by.is_zero() {
            self.state.clock_went_back = false;
        } else if by >= Duration::from_secs(1) && !self.state.clock_went_back {
            self.state.clock_went_back = true;
            self.decisions.push(Decision::Note(Note::ClockWentBack { by }));
        }
    }

    /// Pauses the DAG if too many runs in a row have failed.
    fn pause_after_failures(&mut self) {
        let Some(limit) = self.schedule.pause_after_failures.filter(|_| self.state.pause.is_none()) else { return };
        let (failures, now) = (&self.situation.failures, self.situation.now);
        if let Some((pause, last)) = Pause::after_failures(limit, self.state.failures_until, failures, now) {
            // As for a pause by hand: see `pass_over`.
            move_cursor(&mut self.state, &self.search, now - self.schedule.offset);
            self.state.failures_until = Some(last);
            self.state.pause = Some(pause.clone());
            self.decisions.push(Decision::Note(Note::Paused(pause)));
        }
    }

    /// Ends a pause whose time has come.
    fn is_paused(&mut self) -> bool {
        let Some(pause) = &self.state.pause else { return false };
        match pause.until {
            Some(until) if pause.is_over(self.situation.now) => {
                let pause = pause.clone();
                self.state.pause = None;
                self.record_pause(&pause, until);
                self.decisions.push(Decision::Note(Note::PauseEnded(pause)));
                false
            }
            _ => true,
        }
    }

    /// Records the slots that passed during a pause, with those that waited before it.
    fn record_pause(&mut self, pause: &Pause, end: Timestamp) {
        let due = end - self.schedule.offset;
        let passed = Span::new(self.state.noticed, due);
        let spans: Vec<Span> = std::mem::take(&mut self.state.pending).into_iter().chain([passed]).collect();
        self.record(&spans, SlotFate::Paused, &pause.why());
        self.state.noticed = self.state.noticed.max(due);
    }

    /// Records the slots that waited before a pause, because a later one runs: one that has passed
    /// until `due`, or the last of those that waited.
    fn leave_last_waiting(&mut self, due: Timestamp, why: &str) {
        if self.first_in(Span::new(self.state.noticed, due)).is_some() {
            let waited = std::mem::take(&mut self.state.pending);
            self.record(&waited, SlotFate::Paused, why);
        } else {
            self.drop_empty_spans();
            self.keep_newest(SlotFate::Paused, why);
        }
    }

    /// Notices the slots since the last step.
    fn notice(&mut self) {
        let due = self.situation.now - self.schedule.offset;
        let on_time = due - GRACE;
        self.take_up(self.schedule.catchup, on_time, due, SlotFate::Missed, NO_SERVICE);
    }

    /// Takes up the slots up to `end`, which passed while no service was running, and moves the
    /// cursor to `begin`, over slots that were never due.
    pub(super) fn take_up_ended(&mut self, end: Timestamp, begin: Timestamp) {
        let due = self.situation.now - self.schedule.offset;
        let catchup = match self.schedule.catchup {
            // The last slot is one that is on time.
            Catchup::Last if self.first_in(Span::new(begin, due)).is_some() => Catchup::None,
            catchup => catchup,
        };
        let oldest = due - self.schedule.catchup_window;
        self.take_up_since(oldest, catchup, end, end, SlotFate::Missed, NO_SERVICE);
        self.state.noticed = begin;
    }

    /// Takes up the slots that were not noticed yet: those at or before `late` as `catchup` says,
    /// and all later ones up to `due`. The others are recorded with the fate, and with the reason
    /// why they passed.
    fn take_up(&mut self, catchup: Catchup, late: Timestamp, due: Timestamp, fate: SlotFate, why: &str) {
        self.take_up_since(due - self.schedule.catchup_window, catchup, late, due, fate, why);
    }

    /// As [`take_up`](Stepper::take_up), where slots before `oldest` are older than
    /// `catchup_window`.
    fn take_up_since(
        &mut self,
        oldest: Timestamp,
        catchup: Catchup,
        late: Timestamp,
        due: Timestamp,
        fate: SlotFate,
        why: &str,
    ) {
        let noticed = self.state.noticed;
        if due <= noticed {
            return;
        }
        if self.first_in(Span::new(noticed, due)).is_none() {
            self.state.noticed = due;
            return;
        }
        let late = late.max(noticed);
        let on_time = Span::new(late, due);
        let (kept, is_too_old) = match catchup {
            Catchup::All => (Span::new(noticed.max(just_before(oldest)).min(late), late), true),
            Catchup::Last if self.first_in(on_time).is_none() => match self.search.before(late) {
                Some(last) if last.at > noticed && last.at >= oldest => (Span::new(just_before(last.at), late), false),
                // Those before it are older still.
                Some(last) => (Span::new(late, late), last.at > noticed),
                None => (Span::new(late, late), false),
            },
            Catchup::Last | Catchup::None => (Span::new(late, late), false),
        };
        let reason =
            if is_too_old { format!("{why}; the slot is older than `catchup_window`") } else { why.to_owned() };
        self.record(&[Span::new(noticed, kept.after)], fate, &reason);
        for span in [kept, on_time] {
            if let Some(slot) = self.first_in(span) {
                self.state.pending.push(Span { first: Some(slot.at), ..span.within(self.schedule) });
            }
        }
        self.state.noticed = due;
    }

    /// Records pending slots that waited for longer than the window.
    fn expire(&mut self) {
        let oldest = self.situation.now - self.schedule.offset - self.schedule.catchup_window;
        let mut expired = Vec::new();
        for span in self.state.pending.iter_mut().filter(|span| !span.unbounded) {
            if span.after < just_before(oldest) {
                expired.push(Span::new(span.after, just_before(oldest).min(span.until)));
                span.after = just_before(oldest);
            }
        }
        self.record(&expired, SlotFate::Missed, "the slot waited for longer than `catchup_window`");
        self.drop_empty_spans();
    }

    /// Starts pending slots while there is room, and applies the overlap policy to the rest.
    fn start(&mut self) -> Option<Waits> {
        let Situation { active, ref unsuccessful, now, .. } = *self.situation;
        if matches!(self.schedule.overlap, Overlap::QueueOne | Overlap::Cancel) {
            self.keep_newest(SlotFate::Superseded, "a later slot took its place");
        }
        let mut room = self.schedule.max_active_runs.saturating_sub(active);
        if self.schedule.after_previous {
            room = room.min(u32::from(active == 0));
        }
        while let Some(slot) = self.state.pending.first().copied().and_then(|span| self.first_in(span)) {
            if let Some(run) = unsuccessful
                && self.schedule.after_previous
            {
                return Some(Waits::ForPrevious { run: run.clone() });
            }
            if room == 0 {
                return self.without_room(active);
            }
            room -= 1;
            self.state.pending[0].after = slot.at;
            self.state.last_run = Some(slot.at);
            let late = now.since(slot.at + self.schedule.offset);
            self.decisions.push(Decision::Start { slot, late });
            self.drop_empty_spans();
        }
        None
    }

    /// What becomes of pending slots without room.
    fn without_room(&mut self, active: u32) -> Option<Waits> {
        match self.schedule.overlap {
            Overlap::Queue | Overlap::QueueOne | Overlap::Allow => {}
            Overlap::Skip => {
                let spans = std::mem::take(&mut self.state.pending);
                let reason =
                    if active == 1 { "a run was active".to_owned() } else { format!("{active} runs were active") };
                self.record(&spans, SlotFate::Skipped, &reason);
                return None;
            }
            Overlap::Cancel => self.decisions.push(Decision::CancelActive),
        }
        Some(Waits::ForRoom { active: active.max(self.schedule.max_active_runs) })
    }

    /// Notes that the schedule falls behind, once until no slot waits.
    fn note_backlog(&mut self) {
        if self.state.pending.is_empty() {
            self.state.falls_behind = false;
        } else if !self.state.falls_behind
            && let (BEHIND, Some(first)) = self.search.count_waiting(&self.state.pending, BEHIND)
        {
            self.state.falls_behind = true;
            self.decisions.push(Decision::Note(Note::FallsBehind { first }));
        }
    }

    /// Leaves the newest pending slot only, and records the others.
    fn keep_newest(&mut self, fate: SlotFate, reason: &str) {
        let Some(newest) = self.state.pending.last().and_then(|span| self.search.before(span.until)) else { return };
        let mut spans = std::mem::take(&mut self.state.pending);
        if let Some(last) = spans.last_mut() {
            self.state.pending.push(Span { after: just_before(newest.at), first: Some(newest.at), ..*last });
            last.until = just_before(newest.at);
        }
        self.record(&spans, fate, reason);
    }

    /// A continuous schedule is due when its last run has ended.
    fn continue_after_previous(&mut self) -> Option<Waits> {
        let Situation { active, now, .. } = *self.situation;
        if active > 0 {
            return Some(Waits::ForRoom { active });
        }
        let previous = self.state.last_run;
        // After the clock went back, a slot must not come before the last one.
        if let Some(slot) = self.schedule.continuous_slot(now, previous)
            && previous.is_none_or(|previous| now > previous)
        {
            self.state.last_run = Some(now);
            self.state.noticed = now;
            self.decisions.push(Decision::Start { slot, late: Duration::ZERO });
        }
        None
    }

    /// Records the slots of some spans: as one record, unless other slots lie between them.
    fn record(&mut self, spans: &[Span], fate: SlotFate, reason: &str) {
        let records = self.search.records(spans, fate, reason);
        self.decisions.extend(records.into_iter().map(Decision::Record));
    }

    fn drop_empty_spans(&mut self) {
        let mut pending = std::mem::take(&mut self.state.pending);
        pending.retain_mut(|span| {
            span.first = self.first_in(*span).map(|slot| slot.at);
            span.first.is_some()
        });
        self.state.pending = pending;
    }

    pub(super) fn first_in(&self, span: Span) -> Option<Slot> {
        self.search.first_in(span)
    }

    /// When the next slot is due, the pause ends or a pending slot expires.
    fn wake(&self) -> Option<Timestamp> {
        if let Some(pause) = &self.state.pause {
            return pause.until;
        }
        if matches!(self.schedule.recurrence, Recurrence::Continuous) {
            let now = self.situation.now;
            // After the clock went back, the next slot waits for the time of the last one.
            let again = self.state.last_run.filter(|&last| last >= now).map(|last| last + Duration::from_nanos(1));
            return self.schedule.start.filter(|&start| start > now).or(again);
        }
        let next = self.search.after(self.state.noticed).map(|slot| slot.at + self.schedule.offset);
        let oldest = self.state.pending.iter().find(|span| !span.unbounded).and_then(|&span| self.first_in(span));
        let expires =
            oldest.map(|slot| slot.at + self.schedule.offset + self.schedule.catchup_window + Duration::from_nanos(1));
        next.into_iter().chain(expires).min()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::schedule::cron::Cron;
    use crate::schedule::timetable::Timetable;
    use crate::schedule::timetables::Crons;
    use crate::schedule::zone::Zone;

    /// Every hour, with the number of searches.
    #[derive(Debug, Default)]
    struct Counted(AtomicU32);

    impl Timetable for Counted {
        fn after(&self, moment: Timestamp) -> Option<Slot> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Slot::instant(Timestamp::from_nanos((moment.as_nanos() / HOUR + 1) * HOUR)))
        }

        fn before(&self, moment: Timestamp) -> Option<Slot> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Some(Slot::instant(Timestamp::from_nanos(moment.as_nanos() / HOUR * HOUR)))
        }

        fn describe(&self) -> String {
            "every hour".to_owned()
        }
    }

    const HOUR: i64 = 3_600_000_000_000;

    #[test]
    fn a_step_searches_each_slot_once() {
        let timetable = Arc::new(Counted::default());
        let schedule = Schedule::of(Arc::clone(&timetable));
        let mut state = None;
        for hour in 10..13 {
            let now = Timestamp::from_nanos(hour * HOUR);
            let situation = Situation { now, active: 0, unsuccessful: None, failures: Vec::new() };
            timetable.0.store(0, Ordering::Relaxed);
            let stepped = step(&schedule, state.as_ref(), &situation);
            let started: Vec<Timestamp> = stepped
                .decisions
                .iter()
                .filter_map(|decision| match decision {
                    Decision::Start { slot, .. } => Some(slot.at),
                    _ => None,
                })
                .collect();
            if state.is_some() {
                assert_eq!(started, [now]);
            }
            // The slot that is due and the next one.
            assert!(timetable.0.load(Ordering::Relaxed) <= 2);
            state = Some(stepped.state);
        }
    }

    /// Daily until 15:30, then paused, then hourly: the slots from 01:00 to 15:00 were recorded as
    /// paused.
    #[test]
    fn the_slots_of_an_edited_timetable_begin_with_the_pause() {
        let of = |text| Schedule::of(Crons::from(Cron::parse(text, Zone::UTC).unwrap()));
        let at = |minutes: i64| Timestamp::from_nanos(minutes * 60_000_000_000);
        let state = ScheduleState::first_seen(&of("0 0 * * *"), at(0), false);
        let mut state = pass_over(&of("0 0 * * *"), &state, at(15 * 60 + 30));
        assert_eq!(state.noticed, at(15 * 60 + 30));
        assert_eq!(pass_over(&of("0 0 * * *"), &state, at(24 * 60)), state, "a slot has passed");
        state.pause = Some(Pause { by: "mina".to_owned(), reason: String::new(), since: state.noticed, until: None });
        let (_, records) = unpause(&of("0 * * * *"), &state, at(17 * 60 + 10), Catchup::None);
        let counts: Vec<(Timestamp, u64)> = records.iter().map(|record| (record.first, record.count)).collect();
        assert_eq!(counts, [(at(16 * 60), 2)]);
    }
}
