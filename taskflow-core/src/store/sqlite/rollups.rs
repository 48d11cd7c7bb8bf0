//! The rollups of runs.
//!
//! A rollup is derived data: one that does not have its checksum is left out, and its reader makes
//! it anew. Only a check names it.

use super::SqliteStore;
use super::read::{Question, get};
use super::script::Script;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::rollup_rows::RollupRow;

pub(super) async fn last_segments(store: &SqliteStore, runs: &[i64]) -> Result<Vec<(i64, u32)>, StoreError> {
    let sql = "SELECT value, coalesce((SELECT id & 4294967295 FROM segments \
               WHERE id BETWEEN value << 32 AND (value << 32) | 4294967295 ORDER BY id DESC LIMIT 1), 0) \
               FROM json_each(?)";
    let rows = Question::new(sql).give(list(runs)).ask(store).await?;
    let place = || "the segments of runs".to_owned();
    rows.iter().map(|row| Ok((get(store, row, 0, place)?, get(store, row, 1, place)?))).collect()
}

pub(super) async fn rollups(store: &SqliteStore, runs: &[i64]) -> Result<Vec<RollupRow>, StoreError> {
    let sql = "SELECT run, segments, body, checksum FROM rollups WHERE run IN (SELECT value FROM json_each(?))";
    let rows = Question::new(sql).give(list(runs)).ask(store).await?;
    let read = |row| {
        let place = || "a rollup".to_owned();
        let row_of = RollupRow {
            run: get(store, row, 0, place)?,
            segments: get(store, row, 1, place)?,
            body: get(store, row, 2, place)?,
            labels: Vec::new(),
        };
        let checksum: Checksum = get(store, row, 3, place)?;
        Ok::<_, StoreError>((checksum == of_body(&row_of)).then_some(row_of))
    };
    Ok(rows.iter().filter_map(|row| read(row).ok().flatten()).collect())
}

pub(super) async fn with_labels(store: &SqliteStore, run: i64) -> Result<Option<RollupRow>, StoreError> {
    Ok(whole(store, run).await?.filter(|(_, is_sound)| *is_sound).map(|(row, _)| row))
}

/// The rollup of a run, and whether it has its checksums.
async fn whole(store: &SqliteStore, run: i64) -> Result<Option<(RollupRow, bool)>, StoreError> {
    let sql = "SELECT segments, body, labels, checksum, labels_checksum FROM rollups WHERE run = ?";
    let rows = Question::new(sql).give(run).ask(store).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let place = || format!("the rollup of run {run}");
    let row_of = RollupRow {
        run,
        segments: get(store, row, 0, place)?,
        body: get(store, row, 1, place)?,
        labels: get(store, row, 2, place)?,
    };
    let checksums: (Checksum, Checksum) = (get(store, row, 3, place)?, get(store, row, 4, place)?);
    let is_sound = checksums == (of_body(&row_of), of_labels(&row_of));
    Ok(Some((row_of, is_sound)))
}

pub(super) async fn put(store: &SqliteStore, rollups: &[RollupRow]) -> Result<(), StoreError> {
    if rollups.is_empty() {
        return Ok(());
    }
    store.hit("store.rollups")?;
    // One that is lost is made again by whoever reads it first.
    let mut guard = store.writer.acquire_lazily().await?;
    let mut script = Script::new();
    let sent = async {
        script.sql += "BEGIN IMMEDIATE;";
        for row in rollups {
            // A run that was deleted meanwhile has none.
            script.sql += "INSERT OR REPLACE INTO rollups (run, segments, body, labels, checksum, labels_checksum) \
                           SELECT number, ?, ?, ?, ?, ? FROM runs WHERE number = ?;";
            script.give(i64::from(row.segments))?;
            script.give(&row.body)?;
            script.give(&row.labels)?;
            script.give(of_body(row))?;
            script.give(of_labels(row))?;
            script.give(row.run)?;
        }
        script.sql += "COMMIT";
        script.send_and_note(guard.connection(), &mut []).await
    };
    sent.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

/// Looks for damage of rollups.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let rows = match Question::new("SELECT run FROM rollups ORDER BY run").ask(store).await {
        Ok(rows) => rows,
        // The check of the pages names it.
        Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => return Ok(()),
        Err(error) => return Err(error),
    };
    for row in rows {
        let run: i64 = get(store, &row, 0, || "a rollup".to_owned())?;
        match whole(store, run).await {
            Ok(Some((_, false))) => findings.push(format!(
                "the rollup of run {run} does not have its checksum; it is derived data, and is written anew when it is \
                 needed"
            )),
            Err(StoreError::Damaged { what, .. }) => findings.push(what),
            result => drop(result?),
        }
    }
    Ok(())
}

fn list(runs: &[i64]) -> String {
    format!("[{}]", runs.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
}

fn of_body(row: &RollupRow) -> Checksum {
    of_columns("rollup", &[&row.run.to_be_bytes(), &row.segments.to_be_bytes(), &row.body])
}

fn of_labels(row: &RollupRow) -> Checksum {
    of_columns("rollup labels", &[&row.run.to_be_bytes(), &row.segments.to_be_bytes(), &row.labels])
}
