//! The palette: how the state of a task, a run or a slot looks, in drawings, on terminals and on
//! pages.
//!
//! 1. A [`Mark`] maps a state to one of six families, a glyph and words. The family decides the
//!    colour; the glyph tells the states of a family apart. No state is shown by a colour alone.
//! 2. A family has a colour for light and one for dark ground ([`FAMILIES`]). They are chosen for
//!    eyes with normal vision and for the three kinds of colour blindness; tests measure their
//!    distance and their contrast.
//! 3. Two of the light colours just reach the contrast of 3 to 1 on pure white: marks are drawn on
//!    [`GROUND`] only, never on a tinted or shaded ground. Text is never in a colour of a family.
//! 4. A glyph has two forms: shapes, which are drawn in the colour of the ground on a mark, and a
//!    sign for text, with a substitute for terminals that show ASCII only.
//!
//! It knows states by their names, which stores, JSON and drawings have.

mod colours;
mod glyphs;
mod marks;
#[cfg(test)]
mod vision;

pub(crate) use self::colours::{Colour, FAMILIES, GROUND, INK, SOFT};
#[cfg(feature = "cli")]
pub(crate) use self::glyphs::ascii;
pub(super) use self::glyphs::shapes;
#[cfg(feature = "server")]
pub(crate) use self::glyphs::sprite;
pub(crate) use self::marks::Mark;
pub use self::marks::STATES;
#[cfg(test)]
pub(super) use self::vision::contrast;
