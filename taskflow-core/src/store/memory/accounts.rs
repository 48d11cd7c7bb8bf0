//! Users, sessions and tokens in memory.

use super::MemoryStore;
use crate::base::Timestamp;
use crate::store::account_rows::{AccountKind, AccountRow, AccountStore};
use crate::store::traits::StoreFuture;

impl AccountStore for MemoryStore {
    fn accounts(&self, kind: AccountKind) -> StoreFuture<'_, Vec<AccountRow>> {
        self.with(|data| data.accounts.values().filter(|row| row.kind == kind).cloned().collect())
    }

    fn account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        self.with(|data| data.accounts.get(&(kind, name.to_owned())).cloned())
    }

    fn account_of_secret<'a>(&'a self, kind: AccountKind, secret: &'a str) -> StoreFuture<'a, Option<AccountRow>> {
        self.with(|data| {
            let mut rows = data.accounts.values();
            rows.find(|row| row.kind == kind && row.secret.as_deref() == Some(secret)).cloned()
        })
    }

    fn add_account<'a>(&'a self, row: &'a AccountRow) -> StoreFuture<'a, bool> {
        self.with(|data| {
            let key = (row.kind, row.name.clone());
            let is_same = |other: &AccountRow| row.secret.is_some() && other.secret == row.secret;
            let is_free = !data.accounts.contains_key(&key) && !data.accounts.values().any(is_same);
            if is_free {
                data.accounts.insert(key, row.clone());
            }
            is_free
        })
    }

    fn change_account<'a>(&'a self, from: &'a AccountRow, state: &'a str) -> StoreFuture<'a, bool> {
        self.with(|data| match data.accounts.get_mut(&(from.kind, from.name.clone())) {
            Some(row) if row.state == from.state => {
                row.state = state.to_owned();
                true
            }
            _ => false,
        })
    }

    fn use_account<'a>(&'a self, kind: AccountKind, name: &'a str, at: Timestamp) -> StoreFuture<'a, ()> {
        self.with(|data| {
            if let Some(row) = data.accounts.get_mut(&(kind, name.to_owned())) {
                row.used = row.used.max(at);
            }
        })
    }

    fn remove_account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, bool> {
        self.with(|data| data.accounts.remove(&(kind, name.to_owned())).is_some())
    }

    fn remove_accounts_of<'a>(&'a self, kind: AccountKind, owner: &'a str) -> StoreFuture<'a, u64> {
        self.remove_accounts(move |row| row.kind == kind && row.owner == owner)
    }

    fn remove_unused(&self, kind: AccountKind, since: Timestamp) -> StoreFuture<'_, u64> {
        self.remove_accounts(move |row| row.kind == kind && row.used < since)
    }
}

impl MemoryStore {
    fn remove_accounts<'a>(&'a self, is_gone: impl Fn(&AccountRow) -> bool) -> StoreFuture<'a, u64> {
        self.with(|data| {
            let before = data.accounts.len();
            data.accounts.retain(|_, row| !is_gone(row));
            (before - data.accounts.len()) as u64
        })
    }
}
