//! What a step does when the timetable or the rules of its time zone differ from those of the last
//! step: the program was edited, or built with another time zone database.

use super::decision::{Decision, SlotFate, SlotRecord};
use super::note::Note;
use super::step::Stepper;

impl Stepper<'_> {
    /// Notes a timetable that has changed. Slots that wait are those of the old one.
    pub(super) fn note_timetable(&mut self) {
        let fingerprint = self.schedule.recurrence.fingerprint();
        if self.state.fingerprint.is_empty() {
            self.state.fingerprint = fingerprint;
        } else if self.state.fingerprint != fingerprint {
            let from = std::mem::replace(&mut self.state.fingerprint, fingerprint.clone());
            self.state.pending.clear();
            self.decisions.push(Decision::Note(Note::TimetableChanged { from, to: fingerprint }));
        }
        self.note_zone_rules();
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
            Decision::Record(SlotRecord { first: at, last: at, count: 1, fate: SlotFate::Superseded, reason })
        });
        let records: Vec<Decision> = records.collect();
        self.decisions.extend(records);
    }
}
