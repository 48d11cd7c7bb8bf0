//! What a store keeps of users, sessions and tokens. It does not interpret their states.

use super::audit_rows::AuditRow;
use super::traits::StoreFuture;
use crate::base::Timestamp;

/// A kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum AccountKind {
    User,
    Session,
    Token,
}

impl AccountKind {
    /// All kinds.
    pub(crate) const ALL: [AccountKind; 3] = [AccountKind::User, AccountKind::Session, AccountKind::Token];

    /// Its name in a store.
    pub(crate) fn name(self) -> &'static str {
        match self {
            AccountKind::User => "user",
            AccountKind::Session => "session",
            AccountKind::Token => "token",
        }
    }
}

/// A user, a session or a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) kind: AccountKind,
    /// Unique among the accounts of its kind.
    pub(crate) name: String,
    /// The digest of what is presented, unique among all accounts. Of a user, the digest of who
    /// it is to a provider; users with a password have none.
    pub(crate) secret: Option<String>,
    /// The user that it belongs to; empty if there is none.
    pub(crate) owner: String,
    pub(crate) state: String,
    /// When it was last used. It has no checksum: wrong bytes in it can only make it expire too
    /// early, or later than it should.
    pub(crate) used: Timestamp,
}

/// Users, sessions and tokens.
///
/// Nothing here is cached: once a row is gone or changed, the next request in any process sees
/// that. A change takes the row of the audit trail along, into its transaction; what has changed
/// nothing stores no row.
pub(crate) trait AccountStore: Send + Sync {
    /// All accounts of a kind, by name.
    fn accounts(&self, kind: AccountKind) -> StoreFuture<'_, Vec<AccountRow>>;

    /// The account with this name.
    fn account<'a>(&'a self, kind: AccountKind, name: &'a str) -> StoreFuture<'a, Option<AccountRow>>;

    /// The account with this digest of a secret.
    fn account_of_secret<'a>(&'a self, kind: AccountKind, secret: &'a str) -> StoreFuture<'a, Option<AccountRow>>;

    /// Stores a new account. Returns `false`, and stores nothing, if its name or its secret is
    /// taken.
    fn add_account<'a>(&'a self, row: &'a AccountRow, audit: Option<&'a AuditRow>) -> StoreFuture<'a, bool>;

    /// Gives an account another state. Returns `false`, and changes nothing, if the account is gone
    /// or does not have the state of `from` any more.
    fn change_account<'a>(
        &'a self,
        from: &'a AccountRow,
        state: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool>;

    /// Records that an account was used. Does nothing if it is gone.
    fn use_account<'a>(&'a self, kind: AccountKind, name: &'a str, at: Timestamp) -> StoreFuture<'a, ()>;

    /// Removes an account. Returns whether there was one.
    fn remove_account<'a>(
        &'a self,
        kind: AccountKind,
        name: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, bool>;

    /// Removes the accounts of a kind that belong to a user. Returns how many there were.
    fn remove_accounts_of<'a>(
        &'a self,
        kind: AccountKind,
        owner: &'a str,
        audit: Option<&'a AuditRow>,
    ) -> StoreFuture<'a, u64>;

    /// Removes the accounts of a kind that were not used since a time. Returns how many there were.
    fn remove_unused(&self, kind: AccountKind, since: Timestamp) -> StoreFuture<'_, u64>;
}
