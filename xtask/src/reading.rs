//! Counts test results in the output of cargo.
//!
//! A test program announces `running 3 tests` and ends with a `test result:` line. Rustdoc does the
//! same for each group of documentation tests. These lines cover every kind of test without a tool
//! other than cargo.
//!
//! Two cases need care. A program that crashes prints no result; it counts as one failure. And the
//! output of a failed test may contain such lines itself (if it runs cargo, for example); these do
//! not count. Only later output distinguishes the two cases, so announcements stay on a stack until
//! a result with their number of tests follows.

use crate::tally::Tally;

/// Reads one stream, which arrives in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// The start of a line whose end has not arrived.
    line: Vec<u8>,
    /// The results of programs that have ended.
    counted: Tally,
    /// Programs without a result so far, the innermost last.
    open: Vec<Open>,
}

/// A program that was announced and has no result yet.
#[derive(Debug)]
struct Open {
    tests: u64,
    /// Results since its announcement. A test of it printed them if it ends; if it crashed, they
    /// are those of the following programs.
    since: Tally,
}

impl Reading {
    /// Reads the next piece of output.
    pub(crate) fn feed(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Ends the output, which may end within a line.
    pub(crate) fn end(&mut self) {
        self.end_line();
    }

    /// The results, if the output ends here: programs without a result have crashed.
    pub(crate) fn tally(&self) -> Tally {
        let mut tally = self.counted;
        for crashed in &self.open {
            tally += crashed.since;
            tally.failed += 1;
        }
        tally
    }

    fn end_line(&mut self) {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&bytes);
        let line = line.trim_end();
        if let Some(tests) = announcement(line) {
            let since = Tally::default();
            self.open.push(Open { tests, since });
        } else if let Some(result) = Outcome::read(line) {
            self.close(&result);
        }
    }

    fn close(&mut self, result: &Outcome) {
        let program = self.open.iter().rposition(|open| open.tests == result.tests());
        match program {
            // Its tests printed all announcements and results since.
            Some(index) => self.open.truncate(index),
            // A test of the open program printed it.
            None if !self.open.is_empty() => return,
            // A harness without announcements printed it.
            None => {}
        }
        match self.open.last_mut() {
            Some(outer) => outer.since += result.tally,
            None => self.counted += result.tally,
        }
    }
}

/// Parses `running 3 tests`.
fn announcement(line: &str) -> Option<u64> {
    let (tests, word) = line.strip_prefix("running ")?.split_once(' ')?;
    matches!(word, "test" | "tests").then(|| tests.parse().ok())?
}

/// A parsed `test result:` line.
struct Outcome {
    tally: Tally,
    measured: u64,
}

impl Outcome {
    /// Parses a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ..`.
    ///
    /// Tests that a filter excludes do not count as skipped.
    fn read(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("test result: ")?;
        let count = |what: &str| {
            rest.split(';').find_map(|part| {
                let mut words = part.split_whitespace().rev();
                (words.next() == Some(what)).then(|| words.next()?.parse().ok())?
            })
        };
        Some(Self {
            tally: Tally { passed: count("passed")?, failed: count("failed")?, skipped: count("ignored")? },
            measured: count("measured").unwrap_or(0),
        })
    }

    /// The number of tests in the announcement of the program.
    fn tests(&self) -> u64 {
        self.tally.passed + self.tally.failed + self.tally.skipped + self.measured
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally { passed, failed, skipped }
    }

    fn read(output: &str) -> Tally {
        let mut reading = Reading::default();
        reading.feed(output.as_bytes());
        reading.end();
        reading.tally()
    }

    #[test]
    fn a_passing_result_is_read() {
        let line = "test result: ok. 12 passed; 0 failed; 3 ignored; 0 measured; 0 filtered out; finished in 0.02s";
        assert_eq!(read(line), tally(12, 0, 3));
    }

    #[test]
    fn a_failing_result_is_read() {
        let line = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(read(line), tally(1, 2, 0));
    }

    #[test]
    fn a_coloured_result_is_read() {
        let line = "test result: \u{1b}[32mok\u{1b}(B\u{1b}[m. 5 passed; 0 failed; 0 ignored; 0 measured";
        assert_eq!(read(line), tally(5, 0, 0));
    }

    #[test]
    fn filtered_tests_are_not_skipped_tests() {
        let output = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 40 filtered out";
        assert_eq!(read(output), tally(0, 0, 0));
    }

    #[test]
    fn other_lines_do_not_count() {
        for line in [
            "",
            "running late",
            "running many tests",
            "running 3 testers",
            "test reading::tests::reads ... ok",
            "test result: ",
            "test result: ok. many passed; 0 failed; 0 ignored",
            "    test result: ok. 1 passed; 0 failed; 0 ignored",
            "the test result: ok. 1 passed; 0 failed; 0 ignored",
        ] {
            assert_eq!(read(line), tally(0, 0, 0), "{line:?}");
        }
    }

    #[test]
    fn results_of_many_programs_add_up_for_any_size_of_pieces() {
        let output = "\
running 2 tests\r
test a ... ok\r
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\r
\u{fffd} noise
running 6 tests
test result: FAILED. 1 passed; 1 failed; 4 ignored; 0 measured; 0 filtered out
running 1 test
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 7 filtered out";

        for size in [1, 2, 7, 64, output.len()] {
            let mut reading = Reading::default();
            for piece in output.as_bytes().chunks(size) {
                reading.feed(piece);
            }
            reading.end();
            assert_eq!(reading.tally(), tally(4, 1, 4), "pieces of {size}");
        }
    }

    #[test]
    fn invalid_utf8_does_not_hide_a_result() {
        let mut reading = Reading::default();
        reading.feed(b"\xff\xfe\ntest result: ok. 1 passed; 0 failed; 0 ignored\n");
        assert_eq!(reading.tally(), tally(1, 0, 0));
    }

    #[test]
    fn a_program_that_crashes_is_one_failure() {
        let output = "\
running 5 tests
test a ... ok
running 7 tests
test result: ok. 7 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
running 9 tests
";
        assert_eq!(read(output), tally(7, 2, 0));
    }

    #[test]
    fn a_result_printed_by_a_failed_test_does_not_count() {
        let output = "\
running 2 tests
---- prints stdout ----
test result: ok. 100 passed; 0 failed; 0 ignored
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
";
        assert_eq!(read(output), tally(1, 1, 0));
    }

    #[test]
    fn a_whole_run_printed_by_a_failed_test_does_not_count() {
        let output = "\
running 2 tests
---- runs_cargo stdout ----
running 3 tests
test result: FAILED. 0 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out
running 4 tests
test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out
running 1 test
test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";
        assert_eq!(read(output), tally(2, 1, 0));
    }

    #[test]
    fn a_harness_without_announcements_counts() {
        let output = "\
test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out
";
        assert_eq!(read(output), tally(7, 0, 0));
    }
}
