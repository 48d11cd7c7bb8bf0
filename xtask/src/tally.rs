//! Reading `test result:` lines, and the closing line they add up to.
//!
//! Every test program prints one such line, and `rustdoc` prints one per group of documentation
//! tests. They are the only count that covers all kinds of test without a tool beyond cargo.

use std::fmt;
use std::ops::AddAssign;

/// How many tests passed, failed and were skipped.
///
/// Its `Display` is the closing line of `cargo xtask test` and `cargo xtask ci`; scripts read it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Tally {
    /// Reads one line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
    ///
    /// Tests that a filter left out were not asked for, so they are not skipped tests.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("test result: ")?;
        let count = |what: &str| {
            rest.split(';').find_map(|part| {
                let mut words = part.split_whitespace().rev();
                (words.next() == Some(what)).then(|| words.next()?.parse().ok())?
            })
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored")?,
        })
    }
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
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Finds the results in output that arrives in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    line: Vec<u8>,
}

impl Scanner {
    /// Takes the next piece of output; gives what the lines that end in it say.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Tally {
        let mut tally = Tally::default();
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                tally += self.end_line();
            }
        }
        tally
    }

    /// What the last line says, if the output stopped in the middle of it.
    pub(crate) fn finish(mut self) -> Tally {
        self.end_line()
    }

    fn end_line(&mut self) -> Tally {
        let result = Tally::read(String::from_utf8_lossy(&self.line).trim_end());
        self.line.clear();
        result.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn a_passing_result_is_read() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 7 filtered out; finished in 0.02s";
        assert_eq!(Tally::read(line), Some(tally(12, 0, 3)));
    }

    #[test]
    fn a_failing_result_is_read() {
        let line = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::read(line), Some(tally(1, 2, 0)));
    }

    #[test]
    fn a_coloured_result_is_read() {
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::read(line), Some(tally(5, 0, 0)));
    }

    #[test]
    fn filtered_tests_are_not_skipped_tests() {
        let line = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 40 filtered out; finished in 0.00s";
        assert_eq!(Tally::read(line), Some(tally(0, 0, 0)));
    }

    #[test]
    fn other_lines_are_no_result() {
        for line in [
            "",
            "running 3 tests",
            "test tally::tests::reads ... ok",
            "test result: ",
            "test result: ok. many passed; 0 failed; 0 ignored",
            "    test result: ok. 1 passed; 0 failed; 0 ignored",
            "the test result: ok. 1 passed; 0 failed; 0 ignored",
        ] {
            assert_eq!(Tally::read(line), None, "{line:?}");
        }
    }

    #[test]
    fn results_of_many_programs_add_up_whatever_the_pieces() {
        let output = "\
running 2 tests\r
test a ... ok\r
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r
\u{fffd} noise
test result: FAILED. 1 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out
test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out";

        for size in [1, 2, 7, 64, output.len()] {
            let mut scanner = Scanner::default();
            let mut sum = Tally::default();
            for piece in output.as_bytes().chunks(size) {
                sum += scanner.feed(piece);
            }
            sum += scanner.finish();
            assert_eq!(sum, tally(10, 1, 4), "pieces of {size}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_a_result() {
        let mut scanner = Scanner::default();
        let output = b"\xff\xfe\ntest result: ok. 1 passed; 0 failed; 0 ignored\n";
        assert_eq!(scanner.feed(output), tally(1, 0, 0));
    }

    #[test]
    fn the_closing_line_is_what_scripts_expect() {
        assert_eq!(
            tally(10, 1, 4).to_string(),
            "10 passed, 1 failed, 4 skipped"
        );
    }
}
