//! Which states have which mark.

/// How a state looks: the family decides the colour, the glyph the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// `ok`, `bad`, `blocked`, `run`, `other` or `wait`: a name of [`FAMILIES`](super::FAMILIES).
    pub(crate) family: &'static str,
    /// The name of its glyph.
    pub(crate) glyph: &'static str,
    /// The state in words.
    pub(crate) words: &'static str,
    /// Whether only its outline is drawn: there is no run.
    pub(crate) hollow: bool,
}

impl Mark {
    /// The mark of a state of a task or a run. An unknown state looks like a task that waits for
    /// its upstreams.
    pub(crate) fn of(state: &str) -> Mark {
        let (family, glyph, words) = match state {
            "success" => ("ok", "check", "success"),
            "failed" => ("bad", "cross", "failed"),
            "upstream_failed" => ("blocked", "up", "upstream failed"),
            "interrupted" => ("blocked", "bolt", "interrupted"),
            "running" => ("run", "play", "running"),
            "skipped" => ("other", "skip", "skipped"),
            "cancelled" => ("other", "stop", "cancelled"),
            "removed" => ("other", "dash", "removed"),
            "scheduled" => ("wait", "ring", "scheduled"),
            "queued" => ("wait", "quarter", "queued"),
            "up_for_retry" => ("wait", "again", "up for retry"),
            "up_for_reschedule" => ("wait", "clock", "up for reschedule"),
            "deferred" => ("wait", "pause", "deferred"),
            _ => ("wait", "empty", "none"),
        };
        Mark { family, glyph, words, hollow: false }
    }

    /// The mark of a slot without a run, by what became of it.
    #[cfg(any(test, feature = "cli", feature = "server"))]
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only the verbs about stored runs use it"))]
    pub(crate) fn of_slot(fate: &str) -> Mark {
        let (family, glyph, words) = match fate {
            "missed" => ("blocked", "diamond", "missed"),
            "expired" => ("blocked", "clock", "expired"),
            "failed" => ("bad", "cross", "failed"),
            "skipped" => ("other", "skip", "skipped"),
            "superseded" => ("other", "next", "superseded"),
            "paused" => ("wait", "pause", "paused"),
            _ => ("wait", "empty", "waiting"),
        };
        Mark { family, glyph, words, hollow: true }
    }

    /// The glyph in text: one character.
    #[cfg(any(test, feature = "cli", feature = "server"))]
    pub(crate) fn sign(self) -> &'static str {
        super::glyphs::sign(self.glyph)
    }
}

/// The states that have a colour: Airflow's, and `cancelled`. A task that waits for its upstreams,
/// `none`, has none.
pub const STATES: [&str; 12] = [
    "scheduled",
    "queued",
    "running",
    "success",
    "failed",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
    "skipped",
    "upstream_failed",
    "removed",
    "cancelled",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::FAMILIES;
    use super::*;
    use crate::run::{RunState, TaskState};
    use crate::schedule::SlotFate;

    const FATES: [&str; 7] = ["missed", "expired", "failed", "skipped", "superseded", "paused", "waiting"];

    #[test]
    fn the_states_are_those_of_the_engine() {
        for state in TaskState::ALL {
            assert_eq!(Mark::of(state.name()).words, state.name().replace('_', " "));
        }
        for state in [RunState::Queued, RunState::Interrupted, RunState::Cancelled] {
            assert_eq!(Mark::of(state.name()).words, state.name());
        }
        assert!(FATES.iter().all(|name| *name == "waiting" || SlotFate::named(name).is_some()));
    }

    #[test]
    fn every_state_has_a_glyph_of_its_own_and_a_known_family() {
        let states = STATES.into_iter().chain(["interrupted", "none"]);
        let marks: Vec<Mark> = states.clone().map(Mark::of).collect();
        for (state, mark) in states.zip(&marks) {
            assert_eq!(mark.words, state.replace('_', " "));
            assert!(FAMILIES.iter().any(|family| family.name == mark.family), "{mark:?}");
        }
        let glyphs: BTreeSet<&str> = marks.iter().map(|mark| mark.sign()).collect();
        assert_eq!(glyphs.len(), marks.len());
        assert_eq!(Mark::of("no such state"), Mark::of("none"));
    }

    #[test]
    fn slots_without_runs_are_hollow() {
        for fate in FATES {
            let mark = Mark::of_slot(fate);
            assert!(mark.hollow && mark.words == fate, "{mark:?}");
            assert!(FAMILIES.iter().any(|family| family.name == mark.family), "{mark:?}");
        }
        let glyphs: BTreeSet<&str> = FATES.iter().map(|fate| Mark::of_slot(fate).sign()).collect();
        assert_eq!(glyphs.len(), FATES.len());
    }
}
