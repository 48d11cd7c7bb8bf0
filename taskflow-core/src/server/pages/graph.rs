//! The graph of a DAG inside a page, with the states of a run.
//!
//! A graph of more than [`INLINE`] tasks is drawn with its groups as one node each. Each node is a
//! link: a group is opened, and of a task what is near it is shown, on the page of the graph.

use std::collections::{BTreeSet, HashMap};

use super::address;
use super::failures::base_id;
use super::marks::Mark;
use crate::base::text::visible;
use crate::dag::Plan;
use crate::journal::RunHistory;
use crate::render::part::Part;
use crate::render::{Endpoint, SvgOptions, View, svg};
use crate::run::TaskState;

/// The most nodes of a graph that is a part of a page. The page, which is read again whenever it
/// changes, has to stay small.
pub(crate) const INLINE: usize = 150;

/// A graph.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The drawing; empty if it is shown as an image.
    pub(crate) svg: String,
    /// The address of the image of the whole.
    pub(crate) image: String,
    /// The page of the graph; empty if the drawing is the whole.
    pub(crate) more: String,
    /// How many tasks it has.
    pub(crate) tasks: usize,
    /// What it shows.
    pub(crate) words: String,
    /// The tasks in order, for those who do not see the drawing.
    pub(crate) list: Vec<Node>,
}

/// A task of a graph.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mark: Option<Mark>,
    pub(crate) id: String,
    /// What it depends on.
    pub(crate) after: String,
}

/// Where the graph stands.
#[derive(Clone, Debug)]
pub(crate) struct GraphOf<'a> {
    /// The path under which the server is reached.
    pub(crate) base: &'a str,
    /// The address of the DAG or the run.
    pub(crate) here: String,
    pub(crate) words: String,
}

impl Graph {
    /// The graph of a plan, with the states of a run if there is one.
    pub(crate) fn of(plan: &Plan, history: Option<&RunHistory>, of: GraphOf<'_>) -> Graph {
        let view = View::of(plan);
        let states = history.map(|history| states(&view, history));
        if view.nodes.len() <= INLINE {
            return Graph::whole(&view, states.as_deref(), of);
        }
        let part = view.collapsed(|_| false);
        let (image, more) = (of.here.clone() + "/graph.svg", of.here.clone() + "/graph");
        if part.view.nodes.len() > INLINE {
            return Graph { image, more, tasks: view.nodes.len(), words: of.words, ..Graph::default() };
        }
        Graph { more, tasks: view.nodes.len(), ..Graph::part(&part, states.as_deref(), &BTreeSet::new(), of) }
    }

    fn whole(view: &View<'_>, states: Option<&[&'static str]>, of: GraphOf<'_>) -> Graph {
        let options = SvgOptions::default().without_style();
        let options = match states {
            Some(states) => options.states(states).without_params(),
            None => options,
        };
        Graph {
            list: list(view, states),
            svg: visible(&svg(view, &options)).into_owned(),
            image: of.here + "/graph.svg",
            more: String::new(),
            tasks: view.nodes.len(),
            words: of.words,
        }
    }

    /// A part of a graph, whose nodes are links. `states` are those of the whole; `open` are the
    /// groups that are open.
    pub(super) fn part(
        part: &Part<'_>,
        states: Option<&[&'static str]>,
        open: &BTreeSet<String>,
        of: GraphOf<'_>,
    ) -> Graph {
        // Of several, the state that needs attention first.
        let worst = |members: &Vec<usize>| {
            let all = members.iter().filter_map(|&at| states?.get(at).copied());
            all.min_by_key(|state| Mark::of(state).urgency()).unwrap_or("none")
        };
        let states: Option<Vec<&'static str>> = states.map(|_| part.members.iter().map(worst).collect());
        let page = of.here.clone() + "/graph";
        let links: Vec<String> = part
            .view
            .nodes
            .iter()
            .zip(&part.is_group)
            .map(|(node, &is_group)| {
                let address = match is_group {
                    true => {
                        let all: Vec<&str> = open.iter().map(String::as_str).chain([node.id]).collect();
                        address::with(&page, &[("open", &all.join(","))])
                    }
                    false => address::with(&page, &[("task", node.id)]),
                };
                format!("{}{address}", of.base)
            })
            .collect();
        let options = SvgOptions::default().without_style().without_params().links(&links);
        let options = match &states {
            Some(states) => options.states(states),
            None => options,
        };
        Graph {
            list: list(&part.view, states.as_deref()),
            svg: visible(&svg(&part.view, &options)).into_owned(),
            image: of.here + "/graph.svg",
            more: String::new(),
            tasks: part.members.iter().map(Vec::len).sum(),
            words: of.words,
        }
    }
}

fn list(view: &View<'_>, states: Option<&[&'static str]>) -> Vec<Node> {
    let nodes = view.nodes.iter().enumerate().map(|(at, node)| {
        let leads_here = view.edges.iter().filter(|edge| edge.to.index as usize == at);
        let from = leads_here.filter_map(|edge| match edge.from {
            Endpoint::Task(from) => Some(from.id),
            Endpoint::Param(_) => None,
        });
        let mut after: Vec<&str> = from.collect();
        after.dedup();
        Node { mark: states.map(|states| Mark::of(states[at])), id: node.id.to_owned(), after: after.join(", ") }
    });
    nodes.collect()
}

/// The states of the nodes: of a mapped task, that of the element that needs attention first.
pub(crate) fn states(view: &View<'_>, history: &RunHistory) -> Vec<&'static str> {
    let urgency = |state: TaskState| Mark::of(state.name()).urgency();
    let mut worst: HashMap<String, TaskState> = HashMap::new();
    for task in &history.tasks {
        let known = worst.entry(base_id(&task.id)).or_insert(task.state);
        if urgency(task.state) < urgency(*known) {
            *known = task.state;
        }
    }
    view.nodes.iter().map(|node| worst.get(node.id).map_or("none", |state| state.name())).collect()
}
