//! The glyphs, as shapes and as signs.

/// A glyph.
struct Glyph {
    name: &'static str,
    /// What it is in text: one cell of a terminal.
    #[cfg_attr(not(any(feature = "cli", feature = "server")), allow(dead_code, reason = "drawings have shapes"))]
    sign: &'static str,
    /// The same on a terminal without UTF-8.
    #[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "for terminals"))]
    ascii: char,
    /// Elements of SVG in a square of 16 units. Lines have the colour of the context; what is solid
    /// is filled with `currentColor`.
    shapes: &'static str,
}

const fn glyph(name: &'static str, sign: &'static str, ascii: char, shapes: &'static str) -> Glyph {
    Glyph { name, sign, ascii, shapes }
}

const GLYPHS: [Glyph; 16] = [
    glyph("check", "✓", '+', r#"<path d="M4 8.4l2.7 2.7 5.3-6"/>"#),
    glyph("cross", "✕", 'x', r#"<path d="M4.8 4.8l6.4 6.4M11.2 4.8l-6.4 6.4"/>"#),
    glyph("up", "↑", '^', r#"<path d="M8 12.4V4M4.4 7.4L8 3.8l3.6 3.6"/>"#),
    // U+26A1 is two cells wide.
    glyph("bolt", "↯", '!', r#"<path d="M9.2 3L5 8.8h6L6.8 13"/>"#),
    glyph("play", "▶", '*', r#"<path d="M6 4.4v7.2L11.8 8z" fill="currentColor"/>"#),
    glyph("skip", "»", '>', r#"<path d="M4 4.6L7.4 8 4 11.4M8.6 4.6L12 8l-3.4 3.4"/>"#),
    glyph("stop", "■", '#', r#"<path d="M5.4 5.4h5.2v5.2H5.4z" fill="currentColor"/>"#),
    glyph("dash", "–", '-', r#"<path d="M4.4 8h7.2"/>"#),
    glyph("ring", "○", 'o', r#"<circle cx="8" cy="8" r="3.6"/>"#),
    glyph("quarter", "◔", ':', r#"<circle cx="8" cy="8" r="4"/><path d="M8 8V4a4 4 0 0 1 4 4z" fill="currentColor"/>"#),
    glyph("again", "↻", '@', r#"<path d="M12 8a4 4 0 1 1-1.3-3M12.2 2.8v3H9.2"/>"#),
    glyph("clock", "◷", '%', r#"<circle cx="8" cy="8" r="4.4"/><path d="M8 5.4V8l1.8 1.2"/>"#),
    glyph("pause", "‖", '=', r#"<path d="M6 4.6v6.8M10 4.6v6.8"/>"#),
    glyph("diamond", "◇", '?', r#"<path d="M8 3.4L12.6 8 8 12.6 3.4 8z"/>"#),
    glyph("next", "›", ')', r#"<path d="M6.2 4.4L9.8 8l-3.6 3.6"/>"#),
    glyph("empty", "·", '.', ""),
];

fn named(name: &str) -> &'static Glyph {
    GLYPHS.iter().find(|glyph| glyph.name == name).unwrap_or(&GLYPHS[GLYPHS.len() - 1])
}

/// The glyph in text.
#[cfg(any(test, feature = "cli", feature = "server"))]
pub(super) fn sign(name: &str) -> &'static str {
    named(name).sign
}

/// The shapes of a glyph, in a square of 16 units.
pub(in crate::render) fn shapes(name: &str) -> &'static str {
    named(name).shapes
}

/// The glyphs as symbols of SVG for a page: `g-check` and so on.
#[cfg(any(test, feature = "server"))]
pub(crate) fn sprite() -> String {
    let symbol = |Glyph { name, shapes, .. }: &Glyph| {
        format!("<symbol id=\"g-{name}\" viewBox=\"0 0 16 16\">{shapes}</symbol>\n")
    };
    GLYPHS.iter().map(symbol).collect()
}

/// What replaces the sign of a glyph where only ASCII is shown.
#[cfg(feature = "cli")]
pub(crate) fn ascii(sign: char) -> Option<char> {
    let is = |glyph: &&Glyph| glyph.sign.chars().eq([sign]);
    GLYPHS.iter().find(is).map(|glyph| glyph.ascii)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_glyph_is_unlike_the_others_in_each_of_its_forms() {
        let names: BTreeSet<&str> = GLYPHS.iter().map(|glyph| glyph.name).collect();
        let signs: BTreeSet<&str> = GLYPHS.iter().map(|glyph| glyph.sign).collect();
        let ascii: BTreeSet<char> = GLYPHS.iter().map(|glyph| glyph.ascii).collect();
        let shapes: BTreeSet<&str> = GLYPHS.iter().map(|glyph| glyph.shapes).collect();
        for count in [names.len(), signs.len(), ascii.len(), shapes.len()] {
            assert_eq!(count, GLYPHS.len());
        }
    }

    #[cfg(feature = "cli")]
    #[test]
    fn a_sign_is_one_cell_wide() {
        for glyph in &GLYPHS {
            assert_eq!(glyph.sign.chars().count(), 1, "{}", glyph.name);
            assert_eq!(console::measure_text_width(glyph.sign), 1, "{}", glyph.name);
            assert!(glyph.ascii.is_ascii_graphic(), "{}", glyph.name);
            assert_eq!(glyph.sign.chars().next().and_then(ascii), Some(glyph.ascii));
        }
        assert_eq!(ascii('x'), None);
    }

    /// A page may have a content security policy without inline styles.
    #[test]
    fn shapes_are_elements_without_styles() {
        for glyph in &GLYPHS {
            assert!(!glyph.shapes.contains("style"), "{}", glyph.name);
            assert!(sprite().contains(&format!("id=\"g-{}\" viewBox=\"0 0 16 16\">{}<", glyph.name, glyph.shapes)));
            assert_eq!(glyph.shapes.matches('<').count(), glyph.shapes.matches("/>").count(), "{}", glyph.name);
        }
    }
}
