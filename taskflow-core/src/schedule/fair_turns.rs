//! Which of the queued runs of several DAGs start first.
//!
//! # Algorithm
//!
//! 1. The waiting runs of a DAG form a *flow*, and those of its backfills another one. In a flow,
//!    runs that were interrupted come first, then the oldest. A flow whose DAG has as many active
//!    runs as its `max_active_runs` allows does not take part.
//! 2. Flows have *ranks*: first those whose next run was interrupted, then live ones, then
//!    backfills; in each of these three, by the priority of the DAG. Several flows have the same
//!    rank.
//! 3. A *fair turn* over some flows is [start-time fair queueing][sfq], which is stride scheduling
//!    for flows that come and go. Each start advances the *pass* of its flow by a stride, which is
//!    inversely proportional to the weight of the DAG. The flow with the smallest pass starts next;
//!    of several, the one whose run is the oldest. The *virtual time* is the smallest pass of the
//!    flows that take part, and never goes back. A flow that comes back has at least this pass, so
//!    that nobody saves up turns.
//! 4. A start goes to the flows of the highest rank, which have a fair turn among themselves, so it
//!    may pass over flows of a lower rank. After [`PASSED_OVER`] such starts in a row, the next
//!    start is a fair turn over all flows, whatever their ranks.
//! 5. A pass is never ahead of the virtual time by more than one stride. Among flows of one rank
//!    this is always so. It keeps a flow from paying for starts that its rank has given it.
//!
//! # Bound
//!
//! Nothing starves. Let the next run of a flow of weight `w` wait, and let `v` stand for the weight
//! of each other flow that takes part meanwhile. At most
//!
//! ```text
//! (PASSED_OVER + 1) * (1 + sum of (v / w + 1))        with v / w rounded down
//! ```
//!
//! starts happen up to and including its own, whatever the ranks are, while it takes part. The pass
//! of the flow is at most one stride ahead of the virtual time at the beginning. That of any other
//! flow is not behind it and grows by its own stride at each fair turn, so it has at most
//! `v / w + 1` of them before this one. Among any `PASSED_OVER + 1` starts in a row one is a fair
//! turn over all flows.
//!
//! The bound counts starts and not time: how long a start takes to come depends on how long runs
//! take.
//!
//! # Shares
//!
//! While two flows of one rank both have runs that wait, the numbers of their starts, each divided
//! by the weight of the DAG, differ by at most `1 / v + 1 / w`. Their shares converge to the
//! weights, and a DAG of weight 3 never gets more than four starts in a row beside one of weight 1.
//!
//! [sfq]: https://doi.org/10.1145/248156.248171

use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many starts in a row may pass over runs of a lower rank.
pub const PASSED_OVER: u32 = 3;

/// The stride of the weight 1. A `u128` holds the passes of 2^48 starts.
const STRIDE: u128 = 1 << 80;

/// A run that waits for its start.
#[derive(Clone, Copy, Debug)]
pub struct WaitingRun {
    /// The DAG.
    pub dag: &'static str,
    /// The number of the run: older runs have smaller ones.
    pub number: i64,
    /// The priority of the DAG.
    pub priority: i32,
    /// The weight of the DAG. 0 counts as 1.
    pub weight: u32,
    /// Whether it was interrupted.
    pub is_interrupted: bool,
    /// Whether it is a run of a backfill.
    pub is_backfill: bool,
}

/// A DAG, and whether the flow is that of its backfills.
type FlowId = (&'static str, bool);

/// The order of the starts: see the [module](crate::schedule).
#[derive(Clone, Debug, Default)]
pub struct FairTurns {
    passes: BTreeMap<FlowId, u128>,
    virtual_time: u128,
    /// How many starts in a row have passed over somebody.
    passed_over: u32,
}

/// The waiting runs of a flow.
#[derive(Debug)]
struct Flow {
    id: FlowId,
    /// The places of its runs in the list of the caller, the next one last.
    runs: Vec<usize>,
    /// How many of them may start.
    room: u32,
    stride: u128,
    pass: u128,
}

/// Whether the next run of a flow was interrupted, whether it is a live one, and the priority.
type Rank = (bool, bool, i32);

impl FairTurns {
    /// Picks the runs that start now, at most `places`, in the order of their starts. Returns their
    /// places in `waiting`. `room` returns how many more runs of a DAG may be active: of those of
    /// its backfills, or of the others.
    pub fn pick(
        &mut self,
        waiting: &[WaitingRun],
        places: usize,
        room: impl Fn(&'static str, bool) -> u32,
    ) -> Vec<usize> {
        let mut flows = self.flows(waiting, room);
        let mut picked = Vec::new();
        while picked.len() < places && !flows.is_empty() {
            let at = self.next(&mut flows, waiting);
            let flow = &mut flows[at];
            picked.extend(flow.runs.pop());
            flow.pass += flow.stride;
            flow.room -= 1;
            if flow.runs.is_empty() || flow.room == 0 {
                let flow = flows.swap_remove(at);
                self.passes.insert(flow.id, flow.pass);
            }
        }
        self.passes.extend(flows.iter().map(|flow| (flow.id, flow.pass)));
        picked
    }

    /// The flows that take part.
    fn flows(&self, waiting: &[WaitingRun], room: impl Fn(&'static str, bool) -> u32) -> Vec<Flow> {
        let mut of_flows: BTreeMap<FlowId, Vec<usize>> = BTreeMap::new();
        for (at, run) in waiting.iter().enumerate() {
            of_flows.entry((run.dag, run.is_backfill)).or_default().push(at);
        }
        let flow = |(id, mut runs): (FlowId, Vec<usize>)| {
            runs.sort_by_key(|&at| (waiting[at].is_interrupted, Reverse(waiting[at].number)));
            let weight = runs.first().map_or(1, |&at| waiting[at].weight.max(1));
            let pass = self.passes.get(&id).copied().unwrap_or(0);
            Flow { id, runs, room: room(id.0, id.1), stride: STRIDE / u128::from(weight), pass }
        };
        of_flows.into_iter().map(flow).filter(|flow| flow.room > 0).collect()
    }

    /// The place of the flow that starts next. There is at least one.
    fn next(&mut self, flows: &mut [Flow], waiting: &[WaitingRun]) -> usize {
        let smallest = flows.iter().map(|flow| flow.pass).min().unwrap_or(0);
        self.virtual_time = self.virtual_time.max(smallest);
        for flow in flows.iter_mut() {
            flow.pass = flow.pass.clamp(self.virtual_time, self.virtual_time + flow.stride);
        }
        let head = |flow: &Flow| flow.runs.last().map(|&at| &waiting[at]);
        let rank = |flow: &Flow| -> Option<Rank> {
            head(flow).map(|run| (run.is_interrupted, !run.is_backfill, run.priority))
        };
        let highest = flows.iter().map(rank).max().flatten();
        let passes_over = flows.iter().any(|flow| rank(flow) != highest);
        let is_fair = !passes_over || self.passed_over == PASSED_OVER;
        self.passed_over = if is_fair { 0 } else { self.passed_over + 1 };
        let candidates = flows.iter().enumerate().filter(|(_, flow)| is_fair || rank(flow) == highest);
        let next = candidates.min_by_key(|(_, flow)| (flow.pass, head(flow).map(|run| run.number)));
        next.map_or(0, |(at, _)| at)
    }
}
