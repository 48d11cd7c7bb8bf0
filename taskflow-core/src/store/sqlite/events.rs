//! The events of assets.

use std::time::Instant;

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Connection, Row};

use super::SqliteStore;
use super::audit::AuditOf;
use super::read::{Question, get};
use super::rests::Rests;
use super::script::{Script, json};
use crate::base::{Timestamp, hex};
use crate::run::Stored;
use crate::store::audit_rows::AuditRow;
use crate::store::checksum::{Checksum, of_columns};
use crate::store::error::StoreError;
use crate::store::event_rows::{Emitted, EventFilter, EventProgress, EventRow, NewEvent, WatchCursor};
use crate::store::rows::Appended;
use crate::value::FileRef;

const COLUMNS: &str =
    "number, asset, partition, key, ty, value IS NULL, sha256, size, emitted, run, task, emitted_by, checksum";

/// Which events are stored.
#[derive(Clone, Copy, Debug)]
enum Only {
    All,
    /// If the segment of this part of the batch is stored: [`Script::note_segment`] has noted that.
    WithPart(i64),
}

pub(super) async fn emit(
    store: &SqliteStore,
    events: &[NewEvent],
    cursor: Option<&WatchCursor>,
    audit: Option<&AuditRow>,
) -> Result<Vec<Emitted>, StoreError> {
    if events.is_empty() && cursor.is_none() {
        return Ok(Vec::new());
    }
    store.hit("store.emit")?;
    let mut guard = store.writer.acquire().await?;
    let stored = write(guard.connection(), events, cursor, audit).await.map_err(|error| guard.explain(&error))?;
    guard.release();
    store.hit("store.emitted")?;
    Ok(stored)
}

async fn write(
    connection: &mut SqliteConnection,
    events: &[NewEvent],
    cursor: Option<&WatchCursor>,
    audit: Option<&AuditRow>,
) -> sqlx::Result<Vec<Emitted>> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut script = Script::new();
    let mut answers = vec![Appended::Taken; events.len()];
    if let Some(cursor) = cursor {
        script.watch_cursor(cursor)?;
    }
    for (at, event) in (0_i64..).zip(events) {
        script.event(event, Only::All, Some(at))?;
        if script.is_full() {
            script.send_and_note(&mut transaction, &mut answers).await?;
        }
    }
    script.send_and_note(&mut transaction, &mut answers).await?;
    if let Some(audit) = audit.filter(|_| answers.iter().any(|answer| matches!(answer, Appended::Stored(_)))) {
        script.audit(audit, AuditOf::Certain)?;
        script.send_and_note(&mut transaction, &mut []).await?;
    }
    let mut emitted = Vec::with_capacity(events.len());
    for (event, answer) in events.iter().zip(answers) {
        emitted.push(match answer {
            Appended::Stored(number) => Emitted::Stored(number),
            Appended::Fenced | Appended::Taken => instead(&mut transaction, event).await?,
        });
    }
    transaction.commit().await?;
    Ok(emitted)
}

/// The event because of which another one was not stored.
async fn instead(connection: &mut SqliteConnection, event: &NewEvent) -> sqlx::Result<Emitted> {
    let sql = "SELECT number FROM events WHERE asset = ? AND key = ?";
    let query = sqlx::query(sql).bind(&event.asset).bind(&event.key);
    if let Some(row) = query.fetch_optional(&mut *connection).await? {
        return Ok(Emitted::Known(row.try_get(0)?));
    }
    let sql = "SELECT max(number) FROM events WHERE asset = ? AND partition IS ? AND sha256 = ?";
    let query = sqlx::query(sql).bind(&event.asset).bind(&event.partition).bind(event.content().sha256.to_vec());
    let row = query.fetch_one(connection).await?;
    Ok(Emitted::Unchanged(row.try_get(0)?))
}

impl Script {
    /// Makes room for notes about parts.
    pub(super) fn begin_parts(&mut self) {
        self.sql += "CREATE TEMP TABLE IF NOT EXISTS parts (part INTEGER PRIMARY KEY); DELETE FROM temp.parts;";
    }

    /// Follows the statement that stores the segment of a part: notes whether it did. Changes a row
    /// if, and only if, it did, as whatever comes next expects.
    pub(super) fn note_segment(&mut self, at: i64) -> sqlx::Result<()> {
        self.sql += "INSERT INTO temp.parts SELECT ? WHERE changes() = 1;";
        self.give(at)
    }

    /// Adds the events of a part, whose segment is noted.
    pub(super) fn events_of(&mut self, at: i64, events: &[NewEvent]) -> sqlx::Result<()> {
        events.iter().try_for_each(|event| self.event(event, Only::WithPart(at), None))
    }

    fn watch_cursor(&mut self, cursor: &WatchCursor) -> sqlx::Result<()> {
        let WatchCursor { source, cursor, updated } = cursor;
        self.sql += "INSERT INTO watch_cursors (source, cursor, updated, checksum) VALUES (?, ?, ?, ?) \
                     ON CONFLICT (source) DO UPDATE SET cursor = excluded.cursor, updated = excluded.updated, \
                     checksum = excluded.checksum;";
        self.give(source)?;
        self.give(cursor)?;
        self.give(updated.as_nanos())?;
        self.give(cursor_checksum(source, cursor, updated.as_nanos()))
    }

    /// Adds an event. With `answer`, its number is returned with it if it is stored.
    fn event(&mut self, event: &NewEvent, only: Only, answer: Option<i64>) -> sqlx::Result<()> {
        let NewEvent { asset, partition, key, ty, value, emitted, run, task, by, on_change } = event;
        let content = event.content();
        let checksum = Columns {
            asset,
            partition: partition.as_deref(),
            key: key.as_deref(),
            ty,
            is_file: matches!(value, Stored::File(_)),
            content: &content,
            emitted: emitted.as_nanos(),
            run: run.as_deref(),
            task: task.as_deref(),
            by,
        };
        self.sql += "INSERT INTO events (asset, partition, key, ty, value, sha256, size, emitted, run, task, emitted_by, \
                     checksum) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE ";
        self.give(asset)?;
        self.give(partition.as_deref())?;
        self.give(key.as_deref())?;
        self.give(ty)?;
        self.give(match value {
            Stored::Inline(bytes) => Some(&bytes[..]),
            Stored::File(_) => None,
        })?;
        self.give(&content.sha256[..])?;
        self.give(content.len.cast_signed())?;
        self.give(emitted.as_nanos())?;
        self.give(run.as_deref())?;
        self.give(task.as_deref())?;
        self.give(by)?;
        self.give(checksum.checksum())?;
        match only {
            Only::All => self.sql += "true",
            Only::WithPart(at) => {
                self.sql += "EXISTS (SELECT 1 FROM temp.parts WHERE part = ?)";
                self.give(at)?;
            }
        }
        if *on_change {
            self.sql += " AND NOT EXISTS (SELECT 1 FROM events WHERE sha256 = ? AND number = \
                         (SELECT max(number) FROM events WHERE asset = ? AND partition IS ?))";
            self.give(&content.sha256[..])?;
            self.give(asset)?;
            self.give(partition.as_deref())?;
        }
        self.sql += " ON CONFLICT DO NOTHING";
        if let Some(at) = answer {
            self.sql += " RETURNING ?, number";
            self.give(at)?;
        }
        self.sql += ";";
        Ok(())
    }
}

pub(super) async fn events(store: &SqliteStore, filter: &EventFilter) -> Result<Vec<EventRow>, StoreError> {
    let value = if filter.with_values { ", value" } else { "" };
    let question = Question::new(format!("SELECT {COLUMNS}{value} FROM events WHERE true"));
    let order = if filter.newest_first { " ORDER BY number DESC" } else { " ORDER BY number" };
    let limit = filter.limit.map_or(-1, i64::from);
    let question = matching(question, filter).and(&format!("{order} LIMIT ?"), limit);
    let rows = question.ask(store).await?;
    rows.iter().map(|row| event_row(store, row, filter.with_values)).collect()
}

/// How many events match a filter.
pub(super) async fn count_matching(store: &SqliteStore, filter: &EventFilter) -> Result<u64, StoreError> {
    let rows = counted(filter).ask(store).await?;
    let count: i64 = rows.first().map_or(Ok(0), |row| get(store, row, 0, || "the number of events".to_owned()))?;
    Ok(count.cast_unsigned())
}

pub(super) fn counted(filter: &EventFilter) -> Question {
    matching(Question::new("SELECT count(*) FROM events WHERE true"), filter)
}

/// With the conditions of a filter.
fn matching(mut question: Question, filter: &EventFilter) -> Question {
    question = question.and_in("asset", &filter.assets.iter().map(String::as_str).collect::<Vec<_>>());
    for (condition, number) in [(" AND number > ?", filter.after), (" AND number < ?", filter.before)] {
        if let Some(number) = number {
            question = question.and(condition, number);
        }
    }
    if let Some(before) = filter.emitted_before {
        question = question.and(" AND emitted < ?", before.as_nanos());
    }
    for (condition, text) in [(" AND partition = ?", &filter.partition), (" AND run = ?", &filter.run)] {
        if let Some(text) = text {
            question = question.and(condition, text);
        }
    }
    if filter.of_tasks { question.with(" AND task IS NOT NULL") } else { question }
}

/// How many events there are with these numbers, by asset. Reads the rows of these numbers only.
pub(super) async fn count(store: &SqliteStore, after: i64, until: i64) -> Result<Vec<(String, u64)>, StoreError> {
    // The names of assets are in an index, which would be read as a whole.
    let sql = "SELECT asset, count(*) FROM events NOT INDEXED WHERE number > ? AND number <= ? \
               GROUP BY asset ORDER BY asset";
    let rows = Question::new(sql).give(after).give(until).ask(store).await?;
    let count = |row: &SqliteRow| {
        let place = || "the events of an asset".to_owned();
        let (asset, count): (String, i64) = (get(store, row, 0, place)?, get(store, row, 1, place)?);
        Ok((asset, count.cast_unsigned()))
    };
    rows.iter().map(count).collect()
}

pub(super) async fn progress(store: &SqliteStore) -> Result<EventProgress, StoreError> {
    let sql = "SELECT (SELECT coalesce(sum(version), 0) FROM consumers), \
               max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0), \
               coalesce((SELECT max(number) FROM events), 0))";
    let rows = Question::new(sql).ask(store).await?;
    let Some(row) = rows.first() else { return Ok(EventProgress::default()) };
    let steps = get(store, row, 0, || "the consumers".to_owned())?;
    Ok(EventProgress { steps, last_event: get(store, row, 1, || "the number of the last event".to_owned())? })
}

/// How many events a transaction deletes, so that others can write in between.
const AT_ONCE: usize = 500;

/// Deletes events in pieces.
pub(super) async fn delete(store: &SqliteStore, numbers: &[i64], audit: Option<&AuditRow>) -> Result<u64, StoreError> {
    let (mut deleted, mut rests) = (0, Rests::default());
    for numbers in numbers.chunks(AT_ONCE) {
        let audit = audit.filter(|_| deleted == 0);
        match delete_piece(store, numbers, audit, &mut rests).await {
            Ok(some) => deleted += some,
            // The caller has to know of them. The next call goes on, or has the error.
            Err(_) if deleted > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(deleted)
}

/// Deletes in one transaction, after a rest.
async fn delete_piece(
    store: &SqliteStore,
    numbers: &[i64],
    audit: Option<&AuditRow>,
    rests: &mut Rests,
) -> Result<u64, StoreError> {
    rests.before().await;
    store.hit("store.delete")?;
    let mut guard = store.writer.acquire().await?;
    let begun = Instant::now();
    let deleted = delete_some(guard.connection(), numbers, audit).await;
    let deleted = deleted.map_err(|error| guard.explain(&error))?;
    guard.release();
    rests.after(begun);
    Ok(deleted)
}

async fn delete_some(
    connection: &mut SqliteConnection,
    numbers: &[i64],
    audit: Option<&AuditRow>,
) -> sqlx::Result<u64> {
    let all = format!("[{}]", numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(","));
    let mut script = Script::new();
    script.sql += "BEGIN IMMEDIATE; INSERT OR IGNORE INTO left_payloads SELECT sha256, size FROM events \
                   WHERE events.value IS NULL AND number IN (SELECT value FROM json_each(?));";
    script.give(&all)?;
    script.sql += "DELETE FROM events WHERE number IN (SELECT value FROM json_each(?)) RETURNING number;";
    script.give(&all)?;
    if let Some(audit) = audit {
        script.audit(audit, AuditOf::LastStatement)?;
    }
    script.sql += "COMMIT";
    Ok(script.send(connection).await?.len() as u64)
}

/// The payloads of deleted events that no event has. Whatever is in the table, which has no
/// checksums, no payload of a stored event is among them.
pub(super) const LEFT_PAYLOADS: &str = "SELECT sha256, size FROM left_payloads WHERE length(sha256) = 32 AND NOT EXISTS (\
     SELECT 1 FROM events WHERE events.sha256 = left_payloads.sha256 AND events.value IS NULL) ORDER BY sha256";

pub(super) async fn left_payloads(store: &SqliteStore) -> Result<Vec<FileRef>, StoreError> {
    let place = || "the payload of a deleted event".to_owned();
    let mut left = Vec::new();
    for row in Question::new(LEFT_PAYLOADS).ask(store).await? {
        let (sha256, size): (Vec<u8>, i64) = (get(store, &row, 0, place)?, get(store, &row, 1, place)?);
        let sha256 = sha256.try_into().map_err(|_| store.damaged(format!("{}: its hash has not 32 bytes", place())))?;
        left.push(FileRef { sha256, len: size.cast_unsigned() });
    }
    Ok(left)
}

pub(super) async fn forget_payloads(store: &SqliteStore, files: &[FileRef]) -> Result<(), StoreError> {
    let mut guard = store.writer.acquire().await?;
    let hashes = files.iter().map(|file| hex(&file.sha256)).collect::<Vec<_>>();
    let forgotten = async {
        let sql = "DELETE FROM left_payloads WHERE lower(hex(sha256)) IN (SELECT value FROM json_each(?))";
        sqlx::query(sql).bind(json(&hashes)?).execute(guard.connection()).await
    };
    forgotten.await.map_err(|error| guard.explain(&error))?;
    guard.release();
    Ok(())
}

/// The highest number that an event has had.
pub(super) async fn last(store: &SqliteStore) -> Result<i64, StoreError> {
    Ok(progress(store).await?.last_event)
}

fn event_row(store: &SqliteStore, row: &SqliteRow, with_value: bool) -> Result<EventRow, StoreError> {
    let number: i64 = get(store, row, 0, || "an event".to_owned())?;
    let place = || format!("event {number}");
    let damaged = |what: &str| store.damaged(format!("{}: {what}", place()));
    let is_file: bool = get(store, row, 5, place)?;
    let (sha256, size): (Vec<u8>, i64) = (get(store, row, 6, place)?, get(store, row, 7, place)?);
    let sha256 = sha256.try_into().map_err(|_| damaged("its hash has not 32 bytes"))?;
    let content = FileRef { sha256, len: size.cast_unsigned() };
    let emitted: i64 = get(store, row, 8, place)?;
    let mut event = EventRow {
        number,
        asset: get(store, row, 1, place)?,
        partition: get(store, row, 2, place)?,
        key: get(store, row, 3, place)?,
        ty: get(store, row, 4, place)?,
        content,
        value: None,
        emitted: Timestamp::from_nanos(emitted),
        run: get(store, row, 9, place)?,
        task: get(store, row, 10, place)?,
        by: get(store, row, 11, place)?,
    };
    let columns = Columns {
        asset: &event.asset,
        partition: event.partition.as_deref(),
        key: event.key.as_deref(),
        ty: &event.ty,
        is_file,
        content: &content,
        emitted,
        run: event.run.as_deref(),
        task: event.task.as_deref(),
        by: &event.by,
    };
    let stored: Checksum = get(store, row, 12, place)?;
    if stored != columns.checksum() {
        return Err(damaged("its checksum does not match"));
    }
    if with_value {
        let bytes: Option<Vec<u8>> = get(store, row, 13, place)?;
        event.value = Some(match bytes {
            None => Stored::File(content),
            Some(bytes) if FileRef::of(&bytes) == content => Stored::Inline(bytes),
            Some(_) => return Err(damaged("its payload is not what was stored")),
        });
    }
    Ok(event)
}

pub(super) async fn watch_cursor(store: &SqliteStore, source: &str) -> Result<Option<WatchCursor>, StoreError> {
    let sql = "SELECT source, cursor, updated, checksum FROM watch_cursors WHERE source = ?";
    let rows = Question::new(sql).give(source.to_owned()).ask(store).await?;
    rows.first().map(|row| cursor_row(store, row)).transpose()
}

fn cursor_row(store: &SqliteStore, row: &SqliteRow) -> Result<WatchCursor, StoreError> {
    let source: String = get(store, row, 0, || "a cursor".to_owned())?;
    let place = || format!("the cursor of `{source}`");
    let (cursor, updated): (String, i64) = (get(store, row, 1, place)?, get(store, row, 2, place)?);
    let stored: Checksum = get(store, row, 3, place)?;
    if stored != cursor_checksum(&source, &cursor, updated) {
        return Err(store.damaged(format!("{}: its checksum does not match", place())));
    }
    Ok(WatchCursor { source, cursor, updated: Timestamp::from_nanos(updated) })
}

fn cursor_checksum(source: &str, cursor: &str, updated: i64) -> Checksum {
    of_columns("watch cursor", &[source.as_bytes(), cursor.as_bytes(), &updated.to_be_bytes()])
}

/// Looks for damage in the events and the cursors of watchers. Payloads in files are not read.
pub(super) async fn check(store: &SqliteStore, findings: &mut Vec<String>) -> Result<(), StoreError> {
    /// How many events are read at once.
    const ROWS: i64 = 1000;

    let mut after = i64::MIN;
    loop {
        let sql = format!("SELECT {COLUMNS}, value FROM events WHERE number > ? ORDER BY number LIMIT {ROWS}");
        let rows = match Question::new(sql).give(after).ask(store).await {
            Ok(rows) => rows,
            // The check of the pages names it.
            Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let Some(last) = rows.last() else { break };
        after = get(store, last, 0, || "an event".to_owned())?;
        for row in &rows {
            match event_row(store, row, true) {
                Ok(_) => {}
                Err(StoreError::Damaged { what, .. }) => findings.push(what),
                Err(error) => return Err(error),
            }
        }
    }
    let sql = "SELECT source, cursor, updated, checksum FROM watch_cursors ORDER BY source";
    let rows = match Question::new(sql).ask(store).await {
        Err(StoreError::Read { .. } | StoreError::Damaged { .. }) => return Ok(()),
        rows => rows?,
    };
    for row in &rows {
        match cursor_row(store, row) {
            Ok(_) => {}
            Err(StoreError::Damaged { what, .. }) => findings.push(what),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The columns that the checksum of an event covers.
struct Columns<'a> {
    asset: &'a str,
    partition: Option<&'a str>,
    key: Option<&'a str>,
    ty: &'a str,
    is_file: bool,
    content: &'a FileRef,
    emitted: i64,
    run: Option<&'a str>,
    task: Option<&'a str>,
    by: &'a str,
}

impl Columns<'_> {
    fn checksum(&self) -> Checksum {
        let optional = |text: Option<&str>| text.map_or_else(|| vec![0], |text| [b"\x01", text.as_bytes()].concat());
        let (partition, key) = (optional(self.partition), optional(self.key));
        let (run, task) = (optional(self.run), optional(self.task));
        let columns: [&[u8]; 10] = [
            self.asset.as_bytes(),
            &partition,
            &key,
            self.ty.as_bytes(),
            &[u8::from(self.is_file)],
            &self.content.sha256,
            &[self.content.len.to_be_bytes(), self.emitted.to_be_bytes()].concat(),
            &run,
            &task,
            self.by.as_bytes(),
        ];
        of_columns("event", &columns)
    }
}
