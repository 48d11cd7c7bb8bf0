//! Rivals that need another build of SQLite than ours: packages of their own below `benches/`, outside of the workspace.
//!
//! Such a program takes the words `<shape> <n> <normal|full> <runs> <directory>` and tells facts as a `job` does.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::contender::Contender;
use super::job::{Job, sync_name};

/// The programs that could be built.
#[derive(Debug, Default)]
pub(super) struct Programs(Vec<(Contender, PathBuf)>);

fn package(contender: Contender) -> Option<&'static str> {
    match contender {
        Contender::Apalis => Some("durable-apalis"),
        Contender::Durare => Some("durable-durare"),
        Contender::Taskflow(_) | Contender::RawSegments | Contender::RawRows => None,
    }
}

/// Builds those that are wanted. What cannot be built is said, and missing from the table.
pub(super) fn build(wanted: &[Contender]) -> Programs {
    let mut programs = Programs::default();
    for &contender in wanted {
        let Some(name) = package(contender) else { continue };
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        eprintln!("building {name} ..");
        match crate::facts::cargo(&folder, &["build", "--locked", "--release"]).status() {
            Ok(status) if status.success() => {
                programs.0.push((contender, folder.join("target").join("release").join(name)));
            }
            Ok(_) | Err(_) => eprintln!("{name} cannot be built: it is left out"),
        }
    }
    programs
}

impl Programs {
    /// The process that does a job; nothing if its program could not be built.
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
