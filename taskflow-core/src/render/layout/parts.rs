//! Step 1: parts of the graph that nothing connects are drawn on their own and set beside each
//! other.
//!
//! A group connects what is in it. Parts are set in rows, in the order of their first nodes, so
//! that a plan of many small graphs becomes a page and not a tower.

use petgraph::unionfind::UnionFind;

use super::{Edge, Graph, Layout, Point, Rect, Step, layered, order, place, ranks, route, space};

pub(super) fn lay_out(graph: &Graph) -> Layout {
    let forward = ranks::forward(graph.nodes.len(), &graph.edges);
    let parts = parts(graph, &forward);
    let drawn: Vec<Layout> = parts.iter().map(|part| draw(&part.graph)).collect();
    let corners = rows(&drawn);

    let mut whole = Layout {
        width: 0,
        height: 0,
        nodes: vec![Rect::default(); graph.nodes.len()],
        edges: vec![Vec::new(); graph.edges.len()],
        groups: vec![None; graph.groups.len()],
    };
    for ((part, drawn), corner) in parts.into_iter().zip(drawn).zip(corners) {
        whole.width = whole.width.max(corner.x + drawn.width);
        whole.height = whole.height.max(corner.y + drawn.height);
        for (node, rect) in part.nodes.into_iter().zip(drawn.nodes) {
            whole.nodes[node as usize] = moved(rect, corner);
        }
        for (edge, steps) in part.edges.into_iter().zip(drawn.edges) {
            whole.edges[edge as usize] = steps.into_iter().map(|step| step.moved(corner)).collect();
        }
        for (group, rect) in part.groups.into_iter().zip(drawn.groups) {
            whole.groups[group as usize] = rect.map(|rect| moved(rect, corner));
        }
    }
    whole
}

/// One connected part: steps 2 to 6.
fn draw(graph: &Graph) -> Layout {
    if let [node] = &*graph.nodes
        && graph.groups.is_empty()
    {
        // Graphs of thousands of lone nodes exist; they need none of the machinery.
        let rect = Rect { x: 0, y: 0, width: node.width, height: node.height };
        return Layout { width: node.width, height: node.height, nodes: vec![rect], ..Layout::default() };
    }
    let ranks = ranks::ranks(graph);
    let layered = layered::Layered::new(graph, &ranks);
    let layers = order::order(&layered);
    let heights = place::place(&layered, &layers);
    route::route(graph, &layered, &heights)
}

/// A part with the places of its pieces in the whole.
#[derive(Default)]
struct Part {
    graph: Graph,
    nodes: Vec<u32>,
    edges: Vec<u32>,
    groups: Vec<u32>,
}

fn parts(graph: &Graph, forward: &[bool]) -> Vec<Part> {
    // The outermost group of each group; they come before those inside them.
    let mut outermost: Vec<u32> = Vec::with_capacity(graph.groups.len());
    for (group, at) in graph.groups.iter().zip(0..) {
        outermost.push(group.parent.and_then(|parent| outermost.get(parent as usize).copied()).unwrap_or(at));
    }
    let group_of = |node: &super::NodeBox| node.group.filter(|group| (*group as usize) < graph.groups.len());

    let count = graph.nodes.len();
    let mut sets = UnionFind::<u32>::new(count + graph.groups.len());
    for (edge, _) in graph.edges.iter().zip(forward).filter(|(_, forward)| **forward) {
        sets.union(edge.from, edge.to);
    }
    for (node, at) in graph.nodes.iter().zip(0..) {
        if let Some(group) = group_of(node) {
            sets.union(at, count as u32 + outermost[group as usize]);
        }
    }

    let mut parts: Vec<Part> = Vec::new();
    let mut part_of_set = vec![usize::MAX; count + graph.groups.len()];
    let mut local_node = vec![0u32; count];
    let mut local_group = vec![0u32; graph.groups.len()];
    let mut part_of_node = vec![0usize; count];
    for at in 0..count as u32 {
        let set = sets.find_mut(at) as usize;
        if part_of_set[set] == usize::MAX {
            part_of_set[set] = parts.len();
            parts.push(Part::default());
        }
        let part = &mut parts[part_of_set[set]];
        part_of_node[at as usize] = part_of_set[set];
        local_node[at as usize] = part.nodes.len() as u32;
        part.nodes.push(at);
    }
    for (group, at) in graph.groups.iter().zip(0u32..) {
        let set = sets.find_mut(count as u32 + outermost[at as usize]) as usize;
        // A group without any node is in no part.
        if let Some(part) = parts.get_mut(part_of_set[set]) {
            local_group[at as usize] = part.groups.len() as u32;
            let parent = group.parent.filter(|parent| *parent < at).map(|parent| local_group[parent as usize]);
            part.groups.push(at);
            part.graph.groups.push(super::Group { parent });
        }
    }
    for (node, at) in graph.nodes.iter().zip(0..) {
        let group = group_of(node).map(|group| local_group[group as usize]);
        let part = &mut parts[part_of_node[at]];
        // Half of a height is the distance from the middle: both are whole.
        let height = (node.height.max(2) + 1) / 2 * 2;
        part.graph.nodes.push(super::NodeBox { group, height, width: node.width.max(1), ..*node });
    }
    for ((edge, at), _) in graph.edges.iter().zip(0..).zip(forward).filter(|(_, forward)| **forward) {
        let part = &mut parts[part_of_node[edge.from as usize]];
        let (from, to) = (local_node[edge.from as usize], local_node[edge.to as usize]);
        part.edges.push(at);
        part.graph.edges.push(Edge { from, to, weight: edge.weight.clamp(1, 1000) });
    }
    parts
}

/// The upper left corners of the parts: rows about half as wide again as the page is high, at least
/// as wide as the widest part.
fn rows(parts: &[Layout]) -> Vec<Point> {
    let widest = parts.iter().map(|part| part.width).max().unwrap_or(0);
    let area: i64 =
        parts.iter().map(|part| (part.width + space::PARTS).saturating_mul(part.height + space::PARTS)).sum();
    let limit = widest.max(area.saturating_mul(3).checked_div(2).unwrap_or(0).isqrt());
    let (mut x, mut y, mut row) = (0, 0, 0);
    let mut corners = Vec::with_capacity(parts.len());
    for part in parts {
        if x > 0 && x + part.width > limit {
            y += row + space::PARTS;
            (x, row) = (0, 0);
        }
        corners.push(Point { x, y });
        x += part.width + space::PARTS;
        row = row.max(part.height);
    }
    corners
}

fn moved(rect: Rect, by: Point) -> Rect {
    Rect { x: rect.x + by.x, y: rect.y + by.y, ..rect }
}

impl Step {
    fn moved(self, by: Point) -> Self {
        let at = |point: Point| Point { x: point.x + by.x, y: point.y + by.y };
        match self {
            Step::Start(point) => Step::Start(at(point)),
            Step::Line(point) => Step::Line(at(point)),
            Step::Curve(point) => Step::Curve(at(point)),
            Step::Branch { trunk, end } => Step::Branch { trunk: trunk + by.x, end: at(end) },
        }
    }
}
