//! Which file is the configuration.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::ConfigError;

const NAME: &str = "taskflow.toml";

/// Where a file is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// The file that was named.
    pub(super) file: Option<PathBuf>,
    /// The directory to look in; nothing is looked for without one.
    pub(super) directory: Option<PathBuf>,
    /// The home, if a flag says it.
    pub(super) home: Option<PathBuf>,
}

/// A file that was read.
pub(super) struct Text {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Its permissions, if others can read it.
    pub(super) open_to_others: Option<u32>,
}

impl Place {
    /// The file: the one that is named, by a flag or by `TASKFLOW_CONFIG`, else `taskflow.toml` in the directory, else in the
    /// home. A named one need not be there; whoever reads it will see.
    pub(super) fn find(&self, environment: &Environment) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        let directory = self.directory.as_ref()?;
        if let Some(file) = environment.said("TASKFLOW_CONFIG") {
            return Some(directory.join(file));
        }
        let home = self.home.clone().or_else(|| environment.said("TASKFLOW_HOME").map(PathBuf::from));
        let home = directory.join(home.as_deref().unwrap_or(Path::new(OsStr::new(".taskflow"))));
        // One that cannot be looked at is taken, so that reading it says what is wrong. In a home that is no directory there is
        // none; whoever opens the home says so.
        let there = |path: &PathBuf| match path.try_exists() {
            Ok(there) => there,
            Err(error) => error.kind() != io::ErrorKind::NotADirectory,
        };
        [directory.join(NAME), home.join(NAME)].into_iter().find(there)
    }

    /// The text of the file, if there is one.
    pub(super) fn read(&self, environment: &Environment) -> Result<Option<Text>, ConfigError> {
        let Some(path) = self.find(environment) else { return Ok(None) };
        let read = || -> io::Result<(String, Option<u32>)> {
            let mut file = File::open(&path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok((text, open_to_others(&file)?))
        };
        match read() {
            Ok((text, open_to_others)) => Ok(Some(Text { path, text, open_to_others })),
            Err(error) => Err(ConfigError::Unreadable { path, reason: error.to_string() }),
        }
    }
}

/// The permissions of the file, if its group or everybody may read it.
#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((mode & 0o044 != 0).then_some(mode))
}

/// Elsewhere permissions are lists that are not looked at.
#[cfg(not(unix))]
fn open_to_others(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
