//! The style sheet of a drawing.
//!
//! Programs that draw SVG but know no variables skip a declaration with `var(..)`; each is
//! therefore written twice, first with the light colour itself.

use std::fmt::Write;

use super::states::COLOURS;

/// Name, light, dark.
const COLOURS_OF_PARTS: [(&str, &str, &str); 11] = [
    ("page", "#ffffff", "#0d1117"),
    ("card", "#ffffff", "#161b22"),
    ("line", "#afb8c1", "#444c56"),
    ("text", "#1f2328", "#e6edf3"),
    ("muted", "#59636e", "#9198a1"),
    ("chip", "#eff2f5", "#262c36"),
    ("edge", "#6e7781", "#8b949e"),
    ("order", "#9aa4af", "#6e7681"),
    ("param", "#9a6700", "#d29922"),
    ("param-ground", "#fff8e5", "#2b2311"),
    ("group", "#d0d7de", "#3d444d"),
];

const RULES: &[(&str, &str)] = &[
    (" .page", "fill:$page"),
    (
        " text",
        "fill:$text;font-family:system-ui,-apple-system,\"Segoe UI\",Roboto,\"Helvetica Neue\",\"DejaVu Sans\",sans-serif;font-size:13px",
    ),
    (" .card", "fill:$card;stroke:$line;stroke-width:1.2"),
    (" .fact,.taskflow-dag .cluster-names text,.taskflow-dag .legend text", "fill:$muted;font-size:11px"),
    (" .chip", "fill:$chip"),
    (" .chip-text", "fill:$muted;font-size:10px"),
    (" .cluster-names text", "font-weight:600"),
    (" .cluster-names rect", "fill:$chip"),
    (" .cluster rect", "fill:$line;fill-opacity:.09;stroke:$group;stroke-width:1"),
    (" .each rect,.taskflow-dag .scope rect,.taskflow-dag .arm rect", "stroke:$line;stroke-dasharray:5 3"),
    (" .param .card", "fill:$param-ground;stroke:$param;stroke-width:1"),
    (" .param text", "font-size:12px"),
    (" .edge", "fill:none;stroke:$edge;stroke-width:1.4"),
    (" .optional", "stroke-dasharray:7 4"),
    (" .outcome", "stroke-dasharray:.1 4;stroke-linecap:round;stroke-width:2"),
    (" .first", "stroke-width:2.6"),
    (" .order", "stroke:$order;stroke-width:1.1"),
    (" .from-param", "stroke:$param;stroke-width:1;stroke-opacity:.75"),
    (" .head", "fill:$edge;stroke:none"),
    (" .head.order", "fill:none;stroke:$order;stroke-width:1.3"),
    (" .head.from-param", "fill:$param"),
];

pub(super) fn write(out: &mut String, states: bool) -> std::fmt::Result {
    writeln!(out, "<style>")?;
    variables(out, "", states, false)?;
    writeln!(out, "@media (prefers-color-scheme:dark){{")?;
    variables(out, "", states, true)?;
    writeln!(out, "}}")?;
    for (selector, declarations) in RULES {
        write!(out, ".taskflow-dag{selector}{{")?;
        for declaration in declarations.split(';') {
            write_declaration(out, declaration)?;
        }
        writeln!(out, "}}")?;
    }
    if states {
        for state in &COLOURS {
            writeln!(out, ".taskflow-dag [data-state={0}]{{--tf-state:var(--tf-{0})}}", state.name)?;
        }
        writeln!(out, ".taskflow-dag .card{{stroke:var(--tf-state,var(--tf-line))}}")?;
        writeln!(out, ".taskflow-dag .tint{{fill:none;fill:var(--tf-state,none);fill-opacity:.13}}")?;
        writeln!(out, ".taskflow-dag .mark{{fill:none;fill:var(--tf-state,none)}}")?;
        writeln!(out, ".taskflow-dag .state{{fill:var(--tf-state,var(--tf-muted));font-size:11px;font-weight:600}}")?;
        writeln!(out, ".taskflow-dag .param{{--tf-state:var(--tf-param)}}")?;
    }
    writeln!(out, "</style>")
}

fn variables(out: &mut String, selector: &str, states: bool, dark: bool) -> std::fmt::Result {
    write!(out, ".taskflow-dag{selector}{{")?;
    for (name, light, dark_colour) in COLOURS_OF_PARTS {
        write!(out, "--tf-{name}:{};", if dark { dark_colour } else { light })?;
    }
    for state in COLOURS.iter().filter(|_| states) {
        write!(out, "--tf-{}:{};", state.name, if dark { state.dark } else { state.light })?;
    }
    writeln!(out, "}}")
}

/// `fill:$card` as `fill:#ffffff;fill:var(--tf-card);`, anything else as it is.
fn write_declaration(out: &mut String, declaration: &str) -> std::fmt::Result {
    let colour = declaration.split_once(":$").and_then(|(property, name)| {
        let (_, light, _) = COLOURS_OF_PARTS.iter().find(|(known, _, _)| *known == name)?;
        Some((property, name, light))
    });
    match colour {
        Some((property, name, light)) => write!(out, "{property}:{light};{property}:var(--tf-{name});"),
        None => write!(out, "{declaration};"),
    }
}
