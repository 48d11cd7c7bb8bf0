//! The origin of values.

use std::fmt;
use std::path::{Path, PathBuf};

/// Where a value comes from.
///
/// ```
/// use taskflow::config::{Config, Origin};
///
/// let config = Config::from_toml("[run]\njobs = 4\n")?;
/// let entries = config.entries();
/// let jobs = entries.iter().find(|entry| entry.name == "jobs");
/// assert_eq!(jobs.and_then(|jobs| jobs.origin.clone()), Some(Origin::File { path: None, line: 2 }));
/// # Ok::<(), taskflow::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The program itself, with a [`ConfigBuilder`](super::ConfigBuilder).
    Code,
    /// A variable of the environment.
    Environment {
        /// Its name.
        variable: String,
    },
    /// A line of `taskflow.toml`.
    File {
        /// The file; `None` for a text passed by the program.
        path: Option<PathBuf>,
        /// The line, counted from 1.
        line: usize,
    },
}

impl Origin {
    pub(super) fn variable(name: &str) -> Self {
        Origin::Environment { variable: name.to_owned() }
    }

    /// The base directory of relative paths: that of the file, or the current one.
    pub(super) fn directory(&self) -> &Path {
        match self {
            Origin::File { path: Some(path), .. } => path.parent().unwrap_or(Path::new("")),
            _ => Path::new(""),
        }
    }
}

impl fmt::Display for Origin {
    /// `taskflow.toml:12`, `TASKFLOW_HOME in the environment`, `the program`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Code => f.write_str("the program"),
            Origin::Environment { variable } => write!(f, "{variable} in the environment"),
            Origin::File { path: Some(path), line } => write!(f, "{}:{line}", path.display()),
            Origin::File { path: None, line } => write!(f, "line {line} of the text"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(super) struct Given<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

impl<T> Given<T> {
    pub(super) fn new(value: T, origin: Origin) -> Self {
        Given { value, origin }
    }
}
