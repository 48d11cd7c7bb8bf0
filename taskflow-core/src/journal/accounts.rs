//! The users, sessions and tokens of the store, for the operations on them.

use super::journal::Journal;
use crate::store::AccountStore;

impl Journal {
    /// The users, sessions and tokens. They are no part of the history of runs.
    pub(crate) fn accounts(&self) -> &dyn AccountStore {
        &*self.inner.store
    }
}
