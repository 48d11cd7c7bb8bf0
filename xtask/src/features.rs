//! The published packages and their features, from `cargo metadata`.

use std::ffi::OsString;
use std::fs;

use serde_json::Value;

use crate::failure::Failure;
use crate::step::{Started, Step};
use crate::workspace;

/// Where the checks are compiled, so that they can run beside other builds.
const TARGET: &str = "target/features";

/// Runs all steps.
pub(crate) fn run() -> Result<(), Failure> {
    steps()?.iter().try_for_each(Step::run)
}

/// Runs all steps in the background. Most of each compiles the core, which keeps one core busy.
pub(crate) fn start() -> Result<Started, Failure> {
    let failed = |error| Failure::new(format!("the check of the features cannot be started: {error}"));
    let this = std::env::current_exe().map_err(failed)?;
    let target = workspace::root().join(TARGET);
    fs::create_dir_all(&target).map_err(failed)?;
    Step::program("features", &this, ["features"]).plain().start(target.join("features.log")).map_err(failed)
}

/// A published package with its features.
#[derive(Debug, PartialEq, Eq)]
struct Package {
    name: String,
    features: Vec<Feature>,
}

/// A feature and the features that it enables.
#[derive(Debug, PartialEq, Eq)]
struct Feature {
    name: String,
    enables: Vec<String>,
}

/// Steps that check every published package without features and with each feature alone, and lint
/// the facade with the default ones.
///
/// The list comes from the manifests, so new features are included. A feature that another package
/// only forwards is checked there.
fn steps() -> Result<Vec<Step>, Failure> {
    let mut packages = published(&workspace::metadata()?);
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    if packages.is_empty() {
        return Err(Failure::new("error: cargo metadata lists no published package"));
    }

    let mut steps = Vec::new();
    // What a user compiles first. Lints take longer than checks, so the others have none.
    steps.push(default_features().with_clippy());
    for package in &packages {
        steps.push(check(&package.name, None));
        for feature in &package.features {
            if !is_forwarded(&packages, &package.name, &feature.name) {
                steps.push(check(&package.name, Some(&feature.name)));
            }
        }
    }
    Ok(steps)
}

/// Whether a feature of another package enables this one and nothing else.
fn is_forwarded(packages: &[Package], package: &str, feature: &str) -> bool {
    let this = [format!("{package}/{feature}")];
    packages.iter().flat_map(|package| &package.features).any(|feature| feature.enables == this)
}

/// A build with the default features, in which a warning is an error.
fn default_features() -> Step {
    Step::cargo("features: the default ones", ["check", "--target-dir", TARGET, "--locked", "--package", "taskflow"])
}

fn check(package: &str, feature: Option<&str>) -> Step {
    let name = match feature {
        None => format!("features: {package} without any"),
        Some(feature) => format!("features: {package} with {feature} alone"),
    };
    let common = ["check", "--target-dir", TARGET, "--locked", "--package", package];
    let step = Step::cargo(name, common).arg("--no-default-features");
    match feature {
        None => step,
        Some(feature) => step.arg("--features").arg(OsString::from(feature)),
    }
}

/// The workspace members on crates.io, without the feature `default`, which only lists others.
fn published(metadata: &Value) -> Vec<Package> {
    let packages = metadata["packages"].as_array();
    packages
        .into_iter()
        .flatten()
        // `publish = false` appears as an empty list of registries.
        .filter(|package| {
            package["publish"]
                .as_array()
                .is_none_or(|to| !to.is_empty())
        })
        .filter_map(|package| {
            let features = package["features"].as_object()?;
            Some(Package {
                name: package["name"].as_str()?.to_owned(),
                features: features
                    .iter()
                    .filter(|(name, _)| *name != "default")
                    .map(|(name, enables)| {
                        let enables = enables.as_array().into_iter().flatten();
                        let enables = enables.filter_map(|word| Some(word.as_str()?.to_owned()));
                        Feature { name: name.clone(), enables: enables.collect() }
                    })
                    .collect(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn feature(name: &str, enables: &[&str]) -> Feature {
        Feature { name: name.to_owned(), enables: enables.iter().map(|&word| word.to_owned()).collect() }
    }

    #[test]
    fn a_feature_that_is_only_forwarded_is_checked_once() {
        let package = |name: &str, features| Package { name: name.to_owned(), features };
        let core = package("core", vec![feature("cli", &["dep:clap"]), feature("ui", &[])]);
        let facade = package("facade", vec![feature("cli", &["core/cli"]), feature("ui", &["core/ui", "core/cli"])]);
        let packages = [core, facade];
        assert!(is_forwarded(&packages, "core", "cli"));
        assert!(!is_forwarded(&packages, "core", "ui"));
        assert!(!is_forwarded(&packages, "facade", "cli"));
    }

    #[test]
    fn published_packages_are_listed_with_their_features_except_default() {
        let metadata = json!({"packages": [
            {"name": "core", "publish": null, "features": {"default": ["cli"], "cli": [], "ui": ["cli"]}},
            {"name": "macros", "publish": ["crates-io"], "features": {}},
            {"name": "xtask", "publish": [], "features": {"secret": []}},
        ]});
        assert_eq!(
            published(&metadata),
            [
                Package { name: "core".to_owned(), features: vec![feature("cli", &[]), feature("ui", &["cli"])] },
                Package { name: "macros".to_owned(), features: vec![] },
            ]
        );
    }

    #[test]
    fn this_workspace_publishes_the_facade_and_not_xtask() {
        let metadata = workspace::metadata().expect("the workspace is readable");
        let names: Vec<_> = published(&metadata).into_iter().map(|p| p.name).collect();
        assert!(names.contains(&"taskflow".to_owned()), "{names:?}");
        assert!(!names.contains(&"xtask".to_owned()), "{names:?}");
    }

    #[test]
    fn a_feature_is_checked_without_the_default_features() {
        assert_eq!(
            check("taskflow", Some("cli")).by_hand(),
            "cargo check --target-dir target/features --locked --package taskflow --no-default-features --features cli"
        );
    }
}
