//! The number of tests that passed, failed and were skipped.

use std::fmt;
use std::ops::AddAssign;

/// The test results of a command.
///
/// Its `Display` is the last line that `cargo xtask test` and `cargo xtask ci` print. Scripts parse
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_has_the_format_that_scripts_parse() {
        let tally = Tally { passed: 10, failed: 1, skipped: 4 };
        assert_eq!(tally.to_string(), "10 passed, 1 failed, 4 skipped");
    }
}
