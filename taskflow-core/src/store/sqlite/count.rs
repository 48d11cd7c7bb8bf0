//! Counting runs, as far as somebody wants to know.

use super::SqliteStore;
use super::read::{Question, filter as rows_of, get, is_stored};
use crate::base::Timestamp;
use crate::store::error::StoreError;
use crate::store::rows::RunFilter;

/// How far runs are counted whose state depends on whether somebody owns them: their rows are read.
const READ: u32 = 1_000;

/// The question how many runs match a filter: among the first that fit what one index holds, at
/// most so many, and how many these are.
pub(super) fn counted(filter: &RunFilter, most: i64) -> Question {
    let run_types: Vec<&str> = filter.run_types.iter().map(|run_type| run_type.name()).collect();
    let mut question = Question::new("SELECT coalesce(sum(fits), 0), count(*) FROM (SELECT true");
    question = question.and_in("run_type", &run_types);
    let dates = [
        (" AND logical_date = ?", filter.about),
        (" AND logical_date >= ?", filter.logical_since),
        (" AND logical_date < ?", filter.logical_before),
    ];
    let times = [(" AND created >= ?", filter.since), (" AND created < ?", filter.before)];
    // No index has both.
    let has_dates = dates.iter().any(|(_, time)| time.is_some());
    let (looked_up, searched) = if has_dates { (&times[..], &dates[..]) } else { (&dates[..], &times[..]) };
    question = with_times(question, looked_up).with(" AS fits FROM runs WHERE true");
    if let Some(dag) = &filter.dag {
        question = question.and(" AND dag_id = ?", dag);
    }
    match &filter.among {
        Some(among) if among.is_empty() => question = question.with(" AND false"),
        Some(among) => question = question.and_in("dag_id", &among.iter().map(String::as_str).collect::<Vec<_>>()),
        None => {}
    }
    question = question.and_in("state", &filter.states.iter().map(|state| state.name()).collect::<Vec<_>>());
    with_times(question, searched).and(" LIMIT ?)", most)
}

/// With those of the conditions that have a time.
fn with_times(mut question: Question, conditions: &[(&str, Option<Timestamp>)]) -> Question {
    for (condition, time) in conditions {
        if let Some(time) = time {
            question = question.and(condition, time.as_nanos());
        }
    }
    question
}

/// How many runs match a filter, and whether there may be more.
pub(super) async fn count(store: &SqliteStore, filter: &RunFilter, most: u32) -> Result<(u64, bool), StoreError> {
    if !is_stored(&filter.states) || filter.requested_by.is_some() {
        let most = most.min(READ);
        let filter = RunFilter { after: None, limit: Some(most + 1), ..filter.clone() };
        let (found, most) = (rows_of(store, &filter).await?.len() as u64, u64::from(most));
        return Ok((found.min(most), found > most));
    }
    let rows = counted(filter, i64::from(most) + 1).ask(store).await?;
    let number = |column| -> Result<u64, StoreError> {
        let row = rows.first().map(|row| get::<i64>(store, row, column, || "a number of runs".to_owned()));
        Ok(row.transpose()?.unwrap_or_default().unsigned_abs())
    };
    let (fits, looked_at, most) = (number(0)?, number(1)?, u64::from(most));
    Ok((fits.min(most), looked_at > most))
}
