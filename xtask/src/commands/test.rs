//! `cargo xtask test`: all tests of the project.

use std::num::NonZeroUsize;
use std::thread;

use serde_json::Value;

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

/// The test program of compiler messages. It runs one compiler at a time, with a target directory
/// of its own, and takes longer than all others, so it runs in the background.
const COMPILER_MESSAGES: &str = "ui";

/// Test programs that mostly wait for Java virtual machines. They run in the background as well.
const SPARK: [&str; 2] = ["examples", "spark_cluster"];

/// Runs all tests and counts the results. `words` except `--long` are passed to cargo, as a filter
/// for example.
///
/// The remaining tests run after a failure, so that the count is complete.
pub(crate) fn run_all(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    let workspace = run(words, tally);
    let words: Vec<String> = words.iter().filter(|word| *word != LONG_WORD).cloned().collect();
    both(workspace, heavy(&words, tally))
}

/// Installs what the tests need, and builds the examples, which they start. Cargo builds only the
/// binaries of a package before its tests.
fn prepare() -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;
    clients::ensure()?;
    Step::cargo("example programs", ["build", "--examples"]).args(ALL).run()
}

/// Builds everything that [`run`] runs without words.
pub(crate) fn build() -> Result<(), Failure> {
    prepare()?;
    build_tests()
}

fn build_tests() -> Result<(), Failure> {
    Step::cargo("build of the tests", ["test", "--tests", "--no-run"]).args(ALL).run()
}

/// Runs the tests of the workspace, as [`run_all`] does.
pub(crate) fn run(words: &[String], tally: &mut Tally) -> Result<(), Failure> {
    prepare()?;
    let leaks = LeakCheck::start()?;

    let (long, words): (Vec<&String>, Vec<&String>) = words.iter().partition(|word| *word == LONG_WORD);
    let tests = Step::cargo("tests", ["test", "--no-fail-fast"]).args(ALL);
    let (tests, beside) = match words.is_empty() {
        true => (tests.args(rest()?).arg("--").arg(threads()), beside(&leaks)?),
        // `--tests` includes libraries, binaries and integration tests. `--all-targets` would also
        // run the benchmarks.
        false => (tests.arg("--tests").args(&words), Vec::new()),
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

    // The facade tests the examples of the macros, which need it; `--doc` ignores
    // `doctest = false`.
    let docs = Step::cargo("documentation tests", ["test", "--doc", "--no-fail-fast"])
        .args(ALL)
        .args(["--exclude", "taskflow-macros"])
        .args(words)
        .temporary(leaks.dir())
        .run_counting(tally);
    let tests = beside.into_iter().map(|step| step.finish_counting(tally)).fold(both(tests, docs), both);
    both(tests, leaks.finish())
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

/// Builds all tests, then starts those that run in the background, which would otherwise wait for
/// the build.
fn beside(leaks: &LeakCheck) -> Result<Vec<Started>, Failure> {
    build_tests()?;
    let start = |name: &'static str, programs: &[&str]| {
        let programs = programs.iter().flat_map(|program| ["--test", program]);
        let step = Step::cargo(name, ["test", "--no-fail-fast"]).args(ALL).args(programs).arg("--").arg(threads());
        let log = workspace::target().join(format!("{}.log", name.replace(' ', "-")));
        let started = step.plain().temporary(leaks.dir()).start(log);
        started.map_err(|error| Failure::new(format!("the step `{name}` cannot be started: {error}")))
    };
    Ok(vec![start("compiler messages", &[COMPILER_MESSAGES])?, start("tests with Spark", &SPARK)?])
}

/// Selects all other tests: libraries, and the programs that `--tests` would select.
fn rest() -> Result<Vec<String>, Failure> {
    let metadata = workspace::metadata()?;
    let is_other = |program: &String| program != COMPILER_MESSAGES && !SPARK.contains(&&**program);
    let tests = tested(&metadata, "test").into_iter().filter(is_other).flat_map(|name| ["--test".to_owned(), name]);
    let bins = tested(&metadata, "bin").into_iter().flat_map(|name| ["--bin".to_owned(), name]);
    Ok(["--lib".to_owned()].into_iter().chain(bins).chain(tests).collect())
}

/// The targets of a kind in the workspace that have tests, from `cargo metadata`.
fn tested(metadata: &Value, kind: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages.flat_map(|package| package["targets"].as_array().into_iter().flatten());
    let is_tested = |target: &&Value| {
        target["test"] == true && target["kind"].as_array().is_some_and(|kinds| kinds.contains(&kind.into()))
    };
    targets.filter(is_tested).filter_map(|target| Some(target["name"].as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_program_runs_once() {
        let metadata = workspace::metadata().expect("the workspace is readable");
        let mut all: Vec<String> = ["bin", "test"].iter().flat_map(|kind| tested(&metadata, kind)).collect();
        let rest = rest().expect("the workspace is readable");
        let mut run: Vec<String> = rest.into_iter().filter(|word| !word.starts_with("--")).collect();
        run.push(COMPILER_MESSAGES.to_owned());
        run.extend(SPARK.map(str::to_owned));
        all.sort_unstable();
        run.sort_unstable();
        assert_eq!(run, all);
        assert!(all.contains(&"xtask".to_owned()) && !all.contains(&"pages".to_owned()), "{all:?}");
    }
}
