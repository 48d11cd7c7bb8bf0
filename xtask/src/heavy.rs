//! Packages that are workspaces of their own, because what they need is too much to compile for everybody else.

use crate::step::Step;

/// Their folders, from the root. The workspace excludes each, and each has its own `Cargo.lock`.
pub(crate) const PACKAGES: [&str; 2] = ["examples/connect", "examples/warehouse"];

/// They share what is compiled for more than one of them, apart from the target directory of the workspace: its features differ.
const TARGET: (&str, &str) = ("CARGO_TARGET_DIR", "target/heavy");

/// Whether their code is as `cargo fmt` leaves it.
pub(crate) fn formats() -> impl Iterator<Item = Step> {
    steps("format", ["fmt"]).map(|step| step.arg("--check"))
}

/// Whether clippy is silent. It looks on while the tests are built: `cargo clippy` would compile all that they need once more, only
/// to look at a few files.
pub(crate) fn lints() -> impl Iterator<Item = Step> {
    // What `cargo clippy -- -D warnings` sets itself.
    let looks_on = |step: Step| {
        let step = step.env("RUSTC_WORKSPACE_WRAPPER", "clippy-driver");
        step.env("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__")
    };
    steps("lints", ["test", "--no-run", "--locked"]).map(looks_on)
}

/// All their tests; `words` go on to cargo.
pub(crate) fn tests(words: &[String]) -> impl Iterator<Item = Step> {
    steps("tests", ["test", "--no-fail-fast", "--locked"]).map(move |step| step.args(words))
}

/// Where a package is described.
pub(crate) fn manifest(package: &str) -> String {
    format!("{package}/Cargo.toml")
}

fn steps<const N: usize>(what: &'static str, words: [&'static str; N]) -> impl Iterator<Item = Step> {
    PACKAGES.into_iter().map(move |package| {
        Step::cargo(format!("{what} of {package}"), words)
            .args(["--manifest-path", &manifest(package)])
            .env(TARGET.0, TARGET.1)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::workspace;

    #[test]
    fn a_step_says_where_its_package_is() {
        let step = formats().next().expect("there is a package");
        let by_hand = "CARGO_TARGET_DIR=target/heavy cargo fmt --manifest-path examples/connect/Cargo.toml --check";
        assert_eq!(step.by_hand(), by_hand);
    }

    #[test]
    fn the_workspace_excludes_them_and_their_versions_are_locked() {
        let manifest = fs::read_to_string(workspace::root().join("Cargo.toml")).expect("there is a manifest");
        let exclude = manifest.lines().find(|line| line.starts_with("exclude = ")).expect("something is excluded");
        for package in PACKAGES {
            assert!(exclude.contains(&format!("\"{package}\"")), "{exclude}");
            assert!(workspace::root().join(package).join("Cargo.lock").is_file(), "{package} has no Cargo.lock");
        }
    }
}
