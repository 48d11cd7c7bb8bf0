//! Queries, and decoding their rows.
//!
//! Filters and searches find the numbers of the runs in an index first, and read only the rows that
//! they return. A row that is missing, or is not the one that the index promised, is damage. A run
//! that a damaged index does not name is not noticed here: that would take reading all rows, which
//! a check does.

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Encode, Row, Sqlite, Type};

use super::SqliteStore;
use super::claim::with_liveness;
use super::error::{Doing, explain};
use super::row_checksums::{self, InfoColumns};
use super::script::json;
use crate::base::Timestamp;
use crate::run::RunState;
use crate::store::checksum::{Checksum, of_graph};
use crate::store::error::StoreError;
use crate::store::ownership::Liveness;
use crate::store::rows::{RunFilter, RunOrder, RunRow};

pub(super) const COLUMNS: &str = "runs.number, info, graph, build, owner, token, state, tasks, created, ended, counts, \
     run_id, dag_id, run_type, logical_date, checksum_info, checksum_state, checksum_owner, checksum_graph, \
     (SELECT last FROM heads WHERE run = 0), \
     EXISTS (SELECT 1 FROM admissions WHERE run = runs.number AND admissions.token = runs.token AND NOT admitted)";

const PARAMS: &str = "params, run_id, checksum_params, (SELECT last FROM heads WHERE run = 0), number";

/// How many rows are read at least to find those that somebody has asked for.
const AT_LEAST: u32 = 500;

/// A query with its parameters.
pub(super) struct Question {
    sql: String,
    arguments: SqliteArguments,
}

impl Question {
    pub(super) fn new(sql: impl Into<String>) -> Self {
        Question { sql: sql.into(), arguments: SqliteArguments::default() }
    }

    pub(super) fn give<'q>(mut self, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        // Encoding text, bytes and integers cannot fail.
        let _ = Arguments::add(&mut self.arguments, value);
        self
    }

    /// With further text.
    pub(super) fn with(mut self, text: &str) -> Self {
        self.sql += text;
        self
    }

    pub(super) fn and<'q>(mut self, condition: &str, value: impl Encode<'q, Sqlite> + Type<Sqlite>) -> Self {
        self.sql += condition;
        self.give(value)
    }

    /// That the column has one of the values; no condition if there are none.
    pub(super) fn and_in(mut self, column: &str, values: &[&str]) -> Self {
        for (at, value) in values.iter().enumerate() {
            let condition = if at == 0 { format!(" AND {column} IN (?") } else { ", ?".to_owned() };
            self = self.and(&condition, *value);
        }
        if !values.is_empty() {
            self.sql += ")";
        }
        self
    }

    #[cfg(test)]
    pub(super) fn text(self) -> String {
        self.sql
    }

    pub(super) async fn ask(self, store: &SqliteStore) -> Result<Vec<SqliteRow>, StoreError> {
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

/// The stored rows that match a filter. An index that holds all columns of the condition decides
/// it, except for logical dates and run types.
pub(super) fn filtered(filter: &RunFilter) -> Question {
    let mut question = Question::new(format!("SELECT {COLUMNS} FROM (SELECT number AS found FROM runs WHERE true"));
    if let Some(dag) = &filter.dag {
        question = question.and(" AND dag_id = ?", dag);
    }
    match &filter.among {
        Some(among) if among.is_empty() => question.sql += " AND false",
        Some(among) => question = question.and_in("dag_id", &among.iter().map(String::as_str).collect::<Vec<_>>()),
        None => {}
    }
    let mut states: Vec<&str> = filter.states.iter().map(|state| state.name()).collect();
    // Interrupted runs are stored as running, and so are queued runs with an owner: `filter` tells
    // them apart.
    let as_running = [RunState::Interrupted, RunState::Queued];
    if as_running.iter().any(|state| filter.states.contains(state)) && !filter.states.contains(&RunState::Running) {
        states.push(RunState::Running.name());
    }
    question = question.and_in("state", &states);
    question =
        question.and_in("run_type", &filter.run_types.iter().map(|run_type| run_type.name()).collect::<Vec<_>>());
    let conditions = [
        (" AND logical_date = ?", filter.about),
        (" AND logical_date >= ?", filter.logical_since),
        (" AND logical_date < ?", filter.logical_before),
        (" AND created >= ?", filter.since),
        (" AND created < ?", filter.before),
    ];
    for (condition, time) in conditions {
        if let Some(time) = time {
            question = question.and(condition, time.as_nanos());
        }
    }
    // The number decides between equal times.
    let time = match filter.order {
        RunOrder::Created => Some("created"),
        RunOrder::LogicalDate => Some("logical_date"),
        RunOrder::Number => None,
    };
    match (filter.after, time) {
        (Some(cursor), None) => question = question.and(" AND number < ?", cursor.number),
        (Some(cursor), Some(time)) => {
            question = question.and(&format!(" AND ({time}, number) < (?"), cursor.at.as_nanos());
            question = question.and(", ?)", cursor.number);
        }
        (None, _) => {}
    }
    // A negative limit means no limit.
    let limit = filter.limit.map_or(-1, i64::from);
    let order = match time {
        None => "ORDER BY number DESC".to_owned(),
        Some(time) => format!("ORDER BY {time} DESC, number DESC"),
    };
    question.and(&format!(" {order} LIMIT ?) LEFT JOIN runs ON runs.number = found {order}"), limit)
}

/// Whether the stored rows say which runs are in these states. Those that are running, interrupted
/// or queued may be stored as the same.
pub(super) fn is_stored(states: &[RunState]) -> bool {
    let wanted = |state| states.is_empty() || states.contains(&state);
    let wanted_of = [RunState::Running, RunState::Interrupted, RunState::Queued].map(wanted);
    wanted_of == [true; 3] || wanted_of == [false; 3]
}

/// The runs that match a filter.
pub(super) async fn filter(store: &SqliteStore, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
    let wanted = |state| filter.states.is_empty() || filter.states.contains(&state);
    if is_stored(&filter.states) && filter.requested_by.is_none() {
        return page_of(store, filter).await;
    }
    // The index does not say which of the three it is, or who has asked for it. Read on until
    // enough rows are the right ones.
    let mut found = Vec::new();
    let mut page = RunFilter { requested_by: None, ..filter.clone() };
    if filter.requested_by.is_some() {
        page.limit = page.limit.map(|limit| limit.max(AT_LEAST));
    }
    loop {
        let rows = page_of(store, &page).await?;
        let full = page.limit.is_some_and(|limit| rows.len() >= limit as usize);
        page.after = rows.last().map(|row| row.cursor(filter.order));
        found.extend(rows.into_iter().filter(|row| wanted(row.present_state()) && filter.is_requested(&row.info)));
        let limit = filter.limit.map_or(usize::MAX, |limit| limit as usize);
        if !full || found.len() >= limit {
            found.truncate(limit);
            return Ok(found);
        }
    }
}

/// The run of each DAG that was created last. Jumps in the index from one DAG to the next.
pub(super) async fn last_runs(store: &SqliteStore) -> Result<Vec<RunRow>, StoreError> {
    let sql = format!(
        "WITH RECURSIVE dags (id) AS (SELECT min(dag_id) FROM runs UNION ALL \
         SELECT (SELECT min(dag_id) FROM runs WHERE dag_id > dags.id) FROM dags WHERE dags.id IS NOT NULL), \
         last (found) AS (SELECT (SELECT number FROM runs WHERE dag_id = dags.id \
         ORDER BY created DESC, number DESC LIMIT 1) FROM dags WHERE dags.id IS NOT NULL) \
         SELECT {COLUMNS} FROM last LEFT JOIN runs ON runs.number = found ORDER BY dag_id"
    );
    runs(store, Question::new(sql)).await
}

/// The runs of some DAGs that were created last. Jumps in the index from one run of a DAG to the
/// one before.
pub(super) fn last_of(dags: &[&str], each: u32) -> Question {
    let next = |column: &str, of: &str| {
        format!("(SELECT {column} FROM runs WHERE dag_id = {of} ORDER BY created DESC, number DESC LIMIT 1)")
    };
    let before = "last.dag AND (created, number) < (last.at, last.found)";
    let [at, found] = ["created", "number"].map(|column| next(column, "value"));
    let [at_before, found_before] = ["created", "number"].map(|column| next(column, before));
    let sql = format!(
        "WITH RECURSIVE last (dag, at, found, place) AS (SELECT value, {at}, {found}, 1 FROM json_each(?1) UNION ALL \
         SELECT dag, {at_before}, {found_before}, place + 1 FROM last WHERE found IS NOT NULL AND place < ?2) \
         SELECT {COLUMNS} FROM last LEFT JOIN runs ON runs.number = found WHERE found IS NOT NULL \
         ORDER BY dag, at DESC, found DESC"
    );
    Question::new(sql).give(serde_json::json!(dags).to_string()).give(i64::from(each))
}

pub(super) async fn last_runs_of(store: &SqliteStore, dags: &[&str], each: u32) -> Result<Vec<RunRow>, StoreError> {
    runs(store, last_of(dags, each)).await
}

/// The stored rows that match a filter, which are to be what its index says.
async fn page_of(store: &SqliteStore, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
    let rows = runs(store, filtered(filter)).await?;
    match rows.iter().find(|row| !filter.allows(row)) {
        Some(row) => Err(store.damaged(format!("run {}: an index of the runs does not fit its row", row.number))),
        None => Ok(rows),
    }
}

/// The runs whose ids begin with a text; or, if not `beginning`, whose ids contain it further on.
pub(super) fn searched(text: &str, beginning: bool, limit: u32) -> Question {
    // A range of the index. There may be many ids in it, so none is compared with the text again.
    let begins = "run_id >= ?1 AND run_id < ?1 || char(1114111)";
    let (condition, order) = if beginning {
        (begins.to_owned(), "run_id = ?1 DESC, number DESC")
    } else {
        (format!("instr(run_id, ?1) > 0 AND NOT ({begins})"), "number DESC")
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM (SELECT number AS found FROM runs INDEXED BY runs_by_id WHERE {condition} \
         ORDER BY {order} LIMIT ?2) LEFT JOIN runs ON runs.number = found ORDER BY {order}"
    );
    Question::new(sql).give(text).give(i64::from(limit))
}

/// The runs whose ids contain a text. Scans all ids only if too few begin with it.
pub(super) async fn find(store: &SqliteStore, text: &str, limit: u32) -> Result<Vec<RunRow>, StoreError> {
    let mut found = runs(store, searched(text, true, limit)).await?;
    let left = limit.saturating_sub(u32::try_from(found.len()).unwrap_or(u32::MAX));
    if left > 0 {
        found.extend(runs(store, searched(text, false, left)).await?);
    }
    Ok(found)
}

/// The runs of a question, in its order.
async fn runs(store: &SqliteStore, question: Question) -> Result<Vec<RunRow>, StoreError> {
    with_liveness(store, rows(store, question).await?).await
}

/// The same, without what is known of their owners.
async fn rows(store: &SqliteStore, question: Question) -> Result<Vec<RunRow>, StoreError> {
    let rows = question.ask(store).await?;
    let row = |row| match get::<Option<i64>>(store, row, 0, || "a run".to_owned())? {
        Some(_) => run_row(store, row),
        None => Err(store.damaged("an index of the runs names a run whose row is missing".to_owned())),
    };
    rows.iter().map(row).collect()
}

/// The present rows of these runs.
pub(super) async fn rows_of(store: &SqliteStore, runs: &[i64]) -> Result<Vec<RunRow>, StoreError> {
    let question =
        Question::new(format!("SELECT {COLUMNS} FROM runs WHERE number IN (SELECT value FROM json_each(?))"));
    rows(store, question.give(numbers(runs))).await
}

/// Numbers as a JSON array.
pub(super) fn numbers(numbers: &[i64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(i64::to_string).collect();
    format!("[{}]", numbers.join(","))
}

pub(super) async fn run(store: &SqliteStore, run: i64) -> Result<Option<RunRow>, StoreError> {
    let question = Question::new(format!("SELECT {COLUMNS} FROM runs WHERE number = ?")).give(run);
    if let Some(row) = runs(store, question).await?.pop() {
        return Ok(Some(row));
    }
    match run > 0 && is_missing(store, run).await? {
        true => Err(store.damaged(format!("run {run}: its row is missing"))),
        false => Ok(None),
    }
}

/// Whether a run has segments and no row, by one look at both.
async fn is_missing(store: &SqliteStore, run: i64) -> Result<bool, StoreError> {
    let sql = "SELECT 1 FROM heads WHERE run = ? AND NOT EXISTS (SELECT 1 FROM runs WHERE number = heads.run)";
    Ok(Question::new(sql).give(run).ask_one(store).await?.is_some())
}

pub(super) async fn run_by_id(store: &SqliteStore, run_id: &str) -> Result<Option<RunRow>, StoreError> {
    let question = Question::new(format!("SELECT {COLUMNS} FROM runs WHERE run_id = ?")).give(run_id);
    Ok(runs(store, question).await?.pop())
}

/// The runs with these ids, which are a JSON array.
pub(super) fn with_ids(ids: &str) -> Question {
    Question::new(format!("SELECT {COLUMNS} FROM runs WHERE run_id IN (SELECT value FROM json_each(?))")).give(ids)
}

pub(super) async fn runs_by_id(store: &SqliteStore, run_ids: &[String]) -> Result<Vec<RunRow>, StoreError> {
    let ids = json(&run_ids).map_err(|error| explain(&store.path, Doing::Read, &error))?;
    runs(store, with_ids(&ids)).await
}

pub(super) async fn without_run(
    store: &SqliteStore,
    run_ids: &[String],
    by_rows: bool,
) -> Result<Vec<String>, StoreError> {
    let index = if by_rows { " NOT INDEXED" } else { "" };
    let sql = format!("SELECT run_id FROM runs{index} WHERE run_id IN (SELECT value FROM json_each(?))");
    let ids = json(&run_ids).map_err(|error| explain(&store.path, Doing::Read, &error))?;
    let rows = Question::new(sql).give(ids).ask(store).await?;
    let known: HashSet<&str> =
        rows.iter().map(|row| get(store, row, 0, || "the id of a run".to_owned())).collect::<Result<_, _>>()?;
    Ok(run_ids.iter().filter(|run_id| !known.contains(run_id.as_str())).cloned().collect())
}

pub(super) async fn last_number(store: &SqliteStore) -> Result<i64, StoreError> {
    let row = Question::new("SELECT seq FROM sqlite_sequence WHERE name = 'runs'").ask_one(store).await?;
    row.map_or(Ok(0), |row| get(store, &row, 0, || "the numbers of runs".to_owned()))
}

pub(super) async fn params(store: &SqliteStore, run: i64) -> Result<Option<Vec<u8>>, StoreError> {
    let question = Question::new(format!("SELECT {PARAMS} FROM runs WHERE number = ?")).give(run);
    let Some(row) = question.ask_one(store).await? else { return Ok(None) };
    params_row(store, &row).map(|(_, params)| Some(params))
}

pub(super) async fn params_of(store: &SqliteStore, runs: &[i64]) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let sql = format!("SELECT {PARAMS} FROM runs WHERE number IN (SELECT value FROM json_each(?))");
    let rows = Question::new(sql).give(numbers(runs)).ask(store).await?;
    rows.iter().map(|row| params_row(store, row)).collect()
}

/// The number of a run, and its parameters.
fn params_row(store: &SqliteStore, row: &SqliteRow) -> Result<(i64, Vec<u8>), StoreError> {
    let run: i64 = get(store, row, 4, || "a run".to_owned())?;
    let place = || format!("run {run}");
    let params: Vec<u8> = get(store, row, 0, place)?;
    let (run_id, checksum, older): (String, _, _) =
        (get(store, row, 1, place)?, get(store, row, 2, place)?, get(store, row, 3, place)?);
    fits(store, run, older, "parameters", checksum, row_checksums::params(&run_id, &params))?;
    Ok((run, params))
}

pub(super) async fn graph(store: &SqliteStore, hash: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let sql = "SELECT snapshot, checksum, (SELECT last FROM heads WHERE run = 0) FROM graphs WHERE hash = ?";
    let Some(row) = Question::new(sql).give(hash).ask_one(store).await? else { return Ok(None) };
    let place = || format!("graph {hash}");
    let snapshot: Vec<u8> = get(store, &row, 0, place)?;
    let (checksum, older): (Option<Checksum>, Option<i64>) = (get(store, &row, 1, place)?, get(store, &row, 2, place)?);
    match checksum {
        Some(checksum) if checksum == of_graph(hash, &snapshot) => {}
        Some(_) => return Err(store.damaged(format!("{}: the checksum of the snapshot does not match", place()))),
        // It may be older than checksums if any run is.
        None if older.is_some_and(|older| older > 0) => {}
        None => return Err(store.damaged(format!("{}: the snapshot has no checksum", place()))),
    }
    Ok(Some(snapshot))
}

/// Compares what was read of a run with its checksum. `older` is the last run that was stored
/// before there were checksums.
pub(super) fn fits(
    store: &SqliteStore,
    run: i64,
    older: Option<i64>,
    what: &str,
    stored: Option<Checksum>,
    read: Checksum,
) -> Result<(), StoreError> {
    match stored {
        Some(stored) if stored == read => Ok(()),
        Some(_) => Err(store.damaged(format!("run {run}: the checksum of its {what} does not match"))),
        None if older.is_some_and(|older| run <= older) => Ok(()),
        None => Err(store.damaged(format!("run {run}: its {what} has no checksum"))),
    }
}

pub(super) fn run_row(store: &SqliteStore, row: &SqliteRow) -> Result<RunRow, StoreError> {
    let number: i64 = get(store, row, 0, || "a run".to_owned())?;
    let place = || format!("run {number}");
    let wrong = |column: &str, error: String| store.damaged(format!("{}, column `{column}`: {error}", place()));
    let info: String = get(store, row, 1, place)?;
    let state: String = get(store, row, 6, place)?;
    let counts: String = get(store, row, 10, place)?;
    let token: i64 = get(store, row, 5, place)?;
    let tasks: i64 = get(store, row, 7, place)?;
    let ended: Option<i64> = get(store, row, 9, place)?;
    let (graph, build, owner): (String, String, String) =
        (get(store, row, 2, place)?, get(store, row, 3, place)?, get(store, row, 4, place)?);
    let created: i64 = get(store, row, 8, place)?;
    let (run_id, dag_id, run_type): (String, String, String) =
        (get(store, row, 11, place)?, get(store, row, 12, place)?, get(store, row, 13, place)?);
    let logical_date: i64 = get(store, row, 14, place)?;
    let older: Option<i64> = get(store, row, 19, place)?;
    let waits: bool = get(store, row, 20, place)?;
    let row_of = RunRow {
        number,
        info: serde_json::from_str(&info).map_err(|error| wrong("info", error.to_string()))?,
        graph,
        build,
        owner,
        token: token.try_into().map_err(|_| wrong("token", format!("{token} is not a token")))?,
        liveness: Liveness::Unowned,
        waits,
        state: word(&state).map_err(|error| wrong("state", error.to_string()))?,
        tasks: tasks.try_into().map_err(|_| wrong("tasks", format!("{tasks} is not a number of tasks")))?,
        created: Timestamp::from_nanos(created),
        ended: ended.map(Timestamp::from_nanos),
        counts: serde_json::from_str(&counts).map_err(|error| wrong("counts", error.to_string()))?,
    };
    let (run_id, dag_id, run_type) = (&*run_id, &*dag_id, &*run_type);
    let columns = InfoColumns { run_id, dag_id, run_type, logical_date, created, build: &row_of.build, info: &info };
    let checksums = [
        ("description", columns.checksum()),
        ("state", row_checksums::state(&state, ended, &counts)),
        ("owner", row_checksums::owner(&row_of.owner, token)),
        ("graph", row_checksums::graph(&row_of.graph, tasks)),
    ];
    for (column, (what, read)) in (15..).zip(checksums) {
        fits(store, number, older, what, get(store, row, column, place)?, read)?;
    }
    Ok(row_of)
}

pub(super) fn get<'r, T: sqlx::Decode<'r, Sqlite> + Type<Sqlite>>(
    store: &SqliteStore,
    row: &'r SqliteRow,
    column: usize,
    place: impl Fn() -> String,
) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| store.damaged(format!("{}: {error}", place())))
}

/// Reads the name of a variant.
pub(super) fn word<'a, T: Deserialize<'a>>(name: &'a str) -> Result<T, WordError> {
    T::deserialize(name.into_deserializer())
}
