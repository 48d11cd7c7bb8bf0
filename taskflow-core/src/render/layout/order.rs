//! Step 4: the sequence in every layer.
//!
//! Sweeps to the right and to the left put every vertex where the mean of its neighbours in the
//! layer before lies (Sugiyama et al., 1981), then exchange neighbours where that undoes crossings
//! (`swap`). The best drawing met on the way is kept; two starts are tried, as in section 3 of
//! Gansner et al.

use super::blocks::{Layer, Ties};
use super::crossings::crossings;
use super::lanes;
use super::layered::Layered;
use super::swap::swap;

/// How much work the sweeps may be, in vertices sorted.
const BUDGET: usize = 500_000;

/// The most sweeps, and how many may bring nothing before the search ends.
const SWEEPS: usize = 32;
const PATIENCE: usize = 8;

/// The layers in some order, and what follows from it.
#[derive(Clone)]
pub(super) struct Order {
    pub(super) layers: Vec<Layer>,
    /// The sequence of the groups, the same in all layers: only those of one parent are compared.
    pub(super) lanes: Vec<u32>,
    /// The vertices of each layer from top to bottom.
    pub(super) rows: Vec<Vec<u32>>,
    /// The place of each vertex in its row.
    pub(super) place: Vec<u32>,
}

/// The layers with few crossings.
pub(super) fn order(layered: &Layered) -> Vec<Layer> {
    let sweeps = (BUDGET / layered.len().max(1)).clamp(2, SWEEPS);
    let met = met(layered, false);
    let mut best = Order::start(layered, &met);
    let mut least = improve(layered, &mut best, sweeps);
    if least > 0 && sweeps == SWEEPS {
        let mut second = Order::start(layered, &self::met(layered, true));
        let crossings = improve(layered, &mut second, sweeps);
        if crossings < least {
            (best, least) = (second, crossings);
        }
    }
    if least > 0 {
        lanes::exchange(layered, &mut best, least);
    }
    tidy(layered, best, &met).layers
}

/// Among drawings with as few crossings the one that is nearest to the order of the calls: as it is
/// or upside down, and with what does not care sorted.
fn tidy(layered: &Layered, order: Order, met: &[u32]) -> Order {
    let mut mirrored = order.clone();
    let last = mirrored.lanes.len() as u32;
    mirrored.lanes.iter_mut().for_each(|lane| *lane = last - *lane);
    for rank in 0..mirrored.layers.len() {
        mirrored.layers[rank].mirror();
        mirrored.read(layered, rank);
    }
    let mut candidates = vec![order, mirrored];
    for at in 0..candidates.len() {
        let mut sorted = candidates[at].clone();
        sorted.sweep(layered, false, Ties::By(met));
        swap(layered, &mut sorted);
        candidates.push(sorted);
    }
    let mut scored: Vec<((u64, usize), Order)> =
        candidates.into_iter().map(|order| ((crossings(layered, &order), order.turned(layered)), order)).collect();
    let best = (0..scored.len()).min_by_key(|at| scored[*at].0).unwrap_or(0);
    scored.swap_remove(best).1
}

/// Sweeps until nothing improves any more; leaves the best order found and returns its crossings.
pub(super) fn improve(layered: &Layered, order: &mut Order, sweeps: usize) -> u64 {
    let mut least = crossings(layered, order);
    let mut best = order.clone();
    let mut idle = 0;
    for sweep in 0..sweeps {
        if least == 0 || idle == PATIENCE {
            break;
        }
        if sweep % 4 == 2 {
            lanes::by_neighbours(layered, order);
        }
        order.sweep(layered, sweep % 2 == 1, if sweep % 4 >= 2 { Ties::Turn } else { Ties::Stay });
        swap(layered, order);
        let now = crossings(layered, order);
        if now < least {
            least = now;
            best.clone_from(order);
            idle = 0;
        } else {
            idle += 1;
        }
    }
    *order = best;
    least
}

/// When a walk along the edges meets each vertex, from the first nodes or from the last.
fn met(layered: &Layered, from_the_end: bool) -> Vec<u32> {
    let (ahead, behind) =
        if from_the_end { (&layered.before, &layered.after) } else { (&layered.after, &layered.before) };
    let mut met = vec![u32::MAX; layered.len()];
    let mut count = 0;
    let mut open: Vec<u32> = Vec::new();
    for root in (0..layered.borders).filter(|vertex| behind.of(*vertex).is_empty()) {
        open.push(root);
        while let Some(vertex) = open.pop() {
            if met[vertex as usize] == u32::MAX {
                met[vertex as usize] = count;
                count += 1;
                open.extend(ahead.of(vertex).iter().rev().map(|piece| piece.vertex));
            }
        }
    }
    met
}

impl Order {
    /// The vertices in the order in which they were met.
    fn start(layered: &Layered, met: &[u32]) -> Self {
        let mut block_of = vec![u32::MAX; layered.lanes.len()];
        let layers = (0..layered.layer_count).map(|rank| Layer::new(layered, rank, &mut block_of)).collect();
        let lanes = lanes::by_first(layered, met);
        let rows = vec![Vec::new(); layered.layer_count as usize];
        let mut order = Order { layers, lanes, rows, place: vec![0; layered.len()] };
        let wishes: Vec<Option<f64>> = met.iter().map(|met| Some(f64::from(*met))).collect();
        for rank in 0..order.layers.len() {
            order.layers[rank].sort(&wishes, &order.lanes, Ties::Stay);
            order.read(layered, rank);
        }
        order
    }

    /// Brings rows and places up to date with a layer.
    pub(super) fn read(&mut self, layered: &Layered, rank: usize) {
        self.layers[rank].vertices(layered, &mut self.rows[rank]);
        for (vertex, place) in self.rows[rank].iter().zip(0..) {
            self.place[*vertex as usize] = place;
        }
    }

    /// Sorts every layer by the layer before it, or, going back, by the one after it.
    fn sweep(&mut self, layered: &Layered, back: bool, ties: Ties<'_>) {
        let count = self.layers.len();
        let mut wishes = vec![None; layered.len()];
        for step in 1..count {
            let rank = if back { count - 1 - step } else { step };
            let lists = if back { &layered.after } else { &layered.before };
            for &vertex in &self.rows[rank] {
                let (mut sum, mut weights) = (0.0, 0.0);
                for piece in lists.of(vertex) {
                    sum += f64::from(piece.weight) * f64::from(self.place[piece.vertex as usize]);
                    weights += f64::from(piece.weight);
                }
                wishes[vertex as usize] = (weights > 0.0).then(|| sum / weights);
            }
            self.layers[rank].sort(&wishes, &self.lanes, ties);
            self.read(layered, rank);
        }
    }

    /// Brings all layers into the present sequence of the groups, and changes nothing else.
    pub(super) fn align(&mut self, layered: &Layered) {
        let wishes: Vec<Option<f64>> = self.place.iter().map(|place| Some(f64::from(*place))).collect();
        for rank in 0..self.layers.len() {
            self.layers[rank].sort(&wishes, &self.lanes, Ties::Stay);
            self.read(layered, rank);
        }
    }

    /// How often a node lies above one that was called before it.
    fn turned(&self, layered: &Layered) -> usize {
        let turned = |row: &Vec<u32>| {
            let nodes: Vec<u32> = row.iter().copied().filter(|vertex| *vertex < layered.nodes).collect();
            nodes.windows(2).filter(|pair| pair[0] > pair[1]).count()
        };
        self.rows.iter().map(turned).sum()
    }
}
