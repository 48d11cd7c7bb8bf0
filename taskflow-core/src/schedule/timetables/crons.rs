//! One or several cron expressions.

use std::time::Duration;

use crate::base::Timestamp;
use crate::schedule::cron::Cron;
use crate::schedule::slot::Slot;
use crate::schedule::timetable::Timetable;
use crate::schedule::zone::Zone;

/// The occurrences of one or several cron expressions. Occurrences at the same time are one slot.
///
/// The data interval of a slot begins at the slot before it, whichever expression that is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crons {
    expressions: Vec<Cron>,
    /// Each step asks for it.
    fingerprint: String,
}

impl Crons {
    /// The union of some expressions.
    pub fn new(crons: impl IntoIterator<Item = Cron>) -> Self {
        let expressions: Vec<Cron> = crons.into_iter().collect();
        let texts: Vec<String> = expressions.iter().map(|cron| format!("{} {}", cron.text(), cron.zone())).collect();
        Crons { fingerprint: texts.join("; "), expressions }
    }

    /// The union with this fingerprint.
    pub(in crate::schedule) fn of_fingerprint(fingerprint: &str) -> Option<Self> {
        let cron = |text: &str| {
            let (expression, zone) = text.rsplit_once(' ')?;
            Cron::parse(expression, Zone::named(zone).ok()?).ok()
        };
        let crons = fingerprint.split("; ").map(cron).collect::<Option<Vec<Cron>>>()?;
        Some(Crons::new(crons)).filter(|crons| crons.fingerprint == fingerprint)
    }

    /// The expressions.
    pub fn expressions(&self) -> &[Cron] {
        &self.expressions
    }

    fn instant_after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.expressions.iter().filter_map(|cron| cron.after(moment)).min()
    }

    fn instant_before(&self, moment: Timestamp) -> Option<Timestamp> {
        self.expressions.iter().filter_map(|cron| cron.before(moment)).max()
    }

    fn slot(&self, at: Timestamp) -> Slot {
        let before = at.as_nanos().checked_sub(1).map(Timestamp::from_nanos);
        Slot::ending_interval(at, before.and_then(|before| self.instant_before(before)))
    }
}

impl From<Cron> for Crons {
    fn from(cron: Cron) -> Self {
        Crons::new([cron])
    }
}

impl Timetable for Crons {
    fn after(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_after(moment).map(|at| self.slot(at))
    }

    fn before(&self, moment: Timestamp) -> Option<Slot> {
        self.instant_before(moment).map(|at| self.slot(at))
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        let mut crons = self.expressions.iter().peekable();
        while let Some(cron) = crons.next() {
            if !text.is_empty() {
                text += " and ";
            }
            text += &cron.describe();
            // The zone follows the last of the expressions that share it.
            if crons.peek().is_none_or(|next| next.zone() != cron.zone()) {
                text += ", ";
                text += cron.zone().name();
            }
        }
        text
    }

    fn note(&self) -> Option<String> {
        let notes: Vec<String> = self.expressions.iter().filter_map(Cron::note).collect();
        (!notes.is_empty()).then(|| notes.join("; "))
    }

    /// Around the occurrences of each expression: a rare one may occur shortly before or after a
    /// frequent one.
    fn smallest_gap(&self, from: Timestamp) -> Option<Duration> {
        const SAMPLE: usize = 200;

        let each = match self.expressions.len() {
            0 | 1 => return None,
            count => SAMPLE.div_ceil(count),
        };
        let occurrences = self
            .expressions
            .iter()
            .flat_map(|cron| std::iter::successors(cron.after(from), move |at| cron.after(*at)).take(each));
        let gaps = occurrences.flat_map(|at| {
            let just_before = at.as_nanos().checked_sub(1).map(Timestamp::from_nanos);
            let before = just_before.and_then(|moment| self.instant_before(moment));
            [before.map(|before| at.since(before)), self.instant_after(at).map(|next| next.since(at))]
        });
        gaps.flatten().min()
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_of_expressions_says_what_their_slots_are() {
        let cron = |text, zone| Cron::parse(text, Zone::named(zone).unwrap()).unwrap();
        let crons = Crons::new([cron("0 6 * * MON-FRI", "Asia/Seoul"), cron("*/5 9-17 1,15 * *", "UTC")]);
        assert_eq!(Crons::of_fingerprint(&crons.fingerprint()), Some(crons));
        // Those of a calendar, of a period, of dates, of no expression.
        let others = ["0 6 * * * UTC Drop [2026-01-01] UTC", "every day, UTC", "2026-01-01T00:00:00Z", ""];
        for other in others {
            assert_eq!(Crons::of_fingerprint(other), None, "{other}");
        }
    }
}
