//! The plans of backfills, and the runs that slots have.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::SqliteStore;
use super::audit::AuditOf;
use super::read::{Question, fits, get, word};
use super::row_checksums::{self, InfoColumns};
use super::script::{Beside, Script};
use crate::base::Timestamp;
use crate::store::audit_rows::AuditRow;
use crate::store::backfill_rows::{BackfillChange, BackfillRow, Changed, SlotRunRow};
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::rows::Appended;
use crate::store::schedule_rows::DamagedRow;

const COLUMNS: &str = "SELECT number, dag, version, open, plan, updated, checksum FROM backfills";

/// The open plans. A damaged one hides no other.
pub(super) async fn open(store: &SqliteStore) -> Result<Vec<Result<BackfillRow, DamagedRow>>, StoreError> {
    let rows = Question::new(format!("{COLUMNS} WHERE open = 1 ORDER BY number")).ask(store).await?;
    let place = || "a backfill".to_owned();
    let read = |row| match backfill_row(store, row) {
        Ok(row) => Ok(Ok(row)),
        Err(error @ StoreError::Damaged { .. }) => {
            let (dag, version) = (get(store, row, 1, place)?, get(store, row, 2, place)?);
            Ok(Err(DamagedRow { dag, version, error }))
        }
        Err(error) => Err(error),
    };
    rows.iter().map(read).collect()
}

pub(super) async fn latest(
    store: &SqliteStore,
    dag: Option<&str>,
    before: Option<i64>,
    limit: Option<u32>,
) -> Result<Vec<BackfillRow>, StoreError> {
    let question = match dag {
        Some(dag) => {
            let text = format!("{COLUMNS} WHERE dag = ? AND number < ? ORDER BY number DESC LIMIT ?");
            Question::new(text).give(dag.to_owned())
        }
        None => Question::new(format!("{COLUMNS} WHERE number < ? ORDER BY number DESC LIMIT ?")),
    };
    // A negative limit means no limit.
    rows(store, question.give(before.unwrap_or(i64::MAX)).give(limit.map_or(-1, i64::from))).await
}

pub(super) async fn one(store: &SqliteStore, number: i64) -> Result<Option<BackfillRow>, StoreError> {
    Ok(rows(store, Question::new(format!("{COLUMNS} WHERE number = ?")).give(number)).await?.pop())
}

async fn rows(store: &SqliteStore, question: Question) -> Result<Vec<BackfillRow>, StoreError> {
    let rows = question.ask(store).await?;
    rows.iter().map(|row| backfill_row(store, row)).collect()
}

fn backfill_row(store: &SqliteStore, row: &SqliteRow) -> Result<BackfillRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a backfill".to_owned())?;
    let place = || format!("backfill {number}");
    let row_of = BackfillRow {
        number,
        dag: get(store, row, 1, place)?,
        version: get(store, row, 2, place)?,
        is_open: get::<i64>(store, row, 3, place)? != 0,
        plan: get(store, row, 4, place)?,
        updated: Timestamp::from_nanos(get(store, row, 5, place)?),
    };
    let stored: Checksum = get(store, row, 6, place)?;
    if stored != checksum(number, &row_of) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(row_of)
}

/// Stores a change in one transaction.
pub(super) async fn change(store: &SqliteStore, change: &BackfillChange) -> Result<Changed, StoreError> {
    store.hit("store.backfill")?;
    let mut guard = store.writer.acquire().await?;
    let changed = write(guard.connection(), change).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.backfilled")?;
    Ok(changed)
}

async fn write(connection: &mut SqliteConnection, change: &BackfillChange) -> sqlx::Result<Changed> {
    let BackfillChange { row, runs, graphs, beside, audit } = change;
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let last = "SELECT (SELECT coalesce(max(number), 0) FROM backfills), \
                coalesce((SELECT version FROM backfills WHERE number = ?), 0)";
    let found = sqlx::query(last).bind(row.number).fetch_one(&mut *transaction).await?;
    let (last, version): (i64, i64) = (found.try_get(0)?, found.try_get(1)?);
    if version + 1 != row.version {
        transaction.rollback().await?;
        return Ok(Changed::Conflict);
    }
    if let Some(beside) = beside {
        let sql = "SELECT number, version FROM backfills WHERE open = 1 AND dag = ? AND number <> ? ORDER BY number";
        let open = sqlx::query(sql).bind(&row.dag).bind(row.number).fetch_all(&mut *transaction).await?;
        let open = open.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?)));
        if open.collect::<sqlx::Result<Vec<(i64, i64)>>>()? != *beside {
            transaction.rollback().await?;
            return Ok(Changed::Conflict);
        }
    }
    let number = if row.number == 0 { last + 1 } else { row.number };
    let mut script = Script::new();
    script.sql += "INSERT INTO backfills (number, dag, version, open, plan, updated, checksum) \
                   VALUES (?, ?, ?, ?, ?, ?, ?) \
                   ON CONFLICT (number) DO UPDATE SET version = excluded.version, open = excluded.open, \
                   plan = excluded.plan, updated = excluded.updated, checksum = excluded.checksum;";
    script.give(number)?;
    script.give(&row.dag)?;
    script.give(row.version)?;
    script.give(row.is_open)?;
    script.give(&row.plan)?;
    script.give(row.updated.as_nanos())?;
    script.give(checksum(number, row))?;
    if let Some(audit) = audit {
        let audit = AuditRow { backfill: audit.backfill.map(|_| number), ..audit.clone() };
        script.audit(&audit, AuditOf::Certain)?;
    }
    script.new_graphs(&mut transaction, graphs.iter()).await?;
    let mut stored = vec![Appended::Taken; runs.len()];
    for (at, run) in (0_i64..).zip(runs) {
        script.new_run(at, run, None, None, Beside::default())?;
        if script.is_full() {
            script.send_and_note(&mut transaction, &mut stored).await?;
        }
    }
    script.send_and_note(&mut transaction, &mut stored).await?;
    if stored.contains(&Appended::Taken) {
        transaction.rollback().await?;
        return Ok(Changed::Conflict);
    }
    transaction.commit().await?;
    Ok(Changed::Stored(number))
}

pub(super) async fn slot_runs(
    store: &SqliteStore,
    dag: &str,
    ranges: &[(Timestamp, Timestamp)],
) -> Result<Vec<SlotRunRow>, StoreError> {
    let json: Vec<(i64, i64)> = ranges.iter().map(|(from, to)| (from.as_nanos(), to.as_nanos())).collect();
    let json = serde_json::to_string(&json).unwrap_or_default();
    let rows = Question::new(SLOT_RUNS).give(json).give(dag.to_owned()).ask(store).await?;
    let older: Option<i64> = match rows.is_empty() {
        true => None,
        false => {
            let head = Question::new("SELECT max(last) FROM heads WHERE run = 0").ask(store).await?;
            head.first().map(|row| get(store, row, 0, || "heads".to_owned())).transpose()?.flatten()
        }
    };
    rows.iter().map(|row| slot_run(store, row, older)).collect()
}

/// The runs of a DAG in some ranges of logical dates: each range is a walk along the index.
pub(super) const SLOT_RUNS: &str = "SELECT runs.number, run_id, dag_id, run_type, logical_date, created, build, info, \
     state, ended, counts, checksum_info, checksum_state \
     FROM json_each(?) AS range CROSS JOIN runs INDEXED BY runs_by_logical_date \
     WHERE dag_id = ? AND logical_date BETWEEN range.value ->> 0 AND range.value ->> 1 ORDER BY logical_date, runs.number";

fn slot_run(store: &SqliteStore, row: &SqliteRow, older: Option<i64>) -> Result<SlotRunRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a run".to_owned())?;
    let place = || format!("run {number}");
    let text = |column| get::<&str>(store, row, column, place);
    let (logical_date, created): (i64, i64) = (get(store, row, 4, place)?, get(store, row, 5, place)?);
    let columns = InfoColumns {
        run_id: text(1)?,
        dag_id: text(2)?,
        run_type: text(3)?,
        logical_date,
        created,
        build: text(6)?,
        info: text(7)?,
    };
    let (state, counts) = (text(8)?, text(10)?);
    let ended: Option<i64> = get(store, row, 9, place)?;
    fits(store, number, older, "description", get(store, row, 11, place)?, columns.checksum())?;
    fits(store, number, older, "state", get(store, row, 12, place)?, row_checksums::state(state, ended, counts))?;
    Ok(SlotRunRow {
        number,
        run_id: columns.run_id.to_owned(),
        logical_date: Timestamp::from_nanos(logical_date),
        state: word(state).map_err(|error| store.damaged(format!("{}, column `state`: {error}", place())))?,
        ended: ended.map(Timestamp::from_nanos),
    })
}

/// Looks for damage in the table of plans.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    for row in Question::new(format!("{COLUMNS} ORDER BY number")).ask(store).await? {
        match backfill_row(store, &row) {
            Ok(_) => {}
            Err(StoreError::Damaged { what, .. }) => findings.push(what),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn checksum(number: i64, row: &BackfillRow) -> Checksum {
    let BackfillRow { dag, version, is_open, plan, updated, .. } = row;
    let numbers = [number, *version, i64::from(*is_open), updated.as_nanos()].map(i64::to_be_bytes);
    of_columns("backfill", &[dag.as_bytes(), &numbers[0], &numbers[1], &numbers[2], plan.as_bytes(), &numbers[3]])
}
