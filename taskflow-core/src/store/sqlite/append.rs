//! Stores a batch in as few calls as possible: each call is a round trip through the thread of the connection.
//!
//! The frequent case, segments for stored runs, is one statement for the whole batch and needs no transaction. Everything
//! else is a script: the statements of all parts, between `BEGIN IMMEDIATE` and `COMMIT`, in one call. Each part has one
//! statement that returns the number of the part if it changed something; a part that returns nothing was fenced.

use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};

use super::claim::lock_new;
use super::{SqliteStore, segment_id};
use crate::base::Timestamp;
use crate::store::rows::{Append, AppendTarget, Appended, NewRun, RunUpdate, Segment};
use crate::store::traits::StoreError;

/// SQLite allows 32 766 parameters in a statement; a segment takes five.
const ROWS: usize = 6_000;

/// A script is sent on when it is as long as this: SQLite does not take texts of a megabyte.
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
    let connection = guard.connection();
    let answers = match segments(batch) {
        Some(segments) if segments.len() == 1 => one(connection, &segments[0]).await,
        Some(segments) => rows(connection, &segments).await,
        None => Script::run(connection, batch).await,
    };
    let answers = answers.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.appended")?;
    Ok(answers)
}

pub(super) async fn put_graph(store: &SqliteStore, hash: &str, snapshot: &[u8]) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let query = sqlx::query("INSERT OR IGNORE INTO graphs (hash, snapshot) VALUES (?, ?)").bind(hash).bind(snapshot);
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

/// A segment of a run that is known, and nothing else.
struct Plain<'a> {
    run: i64,
    token: i64,
    id: i64,
    segment: &'a Segment,
}

/// The batch, if it is nothing but segments of as many runs.
fn segments(batch: &[Append]) -> Option<Vec<Plain<'_>>> {
    if batch.len() > ROWS {
        return None;
    }
    let plain = |part| match part {
        &Append { run: AppendTarget::Existing { run, token }, segment: Some(ref segment), update: None } => {
            Some(Plain { run, token: i64::try_from(token).ok()?, id: segment_id(run, segment.number)?, segment })
        }
        _ => None,
    };
    let segments: Vec<Plain<'_>> = batch.iter().map(plain).collect::<Option<_>>()?;
    // One statement sees the store as it was before it: it cannot tell that the segment before is in the same batch.
    let mut runs: Vec<i64> = segments.iter().map(|segment| segment.run).collect();
    runs.sort_unstable();
    runs.windows(2).all(|pair| pair[0] != pair[1]).then_some(segments)
}

async fn one(connection: &mut SqliteConnection, part: &Plain<'_>) -> sqlx::Result<Vec<Appended>> {
    let sql = "INSERT OR IGNORE INTO segments (id, events, data) SELECT ?1, ?2, ?3 FROM runs \
               WHERE number = ?4 AND token = ?5 \
               AND (?1 & 4294967295 = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = ?1 - 1))";
    let query = sqlx::query(sql).bind(part.id).bind(&part.segment.events).bind(&part.segment.data);
    let done = query.bind(part.run).bind(part.token).execute(connection).await?;
    let stored = done.rows_affected() == 1;
    Ok(vec![if stored { Appended::Stored(part.run) } else { Appended::Fenced }])
}

async fn rows(connection: &mut SqliteConnection, parts: &[Plain<'_>]) -> sqlx::Result<Vec<Appended>> {
    let mut sql = String::with_capacity(400 + parts.len() * "(?,?,?,?,?),".len());
    sql += "INSERT OR IGNORE INTO segments (id, events, data) SELECT part.column1, part.column2, part.column3 FROM (VALUES ";
    let mut arguments = SqliteArguments::default();
    for (at, part) in parts.iter().enumerate() {
        sql += if at == 0 { "(?,?,?,?,?)" } else { ",(?,?,?,?,?)" };
        add(&mut arguments, part.id)?;
        add(&mut arguments, &part.segment.events)?;
        add(&mut arguments, &part.segment.data)?;
        add(&mut arguments, part.run)?;
        add(&mut arguments, part.token)?;
    }
    sql += ") AS part CROSS JOIN runs WHERE runs.number = part.column4 AND runs.token = part.column5 \
            AND (part.column1 & 4294967295 = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = part.column1 - 1)) \
            RETURNING id >> 32";
    // The text differs with the size of the batch: nothing to be remembered.
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

/// Statements to be run in one call, and what they are given.
struct Script {
    sql: String,
    arguments: SqliteArguments,
}

impl Script {
    async fn run(connection: &mut SqliteConnection, batch: &[Append]) -> sqlx::Result<Vec<Appended>> {
        let refused = |part: &Append| match part.run {
            AppendTarget::New(_) => Appended::Taken,
            AppendTarget::Existing { .. } => Appended::Fenced,
        };
        let mut answers: Vec<Appended> = batch.iter().map(refused).collect();
        let mut script = Script { sql: "BEGIN IMMEDIATE;".to_owned(), arguments: SqliteArguments::default() };
        for (at, part) in (0_i64..).zip(batch) {
            script.part(at, part)?;
            if script.sql.len() > SCRIPT {
                note(&mut answers, &script.send(connection).await?)?;
            }
        }
        script.sql += "COMMIT";
        note(&mut answers, &script.send(connection).await?)?;
        Ok(answers)
    }

    async fn send(&mut self, connection: &mut SqliteConnection) -> sqlx::Result<Vec<SqliteRow>> {
        let (sql, arguments) = (std::mem::take(&mut self.sql), std::mem::take(&mut self.arguments));
        sqlx::query_with(AssertSqlSafe(sql), arguments).persistent(false).fetch_all(connection).await
    }

    fn part(&mut self, at: i64, part: &Append) -> sqlx::Result<()> {
        let first = part.segment.as_ref().is_none_or(|segment| segment.number == 1);
        match &part.run {
            // The first segment of a run has number 1: anything else is an error of the caller, and stores nothing.
            AppendTarget::New(_) if !first => Ok(()),
            AppendTarget::New(run) => self.new_run(at, run, part.segment.as_ref(), part.update.as_ref()),
            &AppendTarget::Existing { run, token } => {
                // What does not fit into the columns is nobody's run, and nobody's token.
                let number = part.segment.as_ref().map_or(1, |segment| segment.number);
                match (i64::try_from(token), segment_id(run, number)) {
                    (Ok(token), Some(id)) => {
                        let segment = part.segment.as_ref().map(|segment| Plain { run, token, id, segment });
                        self.known_run(at, run, token, segment.as_ref(), part.update.as_ref())
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn new_run(
        &mut self,
        at: i64,
        run: &NewRun,
        segment: Option<&Segment>,
        update: Option<&RunUpdate>,
    ) -> sqlx::Result<()> {
        let info = &run.info;
        let (graph, tasks) = update.and_then(|update| update.graph.as_ref()).map_or((&run.graph, run.tasks), named);
        self.sql += "INSERT INTO runs (run_id, dag_id, graph, state, trigger, logical_date, created, ended, build, owner, \
                     token, tasks, info, counts, params) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
                     ON CONFLICT (run_id) DO NOTHING RETURNING ?, number;";
        self.give(&info.run_id)?;
        self.give(&info.dag_id)?;
        self.give(graph)?;
        self.give(update.map_or(run.state(), |update| update.state).name())?;
        self.give(info.run_type.name())?;
        self.give(info.logical_date.as_nanos())?;
        self.give(run.created.as_nanos())?;
        self.give(update.and_then(|update| update.ended).map(Timestamp::as_nanos))?;
        self.give(&run.build)?;
        self.give(run.owner.as_deref().unwrap_or_default())?;
        self.give(run.token().cast_signed())?;
        self.give(i64::from(tasks))?;
        self.give(json(info)?)?;
        self.give(json(&update.map_or(&[][..], |update| &update.counts))?)?;
        self.give(&run.params)?;
        self.give(at)?;
        if let Some(segment) = segment {
            self.sql += "INSERT INTO segments (id, events, data) \
                         SELECT (last_insert_rowid() << 32) + 1, ?, ? WHERE changes() = 1;";
            self.give(&segment.events)?;
            self.give(&segment.data)?;
        }
        Ok(())
    }

    fn known_run(
        &mut self,
        at: i64,
        run: i64,
        token: i64,
        segment: Option<&Plain<'_>>,
        update: Option<&RunUpdate>,
    ) -> sqlx::Result<()> {
        if let Some((graph, _)) = update.and_then(|update| update.graph.as_ref()) {
            // If the rest turns out to be fenced, this says no more than that the run has the graph that it has.
            self.sql += "INSERT OR IGNORE INTO former_graphs (graph, run) \
                         SELECT graph, number FROM runs WHERE number = ? AND token = ? AND graph <> ?;";
            self.give(run)?;
            self.give(token)?;
            self.give(graph)?;
        }
        let alone = segment.is_none();
        if let Some(&Plain { id, segment, .. }) = segment {
            self.sql += "INSERT OR IGNORE INTO segments (id, events, data) SELECT ?, ?, ? FROM runs \
                         WHERE number = ? AND token = ? AND (? = 1 OR EXISTS (SELECT 1 FROM segments WHERE id = ?))";
            self.give(id)?;
            self.give(&segment.events)?;
            self.give(&segment.data)?;
            self.give(run)?;
            self.give(token)?;
            self.give(i64::from(segment.number))?;
            self.give(id - 1)?;
            if update.is_none() {
                self.sql += " RETURNING ?, id >> 32;";
                self.give(at)?;
                return Ok(());
            }
            self.sql += ";";
        }
        self.sql += "UPDATE runs SET ";
        if let Some(update) = update {
            self.sql += "state = ?, ended = ?, counts = ?";
            self.give(update.state.name())?;
            self.give(update.ended.map(Timestamp::as_nanos))?;
            self.give(json(&update.counts)?)?;
            if let Some((graph, tasks)) = &update.graph {
                self.sql += ", graph = ?, tasks = ?";
                self.give(graph)?;
                self.give(i64::from(*tasks))?;
            }
        } else {
            // Nothing is to be stored, and the question remains whether the writer still has the run.
            self.sql += "token = token";
        }
        self.sql += " WHERE number = ? AND token = ?";
        // A segment that was fenced fences its update.
        self.sql += if alone { " RETURNING ?, number;" } else { " AND changes() = 1 RETURNING ?, number;" };
        self.give(run)?;
        self.give(token)?;
        self.give(at)?;
        if update.is_some_and(|update| update.state.is_terminal()) {
            self.sql += "DELETE FROM requests WHERE run = ? AND changes() = 1;";
            self.give(run)?;
        }
        Ok(())
    }

    fn give<'q>(&mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> sqlx::Result<()> {
        add(&mut self.arguments, value)
    }
}

fn add<'q>(arguments: &mut SqliteArguments, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> sqlx::Result<()> {
    Arguments::add(arguments, value).map_err(sqlx::Error::Encode)
}

fn named((graph, tasks): &(String, u32)) -> (&String, u32) {
    (graph, *tasks)
}

/// Notes which parts were stored.
fn note(answers: &mut [Appended], rows: &[SqliteRow]) -> sqlx::Result<()> {
    for row in rows {
        let (at, run): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(answer) = usize::try_from(at).ok().and_then(|at| answers.get_mut(at)) {
            *answer = Appended::Stored(run);
        }
    }
    Ok(())
}

fn json(value: &impl serde::Serialize) -> sqlx::Result<String> {
    serde_json::to_string(value).map_err(|error| sqlx::Error::Encode(error.into()))
}
