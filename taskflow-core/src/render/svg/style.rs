//! The style sheet of a drawing.
//!
//! A drawing that is a file of its own holds its sheet, and follows the theme of the reader. On a
//! page, the sheet is a part of the sheets of the page: then a drawing has no `<style>`, which a
//! strict content security policy forbids, and follows the `color-scheme` of the page.
//!
//! Programs that draw SVG but know no variables skip a declaration with `var(..)`; each is
//! therefore written twice, first with the light colour itself.

use std::fmt::Write;
use std::sync::LazyLock;

use crate::render::palette::{Colour, FAMILIES, GROUND, INK, Mark, SOFT, STATES};

/// The colours of what is not a state.
const PARTS: [Colour; 8] = [
    GROUND,
    INK,
    SOFT,
    Colour::new("rim", "#b1bac4", "#3d444d"),
    Colour::new("chip", "#eff2f5", "#21262d"),
    Colour::new("edge", "#6e7781", "#8b949e"),
    Colour::new("order", "#848d97", "#6e7681"),
    Colour::new("group", "#d0d7de", "#30363d"),
];

const RULES: &[(&str, &str)] = &[
    (" .page", "fill:$ground"),
    (
        " text",
        "fill:$ink;font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif;font-size:13px",
    ),
    (" .card", "fill:$ground;stroke:$rim;stroke-width:1.2"),
    (" .fact,.taskflow-dag .cluster-names text,.taskflow-dag .legend text", "fill:$soft;font-size:11px"),
    (" .chip", "fill:$chip"),
    (" .chip-text", "fill:$soft;font-size:10px"),
    (" .cluster-names text", "font-weight:600"),
    (" .cluster-names rect", "fill:$ground"),
    (" .cluster rect", "fill:none;stroke:$group;stroke-width:1"),
    (" .each rect,.taskflow-dag .scope rect,.taskflow-dag .arm rect", "stroke:$rim;stroke-dasharray:5 3"),
    (" .param .card", "fill:$chip;stroke:$rim;stroke-width:1"),
    (" .param text", "font-size:12px"),
    (" .edge", "fill:none;stroke:$edge;stroke-width:1.4"),
    (" .optional", "stroke-dasharray:7 4"),
    (" .outcome", "stroke-dasharray:.1 4;stroke-linecap:round;stroke-width:2"),
    (" .first", "stroke-width:2.6"),
    (" .order", "stroke:$order;stroke-width:1.1"),
    (" .from-param", "stroke:$order;stroke-width:1"),
    (" .head", "fill:$edge;stroke:none"),
    (" .head.order", "fill:none;stroke:$order;stroke-width:1.3"),
    (" .head.from-param", "fill:$order"),
];

const RULES_OF_STATES: &[(&str, &str)] = &[
    (" .mark", "fill:none;stroke:none;stroke-width:1.2"),
    (" .glyph", "fill:none;stroke:$ground;color:$ground;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round"),
    (" .state", "fill:$soft;font-size:11px"),
    (" [data-state=none] .card", "stroke:$edge;stroke-dasharray:.1 4;stroke-linecap:round;stroke-width:1.6"),
    (" [data-state=removed] .card", "stroke:$edge;stroke-dasharray:5 3"),
];

/// Colours that the reader has forced leave the glyphs and the words.
const FORCED: [(&str, &str); 3] = [("ground", "Canvas"), ("chip", "Canvas"), ("", "CanvasText")];

/// The style sheet for pages with drawings that have none of their own
/// ([`SvgOptions::without_style`](super::SvgOptions::without_style)). Serve it as a file: a content
/// security policy with `style-src 'self'` allows it.
///
/// All its rules begin with `.taskflow-dag`. Its colours follow the `color-scheme` of the page.
pub fn svg_style_sheet() -> &'static str {
    static SHEET: LazyLock<String> = LazyLock::new(|| {
        let mut sheet = String::new();
        // Writing to a `String` cannot fail.
        let _ = variables(&mut sheet, true, |colour| format!("light-dark({},{})", colour.light, colour.dark))
            .and_then(|()| rules(&mut sheet, true));
        sheet
    });
    &SHEET
}

/// The style sheet of a drawing that is a file of its own.
pub(super) fn write(out: &mut String, states: bool) -> std::fmt::Result {
    writeln!(out, "<style>")?;
    variables(out, states, |colour| colour.light.to_owned())?;
    writeln!(out, "@media (prefers-color-scheme:dark){{")?;
    variables(out, states, |colour| colour.dark.to_owned())?;
    writeln!(out, "}}")?;
    rules(out, states)?;
    writeln!(out, "</style>")
}

/// The colours that a drawing uses.
fn colours(states: bool) -> impl Iterator<Item = Colour> {
    PARTS.into_iter().chain(FAMILIES.into_iter().filter(move |_| states))
}

fn variables(out: &mut String, states: bool, value: impl Fn(Colour) -> String) -> std::fmt::Result {
    write!(out, ".taskflow-dag{{")?;
    for colour in colours(states) {
        write!(out, "--tf-{}:{};", colour.name, value(colour))?;
    }
    writeln!(out, "}}")
}

fn rules(out: &mut String, states: bool) -> std::fmt::Result {
    let of_states = RULES_OF_STATES.iter().filter(|_| states);
    for (selector, declarations) in RULES.iter().chain(of_states) {
        write!(out, ".taskflow-dag{selector}{{")?;
        for declaration in declarations.split(';') {
            write_declaration(out, declaration)?;
        }
        writeln!(out, "}}")?;
    }
    for family in FAMILIES.iter().filter(|_| states) {
        let marks = STATES.into_iter().filter(|state| Mark::of(state).family == family.name);
        let marks: Vec<String> = marks.map(|state| format!(".taskflow-dag [data-state={state}] .mark")).collect();
        let (name, light) = (family.name, family.light);
        write!(out, "{}{{", marks.join(","))?;
        writeln!(out, "fill:{light};fill:var(--tf-{name});stroke:{light};stroke:var(--tf-{name});}}")?;
    }
    writeln!(out, "@media (forced-colors:active){{")?;
    variables(out, states, |colour| {
        let forced = FORCED.iter().find(|(name, _)| name.is_empty() || *name == colour.name);
        forced.map_or("", |(_, system)| system).to_owned()
    })?;
    writeln!(out, "}}")
}

/// `fill:$chip` as `fill:#eff2f5;fill:var(--tf-chip);`, anything else as it is.
fn write_declaration(out: &mut String, declaration: &str) -> std::fmt::Result {
    let colour = declaration.split_once(":$").and_then(|(property, name)| {
        let colour = PARTS.iter().find(|colour| colour.name == name)?;
        Some((property, colour))
    });
    match colour {
        Some((property, Colour { name, light, .. })) => {
            write!(out, "{property}:{light};{property}:var(--tf-{name});")
        }
        None => write!(out, "{declaration};"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::palette::contrast;

    fn part(name: &str) -> Colour {
        *PARTS.iter().find(|colour| colour.name == name).expect("a part")
    }

    #[test]
    fn text_can_be_read_on_every_ground_that_it_is_on() {
        for (text, ground) in [("ink", "ground"), ("soft", "ground"), ("ink", "chip"), ("soft", "chip")] {
            let (text, ground) = (part(text), part(ground));
            assert!(contrast(text.light, ground.light) >= 4.5, "{text:?}");
            assert!(contrast(text.dark, ground.dark) >= 4.5, "{text:?}");
        }
    }

    #[test]
    fn lines_can_be_seen() {
        for line in [part("edge"), part("order")] {
            assert!(contrast(line.light, GROUND.light) >= 3.0, "{line:?}");
            assert!(contrast(line.dark, GROUND.dark) >= 3.0, "{line:?}");
        }
    }
}
