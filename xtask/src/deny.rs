//! Finds or installs cargo-deny, and defines the steps that run it.
//!
//! The version is pinned, so `deny.toml` means the same everywhere.

use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::heavy;
use crate::step::{Started, Step};
use crate::workspace;

const VERSION: &str = "0.20.2";

/// The checks without the network: banned and duplicate crates, licences, sources.
pub(crate) fn offline_checks() -> Result<Step, Failure> {
    let deny = ensure()?;
    Ok(Step::program("dependencies", &deny, ["--workspace", "--locked", "check", "bans", "licenses", "sources"]))
}

/// The same checks for a package with a workspace of its own. All crates that the package needs
/// must already be on this machine.
pub(crate) fn checks_of(package: &str) -> Result<Step, Failure> {
    Ok(for_package("dependencies", package)?.args(["--locked", "check", "bans", "licenses", "sources"]))
}

fn for_package(what: &str, package: &str) -> Result<Step, Failure> {
    let words = ["--manifest-path", &heavy::manifest(package)];
    Ok(Step::program(format!("{what} of {package}"), &ensure()?, words))
}

/// If cargo-deny is not installed, starts to compile it in the background, with one job.
pub(crate) fn prepare() -> Result<Option<Started>, Failure> {
    if found().is_some() {
        return Ok(None);
    }
    let tools = workspace::root().join("target/tools");
    let started = fs::create_dir_all(&tools)
        .and_then(|()| install().env("CARGO_BUILD_JOBS", "1").start(tools.join("install.log")));
    started.map(Some).map_err(|error| Failure::new(format!("cargo-deny cannot be compiled: {error}")))
}

/// Fetches the advisory database, then checks the dependencies against it.
///
/// These are two steps to distinguish a failed download from a finding.
pub(crate) fn advisories() -> Result<(), Failure> {
    let deny = ensure()?;
    Step::program("advisory database", &deny, ["--workspace", "--locked", "fetch", "db", "index"]).run().map_err(
        |failure| {
            failure.and(
                "The advisory database could not be downloaded, so nothing was checked.\n\
             Try again on a machine that can reach github.com.",
            )
        },
    )?;
    Step::program("advisories", &deny, ["--workspace", "--locked", "--offline", "check", "advisories"]).run()?;
    for package in heavy::PACKAGES {
        for_package("advisories", package)?.args(["--locked", "--offline", "check", "advisories"]).run()?;
    }
    Ok(())
}

/// The cargo-deny of the pinned version, from the path or from the target directory.
fn ensure() -> Result<PathBuf, Failure> {
    if let Some(program) = found() {
        return Ok(program);
    }
    println!("\ncargo-deny {VERSION} is not installed: compiling it into target/tools, only this time");
    install().run()?;
    Ok(own())
}

fn found() -> Option<PathBuf> {
    [PathBuf::from("cargo-deny"), own()].into_iter().find(|program| is_pinned(program))
}

fn own() -> PathBuf {
    workspace::root().join(home()).join("bin").join(format!("cargo-deny{EXE_SUFFIX}"))
}

/// Where the project installs cargo-deny, relative to the root of the workspace. Each version has
/// its own directory.
fn home() -> String {
    format!("target/tools/cargo-deny-{VERSION}")
}

/// Without optimisation it compiles in a fraction of the time and still takes only seconds to run.
fn install() -> Step {
    Step::cargo(format!("install cargo-deny {VERSION}"), ["install", "--locked", "--debug", "--root"])
        .arg(home())
        .arg(format!("cargo-deny@{VERSION}"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
}

fn is_pinned(program: &Path) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == format!("cargo-deny {VERSION}").as_bytes())
}
