//! An event of an asset that a run emits.

use super::stored_value::Stored;
use crate::base::Timestamp;

/// An event of an asset, with its payload as it is stored. It is stored with the success of the
/// attempt that emits it, or with the end of the run whose result it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Emission {
    /// The name of the asset.
    pub(crate) asset: String,
    /// The stored form of the partition.
    pub(crate) partition: Option<String>,
    /// Two events of an asset with the same key are one.
    pub(crate) key: Option<String>,
    /// The type of the payload, without modules.
    pub(crate) ty: String,
    pub(crate) value: Stored,
    /// The id of the task instance; none for the result of the run.
    pub(crate) task: Option<String>,
    pub(crate) at: Timestamp,
    /// Whether it is left out if the last event has the same payload.
    pub(crate) on_change: bool,
}
