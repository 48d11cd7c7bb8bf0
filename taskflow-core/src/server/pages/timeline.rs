//! The time axis of a run: when its tasks waited, ran and were retried, in thousandths of its
//! duration.

use super::marks::Mark;
use super::times::{Clock, millis_between, took};
use crate::base::Timestamp;
use crate::journal::{RunHistory, TaskHistory};

/// The width of the axis.
const WIDTH: u64 = 1000;
/// The least width of an attempt: one that took a millisecond is still seen.
const LEAST: u64 = 4;

/// The time axis of a run.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    start: Timestamp,
    millis: u64,
    pub(crate) ticks: Vec<Tick>,
}

/// A mark on the axis.
#[derive(Clone, Debug)]
pub(crate) struct Tick {
    pub(crate) x: u64,
    pub(crate) words: String,
}

impl Tick {
    /// Where it is, as an attribute of SVG.
    pub(crate) fn percent(&self) -> String {
        format!("{}.{}%", self.x / 10, self.x % 10)
    }
}

/// A part of the time of a task.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) x: u64,
    pub(crate) width: u64,
    /// The family of a state, `gap` between two attempts, or `room` before the first one.
    pub(crate) class: &'static str,
    pub(crate) title: String,
}

impl Axis {
    pub(crate) fn of(history: &RunHistory, clock: &Clock) -> Axis {
        let begins = history.tasks.iter().filter_map(|task| task.attempts.first().map(|attempt| attempt.started));
        let start = begins.chain(history.started()).min().unwrap_or(history.created);
        let ends = history.tasks.iter().filter_map(|task| task.attempts.last()?.ended);
        let end = match history.state.is_terminal() {
            true => ends.chain(history.ended).max().unwrap_or(start).to_jiff(),
            false => clock.now,
        };
        let millis = millis_between(start.to_jiff(), end).max(1);
        Axis { start, millis, ticks: ticks(millis) }
    }

    fn place(&self, at: Timestamp) -> u64 {
        (millis_between(self.start.to_jiff(), at.to_jiff()) * WIDTH / self.millis).min(WIDTH)
    }

    /// The attempts of a task and the gaps between them, after the time from when it was ready to
    /// its first attempt.
    pub(crate) fn segments(&self, task: &TaskHistory, ready: Option<Timestamp>, clock: &Clock) -> Vec<Segment> {
        let mut segments = Vec::new();
        if let (Some(ready), Some(first)) = (ready, task.attempts.first()) {
            let (from, to) = (self.place(ready), self.place(first.started));
            if to > from + LEAST {
                let title =
                    format!("waited {} for room", took(millis_between(ready.to_jiff(), first.started.to_jiff())));
                segments.push(Segment { x: from, width: to - from, class: "room", title });
            }
        }
        let mut before: Option<Timestamp> = None;
        for attempt in &*task.attempts {
            if let Some(ended) = before {
                let (from, to) = (self.place(ended), self.place(attempt.started));
                if to > from {
                    let waited = took(millis_between(ended.to_jiff(), attempt.started.to_jiff()));
                    let title = format!("waited {waited} before attempt {}", attempt.number);
                    segments.push(Segment { x: from, width: to - from, class: "gap", title });
                }
            }
            let end = attempt.ended.map_or(clock.now, Timestamp::to_jiff);
            let x = self.place(attempt.started).min(WIDTH - LEAST);
            let duration = millis_between(attempt.started.to_jiff(), end);
            let width = (duration * WIDTH / self.millis).clamp(LEAST, WIDTH - x);
            let mark = Mark::of(attempt.state.name());
            let title = format!("attempt {}: {}, {}", attempt.number, mark.words, took(duration));
            segments.push(Segment { x, width, class: mark.family, title });
            before = attempt.ended;
        }
        segments
    }
}

/// Up to five marks at round times.
fn ticks(millis: u64) -> Vec<Tick> {
    const STEPS: [u64; 24] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000,
        600_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000,
    ];
    let step = STEPS.into_iter().find(|step| millis / step <= 4).unwrap_or(millis.div_ceil(4));
    (0..=millis / step).map(|at| Tick { x: at * step * WIDTH / millis, words: tick_words(at * step) }).collect()
}

fn tick_words(millis: u64) -> String {
    match millis {
        0 => "0".to_owned(),
        1..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{} s", millis / 1_000),
        60_000..3_600_000 if millis.is_multiple_of(60_000) => format!("{} min", millis / 60_000),
        3_600_000.. if millis.is_multiple_of(3_600_000) => format!("{} h", millis / 3_600_000),
        _ => took(millis),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_few() {
        for millis in [1, 7, 90, 1_500, 61_000, 3_700_000, 900_000_000] {
            let ticks = ticks(millis);
            assert!((1..=5).contains(&ticks.len()) && ticks.iter().all(|tick| tick.x <= WIDTH), "{millis}: {ticks:?}");
        }
        let words: Vec<String> = ticks(118_000).into_iter().map(|tick| tick.words).collect();
        assert_eq!(words, ["0", "30 s", "1 min", "1 m 30 s"]);
    }
}
