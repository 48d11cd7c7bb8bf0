//! The graph of a DAG inside a page, with the states of a run.

use std::collections::HashMap;

use super::failures::base_id;
use super::marks::Mark;
use crate::base::text::visible;
use crate::dag::Plan;
use crate::journal::RunHistory;
use crate::render::{Endpoint, SvgOptions, View, svg};
use crate::run::TaskState;

/// The most tasks of a graph that is a part of the page. A larger one is an image: the page, which
/// is read again whenever it changes, has to stay small.
const INLINE: usize = 150;

/// A graph.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The drawing; empty if it is shown as an image.
    pub(crate) svg: String,
    /// The address of the image.
    pub(crate) image: String,
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

impl Graph {
    /// The graph of a plan, with the states of a run if there is one.
    pub(crate) fn of(plan: &Plan, history: Option<&RunHistory>, image: String, words: String) -> Graph {
        let view = View::of(plan);
        if view.nodes.len() > INLINE {
            return Graph { image, words, ..Graph::default() };
        }
        let states = history.map(|history| states(&view, history));
        let options = SvgOptions::default().without_style();
        let options = match &states {
            Some(states) => options.states(states).without_params(),
            None => options,
        };
        let nodes = view.nodes.iter().enumerate().map(|(at, node)| {
            let leads_here = view.edges.iter().filter(|edge| edge.to.index as usize == at);
            let from = leads_here.filter_map(|edge| match edge.from {
                Endpoint::Task(from) => Some(from.id),
                Endpoint::Param(_) => None,
            });
            let mut after: Vec<&str> = from.collect();
            after.dedup();
            Node {
                mark: states.as_ref().map(|states| Mark::of(states[at])),
                id: node.id.to_owned(),
                after: after.join(", "),
            }
        });
        Graph { list: nodes.collect(), svg: visible(&svg(&view, &options)).into_owned(), image, words }
    }
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
