//! Stand-in until the merge.
use serde::{Deserialize, Serialize};

/// Stand-in.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileRef {
    /// Hash.
    pub sha256: [u8; 32],
    /// Length.
    pub len: u64,
}
