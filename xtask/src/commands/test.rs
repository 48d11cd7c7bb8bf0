//! `cargo xtask test`: all tests of the project.

use std::num::NonZeroUsize;
use std::thread;

use crate::clients;
use crate::failure::Failure;
use crate::heavy;
use crate::leak_check::LeakCheck;
use crate::prerequisites;
use crate::spark;
use crate::step::{Started, Step};
use crate::tally::Tally;
use crate::workspace;

/// The arguments of every cargo call here, so that nothing is compiled twice. The benchmarks have
/// no tests, and their dependencies would enable further features of crates under test.
const ALL: [&str; 5] = ["--workspace", "--exclude", "taskflow-benches", "--all-features", "--locked"];

/// Makes randomized tests run longer. It is not passed to cargo.
const LONG_WORD: &str = "--long";
const LONG: [(&str, &str); 5] = [
    ("TASKFLOW_CRASHES", "1000"),
    ("TASKFLOW_SIMULATIONS", "100000"),
    ("TASKFLOW_SERVICES", "100000"),
    ("TASKFLOW_TIMETABLES", "1"),
    ("PROPTEST_CASES", "2000"),
];

/// Many tests wait for other processes or for a time, so fewer cores have room for as many tests.
const THREADS: usize = 4;

/// The tests of compiler messages. They run one compiler at a time, with their own target
/// directory, and take longer than all other tests together, so they run in the background.
const COMPILERS: [&str; 2] = ["invalid_programs_are_explained", "valid_programs_compile_and_run"];

/// Runs all tests and counts the results. `words` except `--long` are passed to cargo, as a filter
/// for example.
///
/// The remaining tests run after a failure, so that the count is complete.
pub(crate) fn run_all(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let workspace = run(words, tally);
    let words: Vec<String> = words.iter().filter(|word| *word != LONG_WORD).cloned().collect();
    both(workspace, heavy(&words, tally))
}

/// Runs the tests of the workspace, as [`run_all`] does.
pub(crate) fn run(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;
    clients::ensure()?;

    // Tests start the examples. Cargo builds only the binaries of a package before its tests.
    Step::cargo("example programs", ["build", "--examples"]).args(ALL).run()?;
    let leaks = LeakCheck::start()?;

    // `--tests` includes libraries, binaries and integration tests. `--all-targets` would also run
    // the benchmarks.
    let (long, words): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| *word == LONG_WORD);
    let tests = Step::cargo("tests", ["test", "--tests", "--no-fail-fast"]).args(ALL).args(&words);
    let (tests, compilers) = match words.is_empty() {
        true => {
            let skipped = COMPILERS.into_iter().flat_map(|test| ["--skip", test]);
            (tests.arg("--").arg(threads()).args(skipped), Some(compilers(&leaks)?))
        }
        false => (tests, None),
    };
    let tests = match long.is_empty() {
        true => tests,
        false => LONG.into_iter().fold(tests.silent(), |tests, (variable, value)| tests.env(variable, value)),
    };
    let tests = tests.temporary(leaks.dir()).run_counting(tally);
    if tests.is_err() && tally.failed == 0 {
        // No test failed, so the build did, and the next steps would fail likewise.
        return tests;
    }
    let compilers = compilers.map_or(Ok(()), |step| step.finish_counting(tally));
    let tests = both(tests, compilers);

    // The facade tests the examples of the macros, which need it; `--doc` ignores
    // `doctest = false`.
    let docs = Step::cargo("documentation tests", ["test", "--doc", "--no-fail-fast"])
        .args(ALL)
        .args(["--exclude", "taskflow-macros"])
        .args(words)
        .temporary(leaks.dir())
        .run_counting(tally);
    both(both(tests, docs), leaks.finish())
}

/// Runs the tests of the packages with a workspace of their own. `words` are passed to cargo.
pub(crate) fn heavy(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let leaks = LeakCheck::start()?;
    let tests = heavy::tests(words).map(|step| step.temporary(leaks.dir()).run_counting(tally)).fold(Ok(()), both);
    both(tests, leaks.finish())
}

/// How many tests run at a time: one a core, and at least [`THREADS`].
fn threads() -> String {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    format!("--test-threads={}", cores.max(THREADS))
}

/// Combines two results. The error contains the failures of both.
fn both(one: Result<(), Failure>, other: Result<(), Failure>) -> Result<(), Failure> {
    match (one, other) {
        (Err(one), Err(other)) => Err(one.and(other)),
        (one, other) => one.and(other),
    }
}

/// Builds all tests, then starts those of [`COMPILERS`], which would otherwise wait for the build.
fn compilers(leaks: &LeakCheck) -> Result<Started, Failure> {
    Step::cargo("build of the tests", ["test", "--tests", "--no-run"]).args(ALL).run()?;
    let log = workspace::target().join("compiler-messages.log");
    let step = Step::cargo("compiler messages", ["test", "--test", "ui"]).args(ALL).plain().temporary(leaks.dir());
    step.start(log).map_err(|error| Failure::new(format!("the tests of compiler messages cannot be started: {error}")))
}
