//! Users, sessions and tokens in memory.

use super::{Data, MemoryStore};
use crate::base::Timestamp;
use crate::store::account_rows::{AccountKind, AccountRow, AccountStore};
use crate::store::audit_rows::AuditRow;
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

    fn add_account<'a>(&'a self, row: &'a AccountRow, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool> {
        self.with(|data| {
            let key = (row.kind, row.name.clone());
            let is_same = |other: &AccountRow| row.secret.is_some() && other.secret == row.secret;
            let is_free = !data.accounts.contains_key(&key) && !data.accounts.values().any(is_same);
            if is_free {
                data.accounts.insert(key, row.clone());
                data.audit(audit);
            }
            is_free
        })
    }

    fn change_account<'a>(
        &'a self,
        from: &'a AccountRow,
        state: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool> {
        self.with(|data| match data.accounts.get_mut(&(from.kind, from.name.clone())) {
            Some(row) if row.state == from.state => {
                row.state = state.to_owned();
                data.audit(audit);
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

    fn remove_account<'a>(
        &'a self,
        kind: AccountKind,
        name: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool> {
        self.with(|data| data.remove_accounts(audit, |row| row.kind == kind && row.name == name) > 0)
    }

    fn remove_accounts_of<'a>(
        &'a self,
        kind: AccountKind,
        owner: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, u64> {
        self.with(|data| data.remove_accounts(audit, |row| row.kind == kind && row.owner == owner))
    }

    fn remove_unused(&self, kind: AccountKind, since: Timestamp) -> StoreFuture<'_, u64> {
        self.with(|data| data.remove_accounts(None, |row| row.kind == kind && row.used < since))
    }
}

impl Data {
    fn remove_accounts(&mut self, audit: Option<&AuditRow>, is_gone: impl Fn(&AccountRow) -> bool) -> u64 {
        let before = self.accounts.len();
        self.accounts.retain(|_, row| !is_gone(row));
        let removed = before - self.accounts.len();
        self.audit(audit.filter(|_| removed > 0));
        removed as u64
    }
}
