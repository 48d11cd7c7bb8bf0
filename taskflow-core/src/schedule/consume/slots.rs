//! The slots of a schedule that wait for events.

use std::time::Duration;

use super::step::{ConsumerDecision, EventSituation, EventWaits};
use super::stepper::Stepper;
use crate::schedule::decision::{Decision, Situation, SlotFate, Waits};
use crate::schedule::note::Note;
use crate::schedule::state::ScheduleState;
use crate::schedule::step::step;

impl Stepper<'_> {
    /// Steps the schedule, and starts the runs of slots.
    pub(super) fn slots(&mut self) -> Option<EventWaits> {
        let (Some(schedule), Some(before)) = (&self.consumer.schedule, self.state.schedule.take()) else { return None };
        if before.pause.is_some() {
            // Its timetable panics: it is asked again when somebody has unpaused the DAG.
            self.state.schedule = Some(before);
            self.decisions.extend(self.ended.take().map(|pause| ConsumerDecision::Note(Note::PauseEnded(pause))));
            return self.start_open().or(Some(EventWaits::Paused));
        }
        let before = ScheduleState { pause: self.ended.take(), ..before };
        let EventSituation { now, active, ref unsuccessful, .. } = *self.situation;
        let situation = Situation {
            now,
            active: active + self.state.open.len() as u32,
            unsuccessful: unsuccessful.clone(),
            failures: Vec::new(),
        };
        let stepped = step(schedule, Some(&before), &situation);
        self.schedule_changed |= stepped.is_to_be_stored(Some(&before));
        self.wake_at(stepped.wake);
        for decision in stepped.decisions {
            match decision {
                Decision::Start { slot, .. } => self.state.open.push(slot),
                Decision::Record(record) => self.decisions.push(ConsumerDecision::Record(record)),
                Decision::Note(note) => self.decisions.push(ConsumerDecision::Note(note)),
                Decision::CancelActive => {
                    let open = std::mem::take(&mut self.state.open);
                    if !open.is_empty() {
                        self.record_slots(open, SlotFate::Superseded, "a later slot took its place");
                        self.wake_at(Some(now));
                    }
                    if active > 0 {
                        self.decisions.push(ConsumerDecision::CancelActive);
                    }
                }
            }
        }
        self.state.schedule = Some(stepped.state);
        self.start_open().or(stepped.waits.map(|waits| match waits {
            Waits::ForRoom { active } => EventWaits::ForRoom { active },
            Waits::ForPrevious { run } => EventWaits::ForPrevious { run },
            Waits::Paused => EventWaits::Paused,
        }))
    }

    /// Starts the open slots that have their events, oldest first. Those whose events did not come
    /// within `wait` expire.
    fn start_open(&mut self) -> Option<EventWaits> {
        let offset = self.consumer.schedule.as_ref().map_or(Duration::ZERO, |schedule| schedule.offset);
        while let Some(&slot) = self.state.open.first() {
            if self.situation.slots_with_runs.contains(&slot.at) {
                self.state.open.remove(0);
                // It leaves its place to the next one.
                self.wake_at(Some(self.situation.now));
                continue;
            }
            let end = self.consumer.wait.map(|wait| slot.at + offset + wait);
            match self.offers(end) {
                Ok(offers) => {
                    self.state.open.remove(0);
                    self.start(Some(slot), None, false, &offers, &[]);
                }
                Err(waits) if end.is_none_or(|end| self.situation.now < end) => {
                    self.wake_at(end);
                    return Some(waits);
                }
                Err(waits) => {
                    self.state.open.remove(0);
                    let missing = match waits {
                        EventWaits::ForEvents { assets } => format!("no event of `{}`", assets.join("` and `")),
                        EventWaits::ForSettling { asset, .. } => format!("`{asset}` did not settle"),
                        _ => "no events".to_owned(),
                    };
                    self.record_slots(vec![slot], SlotFate::Expired, &format!("{missing} within `wait`"));
                }
            }
        }
        None
    }
}
