//! Pools: named numbers of slots that running tasks share.

/// A pool, declared by `taskflow::pool!`.
///
/// A task in a pool takes one or more slots while it runs. The tasks of all runs of an engine share
/// them, and so do those of all processes that store their runs in one home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolDef {
    /// Its name, unique in the binary.
    pub name: &'static str,
    /// How many slots it has. An engine can be built with another number.
    pub slots: u32,
}
