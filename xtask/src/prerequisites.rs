//! The programs that the tests need from the operating system.
//!
//! Each is a row of [`NEEDED`]. A missing one is installed with apt if possible, and otherwise
//! reported.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;
use crate::step::Step;

/// A program that must be on the path, and the Debian packages that contain it, separated by
/// spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Needed {
    program: &'static str,
    package: &'static str,
    why: &'static str,
}

/// Everything except cargo.
const NEEDED: &[Needed] = &[
    #[cfg(target_os = "linux")]
    Needed { program: "script", package: "bsdutils", why: "to give the tests of the command line a terminal" },
    #[cfg(target_os = "linux")]
    Needed {
        program: "setpriv",
        package: "util-linux",
        why: "to run the tests of disk errors without the rights of root",
    },
    #[cfg(target_os = "linux")]
    Needed { program: "chromium", package: "chromium", why: "for the tests of the pages" },
    #[cfg(target_os = "linux")]
    Needed { program: "curl", package: "curl", why: "for the lines with curl in the documentation" },
    #[cfg(target_os = "linux")]
    Needed { program: "openssl", package: "openssl", why: "to sign webhooks and make certificates in tests" },
    #[cfg(target_os = "linux")]
    Needed { program: "nginx", package: "nginx", why: "for the proxy of the documentation" },
    #[cfg(target_os = "linux")]
    Needed { program: "systemd-analyze", package: "systemd", why: "for the units of the documentation" },
    #[cfg(target_os = "linux")]
    Needed { program: "javac", package: "default-jdk-headless", why: "for the tests that use Spark" },
    #[cfg(target_os = "linux")]
    Needed {
        program: PYTHON,
        package: "python3-venv",
        why: "with `venv`, for Spark and for the clients that test the server",
    },
    #[cfg(target_os = "linux")]
    Needed {
        program: PROTOC,
        package: "protobuf-compiler libprotobuf-dev",
        why: "with Google's standard types, for the client of Spark Connect",
    },
];

/// What `cargo xtask instructions` counts with.
const VALGRIND: Needed = Needed { program: "valgrind", package: "valgrind", why: "to count instructions" };

/// What `cargo xtask screenshots` draws with.
const SCREENSHOTS: [Needed; 3] = [
    Needed { program: "chromium", package: "chromium", why: "to draw the pages" },
    Needed { program: "faketime", package: "faketime", why: "so that the pages show fixed times" },
    Needed { program: "pngquant", package: "pngquant", why: "to make the pictures small" },
];

/// On Debian, its package does not include `venv`.
const PYTHON: &str = "python3";
/// On Debian, its package does not include the standard types.
const PROTOC: &str = "protoc";

/// Installs what is missing of [`NEEDED`].
///
/// # Errors
///
/// If something is missing and cannot be installed. The error lists the packages to install.
pub(crate) fn ensure() -> Result<(), Failure> {
    let missing = missing(NEEDED, |program| match program {
        PYTHON => on_path(program) && has_venv(),
        PROTOC => has_standard_types(),
        _ => on_path(program),
    });
    install(&missing, "programs that the tests need are missing")
}

/// Installs valgrind if it is missing.
///
/// # Errors
///
/// As [`ensure`].
pub(crate) fn ensure_valgrind() -> Result<(), Failure> {
    install(&missing(&[VALGRIND], on_path), "valgrind is missing, which counts instructions")
}

/// Installs what is missing of [`SCREENSHOTS`].
///
/// # Errors
///
/// As [`ensure`].
pub(crate) fn ensure_screenshots() -> Result<(), Failure> {
    install(&missing(&SCREENSHOTS, on_path), "programs that the pictures need are missing")
}

fn install(missing: &[Needed], problem: &str) -> Result<(), Failure> {
    if missing.is_empty() {
        return Ok(());
    }
    for needed in missing {
        println!("missing: `{}`, {}", needed.program, needed.why);
    }

    let packages: Vec<_> = missing.iter().flat_map(|needed| needed.package.split(' ')).collect();
    if !on_path("apt-get") || !is_root() {
        return Err(Failure::new(format!(
            "error: {problem}\n\
             install them, on Debian with: apt-get install {}",
            packages.join(" ")
        )));
    }
    Step::program("package list", Path::new("apt-get"), ["update"]).run()?;
    Step::program("packages", Path::new("apt-get"), ["install", "--yes", "--no-install-recommends"])
        .args(packages)
        .env("DEBIAN_FRONTEND", "noninteractive")
        // No service of a package is started: invoke-rc.d knows no service for this level.
        .env("RUNLEVEL", "1")
        .run()
}

fn missing(needed: &[Needed], exists: impl Fn(&str) -> bool) -> Vec<Needed> {
    needed.iter().copied().filter(|needed| !exists(needed.program)).collect()
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn has_venv() -> bool {
    let asked = Command::new(PYTHON).args(["-c", "import ensurepip, venv"]).stdin(Stdio::null()).output();
    asked.is_ok_and(|output| output.status.success())
}

/// Whether they are where `protoc` looks for them: in `include` beside its own directory.
fn has_standard_types() -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut dirs = env::split_paths(&path).filter(|dir| dir.join(PROTOC).is_file());
    dirs.any(|dir| dir.join("../include/google/protobuf/any.proto").is_file())
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
    fn only_absent_programs_are_missing() {
        let exists = |program: &str| program == "sh";
        assert_eq!(missing(&[SHELL, SERVER], exists), [SERVER]);
    }

    #[test]
    fn nothing_is_missing_if_all_programs_exist() {
        assert_eq!(missing(&[SHELL, SERVER], |_| true), []);
    }

    #[cfg(unix)]
    #[test]
    fn a_program_is_found_on_the_path() {
        assert!(on_path("sh"));
        assert!(!on_path("no-such-program"));
    }
}
