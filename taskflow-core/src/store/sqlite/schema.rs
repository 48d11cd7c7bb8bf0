//! The tables of a store, and their migrations.
//!
//! Migrations go forward only. The store records each applied migration with the checksum of its
//! text. Opening a store reads these records; if none is missing, that is all. Otherwise it takes
//! the write lock and looks again, so two processes that open a store at once migrate it once.

use std::borrow::Cow;
use std::path::Path;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection, Row, SqlSafeStr};

use super::error::{Doing, explain, stopped};
use crate::base::failpoint;
use crate::store::error::StoreError;

/// The table of applied migrations has a name of its own: a program may use sqlx's migrations in
/// the same file.
const NOTES: &str = "taskflow_migrations";

/// All migrations, in order. Never change one that was released.
const FILES: &[(i64, &str, &str)] = &[
    (1, "runs", include_str!("migrations/0001_runs.sql")),
    (2, "deliveries", include_str!("migrations/0002_deliveries.sql")),
    (3, "outbox", include_str!("migrations/0003_outbox.sql")),
    (4, "checksums", include_str!("migrations/0004_checksums.sql")),
    (5, "limits", include_str!("migrations/0005_limits.sql")),
    (6, "schedules", include_str!("migrations/0006_schedules.sql")),
    (7, "backfills", include_str!("migrations/0007_backfills.sql")),
    (8, "schedule_notes", include_str!("migrations/0008_schedule_notes.sql")),
    (9, "events", include_str!("migrations/0009_events.sql")),
    (10, "deadlines", include_str!("migrations/0010_deadlines.sql")),
    (11, "accounts", include_str!("migrations/0011_accounts.sql")),
    (12, "audit", include_str!("migrations/0012_audit.sql")),
    (13, "rollups", include_str!("migrations/0013_rollups.sql")),
    (14, "deletions", include_str!("migrations/0014_deletions.sql")),
    (15, "event_files", include_str!("migrations/0015_event_files.sql")),
    (16, "left_payloads", include_str!("migrations/0016_left_payloads.sql")),
];

/// The version of the schema that this program writes.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "only a server shows it"))]
pub(crate) const SCHEMA: i64 = FILES[FILES.len() - 1].0;

/// The state of a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There are no tables.
    Nothing,
    /// Migrations are missing.
    Older,
    Current,
}

fn migrator() -> Migrator {
    let migrations = FILES.iter().map(|&(version, name, sql)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(NOTES);
    migrator
}

/// Reads the state of the schema.
pub(super) async fn read(path: &Path, connection: &mut SqliteConnection) -> Result<Found, StoreError> {
    let failed = |error: sqlx::Error| explain(path, Doing::Open, &error);
    let open = |reason: String| StoreError::Open { place: path.display().to_string(), reason };
    let tables = "SELECT count(*), coalesce(sum(name = 'taskflow_migrations'), 0) FROM sqlite_schema";
    let row = sqlx::query(tables).fetch_one(&mut *connection).await.map_err(failed)?;
    let (tables, notes): (i64, i64) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
    if tables == 0 {
        return Ok(Found::Nothing);
    }
    if notes == 0 {
        let reason = "it is a SQLite database, but not one of taskflow; name another file";
        return Err(open(reason.to_owned()));
    }
    let notes = "SELECT version, checksum FROM taskflow_migrations ORDER BY version";
    let rows = sqlx::query(notes).fetch_all(connection).await.map_err(failed)?;
    let migrator = migrator();
    for row in &rows {
        let (version, checksum): (i64, Vec<u8>) = (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?);
        match migrator.iter().find(|migration| migration.version == version) {
            None => {
                return Err(StoreError::TooNew { place: path.display().to_string(), found: version, known: latest() });
            }
            Some(migration) if *migration.checksum != *checksum => {
                return Err(open(format!(
                    "its schema {version} is not the schema {version} of this build: one of the two is not a release of \
                     taskflow; use the build that wrote the store, or name another file"
                )));
            }
            Some(_) => {}
        }
    }
    Ok(if rows.len() == FILES.len() { Found::Current } else { Found::Older })
}

/// The version of the last migration.
pub(super) fn latest() -> i64 {
    FILES.last().map_or(0, |&(version, ..)| version)
}

/// Applies the missing migrations.
pub(super) async fn migrate(path: &Path, connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| explain(path, Doing::Open, &error);
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    if read(path, &mut transaction).await? == Found::Current {
        return Ok(());
    }
    failpoint::hit("store.migrate").map_err(|error| stopped(path, &error))?;
    migrator().run(&mut *transaction).await.map_err(|error| match error {
        sqlx::migrate::MigrateError::Execute(error) | sqlx::migrate::MigrateError::ExecuteMigration(error, _) => {
            failed(error)
        }
        error => StoreError::Open { place: path.display().to_string(), reason: error.to_string() },
    })?;
    transaction.commit().await.map_err(failed)
}

/// Compares the tables, indexes and triggers with those that the migrations make: a trigger whose
/// text has changed is one that SQLite obeys. Each finding is a sentence. Others may have added
/// some of their own.
pub(super) async fn check(connection: &mut SqliteConnection) -> sqlx::Result<Vec<String>> {
    // The text of the table of migrations is that of the sqlx which has made it.
    let sql = format!("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema WHERE name <> '{NOTES}'");
    let sql = || AssertSqlSafe(sql.clone());
    let mut model = SqliteConnectOptions::new().in_memory(true).connect().await?;
    for &(_, _, migration) in FILES {
        sqlx::raw_sql(migration).execute(&mut model).await?;
    }
    let expected: Vec<(String, String, String, String)> = sqlx::query_as(sql()).fetch_all(&mut model).await?;
    model.close().await?;
    let found: Vec<(String, String, String, String)> = sqlx::query_as(sql()).fetch_all(connection).await?;
    let lost = expected.into_iter().filter(|one| !found.contains(one));
    Ok(lost.map(|(kind, name, ..)| format!("the {kind} {name} is not the one of this schema")).collect())
}

/// Records the migrations up to a version as applied: for tests that build the store of an earlier
/// schema.
#[cfg(test)]
pub(super) async fn record(connection: &mut SqliteConnection, version: i64) -> sqlx::Result<()> {
    let sql = "CREATE TABLE taskflow_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
               installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, success BOOLEAN NOT NULL, \
               checksum BLOB NOT NULL, execution_time BIGINT NOT NULL)";
    sqlx::query(sql).execute(&mut *connection).await?;
    let migrator = migrator();
    for migration in migrator.iter().filter(|migration| migration.version <= version) {
        let sql = "INSERT INTO taskflow_migrations (version, description, success, checksum, execution_time) \
                   VALUES (?, ?, true, ?, 0)";
        let query = sqlx::query(sql).bind(migration.version).bind(migration.description.as_ref());
        query.bind(migration.checksum.as_ref()).execute(&mut *connection).await?;
    }
    Ok(())
}
