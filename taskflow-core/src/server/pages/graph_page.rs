//! The page of a graph that is too large to be looked at as a whole: its groups are opened one by
//! one, its tasks are found by their names, and what is near one is shown.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::extract::{Path, Query};
use axum::response::Html;

use super::address;
use super::dag::{Tab, find, tabs};
use super::dag_list::Filter;
use super::escape::html;
use super::frame::{Crumb, Frame, Place, Request};
use super::graph::{Graph, GraphOf, INLINE, states};
use super::reply::{Asked, Page, asked, not_found, request};
use crate::dag::DagDef;
use crate::journal::RunHistory;
use crate::ops::OpsError;
use crate::render::View;
use crate::server::auth::Visitor;
use crate::server::keys::{DagKey, RunKey};
use crate::server::permit::{self, Permit};

/// How many tasks a search lists.
const FOUND: usize = 50;
/// How far what is near a task may be.
const DEPTHS: [usize; 4] = [1, 2, 3, 5];

#[derive(Debug, Template)]
#[template(path = "graph_page.html")]
struct GraphPage {
    frame: Frame,
    heading: String,
    tabs: Vec<Tab>,
    here: String,
    q: String,
    /// What a search has found, and how many more there are.
    found: Vec<Crumb>,
    more: usize,
    /// What is shown, in words, with a link to the page of the task.
    shown: String,
    task: Option<Crumb>,
    depths: Vec<Filter>,
    /// The groups that are open, with the links that close them.
    open: Vec<Crumb>,
    whole: String,
    graph: Option<Graph>,
    /// Why there is no drawing.
    too_large: String,
    image: String,
}

pub(super) async fn of_dag(state: Visitor, Path(dag): Path<String>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let (status, def) = find(&state, &DagKey::parse(dag)?).await?;
    let id = status.dag_id;
    let def = def.ok_or_else(|| not_found(format!("The program does not have the DAG `{id}` any more")))?;
    let request = request(status.timezone.as_deref());
    let path = vec![Crumb::link("DAGs", "/dags"), Crumb::link(id.clone(), address::dag(&id)), Crumb::here("Graph")];
    let frame = Frame::new(&request, Place::Dags, format!("Graph · {id}"), path).live(format!("dag:{id}"), as_of);
    let of = GraphOf { base: &request.base, here: address::dag(&id), words: format!("The graph of {id}") };
    let page = page(def, None, frame, of, &query, &|task| address::task_of_dag(&id, task))?;
    Ok(Html(html(&GraphPage { tabs: tabs(&id, Some(def), "graph"), heading: id.clone(), ..page })))
}

pub(super) async fn of_run(state: Visitor, Path(run): Path<String>, Query(query): Asked) -> Page {
    let as_of = state.streams.place();
    let permit = Permit::<permit::View, _>::of_run(&state, &RunKey::parse(run)?).await?;
    let (number, id) = (permit.run().number, permit.run().info.dag_id.clone());
    let def = state.dags.iter().copied().find(|dag| dag.id == id);
    let def = def.ok_or_else(|| not_found(format!("The program does not have the DAG `{id}` any more")))?;
    let history = permit.history(&state).await?;
    let request: Request = request(permit.run().info.timezone_name());
    let path = vec![
        Crumb::link(id.clone(), address::dag(&id)),
        Crumb::link(format!("Run {number}"), address::run(number)),
        Crumb::here("Graph"),
    ];
    let title = format!("Graph of run {number} · {id}");
    let frame = Frame::new(&request, Place::Runs, title, path).live(format!("run:{number}"), as_of);
    let words = format!("The graph of {id} with the states of run {number}");
    let of = GraphOf { base: &request.base, here: address::run(number), words };
    let page = page(def, Some(&history), frame, of, &query, &|task| address::task(number, task))?;
    Ok(Html(html(&GraphPage { heading: format!("Run {number} of {id}"), ..page })))
}

fn page(
    def: &'static DagDef,
    history: Option<&RunHistory>,
    frame: Frame,
    of: GraphOf<'_>,
    query: &BTreeMap<String, String>,
    page_of: &dyn Fn(&str) -> String,
) -> Result<GraphPage, OpsError> {
    let plan = def.plan()?;
    let view = View::of(&plan);
    let states = history.map(|history| states(&view, history));
    let (here, image) = (of.here.clone() + "/graph", of.here.clone() + "/graph.svg");
    let (q, wanted) = (asked(query, "q"), asked(query, "task"));
    let hits = || view.nodes.iter().filter(|node| !q.is_empty() && contains(node.id, q));
    let found: Vec<Crumb> =
        hits().take(FOUND).map(|node| Crumb::link(node.id, address::with(&here, &[("task", node.id)]))).collect();
    let task = view.nodes.iter().position(|node| node.id == wanted);
    let depth = asked(query, "depth").parse().ok().filter(|depth| DEPTHS.contains(depth)).unwrap_or(2);
    // Groups that do not exist, and tasks that are named, open nothing.
    let open: BTreeSet<String> = asked(query, "open").split(',').map(str::to_owned).collect();
    let open: BTreeSet<String> =
        view.groups.iter().filter(|group| open.contains(group.id)).map(|group| group.id.to_owned()).collect();
    let part = match task {
        Some(task) => view.around(task, depth, INLINE),
        None => view.collapsed(|group| view.nodes.len() <= INLINE || open.contains(group)),
    };
    let all = view.nodes.len();
    let is_drawn = part.view.nodes.len() <= INLINE;
    let shown = match (task, part.view.nodes.len()) {
        (Some(_), INLINE) => format!("The nearest {INLINE} of {all} tasks"),
        (Some(_), near) => format!("{near} of {all} tasks"),
        (None, nodes) if nodes == all => format!("{all} tasks"),
        (None, _) => format!("{all} tasks; a group is one box until it is opened"),
    };
    let depths = DEPTHS.iter().filter(|_| task.is_some()).map(|near| Filter {
        words: if *near == 1 { "1 step".to_owned() } else { format!("{near} steps") },
        count: None,
        href: address::with(&here, &[("task", wanted), ("depth", &near.to_string())]),
        is_chosen: *near == depth,
    });
    let closing = open.iter().map(|group| {
        let others: Vec<&str> = open.iter().filter(|other| *other != group).map(String::as_str).collect();
        Crumb::link(group.clone(), address::with(&here, &[("open", &others.join(","))]))
    });
    Ok(GraphPage {
        frame,
        heading: String::new(),
        tabs: Vec::new(),
        q: q.to_owned(),
        more: hits().count().saturating_sub(found.len()),
        found,
        shown,
        task: task.map(|task| Crumb::link(view.nodes[task].id, page_of(view.nodes[task].id))),
        depths: depths.collect(),
        open: if task.is_none() { closing.collect() } else { Vec::new() },
        whole: if task.is_some() || !open.is_empty() { here.clone() } else { String::new() },
        too_large: if is_drawn {
            String::new()
        } else {
            format!(
                "{} boxes are too many for a page, which draws {INLINE}. Find a task to see what is near it.",
                part.view.nodes.len()
            )
        },
        graph: is_drawn.then(|| Graph::part(&part, states.as_deref(), &open, of)),
        here,
        image,
    })
}

/// Whether an id contains a text, in any case.
fn contains(id: &str, text: &str) -> bool {
    id.to_lowercase().contains(&text.to_lowercase())
}
