//! The states of schedules, of consumers and of the deadlines of slots, and the slots that became
//! no runs.

use std::collections::{BTreeMap, HashMap, HashSet};

use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::SqliteStore;
use super::audit::AuditOf;
use super::read::{Question, get};
use super::script::{RUNS, Script, json};
use crate::base::Timestamp;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::rows::{Appended, NewGraph, NewRun};
use crate::store::schedule_rows::{DamagedRow, NoteRow, ScheduleRow, ScheduleStep, SlotRow, Stepped};

/// How many rows one statement stores: each takes five parameters.
const ROWS: usize = 4_000;

pub(super) async fn steps(store: &SqliteStore) -> Result<i64, StoreError> {
    let rows = Question::new("SELECT coalesce(sum(version), 0) FROM schedules").ask(store).await?;
    rows.first().map_or(Ok(0), |row| get(store, row, 0, || "the schedules".to_owned()))
}

/// A table of states, one for each DAG.
#[derive(Clone, Copy, Debug)]
pub(super) enum Table {
    Schedules,
    Consumers,
    SlotDeadlines,
}

impl Table {
    const fn name(self) -> &'static str {
        match self {
            Table::Schedules => "schedules",
            Table::Consumers => "consumers",
            Table::SlotDeadlines => "slot_deadlines",
        }
    }

    /// Selects all rows.
    fn all(self) -> String {
        format!("SELECT dag, version, state, updated, checksum FROM {} ORDER BY dag", self.name())
    }

    /// The name of the group of columns that the checksum of a row covers.
    const fn row(self) -> &'static str {
        match self {
            Table::Schedules => "schedule",
            Table::Consumers => "consumer",
            Table::SlotDeadlines => "deadlines",
        }
    }
}

/// All rows of a table. A damaged one hides no other.
pub(super) async fn states(
    store: &SqliteStore,
    table: Table,
) -> Result<Vec<Result<ScheduleRow, DamagedRow>>, StoreError> {
    let rows = Question::new(table.all()).ask(store).await?;
    let place = || format!("a {}", table.row());
    let read = |row| match state_row(store, table, row) {
        Ok(row) => Ok(Ok(row)),
        Err(error @ StoreError::Damaged { .. }) => {
            let (dag, version) = (get(store, row, 0, place)?, get(store, row, 1, place)?);
            Ok(Err(DamagedRow { dag, version, error }))
        }
        Err(error) => Err(error),
    };
    rows.iter().map(read).collect()
}

pub(super) async fn schedule(store: &SqliteStore, dag: &str) -> Result<Option<ScheduleRow>, StoreError> {
    let sql = "SELECT dag, version, state, updated, checksum FROM schedules WHERE dag = ?";
    let rows = Question::new(sql).give(dag.to_owned()).ask(store).await?;
    rows.first().map(|row| state_row(store, Table::Schedules, row)).transpose()
}

pub(super) async fn slots(store: &SqliteStore, dag: &str, limit: u32) -> Result<Vec<SlotRow>, StoreError> {
    let sql = "SELECT number, dag, first, last, count, fate, reason, decided, checksum FROM slots WHERE dag = ? \
               ORDER BY last DESC LIMIT ?";
    let rows = Question::new(sql).give(dag.to_owned()).give(i64::from(limit)).ask(store).await?;
    rows.iter().map(|row| slot_row(store, row)).collect()
}

pub(super) async fn notes(store: &SqliteStore, dag: &str, limit: u32) -> Result<Vec<NoteRow>, StoreError> {
    let sql = "SELECT number, dag, at, note, checksum FROM schedule_notes WHERE dag = ? \
               ORDER BY at DESC, number DESC LIMIT ?";
    let rows = Question::new(sql).give(dag.to_owned()).give(i64::from(limit)).ask(store).await?;
    rows.iter().map(|row| note_row(store, row)).collect()
}

pub(super) async fn notes_from(
    store: &SqliteStore,
    dag: &str,
    from: Timestamp,
    (skipped, limit): (u32, u32),
) -> Result<Vec<NoteRow>, StoreError> {
    let sql = "SELECT number, dag, at, note, checksum FROM schedule_notes WHERE dag = ? AND at >= ? \
               ORDER BY at, number LIMIT ? OFFSET ?";
    let question = Question::new(sql).give(dag.to_owned()).give(from.as_nanos());
    let rows = question.give(i64::from(limit)).give(i64::from(skipped)).ask(store).await?;
    rows.iter().map(|row| note_row(store, row)).collect()
}

fn state_row(store: &SqliteStore, table: Table, row: &SqliteRow) -> Result<ScheduleRow, StoreError> {
    let kind = table.row();
    let dag: String = get(store, row, 0, || format!("a {kind}"))?;
    let place = || format!("the {kind} of `{dag}`");
    let (version, state): (i64, String) = (get(store, row, 1, place)?, get(store, row, 2, place)?);
    let updated: i64 = get(store, row, 3, place)?;
    let stored: Checksum = get(store, row, 4, place)?;
    if stored != state_checksum(table, &dag, version, &state, updated) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(ScheduleRow { dag, version, state, updated: Timestamp::from_nanos(updated) })
}

fn slot_row(store: &SqliteStore, row: &SqliteRow) -> Result<SlotRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a slot".to_owned())?;
    let place = || format!("slot record {number}");
    let time = |column| get(store, row, column, place).map(Timestamp::from_nanos);
    let count: i64 = get(store, row, 4, place)?;
    let slot = SlotRow {
        dag: get(store, row, 1, place)?,
        first: time(2)?,
        last: time(3)?,
        count: count.cast_unsigned(),
        fate: get(store, row, 5, place)?,
        reason: get(store, row, 6, place)?,
        decided: time(7)?,
    };
    let stored: Checksum = get(store, row, 8, place)?;
    if stored != slot_checksum(&slot) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(slot)
}

fn note_row(store: &SqliteStore, row: &SqliteRow) -> Result<NoteRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a note of a schedule".to_owned())?;
    let place = || format!("note {number} of a schedule");
    let (dag, at, note): (String, i64, String) =
        (get(store, row, 1, place)?, get(store, row, 2, place)?, get(store, row, 3, place)?);
    let stored: Checksum = get(store, row, 4, place)?;
    let row = NoteRow { dag, at: Timestamp::from_nanos(at), note };
    if stored != note_checksum(&row) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(row)
}

/// Stores steps in one transaction. A step whose version is not the next one stores nothing, nor
/// does one with a run that must be new and exists.
pub(super) async fn step(
    store: &SqliteStore,
    table: Table,
    steps: &[ScheduleStep],
) -> Result<Vec<Stepped>, StoreError> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    store.hit("store.step")?;
    // No task of a run starts before a commit of the run is stored. A consumption that is lost
    // before that is made again from the same events; a slot might be noticed too late then.
    let can_be_lost = matches!(table, Table::Consumers) && steps.iter().all(|step| !step.runs.is_empty());
    let mut guard = match can_be_lost {
        true => store.writer.acquire_lazily().await?,
        false => store.writer.acquire().await?,
    };
    let stored = write(guard.connection(), table, steps).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.stepped")?;
    Ok(stored)
}

async fn write(connection: &mut SqliteConnection, table: Table, steps: &[ScheduleStep]) -> sqlx::Result<Vec<Stepped>> {
    let graphs = steps.iter().flat_map(|step| &step.graphs).map(|graph| (&*graph.hash, graph));
    let mut graphs: BTreeMap<&str, &NewGraph> = graphs.collect();
    let mut script = Script::new();
    // In one call, as each is a round trip through the thread of the connection.
    script.sql += &format!(
        "BEGIN IMMEDIATE; SELECT dag, version FROM {} WHERE dag IN (SELECT value FROM json_each(?));",
        table.name()
    );
    script.give(json(&steps.iter().map(|step| &step.row.dag).collect::<Vec<_>>())?)?;
    if !graphs.is_empty() {
        script.sql += "SELECT hash, 0 FROM graphs WHERE hash IN (SELECT value FROM json_each(?));";
        script.give(json(&graphs.keys().collect::<Vec<_>>())?)?;
    }
    let fresh: Vec<&String> = steps.iter().flat_map(|step| &step.fresh).collect();
    if !fresh.is_empty() {
        script.sql += "SELECT run_id, -1 FROM runs WHERE run_id IN (SELECT value FROM json_each(?));";
        script.give(json(&fresh)?)?;
    }
    let (mut versions, mut taken) = (HashMap::new(), HashSet::new());
    for row in script.send(connection).await? {
        match row.try_get::<i64, _>(1)? {
            // No DAG has these versions.
            -1 => drop(taken.insert(row.try_get::<String, _>(0)?)),
            0 => drop(graphs.remove(row.try_get::<&str, _>(0)?)),
            version => drop(versions.insert(row.try_get::<String, _>(0)?, version)),
        }
    }
    let is_next = |step: &ScheduleStep| {
        let next = versions.get(&step.row.dag).map_or(1, |version| version + 1);
        next == step.row.version && !step.fresh.iter().any(|run_id| taken.contains(run_id))
    };
    let stored = steps.iter().filter(|step| is_next(step)).flat_map(|step| &step.graphs);
    let wanted: HashSet<&str> = stored.map(|graph| &*graph.hash).collect();
    graphs.retain(|hash, _| wanted.contains(hash));
    script.insert_graphs(connection, graphs).await?;
    let stored: Vec<&ScheduleStep> = steps.iter().filter(|step| is_next(step)).collect();
    let runs: Vec<&NewRun> = stored.iter().flat_map(|step| &step.runs).collect();
    let mut numbers = HashMap::new();
    for some in stored.chunks(ROWS) {
        script.rows(table, some)?;
        script.send_full(connection, &mut numbers).await?;
    }
    for some in runs.chunks(RUNS) {
        script.queued_runs(some)?;
        script.send_full(connection, &mut numbers).await?;
    }
    for step in stored {
        script.records(step)?;
        script.send_full(connection, &mut numbers).await?;
    }
    script.sql += "COMMIT";
    script.send_runs(connection, &mut numbers).await?;
    let mut appended = |run: &NewRun| numbers.remove(&run.info.run_id).map_or(Appended::Taken, Appended::Stored);
    let outcome = |step: &ScheduleStep| match is_next(step) {
        true => Stepped::Stored(step.runs.iter().map(&mut appended).collect()),
        false => Stepped::Conflict,
    };
    Ok(steps.iter().map(outcome).collect())
}

impl Script {
    /// Sends the statements if it is time to, and records the numbers of new runs by their ids.
    async fn send_full(
        &mut self,
        connection: &mut SqliteConnection,
        numbers: &mut HashMap<String, i64>,
    ) -> sqlx::Result<()> {
        if self.is_full() { self.send_runs(connection, numbers).await } else { Ok(()) }
    }

    /// Sends the statements, and records the numbers of new runs by their ids.
    async fn send_runs(
        &mut self,
        connection: &mut SqliteConnection,
        numbers: &mut HashMap<String, i64>,
    ) -> sqlx::Result<()> {
        for row in self.send(connection).await? {
            numbers.insert(row.try_get(0)?, row.try_get(1)?);
        }
        Ok(())
    }

    /// Adds the rows of some steps, in one statement.
    fn rows(&mut self, table: Table, steps: &[&ScheduleStep]) -> sqlx::Result<()> {
        self.sql += "INSERT INTO ";
        self.sql += table.name();
        self.sql += " (dag, version, state, updated, checksum) VALUES ";
        for (at, step) in steps.iter().enumerate() {
            let ScheduleRow { dag, version, state, updated } = &step.row;
            self.sql += if at == 0 { "(?, ?, ?, ?, ?)" } else { ", (?, ?, ?, ?, ?)" };
            self.give(dag)?;
            self.give(*version)?;
            self.give(state)?;
            self.give(updated.as_nanos())?;
            self.give(state_checksum(table, dag, *version, state, updated.as_nanos()))?;
        }
        self.sql += " ON CONFLICT (dag) DO UPDATE SET version = excluded.version, state = excluded.state, \
                     updated = excluded.updated, checksum = excluded.checksum;";
        Ok(())
    }

    /// Adds what is stored beside the row and the runs of a step.
    fn records(&mut self, step: &ScheduleStep) -> sqlx::Result<()> {
        for slot in &step.slots {
            self.sql += "INSERT INTO slots (dag, first, last, count, fate, reason, decided, checksum) \
                         VALUES (?, ?, ?, ?, ?, ?, ?, ?);";
            self.give(&slot.dag)?;
            self.give(slot.first.as_nanos())?;
            self.give(slot.last.as_nanos())?;
            self.give(slot.count.cast_signed())?;
            self.give(&slot.fate)?;
            self.give(&slot.reason)?;
            self.give(slot.decided.as_nanos())?;
            self.give(slot_checksum(slot))?;
        }
        for note in &step.notes {
            self.sql += "INSERT INTO schedule_notes (dag, at, note, checksum) VALUES (?, ?, ?, ?);";
            self.give(&note.dag)?;
            self.give(note.at.as_nanos())?;
            self.give(&note.note)?;
            self.give(note_checksum(note))?;
        }
        step.audit.as_ref().map_or(Ok(()), |row| self.audit(row, AuditOf::Certain))
    }
}

/// Looks for damage in the tables of schedules.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    let mut look = |result: Result<(), StoreError>| match result {
        Err(StoreError::Damaged { what, .. }) => {
            findings.push(what);
            Ok(())
        }
        other => other,
    };
    let rows = async |sql: String| match Question::new(sql).ask(store).await {
        Ok(rows) => Ok(rows),
        // The check of the pages names it.
        Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    for table in [Table::Schedules, Table::Consumers, Table::SlotDeadlines] {
        for row in rows(table.all()).await? {
            look(state_row(store, table, &row).map(drop))?;
        }
    }
    let sql = "SELECT number, dag, first, last, count, fate, reason, decided, checksum FROM slots ORDER BY number";
    for row in rows(sql.to_owned()).await? {
        look(slot_row(store, &row).map(drop))?;
    }
    let sql = "SELECT number, dag, at, note, checksum FROM schedule_notes ORDER BY number";
    for row in rows(sql.to_owned()).await? {
        look(note_row(store, &row).map(drop))?;
    }
    Ok(())
}

fn state_checksum(table: Table, dag: &str, version: i64, state: &str, updated: i64) -> Checksum {
    let (version, updated) = (version.to_be_bytes(), updated.to_be_bytes());
    of_columns(table.row(), &[dag.as_bytes(), &version, state.as_bytes(), &updated])
}

fn slot_checksum(slot: &SlotRow) -> Checksum {
    let SlotRow { dag, first, last, count, fate, reason, decided } = slot;
    let times = [first, last, decided].map(|time| time.as_nanos().to_be_bytes());
    let count = count.to_be_bytes();
    of_columns("slot", &[dag.as_bytes(), &times[0], &times[1], &times[2], &count, fate.as_bytes(), reason.as_bytes()])
}

fn note_checksum(note: &NoteRow) -> Checksum {
    let NoteRow { dag, at, note } = note;
    of_columns("schedule note", &[dag.as_bytes(), &at.as_nanos().to_be_bytes(), note.as_bytes()])
}
