//! `cargo xtask ci`: the steps of CI, up to the first failure.

use crate::commands::{columns, instructions, layers, links, test};
use crate::deny;
use crate::failure::Failure;
use crate::features;
use crate::heavy;
use crate::step::{Started, Step};
use crate::tally::Tally;

/// Checks that are cheap and often fail come first. Of the packages with a workspace of their own
/// only the format is checked: compiling them takes longer than everything else.
pub(crate) fn run(tally: &mut Tally) -> Result<(), Failure> {
    Step::cargo("format", ["fmt", "--all", "--check"]).run()?;
    for step in heavy::formats() {
        step.run()?;
    }

    Step::cargo("columns", ["xtask", "columns"]).run_here(|| columns::run(&[]))?;
    Step::cargo("layers", ["xtask", "layers"]).run_here(layers::run)?;
    Step::cargo("links", ["xtask", "links"]).run_here(links::run)?;

    let deny = deny::prepare()?;
    let features = features::start()?;

    Step::cargo("lints", ["clippy", "--workspace", "--all-targets"])
        .args(["--all-features", "--locked", "--", "-D", "warnings"])
        .run()?;

    Step::cargo("documentation", ["doc", "--workspace", "--no-deps"])
        .args(["--all-features", "--locked"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .run()?;

    // The two builds compile the core at the same time, each on one core for much of it.
    let counted = instructions::start_build()?;
    test::build()?;
    counted.finish()?;
    features.finish()?;
    Step::cargo("instructions", ["xtask", "instructions"]).run_here(|| instructions::run(&[]))?;
    deny.map_or(Ok(()), Started::finish)?;
    deny::offline_checks()?.run()?;

    println!("\nNot included: lints and tests of {}; run `cargo xtask heavy`", heavy::PACKAGES.join(" and "));
    test::run(&[], tally)
}
