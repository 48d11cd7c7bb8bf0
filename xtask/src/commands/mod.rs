//! The commands, one file each.

mod ci;
mod columns;
mod instructions;
mod layers;
mod links;
mod screenshots;
mod test;

use std::process::ExitCode;

use crate::args::Command;
use crate::clients;
use crate::deny;
use crate::failure::Failure;
use crate::features;
use crate::heavy;
use crate::prerequisites;
use crate::spark;
use crate::step::Step;
use crate::tally::Tally;

/// Runs a command. Returns its exit code.
pub(crate) fn run(command: Command, rest: &[String]) -> ExitCode {
    match command {
        Command::Test => counted(|tally| test::run_all(rest, tally)),
        Command::Ci => counted(ci::run),
        Command::Columns => exit_code(columns::run(rest)),
        Command::Layers => exit_code(layers::run()),
        Command::Links => exit_code(links::run()),
        Command::Features => exit_code(features::run()),
        Command::Heavy => counted(heavy),
        Command::Advisories => exit_code(deny::advisories()),
        Command::Bench => exit_code(bench(rest)),
        Command::Instructions => exit_code(instructions::run(rest)),
        Command::Spark => exit_code(spark::ensure()),
        Command::Clients => exit_code(clients::ensure()),
        Command::Screenshots => exit_code(screenshots::run()),
    }
}

/// The benchmarks are a package of their own, so that no other command builds the libraries they
/// compare with.
fn bench(words: &[String]) -> Result<(), Failure> {
    Step::cargo("benchmarks", ["bench", "--locked", "--package", "taskflow-benches"]).args(words).run()
}

/// The checks of packages with a workspace of their own that `ci` does not include.
fn heavy(tally: &mut Tally) -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;
    for step in heavy::lints() {
        step.run()?;
    }
    heavy::fuzz_targets().run()?;
    for package in heavy::PACKAGES {
        deny::checks_of(package)?.run()?;
    }
    test::heavy(&[], tally)
}

/// Runs a command and prints its test results as the last line.
fn counted(command: impl FnOnce(&mut Tally) -> Result<(), Failure>) -> ExitCode {
    let mut tally = Tally::default();
    let outcome = command(&mut tally);
    if outcome.is_err() {
        tally = with_failure(tally);
    }
    let code = exit_code(outcome);
    println!("\n{tally}");
    code
}

/// Counts a failure outside the tests (a lint, a build error, a crash) as one failed test, so that
/// the last line agrees with the exit status.
fn with_failure(tally: Tally) -> Tally {
    Tally { failed: tally.failed.max(1), ..tally }
}

fn exit_code(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_outside_the_tests_is_counted() {
        let clean = Tally { passed: 9, failed: 0, skipped: 1 };
        assert_eq!(with_failure(clean).to_string(), "9 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn failed_tests_are_not_counted_twice() {
        let broken = Tally { passed: 9, failed: 3, skipped: 0 };
        assert_eq!(with_failure(broken), broken);
    }
}
