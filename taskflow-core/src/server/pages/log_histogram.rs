//! The lines of a log over time, as bars that lead to them.

use super::times::took;
use crate::log::LogHistogram;

/// The height of the picture, and the width of a bar with the gap after it.
const HEIGHT: usize = 40;
const STEP: usize = 10;
/// A log with fewer lines is seen at a glance, and one of fewer bins is over at once.
const LINES: usize = 20;
const BINS: usize = 8;

/// The picture.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) width: usize,
    pub(super) bars: Vec<Bar>,
    /// What it shows, in words.
    pub(super) words: String,
    /// How long the log is.
    pub(super) end: String,
}

/// A bar: the lines of a span of time.
#[derive(Debug)]
pub(super) struct Bar {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) height: usize,
    /// Whether errors are among them: they are marked from the top to the bottom.
    pub(super) has_errors: bool,
    pub(super) title: String,
    pub(super) href: String,
}

impl Picture {
    /// The picture of a log with so many lines; `None` if it would show nothing. `href` is the
    /// address of a line, by its number from 1.
    pub(super) fn of(histogram: &LogHistogram, total: usize, href: impl Fn(usize) -> String) -> Option<Picture> {
        let bins = histogram.bins();
        if total < LINES || bins.len() < BINS {
            return None;
        }
        let most = bins.iter().map(|bin| bin.lines).max().unwrap_or(1).max(1);
        let time = |bins: usize| took(histogram.width().saturating_mul(bins as u64));
        let bars = bins.iter().enumerate().filter(|(_, bin)| bin.lines > 0).map(|(at, bin)| {
            // Few lines are seen beside many.
            let height = ((bin.lines as f64 / most as f64).sqrt() * HEIGHT as f64) as usize;
            let height = height.clamp(2, HEIGHT);
            let errors = match bin.errors {
                0 => String::new(),
                1 => ", 1 error".to_owned(),
                errors => format!(", {errors} errors"),
            };
            let lines = if bin.lines == 1 { "1 line".to_owned() } else { format!("{} lines", bin.lines) };
            Bar {
                x: at * STEP,
                y: HEIGHT - height,
                height,
                has_errors: bin.errors > 0,
                title: format!("after {}: {lines}{errors}", time(at)),
                href: href(if bin.errors > 0 { bin.first_error } else { bin.first } + 1),
            }
        });
        let bars: Vec<Bar> = bars.collect();
        let errors: usize = bins.iter().map(|bin| bin.errors).sum();
        let end = time(bins.len());
        Some(Picture { width: bins.len() * STEP, bars, words: format!("{total} lines in {end}, {errors} errors"), end })
    }
}
