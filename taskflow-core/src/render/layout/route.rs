//! Step 6: the widths of the layers, the boxes, and the lines of the edges.
//!
//! In a layer a line is level: the distances of step 5 keep it clear of the nodes there. It changes
//! its height between the layers only, where no node is, and between the sides of boxes that end or
//! begin there.

use super::layered::Layered;
use super::place::Heights;
use super::trunks::Trunks;
use super::{Direction, Graph, Layout, Point, Rect, Step, space};

pub(super) fn route(graph: &Graph, layered: &Layered, heights: &Heights) -> Layout {
    let trunks = Trunks::new(layered, heights);
    let columns = columns(graph, layered, heights, &trunks);
    let nodes: Vec<Rect> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(at, node)| {
            let column = &columns[layered.rank[at] as usize];
            let width = if node.stretch { column.width } else { node.width };
            let x = column.x + (column.width - width) / 2;
            Rect { x, y: heights.middle[at] - node.height / 2, width, height: node.height }
        })
        .collect();
    let inset = insets(layered);
    let spaces = layered.spaces;
    let boxes = layered.lanes.iter().zip(&heights.boxes).zip(&inset).map(|((lane, [top, bottom]), inset)| {
        let (first, last) = (lane.ranks.clone().next()?, lane.ranks.clone().next_back()?);
        let (first, last) = (&columns[first as usize], &columns[last as usize]);
        let x = first.x - inset[0] * spaces.left;
        let width = last.x + last.width + inset[1] * spaces.right - x;
        Some(Rect { x, y: *top, width, height: bottom - top })
    });
    let groups = boxes.collect();
    let edges = graph.edges.iter().zip(&layered.bends).map(|(edge, bends)| {
        let stops = [edge.from].into_iter().chain(bends.clone()).chain([edge.to]);
        let stops = stops.map(|at| Stop {
            vertex: at,
            column: columns[layered.rank[at as usize] as usize],
            y: heights.middle[at as usize],
        });
        let trunk = |from: &Stop, to: &Stop| {
            let neighbours = layered.rank[from.vertex as usize] + 1 == layered.rank[to.vertex as usize];
            trunks.of(layered, from.vertex, to.vertex, from.column.end(), to.column.start()).filter(|_| neighbours)
        };
        line(&nodes[edge.from as usize], &nodes[edge.to as usize], stops, trunk)
    });
    let width = columns.last().map_or(0, |last| last.x + last.width + last.closing);
    let direction = Direction::Right;
    Layout { width, height: heights.total, direction, edges: edges.collect(), nodes, groups }
}

/// A layer on the plane.
#[derive(Clone, Copy, Debug, Default)]
struct Column {
    x: i64,
    width: i64,
    /// The room that the left sides of boxes need before it, and the right sides after it.
    opening: i64,
    closing: i64,
}

/// A node or bend that a line passes.
struct Stop {
    vertex: u32,
    column: Column,
    y: i64,
}

impl Column {
    /// Where the layer begins, with the sides of the boxes that begin there.
    fn start(&self) -> i64 {
        self.x - self.opening
    }

    /// Where it ends, with the sides of the boxes that end there.
    fn end(&self) -> i64 {
        self.x + self.width + self.closing
    }
}

fn columns(graph: &Graph, layered: &Layered, heights: &Heights, trunks: &Trunks) -> Vec<Column> {
    let mut columns = vec![Column::default(); layered.layer_count as usize];
    for (node, rank) in graph.nodes.iter().zip(&layered.rank) {
        let column = &mut columns[*rank as usize];
        column.width = column.width.max(node.width);
    }
    let spaces = layered.spaces;
    for (lane, [opening, closing]) in layered.lanes.iter().zip(insets(layered)) {
        if let (Some(first), Some(last)) = (lane.ranks.clone().next(), lane.ranks.clone().next_back()) {
            let first = &mut columns[first as usize];
            first.opening = first.opening.max(opening * spaces.left);
            let last = &mut columns[last as usize];
            last.closing = last.closing.max(closing * spaces.right);
        }
    }
    if layered.direction == Direction::Right {
        // A box is at least as wide as its name.
        for (lane, [opening, closing]) in layered.lanes.iter().zip(insets(layered)) {
            let Some(layers) = columns.get_mut(lane.ranks.start as usize..lane.ranks.end as usize) else { continue };
            let width: i64 = layers.iter().map(|column| column.width + spaces.layers[0] / 2).sum();
            let lacking = lane.width - (width - spaces.layers[0] / 2 + opening * spaces.left + closing * spaces.right);
            if let Some(last) = layers.last_mut().filter(|_| lacking > 0) {
                last.width += lacking;
            }
        }
    }
    // Steep edges get more room, so that they do not become walls.
    let mut climb = vec![0i64; columns.len()];
    for from in 0..layered.borders {
        for piece in layered.after.of(from) {
            if trunks.of(layered, from, piece.vertex, 0, 0).is_some() {
                continue;
            }
            let steep = (heights.middle[from as usize] - heights.middle[piece.vertex as usize]).abs();
            let climb = &mut climb[layered.rank[from as usize] as usize];
            *climb = steep.max(*climb);
        }
    }
    let mut x = columns.first().map_or(0, |first| first.opening);
    for at in 0..columns.len() {
        columns[at].x = x;
        let next = columns.get(at + 1).map_or(0, |next| next.opening);
        let trunks = i64::from(trunks.after_layer(at as u32)) * space::TRUNK;
        let [least, most] = spaces.layers;
        let free = (least + climb[at] / 8).min(most).max(least / 2 + trunks);
        x += columns[at].width + columns[at].closing + free + next;
    }
    columns
}

/// For each group, how many boxes begin with it, itself and inner ones, and how many end with it.
fn insets(layered: &Layered) -> Vec<[i64; 2]> {
    let mut insets = vec![[1i64; 2]; layered.lanes.len()];
    for group in (0..layered.lanes.len()).rev() {
        let lane = &layered.lanes[group];
        if let Some(parent) = lane.parent.filter(|_| !lane.ranks.is_empty()) {
            let around = &layered.lanes[parent as usize].ranks;
            let [opening, closing] = insets[group];
            let outer = &mut insets[parent as usize];
            if around.start == lane.ranks.start {
                outer[0] = outer[0].max(opening + 1);
            }
            if around.end == lane.ranks.end {
                outer[1] = outer[1].max(closing + 1);
            }
        }
    }
    insets
}

/// The line from one node to another by way of the stops, which begin with the one and end with the
/// other.
fn line(
    from: &Rect,
    to: &Rect,
    mut stops: impl Iterator<Item = Stop>,
    trunk: impl Fn(&Stop, &Stop) -> Option<i64>,
) -> Vec<Step> {
    let Some(mut last) = stops.next() else { return Vec::new() };
    let mut x = from.x + from.width;
    let mut steps = vec![Step::Start(Point { x, y: last.y })];
    for next in stops {
        if next.y != last.y {
            if last.column.end() > x {
                steps.push(Step::Line(Point { x: last.column.end(), y: last.y }));
            }
            x = next.column.start();
            let end = Point { x, y: next.y };
            steps.push(trunk(&last, &next).map_or(Step::Curve(end), |trunk| Step::Branch { trunk, end }));
        }
        last = next;
    }
    if to.x > x {
        steps.push(Step::Line(Point { x: to.x, y: last.y }));
    }
    steps
}
