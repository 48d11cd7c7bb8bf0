//! Step 1: parts of the graph that nothing connects are drawn on their own and set beside each
//! other.
//!
//! A group connects what is in it. Parts are set in rows, in the order of their first nodes, so
//! that a plan of many small graphs becomes a page and not a tower.

use petgraph::unionfind::UnionFind;

use super::{Direction, Edge, Graph, Layout, NodeBox, Point, Rect, Step, layered, order, place, ranks, route, space};

pub(super) fn lay_out(graph: &Graph, wide: i64) -> Layout {
    let forward = ranks::forward(graph.nodes.len(), &graph.edges);
    let parts = parts(graph, &forward);
    let ranks: Vec<Vec<u32>> = parts.iter().map(|part| layers(&part.graph)).collect();
    let direction = direction(&parts, &ranks, wide);
    let drawn: Vec<Layout> =
        parts.iter().zip(&ranks).map(|(part, ranks)| draw(&part.graph, ranks, direction)).collect();
    let corners = rows(&drawn, wide);

    let mut whole = Layout {
        width: 0,
        height: 0,
        direction,
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
            whole.edges[edge as usize] = steps.into_iter().map(|step| step.moved(corner, direction)).collect();
        }
        for (group, rect) in part.groups.into_iter().zip(drawn.groups) {
            whole.groups[group as usize] = rect.map(|rect| moved(rect, corner));
        }
    }
    whole
}

/// The layers of a part: step 2.
fn layers(graph: &Graph) -> Vec<u32> {
    if is_lone(graph) { vec![0] } else { ranks::ranks(graph) }
}

/// Whether this is a single node. Graphs of thousands of lone nodes exist; they need none of the
/// machinery.
fn is_lone(graph: &Graph) -> bool {
    graph.nodes.len() == 1 && graph.groups.is_empty()
}

/// The direction in which the drawing is not too wide, by the sizes of the nodes in their layers.
fn direction(parts: &[Part], ranks: &[Vec<u32>], wide: i64) -> Direction {
    let (mut right, mut down) = (0, 0);
    for (part, ranks) in parts.iter().zip(ranks) {
        let count = ranks.iter().max().map_or(0, |last| last + 1) as usize;
        let (mut widest, mut sums) = (vec![0i64; count], vec![0i64; count]);
        for (node, &rank) in part.graph.nodes.iter().zip(ranks) {
            let (widest, sum) = (&mut widest[rank as usize], &mut sums[rank as usize]);
            *widest = node.width.max(*widest);
            *sum += node.width + space::NODES;
        }
        right = right.max(widest.iter().map(|width| width + space::LAYERS).sum());
        down = down.max(sums.iter().copied().max().unwrap_or(0));
    }
    if right > wide && down < right { Direction::Down } else { Direction::Right }
}

/// One connected part: steps 3 to 6.
fn draw(graph: &Graph, ranks: &[u32], direction: Direction) -> Layout {
    match direction {
        Direction::Right => draw_right(graph, ranks, direction),
        Direction::Down => {
            let nodes = graph.nodes.iter().map(|node| NodeBox {
                width: node.height,
                height: (node.width.max(2) + 1) / 2 * 2,
                stretch: false,
                ..*node
            });
            let turned = Graph { nodes: nodes.collect(), edges: graph.edges.clone(), groups: graph.groups.clone() };
            draw_right(&turned, ranks, direction).turned()
        }
    }
}

/// A part from left to right, with the distances of a direction.
fn draw_right(graph: &Graph, ranks: &[u32], direction: Direction) -> Layout {
    if let [node] = &*graph.nodes
        && is_lone(graph)
    {
        let rect = Rect { x: 0, y: 0, width: node.width, height: node.height };
        return Layout { width: node.width, height: node.height, nodes: vec![rect], ..Layout::default() };
    }
    let layered = layered::Layered::new(graph, ranks, direction);
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
    let group_of = |node: &NodeBox| node.group.filter(|group| (*group as usize) < graph.groups.len());

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
            part.graph.groups.push(super::Group { parent, ..*group });
        }
    }
    for (node, at) in graph.nodes.iter().zip(0..) {
        let group = group_of(node).map(|group| local_group[group as usize]);
        let part = &mut parts[part_of_node[at]];
        // Half of a height is the distance from the middle: both are whole.
        let height = (node.height.max(2) + 1) / 2 * 2;
        part.graph.nodes.push(NodeBox { group, height, width: node.width.max(1), ..*node });
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
/// as wide as the widest part, and not wider than `wide` unless the page would become a tower.
fn rows(parts: &[Layout], wide: i64) -> Vec<Point> {
    let widest = parts.iter().map(|part| part.width).max().unwrap_or(0);
    let area: i64 =
        parts.iter().map(|part| (part.width + space::PARTS).saturating_mul(part.height + space::PARTS)).sum();
    let page = area.saturating_mul(3).checked_div(2).unwrap_or(0).isqrt();
    let limit = page.min(wide.max(page / 4)).max(widest);
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

impl Layout {
    /// With x and y exchanged.
    pub(super) fn turned(self) -> Self {
        let rect = |rect: Rect| Rect { x: rect.y, y: rect.x, width: rect.height, height: rect.width };
        Layout {
            width: self.height,
            height: self.width,
            direction: match self.direction {
                Direction::Right => Direction::Down,
                Direction::Down => Direction::Right,
            },
            nodes: self.nodes.into_iter().map(rect).collect(),
            edges: self.edges.into_iter().map(|steps| steps.into_iter().map(Step::turned).collect()).collect(),
            groups: self.groups.into_iter().map(|group| group.map(rect)).collect(),
        }
    }
}

impl Step {
    fn turned(self) -> Self {
        let at = |point: Point| Point { x: point.y, y: point.x };
        match self {
            Step::Start(point) => Step::Start(at(point)),
            Step::Line(point) => Step::Line(at(point)),
            Step::Curve(point) => Step::Curve(at(point)),
            Step::Branch { trunk, end } => Step::Branch { trunk, end: at(end) },
        }
    }

    fn moved(self, by: Point, direction: Direction) -> Self {
        let at = |point: Point| Point { x: point.x + by.x, y: point.y + by.y };
        match self {
            Step::Start(point) => Step::Start(at(point)),
            Step::Line(point) => Step::Line(at(point)),
            Step::Curve(point) => Step::Curve(at(point)),
            Step::Branch { trunk, end } => {
                let along = match direction {
                    Direction::Right => by.x,
                    Direction::Down => by.y,
                };
                Step::Branch { trunk: trunk + along, end: at(end) }
            }
        }
    }
}
