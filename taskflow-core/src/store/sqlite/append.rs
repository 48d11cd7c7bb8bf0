//! Stores a batch in as few calls as possible: each call is a round trip through the thread of the
//! connection.
//!
//! The frequent case, segments for stored runs, is one statement for the whole batch and needs no
//! transaction. Everything else is a script: the statements of all parts, between `BEGIN IMMEDIATE`
//! and `COMMIT`, in one call. Each part has one statement that returns the number of the part if it
//! changed something; a part that returns nothing was fenced.

use std::collections::BTreeMap;

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};

use super::audit::AuditOf;
use super::chains::Checksums;
use super::claim::lock_new;
use super::row_checksums::{self, InfoColumns};
use super::{SqliteStore, segment_id};
use crate::base::Timestamp;
use crate::store::audit_rows::AuditRow;
use crate::store::checksum;
use crate::store::event_rows::NewEvent;
use crate::store::rows::{Append, AppendTarget, Appended, NewGraph, NewRun, RunUpdate, Segment};
use crate::store::traits::StoreError;

/// SQLite allows 32 766 parameters in a statement; a segment takes seven.
const ROWS: usize = 4_500;

/// How many runs one statement can store: each takes twenty parameters.
pub(super) const RUNS: usize = 1_000;

/// The beginning of a statement that stores new runs, and the values of each.
const NEW_RUN: &str = "INSERT INTO runs (run_id, dag_id, graph, state, run_type, logical_date, created, ended, build, owner, \
     token, tasks, info, counts, params, checksum_info, checksum_params, checksum_state, checksum_owner, checksum_graph) VALUES ";
const RUN_VALUES: &str = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

/// A script is sent when it reaches this length: SQLite refuses texts of a megabyte.
const SCRIPT: usize = 100_000;

pub(super) async fn append(store: &SqliteStore, batch: &[Append]) -> Result<Vec<Appended>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let locked = lock_new(store, batch).await;
    let owned_elsewhere = locked.map_err(|error| StoreError::Write {
        place: store.path.display().to_string(),
        reason: format!("the lock file of a run cannot be written: {error}"),
    })?;
    if owned_elsewhere.is_empty() {
        return store_batch(store, batch).await;
    }
    let is_ours = |index: &usize| !owned_elsewhere.contains(index);
    let rest: Vec<Append> = (0..batch.len()).filter(is_ours).map(|index| batch[index].clone()).collect();
    let mut stored = store_batch(store, &rest).await?.into_iter();
    let answer = |index| if is_ours(&index) { stored.next() } else { Some(Appended::Taken) };
    Ok((0..batch.len()).map_while(answer).collect())
}

async fn store_batch(store: &SqliteStore, batch: &[Append]) -> Result<Vec<Appended>, StoreError> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    store.hit("store.append")?;
    let mut guard = store.writer.acquire().await?;
    store.presence.remember();
    if batch.iter().any(|part| part.update.as_ref().is_some_and(|update| update.state.is_terminal())) {
        store.presence.check()?;
    }
    let connection = guard.connection();
    let checksums = store.chains.checksum(connection, batch).await;
    let checksums = checksums.map_err(|error| guard.explain(&error))?;
    let connection = guard.connection();
    let answers = match segments(batch, &checksums) {
        Some(segments) if segments.len() == 1 => one(connection, &segments[0]).await,
        Some(segments) => rows(connection, &segments).await,
        None => Script::run(connection, batch, &checksums).await,
    };
    let answers = answers.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.chains.stored(batch, &checksums, &answers);
    store.hit("store.appended")?;
    Ok(answers)
}

/// The runs that refer to the graph are stored later, and wait for the disk.
pub(super) async fn put_graph(store: &SqliteStore, hash: &str, snapshot: &[u8]) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire_lazily().await?;
    let sql = "INSERT OR IGNORE INTO graphs (hash, snapshot, checksum) VALUES (?, ?, ?)";
    let query = sqlx::query(sql).bind(hash).bind(snapshot).bind(checksum::of_graph(hash, snapshot));
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

/// A segment of a stored run without an update.
struct Plain<'a> {
    run: i64,
    token: i64,
    id: i64,
    segment: &'a Segment,
    checksums: Checksums,
}

/// The batch, if it consists of segments of stored runs, one for each run.
fn segments<'a>(batch: &'a [Append], checksums: &[Checksums]) -> Option<Vec<Plain<'a>>> {
    if batch.len() > ROWS {
        return None;
    }
    let plain = |(part, &checksums)| match part {
        &Append {
            run: AppendTarget::Existing { run, token },
            segment: Some(ref segment),
            update: None,
            ref events,
            audit: None,
        } if events.is_empty() => {
            let (token, id) = (i64::try_from(token).ok()?, segment_id(run, segment.number)?);
            Some(Plain { run, token, id, segment, checksums })
        }
        _ => None,
    };
    let segments: Vec<Plain<'_>> = batch.iter().zip(checksums).map(plain).collect::<Option<_>>()?;
    // A statement sees the store as it was before: not that the previous segment is in the batch.
    let mut runs: Vec<i64> = segments.iter().map(|segment| segment.run).collect();
    runs.sort_unstable();
    runs.windows(2).all(|pair| pair[0] != pair[1]).then_some(segments)
}

async fn one(connection: &mut SqliteConnection, part: &Plain<'_>) -> sqlx::Result<Vec<Appended>> {
    let sql = "INSERT OR IGNORE INTO segments (id, events, data, checksum, data_checksum) SELECT ?1, ?2, ?3, ?6, ?7 FROM runs \
               WHERE number = ?4 AND token = ?5 \
               AND (?1 & 4294967295 = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = ?1 - 1))";
    let query = sqlx::query(sql).bind(part.id).bind(&part.segment.events).bind(&part.segment.data);
    let query = query.bind(part.run).bind(part.token).bind(part.checksums.segment).bind(part.checksums.data);
    let done = query.execute(connection).await?;
    let stored = done.rows_affected() == 1;
    Ok(vec![if stored { Appended::Stored(part.run) } else { Appended::Fenced }])
}

async fn rows(connection: &mut SqliteConnection, parts: &[Plain<'_>]) -> sqlx::Result<Vec<Appended>> {
    let mut sql = String::with_capacity(400 + parts.len() * "(?,?,?,?,?,?,?),".len());
    sql += "INSERT OR IGNORE INTO segments (id, events, data, checksum, data_checksum) \
            SELECT part.column1, part.column2, part.column3, part.column6, part.column7 FROM (VALUES ";
    let mut arguments = SqliteArguments::default();
    for (at, part) in parts.iter().enumerate() {
        sql += if at == 0 { "(?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?)" };
        add(&mut arguments, part.id)?;
        add(&mut arguments, &part.segment.events)?;
        add(&mut arguments, &part.segment.data)?;
        add(&mut arguments, part.run)?;
        add(&mut arguments, part.token)?;
        add(&mut arguments, part.checksums.segment)?;
        add(&mut arguments, part.checksums.data)?;
    }
    sql += ") AS part CROSS JOIN runs WHERE runs.number = part.column4 AND runs.token = part.column5 \
            AND (part.column1 & 4294967295 = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = part.column1 - 1)) \
            RETURNING id >> 32";
    // The text depends on the size of the batch: caching it would not help.
    let query = sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false);
    let mut stored = Vec::with_capacity(parts.len());
    for row in query.fetch_all(connection).await? {
        stored.push(row.try_get::<i64, _>(0)?);
    }
    stored.sort_unstable();
    let answer = |part: &Plain<'_>| match stored.binary_search(&part.run) {
        Ok(_) => Appended::Stored(part.run),
        Err(_) => Appended::Fenced,
    };
    Ok(parts.iter().map(answer).collect())
}

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

    async fn run(
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
        if beside.is_empty() {
            return Ok(());
        }
        // The last statement has stored the segment or, without one, the run.
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

fn add<'q>(arguments: &mut SqliteArguments, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> sqlx::Result<()> {
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
