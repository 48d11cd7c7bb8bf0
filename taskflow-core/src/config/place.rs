//! Finds the configuration file.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::environment::Environment;
use super::error::ConfigError;

const NAME: &str = "taskflow.toml";

/// Where to search for the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// An explicit file.
    pub(super) file: Option<PathBuf>,
    /// The directory to search; without one there is no search.
    pub(super) directory: Option<PathBuf>,
    /// The home, if set by a flag.
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
    /// Returns the file: an explicit one, from a flag or `TASKFLOW_CONFIG`, or else `taskflow.toml`
    /// in the directory, or else in the home. An explicit file may not exist; reading it reports
    /// that.
    pub(super) fn find(&self, environment: &Environment) -> Option<PathBuf> {
        if let Some(file) = &self.file {
            return Some(file.clone());
        }
        let directory = self.directory.as_ref()?;
        if let Some(file) = environment.get_nonempty("TASKFLOW_CONFIG") {
            return Some(directory.join(file));
        }
        let home = self.home.clone().or_else(|| environment.get_nonempty("TASKFLOW_HOME").map(PathBuf::from));
        let home = directory.join(home.as_deref().unwrap_or(Path::new(OsStr::new(".taskflow"))));
        // A file that cannot be checked counts as existing, so that reading it reports the reason.
        // If the home is not a directory, it contains no file; opening the home reports that.
        let there = |path: &PathBuf| match path.try_exists() {
            Ok(there) => there,
            Err(error) => error.kind() != io::ErrorKind::NotADirectory,
        };
        [directory.join(NAME), home.join(NAME)].into_iter().find(there)
    }

    /// Reads the file, if there is one.
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

/// The permissions of the file, if its group or everyone can read it.
#[cfg(unix)]
fn open_to_others(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    Ok((mode & 0o044 != 0).then_some(mode))
}

/// On other systems permissions are not checked.
#[cfg(not(unix))]
fn open_to_others(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
