//! SQLite alone, through sqlx: the cost of the same bytes without any tasks.

use std::error::Error;
use std::path::Path;
use std::time::Instant;

use ::taskflow::journal::SyncMode;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::job::{Job, print_fact, print_time};
use crate::rivals::runtime;

/// The number of rows per statement.
const ROWS: usize = 500;

/// Opens the database with the settings of the journal.
pub(super) fn options(file: &Path, sync: SyncMode) -> SqliteConnectOptions {
    let synchronous = if sync == SyncMode::Full { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
    SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .foreign_keys(false)
        .pragma("wal_autocheckpoint", "4000")
        .pragma("cache_size", "-8000")
        .disable_statement_logging()
}

async fn open(home: &Path, sync: SyncMode, table: &'static str) -> Result<SqliteConnection, Box<dyn Error>> {
    std::fs::create_dir_all(home)?;
    let mut connection = options(&home.join("raw.db"), sync).connect().await?;
    sqlx::query(table).execute(&mut connection).await?;
    Ok(connection)
}

async fn close(job: Job, connection: SqliteConnection, home: &Path) -> Result<(), Box<dyn Error>> {
    connection.close().await?;
    print_fact("database", std::fs::metadata(home.join("raw.db"))?.len() / job.runs as u64);
    Ok(())
}

/// Writes as many segments as the journal of a strict run, of the same total size, with one commit
/// each.
pub(super) fn segments(job: Job, home: &Path) -> Result<(), Box<dyn Error>> {
    let rows = job.rows;
    if rows.segments == 0 {
        return Err("the amount to write is unknown; measure `strict`, too".into());
    }
    let part = |bytes: u64| vec![0xa5_u8; (bytes / rows.segments) as usize];
    let (events, data) = (part(rows.events), part(rows.data));
    print_fact("tasks", job.shape.graph(job.n).len());
    print_fact("segments", rows.segments);
    let table = "CREATE TABLE segments (id INTEGER PRIMARY KEY, events BLOB NOT NULL, data BLOB NOT NULL) STRICT";
    runtime().block_on(async {
        let mut connection = open(home, job.sync, table).await?;
        for run in 0..job.runs as i64 {
            let start = Instant::now();
            for number in 0..rows.segments as i64 {
                let query = sqlx::query("INSERT INTO segments (id, events, data) VALUES (?, ?, ?)");
                query.bind((run << 32) | number).bind(&events).bind(&data).execute(&mut connection).await?;
            }
            print_time(start);
        }
        close(job, connection, home).await
    })
}

/// Writes one row per task.
pub(super) fn rows(job: Job, home: &Path) -> Result<(), Box<dyn Error>> {
    let tasks = job.shape.graph(job.n).len();
    print_fact("tasks", tasks);
    print_fact("segments", tasks.div_ceil(ROWS));
    let table = "CREATE TABLE tasks (run INTEGER NOT NULL, task INTEGER NOT NULL, state INTEGER NOT NULL, \
                 started INTEGER NOT NULL, ended INTEGER NOT NULL, value BLOB NOT NULL, PRIMARY KEY (run, task)) \
                 STRICT, WITHOUT ROWID";
    let insert = |rows: usize| format!("INSERT INTO tasks VALUES (?,?,?,?,?,?){}", ",(?,?,?,?,?,?)".repeat(rows - 1));
    let numbers: Vec<i64> = (0..tasks as i64).collect();
    runtime().block_on(async {
        let mut connection = open(home, job.sync, table).await?;
        for run in 0..job.runs as i64 {
            let start = Instant::now();
            for part in numbers.chunks(ROWS) {
                let mut query = sqlx::query(AssertSqlSafe(insert(part.len())));
                for &task in part {
                    let at = 1_700_000_000_000_000_000 + task;
                    query = query.bind(run).bind(task).bind(3_i64).bind(at).bind(at + 300).bind(&[0_u8; 2][..]);
                }
                query.execute(&mut connection).await?;
            }
            print_time(start);
        }
        close(job, connection, home).await
    })
}
