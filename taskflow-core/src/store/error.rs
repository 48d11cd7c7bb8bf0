//! Why a store cannot be used.

use crate::base::ErrorKind;

/// An error of a store.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be opened: it is missing, unreadable, or not a store.
    #[error("cannot open the store {place}: {reason}")]
    Open {
        /// The file or address.
        place: String,
        /// Why, and what to do.
        reason: String,
    },
    /// It was written by a later version of taskflow.
    #[error(
        "the store {place} was written by a later version of taskflow (schema {found}, this build knows {known}); use that version or another store"
    )]
    TooNew {
        /// The file or address.
        place: String,
        /// The version of its schema.
        found: i64,
        /// The last version that this build knows.
        known: i64,
    },
    /// The store cannot be written: the disk is full, or it is read-only.
    #[error("cannot write to the store {place}: {reason}")]
    Write {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// Another process has locked the store, and has not released it in time. What was to be
    /// written is not.
    #[error("cannot {doing} the store {place}: {}", locked(holder.as_deref()))]
    Busy {
        /// What cannot be done: `open`, `read` or `write to`.
        doing: &'static str,
        /// The file or address.
        place: String,
        /// The process that has locked it, if the system says which.
        holder: Option<String>,
    },
    /// The store cannot be read.
    #[error("cannot read the store {place}: {reason}")]
    Read {
        /// The file or address.
        place: String,
        /// Why.
        reason: String,
    },
    /// The store is damaged.
    #[error("the store {place} is damaged: {what}; `db check` lists all damage")]
    Damaged {
        /// The file or address.
        place: String,
        /// The row and what is wrong with it.
        what: String,
    },
}

impl StoreError {
    /// The class of the error.
    pub fn kind(&self) -> ErrorKind {
        match self {
            StoreError::Open { .. }
            | StoreError::TooNew { .. }
            | StoreError::Write { .. }
            | StoreError::Busy { .. }
            | StoreError::Read { .. } => ErrorKind::Unavailable,
            StoreError::Damaged { .. } => ErrorKind::Damaged,
        }
    }
}

/// Why a store is busy, and what to do.
fn locked(holder: Option<&str>) -> String {
    match holder {
        Some(process) => {
            format!("{process} has locked it for more than ten seconds; let it continue or end it, then try again")
        }
        None => {
            "another process has locked it for more than ten seconds; find out which one writes to it, and try again"
                .to_owned()
        }
    }
}

/// What whoever waits for a store says while another process has it locked: which one, if that is
/// known, what waits for it, and what to do.
pub(crate) fn waiting_for_lock(place: &str, holder: Option<&str>, waits: &str) -> String {
    let holder = holder.unwrap_or("another process");
    format!("the store {place} is locked by {holder}; {waits}: let it continue or end it")
}
