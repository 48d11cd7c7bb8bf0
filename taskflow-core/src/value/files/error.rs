//! Why a value cannot be read from its file.

use std::io;
use std::path::PathBuf;

/// Why a value cannot be read from its file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ValueFileError {
    /// The file does not exist.
    #[error("the value is missing: there is no file {}; run the task that produced it again", path.display())]
    Missing {
        /// Its path.
        path: PathBuf,
    },
    /// The file is shorter or longer than the value.
    #[error(
        "the value is truncated: {} has {found} bytes and should have {expected}; run the task that produced it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The length of the value.
        expected: u64,
        /// The length of the file.
        found: u64,
    },
    /// The file has the right length but different content.
    #[error(
        "the value is corrupt: {} is not what was written; run the task that produced it again, and check the disk",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the value from {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
}
