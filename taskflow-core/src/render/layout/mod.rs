//! Boxes and edges on a plane: a layered drawing from left to right, or, where that would be too
//! wide, from top to bottom.
//!
//! The entry point is [`lay_out`], from a [`Graph`] of sizes to a [`Layout`] of positions. It knows
//! nothing of tasks, uses whole numbers, takes no clock and no randomness: the same graph has the
//! same drawing on every machine.
//!
//! The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of
//! Hierarchical System Structures" (1981), in the form of Gansner, Koutsofios, North and Vo, "A
//! Technique for Drawing Directed Graphs" (1993), which is Graphviz's `dot`:
//!
//! 1. `parts`: parts of the graph that nothing connects are drawn one by one and set beside each
//!    other. It also chooses the direction. The other steps always draw from left to right: for a
//!    drawing from top to bottom, `parts` exchanges widths and heights before and x and y after.
//! 2. `ranks`: every node gets a layer, so that edges lead forward and are short in sum
//!    (`simplex`).
//! 3. `layered`: an edge over several layers is cut into pieces with a bend in each layer between;
//!    a group gets a lane: a piece of border above and below its nodes in every layer from its
//!    first to its last.
//! 4. `order`: the sequence in every layer, so that few edges cross (`crossings`, `swap`). What
//!    belongs to a group stays together (`blocks`), and groups lie in one sequence through all
//!    layers (`lanes`), which is what lets their boxes be rectangles with nobody else's nodes
//!    inside.
//! 5. `place`: heights, so that edges are straight where they can be (`approach`, then `level` by
//!    `simplex` again).
//! 6. `route`: widths of the layers, boxes, and lines that stay clear of the nodes; many edges of
//!    one node share a line (`trunks`).
//!
//! Work is bounded by counting steps. A graph too large for a step gets a plainer drawing: less
//! polishing, then edges without bends, then no boxes; never an error.

mod approach;
mod blocks;
mod crossings;
mod lanes;
mod layered;
mod level;
mod order;
mod parts;
mod place;
mod ranks;
mod route;
mod simplex;
mod swap;
#[cfg(test)]
mod tests;
mod trunks;

/// What is to be drawn. An edge or a parent that names nothing is left out, and so are edges that
/// would close a cycle.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<NodeBox>,
    pub(super) edges: Vec<Edge>,
    /// Outer groups before inner ones.
    pub(super) groups: Vec<Group>,
}

/// A node: its size and the innermost group it is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct NodeBox {
    pub(super) width: i64,
    pub(super) height: i64,
    /// Whether it may be drawn as wide as the widest node of its layer.
    pub(super) stretch: bool,
    pub(super) group: Option<u32>,
}

/// An edge. One of more weight is kept shorter and straighter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    pub(super) weight: u32,
}

/// A box around nodes and other boxes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    pub(super) parent: Option<u32>,
    /// The width that its name needs.
    pub(super) width: i64,
}

/// Where everything goes. All coordinates lie between zero and `width` or `height`.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    pub(super) direction: Direction,
    pub(super) nodes: Vec<Rect>,
    /// The line of each edge; empty for one that was left out.
    pub(super) edges: Vec<Vec<Step>>,
    /// The box of each group; none for a group without nodes.
    pub(super) groups: Vec<Option<Rect>>,
}

/// Where edges lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Direction {
    #[default]
    Right,
    Down,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Rect {
    pub(super) x: i64,
    pub(super) y: i64,
    pub(super) width: i64,
    pub(super) height: i64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Point {
    pub(super) x: i64,
    pub(super) y: i64,
}

/// A piece of the line of an edge. It leaves and arrives level: in the direction of the drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Begins the line.
    Start(Point),
    /// Goes on level.
    Line(Point),
    /// Changes the height.
    Curve(Point),
    /// Changes the height on a vertical line at `trunk`, which many edges share. In a drawing from
    /// top to bottom the line is horizontal, and `trunk` its height.
    Branch { trunk: i64, end: Point },
}

impl Step {
    /// Where the piece ends.
    pub(super) fn end(self) -> Point {
        let (Step::Start(end) | Step::Line(end) | Step::Curve(end) | Step::Branch { end, .. }) = self;
        end
    }
}

/// No group, no node.
const NONE: u32 = u32::MAX;

/// The distances, in the unit of the sizes.
mod space {
    /// Between nodes of a layer.
    pub(super) const NODES: i64 = 18;
    /// The same in a layer of more nodes than `CROWD`.
    pub(super) const NODES_IN_CROWD: i64 = 10;
    pub(super) const CROWD: usize = 16;
    /// Between an edge that passes a layer and a node.
    pub(super) const EDGE_NODE: i64 = 14;
    /// Between edges that pass a layer side by side.
    pub(super) const EDGES: i64 = 10;
    /// Between a box and what is outside it.
    pub(super) const BOXES: i64 = 18;
    /// Between the upper side of a box and what is inside: room for its name.
    pub(super) const BOX_NAME: i64 = 30;
    /// Between another side of a box and what is inside.
    pub(super) const BOX_SIDE: i64 = 14;
    /// Between layers, at least; and at most, where edges between them are steep.
    pub(super) const LAYERS: i64 = 48;
    pub(super) const LAYERS_STEEP: i64 = 130;
    /// The same from top to bottom.
    pub(super) const LAYERS_DOWN: i64 = 40;
    pub(super) const LAYERS_STEEP_DOWN: i64 = 90;
    /// For each vertical line that edges share.
    pub(super) const TRUNK: i64 = 16;
    /// Between unconnected parts of the drawing.
    pub(super) const PARTS: i64 = 36;
}

/// The distances that depend on the direction, as they are before x and y are exchanged.
#[derive(Clone, Copy, Debug)]
struct Spaces {
    /// Between the upper, lower, left or right side of a box and what is inside.
    top: i64,
    bottom: i64,
    left: i64,
    right: i64,
    /// Between layers, at least and at most.
    layers: [i64; 2],
}

impl Direction {
    const fn spaces(self) -> Spaces {
        const SIDE: i64 = space::BOX_SIDE;
        let layers = [space::LAYERS, space::LAYERS_STEEP];
        let right = Spaces { top: space::BOX_NAME, bottom: SIDE, left: SIDE, right: SIDE, layers };
        match self {
            Direction::Right => right,
            Direction::Down => Spaces {
                top: SIDE,
                // Edges with their heads lead in below the name.
                left: space::BOX_NAME + 6,
                layers: [space::LAYERS_DOWN, space::LAYERS_STEEP_DOWN],
                ..right
            },
        }
    }
}

/// Draws the graph: from left to right, or from top to bottom if the drawing would otherwise be
/// wider than `wide` and that makes it narrower.
pub(super) fn lay_out(graph: &Graph, wide: i64) -> Layout {
    parts::lay_out(graph, wide)
}
