//! The grid of a DAG: its slots and runs as [columns](super::grid_columns), its tasks as rows, made
//! of rollups.
//!
//! The rows are in the order of the graph, over all graphs of the runs that are shown. Above
//! [`COLLAPSED`] tasks, the tasks of a group are one row, which has the worst state of them and how
//! many have it. A page has at most [`CELLS`] cells: of more rows it shows a part.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use super::address;
use super::grid_columns::{Column, columns};
use super::marks::Mark;
use super::times::{Clock, took};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::journal::{Journal, Rollup, RunSummary};
use crate::ops::{self, OpsError};
use crate::run::TaskState;
use crate::store::{RunFilter, RunOrder};

/// The most tasks that are shown without collapsed groups.
const COLLAPSED: usize = 200;
/// The most cells of a page: its HTML has some 130 bytes for each, and a page with ids of usual
/// length at most 400 KB.
/// The head of a row counts as two.
const CELLS: usize = 3_000;

/// What of a grid is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    /// How many columns.
    pub(crate) columns: usize,
    /// Slots and runs after this are left out.
    pub(crate) until: Option<Timestamp>,
    pub(crate) rows: Rows,
    /// A part of the ids of tasks; empty for all.
    pub(crate) text: String,
    /// The groups that are not collapsed.
    pub(crate) open: BTreeSet<String>,
    /// The first row.
    pub(crate) from: usize,
}

/// Which rows are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Rows {
    #[default]
    All,
    /// Tasks that were anything but a success in a run that is shown.
    Changed,
    /// Tasks that failed in a run that is shown.
    Failed,
}

/// The grid of a DAG.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row>,
    /// The place of the first row that is shown among all rows.
    pub(crate) from: usize,
    /// How many rows there are.
    pub(crate) all: usize,
    /// How many tasks the rows stand for.
    pub(crate) tasks: usize,
    /// Whether a column has a sign of how its run came about.
    pub(crate) has_kinds: bool,
    /// Whether a cell has a count: then all columns have room for one.
    pub(crate) has_counts: bool,
}

impl Cell {
    /// The class of its mark, as an attribute. Most tasks succeed, so that a success has none.
    pub(crate) fn class(&self) -> &'static str {
        match self.mark.map_or("ok", |mark| mark.family) {
            "ok" => "",
            "bad" => " class=\"bad\"",
            "blocked" => " class=\"blocked\"",
            "run" => " class=\"run\"",
            "other" => " class=\"other\"",
            _ => " class=\"wait\"",
        }
    }
}

/// A task, or a group of tasks.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// The page of the task.
    pub(crate) href: String,
    /// The group, if it is one: then the row stands for so many tasks.
    pub(crate) group: Option<usize>,
    /// Whether the tasks of the group are rows, too.
    pub(crate) is_open: bool,
    /// Whether it is a task in an open group.
    pub(crate) is_inside: bool,
    /// How long a success of the task takes: the median of those that are shown. Empty for a group.
    pub(crate) usual: String,
    pub(crate) cells: Vec<Cell>,
}

/// A task of a run, or the tasks of a group in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    /// `None` in a slot without a run, and for a task that the run does not have.
    pub(crate) mark: Option<Mark>,
    /// How many tasks have the state, if the cell is of several that have not all succeeded.
    pub(crate) count: String,
    pub(crate) href: String,
    pub(crate) title: String,
    /// Whether there is a run, whose graph does not have the task.
    pub(crate) is_absent: bool,
}

/// A row before it is drawn: the nodes that it stands for.
struct Line {
    id: Arc<str>,
    nodes: Vec<Arc<str>>,
    group: Option<usize>,
    is_open: bool,
    is_inside: bool,
}

/// The places of nodes in the rollups of one graph, by id.
type Places = HashMap<Arc<str>, usize>;

/// A run that is shown, with the places of its nodes by id.
struct Shown<'a> {
    run: &'a RunSummary,
    rollup: Arc<Rollup>,
    nodes: Arc<Places>,
}

/// The runs of a grid, with their rollups.
pub(crate) struct GridRuns {
    pub(crate) runs: Vec<RunSummary>,
    pub(crate) rollups: HashMap<i64, Arc<Rollup>>,
}

/// The runs with the latest logical dates up to a point in time, the latest first.
pub(crate) async fn runs_until(
    journal: &Journal,
    dag: &str,
    limit: usize,
    until: Option<Timestamp>,
) -> Result<GridRuns, OpsError> {
    let filter = RunFilter {
        dag: Some(dag.to_owned()),
        logical_before: until.map(just_after),
        order: RunOrder::LogicalDate,
        limit: u32::try_from(limit).ok(),
        ..RunFilter::default()
    };
    let runs = journal.runs(&filter).await?;
    let numbers: Vec<i64> = runs.iter().map(|run| run.number).collect();
    let rollups = journal.rollups(&numbers).await?;
    Ok(GridRuns { runs, rollups })
}

fn just_after(at: Timestamp) -> Timestamp {
    Timestamp::from_nanos(at.as_nanos().saturating_add(1))
}

/// For each graph, the places of the nodes of each row.
fn nodes_of(lines: &[Line], shown: &[Option<Shown<'_>>]) -> HashMap<*const Places, Vec<Vec<usize>>> {
    let mut all: HashMap<*const Places, Vec<Vec<usize>>> = HashMap::new();
    for run in shown.iter().flatten() {
        all.entry(Arc::as_ptr(&run.nodes)).or_insert_with(|| {
            let places = |line: &Line| line.nodes.iter().filter_map(|id| run.nodes.get(id).copied()).collect();
            lines.iter().map(places).collect()
        });
    }
    all
}

/// The DAG whose grid is drawn. `tasks` are those of its present graph.
pub(crate) struct GridOf<'a> {
    pub(crate) journal: &'a Journal,
    pub(crate) dag: &'a str,
    pub(crate) def: Option<&'static DagDef>,
    pub(crate) tasks: &'a [String],
}

/// The families of states, by row and column; `None` where there is no task.
pub(crate) type Families = Vec<Vec<Option<&'static str>>>;

/// The grid of a DAG.
pub(crate) async fn grid(of: GridOf<'_>, choice: &Choice, clock: &Clock) -> Result<Grid, OpsError> {
    Ok(grid_and_families(of, choice, clock, false).await?.0)
}

/// The families of all cells of a grid, whatever part of the rows is chosen.
pub(crate) async fn families(of: GridOf<'_>, choice: &Choice, clock: &Clock) -> Result<Families, OpsError> {
    Ok(grid_and_families(of, choice, clock, true).await?.1)
}

async fn grid_and_families(
    GridOf { journal, dag, def, tasks }: GridOf<'_>,
    choice: &Choice,
    clock: &Clock,
    is_overview: bool,
) -> Result<(Grid, Families), OpsError> {
    let GridRuns { runs, rollups } = runs_until(journal, dag, choice.columns, choice.until).await?;
    let until = choice.until.map_or(Timestamp::MAX, just_after);
    let oldest = match runs.len() < choice.columns {
        // There is room for slots before the first run.
        true => Timestamp::EPOCH,
        false => runs.last().map_or(Timestamp::EPOCH, |run| run.info.logical_date),
    };
    let slots = match def {
        Some(def) => ops::slots_without_runs(journal, def, oldest, until, choice.columns).await?,
        None => Vec::new(),
    };
    let is_scheduled = def.is_some_and(|def| def.options.schedule.is_some());
    let (columns, order) = columns(&runs, &slots, is_scheduled, choice.columns, clock);
    let mut places: HashMap<*const _, Arc<Places>> = HashMap::new();
    let shown: Vec<Option<Shown<'_>>> = order
        .iter()
        .map(|run| {
            let run = (*run)?;
            let rollup = rollups.get(&run.number)?;
            // Runs of one graph share their nodes.
            let nodes = places.entry(Arc::as_ptr(&rollup.rows)).or_insert_with(|| {
                let ids = rollup.rows.iter().enumerate();
                Arc::new(ids.map(|(place, node)| (Arc::clone(&node.id), place)).collect())
            });
            Some(Shown { run, rollup: Arc::clone(rollup), nodes: Arc::clone(nodes) })
        })
        .collect();
    let mut ids = merged(tasks, &shown);
    let text = choice.text.to_lowercase();
    let is_filtered = !text.is_empty() || choice.rows != Rows::All;
    if is_filtered {
        ids.retain(|(id, _)| {
            (text.is_empty() || id.to_lowercase().contains(&text)) && is_wanted(id, &shown, choice.rows)
        });
    }
    let tasks = ids.len();
    let lines = lines(ids, is_filtered, &choice.open);
    if is_overview {
        let nodes = nodes_of(&lines, &shown);
        let family = |at: usize, run: &Option<Shown<'_>>| {
            let run = run.as_ref()?;
            let nodes = nodes.get(&Arc::as_ptr(&run.nodes))?.get(at)?;
            Some(worst(nodes, &run.rollup)?.0.family)
        };
        let row = |at: usize| shown.iter().map(|run| family(at, run)).collect();
        return Ok((Grid::default(), (0..lines.len()).map(row).collect()));
    }
    let all = lines.len();
    let Range { start: from, end } = window(all, columns.len(), choice.from);
    let lines = &lines[from..end];
    let nodes = nodes_of(lines, &shown);
    let nodes_at = |at: usize, run: &Shown<'_>| -> &[usize] {
        let nodes = nodes.get(&Arc::as_ptr(&run.nodes)).and_then(|nodes| nodes.get(at));
        nodes.map_or(&[], Vec::as_slice)
    };
    let cell_of = |at: usize, line: &Line, run: &Option<Shown<'_>>| {
        let Some(run) = run else { return Cell::default() };
        cell(line, nodes_at(at, run), run)
    };
    let rows = lines.iter().enumerate().map(|(at, line)| Row {
        id: line.id.to_string(),
        href: match line.group {
            Some(_) => String::new(),
            None => address::task_of_dag(dag, &line.id),
        },
        group: line.group,
        is_open: line.is_open,
        is_inside: line.is_inside,
        usual: match line.group {
            Some(_) => String::new(),
            None => usual(shown.iter().flatten().map(|run| (&*run.rollup, nodes_at(at, run)))),
        },
        cells: shown.iter().map(|run| cell_of(at, line, run)).collect(),
    });
    let has_kinds = columns.iter().any(|column| !column.kind.is_empty());
    let rows: Vec<Row> = rows.collect();
    let has_counts = rows.iter().flat_map(|row| &row.cells).any(|cell| !cell.count.is_empty());
    let grid = Grid { rows, columns, from, all, tasks, has_kinds, has_counts };
    Ok((grid, Vec::new()))
}

/// The rows of the page that has this row.
fn window(rows: usize, columns: usize, from: usize) -> Range<usize> {
    let from = if from < rows { from } else { 0 };
    from..(from + most_rows(columns)).min(rows)
}

/// The most rows of a page.
pub(super) fn most_rows(columns: usize) -> usize {
    (CELLS / (columns + 2)).max(20)
}

/// The ids of the tasks of all runs with their groups, in the order of the graphs: tasks that the
/// present graph does not have follow those that they followed.
fn merged(tasks: &[String], shown: &[Option<Shown<'_>>]) -> Vec<(Arc<str>, Arc<str>)> {
    let mut groups: HashMap<Arc<str>, Arc<str>> = HashMap::new();
    let mut order: Vec<Arc<str>> = tasks.iter().map(|id| Arc::from(&**id)).collect();
    let mut seen: Vec<*const Places> = Vec::new();
    for Shown { rollup, nodes, .. } in shown.iter().rev().flatten() {
        if seen.contains(&Arc::as_ptr(nodes)) {
            continue;
        }
        seen.push(Arc::as_ptr(nodes));
        let known: HashMap<Arc<str>, usize> =
            order.iter().enumerate().map(|(place, id)| (Arc::clone(id), place)).collect();
        // What follows each known task.
        let mut behind: HashMap<Option<usize>, Vec<Arc<str>>> = HashMap::new();
        let mut last = None;
        for node in rollup.rows.iter() {
            groups.entry(Arc::clone(&node.id)).or_insert_with(|| Arc::clone(&node.group));
            match known.get(&node.id) {
                Some(&place) => last = Some(place),
                None => behind.entry(last).or_default().push(Arc::clone(&node.id)),
            }
        }
        if !behind.is_empty() {
            let before = std::mem::take(&mut order);
            order.extend(behind.remove(&None).unwrap_or_default());
            for (place, id) in before.into_iter().enumerate() {
                order.push(id);
                order.extend(behind.remove(&Some(place)).unwrap_or_default());
            }
        }
    }
    let top: Arc<str> = Arc::from("");
    let group = |id: &Arc<str>| groups.get(id).cloned().unwrap_or_else(|| Arc::clone(&top));
    order.into_iter().map(|id| (Arc::clone(&id), group(&id))).collect()
}

/// Whether a task belongs to the rows.
fn is_wanted(id: &str, shown: &[Option<Shown<'_>>], rows: Rows) -> bool {
    let is = |state: &TaskState| match rows {
        Rows::All => true,
        Rows::Changed => !matches!(state, TaskState::Success | TaskState::Removed),
        Rows::Failed => *state == TaskState::Failed,
    };
    rows == Rows::All
        || shown.iter().flatten().any(|run| {
            let node = run.nodes.get(id).and_then(|&place| run.rollup.rows.get(place));
            node.is_some_and(|node| run.rollup.states(node).iter().any(is))
        })
}

/// The rows: tasks, or groups of tasks if they are many.
fn lines(ids: Vec<(Arc<str>, Arc<str>)>, is_filtered: bool, open: &BTreeSet<String>) -> Vec<Line> {
    let single =
        |id: Arc<str>, is_inside| Line { nodes: vec![Arc::clone(&id)], id, group: None, is_open: false, is_inside };
    if ids.len() <= COLLAPSED || is_filtered {
        return ids.into_iter().map(|(id, _)| single(id, false)).collect();
    }
    // The group at the top, whose id is the beginning of the ids of those inside of it.
    let top = |group: &str| group.split('.').next().unwrap_or_default().to_owned();
    let mut sizes: HashMap<String, usize> = HashMap::new();
    for (_, group) in ids.iter().filter(|(_, group)| !group.is_empty()) {
        *sizes.entry(top(group)).or_default() += 1;
    }
    let mut lines: Vec<Line> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (id, group) in ids {
        if group.is_empty() {
            lines.push(single(id, false));
            continue;
        }
        let group = top(&group);
        let is_open = open.contains(&group) || open.contains("all");
        let place = *places.entry(group.clone()).or_insert_with(|| {
            lines.push(Line {
                id: Arc::from(&*group),
                nodes: Vec::new(),
                group: sizes.get(&group).copied(),
                is_open,
                is_inside: false,
            });
            lines.len() - 1
        });
        if let Some(line) = lines.get_mut(place) {
            line.nodes.push(Arc::clone(&id));
        }
        if is_open {
            lines.push(single(id, true));
        }
    }
    lines
}

/// The worst state of nodes of a run, how many have it, and how many there are.
fn worst(nodes: &[usize], rollup: &Rollup) -> Option<(Mark, usize, usize)> {
    let mut counts = [0_usize; TaskState::ALL.len()];
    for node in nodes.iter().filter_map(|&place| rollup.rows.get(place)) {
        for &state in rollup.states(node) {
            counts[state as usize] += 1;
        }
    }
    let present = TaskState::ALL.into_iter().filter(|&state| counts[state as usize] > 0);
    let (mark, state) = present.map(|state| (Mark::of(state.name()), state)).min_by_key(|(mark, _)| mark.urgency())?;
    Some((mark, counts[state as usize], counts.iter().sum()))
}

/// The median of how long the successes of these nodes took, in words.
fn usual<'a>(runs: impl Iterator<Item = (&'a Rollup, &'a [usize])>) -> String {
    let mut all: Vec<u32> = Vec::new();
    for (rollup, nodes) in runs {
        let tasks = nodes.iter().filter_map(|&place| rollup.rows.get(place)).flat_map(|node| node.tasks.clone());
        let tasks = tasks.map(|at| rollup.task(at)).filter(|task| task.state == TaskState::Success);
        all.extend(tasks.filter_map(|task| task.took));
    }
    let middle = all.len() / 2;
    if all.is_empty() { String::new() } else { took(u64::from(*all.select_nth_unstable(middle).1)) }
}

fn cell(line: &Line, nodes: &[usize], run: &Shown<'_>) -> Cell {
    let Some((mark, count, all)) = worst(nodes, &run.rollup) else {
        return Cell { is_absent: true, ..Cell::default() };
    };
    let number = run.run.number;
    let single = match nodes {
        &[place] if line.group.is_none() => run.rollup.rows.get(place),
        _ => None,
    };
    let shown = if count < all && mark.family != "ok" { short(count) } else { String::new() };
    match single {
        Some(node) if !node.is_mapped => {
            let task = run.rollup.task(node.tasks.start);
            let took = task.took.map(|millis| format!(", {}", took(u64::from(millis)))).unwrap_or_default();
            let attempts = if task.attempts > 1 { format!(", {} attempts", task.attempts) } else { String::new() };
            let title = format!("{}{took}{attempts}", mark.words);
            let href = address::task(number, &node.id);
            Cell { mark: Some(mark), count: String::new(), href, title, is_absent: false }
        }
        single => {
            let href = match single {
                Some(node) => address::task(number, &node.id),
                None => address::with(&address::run(number), &[("q", &format!("{}.", line.id))]) + "#tasks",
            };
            let title = format!("{count} of {all} {}", mark.words);
            Cell { mark: Some(mark), count: shown, href, title, is_absent: false }
        }
    }
}

/// A number in at most four characters.
fn short(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_rows_for_a_bounded_number_of_cells() {
        assert_eq!(window(10, 25, 0), 0..10);
        assert_eq!(window(5_000, 25, 0), 0..111);
        assert_eq!(window(5_000, 25, 4_900), 4_900..5_000);
        assert_eq!(window(5_000, 25, 9_000), 0..111);
        assert_eq!(window(5_000, 1_000, 0), 0..20);
    }

    #[test]
    fn groups_are_one_row_above_a_number_of_tasks() {
        let ids = |count: usize| -> Vec<(Arc<str>, Arc<str>)> {
            let id = |at: usize| (Arc::from(format!("load.t{at}")), Arc::from("load"));
            (0..count).map(id).chain([(Arc::from("report"), Arc::from(""))]).collect()
        };
        assert_eq!(lines(ids(100), false, &BTreeSet::new()).len(), 101);
        let collapsed = lines(ids(300), false, &BTreeSet::new());
        assert_eq!(collapsed.iter().map(|line| line.group).collect::<Vec<_>>(), [Some(300), None]);
        assert_eq!(lines(ids(300), false, &BTreeSet::from(["load".to_owned()])).len(), 302);
        assert_eq!(lines(ids(300), true, &BTreeSet::new()).len(), 301);
    }
}
