//! Users, sessions and tokens.

use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments as _, Encode, Sqlite, Type};

use super::SqliteStore;
use super::read::{Question, get};
use crate::base::Timestamp;
use crate::store::account_rows::{AccountKind, AccountRow};
use crate::store::checksum::{Checksum, of_columns};
use crate::store::traits::StoreError;

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

pub(super) async fn add(store: &SqliteStore, row: &AccountRow) -> Result<bool, StoreError> {
    let sql = "INSERT OR IGNORE INTO accounts (kind, name, secret, owner, state, used, checksum) \
               VALUES (?, ?, ?, ?, ?, ?, ?)";
    let statement = Statement::new(sql).give(row.kind.name()).give(&row.name).give(&row.secret).give(&row.owner);
    let statement = statement.give(&row.state).give(row.used.as_nanos()).give(checksum(row, &row.state));
    Ok(statement.execute(store).await? > 0)
}

pub(super) async fn change(store: &SqliteStore, from: &AccountRow, state: &str) -> Result<bool, StoreError> {
    let sql = "UPDATE accounts SET state = ?, checksum = ? WHERE kind = ? AND name = ? AND state = ?";
    let statement = Statement::new(sql).give(state).give(checksum(from, state));
    Ok(statement.give(from.kind.name()).give(&from.name).give(&from.state).execute(store).await? > 0)
}

pub(super) async fn used(store: &SqliteStore, kind: AccountKind, name: &str, at: Timestamp) -> Result<(), StoreError> {
    let sql = "UPDATE accounts SET used = max(used, ?) WHERE kind = ? AND name = ?";
    Statement::new(sql).give(at.as_nanos()).give(kind.name()).give(name).execute(store).await.map(drop)
}

pub(super) async fn remove(store: &SqliteStore, kind: AccountKind, name: &str) -> Result<bool, StoreError> {
    let sql = "DELETE FROM accounts WHERE kind = ? AND name = ?";
    Ok(Statement::new(sql).give(kind.name()).give(name).execute(store).await? > 0)
}

pub(super) async fn remove_of(store: &SqliteStore, kind: AccountKind, owner: &str) -> Result<u64, StoreError> {
    let sql = "DELETE FROM accounts WHERE owner = ? AND kind = ?";
    Statement::new(sql).give(owner).give(kind.name()).execute(store).await
}

pub(super) async fn remove_unused(store: &SqliteStore, kind: AccountKind, since: Timestamp) -> Result<u64, StoreError> {
    let sql = "DELETE FROM accounts WHERE kind = ? AND used < ?";
    Statement::new(sql).give(kind.name()).give(since.as_nanos()).execute(store).await
}

/// A statement that writes, with its parameters.
struct Statement {
    sql: &'static str,
    arguments: SqliteArguments,
}

impl Statement {
    fn new(sql: &'static str) -> Self {
        Statement { sql, arguments: SqliteArguments::default() }
    }

    fn give<'q>(mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        // Encoding text and integers cannot fail.
        let _ = self.arguments.add(value);
        self
    }

    /// Returns how many rows it has changed.
    async fn execute(self, store: &SqliteStore) -> Result<u64, StoreError> {
        let mut guard = store.writer.acquire().await?;
        let done = sqlx::query_with(self.sql, self.arguments).execute(guard.connection()).await;
        let done = done.map_err(|error| guard.explain(&error))?;
        guard.release();
        Ok(done.rows_affected())
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
