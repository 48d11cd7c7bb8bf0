//! Runs and times cargo and other programs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::Problem;

/// The root of the workspace.
pub(super) fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}

/// The directory of the programs of this build profile, such as `target/release`.
pub(super) fn programs() -> Result<PathBuf, Problem> {
    let own = std::env::current_exe()?;
    let programs = own.parent().and_then(Path::parent).ok_or("this program is not in a target directory")?;
    Ok(programs.to_path_buf())
}

/// A directory for the benches in the target directory.
pub(crate) fn scratch(name: &str) -> Result<PathBuf, Problem> {
    let programs = programs()?;
    Ok(programs.parent().unwrap_or(&programs).join("bench-facts").join(name))
}

/// A cargo command, without the variables that the calling cargo sets for this program. They would
/// reach rustc and make it rebuild everything.
pub(crate) fn cargo(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "LD_LIBRARY_PATH" {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs the command and returns how long it took.
pub(super) fn time(command: &mut Command) -> Result<Duration, Problem> {
    let start = Instant::now();
    let output = command.output()?;
    let took = start.elapsed();
    if output.status.success() {
        return Ok(took);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed ({}):\n{}", output.status, errors.trim_end()).into())
}
