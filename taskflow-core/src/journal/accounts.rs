//! The users, sessions and tokens of the store, for the operations on them. They are no part of the
//! history of runs.
//!
//! What changes takes the row of the audit trail along, as every change of a
//! [signed](Journal::signed) journal does.

use super::error::JournalError;
use super::journal::Journal;
use crate::store::{AccountKind, AccountRow, AccountStore};

impl Journal {
    /// The users, sessions and tokens, for reading. What is written with it leaves no row in the
    /// audit trail: what nobody asks for.
    pub(crate) fn accounts(&self) -> &dyn AccountStore {
        &*self.inner.store
    }

    /// Stores a new account. Returns `false`, and stores nothing, if its name or its secret is
    /// taken.
    pub(crate) async fn add_account(&self, row: &AccountRow) -> Result<bool, JournalError> {
        let is_stored = self.accounts().add_account(row, self.audit_row().as_ref()).await?;
        Ok(self.account_changed(is_stored))
    }

    /// Gives an account another state. Returns `false`, and changes nothing, if the account is gone
    /// or does not have the state of `from` any more.
    pub(crate) async fn change_account(&self, from: &AccountRow, state: &str) -> Result<bool, JournalError> {
        let is_stored = self.accounts().change_account(from, state, self.audit_row().as_ref()).await?;
        Ok(self.account_changed(is_stored))
    }

    /// Removes an account. Returns whether there was one.
    pub(crate) async fn remove_account(&self, kind: AccountKind, name: &str) -> Result<bool, JournalError> {
        let is_removed = self.accounts().remove_account(kind, name, self.audit_row().as_ref()).await?;
        Ok(self.account_changed(is_removed))
    }

    /// Removes the accounts of a kind that belong to a user. Returns how many there were.
    pub(crate) async fn remove_accounts_of(&self, kind: AccountKind, owner: &str) -> Result<u64, JournalError> {
        let removed = self.accounts().remove_accounts_of(kind, owner, self.audit_row().as_ref()).await?;
        self.account_changed(removed > 0);
        Ok(removed)
    }

    fn account_changed(&self, is_changed: bool) -> bool {
        if is_changed {
            self.audit_stored();
        }
        is_changed
    }
}
