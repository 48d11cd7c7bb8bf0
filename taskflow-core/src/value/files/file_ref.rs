//! Names the content of a value in a file.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Identifies the content of a value stored in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct FileRef {
    /// Its SHA-256.
    pub(crate) sha256: [u8; 32],
    /// Its length in bytes.
    pub(crate) len: u64,
}

impl FileRef {
    /// The reference for these bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        FileRef { sha256: Sha256::digest(bytes).into(), len: bytes.len() as u64 }
    }
}
