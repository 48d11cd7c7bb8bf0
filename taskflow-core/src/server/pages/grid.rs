//! The grid of a DAG: a column for each run and each slot without a run, a row for each task.

use std::collections::{BTreeMap, HashMap};

use super::address;
use super::failures::base_id;
use super::marks::Mark;
use super::times::{Clock, took_for};
use crate::base::Timestamp;
use crate::journal::{Journal, RunHistory, RunSummary};
use crate::ops::{OpsError, PastSlots};
use crate::run::RunState;

/// The most tasks of runs whose histories are read for a page.
const TASKS: usize = 20_000;
/// The most rows.
const ROWS: usize = 400;

/// How many columns the name of a day takes.
const DAY: usize = 3;

/// The grid of a DAG.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// How many rows are left out.
    pub(crate) more: usize,
}

/// A run, or a slot without one.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) mark: Mark,
    /// An address below the base path; empty for a slot.
    pub(crate) href: String,
    pub(crate) title: String,
    /// The day, where it differs from that of the column before.
    pub(crate) day: String,
    /// The height of the bar of its duration, from 0 to 24.
    pub(crate) height: u128,
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) href: String,
    pub(crate) cells: Vec<Cell>,
}

/// A task of a run.
#[derive(Debug)]
pub(crate) struct Cell {
    /// `None` in a slot without a run, and for a task that the run does not have.
    pub(crate) mark: Option<Mark>,
    pub(crate) href: String,
    pub(crate) title: String,
}

/// What is known of a task, or of all elements of a list, in a run.
struct Folded {
    /// The id of the task, or of the first element.
    id: String,
    mark: Mark,
    count: usize,
    worst: usize,
    took: Option<std::time::Duration>,
}

/// The grid of these runs, the newest first, and of the slots without runs among them. `tasks` are
/// those of the present graph.
pub(crate) async fn grid(
    journal: &Journal,
    runs: &[RunSummary],
    slots: &[PastSlots],
    tasks: &[String],
    clock: &Clock,
) -> Result<Grid, OpsError> {
    let (mut histories, mut read) = (HashMap::new(), 0);
    for run in runs {
        read += run.tasks as usize;
        if !histories.is_empty() && read > TASKS {
            break;
        }
        histories.insert(run.number, fold(&journal.history(&run.info.run_id).await?));
    }
    let shown: Vec<&RunSummary> = runs.iter().filter(|run| histories.contains_key(&run.number)).collect();
    let oldest = shown.iter().map(|run| run.info.logical_date).min();
    let empty = slots
        .iter()
        .filter(|slot| slot.run.is_none() && slot.note.is_none() && oldest.is_some_and(|oldest| slot.last >= oldest));
    let mut places: Vec<(Timestamp, Option<&RunSummary>, Option<&PastSlots>)> =
        shown.iter().map(|run| (run.info.logical_date, Some(*run), None)).collect();
    places.extend(empty.map(|slot| (slot.last, None, Some(slot))));
    places.sort_by_key(|&(at, run, _)| (at, run.map(|run| run.number)));
    let longest = shown.iter().filter_map(|run| Some(run.ended?.since(run.created).as_millis())).max();
    let mut columns = Vec::with_capacity(places.len());
    let mut day = String::new();
    // The name of a day is as wide as some columns.
    let mut free = 0;
    for &(at, run, slot) in &places {
        let mut column = match (run, slot) {
            (Some(run), _) => column_of(run, longest.unwrap_or(1), clock),
            (None, Some(slot)) => slot_column(slot, clock),
            (None, None) => continue,
        };
        let of = at.to_jiff().to_zoned(clock.zone.clone()).strftime("%-d %b").to_string();
        if of != day && columns.len() >= free {
            column.day.clone_from(&of);
            (day, free) = (of, columns.len() + DAY);
        }
        columns.push(column);
    }
    let mut ids: Vec<String> = tasks.to_vec();
    for folded in shown.iter().filter_map(|run| histories.get(&run.number)) {
        let known: std::collections::HashSet<&String> = ids.iter().collect();
        let others: Vec<String> = folded.0.iter().filter(|id| !known.contains(id)).cloned().collect();
        ids.extend(others);
    }
    let more = ids.len().saturating_sub(ROWS);
    ids.truncate(ROWS);
    let rows = ids.into_iter().map(|id| Row {
        cells: places.iter().map(|&(_, run, _)| cell(&id, run, &histories)).collect(),
        href: String::new(),
        id,
    });
    Ok(Grid { rows: rows.collect(), columns, more })
}

/// The tasks of a run without the numbers of elements, in the order of the graph.
fn fold(history: &RunHistory) -> (Vec<String>, BTreeMap<String, Folded>) {
    let (mut order, mut all) = (Vec::new(), BTreeMap::<String, Folded>::new());
    for task in &history.tasks {
        let (id, mark) = (base_id(&task.id), Mark::of(task.state.name()));
        let took = task.attempts.last().and_then(|attempt| Some(attempt.ended?.since(attempt.started)));
        match all.get_mut(&id) {
            None => {
                order.push(id.clone());
                all.insert(id, Folded { id: task.id.to_string(), mark, count: 1, worst: 1, took });
            }
            Some(folded) => {
                folded.count += 1;
                folded.took = folded.took.max(took);
                match mark.urgency().cmp(&folded.mark.urgency()) {
                    std::cmp::Ordering::Less => (folded.mark, folded.worst) = (mark, 1),
                    std::cmp::Ordering::Equal => folded.worst += 1,
                    std::cmp::Ordering::Greater => {}
                }
            }
        }
    }
    (order, all)
}

fn column_of(run: &RunSummary, longest: u128, clock: &Clock) -> Column {
    let date = clock.at(run.info.logical_date);
    let mark = Mark::of(run.state.name());
    let took = run.ended.map(|ended| ended.since(run.created));
    let words = took.map(|took| format!(", {}", took_for(took))).unwrap_or_default();
    let height = match (took, run.state) {
        (Some(took), _) => 3 + took.as_millis() * 21 / longest.max(1),
        (None, RunState::Running) => 24,
        (None, _) => 3,
    };
    Column {
        mark,
        href: address::run(run.number),
        title: format!("Run {}, {}: {}{words}", run.number, date.text, mark.words),
        day: String::new(),
        height: height.min(24),
    }
}

fn slot_column(slot: &PastSlots, clock: &Clock) -> Column {
    let (first, last) = (clock.at(slot.first), clock.at(slot.last));
    let span =
        if slot.count > 1 { format!("{} slots, {} to {}", slot.count, first.text, last.text) } else { last.text };
    let reason = if slot.reason.is_empty() { String::new() } else { format!(": {}", slot.reason) };
    Column {
        mark: Mark::of_slot(&slot.fate),
        href: String::new(),
        title: format!("{span}, {}{reason}", slot.fate),
        day: String::new(),
        height: 0,
    }
}

fn cell(id: &str, run: Option<&RunSummary>, histories: &HashMap<i64, (Vec<String>, BTreeMap<String, Folded>)>) -> Cell {
    let known = run.and_then(|run| Some((run, histories.get(&run.number)?.1.get(id)?)));
    let Some((run, folded)) = known else {
        return Cell { mark: None, href: String::new(), title: String::new() };
    };
    let took = folded.took.map(|took| format!(", {}", took_for(took))).unwrap_or_default();
    let (href, what) = match folded.count {
        1 => (address::task(run.number, &folded.id), folded.mark.words.to_owned()),
        count => {
            let href = address::with(&address::run(run.number), &[("q", id)]) + "#tasks";
            (href, format!("{} of {count} {}", folded.worst, folded.mark.words))
        }
    };
    Cell { mark: Some(folded.mark), href, title: format!("{id}, run {}: {what}{took}", run.number) }
}
