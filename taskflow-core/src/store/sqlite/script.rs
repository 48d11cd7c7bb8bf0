//! Statements that are sent in one call, with their parameters.
//!
//! A script stores parts: new runs, segments, updates of runs, and what is stored beside them. Each
//! part has one statement that returns the number of the part if it changed something; a part that
//! returns nothing was fenced.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};

use super::append::Plain;
use super::audit::AuditOf;
use super::chains::Checksums;
use super::row_checksums::{self, InfoColumns};
use super::segment_id;
use crate::base::Timestamp;
use crate::store::audit_rows::AuditRow;
use crate::store::checksum;
use crate::store::event_rows::NewEvent;
use crate::store::rows::{Append, AppendTarget, Appended, NewGraph, NewRun, RunUpdate, Segment};

/// How many runs one statement can store: each takes twenty parameters.
pub(super) const RUNS: usize = 1_000;

/// The beginning of a statement that stores new runs, and the values of each.
const NEW_RUN: &str = "INSERT INTO runs (run_id, dag_id, graph, state, run_type, logical_date, created, ended, build, owner, \
     token, tasks, info, counts, params, checksum_info, checksum_params, checksum_state, checksum_owner, checksum_graph) VALUES ";
const RUN_VALUES: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A script is sent when it reaches this length: SQLite refuses texts of a megabyte.
const SCRIPT: usize = 100_000;

/// What is stored if a part is.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside<'a> {
    events: &'a [NewEvent],
    audit: Option<&'a AuditRow>,
}

impl Beside<'_> {
    fn is_empty(self) -> bool {
        self.events.is_empty() && self.audit.is_none()
    }
}

impl Append {
    fn beside(&self) -> Beside<'_> {
        Beside { events: &self.events, audit: self.audit.as_deref() }
    }
}

/// Statements for one call, with their parameters.
pub(super) struct Script {
    pub(super) sql: String,
    arguments: SqliteArguments,
}

impl Script {
    pub(super) fn new() -> Self {
        Script { sql: String::new(), arguments: SqliteArguments::default() }
    }

    /// Whether it is time to send it.
    pub(super) fn is_full(&self) -> bool {
        self.sql.len() > SCRIPT
    }

    /// Sends the statements and records which parts were stored.
    pub(super) async fn send_and_note(
        &mut self,
        connection: &mut SqliteConnection,
        answers: &mut [Appended],
    ) -> sqlx::Result<()> {
        if self.sql.is_empty() {
            return Ok(());
        }
        note(answers, &self.send(connection).await?)
    }

    /// Stores the graphs that the store does not have. The caller holds the lock for writing, so
    /// that no deletion comes between these graphs and the runs that refer to them.
    pub(super) async fn new_graphs<'a>(
        &mut self,
        connection: &mut SqliteConnection,
        graphs: impl Iterator<Item = &'a NewGraph>,
    ) -> sqlx::Result<()> {
        let mut missing: BTreeMap<&str, &NewGraph> = graphs.map(|graph| (&*graph.hash, graph)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let hashes = json(&missing.keys().collect::<Vec<_>>())?;
        let sql = "SELECT hash FROM graphs WHERE hash IN (SELECT value FROM json_each(?))";
        for row in sqlx::query(sql).bind(hashes).fetch_all(&mut *connection).await? {
            missing.remove(row.try_get::<&str, _>(0)?);
        }
        self.insert_graphs(connection, missing).await
    }

    /// Stores graphs that the store does not have.
    pub(super) async fn insert_graphs(
        &mut self,
        connection: &mut SqliteConnection,
        missing: BTreeMap<&str, &NewGraph>,
    ) -> sqlx::Result<()> {
        for (hash, graph) in missing {
            let snapshot = (graph.encode)();
            self.sql += "INSERT INTO graphs (hash, checksum, snapshot) VALUES (?, ?, ?);";
            self.give(hash)?;
            self.give(checksum::of_graph(hash, &snapshot))?;
            self.give(snapshot)?;
            if self.is_full() {
                self.send_and_note(connection, &mut []).await?;
            }
        }
        Ok(())
    }

    /// Stores a batch in a transaction. Returns what became of each part.
    pub(super) async fn run(
        connection: &mut SqliteConnection,
        batch: &[Append],
        checksums: &[Checksums],
    ) -> sqlx::Result<Vec<Appended>> {
        let refused = |part: &Append| match part.run {
            AppendTarget::New(_) => Appended::Taken,
            AppendTarget::Existing { .. } => Appended::Fenced,
        };
        let mut answers: Vec<Appended> = batch.iter().map(refused).collect();
        let mut script = Script { sql: "BEGIN IMMEDIATE;".to_owned(), ..Script::new() };
        if batch.iter().any(|part| !part.events.is_empty() || part.audit.is_some()) {
            script.begin_parts();
        }
        for ((at, part), &checksums) in (0_i64..).zip(batch).zip(checksums) {
            script.part(at, part, checksums)?;
            if script.is_full() {
                script.send_and_note(connection, &mut answers).await?;
            }
        }
        script.sql += "COMMIT";
        script.send_and_note(connection, &mut answers).await?;
        Ok(answers)
    }

    /// Sends the statements, and returns the rows that they return.
    pub(super) async fn send(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<Vec<SqliteRow>> {
        let (sql, arguments) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.arguments));
        sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false).fetch_all(connection).await
    }

    fn part(&mut self, at: i64, part: &Append, checksums: Checksums) -> sqlx::Result<()> {
        let first = part.segment.as_ref().is_none_or(|segment| segment.number == 1);
        match &part.run {
            // The first segment of a run must have number 1.
            AppendTarget::New(_) if !first => Ok(()),
            AppendTarget::New(run) => {
                let segment = part.segment.as_ref().map(|segment| (segment, checksums));
                self.new_run(at, run, segment, part.update.as_ref(), part.beside())
            }
            &AppendTarget::Existing { run, token } => {
                // No run and no token is out of the range of the columns.
                let number = part.segment.as_ref().map_or(1, |segment| segment.number);
                match (i64::try_from(token), segment_id(run, number)) {
                    (Ok(token), Some(id)) => {
                        let segment = part.segment.as_ref().map(|segment| Plain { run, token, id, segment, checksums });
                        self.known_run(at, (run, token), segment.as_ref(), part.update.as_ref(), part.beside())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    pub(super) fn new_run(
        &mut self,
        at: i64,
        run: &NewRun,
        segment: Option<(&Segment, Checksums)>,
        update: Option<&RunUpdate>,
        beside: Beside<'_>,
    ) -> sqlx::Result<()> {
        self.sql += NEW_RUN;
        self.sql += RUN_VALUES;
        self.sql += " ON CONFLICT (run_id) DO NOTHING RETURNING ?, number;";
        self.run_values(run, update)?;
        self.give(at)?;
        if let Some((segment, checksums)) = segment {
            self.sql += "INSERT INTO segments (id, events, data, checksum, data_checksum) \
                         SELECT (last_insert_rowid() << 32) + 1, ?, ?, ?, ? WHERE changes() = 1;";
            self.give(&segment.events)?;
            self.give(&segment.data)?;
            self.give(checksums.segment)?;
            self.give(checksums.data)?;
        }
        // The last statement has stored the segment or, without one, the run.
        if run.has_callbacks {
            self.outbox_mark(&run.info.run_id)?;
        }
        if beside.is_empty() {
            return Ok(());
        }
        self.note_segment(at)?;
        self.beside(at, beside)
    }

    /// Adds runs without segments, at most [`RUNS`] of them, as one statement to parse. It returns
    /// the ids and the numbers of those that are new.
    pub(super) fn queued_runs(&mut self, runs: &[&NewRun]) -> sqlx::Result<()> {
        for (at, run) in runs.iter().enumerate() {
            self.sql += if at == 0 { NEW_RUN } else { ", " };
            self.sql += RUN_VALUES;
            self.run_values(run, None)?;
        }
        if !runs.is_empty() {
            self.sql += " ON CONFLICT (run_id) DO NOTHING RETURNING run_id, number;";
        }
        Ok(())
    }

    /// Gives the values of a new run.
    fn run_values(&mut self, run: &NewRun, update: Option<&RunUpdate>) -> sqlx::Result<()> {
        let info = &run.info;
        let (graph, tasks) = update.and_then(|update| update.graph.as_ref()).map_or((&run.graph, run.tasks), named);
        self.give(&info.run_id)?;
        self.give(&info.dag_id)?;
        self.give(graph)?;
        let state = update.map_or(run.state(), |update| update.state).name();
        let ended = update.and_then(|update| update.ended).map(Timestamp::as_nanos);
        let (owner, token) = (run.owner.as_deref().unwrap_or_default(), run.token().cast_signed());
        let counts = json(&update.map_or(&[][..], |update| &update.counts))?;
        let (run_type, info_text) = (info.run_type.name(), json(info)?);
        let (logical_date, created) = (info.logical_date.as_nanos(), run.created.as_nanos());
        let columns = InfoColumns {
            run_id: &info.run_id,
            dag_id: &info.dag_id,
            run_type,
            logical_date,
            created,
            build: &run.build,
            info: &info_text,
        };
        let checksums = [
            columns.checksum(),
            row_checksums::params(&info.run_id, &run.params),
            row_checksums::state(state, ended, &counts),
            row_checksums::owner(owner, token),
            row_checksums::graph(graph, i64::from(tasks)),
        ];
        self.give(state)?;
        self.give(run_type)?;
        self.give(logical_date)?;
        self.give(created)?;
        self.give(ended)?;
        self.give(&run.build)?;
        self.give(owner)?;
        self.give(token)?;
        self.give(i64::from(tasks))?;
        self.give(info_text)?;
        self.give(counts)?;
        self.give(&run.params)?;
        for checksum in checksums {
            self.give(checksum)?;
        }
        Ok(())
    }

    /// Adds what is stored beside a part, which is noted.
    fn beside(&mut self, at: i64, Beside { events, audit }: Beside<'_>) -> sqlx::Result<()> {
        self.events_of(at, events)?;
        audit.map_or(Ok(()), |row| self.audit(row, AuditOf::Part(at)))
    }

    fn known_run(
        &mut self,
        at: i64,
        (run, token): (i64, i64),
        segment: Option<&Plain<'_>>,
        update: Option<&RunUpdate>,
        beside: Beside<'_>,
    ) -> sqlx::Result<()> {
        if let Some((graph, _)) = update.and_then(|update| update.graph.as_ref()) {
            // Harmless if the segment is fenced: the run refers to its present graph.
            self.sql += "INSERT OR IGNORE INTO former_graphs (graph, run) \
                         SELECT graph, number FROM runs WHERE number = ? AND token = ? AND graph <> ?;";
            self.give(run)?;
            self.give(token)?;
            self.give(graph)?;
        }
        let alone = segment.is_none();
        if let Some(&Plain { id, segment, checksums, .. }) = segment {
            self.sql += "INSERT OR IGNORE INTO segments (id, events, data, checksum, data_checksum) SELECT ?, ?, ?, ?, ? FROM runs \
                         WHERE number = ? AND token = ? AND (? = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = ?))";
            self.give(id)?;
            self.give(&segment.events)?;
            self.give(&segment.data)?;
            self.give(checksums.segment)?;
            self.give(checksums.data)?;
            self.give(run)?;
            self.give(token)?;
            self.give(i64::from(segment.number))?;
            self.give(id - 1)?;
            if update.is_none() {
                self.sql += " RETURNING ?, id >> 32;";
                self.give(at)?;
            } else {
                self.sql += ";";
            }
            if !beside.is_empty() {
                self.note_segment(at)?;
            }
            if update.is_none() {
                return self.beside(at, beside);
            }
        }
        self.sql += "UPDATE runs SET ";
        if let Some(update) = update {
            let (state, ended) = (update.state.name(), update.ended.map(Timestamp::as_nanos));
            let counts = json(&update.counts)?;
            self.sql += "state = ?, ended = ?, checksum_state = ?, counts = ?";
            self.give(state)?;
            self.give(ended)?;
            self.give(row_checksums::state(state, ended, &counts))?;
            self.give(counts)?;
            if let Some((graph, tasks)) = &update.graph {
                self.sql += ", graph = ?, tasks = ?, checksum_graph = ?";
                self.give(graph)?;
                self.give(i64::from(*tasks))?;
                self.give(row_checksums::graph(graph, i64::from(*tasks)))?;
            }
        } else {
            // Stores nothing, but tells whether the token is still the present one.
            self.sql += "token = token";
        }
        self.sql += " WHERE number = ? AND token = ?";
        // A segment that was fenced fences its update.
        self.sql += if alone { " RETURNING ?, number;" } else { " AND changes() = 1 RETURNING ?, number;" };
        self.give(run)?;
        self.give(token)?;
        self.give(at)?;
        if alone && !beside.is_empty() {
            self.note_segment(at)?;
        }
        if update.is_some_and(|update| update.state.is_terminal()) {
            self.sql += "DELETE FROM requests WHERE run = ? AND changes() = 1;";
            self.give(run)?;
        }
        self.beside(at, beside)
    }

    pub(super) fn give<'q>(&mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> sqlx::Result<()> {
        add(&mut self.arguments, value)
    }
}

pub(super) fn add<'q>(
    arguments: &mut SqliteArguments,
    value: impl Encode<'q, Sqlite> + Type<Sqlite>,
) -> sqlx::Result<()> {
    Arguments::add(arguments, value).map_err(sqlx::Error::Encode)
}

fn named((graph, tasks): &(String, u32)) -> (&String, u32) {
    (graph, *tasks)
}

/// Records which parts were stored.
fn note(answers: &mut [Appended], rows: &[SqliteRow]) -> sqlx::Result<()> {
    for row in rows {
        let (at, run): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(answer) = usize::try_from(at).ok().and_then(|at| answers.get_mut(at)) {
            *answer = Appended::Stored(run);
        }
    }
    Ok(())
}

pub(super) fn json(value: &impl serde::Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
