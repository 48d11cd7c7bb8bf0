//! A node: a card for a task, a pill for a parameter.

use std::fmt::Write;

use super::measure;
use super::measure::{NORMAL, SMALL, TINY};
use super::write::{escape, half};
use crate::render::facts::facts;
use crate::render::layout::Rect;
use crate::render::palette::{self, Mark};
use crate::render::text;
use crate::render::view::{ArgValue, Endpoint, NodeView, ParamView};

/// The widest a name may be.
const NAME: i64 = 210;
/// The widest a row of facts may be.
const ROW: i64 = 240;
/// Between the sides of a card and what is in it.
const SIDE: i64 = 12;
/// Between the chips of a row.
const BETWEEN: i64 = 4;
/// What a chip is wider than its text.
const CHIP: i64 = 10;
/// The narrowest card.
const NARROWEST: i64 = 76;

pub(super) struct Card<'v> {
    pub(super) width: i64,
    pub(super) height: i64,
    of: Of<'v>,
    name: String,
    /// The second row: texts with their widths.
    row: Vec<(String, i64)>,
}

enum Of<'v> {
    Task { node: &'v NodeView<'v>, state: Option<&'v str> },
    Param(&'v ParamView<'v>),
}

/// The width of the longest state in words, for which every card has room when states are shown.
const STATE: i64 = 100;
/// The width of the band with the mark at the left side of a card.
const BAND: i64 = 26;
/// The size of a glyph, whose shapes are in a square of 16 units.
const GLYPH: i64 = 20;

/// The heights of cards with one to three rows.
const HEIGHTS: [i64; 3] = [34, 52, 68];

impl<'v> Card<'v> {
    pub(super) fn task(node: &'v NodeView<'v>, state: Option<&'v str>, result: bool) -> Self {
        let name = measure::cut(node.label, NORMAL, NAME);
        let mut facts = facts(node);
        if result {
            facts.push("result".to_owned());
        }
        let row = row(facts, ROW);
        let row_width = row.iter().map(|(_, width)| width + BETWEEN).sum::<i64>() - BETWEEN;
        let (state_width, band) = if state.is_some() { (STATE, BAND) } else { (0, 0) };
        let width = band + measure::width(&name, NORMAL).max(row_width).max(state_width) + 2 * SIDE;
        let height = HEIGHTS[usize::from(state.is_some()) + usize::from(!row.is_empty())];
        Card { width: width.max(NARROWEST), height, of: Of::Task { node, state }, name, row }
    }

    pub(super) fn param(param: &'v ParamView<'v>) -> Self {
        let name = measure::cut(param.name, SMALL + 1, NAME);
        let width = measure::width(&name, SMALL + 1) + 2 * SIDE;
        Card { width: width.max(48), height: 26, of: Of::Param(param), name, row: Vec::new() }
    }

    pub(super) fn is_task(&self) -> bool {
        matches!(self.of, Of::Task { .. })
    }

    pub(super) fn cluster(&self) -> Option<u32> {
        match &self.of {
            Of::Task { node, .. } => node.cluster,
            Of::Param(_) => None,
        }
    }

    pub(super) fn write(&self, out: &mut String, rect: &Rect) -> std::fmt::Result {
        match &self.of {
            Of::Task { node, state } => self.write_task(out, rect, node, *state),
            Of::Param(param) => self.write_param(out, rect, param),
        }
    }

    fn write_task(&self, out: &mut String, rect: &Rect, node: &NodeView<'_>, state: Option<&str>) -> std::fmt::Result {
        let Rect { x, y, width, height } = rect;
        write!(out, "<g class=\"task\" data-task=\"{}\"", escape(node.id))?;
        if let Some(state) = state {
            write!(out, " data-state=\"{}\"", escape(state))?;
        }
        write!(out, " transform=\"translate({x} {y})\"><title>{}</title>", escape(&about_task(node, state)))?;
        write!(out, "<rect class=\"card\" width=\"{width}\" height=\"{height}\" rx=\"7\"/>")?;
        let mark = state.map(Mark::of);
        if let Some(mark) = mark {
            let (x, y) = ((BAND - GLYPH) / 2, half(height - GLYPH));
            write!(out, "<path class=\"mark\" d=\"M{BAND} 0H7a7 7 0 0 0-7 7V{}a7 7 0 0 0 7 7H{BAND}z\"/>", height - 7)?;
            write!(
                out,
                "<g class=\"glyph\" transform=\"translate({x} {y}) scale(1.25)\">{}</g>",
                palette::shapes(mark.glyph)
            )?;
        }
        let left = if mark.is_some() { BAND + SIDE } else { SIDE };
        let mut base = if *height == HEIGHTS[0] { 22 } else { 21 };
        write!(out, "<text x=\"{left}\" y=\"{base}\">{}</text>", escape(&self.name))?;
        if let Some(mark) = mark {
            // A script needs the element even while the text is empty.
            let words = if mark == Mark::of("none") { "" } else { mark.words };
            base += 17;
            write!(out, "<text class=\"state\" x=\"{left}\" y=\"{base}\">{words}</text>")?;
        }
        base += 19;
        let mut at = left;
        for (fact, wide) in &self.row {
            if let Some(task) = fact.strip_prefix("fn ") {
                write!(
                    out,
                    "<text class=\"fact\" x=\"{at}\" y=\"{base}\" font-style=\"italic\">{}</text>",
                    escape(task)
                )?;
            } else {
                write!(
                    out,
                    "<rect class=\"chip\" x=\"{at}\" y=\"{}\" width=\"{wide}\" height=\"15\" rx=\"7.5\"/>",
                    base - 11
                )?;
                write!(out, "<text class=\"chip-text\" x=\"{}\" y=\"{base}\">{}</text>", at + CHIP / 2, escape(fact))?;
            }
            at += wide + BETWEEN;
        }
        writeln!(out, "</g>")
    }

    fn write_param(&self, out: &mut String, rect: &Rect, param: &ParamView<'_>) -> std::fmt::Result {
        let Rect { x, y, width, height } = rect;
        writeln!(
            out,
            "<g class=\"param\" data-param=\"{}\" transform=\"translate({x} {y})\"><title>{}</title>\
             <rect class=\"card\" width=\"{width}\" height=\"{height}\" rx=\"13\"/>\
             <text x=\"{}\" y=\"17\" text-anchor=\"middle\">{}</text></g>",
            escape(param.name),
            escape(&about_param(param)),
            half(*width),
            escape(&self.name),
        )
    }
}

/// As many facts as fit; the others are counted.
fn row(facts: Vec<String>, room: i64) -> Vec<(String, i64)> {
    let count = facts.len();
    let mut row: Vec<(String, i64)> = Vec::new();
    let mut used = 0;
    for (at, fact) in facts.into_iter().enumerate() {
        let (fact, wide) = match fact.strip_prefix("fn ") {
            Some(task) => {
                let task = measure::cut(task, SMALL, room.min(NAME));
                let wide = measure::width(&task, SMALL) + BETWEEN;
                (format!("fn {task}"), wide)
            }
            None => {
                let fact = measure::cut(&fact, TINY, room / 2);
                let wide = measure::width(&fact, TINY) + CHIP;
                (fact, wide)
            }
        };
        // Keeps room for the count, unless this is the last.
        let reserve = if at + 1 < count { 30 } else { 0 };
        if !row.is_empty() && used + wide + reserve > room {
            let rest = format!("+{}", count - at);
            let wide = measure::width(&rest, TINY) + CHIP;
            row.push((rest, wide));
            break;
        }
        used += wide + BETWEEN;
        row.push((fact, wide));
    }
    row
}

/// The tooltip of the card.
fn about_task(node: &NodeView<'_>, state: Option<&str>) -> String {
    let mut lines = vec![node.id.to_owned()];
    lines.extend(state.map(|state| format!("state: {state}")));
    if node.options.get("tasks").is_some() {
        lines.extend(facts(node));
        return lines.join("\n");
    }
    lines.push(match node.built_in {
        true => format!("{} -> {}", node.task, node.output),
        false => format!("{} fn {} -> {}", node.kind, node.task, node.output),
    });
    for arg in &node.args {
        let value = match &arg.value {
            ArgValue::Constant { constant } => text::brief_json(constant, 60),
            ArgValue::Edges { edge, sources, .. } => {
                let names = sources.iter().take(4).map(|source| match source {
                    Endpoint::Task(task) => task.id.to_owned(),
                    Endpoint::Param(param) => format!("${}", param.id),
                });
                let mut names: Vec<String> = names.collect();
                if sources.len() > 4 {
                    names.push(format!("{} more", sources.len() - 4));
                }
                format!("{} ({})", names.join(", "), edge.name())
            }
        };
        lines.push(format!("{}: {} = {value}", arg.name, arg.ty));
    }
    lines.extend(node.options.iter().map(|(name, value)| format!("{name}: {}", text::plain(value))));
    lines.push(node.location.clone());
    lines.extend((!node.description.trim().is_empty()).then(|| format!("\n{}", node.description.trim())));
    lines.join("\n")
}

fn about_param(param: &ParamView<'_>) -> String {
    let mut lines = vec![format!("parameter {}: {}", param.name, param.ty)];
    lines.push(param.default_text().map_or_else(|| "required".to_owned(), |default| format!("default {default}")));
    lines.extend(param.range.map(|range| format!("in {range}")));
    lines.extend((!param.choices.is_empty()).then(|| format!("one of {}", param.choices.join(", "))));
    lines.extend(param.pattern.map(|pattern| format!("matches {pattern}")));
    lines.extend((!param.help.is_empty()).then(|| format!("\n{}", param.help)));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::palette::STATES;

    #[test]
    fn every_state_fits() {
        assert!(STATES.iter().all(|state| measure::width(Mark::of(state).words, SMALL) <= STATE));
    }
}
