//! Lines with their heads.

use std::collections::HashSet;
use std::fmt::Write;

use super::write::{escape, half};
use crate::render::layout::{Direction, Layout, Point, Step};
use crate::render::view::{EdgeView, Endpoint, Link};

/// How long a head is.
const HEAD: i64 = 8;

/// Half the distance between lines of different kinds that join the same two nodes.
const APART: i64 = 3;

/// How round the corners of branches are.
const ROUND: i64 = 9;

pub(super) fn write(out: &mut String, lines: &[&[EdgeView<'_>]], layout: &Layout) -> std::fmt::Result {
    let mut heads = HashSet::new();
    for (line, steps) in lines.iter().zip(&layout.edges) {
        let Some(last) = steps.last() else { continue };
        for (edge, place) in line.iter().zip(0..) {
            let shift = APART * (2 * place - (line.len() as i64 - 1));
            let (from, classes) = match edge.from {
                Endpoint::Task(task) => (task.id, edge.kind.name().to_owned()),
                Endpoint::Param(param) => (param.id, format!("{} from-param", edge.kind.name())),
            };
            let rule = edge.special_rule().map(|rule| format!(", {rule}")).unwrap_or_default();
            writeln!(
                out,
                "<path class=\"edge {classes}\" data-from=\"{0}\" data-to=\"{1}\" d=\"{2}\">\
                 <title>{0} \u{2192} {1} ({3}{rule})</title></path>",
                escape(from),
                escape(edge.to.id),
                path(steps, shift, layout.direction),
                edge.kind.name(),
            )?;
            // Lines that end in one place share one head.
            let tip = last.end();
            if heads.insert((tip, shift, classes.clone())) {
                let shape = match layout.direction {
                    Direction::Right => head(edge.kind, tip.x, tip.y + shift),
                    Direction::Down => head_down(edge.kind, tip.x + shift, tip.y),
                };
                writeln!(out, "<path class=\"head {classes}\" d=\"{shape}\"/>")?;
            }
        }
    }
    Ok(())
}

/// A closed triangle where a value arrives, an open one where only order does.
pub(super) fn head(kind: Link, x: i64, y: i64) -> String {
    match kind {
        Link::Order => format!("M{} {}l5 4l-5 4", x - 6, y - 4),
        Link::Required | Link::Optional | Link::Outcome | Link::First => {
            format!("M{} {}l{HEAD} 4l-{HEAD} 4z", x - HEAD, y - 4)
        }
    }
}

/// The same for lines from top to bottom.
fn head_down(kind: Link, x: i64, y: i64) -> String {
    match kind {
        Link::Order => format!("M{} {}l4 5l4-5", x - 4, y - 6),
        Link::Required | Link::Optional | Link::Outcome | Link::First => {
            format!("M{} {}l4 {HEAD}l4-{HEAD}z", x - 4, y - HEAD)
        }
    }
}

/// The line as a path.
fn path(steps: &[Step], shift: i64, direction: Direction) -> String {
    match direction {
        Direction::Right => path_right(steps, shift),
        Direction::Down => path_down(steps, shift),
    }
}

fn path_down(steps: &[Step], shift: i64) -> String {
    let mut out = String::new();
    let mut at = Point::default();
    for (place, step) in steps.iter().enumerate() {
        let mut end = step.end();
        if place + 1 == steps.len() {
            // The head covers the rest.
            end.y -= HEAD - 2;
        }
        let x = end.x + shift;
        // Writing to a `String` cannot fail.
        let _ = match step {
            Step::Start(_) => write!(out, "M{x} {}", end.y),
            Step::Line(_) => write!(out, "V{}", end.y),
            Step::Curve(_) => {
                let middle = half(at.y + end.y);
                write!(out, "C{} {middle} {x} {middle} {x} {}", at.x + shift, end.y)
            }
            Step::Branch { trunk, .. } => {
                let from = at.x + shift;
                let round = ROUND.min((x - from).abs() / 2).min(trunk - at.y).min(end.y - trunk).max(0);
                let aside = round * (x - from).signum();
                write!(
                    out,
                    "V{}Q{from} {trunk} {} {trunk}H{}Q{x} {trunk} {x} {}V{}",
                    trunk - round,
                    from + aside,
                    x - aside,
                    trunk + round,
                    end.y
                )
            }
        };
        at = end;
    }
    out
}

fn path_right(steps: &[Step], shift: i64) -> String {
    let mut out = String::new();
    let mut at = Point::default();
    for (place, step) in steps.iter().enumerate() {
        let mut end = step.end();
        if place + 1 == steps.len() {
            // The head covers the rest.
            end.x -= HEAD - 2;
        }
        let y = end.y + shift;
        // Writing to a `String` cannot fail.
        let _ = match step {
            Step::Start(_) => write!(out, "M{} {y}", end.x),
            Step::Line(_) => write!(out, "H{}", end.x),
            Step::Curve(_) => {
                let middle = half(at.x + end.x);
                write!(out, "C{middle} {} {middle} {y} {} {y}", at.y + shift, end.x)
            }
            Step::Branch { trunk, .. } => {
                let from = at.y + shift;
                let round = ROUND.min((y - from).abs() / 2).min(trunk - at.x).min(end.x - trunk).max(0);
                let down = round * (y - from).signum();
                write!(
                    out,
                    "H{}Q{trunk} {from} {trunk} {}V{}Q{trunk} {y} {} {y}H{}",
                    trunk - round,
                    from + down,
                    y - down,
                    trunk + round,
                    end.x
                )
            }
        };
        at = end;
    }
    out
}
