//! The marks of states, as elements of a page.

use std::fmt;

pub(crate) use crate::render::palette::Mark;
use crate::render::palette::sprite;

impl Mark {
    /// The class of the style sheet that colours it.
    pub(crate) fn class(self) -> &'static str {
        if self.hollow { "hollow" } else { self.family }
    }

    /// Which states need attention first: the lower, the earlier.
    pub(crate) fn urgency(self) -> u8 {
        match self.family {
            "bad" => 0,
            "blocked" => 1,
            "run" => 2,
            "wait" => 3,
            "other" => 4,
            _ => 5,
        }
    }
}

/// For the filter `safe` of templates: all its texts are constants of the palette.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (class, Mark { glyph, words, .. }) = (self.class(), self);
        write!(
            f,
            "<svg class=\"mark {class}\" viewBox=\"0 0 16 16\" role=\"img\" aria-label=\"{words}\">\
             <title>{words}</title><rect width=\"16\" height=\"16\" rx=\"4\"/><use href=\"#g-{glyph}\"/></svg>"
        )
    }
}

/// The glyphs that the marks of a page refer to, as an element for its beginning.
pub(crate) fn glyphs() -> String {
    let symbols = sprite();
    format!("<svg class=\"sprite\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>\n{symbols}</defs></svg>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_refers_to_a_glyph_of_the_page() {
        let states = crate::render::palette::STATES.into_iter().chain(["interrupted", "none"]).map(Mark::of);
        let fates = ["missed", "expired", "failed", "skipped", "superseded", "paused", "waiting"];
        for mark in states.chain(fates.map(Mark::of_slot)) {
            assert!(glyphs().contains(&format!("id=\"g-{}\"", mark.glyph)), "{mark:?}");
            assert!(mark.to_string().contains(&format!("href=\"#g-{}\"", mark.glyph)), "{mark}");
        }
    }
}
