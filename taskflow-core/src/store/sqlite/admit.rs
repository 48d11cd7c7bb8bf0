//! Admitting runs of DAGs with `max_active_runs`: see [`admission`](crate::store::admission).

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteStore;
use super::read::{Question, get};
use super::row_checksums;
use super::run_locks::blocking;
use super::script::Script;
use crate::run::RunState;
use crate::store::admission::{Admission, AdmissionRequest, Ticket, decide};
use crate::store::error::StoreError;

/// The tickets of the running runs of the DAG of a run. The index of the states keeps it from
/// reading all runs of the DAG.
const TICKETS: &str = "SELECT admissions.run, runs.run_id, admissions.ticket, admissions.admitted, admissions.backfill \
     FROM runs INDEXED BY runs_by_state CROSS JOIN admissions ON admissions.run = runs.number \
     WHERE runs.state = 'running' AND runs.dag_id = (SELECT dag_id FROM runs WHERE number = ?) \
     AND admissions.token = runs.token";

pub(super) async fn admit(store: &SqliteStore, request: &AdmissionRequest) -> Result<Admission, StoreError> {
    store.hit("store.admit")?;
    // A run that has its ticket and still waits changes nothing, so it does not take the lock for
    // writing.
    if !request.is_first {
        let rows = Question::new(TICKETS).give(request.run).ask(store).await?;
        let (own, others) = alive(store, &rows, request.run).await?;
        if own.is_some()
            && let waits @ Admission::Waits { .. } = decide(request, own, &others)
        {
            return Ok(waits);
        }
    }
    let mut guard = store.writer.acquire_lazily().await?;
    let admission = write(store, guard.connection(), request).await?;
    let admission = admission.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(admission)
}

/// Decides under the lock for writing, and stores the decision.
async fn write(
    store: &SqliteStore,
    connection: &mut SqliteConnection,
    request: &AdmissionRequest,
) -> Result<sqlx::Result<Admission>, StoreError> {
    let rows = async {
        let mut script = Script::new();
        script.sql += "BEGIN IMMEDIATE;";
        if request.is_first {
            let (state, counts) = (RunState::Running.name(), "[]");
            script.sql += "UPDATE runs SET state = ?, ended = NULL, counts = ?, checksum_state = ? \
                 WHERE number = ? AND token = ?;";
            script.give(state)?;
            script.give(counts)?;
            script.give(row_checksums::state(state, None, counts))?;
            script.give(request.run)?;
            script.give(request.token.cast_signed())?;
        }
        script.sql += TICKETS;
        script.give(request.run)?;
        script.send(connection).await
    };
    let rows = match rows.await {
        Ok(rows) => rows,
        Err(error) => return Ok(Err(error)),
    };
    let (own, others) = alive(store, &rows, request.run).await?;
    let admission = decide(request, own, &others);
    let stored = async {
        let token = request.token.cast_signed();
        let mut script = Script::new();
        script.sql += "INSERT INTO admissions (run, token, ticket, admitted, backfill) \
             SELECT number, token, (SELECT coalesce(max(ticket), 0) + 1 FROM admissions), ?3, ?4 FROM runs \
             WHERE number = ?1 AND token = ?2 AND state = 'running' \
             ON CONFLICT (run) DO UPDATE SET admitted = excluded.admitted, token = excluded.token, \
             backfill = excluded.backfill, \
             ticket = CASE WHEN token = excluded.token THEN ticket ELSE excluded.ticket END RETURNING run; COMMIT";
        script.give(request.run)?;
        script.give(token)?;
        script.give(admission == Admission::Admitted)?;
        script.give(request.is_backfill)?;
        Ok(script.send(connection).await?.len() == 1)
    };
    Ok(stored.await.map(|stored| if stored { admission } else { Admission::Fenced }))
}

/// The ticket of this run, and those of the others whose owners are alive.
async fn alive(store: &SqliteStore, rows: &[SqliteRow], run: i64) -> Result<(Option<Ticket>, Vec<Ticket>), StoreError> {
    let (mut own, mut others) = (None, Vec::with_capacity(rows.len()));
    for row in rows {
        let place = || "an admission".to_owned();
        let (of, ticket): (i64, i64) = (get(store, row, 0, place)?, get(store, row, 2, place)?);
        let flag = |column: usize| row.try_get::<i64, _>(column).unwrap_or(0) != 0;
        let ticket = Ticket { run: of, ticket, is_admitted: flag(3), is_backfill: flag(4) };
        if of == run {
            own = Some(ticket);
        } else {
            others.push((get::<String>(store, row, 1, place)?, ticket));
        }
    }
    let locks = store.locks.clone();
    let held = move || {
        let held = others.into_iter().filter(|(run_id, _)| locks.is_ours(run_id) || locks.holder(run_id).is_some());
        held.map(|(_, ticket)| ticket).collect()
    };
    // A thread that cannot be asked does not admit too many.
    let others = blocking(held).await.map_err(|error| store.damaged(format!("lock files: {error}")))?;
    Ok((own, others))
}
