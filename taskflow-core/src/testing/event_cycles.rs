//! Finds DAGs that start each other's runs through events, for ever.

use std::collections::HashMap;

use crate::asset::of_dag;
use crate::dag::DagDef;
use crate::schedule::Takes;

/// The cycles, each once: the ids of the DAGs on the way, the first one also at the end.
///
/// Known are the events of results and of `#[task(produces = ..)]`. What tasks emit with a context
/// is known only at run time, where the service ends a cycle after 100 runs.
pub(super) fn event_cycles(dags: &[&DagDef]) -> Vec<Vec<String>> {
    let mut consumers: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, dag) in dags.iter().enumerate() {
        for event in (dag.params)().iter().filter_map(|param| param.event.as_ref()) {
            if event.takes != Takes::Seen {
                consumers.entry(event.asset.clone()).or_default().push(at);
            }
        }
    }
    let downstream = |dag: &&DagDef| {
        let assets = produced_by(dag);
        let mut next: Vec<usize> = assets.iter().filter_map(|asset| consumers.get(asset)).flatten().copied().collect();
        next.sort_unstable();
        next.dedup();
        next
    };
    let edges: Vec<Vec<usize>> = dags.iter().map(downstream).collect();
    let mut search = Search { edges: &edges, state: vec![State::New; dags.len()], way: Vec::new(), cycles: Vec::new() };
    (0..dags.len()).for_each(|at| search.visit(at));
    let named = |cycle: Vec<usize>| cycle.into_iter().map(|at| dags[at].id.to_owned()).collect();
    search.cycles.into_iter().map(named).collect()
}

/// The assets that the runs of a DAG have events of.
fn produced_by(dag: &DagDef) -> Vec<String> {
    // `check_dags` reports the mistakes of a graph.
    let Ok(plan) = dag.plan() else { return Vec::new() };
    let tasks = plan.node_indices().filter_map(|node| Some(plan.def(node).produces.as_ref()?.asset.name.to_owned()));
    tasks.chain([of_dag(dag.id)]).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    OnTheWay,
    Done,
}

/// A search in depth: an edge back to the way closes a cycle.
struct Search<'a> {
    edges: &'a [Vec<usize>],
    state: Vec<State>,
    way: Vec<usize>,
    cycles: Vec<Vec<usize>>,
}

impl Search<'_> {
    fn visit(&mut self, at: usize) {
        match self.state[at] {
            State::Done => {}
            State::OnTheWay => {
                let start = self.way.iter().position(|&before| before == at).unwrap_or(0);
                self.cycles.push(self.way[start..].iter().copied().chain([at]).collect());
            }
            State::New => {
                self.state[at] = State::OnTheWay;
                self.way.push(at);
                self.edges[at].iter().for_each(|&next| self.visit(next));
                self.way.pop();
                self.state[at] = State::Done;
            }
        }
    }
}
