//! What the lines mean, where there is more than one kind.

use std::fmt::Write;

use super::measure;
use super::measure::SMALL;
use crate::render::view::{EdgeView, Link};

/// The length of the sample of a line.
const SAMPLE: i64 = 34;

pub(super) struct Legend(Vec<Link>);

impl Legend {
    pub(super) fn of(lines: &[&[EdgeView<'_>]]) -> Self {
        let used = |link: &Link| lines.iter().any(|line| line.iter().any(|edge| edge.kind == *link));
        let used: Vec<Link> = Link::ALL.into_iter().filter(used).collect();
        Legend(if used.len() > 1 { used } else { Vec::new() })
    }

    /// Its width and height.
    pub(super) fn size(&self) -> (i64, i64) {
        let width = self.0.iter().map(|link| SAMPLE + 30 + measure::width(link.meaning(), SMALL)).sum();
        (width, if self.0.is_empty() { 0 } else { 44 })
    }

    pub(super) fn write(&self, out: &mut String, below: i64) -> std::fmt::Result {
        if self.0.is_empty() {
            return Ok(());
        }
        let y = below + 36;
        let mut x = 0;
        writeln!(out, "<g class=\"legend\">")?;
        for link in &self.0 {
            let end = x + SAMPLE;
            writeln!(
                out,
                "<path class=\"edge {0}\" d=\"M{x} {y}H{1}\"/><path class=\"head {0}\" d=\"{2}\"/><text x=\"{3}\" y=\"{4}\">{5}</text>",
                link.name(),
                end - 6,
                super::edges::head(*link, end, y),
                end + 8,
                y + 4,
                link.meaning(),
            )?;
            x = end + 30 + measure::width(link.meaning(), SMALL);
        }
        writeln!(out, "</g>")
    }
}
