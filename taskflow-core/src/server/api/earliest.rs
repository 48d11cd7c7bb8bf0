//! The first lines of several logs, in the order of time.

use crate::base::Timestamp;

/// The first lines by time of all that are added. It holds twice as many as are wanted: a log may
/// have any number, and is only nearly in the order of time.
#[derive(Debug)]
pub(super) struct Earliest {
    most: usize,
    /// In the order in which they were added, except that a cut has sorted the first ones.
    lines: Vec<(Timestamp, String)>,
    /// The time from which on no further line is among them.
    end: Option<Timestamp>,
}

impl Earliest {
    /// None yet, and at most so many.
    pub(super) fn new(most: usize) -> Self {
        Earliest { most, lines: Vec::new(), end: None }
    }

    /// Whether a line of that time may be among them.
    pub(super) fn takes(&self, at: Timestamp) -> bool {
        self.end.is_none_or(|end| at < end)
    }

    /// Adds a line. Of those with the same time, the one that was added first comes first.
    pub(super) fn add(&mut self, at: Timestamp, line: String) {
        if !self.takes(at) {
            return;
        }
        self.lines.push((at, line));
        if self.lines.len() >= self.most.saturating_mul(2) {
            self.cut();
        }
    }

    /// Sorts them, and leaves out those after the first ones.
    fn cut(&mut self) {
        // Stable, and whatever was kept was added before the rest.
        self.lines.sort_by_key(|(at, _)| *at);
        if self.lines.len() >= self.most {
            self.lines.truncate(self.most);
            self.end = self.lines.last().map(|(at, _)| *at);
        }
    }

    /// The lines, each with a line feed.
    pub(super) fn text(mut self) -> String {
        self.cut();
        let mut text = String::with_capacity(self.lines.iter().map(|(_, line)| line.len() + 1).sum());
        for (_, line) in self.lines {
            text += &line;
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Times that rise, fall, are all the same, or go up and down, for any number of lines.
    #[test]
    fn they_are_the_first_of_all_lines_sorted_by_time() {
        let orders: [fn(u64) -> u64; 4] = [|n| n, |n| 100 - n, |_| 7, |n| n * 37 % 10];
        for order in orders {
            let lines: Vec<(Timestamp, String)> =
                (0..100).map(|n| (Timestamp::EPOCH + Duration::from_secs(order(n)), format!("line {n}"))).collect();
            let mut sorted = lines.clone();
            sorted.sort_by_key(|(at, _)| *at);
            for most in [1, 2, 3, 10, 49, 50, 51, 99, 100, 101, usize::MAX] {
                let mut earliest = Earliest::new(most);
                for (at, line) in &lines {
                    earliest.add(*at, line.clone());
                    assert!(earliest.lines.len() < most.saturating_mul(2));
                }
                let expected: String = sorted.iter().take(most).map(|(_, line)| format!("{line}\n")).collect();
                assert_eq!(earliest.text(), expected, "{most}");
            }
        }
    }
}
