//! What the tests need from the operating system.
//!
//! A program the tests start (a database server, say) is one row of [`NEEDED`]. It is installed
//! with the system's package client where that is possible, and named where it is not.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::step::Step;

/// A program that must be on the path, and the Debian packages that bring it, between spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needed {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

/// Everything beyond cargo.
const NEEDED: &[Needed] = &[
    #[cfg(target_os = "linux")]
    Needed { program: "script", package: "bsdutils", why: "which gives the tests of the command line a terminal" },
    #[cfg(target_os = "linux")]
    Needed {
        program: "setpriv",
        package: "util-linux",
        why: "which takes the superuser's rights from tests of the disk",
    },
    #[cfg(target_os = "linux")]
    Needed { program: "javac", package: "default-jdk-headless", why: "for the tests that run Spark" },
    #[cfg(target_os = "linux")]
    Needed { program: PYTHON, package: "python3-venv", why: "whose `venv` the tests that run Spark need" },
    #[cfg(target_os = "linux")]
    Needed {
        program: PROTOC,
        package: "protobuf-compiler libprotobuf-dev",
        why: "with the types that Google has defined, for the client of Spark Connect",
    },
];

/// Debian has it without what makes virtual environments.
const PYTHON: &str = "python3";
/// Debian has it without the types that every protocol may import.
const PROTOC: &str = "protoc";

/// Makes sure that everything in [`NEEDED`] is there.
pub(crate) fn ensure() -> Result<(), Failure> {
    let missing = missing(NEEDED, |program| match program {
        PYTHON => on_path(program) && makes_environments(),
        PROTOC => knows_the_types(),
        _ => on_path(program),
    });
    if missing.is_empty() {
        return Ok(());
    }
    for needed in &missing {
        println!("missing: `{}`, {}", needed.program, needed.why);
    }

    let packages: Vec<_> = missing.iter().flat_map(|needed| needed.package.split(' ')).collect();
    if !on_path("apt-get") || !is_root() {
        return Err(Failure::new(format!(
            "error: the tests need more than this machine has\n\
             install it, on Debian with: apt-get install {}",
            packages.join(" ")
        )));
    }
    Step::program("package list", Path::new("apt-get"), ["update"]).run()?;
    Step::program("packages", Path::new("apt-get"), ["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

fn missing(needed: &[Needed], is_there: impl Fn(&str) -> bool) -> Vec<Needed> {
    needed.iter().copied().filter(|needed| !is_there(needed.program)).collect()
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

fn makes_environments() -> bool {
    let asked = Command::new(PYTHON).args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).output();
    asked.is_ok_and(|output| output.status.success())
}

/// Where `protoc` itself looks for them: in the `include` beside its own folder.
fn knows_the_types() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = env::split_paths(&path).filter(|folder| folder.join(PROTOC).is_file());
    folders.any(|folder| folder.join("../include/google/protobuf/any.proto").is_file())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").stdin(Stdio::null()).output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: Needed =
        Needed { program: "postgres", package: "postgresql", why: "for the tests of the PostgreSQL store" };
    const SHELL: Needed = Needed { program: "sh", package: "dash", why: "for the tests that start processes" };

    #[test]
    fn only_what_is_not_there_is_missing() {
        let is_there = |program: &str| program == "sh";
        assert_eq!(missing(&[SHELL, SERVER], is_there), [SERVER]);
    }

    #[test]
    fn nothing_is_missing_where_all_is_there() {
        assert_eq!(missing(&[SHELL, SERVER], |_| true), []);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program"));
    }
}
