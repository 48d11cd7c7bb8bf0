//! The named shapes and their expected results.

use std::collections::BTreeSet;

use crate::graph::{Graph, Op};

/// A family of graphs, one for each size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Chain,
    Fan,
    Layers,
    Diamond,
    Tree,
    Random,
}

impl Shape {
    pub(crate) const ALL: [Shape; 6] =
        [Shape::Chain, Shape::Fan, Shape::Layers, Shape::Diamond, Shape::Tree, Shape::Random];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Shape::Chain => "chain",
            Shape::Fan => "fan",
            Shape::Layers => "layers",
            Shape::Diamond => "diamond",
            Shape::Tree => "tree",
            Shape::Random => "random",
        }
    }

    /// The description for the report.
    pub(crate) fn description(self) -> &'static str {
        match self {
            Shape::Chain => "each task takes the value of the previous one",
            Shape::Fan => "one source, n tasks that take its value, one that sums up theirs",
            Shape::Layers => "√n layers of √n tasks with three inputs from the previous layer, summed up at the end",
            Shape::Diamond => "n / 3 diamonds in a row: two tasks take a value, one sums up the two",
            Shape::Tree => "n / 2 sources, summed up in pairs",
            Shape::Random => {
                "one to three inputs from the 1,000 previous tasks, drawn with a fixed seed; values without a consumer are summed up"
            }
        }
    }

    /// The graph with about `n` tasks.
    pub(crate) fn graph(self, n: usize) -> Graph {
        let mut graph = Graph::default();
        match self {
            Shape::Chain => {
                let source = graph.add(Op::Source, &[]);
                (1..n).fold(source, |last, _| graph.add(Op::Step, &[last]));
            }
            Shape::Fan => {
                let source = graph.add(Op::Source, &[]);
                let steps: Vec<u32> = (0..n).map(|_| graph.add(Op::Step, &[source])).collect();
                graph.add(Op::Sum, &steps);
            }
            Shape::Layers => {
                let width = n.isqrt();
                let mut layer: Vec<u32> = (0..width).map(|_| graph.add(Op::Source, &[])).collect();
                for _ in 1..width {
                    let inputs = |at: usize| [at, at + 1, at + 7].map(|place| layer[place % width]);
                    layer = (0..width).map(|at| graph.add(Op::Sum, &inputs(at))).collect();
                }
                graph.add(Op::Sum, &layer);
            }
            Shape::Diamond => {
                let source = graph.add(Op::Source, &[]);
                (0..n / 3).fold(source, |top, _| {
                    let sides = [graph.add(Op::Step, &[top]), graph.add(Op::Twice, &[top])];
                    graph.add(Op::Sum, &sides)
                });
            }
            Shape::Tree => {
                let mut level: Vec<u32> = (0..n / 2).map(|_| graph.add(Op::Source, &[])).collect();
                while level.len() > 1 {
                    let mut pair = |pair: &[u32]| if let [one] = pair { *one } else { graph.add(Op::Sum, pair) };
                    level = level.chunks(2).map(&mut pair).collect();
                }
            }
            Shape::Random => random(&mut graph, n),
        }
        graph
    }

    /// The result of the graph with about `n` tasks, computed independently of the graph by a
    /// formula if there is one.
    pub(crate) fn expected(self, n: usize, graph: &Graph) -> u64 {
        let repeat = |times: usize, factor: u64, plus: u64| {
            (0..times).fold(1u64, |value, _| value.wrapping_mul(factor).wrapping_add(plus))
        };
        match self {
            Shape::Chain => repeat(n - 1, 3, 1),
            Shape::Fan => 4 * n as u64,
            Shape::Layers => repeat(n.isqrt() - 1, 3, 0).wrapping_mul(n.isqrt() as u64),
            // One side computes 3 x + 1, the other 2 x.
            Shape::Diamond => repeat(n / 3, 5, 1),
            Shape::Tree => n as u64 / 2,
            Shape::Random => graph.evaluate(),
        }
    }
}

fn random(graph: &mut Graph, n: usize) {
    const NEAR: u64 = 1_000;
    let mut chance = SplitMix(0x7461_736b_666c_6f77);
    let mut unused: BTreeSet<u32> = BTreeSet::new();
    for task in 0..n as u64 {
        let mut inputs: BTreeSet<u32> = BTreeSet::new();
        if task > 0 {
            for _ in 0..=chance.below(3) {
                inputs.insert((task - 1 - chance.below(task.min(NEAR))) as u32);
            }
        }
        let inputs: Vec<u32> = inputs.into_iter().collect();
        let op = match inputs.len() {
            0 => Op::Source,
            1 => Op::Step,
            _ => Op::Sum,
        };
        let added = graph.add(op, &inputs);
        for input in &inputs {
            unused.remove(input);
        }
        unused.insert(added);
    }
    graph.add(Op::Sum, &unused.into_iter().collect::<Vec<u32>>());
}

/// The generator SplitMix64 of Steele, Lea and Flood, with the same results on every machine.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`. The bias of the remainder is negligible here.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}
