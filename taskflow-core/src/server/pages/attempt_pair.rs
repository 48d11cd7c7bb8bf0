//! The logs of two attempts of a task side by side.

use crate::journal::normalised;
use crate::log::LogRecord;

/// The most lines of each log that are compared.
pub(crate) const LINES: usize = 2_000;

/// A line of each log; empty where one of them has no such line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairRow {
    pub(crate) left: String,
    pub(crate) right: String,
    /// Whether only one of the logs has it.
    pub(crate) is_only: bool,
}

/// The messages of a log, a line each.
pub(crate) fn texts(records: &[LogRecord]) -> Vec<String> {
    let lines = records.iter().flat_map(|record| record.message.trim_end().lines());
    lines.take(LINES).map(str::to_owned).collect()
}

/// Puts the lines of two logs beside each other: those that differ in numbers only are the same.
///
/// The longest common subsequence, by the table of its lengths: with [`LINES`] lines each, four
/// million small numbers.
pub(crate) fn side_by_side(left: &[String], right: &[String]) -> Vec<PairRow> {
    let keys = |lines: &[String]| lines.iter().map(|line| normalised(line)).collect::<Vec<String>>();
    let (old, new) = (keys(left), keys(right));
    let width = new.len() + 1;
    let mut longest = vec![0_u16; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            longest[i * width + j] = match old[i] == new[j] {
                true => longest[(i + 1) * width + j + 1] + 1,
                false => longest[(i + 1) * width + j].max(longest[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut rows) = (0, 0, Vec::new());
    while i < old.len() || j < new.len() {
        let row = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            PairRow { left: left[i - 1].clone(), right: right[j - 1].clone(), is_only: false }
        } else if j == new.len() || (i < old.len() && longest[(i + 1) * width + j] >= longest[i * width + j + 1]) {
            i += 1;
            PairRow { left: left[i - 1].clone(), right: String::new(), is_only: true }
        } else {
            j += 1;
            PairRow { left: String::new(), right: right[j - 1].clone(), is_only: true }
        };
        rows.push(row);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(of: &[&str]) -> Vec<String> {
        of.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn lines_that_differ_in_numbers_stand_beside_each_other() {
        let left = lines(&["start", "took 3 s", "reset by peer", "end"]);
        let right = lines(&["start", "retrying", "took 41 s", "end"]);
        let rows = side_by_side(&left, &right);
        let shown: Vec<(&str, &str, bool)> = rows.iter().map(|row| (&*row.left, &*row.right, row.is_only)).collect();
        assert_eq!(
            shown,
            [
                ("start", "start", false),
                ("", "retrying", true),
                ("took 3 s", "took 41 s", false),
                ("reset by peer", "", true),
                ("end", "end", false),
            ]
        );
        assert!(side_by_side(&[], &[]).is_empty());
    }
}
