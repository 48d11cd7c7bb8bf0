//! `cargo xtask ci`: what CI runs, in its order, up to the first failure.

use crate::commands::{columns, test};
use crate::deny;
use crate::failure::Failure;
use crate::features;
use crate::heavy;
use crate::step::{Started, Step};
use crate::tally::Tally;

/// Cheap and frequent mistakes are found first. The packages that are workspaces of their own compile for longer than all else takes:
/// of these only the format is looked at.
pub(crate) fn run(tally: &mut Tally) -> Result<(), Failure> {
    Step::cargo("format", ["fmt", "--all", "--check"]).run()?;
    for step in heavy::formats() {
        step.run()?;
    }

    Step::cargo("columns", ["xtask", "columns"]).run_here(|| columns::run(&[]))?;

    let deny = deny::prepare()?;

    Step::cargo("lints", ["clippy", "--workspace", "--all-targets"])
        .args(["--all-features", "--locked", "--", "-D", "warnings"])
        .run()?;

    Step::cargo("documentation", ["doc", "--workspace", "--no-deps"])
        .args(["--all-features", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;

    for step in features::steps()? {
        step.run()?;
    }

    deny.map_or(Ok(()), Started::finish)?;
    deny::offline_checks()?.run()?;

    println!("\nNot run here: lints and tests of {}, which `cargo xtask heavy` runs", heavy::PACKAGES.join(" and "));
    test::run(&[], tally)
}
