//! Questions to a store, and the rows that store_future them.
//!
//! The columns that a filter or a search looks at stand in indexes. Both first find the numbers of the runs there, and
//! only then read the rows of those that the store_future holds.

use std::ops::Range;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};

use super::{SqliteStore, segment_id};
use crate::base::Timestamp;
use crate::store::traits::{Request, RequestKind, RunFilter, RunRow, SegmentRow, StoreError};

const COLUMNS: &str = "runs.number, info, graph, build, owner, token, state, tasks, created, ended, counts";

/// A question with its parameters.
pub(super) struct Question {
    sql: String,
    arguments: SqliteArguments,
}

impl Question {
    fn new(sql: impl Into<String>) -> Self {
        Question { sql: sql.into(), arguments: SqliteArguments::default() }
    }

    fn give<'q>(mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        // Only texts, bytes and whole numbers are given, and they are written down without fail.
        let _ = Arguments::add(&mut self.arguments, value);
        self
    }

    fn and<'q>(mut self, condition: &str, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        self.sql += condition;
        self.give(value)
    }

    #[cfg(test)]
    pub(super) fn text(self) -> String {
        self.sql
    }

    async fn ask(self, store: &SqliteStore) -> Result<Vec<SqliteRow>, StoreError> {
        let mut guard = store.reader.acquire().await?;
        let query = sqlx::query_with(AssertSqlSafe(self.sql), self.arguments);
        let rows = query.fetch_all(guard.connection()).await.map_err(|error| guard.explain(&error))?;
        guard.release();
        Ok(rows)
    }

    async fn ask_one(self, store: &SqliteStore) -> Result<Option<SqliteRow>, StoreError> {
        Ok(self.ask(store).await?.pop())
    }
}

/// The runs of a filter. The condition is decided in an index that holds all its columns, but for the logical date.
pub(super) fn filtered(filter: &RunFilter) -> Question {
    let mut question =
        Question::new(format!("SELECT {COLUMNS} FROM runs WHERE number IN (SELECT number FROM runs WHERE true"));
    if let Some(dag) = &filter.dag {
        question = question.and(" AND dag_id = ?", dag);
    }
    for (at, state) in filter.states.iter().enumerate() {
        question = question.and(if at == 0 { " AND state IN (?" } else { ", ?" }, state.name());
    }
    if !filter.states.is_empty() {
        question.sql += ")";
    }
    if let Some(about) = filter.about {
        question = question.and(" AND logical_date = ?", about.as_nanos());
    }
    if let Some(since) = filter.since {
        question = question.and(" AND created >= ?", since.as_nanos());
    }
    if let Some(before) = filter.before {
        question = question.and(" AND created < ?", before.as_nanos());
    }
    // A negative limit is none.
    let limit = filter.limit.map_or(-1, i64::from);
    question.and(" ORDER BY created DESC, number DESC LIMIT ?) ORDER BY created DESC, number DESC", limit)
}

/// The runs target id begins with a text; or, not `beginning`, those in target id it stands further on.
pub(super) fn searched(text: &str, beginning: bool, limit: u32) -> Question {
    // The range is a part of the index. Ids in it are not looked at any closer: there are many where all begin alike.
    let begins = "run_id >= ?1 AND run_id < ?1 || char(1114111)";
    let (condition, order) = if beginning {
        (begins.to_owned(), "run_id = ?1 DESC, number DESC")
    } else {
        (format!("instr(run_id, ?1) > 0 AND NOT ({begins})"), "number DESC")
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM runs WHERE number IN (SELECT number FROM runs INDEXED BY runs_by_id WHERE {condition} \
         ORDER BY {order} LIMIT ?2) ORDER BY {order}"
    );
    Question::new(sql).give(text).give(i64::from(limit))
}

/// The runs target id contains a text. Only where too few begin with it, all ids are looked through.
pub(super) async fn find(store: &SqliteStore, text: &str, limit: u32) -> Result<Vec<RunRow>, StoreError> {
    let mut found = runs(store, searched(text, true, limit)).await?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        found.extend(runs(store, searched(text, false, left)).await?);
    }
    Ok(found)
}

pub(super) async fn runs(store: &SqliteStore, question: Question) -> Result<Vec<RunRow>, StoreError> {
    question.ask(store).await?.iter().map(|row| run_row(store, row)).collect()
}

pub(super) async fn run(store: &SqliteStore, run: i64) -> Result<Option<RunRow>, StoreError> {
    let question = Question::new(format!("SELECT {COLUMNS} FROM runs WHERE number = ?")).give(run);
    question.ask_one(store).await?.map(|row| run_row(store, &row)).transpose()
}

pub(super) async fn run_by_id(store: &SqliteStore, run_id: &str) -> Result<Option<RunRow>, StoreError> {
    let question = Question::new(format!("SELECT {COLUMNS} FROM runs WHERE run_id = ?")).give(run_id);
    question.ask_one(store).await?.map(|row| run_row(store, &row)).transpose()
}

pub(super) async fn params(store: &SqliteStore, run: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let question = Question::new("SELECT params FROM runs WHERE number = ?").give(run);
    question.ask_one(store).await?.map(|row| get(store, &row, 0, || format!("run {run}"))).transpose()
}

pub(super) async fn graph(store: &SqliteStore, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let question = Question::new("SELECT snapshot FROM graphs WHERE hash = ?").give(hash);
    question.ask_one(store).await?.map(|row| get(store, &row, 0, || format!("graph {hash}"))).transpose()
}

pub(super) async fn segments(store: &SqliteStore, run: i64, from: u32) -> Result<Vec<SegmentRow>, StoreError> {
    let (Some(first), Some(last)) = (segment_id(run, from.max(1)), segment_id(run, u32::MAX)) else {
        return Ok(Vec::new());
    };
    let sql = "SELECT id & 4294967295, events FROM segments WHERE id BETWEEN ? AND ? ORDER BY id";
    let rows = Question::new(sql).give(first).give(last).ask(store).await?;
    let segment = |row: &SqliteRow| {
        let place = || format!("a segment of run {run}");
        Ok(SegmentRow { number: get::<u32>(store, row, 0, place)?, events: get(store, row, 1, place)? })
    };
    rows.iter().map(segment).collect()
}

pub(super) async fn data(
    store: &SqliteStore,
    run: i64,
    segment: u32,
    range: Range<u32>,
) -> Result<Option<Vec<u8>>, StoreError> {
    let (Some(id), Some(len)) = (segment_id(run, segment), range.end.checked_sub(range.start)) else {
        return Ok(None);
    };
    let sql = "SELECT substr(data, ?, ?) FROM segments WHERE id = ? AND length(data) >= ?";
    let question = Question::new(sql).give(i64::from(range.start) + 1).give(i64::from(len));
    let row = question.give(id).give(i64::from(range.end)).ask_one(store).await?;
    row.map(|row| get(store, &row, 0, || format!("segment {segment} of run {run}"))).transpose()
}

pub(super) async fn requests(store: &SqliteStore, after: i64) -> Result<Vec<(i64, Request)>, StoreError> {
    let sql = "SELECT number, run, what, by, reason, at FROM requests WHERE number > ? ORDER BY number";
    let rows = Question::new(sql).give(after).ask(store).await?;
    let request = |row: &SqliteRow| {
        let number: i64 = get(store, row, 0, || "a request".to_owned())?;
        let place = || format!("request {number}");
        let what: String = get(store, row, 2, place)?;
        let damaged = |error: String| store.damaged(format!("{}: {error}", place()));
        let what: RequestKind = match what.starts_with('{') {
            true => serde_json::from_str(&what).map_err(|error| damaged(error.to_string()))?,
            false => word(&what).map_err(|error| damaged(error.to_string()))?,
        };
        let (run, by, reason) = (get(store, row, 1, place)?, get(store, row, 3, place)?, get(store, row, 4, place)?);
        let at = Timestamp::from_nanos(get(store, row, 5, place)?);
        Ok((number, Request { run, what, by, reason, at }))
    };
    rows.iter().map(request).collect()
}

fn run_row(store: &SqliteStore, row: &SqliteRow) -> Result<RunRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a run".to_owned())?;
    let place = || format!("run {number}");
    let wrong = |column: &str, error: String| store.damaged(format!("{}, column `{column}`: {error}", place()));
    let info: String = get(store, row, 1, place)?;
    let state: String = get(store, row, 6, place)?;
    let counts: String = get(store, row, 10, place)?;
    let token: i64 = get(store, row, 5, place)?;
    let tasks: i64 = get(store, row, 7, place)?;
    let ended: Option<i64> = get(store, row, 9, place)?;
    Ok(RunRow {
        number,
        info: serde_json::from_str(&info).map_err(|error| wrong("info", error.to_string()))?,
        graph: get(store, row, 2, place)?,
        build: get(store, row, 3, place)?,
        owner: get(store, row, 4, place)?,
        token: token.try_into().map_err(|_| wrong("token", format!("{token} is no token")))?,
        state: word(&state).map_err(|error| wrong("state", error.to_string()))?,
        tasks: tasks.try_into().map_err(|_| wrong("tasks", format!("{tasks} is no number of tasks")))?,
        created: Timestamp::from_nanos(get(store, row, 8, place)?),
        ended: ended.map(Timestamp::from_nanos),
        counts: serde_json::from_str(&counts).map_err(|error| wrong("counts", error.to_string()))?,
    })
}

fn get<'r, T: sqlx::Decode<'r, Sqlite> + Type<Sqlite>>(
    store: &SqliteStore,
    row: &'r SqliteRow,
    column: usize,
    place: impl Fn() -> String,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| store.damaged(format!("{}: {error}", place())))
}

/// Reads the name of a variant.
fn word<'a, T: Deserialize<'a>>(name: &'a str) -> Result<T, WordError> {
    T::deserialize(name.into_deserializer())
}
