//! One file a command.

mod ci;
mod columns;
mod test;

use std::process::ExitCode;

use crate::args::Command;
use crate::deny;
use crate::failure::Failure;
use crate::heavy;
use crate::prerequisites;
use crate::spark;
use crate::step::Step;
use crate::tally::Tally;

/// Runs a command and says how it ended.
pub(crate) fn run(command: Command, rest: &[String]) -> ExitCode {
    match command {
        Command::Test => counted(|tally| test::run_all(rest, tally)),
        Command::Ci => counted(ci::run),
        Command::Columns => exit_code(columns::run(rest)),
        Command::Heavy => counted(heavy),
        Command::Advisories => exit_code(deny::advisories()),
        Command::Bench => exit_code(bench(rest)),
        Command::Spark => exit_code(spark::ensure()),
    }
}

/// The benchmarks are a package of their own, so that nobody else builds the rivals.
fn bench(words: &[String]) -> Result<(), Failure> {
    Step::cargo("benchmarks", ["bench", "--locked", "--package", "taskflow-benches"]).args(words).run()
}

/// What `ci` leaves out of the packages that are workspaces of their own.
fn heavy(tally: &mut Tally) -> Result<(), Failure> {
    prerequisites::ensure()?;
    spark::ensure()?;
    for step in heavy::lints() {
        step.run()?;
    }
    for package in heavy::PACKAGES {
        deny::checks_of(package)?.run()?;
    }
    test::heavy(&[], tally)
}

/// Runs a command whose last line of output is the count of its tests.
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

/// A run that failed without a failed test (a lint, a build, a crash) counts as one failure, so
/// that the closing line never reads like success when the exit status does not.
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
    fn a_failure_outside_the_tests_shows_in_the_count() {
        let clean = Tally { passed: 9, failed: 0, skipped: 1 };
        assert_eq!(with_failure(clean).to_string(), "9 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn failed_tests_are_counted_as_they_are() {
        let broken = Tally { passed: 9, failed: 3, skipped: 0 };
        assert_eq!(with_failure(broken), broken);
    }
}
