//! The audit trail.
//!
//! A row is stored by the statement that follows the one of its change, in the same transaction:
//! [`Script::audit`]. So neither is there without the other.

use std::time::Instant;

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteStore;
use super::read::{Question, get};
use super::rests::Rests;
use super::script::Script;
use crate::base::Timestamp;
use crate::store::audit_rows::{AuditFilter, AuditRow};
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;

const COLUMNS: &str = "number, at, actor, via, peer, request, action, dag, run_id, run, task, backfill, asset, reason, \
                       before, after, token, outcome, error, checksum";

/// How many rows a transaction deletes, so that others can write in between.
const AT_ONCE: u64 = 2_000;

/// On which condition a row is stored.
#[derive(Clone, Copy, Debug)]
pub(super) enum AuditOf {
    /// On none: what it is about is stored for certain.
    Certain,
    /// If the statement before it has changed something.
    LastStatement,
    /// If the segment or the run of this part of a batch is stored: [`Script::note_segment`] has
    /// noted that.
    Part(i64),
}

impl Script {
    /// Adds a row of the audit trail.
    pub(super) fn audit(&mut self, row: &AuditRow, of: AuditOf) -> sqlx::Result<()> {
        self.sql += "INSERT INTO audit (at, actor, via, peer, request, action, dag, run_id, task, backfill, asset, reason, \
                     before, after, token, outcome, error, checksum, run) \
                     SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ";
        self.give(row.at.as_nanos())?;
        for text in [Some(&row.actor), Some(&row.via), row.peer.as_ref(), row.request.as_ref(), Some(&row.action)] {
            self.give(text)?;
        }
        for text in [&row.dag, &row.run_id, &row.task] {
            self.give(text.as_deref())?;
        }
        self.give(row.backfill)?;
        self.give(row.asset.as_deref())?;
        for text in [&row.reason, &row.before, &row.after] {
            self.give(text)?;
        }
        self.give(row.token.as_deref())?;
        self.give(&row.outcome)?;
        self.give(&row.error)?;
        self.give(checksum(row))?;
        match (row.run, &row.run_id) {
            // A run that was stored by an earlier statement.
            (None, Some(run_id)) => {
                self.sql += "(SELECT number FROM runs WHERE run_id = ?)";
                self.give(run_id)?;
            }
            (run, _) => {
                self.sql += "?";
                self.give(run)?;
            }
        }
        match of {
            AuditOf::Certain => {}
            AuditOf::LastStatement => self.sql += " WHERE changes() > 0",
            AuditOf::Part(at) => {
                self.sql += " WHERE EXISTS (SELECT 1 FROM temp.parts WHERE part = ?)";
                self.give(at)?;
            }
        }
        self.sql += ";";
        Ok(())
    }
}

pub(super) async fn record(store: &SqliteStore, row: &AuditRow) -> Result<(), StoreError> {
    store.hit("store.audit")?;
    let mut script = Script::new();
    let mut guard = store.writer.acquire().await?;
    let written = async {
        script.audit(row, AuditOf::Certain)?;
        script.send_and_note(guard.connection(), &mut []).await
    };
    written.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

pub(super) async fn rows(store: &SqliteStore, filter: &AuditFilter) -> Result<Vec<AuditRow>, StoreError> {
    let rows = selected(filter).ask(store).await?;
    rows.iter().map(|row| audit_row(store, row)).collect()
}

/// A walk along one index, from the newest row on: that of the condition which is likely to select
/// the fewest rows. The `+` keeps SQLite, which does not know how many they select, from the
/// others.
pub(super) fn selected(filter: &AuditFilter) -> Question {
    let mut question = Question::new(format!("SELECT {COLUMNS} FROM audit WHERE true"));
    let texts =
        [("run_id", &filter.run_id), ("dag", &filter.dag), ("actor", &filter.actor), ("action", &filter.action)];
    let mut indexed = " AND ";
    for (column, text) in texts {
        if let Some(text) = text {
            question = question.and(&format!("{indexed}{column} = ?"), text.clone());
            indexed = " AND +";
        }
    }
    if let Some(since) = filter.since {
        // The walk ends at the first row of that time. The time itself need not grow with the
        // numbers: a clock may have been set.
        let first = " AND number >= (SELECT min(number) FROM audit INDEXED BY audit_by_time WHERE at >= ?)";
        question = question.and(first, since.as_nanos()).and(" AND +at >= ?", since.as_nanos());
    }
    if let Some(until) = filter.until {
        // The walk begins at the last row of that time.
        let last = " AND number <= (SELECT max(number) FROM audit INDEXED BY audit_by_time WHERE at < ?)";
        question = question.and(last, until.as_nanos()).and(" AND +at < ?", until.as_nanos());
    }
    if let Some(below) = filter.below {
        question = question.and(" AND number < ?", below);
    }
    question.and(" ORDER BY number DESC LIMIT ?", filter.limit.map_or(-1, i64::from))
}

/// Deletes the rows before a point in time, and stores the row about that.
///
/// 1. The oldest rows are deleted first, [`AT_ONCE`] in a transaction. The first transaction also
///    stores the row about the deletion.
/// 2. After each of them, others write: see [`Rests`].
/// 3. Rows that are stored meanwhile stay, whatever their time is.
///
/// If it ends in between, the oldest rows are gone, the trail says who wanted it, and another
/// deletion goes on. So it does after an error, which ends it early once some are gone: the caller
/// has to know that the row is stored.
pub(super) async fn delete(store: &SqliteStore, before: Timestamp, row: Option<&AuditRow>) -> Result<u64, StoreError> {
    let (mut deleted, mut newest, mut rests) = (0, i64::MAX, Rests::default());
    loop {
        let row = row.filter(|_| deleted == 0);
        let (some, last) = match delete_piece(store, before, newest, row, &mut rests).await {
            Ok(piece) => piece,
            // The next call goes on, or has the error.
            Err(_) if deleted > 0 => return Ok(deleted),
            Err(error) => return Err(error),
        };
        (deleted, newest) = (deleted + some, newest.min(last));
        if some < AT_ONCE {
            return Ok(deleted);
        }
    }
}

/// Deletes in one transaction, after a rest.
async fn delete_piece(
    store: &SqliteStore,
    before: Timestamp,
    newest: i64,
    row: Option<&AuditRow>,
    rests: &mut Rests,
) -> Result<(u64, i64), StoreError> {
    rests.before().await;
    store.hit("store.delete")?;
    let mut guard = store.writer.acquire().await?;
    let begun = Instant::now();
    let piece = delete_some(guard.connection(), before, newest, row).await;
    let piece = piece.map_err(|error| guard.explain(&error))?;
    guard.release();
    rests.after(begun);
    Ok(piece)
}

/// Returns how many rows were deleted, and the number of the last row that there was before.
async fn delete_some(
    connection: &mut SqliteConnection,
    before: Timestamp,
    newest: i64,
    row: Option<&AuditRow>,
) -> sqlx::Result<(u64, i64)> {
    let mut script = Script::new();
    script.sql += "BEGIN IMMEDIATE; SELECT coalesce(max(number), 0) FROM audit; \
                   DELETE FROM audit WHERE number IN (SELECT number FROM audit INDEXED BY audit_by_time \
                   WHERE at < ? AND number <= ? ORDER BY at LIMIT ?); SELECT changes();";
    script.give(before.as_nanos())?;
    script.give(newest)?;
    script.give(AT_ONCE.cast_signed())?;
    if let Some(row) = row {
        script.audit(row, AuditOf::LastStatement)?;
    }
    script.sql += "COMMIT";
    let rows = script.send(connection).await?;
    let number = |at: usize| rows.get(at).map_or(Ok(0), |row| row.try_get::<i64, _>(0));
    Ok((number(1)?.cast_unsigned(), number(0)?))
}

pub(super) async fn count(store: &SqliteStore, before: Timestamp) -> Result<u64, StoreError> {
    let rows = Question::new("SELECT count(*) FROM audit WHERE at < ?").give(before.as_nanos()).ask(store).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| get(store, row, 0, || "the audit trail".to_owned()))?;
    Ok(count.cast_unsigned())
}

fn audit_row(store: &SqliteStore, row: &SqliteRow) -> Result<AuditRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a row of the audit trail".to_owned())?;
    let place = || format!("audit row {number}");
    let text = |column| get::<String>(store, row, column, place);
    let optional = |column| get::<Option<String>>(store, row, column, place);
    let read = AuditRow {
        number,
        at: Timestamp::from_nanos(get(store, row, 1, place)?),
        actor: text(2)?,
        via: text(3)?,
        peer: optional(4)?,
        request: optional(5)?,
        action: text(6)?,
        dag: optional(7)?,
        run_id: optional(8)?,
        run: get(store, row, 9, place)?,
        task: optional(10)?,
        backfill: get(store, row, 11, place)?,
        asset: optional(12)?,
        reason: text(13)?,
        before: text(14)?,
        after: text(15)?,
        token: optional(16)?,
        outcome: text(17)?,
        error: text(18)?,
    };
    let stored: Checksum = get(store, row, 19, place)?;
    if stored != checksum(&read) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(read)
}

/// Looks for damage in the audit trail.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    /// How many rows are read at once.
    const ROWS: u32 = 1000;

    let mut filter = AuditFilter { limit: Some(ROWS), ..AuditFilter::default() };
    loop {
        let rows = match selected(&filter).ask(store).await {
            Ok(rows) => rows,
            // The check of the pages names it.
            Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        for row in &rows {
            match audit_row(store, row) {
                Ok(read) => filter.below = Some(read.number),
                Err(StoreError::Damaged { what, .. }) => {
                    findings.push(what);
                    filter.below = Some(get(store, row, 0, || "a row of the audit trail".to_owned())?);
                }
                Err(error) => return Err(error),
            }
        }
        if rows.len() < ROWS as usize {
            return Ok(());
        }
    }
}

/// The number of a run is not part of it: that of a new run is known to the store alone. Its id,
/// which is, belongs to the same run.
fn checksum(row: &AuditRow) -> Checksum {
    let AuditRow { at, actor, via, peer, request, action, dag, run_id, task, backfill, asset, .. } = row;
    let AuditRow { reason, before, after, token, outcome, error, .. } = row;
    let optional =
        |text: &Option<String>| text.as_ref().map_or_else(|| vec![0], |text| [b"\x01", text.as_bytes()].concat());
    let (peer, request, dag, run_id) = (optional(peer), optional(request), optional(dag), optional(run_id));
    let (task, asset, token) = (optional(task), optional(asset), optional(token));
    let backfill = backfill.map_or_else(|| vec![0], |number| [&b"\x01"[..], &number.to_be_bytes()].concat());
    let columns: [&[u8]; 17] = [
        &at.as_nanos().to_be_bytes(),
        actor.as_bytes(),
        via.as_bytes(),
        &peer,
        &request,
        action.as_bytes(),
        &dag,
        &run_id,
        &task,
        &backfill,
        &asset,
        reason.as_bytes(),
        before.as_bytes(),
        after.as_bytes(),
        &token,
        outcome.as_bytes(),
        error.as_bytes(),
    ];
    of_columns("audit", &columns)
}
