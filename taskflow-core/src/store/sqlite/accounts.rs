//! Users, sessions and tokens.

use sqlx::sqlite::SqliteRow;
use sqlx::{Encode, Row as _, Sqlite, Type};

use super::SqliteStore;
use super::audit::AuditOf;
use super::read::{Question, get};
use super::script::Script;
use crate::base::Timestamp;
use crate::store::account_rows::{AccountKind, AccountRow};
use crate::store::audit_rows::AuditRow;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;

const COLUMNS: &str = "SELECT kind, name, secret, owner, state, used, checksum FROM accounts";

pub(super) async fn all(store: &SqliteStore, kind: AccountKind) -> Result<Vec<AccountRow>, StoreError> {
    let question = Question::new(format!("{COLUMNS} WHERE kind = ? ORDER BY name")).give(kind.name());
    let rows = question.ask(store).await?;
    rows.iter().map(|row| account_row(store, row)).collect()
}

pub(super) async fn of_name(
    store: &SqliteStore,
    kind: AccountKind,
    name: &str,
) -> Result<Option<AccountRow>, StoreError> {
    let question = Question::new(format!("{COLUMNS} WHERE kind = ? AND name = ?")).give(kind.name());
    first(store, question.give(name.to_owned())).await
}

pub(super) async fn of_secret(
    store: &SqliteStore,
    kind: AccountKind,
    secret: &str,
) -> Result<Option<AccountRow>, StoreError> {
    let question = Question::new(format!("{COLUMNS} WHERE secret = ? AND kind = ?")).give(secret.to_owned());
    first(store, question.give(kind.name())).await
}

async fn first(store: &SqliteStore, question: Question) -> Result<Option<AccountRow>, StoreError> {
    question.ask(store).await?.first().map(|row| account_row(store, row)).transpose()
}

fn account_row(store: &SqliteStore, row: &SqliteRow) -> Result<AccountRow, StoreError> {
    let place = || "an account".to_owned();
    let (kind, name): (String, String) = (get(store, row, 0, place)?, get(store, row, 1, place)?);
    let place = || format!("the {kind} `{name}`");
    let known = AccountKind::ALL.into_iter().find(|known| known.name() == kind);
    let account = AccountRow {
        kind: known.ok_or_else(|| store.damaged(format!("{}: there is no such kind of account", place())))?,
        name: name.clone(),
        secret: get(store, row, 2, place)?,
        owner: get(store, row, 3, place)?,
        state: get(store, row, 4, place)?,
        used: Timestamp::from_nanos(get(store, row, 5, place)?),
    };
    if get::<Checksum>(store, row, 6, place)? != checksum(&account, &account.state) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(account)
}

pub(super) async fn add(store: &SqliteStore, row: &AccountRow, audit: Option<&AuditRow>) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO accounts (kind, name, secret, owner, state, used, checksum) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    let change = Change::new(sql).give(row.kind.name()).give(&row.name).give(&row.secret).give(&row.owner);
    let change = change.give(&row.state).give(row.used.as_nanos()).give(checksum(row, &row.state));
    Ok(change.execute(store, audit).await? > 0)
}

pub(super) async fn change(
    store: &SqliteStore,
    from: &AccountRow,
    state: &str,
    audit: Option<&AuditRow>,
) -> Result<bool, StoreError> {
    let sql = "UPDATE accounts SET state = ?, checksum = ? WHERE kind = ? AND name = ? AND state = ?";
    let change = Change::new(sql).give(state).give(checksum(from, state));
    Ok(change.give(from.kind.name()).give(&from.name).give(&from.state).execute(store, audit).await? > 0)
}

pub(super) async fn used(store: &SqliteStore, kind: AccountKind, name: &str, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE accounts SET used = max(used, ?) WHERE kind = ? AND name = ?";
    Change::new(sql).give(at.as_nanos()).give(kind.name()).give(name).execute(store, None).await.map(drop)
}

pub(super) async fn remove(
    store: &SqliteStore,
    kind: AccountKind,
    name: &str,
    audit: Option<&AuditRow>,
) -> Result<bool, StoreError> {
    let sql = "DELETE FROM accounts WHERE kind = ? AND name = ?";
    Ok(Change::new(sql).give(kind.name()).give(name).execute(store, audit).await? > 0)
}

pub(super) async fn remove_of(
    store: &SqliteStore,
    kind: AccountKind,
    owner: &str,
    audit: Option<&AuditRow>,
) -> Result<u64, StoreError> {
    let sql = "DELETE FROM accounts WHERE owner = ? AND kind = ?";
    Change::new(sql).give(owner).give(kind.name()).execute(store, audit).await
}

pub(super) async fn remove_unused(store: &SqliteStore, kind: AccountKind, since: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM accounts WHERE kind = ? AND used < ?";
    Change::new(sql).give(kind.name()).give(since.as_nanos()).execute(store, None).await
}

/// A statement that writes, with its parameters, and the row of the audit trail about it.
struct Change(Script);

impl Change {
    fn new(sql: &'static str) -> Self {
        let mut script = Script::new();
        script.sql.extend(["BEGIN IMMEDIATE; ", sql, "; SELECT changes();"]);
        Change(script)
    }

    fn give<'q>(mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        // Encoding text and integers cannot fail.
        let _ = self.0.give(value);
        self
    }

    /// Returns how many rows of accounts it has changed. If there is none, it stores no row of the
    /// trail.
    async fn execute(mut self, store: &SqliteStore, audit: Option<&AuditRow>) -> Result<u64, StoreError> {
        let mut guard = store.writer.acquire().await?;
        let changed = async {
            if let Some(row) = audit {
                self.0.audit(row, AuditOf::LastStatement)?;
            }
            self.0.sql += "COMMIT";
            let rows = self.0.send(guard.connection()).await?;
            rows.first().map_or(Ok(0), |row| row.try_get::<i64, _>(0))
        };
        let changed = changed.await.map_err(|error: sqlx::Error| guard.explain(&error))?;
        guard.release();
        Ok(changed.cast_unsigned())
    }
}

/// Looks for damage in the table of accounts.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    for row in Question::new(format!("{COLUMNS} ORDER BY kind, name")).ask(store).await? {
        match account_row(store, &row) {
            Ok(_) => {}
            Err(StoreError::Damaged { what, .. }) => findings.push(what),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn checksum(row: &AccountRow, state: &str) -> Checksum {
    let AccountRow { kind, name, secret, owner, .. } = row;
    let secret = secret.as_deref().unwrap_or_default();
    of_columns("account", &[kind.name(), name, secret, owner, state].map(str::as_bytes))
}
