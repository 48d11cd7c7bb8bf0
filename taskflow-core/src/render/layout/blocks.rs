//! One layer as nested blocks: a block for each group that passes the layer, around what of it lies
//! there.
//!
//! Whatever is done to the order of a layer is done to the children of one block, so that a group
//! stays in one piece. After Forster, "Applying Crossing Reduction Strategies to Layered Compound
//! Graphs" (2002), who orders the blocks of a layer by the barycentres of what is inside them.

use super::NONE;
use super::layered::Layered;

#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) rank: u32,
    /// Outer blocks come before inner ones; the first is the whole layer.
    pub(super) blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    /// `NONE` for the whole layer.
    pub(super) group: u32,
    pub(super) children: Vec<Child>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Child {
    Vertex(u32),
    /// An index into the blocks of the layer.
    Block(u32),
}

/// How vertices with the same wish are ordered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ties<'a> {
    /// They stay in their order.
    Stay,
    /// They change places.
    Turn,
    /// They are sorted by these numbers.
    By(&'a [u32]),
}

/// A step of reading a layer from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visit {
    /// The upper border of a group.
    Open(u32),
    /// A node or a bend.
    Vertex(u32),
    /// The lower border of a group.
    Close(u32),
}

impl Layer {
    /// The layer as the graph lists it. `block_of` is scratch space with one entry for each group.
    pub(super) fn new(layered: &Layered, rank: u32, block_of: &mut [u32]) -> Self {
        let mut blocks = vec![Block { group: NONE, children: Vec::new() }];
        let mut open = Vec::new();
        for &vertex in layered.layers.of(rank) {
            let known = |group: &u32| {
                let block = block_of[*group as usize] as usize;
                blocks.get(block).is_some_and(|block| block.group == *group)
            };
            open.clear();
            open.extend(layered.around(layered.group[vertex as usize]).take_while(|group| !known(group)));
            for &group in open.iter().rev() {
                let outer = layered.lanes[group as usize].parent.map_or(0, |parent| block_of[parent as usize]);
                let block = blocks.len() as u32;
                block_of[group as usize] = block;
                blocks[outer as usize].children.push(Child::Block(block));
                blocks.push(Block { group, children: Vec::new() });
            }
            if !layered.is_border(vertex) {
                let block = match layered.group[vertex as usize] {
                    NONE => 0,
                    group => block_of[group as usize],
                };
                blocks[block as usize].children.push(Child::Vertex(vertex));
            }
        }
        Layer { rank, blocks }
    }

    /// From top to bottom.
    pub(super) fn visit(&self, mut each: impl FnMut(Visit)) {
        let mut open = vec![(0u32, 0usize)];
        while let Some((block, next)) = open.last_mut() {
            let Block { group, children } = &self.blocks[*block as usize];
            match children.get(*next) {
                Some(&Child::Vertex(vertex)) => {
                    *next += 1;
                    each(Visit::Vertex(vertex));
                }
                Some(&Child::Block(inner)) => {
                    *next += 1;
                    each(Visit::Open(self.blocks[inner as usize].group));
                    open.push((inner, 0));
                }
                None => {
                    if *group != NONE {
                        each(Visit::Close(*group));
                    }
                    open.pop();
                }
            }
        }
    }

    /// Turns the layer upside down.
    pub(super) fn mirror(&mut self) {
        self.blocks.iter_mut().for_each(|block| block.children.reverse());
    }

    /// Every vertex of the layer from top to bottom, borders too.
    pub(super) fn vertices(&self, layered: &Layered, into: &mut Vec<u32>) {
        into.clear();
        self.visit(|visit| {
            into.push(match visit {
                Visit::Vertex(vertex) => vertex,
                Visit::Open(group) => layered.lanes[group as usize].border(self.rank)[0],
                Visit::Close(group) => layered.lanes[group as usize].border(self.rank)[1],
            });
        });
    }

    /// Sorts by where each vertex wants to be; one without a wish stays below what is above it now.
    /// Groups keep the sequence of `lanes`.
    pub(super) fn sort(&mut self, wishes: &[Option<f64>], lanes: &[u32], ties: Ties<'_>) {
        let wish = |vertex: u32| wishes[vertex as usize];
        // The mean of the wishes inside each block, and how many they are: inner blocks come last.
        let mut mean: Vec<Option<f64>> = vec![None; self.blocks.len()];
        let mut counts = vec![0.0; self.blocks.len()];
        for block in (0..self.blocks.len()).rev() {
            let (mut sum, mut count) = (0.0, 0.0);
            for child in &self.blocks[block].children {
                let (wish, weight) = match child {
                    Child::Vertex(vertex) => (wish(*vertex), 1.0),
                    Child::Block(inner) => (mean[*inner as usize], counts[*inner as usize]),
                };
                if let Some(wish) = wish {
                    sum += wish * weight;
                    count += weight;
                }
            }
            mean[block] = (count > 0.0).then(|| sum / count);
            counts[block] = count;
        }

        let groups: Vec<u32> = self.blocks.iter().map(|block| block.group).collect();
        let (mut vertices, mut blocks) = (Vec::new(), Vec::new());
        for block in &mut self.blocks {
            vertices.clear();
            blocks.clear();
            let own = |child: &Child| match child {
                Child::Vertex(vertex) => wish(*vertex),
                Child::Block(inner) => mean[*inner as usize],
            };
            let mut last = block.children.iter().find_map(own).unwrap_or(0.0);
            for (place, child) in block.children.iter().enumerate() {
                last = own(child).unwrap_or(last);
                match *child {
                    Child::Vertex(vertex) => vertices.push((last, place, vertex)),
                    Child::Block(inner) => {
                        let weight: f64 = counts[inner as usize];
                        let weight = weight.max(1.0);
                        blocks.push(Pool { wish: last, weight, place, inner });
                    }
                }
            }
            vertices.sort_by(|a: &(f64, usize, u32), b| {
                let tie = match ties {
                    Ties::Stay => a.1.cmp(&b.1),
                    Ties::Turn => b.1.cmp(&a.1),
                    Ties::By(met) => met[a.2 as usize].cmp(&met[b.2 as usize]),
                };
                a.0.total_cmp(&b.0).then(tie)
            });
            blocks.sort_by_key(|pool| lanes[groups[pool.inner as usize] as usize]);
            rising(&mut blocks);
            merge(&vertices, &blocks, &mut block.children);
        }
    }
}

/// A block among its siblings: the wish of what is inside, and how much that is.
#[derive(Clone, Copy, Debug)]
struct Pool {
    wish: f64,
    weight: f64,
    place: usize,
    inner: u32,
}

/// Changes the wishes as little as possible so that none is less than the one before it ("pool
/// adjacent violators", Ayer et al. 1955).
fn rising(pools: &mut [Pool]) {
    // Runs of pools that have one wish: where each begins, its wish, its weight.
    let mut runs: Vec<(usize, f64, f64)> = Vec::with_capacity(pools.len());
    for (at, pool) in pools.iter().enumerate() {
        let mut run = (at, pool.wish, pool.weight);
        while let Some(last) = runs.pop_if(|last| last.1 > run.1) {
            let weight = last.2 + run.2;
            run = (last.0, (last.1 * last.2 + run.1 * run.2) / weight, weight);
        }
        runs.push(run);
    }
    let ends = runs.iter().skip(1).map(|run| run.0).chain([pools.len()]).collect::<Vec<_>>();
    for (run, end) in runs.iter().zip(ends) {
        pools[run.0..end].iter_mut().for_each(|pool| pool.wish = run.1);
    }
}

fn merge(vertices: &[(f64, usize, u32)], blocks: &[Pool], into: &mut Vec<Child>) {
    into.clear();
    let mut next = blocks.iter().peekable();
    for &(wish, place, vertex) in vertices {
        while let Some(pool) = next.next_if(|pool| pool.wish < wish || (pool.wish == wish && pool.place < place)) {
            into.push(Child::Block(pool.inner));
        }
        into.push(Child::Vertex(vertex));
    }
    into.extend(next.map(|pool| Child::Block(pool.inner)));
}
