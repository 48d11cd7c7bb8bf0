//! `cargo xtask test`: every test of the project.

use crate::failure::Failure;
use crate::heavy;
use crate::leavings::Leavings;
use crate::prerequisites;
use crate::spark;
use crate::step::{Started, Step};
use crate::tally::Tally;
use crate::workspace;

/// What every cargo call here shares, so that nothing is compiled twice. The benchmarks have no tests; left in, they would
/// lend the features of their rivals' dependencies to everything under test.
const ALL: [&str; 5] = ["--workspace", "--exclude", "taskflow-benches", "--all-features", "--locked"];

/// Tests that try what chance says look longer with this word. It does not go on to cargo.
const LONG_WORD: &str = "--long";
const LONG: [(&str, &str); 3] =
    [("TASKFLOW_CRASHES", "1000"), ("TASKFLOW_SIMULATIONS", "100000"), ("PROPTEST_CASES", "2000")];

/// The tests of compiler messages: they run compilers, one at a time, in a target directory of their own, and take longer than all
/// others together. So they run beside those.
const COMPILERS: [&str; 2] = ["wrong_programs_are_explained", "right_programs_compile_and_run"];

/// Runs every test, adding up the results. `words` go on to cargo: a name to filter by, say; but for `--long`.
///
/// A failed test stops nothing, so that the count is complete.
pub(crate) fn run_all(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let workspace = run(words, tally);
    let words: Vec<String> = words.iter().filter(|word| *word != LONG_WORD).cloned().collect();
    both(workspace, heavy(&words, tally))
}

/// Runs the tests of the workspace, as [`run_all`] does.
pub(crate) fn run(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;

    // Tests start the examples. Cargo builds the binaries of a package before its tests, but not these.
    Step::cargo("example programs", ["build", "--examples"]).args(ALL).run()?;
    let leavings = Leavings::watch()?;

    // `--tests` is everything with `test = true`: libraries, binaries and integration tests. Examples have no tests, and
    // `--all-targets` would run the benchmarks as well.
    let (long, words): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| *word == LONG_WORD);
    let tests = Step::cargo("tests", ["test", "--tests", "--no-fail-fast"]).args(ALL).args(&words);
    let (tests, compilers) = match words.is_empty() {
        true => {
            (tests.arg("--").args(COMPILERS.into_iter().flat_map(|test| ["--skip", test])), Some(compilers(&leavings)?))
        }
        false => (tests, None),
    };
    let tests = match long.is_empty() {
        true => tests,
        false => LONG.into_iter().fold(tests, |tests, (variable, value)| tests.env(variable, value)),
    };
    let tests = tests.temporary(leavings.dir()).run_counting(tally);
    if tests.is_err() && tally.failed == 0 {
        // Nothing was counted as failed: the build broke, and would break here again.
        return tests;
    }
    let compilers = compilers.map_or(Ok(()), |step| step.finish_counting(tally));
    let tests = both(tests, compilers);

    let docs = Step::cargo("documentation tests", ["test", "--doc", "--no-fail-fast"])
        .args(ALL)
        .args(words)
        .temporary(leavings.dir())
        .run_counting(tally);
    both(both(tests, docs), leavings.look())
}

/// The tests of the packages that are workspaces of their own; `words` go on to cargo.
pub(crate) fn heavy(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let leavings = Leavings::watch()?;
    let tests = heavy::tests(words).map(|step| step.temporary(leavings.dir()).run_counting(tally)).fold(Ok(()), both);
    both(tests, leavings.look())
}

/// Success if both are, else what failed.
fn both(one: Result<(), Failure>, other: Result<(), Failure>) -> Result<(), Failure> {
    match (one, other) {
        (Err(one), Err(other)) => Err(one.and(other)),
        (one, other) => one.and(other),
    }
}

/// Builds all tests, and starts those of [`COMPILERS`] when nobody needs the target directory any more.
fn compilers(leavings: &Leavings) -> Result<Started, Failure> {
    Step::cargo("building the tests", ["test", "--tests", "--no-run"]).args(ALL).run()?;
    let log = workspace::root().join("target/compiler-messages.log");
    let step = Step::cargo("compiler messages", ["test", "--test", "ui"]).args(ALL).plain().temporary(leavings.dir());
    step.start(log).map_err(|error| Failure::new(format!("the tests of compiler messages cannot be started: {error}")))
}
