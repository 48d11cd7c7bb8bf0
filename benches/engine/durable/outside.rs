//! Rivals that need another build of SQLite. Each is a separate package in `benches/`, outside of
//! the workspace.
//!
//! Such a program takes the arguments `<shape> <n> <normal|full> <runs> <directory>` and prints
//! facts like a `job`.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::Contender;
use super::job::{Job, sync_name};
use crate::facts::{self, Problem};

/// The programs that were built.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<(Contender, PathBuf)>);

fn package(contender: Contender) -> Option<&'static str> {
    match contender {
        Contender::Durare => Some("durable-durare"),
        Contender::Taskflow(_) | Contender::RawSegments | Contender::RawRows | Contender::Apalis => None,
    }
}

/// Builds the selected programs. One that cannot be built is reported and missing from the table.
pub(super) fn build(wanted: &[Contender]) -> Programs {
    let mut programs = Programs::default();
    for &contender in wanted {
        let Some(name) = package(contender) else { continue };
        eprintln!("building {name} ..");
        match build_one(name) {
            Ok(program) => programs.0.push((contender, program)),
            Err(problem) => eprintln!("{name} is omitted: {problem}"),
        }
    }
    programs
}

fn build_one(name: &str) -> Result<PathBuf, Problem> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    let target = facts::scratch(name)?;
    let mut command = facts::cargo(&folder, &["build", "--locked", "--release", "--target-dir"]);
    let output = command.arg(&target).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(target.join("release").join(name))
}

impl Programs {
    /// The process for a job, or `None` if its program could not be built.
    pub(super) fn command(&self, job: &Job, home: &Path) -> Option<Command> {
        let (_, program) = self.0.iter().find(|(contender, _)| *contender == job.contender)?;
        let mut command = Command::new(program);
        let (n, runs) = (job.n.to_string(), job.runs.to_string());
        command.args([job.shape.name(), &n, sync_name(job.sync), &runs]).arg(home);
        Some(command)
    }

    pub(super) fn is_outside(contender: Contender) -> bool {
        package(contender).is_some()
    }
}
