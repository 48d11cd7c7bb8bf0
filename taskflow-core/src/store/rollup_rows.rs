//! What a store takes and returns of rollups.

/// The rollup of a run as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RollupRow {
    pub(crate) run: i64,
    /// The number of the last segment that it covers.
    pub(crate) segments: u32,
    pub(crate) body: Vec<u8>,
    /// The labels of elements, which few readers want.
    pub(crate) labels: Vec<u8>,
}
