//! The colours of marks, of text and of the ground below them.

/// A colour on light and on dark ground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colour {
    /// The name of its variable in style sheets, without its prefix.
    pub(crate) name: &'static str,
    pub(crate) light: &'static str,
    pub(crate) dark: &'static str,
}

impl Colour {
    pub(crate) const fn new(name: &'static str, light: &'static str, dark: &'static str) -> Self {
        Colour { name, light, dark }
    }
}

/// The ground that marks are drawn on.
pub(crate) const GROUND: Colour = Colour::new("ground", "#ffffff", "#0d1117");
/// Text.
pub(crate) const INK: Colour = Colour::new("ink", "#1f2328", "#e6edf3");
/// Text that matters less.
pub(crate) const SOFT: Colour = Colour::new("soft", "#59636e", "#9198a1");

/// The families of states: success, failed, blocked by another failure, running, ended otherwise,
/// and waiting.
pub(crate) const FAMILIES: [Colour; 6] = [
    Colour::new("ok", "#36a67f", "#92f6c6"),
    Colour::new("bad", "#8f1723", "#d92a3c"),
    Colour::new("blocked", "#d35f03", "#fea81d"),
    Colour::new("run", "#0a34b9", "#3d73ff"),
    Colour::new("other", "#c07cca", "#e0bbe8"),
    Colour::new("wait", "#646773", "#767983"),
];

#[cfg(test)]
mod tests {
    use super::super::vision::{Vision, contrast, distance};
    use super::*;

    fn light(colour: Colour) -> &'static str {
        colour.light
    }

    fn dark(colour: Colour) -> &'static str {
        colour.dark
    }

    /// The smallest distance between two families.
    fn closest(of: fn(Colour) -> &'static str, vision: Vision) -> f64 {
        let pairs = FAMILIES.iter().enumerate().flat_map(|(at, a)| FAMILIES[at + 1..].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| distance(of(*a), of(*b), vision)).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn families_are_distinct_for_every_kind_of_colour_vision() {
        for vision in [Vision::Normal, Vision::Protanopia, Vision::Deuteranopia] {
            assert!(closest(light, vision) >= 20.8, "light, {vision:?}: {}", closest(light, vision));
            assert!(closest(dark, vision) >= 22.6, "dark, {vision:?}: {}", closest(dark, vision));
        }
        assert!(closest(light, Vision::Tritanopia) >= 15.6, "{}", closest(light, Vision::Tritanopia));
        assert!(closest(dark, Vision::Tritanopia) >= 16.9, "{}", closest(dark, Vision::Tritanopia));
    }

    /// WCAG 2.2, 1.4.11. It is also the contrast of a glyph, which has the colour of the ground.
    #[test]
    fn marks_have_a_contrast_of_3_to_the_ground() {
        for family in FAMILIES {
            assert!(contrast(family.light, GROUND.light) >= 3.0, "{family:?}");
            assert!(contrast(family.dark, GROUND.dark) >= 3.0, "{family:?}");
        }
    }

    /// WCAG 2.2, 1.4.3.
    #[test]
    fn text_has_a_contrast_of_4_5_to_the_ground() {
        for text in [INK, SOFT] {
            assert!(contrast(text.light, GROUND.light) >= 4.5, "{text:?}");
            assert!(contrast(text.dark, GROUND.dark) >= 4.5, "{text:?}");
        }
    }

    /// The reason for the rule that marks are drawn on the ground only.
    #[test]
    fn no_other_ground_leaves_enough_contrast() {
        let side = "#f6f8fa";
        assert!(FAMILIES.iter().any(|family| contrast(family.light, side) < 3.0));
    }
}
