//! Pools: named numbers of slots that running tasks share.

/// A pool, as `taskflow::pool!` declares it.
///
/// A task in a pool takes one slot or more while it runs; tasks of every run in the process share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolDef {
    /// Its name, unique in the binary.
    pub name: &'static str,
    /// How many slots it has. An engine may be built with another number.
    pub slots: u32,
}
