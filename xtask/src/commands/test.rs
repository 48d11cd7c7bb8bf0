//! `cargo xtask test`: every test of the project.

use crate::failure::Failure;
use crate::prerequisites;
use crate::spark;
use crate::step::Step;
use crate::tally::Tally;

/// What every cargo call here shares, so that nothing is compiled twice. The benchmarks have no tests; left in, they would
/// lend the features of their rivals' dependencies to everything under test.
const ALL: [&str; 5] = ["--workspace", "--exclude", "taskflow-benches", "--all-features", "--locked"];

/// Tests that try what chance says look longer with this word. It does not go on to cargo.
const LONG_WORD: &str = "--long";
const LONG: [(&str, &str); 3] =
    [("TASKFLOW_CRASHES", "1000"), ("TASKFLOW_SIMULATIONS", "100000"), ("PROPTEST_CASES", "2000")];

/// Runs every test, adding up the results. `words` go on to cargo: a name to filter by, say; but for `--long`.
///
/// A failed test stops nothing, so that the count is complete.
pub(crate) fn run(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;

    // Tests may start the example programs, and `cargo test --examples` only builds their tests.
    Step::cargo("example programs", ["build", "--examples"]).args(ALL).run()?;

    // `--tests` is everything with `test = true`: libraries, binaries and integration tests.
    // `--all-targets` would run the benchmarks as well.
    let (long, words): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| *word == LONG_WORD);
    let tests = Step::cargo("tests", ["test", "--tests", "--examples", "--no-fail-fast"]).args(ALL).args(&words);
    let tests = match long.is_empty() {
        true => tests,
        false => LONG.into_iter().fold(tests, |tests, (variable, value)| tests.env(variable, value)),
    };
    let tests = tests.run_counting(tally);
    if tests.is_err() && tally.failed == 0 {
        // Nothing was counted as failed: the build broke, and would break here again.
        return tests;
    }

    let docs = Step::cargo("documentation tests", ["test", "--doc", "--no-fail-fast"])
        .args(ALL)
        .args(words)
        .run_counting(tally);
    match (tests, docs) {
        (Err(tests), Err(docs)) => Err(tests.and(docs)),
        (tests, docs) => tests.and(docs),
    }
}
