//! What a commit survives.

/// What a write must survive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyncMode {
    /// The death of the machine: every commit waits until the disk has it (SQLite's `synchronous =
    /// FULL`).
    #[default]
    Full,
    /// The death of the process, by whatever signal. After a loss of power the last moments may be
    /// missing; what is there is in order (SQLite's `synchronous = NORMAL`). Large values, which
    /// are in files, are not synced: one that is stored may be missing or incomplete then, which is
    /// noticed by its hash. Its task has to run again.
    Normal,
}
