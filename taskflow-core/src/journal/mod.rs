//! The journal: what happened in every run, kept so that runs survive.
//!
//! - `segment`: the entries of a run that were stored at once, as bytes. `graph`: the snapshot of a graph.
//! - `store`: what every kind of store can do. `memory`, `sqlite`: the stores there are.

#[cfg(test)]
mod contract;
mod graph;
mod memory;
mod segment;
#[cfg(feature = "sqlite")]
mod sqlite;
mod store;

pub use store::{RunFilter, StoreError};

/// What a write has to survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sync {
    /// The death of the machine: every commit waits until the disk has it (SQLite's `synchronous = FULL`).
    #[default]
    Full,
    /// The death of the process, by whatever signal. After a loss of power the last moments may be missing; what is there
    /// is in order (SQLite's `synchronous = NORMAL`).
    Normal,
}
