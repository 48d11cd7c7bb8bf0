//! A plan as a drawing: `taskflow show --format svg`, and the graph on the web pages.
//!
//! The text is complete in itself and safe to put into a page: one style sheet whose rules all
//! begin with `.taskflow-dag`, colours in variables that a page may set otherwise, light and dark.
//! A page whose content security policy forbids `<style>` leaves the sheet out and serves it as a
//! file.
//!
//! A node is `<g data-task=".." data-state="..">` with the shapes of a glyph in `.glyph` and words
//! in `.state`. A script that changes `data-state` changes the colour; it puts another glyph and
//! other words in their place.

mod card;
mod edges;
mod legend;
mod measure;
mod style;
mod write;

use std::fmt::Write;

use self::card::Card;
use self::write::escape;
use super::layout::{Direction, Edge, Graph, Group, Layout, NodeBox, Rect, lay_out};
use super::text;
use super::view::{ClusterKind, ClusterView, EdgeView, Endpoint, Link, View};

pub use self::style::svg_style_sheet;

/// The room around the drawing.
const MARGIN: i64 = 20;

/// A drawing should not be wider.
const WIDE: i64 = 1200;

/// A wider one is shown smaller, but not smaller than this many hundredths of its size: its text
/// should stay legible.
const SMALLEST: i64 = 60;

/// The widest a name of a cluster may be.
const NAME: i64 = 200;
/// What a box is wider than its name.
const BESIDE_NAME: i64 = 22;

/// What a drawing shows beside the graph.
///
/// ```
/// use taskflow_core::render::SvgOptions;
///
/// let options = SvgOptions::default().states(&["success", "running"]).without_params();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct SvgOptions<'a> {
    states: Option<&'a [&'a str]>,
    links: &'a [String],
    without_params: bool,
    without_style: bool,
}

impl<'a> SvgOptions<'a> {
    /// The states of the nodes, in their order: of each one of [`STATES`](crate::render::STATES),
    /// or `none`. Without this call the drawing has no place for states.
    #[must_use]
    pub fn states(self, states: &'a [&'a str]) -> Self {
        SvgOptions { states: Some(states), ..self }
    }

    /// The addresses that the nodes lead to, in their order; an empty one leads nowhere.
    #[must_use]
    pub fn links(self, links: &'a [String]) -> Self {
        SvgOptions { links, ..self }
    }

    /// Leaves out the parameters of the DAG.
    #[must_use]
    pub fn without_params(self) -> Self {
        SvgOptions { without_params: true, ..self }
    }

    /// Leaves out the style sheet, for a page that has the rules of [`svg_style_sheet`] among its
    /// own.
    #[must_use]
    pub fn without_style(self) -> Self {
        SvgOptions { without_style: true, ..self }
    }
}

/// A view as SVG.
pub fn svg(view: &View<'_>, options: &SvgOptions<'_>) -> String {
    let drawing = Drawing::new(view, options);
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = drawing.write(&mut out);
    out
}

struct Drawing<'v, 'p> {
    view: &'v View<'p>,
    options: &'v SvgOptions<'v>,
    /// A card for each task, then one for each parameter.
    cards: Vec<Card<'v>>,
    /// The edges from one node to another that share a line.
    lines: Vec<&'v [EdgeView<'p>]>,
    layout: Layout,
}

impl<'v, 'p> Drawing<'v, 'p> {
    fn new(view: &'v View<'p>, options: &'v SvgOptions<'v>) -> Self {
        let state = |at: usize| Some(options.states?.get(at).copied().unwrap_or("none"));
        let result = |at: usize| {
            view.result.as_ref().is_some_and(|r| matches!(r.from, Endpoint::Task(t) if t.index as usize == at))
        };
        let mut cards: Vec<Card<'v>> =
            view.nodes.iter().enumerate().map(|(at, node)| Card::task(node, state(at), result(at))).collect();
        if !options.without_params {
            cards.extend(view.params.iter().map(Card::param));
        }

        let shown = |edge: &EdgeView<'_>| !options.without_params || matches!(edge.from, Endpoint::Task(_));
        let lines: Vec<&'v [EdgeView<'p>]> =
            view.edges.chunk_by(|a, b| (a.from, a.to) == (b.from, b.to)).filter(|line| shown(&line[0])).collect();
        let tasks = view.nodes.len() as u32;
        let graph = Graph {
            nodes: cards
                .iter()
                .map(|card| NodeBox {
                    width: card.width,
                    height: card.height,
                    stretch: card.is_task(),
                    group: card.cluster(),
                })
                .collect(),
            edges: lines
                .iter()
                .map(|line| {
                    let (from, weight) = match line[0].from {
                        Endpoint::Task(task) => (task.index, if line[0].kind == Link::Order { 2 } else { 3 }),
                        Endpoint::Param(param) => (tasks + param.index, 1),
                    };
                    Edge { from, to: line[0].to.index, weight }
                })
                .collect(),
            groups: view
                .clusters
                .iter()
                .map(|cluster| Group {
                    parent: cluster.parent,
                    width: measure::width(&measure::cut(&cluster.label, NAME_SIZE, NAME), NAME_SIZE) + BESIDE_NAME,
                })
                .collect(),
        };
        Drawing { view, options, cards, lines, layout: lay_out(&graph, WIDE - 2 * MARGIN) }
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let legend = legend::Legend::of(&self.lines);
        let (legend_width, legend_height) = legend.size();
        let width = self.layout.width.max(legend_width) + 2 * MARGIN;
        let height = self.layout.height + legend_height + 2 * MARGIN;
        let scale = (WIDE * 100 / width.max(1)).clamp(SMALLEST, 100);
        let shown = |size: i64| size * scale / 100;
        let name = format!("taskflow-{}", self.view.hash.get(..12).unwrap_or_default());
        writeln!(
            out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"taskflow-dag\" role=\"{}\" \
             aria-labelledby=\"{name}-title {name}-desc\" \
             width=\"{}\" height=\"{}\" viewBox=\"0 0 {width} {height}\">",
            // What is in an image cannot be reached.
            if self.options.links.is_empty() { "img" } else { "group" },
            shown(width),
            shown(height),
        )?;
        writeln!(out, "<title id=\"{name}-title\">{}</title>", escape(&self.title()))?;
        writeln!(out, "<desc id=\"{name}-desc\">{}</desc>", escape(&self.description()))?;
        if !self.options.without_style {
            style::write(out, self.options.states.is_some())?;
        }
        writeln!(out, "<rect class=\"page\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>")?;
        writeln!(out, "<g transform=\"translate({MARGIN} {MARGIN})\">")?;
        for (cluster, rect) in self.view.clusters.iter().zip(&self.layout.groups) {
            if let Some(rect) = rect {
                write_cluster(out, cluster, rect)?;
            }
        }
        edges::write(out, &self.lines, &self.layout)?;
        writeln!(out, "<g class=\"cluster-names\">")?;
        for (cluster, rect) in self.view.clusters.iter().zip(&self.layout.groups) {
            if let Some(rect) = rect {
                write_cluster_name(out, cluster, rect, self.layout.direction)?;
            }
        }
        writeln!(out, "</g>")?;
        for (at, (card, rect)) in self.cards.iter().zip(&self.layout.nodes).enumerate() {
            match self.options.links.get(at).filter(|link| !link.is_empty()) {
                Some(link) => {
                    write!(out, "<a href=\"{}\">", escape(link))?;
                    card.write(out, rect)?;
                    writeln!(out, "</a>")?;
                }
                None => card.write(out, rect)?,
            }
        }
        legend.write(out, self.layout.height)?;
        writeln!(out, "</g>\n</svg>")
    }

    fn title(&self) -> String {
        match text::headline(self.view.doc) {
            "" => format!("DAG {}", self.view.dag_id),
            doc => format!("DAG {}: {doc}", self.view.dag_id),
        }
    }

    /// The description for readers who cannot see the drawing: its size, where it begins and ends.
    fn description(&self) -> String {
        let view = self.view;
        let mut has_upstream = vec![false; view.nodes.len()];
        let mut has_downstream = vec![false; view.nodes.len()];
        for edge in &view.edges {
            if let Endpoint::Task(from) = edge.from {
                has_downstream[from.index as usize] = true;
                has_upstream[edge.to.index as usize] = true;
            }
        }
        let listed = |has: &[bool]| {
            let all: Vec<&str> =
                view.nodes.iter().zip(has).filter(|(_, has)| !**has).map(|(node, _)| node.id).collect();
            let shown = all.iter().take(5).copied().collect::<Vec<_>>().join(", ");
            if all.len() > 5 { format!("{shown} and {} more", all.len() - 5) } else { shown }
        };
        let mut text =
            format!("{}, {}", text::counted(view.nodes.len(), "task"), text::counted(view.edges.len(), "edge"));
        if !view.groups.is_empty() {
            text += &format!(", {}", text::counted(view.groups.len(), "group"));
        }
        text.push('.');
        if !view.nodes.is_empty() {
            text += &format!(" Begins with {}; ends with {}.", listed(&has_upstream), listed(&has_downstream));
        }
        if !view.params.is_empty() {
            let names: Vec<&str> = view.params.iter().map(|param| param.name).collect();
            text += &format!(" Parameters: {}.", names.join(", "));
        }
        text
    }
}

/// The names of clusters are bold, which is about as wide as letters of one size more.
const NAME_SIZE: i64 = measure::SMALL + 1;

fn write_cluster(out: &mut String, cluster: &ClusterView<'_>, rect: &Rect) -> std::fmt::Result {
    let Rect { x, y, width, height } = rect;
    let (kind, of) = (cluster.kind.name(), escape(cluster.of));
    let title = match cluster.kind {
        ClusterKind::Group => cluster.of,
        ClusterKind::Each | ClusterKind::Scope | ClusterKind::Arm => &cluster.label,
    };
    writeln!(
        out,
        "<g class=\"cluster {kind}\" data-{kind}=\"{of}\"><title>{}</title>\
         <rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"9\"/></g>",
        escape(title),
    )
}

/// The name of a cluster. From top to bottom, edges lead into a box through the line of its name,
/// and pass behind it.
fn write_cluster_name(
    out: &mut String,
    cluster: &ClusterView<'_>,
    rect: &Rect,
    direction: Direction,
) -> std::fmt::Result {
    let Rect { x, y, width, .. } = rect;
    let shown = measure::cut(&cluster.label, NAME_SIZE, width - BESIDE_NAME);
    if direction == Direction::Down {
        let wide = measure::width(&shown, NAME_SIZE) + 8;
        write!(out, "<rect x=\"{}\" y=\"{}\" width=\"{wide}\" height=\"17\" rx=\"5\"/>", x + 7, y + 5)?;
    }
    writeln!(out, "<text x=\"{}\" y=\"{}\">{}</text>", x + 11, y + 17, escape(&shown),)
}
