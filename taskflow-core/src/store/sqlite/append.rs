//! Stores a batch in as few calls as possible: each call is a round trip through the thread of the
//! connection.
//!
//! The frequent case, segments for stored runs, is one statement for the whole batch and needs no
//! transaction. Everything else is a [script](super::script): the statements of all parts, between
//! `BEGIN IMMEDIATE` and `COMMIT`, in one call.

use sqlx::sqlite::{SqliteArguments, SqliteConnection};
use sqlx::{AssertSqlSafe, Row};

use super::chains::Checksums;
use super::claim::lock_new;
use super::script::{Script, add};
use super::{SqliteStore, segment_id};
use crate::store::checksum;
use crate::store::error::StoreError;
use crate::store::rows::{Append, AppendTarget, Appended, Segment};

/// SQLite allows 32 766 parameters in a statement; a segment takes seven.
const ROWS: usize = 4_500;

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

/// Looks first: most graphs are there, and looking takes neither the lock of the file nor a
/// checksum. The runs that refer to the graph are stored later, and wait for the disk.
pub(super) async fn put_graph(store: &SqliteStore, hash: &str, snapshot: &[u8]) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let found = sqlx::query("SELECT 1 FROM graphs WHERE hash = ?").bind(hash).fetch_all(guard.connection()).await;
    let is_there = !found.map_err(|error| guard.explain(&error))?.is_empty();
    guard.release();
    if is_there {
        return Ok(());
    }
    let mut guard = store.writer.acquire_lazily().await?;
    let sql = "INSERT OR IGNORE INTO graphs (hash, snapshot, checksum) VALUES (?, ?, ?)";
    let query = sqlx::query(sql).bind(hash).bind(snapshot).bind(checksum::of_graph(hash, snapshot));
    query.execute(guard.connection()).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

/// A segment of a stored run without an update.
pub(super) struct Plain<'a> {
    pub(super) run: i64,
    pub(super) token: i64,
    pub(super) id: i64,
    pub(super) segment: &'a Segment,
    pub(super) checksums: Checksums,
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
