//! Packages with a workspace of their own, because their dependencies take long to compile.

use crate::step::Step;

/// Their directories, relative to the root. The workspace excludes them, and each has a
/// `Cargo.lock`.
pub(crate) const PACKAGES: [&str; 2] = ["examples/connect", "examples/warehouse"];

/// They share a target directory, but not with the workspace, which enables other features.
const TARGET: (&str, &str) = ("CARGO_TARGET_DIR", "target/heavy");

/// Steps that check the format.
pub(crate) fn formats() -> impl Iterator<Item = Step> {
    steps("format", ["fmt"]).map(|step| step.arg("--check"))
}

/// Steps that run clippy as the compiler of a test build. `cargo clippy` would compile all
/// dependencies a second time.
pub(crate) fn lints() -> impl Iterator<Item = Step> {
    steps("lints", ["test", "--no-run", "--locked"]).map(Step::with_clippy)
}

/// Steps that run all tests. `words` are passed to cargo.
pub(crate) fn tests(words: &[String]) -> impl Iterator<Item = Step> {
    steps("tests", ["test", "--no-fail-fast", "--locked"]).map(move |step| step.args(words))
}

/// The step that compiles the fuzz targets. `cargo fuzz` alone needs a nightly compiler. They have
/// no lock file: fuzzing takes the newest dependencies.
pub(crate) fn fuzz_targets() -> Step {
    Step::cargo("check of fuzz", ["check", "--bins"])
        .args(["--manifest-path", &manifest("fuzz")])
        .env(TARGET.0, TARGET.1)
}

/// The manifest of a package.
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
    fn a_step_names_the_manifest_of_its_package() {
        let step = formats().next().expect("there is a package");
        let by_hand = "CARGO_TARGET_DIR=target/heavy cargo fmt --manifest-path examples/connect/Cargo.toml --check";
        assert_eq!(step.by_hand(), by_hand);
    }

    #[test]
    fn every_fuzz_target_is_compiled() {
        let by_hand = "CARGO_TARGET_DIR=target/heavy cargo check --bins --manifest-path fuzz/Cargo.toml";
        assert_eq!(fuzz_targets().by_hand(), by_hand);
        let manifest = fs::read_to_string(workspace::root().join("fuzz/Cargo.toml")).expect("there is a manifest");
        for target in fs::read_dir(workspace::root().join("fuzz/fuzz_targets")).expect("there are targets").flatten() {
            let path = format!("path = \"fuzz_targets/{}\"", target.file_name().to_string_lossy());
            assert!(manifest.contains(&path), "fuzz/Cargo.toml has no [[bin]] with {path}");
        }
    }

    #[test]
    fn the_workspace_excludes_them_and_they_have_lock_files() {
        let manifest = fs::read_to_string(workspace::root().join("Cargo.toml")).expect("there is a manifest");
        let exclude = manifest.lines().find(|line| line.starts_with("exclude = ")).expect("something is excluded");
        for package in PACKAGES {
            assert!(exclude.contains(&format!("\"{package}\"")), "{exclude}");
            assert!(workspace::root().join(package).join("Cargo.lock").is_file(), "{package} has no Cargo.lock");
        }
    }
}
