//! The page of the grid of a DAG, and its overview as an image.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::{Html, Response};

use super::address;
use super::backfill_form::{address_of, has_slots};
use super::dag::{Tab, find, tabs};
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place};
use super::grid::{Choice, Grid, GridOf, Rows, families, grid, most_rows};
use super::overview::overview;
use super::reply::{Asked, Page, PageProblem, asked, request};
use super::run::svg;
use super::times::Clock;
use crate::base::Timestamp;
use crate::ops::accounts::Right;
use crate::render::View;
use crate::server::auth::Visitor;
use crate::server::keys::DagKey;

/// How many columns can be chosen, and how many there are without a choice.
const COLUMNS: [usize; 4] = [10, 25, 50, 100];
const FEW: usize = 25;
/// From how many tasks on the page has an overview.
const OVERVIEW: usize = 60;

#[derive(Debug, Template)]
#[template(path = "grid.html")]
struct GridPage {
    frame: Frame,
    id: String,
    tabs: Vec<Tab>,
    grid: Grid,
    here: String,
    /// Which rows are shown.
    rows: Vec<Filter>,
    chosen_rows: &'static str,
    counts: Vec<(usize, bool)>,
    until: String,
    task: String,
    open: String,
    shown: String,
    earlier: String,
    latest: String,
    previous: String,
    next: String,
    /// The link that opens or closes all groups.
    groups: String,
    groups_words: &'static str,
    overview: String,
    is_filtered: bool,
    /// The form that backfills the slots that are shown, for those who may.
    backfill: String,
}

const ROWS: [(Rows, &str, &str); 3] = [
    (Rows::All, "", "All tasks"),
    (Rows::Changed, "changed", "Not always a success"),
    (Rows::Failed, "failed", "Failed"),
];

impl Choice {
    /// What the parameters of an address choose.
    fn of(query: &BTreeMap<String, String>, clock: &Clock) -> Choice {
        let columns = asked(query, "runs").parse().ok().filter(|count| COLUMNS.contains(count)).unwrap_or(FEW);
        let rows = ROWS.iter().find(|(_, name, _)| *name == asked(query, "rows")).map_or(Rows::All, |&(rows, ..)| rows);
        let open = asked(query, "open").split(',').filter(|group| !group.is_empty()).map(str::to_owned);
        Choice {
            columns,
            until: until(asked(query, "until"), clock),
            rows,
            text: asked(query, "task").to_owned(),
            open: open.collect(),
            from: asked(query, "from").parse().unwrap_or(0),
        }
    }
}

/// The end of a day in the zone of the page, or a point in time.
fn until(text: &str, clock: &Clock) -> Option<Timestamp> {
    match text.parse::<jiff::civil::Date>() {
        Ok(day) if text.len() == "2026-01-31".len() => {
            let end = day.tomorrow().ok()?.to_zoned(clock.zone.clone()).ok()?;
            Timestamp::from_jiff(end.timestamp()).map(|end| Timestamp::from_nanos(end.as_nanos().saturating_sub(1)))
        }
        _ => text.parse().ok(),
    }
}

/// The ids of the tasks of the present graph.
pub(super) fn present_tasks(def: Option<&'static crate::dag::DagDef>) -> Vec<String> {
    let plan = def.and_then(|def| def.plan().ok());
    plan.map(|plan| View::of(&plan).nodes.iter().map(|node| node.id.to_owned()).collect()).unwrap_or_default()
}

pub(super) async fn show(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone.as_deref());
    let clock = &request.clock;
    let choice = Choice::of(&query, clock);
    let id = status.dag_id;
    let mut grid =
        grid(GridOf { journal: &state.journal, dag: &id, def, tasks: &present_tasks(def) }, &choice, clock).await?;
    let here = address::dag(&id) + "/grid";
    let (chosen_rows, task, open) = (asked(&query, "rows"), asked(&query, "task"), asked(&query, "open"));
    let (runs, until) = (asked(&query, "runs"), asked(&query, "until"));
    let with = |changes: &[(&str, &str)]| {
        let mut all =
            BTreeMap::from([("runs", runs), ("until", until), ("rows", chosen_rows), ("task", task), ("open", open)]);
        all.extend(changes.iter().copied());
        address::with(&here, &all.into_iter().collect::<Vec<_>>())
    };
    let rows = ROWS.iter().map(|&(rows, name, words)| Filter {
        words: words.to_owned(),
        count: None,
        href: with(&[("rows", name)]),
        is_chosen: rows == choice.rows,
    });
    for row in grid.rows.iter_mut().filter(|row| row.group.is_some()) {
        let mut open = choice.open.clone();
        match row.is_open {
            // All groups close together, as they were opened.
            true if open.remove("all") => open.clear(),
            true => drop(open.remove(&row.id)),
            false => drop(open.insert(row.id.clone())),
        }
        row.href = with(&[("open", &open.into_iter().collect::<Vec<_>>().join(","))]);
    }
    let end = grid.from + grid.rows.len();
    let page_from = |from: usize| with(&[("from", &from.to_string())]);
    let tasks = match grid.tasks {
        1 => "1 task".to_owned(),
        tasks => format!("{tasks} tasks"),
    };
    let may_change = state.may(Right::Operate, &id) && !state.options.read_only;
    let ends = grid.columns.first().zip(grid.columns.last()).filter(|_| may_change && def.is_some_and(has_slots));
    let backfill = ends.map(|(first, last)| address_of(&id, &first.at.to_string(), &last.at.to_string()));
    let has_groups = grid.rows.iter().any(|row| row.group.is_some());
    let is_open = grid.rows.iter().any(|row| row.is_open);
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Grid")];
    Ok(Html(html(&GridPage {
        frame: Frame::new(&request, Place::Dags, format!("Grid · {id}"), path).live(format!("dag:{id}"), as_of),
        tabs: tabs(&id, def, "grid"),
        rows: rows.collect(),
        chosen_rows: ROWS.iter().find(|(rows, ..)| *rows == choice.rows).map_or("", |&(_, name, _)| name),
        counts: COLUMNS.iter().map(|&count| (count, count == choice.columns)).collect(),
        until: until.to_owned(),
        task: task.to_owned(),
        open: open.to_owned(),
        shown: match grid.rows.len() < grid.all {
            true => format!("{tasks}, rows {} to {end} of {}", grid.from + 1, grid.all),
            false => tasks,
        },
        earlier: match grid.columns.first() {
            Some(first) if grid.columns.len() >= choice.columns => {
                let before = Timestamp::from_nanos(first.at.as_nanos().saturating_sub(1));
                with(&[("until", &before.to_string())])
            }
            _ => String::new(),
        },
        latest: if until.is_empty() { String::new() } else { with(&[("until", "")]) },
        previous: match grid.from {
            0 => String::new(),
            from => page_from(from.saturating_sub(most_rows(grid.columns.len()))),
        },
        next: if end < grid.all { page_from(end) } else { String::new() },
        groups: match has_groups {
            true => with(&[("open", if is_open { "" } else { "all" })]),
            false => String::new(),
        },
        groups_words: if is_open { "Close all groups" } else { "Open all groups" },
        overview: match grid.tasks > OVERVIEW {
            true => {
                let query = [("runs", runs), ("until", until), ("rows", chosen_rows), ("task", task), ("open", open)];
                address::with(&(address::dag(&id) + "/grid.svg"), &query)
            }
            false => String::new(),
        },
        is_filtered: !task.is_empty() || choice.rows != Rows::All,
        backfill: backfill.unwrap_or_default(),
        id,
        grid,
        here,
    })))
}

/// The overview of a grid, as an image.
pub(super) async fn image(
    state: Visitor,
    Path(dag): Path<String>,
    Query(query): Asked,
) -> Result<Response, PageProblem> {
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let request = request(status.timezone.as_deref());
    let choice = Choice::of(&query, &request.clock);
    // Each task is a row of it, whatever is collapsed.
    let choice = Choice { open: BTreeSet::from(["all".to_owned()]), ..choice };
    let of = GridOf { journal: &state.journal, dag: &status.dag_id, def, tasks: &present_tasks(def) };
    Ok(svg(overview(&families(of, &choice, &request.clock).await?)))
}

#[cfg(test)]
mod tests {
    use super::super::grid::{Cell, Row};
    use super::super::marks::Mark;
    use super::*;

    #[test]
    fn the_largest_page_has_at_most_400_kilobytes() {
        for columns in [1, 3, 10, FEW, 50] {
            let page = page(columns);
            assert!(page.matches("<use href=").count() >= most_rows(columns) * columns, "it has all cells");
            assert!(page.len() <= 400_000, "{columns} columns have {} bytes", page.len());
        }
    }

    /// As many rows of this many columns as a page has.
    fn page(columns: usize) -> String {
        let request = request(None);
        let cell = |run: usize, task: &str| Cell {
            mark: Some(Mark::of(if run.is_multiple_of(10) { "failed" } else { "success" })),
            count: String::new(),
            href: address::task(47_110 + run as i64, task),
            title: "success, 1 m 12 s, 2 attempts".to_owned(),
            is_absent: false,
        };
        let row = |at: usize| {
            let id = format!("warehouse.load_{at:04}");
            let cells = (0..columns).map(|run| cell(run, &id)).collect();
            let (href, usual) = (address::task_of_dag("daily_report", &id), "1 m 12 s".to_owned());
            Row { href, id, group: None, is_open: false, is_inside: true, usual, cells }
        };
        let rows: Vec<Row> = (0..most_rows(columns)).map(row).collect();
        let page = GridPage {
            frame: Frame::new(&request, Place::Dags, "Grid", Vec::new()),
            id: "daily_report".to_owned(),
            tabs: Vec::new(),
            grid: Grid { all: rows.len(), tasks: rows.len(), rows, ..Grid::default() },
            here: String::new(),
            rows: Vec::new(),
            chosen_rows: "",
            counts: Vec::new(),
            until: String::new(),
            task: String::new(),
            open: String::new(),
            shown: String::new(),
            earlier: String::new(),
            latest: String::new(),
            previous: String::new(),
            next: String::new(),
            groups: String::new(),
            groups_words: "",
            overview: String::new(),
            is_filtered: false,
            backfill: String::new(),
        };
        // Without columns there would be no table.
        let grid = Grid { columns: vec![column()], ..page.grid };
        html(&GridPage { grid, ..page })
    }

    fn column() -> super::super::grid_columns::Column {
        super::super::grid_columns::Column {
            at: Timestamp::EPOCH,
            mark: Mark::of("success"),
            href: "/runs/1".to_owned(),
            title: "Run 1".to_owned(),
            day: "1 Jan".to_owned(),
            height: 10,
            kind: "",
            is_changed: false,
        }
    }
}
