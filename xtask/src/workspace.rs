//! The root of the project, its cargo and its metadata.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::failure::Failure;

/// The directory of the workspace manifest.
///
/// The environment takes precedence over the path at compile time, so a checkout may be moved after
/// the build.
pub(crate) fn root() -> PathBuf {
    let package =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package.parent().map(Path::to_path_buf).unwrap_or(package)
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// The cargo that started this program, or else the one on the path.
pub(crate) fn cargo() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// The output of `cargo metadata` for the members of the workspace.
pub(crate) fn metadata() -> Result<Value, Failure> {
    const ARGS: [&str; 5] = ["metadata", "--no-deps", "--format-version", "1", "--locked"];
    let failure = |why: String| {
        Failure::new(format!("cannot read the workspace: {why}"))
            .and(format!("repeat by hand: cargo {}", ARGS.join(" ")))
    };

    let output = Command::new(cargo())
        .args(ARGS)
        .current_dir(root())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failure(error.to_string()))?;
    if !output.status.success() {
        return Err(failure(output.status.to_string()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| failure(error.to_string()))
}
