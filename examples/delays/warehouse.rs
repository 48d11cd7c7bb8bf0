//! The SQLite warehouse.

use std::fs::create_dir_all;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection, query, raw_sql};
use taskflow::Result;

use super::summary::{Joined, Summary};

const TABLES: &str = "
    create table if not exists delays (
        month text, dimension text, key text, name text,
        flights integer, cancelled integer, late integer, mean_delay real,
        primary key (month, dimension, key)
    ) strict, without rowid;
    create table if not exists bad_rows (
        month text, file text, line integer, reason text,
        primary key (month, file, line)
    ) strict, without rowid";

/// Replaces the rows of a month in one transaction. Returns the number of rows written.
pub async fn replace(path: &Path, month: &str, joined: &Joined, summaries: &[Summary]) -> Result<usize> {
    if let Some(dir) = path.parent() {
        create_dir_all(dir)?;
    }
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut warehouse: SqliteConnection = options.connect().await?;
    raw_sql(TABLES).execute(&mut warehouse).await?;

    let mut change = warehouse.begin_with("begin immediate").await?;
    query("delete from delays where month = ?").bind(month).execute(&mut *change).await?;
    query("delete from bad_rows where month = ?").bind(month).execute(&mut *change).await?;
    for Summary { by, groups } in summaries {
        for group in groups {
            query("insert into delays values (?, ?, ?, ?, ?, ?, ?, ?)")
                .bind(month)
                .bind(by)
                .bind(&group.key)
                .bind(&group.name)
                .bind(group.flights)
                .bind(group.cancelled)
                .bind(group.late)
                .bind(group.mean_delay())
                .execute(&mut *change)
                .await?;
        }
    }
    for row in &joined.bad {
        query("insert into bad_rows values (?, ?, ?, ?)")
            .bind(month)
            .bind(&row.file)
            .bind(row.line as i64)
            .bind(&row.reason)
            .execute(&mut *change)
            .await?;
    }
    change.commit().await?;
    warehouse.close().await?;
    Ok(summaries.iter().map(|s| s.groups.len()).sum())
}
