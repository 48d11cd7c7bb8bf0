//! Properties of every drawing, whatever the graph.

use proptest::prelude::*;

use super::*;

/// No drawing is too wide.
const ANY_WIDTH: i64 = i64::MAX;

fn check(graph: &Graph) -> Result<Layout, String> {
    // A drawing from top to bottom has the same properties with x and y exchanged.
    let down = lay_out(graph, 0);
    if down.direction == Direction::Down {
        named(graph, &down)?;
        sound(graph, down.turned())?;
    }
    let right = lay_out(graph, ANY_WIDTH);
    named(graph, &right)?;
    sound(graph, right)
}

/// Every box is as wide as its name.
fn named(graph: &Graph, layout: &Layout) -> Result<(), String> {
    let mut boxes = layout.groups.iter().zip(&graph.groups);
    match boxes.find(|(rect, group)| rect.is_some_and(|rect| rect.width < group.width)) {
        Some((rect, _)) => Err(format!("the box {rect:?} has no room for its name")),
        None => Ok(()),
    }
}

fn sound(graph: &Graph, layout: Layout) -> Result<Layout, String> {
    let whole = Rect { x: 0, y: 0, width: layout.width, height: layout.height };
    let ensure = |holds: bool, what: &dyn Fn() -> String| if holds { Ok(()) } else { Err(what()) };
    for (at, rect) in layout.nodes.iter().enumerate() {
        ensure(inside(rect, &whole), &|| format!("node {at} at {rect:?} leaves {whole:?}"))?;
        for (other, rect_b) in layout.nodes.iter().enumerate().skip(at + 1) {
            ensure(apart(rect, rect_b), &|| format!("nodes {at} {rect:?} and {other} {rect_b:?} overlap"))?;
        }
    }
    let forward = ranks::forward(graph.nodes.len(), &graph.edges);
    for ((edge, steps), forward) in graph.edges.iter().zip(&layout.edges).zip(forward) {
        if !forward {
            ensure(steps.is_empty(), &|| format!("{edge:?} leads nowhere and has a line"))?;
            continue;
        }
        let points: Vec<Point> = steps.iter().map(|step| step.end()).collect();
        ensure(points.windows(2).all(|p| p[0].x < p[1].x), &|| format!("{edge:?} goes back: {points:?}"))?;
        let (from, to) = (&layout.nodes[edge.from as usize], &layout.nodes[edge.to as usize]);
        let ends =
            [Point { x: from.x + from.width, y: from.y + from.height / 2 }, Point { x: to.x, y: to.y + to.height / 2 }];
        ensure([points[0], points[points.len() - 1]] == ends, &|| {
            format!("{edge:?} ends at {points:?}, not {ends:?}")
        })?;
        // Level pieces pass no node; curves lie between the layers, where there are none.
        let mut at = points[0];
        for step in steps {
            let to = step.end();
            if let Step::Branch { trunk, .. } = step {
                ensure(at.x < *trunk && *trunk < to.x, &|| format!("{edge:?} leaves its layers: {step:?}"))?;
            }
            let (low, high) = (at.y.min(to.y), at.y.max(to.y));
            let piece = Rect { x: at.x, y: low, width: to.x - at.x, height: high - low };
            for (node, rect) in layout.nodes.iter().enumerate() {
                ensure(apart(rect, &piece), &|| format!("{edge:?} runs into node {node} at {rect:?}: {piece:?}"))?;
            }
            at = to;
        }
    }
    for (group, rect) in layout.groups.iter().enumerate() {
        let within = |mut inner: Option<u32>| {
            std::iter::from_fn(|| {
                let now = inner?;
                inner = graph.groups[now as usize].parent;
                Some(now)
            })
            .any(|around| around as usize == group)
        };
        let Some(rect) = rect else {
            let used = graph.nodes.iter().any(|node| within(node.group));
            ensure(!used, &|| format!("group {group} has nodes and no box"))?;
            continue;
        };
        ensure(rect.width.max(rect.height) >= graph.groups[group].width, &|| {
            format!("{group} has no room for its name")
        })?;
        ensure(inside(rect, &whole), &|| format!("group {group} at {rect:?} leaves {whole:?}"))?;
        for (at, node) in graph.nodes.iter().enumerate() {
            let place = &layout.nodes[at];
            let kept = if within(node.group) { inside(place, rect) } else { apart(place, rect) };
            ensure(kept, &|| format!("group {group} at {rect:?} and node {at} at {place:?}"))?;
        }
        for (other, other_rect) in layout.groups.iter().enumerate().skip(group + 1) {
            let Some(other_rect) = other_rect else { continue };
            let kept = if within(Some(other as u32)) { inside(other_rect, rect) } else { apart(other_rect, rect) };
            ensure(kept, &|| format!("group {group} at {rect:?} and group {other} at {other_rect:?}"))?;
        }
    }
    Ok(layout)
}

fn inside(inner: &Rect, outer: &Rect) -> bool {
    inner.x >= outer.x
        && inner.y >= outer.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

fn apart(a: &Rect, b: &Rect) -> bool {
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
}

/// Up to 40 nodes of different sizes in up to 8 nested groups, with edges in any direction.
fn graphs() -> impl Strategy<Value = Graph> {
    let groups = prop::collection::vec(prop::option::of(0u32..8), 0..8);
    let nodes = prop::collection::vec((1i64..200, 1i64..80, any::<bool>(), prop::option::of(0u32..8)), 0..40);
    let edges = prop::collection::vec((0u32..40, 0u32..40, 0u32..4), 0..90);
    (groups, nodes, edges).prop_map(|(groups, nodes, edges)| {
        let group_count = groups.len() as u32;
        let groups: Vec<Group> = groups
            .into_iter()
            .zip(0..)
            .map(|(parent, at)| Group { parent: parent.filter(|parent| *parent < at), width: 90 })
            .collect();
        let nodes: Vec<NodeBox> = nodes
            .into_iter()
            .map(|(width, height, stretch, group)| NodeBox {
                width,
                height: height * 2,
                stretch,
                group: group.filter(|group| *group < group_count),
            })
            .collect();
        let count = nodes.len() as u32;
        // Mostly forward edges; some that close cycles, some that lead out of the graph.
        let edges = edges.into_iter().map(|(a, b, weight)| {
            let (from, to) = if a % 13 == 0 { (a, b) } else { (a.min(b) % count.max(1), a.max(b) % count.max(1)) };
            let (from, to) = if a % 13 != 0 && from > to { (to, from) } else { (from, to) };
            Edge { from, to, weight }
        });
        Graph { edges: edges.collect(), nodes, groups }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn nothing_overlaps_and_edges_lead_forward(graph in graphs()) {
        if let Err(what) = check(&graph) {
            return Err(TestCaseError::fail(what));
        }
    }
}

fn node(group: Option<u32>) -> NodeBox {
    NodeBox { width: 100, height: 40, stretch: true, group }
}

fn edge(from: u32, to: u32) -> Edge {
    Edge { from, to, weight: 1 }
}

#[test]
fn an_empty_graph_is_an_empty_drawing() {
    let layout = lay_out(&Graph::default(), ANY_WIDTH);
    assert_eq!((layout.width, layout.height), (0, 0));
}

#[test]
fn the_nodes_of_a_chain_lie_on_one_level() {
    let graph =
        Graph { nodes: vec![node(None); 5], edges: (0..4).map(|at| edge(at, at + 1)).collect(), groups: vec![] };
    let layout = check(&graph).expect("a sound drawing");
    assert!(layout.nodes.iter().all(|rect| rect.y == 0));
    assert!(layout.edges.iter().all(|steps| steps.len() == 2));
}

#[test]
fn a_node_above_two_others_is_centred() {
    let edges = vec![edge(0, 1), edge(0, 2), edge(1, 3), edge(2, 3)];
    let layout = check(&Graph { nodes: vec![node(None); 4], edges, groups: vec![] }).expect("a sound drawing");
    let [top, upper, lower, bottom] = [0, 1, 2, 3].map(|at: usize| layout.nodes[at].y);
    assert_eq!((top, bottom), ((upper + lower) / 2, (upper + lower) / 2));
}

#[test]
fn a_long_edge_is_straight_and_clear_of_the_nodes_it_passes() {
    let mut edges: Vec<Edge> = (0..6).map(|at| edge(at, at + 1)).collect();
    edges.push(edge(0, 6));
    let layout = check(&Graph { nodes: vec![node(None); 7], edges, groups: vec![] }).expect("a sound drawing");
    let curves = layout.edges[6].iter().filter(|step| matches!(step, Step::Curve(_))).count();
    assert!(curves <= 2, "{:?}", layout.edges[6]);
}

#[test]
fn a_tree_has_no_crossings() {
    // A binary tree whose nodes are numbered from leaf to leaf, so that the order of the calls does
    // not help.
    let edges: Vec<Edge> =
        (0..63u32).flat_map(|at| [edge(at, 2 * at + 1), edge(at, 2 * at + 2)]).filter(|e| e.to < 127).collect();
    let layout = check(&Graph { nodes: vec![node(None); 127], edges: edges.clone(), groups: vec![] }).expect("sound");
    let mut pairs: Vec<(i64, i64, i64)> = edges
        .iter()
        .map(|e| (layout.nodes[e.from as usize].x, layout.nodes[e.from as usize].y, layout.nodes[e.to as usize].y))
        .collect();
    pairs.sort_unstable();
    assert!(pairs.windows(2).all(|p| p[0].0 != p[1].0 || p[0].2 < p[1].2));
}

#[test]
fn an_interleaved_group_keeps_its_box_rectangular() {
    // 1 and 3 are in the box, 2 between them is not.
    let nodes = vec![node(None), node(Some(0)), node(None), node(Some(0)), node(None)];
    let edges = (0..4).map(|at| edge(at, at + 1)).collect();
    check(&Graph { nodes, edges, groups: vec![Group { parent: None, width: 90 }] }).expect("a sound drawing");
}

#[test]
fn boxes_beyond_the_limit_are_omitted() {
    // Two hundred groups that all reach from the first of four hundred layers to the last.
    let mut nodes = vec![node(None); 400];
    let groups: Vec<Group> = (0..200).map(|at: u32| Group { parent: at.checked_sub(1), width: 90 }).collect();
    (nodes[0].group, nodes[399].group) = (Some(199), Some(199));
    let edges: Vec<Edge> = (0..399).map(|at| edge(at, at + 1)).collect();
    let layout = lay_out(&Graph { nodes, edges, groups }, ANY_WIDTH);
    assert!(layout.groups.iter().all(Option::is_none));
    assert!(layout.nodes.windows(2).all(|pair| pair[0].x + pair[0].width < pair[1].x));
}
