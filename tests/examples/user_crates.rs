//! Crates that depend on taskflow as a user's do: on it alone, and under another name.

use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_crate_with_no_other_dependency_compiles() {
    check("plain", &[]);
}

#[test]
fn a_crate_that_renames_taskflow_compiles_and_can_print_its_expansion() {
    let printed = check("renamed", &[("TASKFLOW_PRINT_EXPANSION", "1")]);
    assert!(printed.contains("struct sums"), "{printed}");
    let version = env!("CARGO_PKG_VERSION").replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    assert!(printed.contains(&format!(":: tf :: __private_{version} ::")), "{printed}");
}

/// Checks a copy of the fixture under `target` and returns the output of the compiler. Each call
/// makes a new copy, with the versions of the workspace's lock file, so that it needs neither the
/// network nor its own lock file.
fn check(name: &str, environment: &[(&str, &str)]) -> String {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = tests.parent().expect("the tests lie in the root of the workspace");
    let fixture = tests.join("fixtures").join(name);
    let shared = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    let copy = shared.join(name);
    fs::create_dir_all(copy.join("src")).expect("the target directory is writable");

    let manifest = fs::read_to_string(fixture.join("Cargo.toml")).expect("the fixture has a manifest");
    let path = format!("path = {:?}", root.display().to_string());
    let absolute = manifest.replace("path = \"../../..\"", &path);
    assert_ne!(manifest, absolute, "the fixture depends on taskflow by its path");
    fs::write(copy.join("Cargo.toml"), absolute).expect("the target directory is writable");
    fs::copy(fixture.join("src/main.rs"), copy.join("src/main.rs")).expect("the fixture has a main file");
    fs::copy(root.join("Cargo.lock"), copy.join("Cargo.lock")).expect("the workspace has a lock file");

    let output = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--target-dir"])
        .arg(shared.join("target"))
        .current_dir(&copy)
        .envs(environment.iter().copied())
        .output()
        .expect("cargo runs");
    let written = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{written}");
    written
}
