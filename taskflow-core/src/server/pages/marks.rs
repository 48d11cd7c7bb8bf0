//! The state of a run, a task or a slot as a page shows it: a colour, a glyph and words.

use std::fmt;

/// A mark: the family decides the colour, the glyph the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// A class of the style sheet: `ok`, `bad`, `blocked`, `run`, `other`, `wait` or `hollow`.
    pub(crate) family: &'static str,
    /// The id of a symbol of the sprite, without its prefix.
    pub(crate) glyph: &'static str,
    /// The state in words.
    pub(crate) words: &'static str,
}

impl Mark {
    /// The mark of a state by its name. A name that is not known is shown as a state without one.
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
            "missed" => ("hollow", "dash", "missed"),
            "expired" => ("hollow", "dash", "expired"),
            "paused" => ("hollow", "pause", "paused"),
            "superseded" => ("hollow", "skip", "superseded"),
            "waiting" => ("hollow", "ring", "waiting"),
            _ => ("hollow", "empty", "none"),
        };
        Mark { family, glyph, words }
    }

    /// The mark of what became of a slot that has no run: hollow, because no run exists.
    pub(crate) fn of_slot(fate: &str) -> Mark {
        Mark { family: "hollow", ..Mark::of(fate) }
    }

    /// The sign in the title of a tab.
    pub(crate) fn sign(self) -> &'static str {
        match self.family {
            "ok" => "✓",
            "bad" => "✕",
            "blocked" => "↑",
            "run" => "▶",
            "other" => "»",
            _ => "○",
        }
    }

    /// Which states need attention first: the lower, the earlier.
    pub(crate) fn urgency(self) -> u8 {
        match self.family {
            "bad" => 0,
            "blocked" => 1,
            "run" => 2,
            "wait" | "hollow" => 3,
            "other" => 4,
            _ => 5,
        }
    }
}

/// For the filter `safe` of templates: all its texts are constants of this file.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Mark { family, glyph, words } = self;
        write!(
            f,
            "<svg class=\"mark {family}\" viewBox=\"0 0 16 16\" role=\"img\" aria-label=\"{words}\">\
             <title>{words}</title><rect width=\"16\" height=\"16\" rx=\"4\"/><use href=\"#g-{glyph}\"/></svg>"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_glyph_is_in_the_sprite() {
        let sprite = include_str!("../../../templates/sprite.html");
        let states = [
            "success",
            "failed",
            "upstream_failed",
            "interrupted",
            "running",
            "skipped",
            "cancelled",
            "removed",
            "scheduled",
            "queued",
            "up_for_retry",
            "up_for_reschedule",
            "deferred",
            "none",
        ];
        for state in states {
            let id = format!("id=\"g-{}\"", Mark::of(state).glyph);
            assert!(sprite.contains(&id), "{state}: {id}");
            assert_eq!(Mark::of(state).words, state.replace('_', " "));
        }
    }
}
