//! Crates that depend on taskflow as a user's do: on it alone, and under another name.

use std::fs;
use std::path::Path;
use std::process::Command;

/// E4: a crate whose manifest names taskflow alone, with its first DAG.
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

/// E4: `cargo add rusqlite` beside taskflow, which fails if both need other versions of the library
/// SQLite. rusqlite 0.39 needs `libsqlite3-sys` 0.37, and each version the one that is two below.
#[test]
fn the_newest_rusqlite_in_the_guide_is_the_one_that_fits_the_lock_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("it is part of the repository");
    let lock = read("Cargo.lock");
    let (_, package) = lock.split_once("name = \"libsqlite3-sys\"\n").expect("taskflow uses SQLite");
    let version = package.split('"').nth(1).and_then(|version| version.strip_prefix("0."));
    let minor = version.and_then(|version| version.split_once('.')).map(|(minor, _)| minor.parse::<u32>());
    let newest = minor.expect("a version 0.x.y").expect("a number") + 2;
    let (guide, readme) = (read("docs/guide.md"), read("README.md"));
    assert!(guide.contains(&format!("`cargo add rusqlite@0.{newest}`")), "0.{newest}");
    assert!(guide.contains(&format!("rusqlite 0.32 to 0.{newest}")), "0.{newest}");
    assert!(readme.contains(&format!("0.32 to 0.{newest}")), "0.{newest}");
}

/// E5: what a newcomer looks for in the guide: the lines for the manifest, and a table of the
/// options of `#[dag]`. The compiler knows all of them; `crate` is for those who rename taskflow.
#[test]
fn the_guide_has_the_lines_for_the_manifest_and_every_option_of_a_dag() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(tests.join(name)).expect("it is part of the repository");
    let (guide, refusal) = (read("../docs/guide.md"), read("ui/fail/option_unknown.stderr"));
    assert!(guide.contains("[dependencies]\ntaskflow = "));
    let table = guide.split_once("| option of `#[dag]` |").and_then(|(_, rest)| rest.split_once("\n\n"));
    let (table, _) = table.expect("there is a table of the options");
    let described: Vec<&str> = table.lines().filter_map(|row| row.split('|').nth(1)).collect();
    let described = described.concat();
    let options = refusal.lines().find_map(|line| line.split_once("valid options for `#[dag]`: "));
    let (_, options) = options.expect("an unknown option of a DAG is refused with the valid ones");
    for option in options.split(", ").filter(|&option| option != "crate") {
        let is_there = [format!("`{option}`"), format!("`{option}(..)`")].iter().any(|text| described.contains(text));
        assert!(is_there, "the table in the guide lacks `{option}`");
    }
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
