//! dagrs 0.9.0.

use std::sync::Arc;

use async_trait::async_trait;
use dagrs::{Action, Content, DefaultNode, EnvVar, InChannels, Node, NodeId, NodeTable, OutChannels, Output};

use super::{Built, runtime};
use crate::graph::{Graph, Op};

struct Compute(Op);

#[async_trait]
impl Action for Compute {
    async fn run(&self, inputs: &mut InChannels, outputs: &mut OutChannels, _: Arc<EnvVar>) -> Output {
        let read = |content: dagrs::DagrsResult<Content>| content.ok().and_then(Content::into_inner::<u64>);
        let values = inputs.map(read).await;
        let sum = values.into_iter().fold(0u64, |sum, value| sum.wrapping_add(value.map_or(0, |value| *value)));
        let value = self.0.of(sum);
        outputs.broadcast(Content::new(value)).await;
        Output::Out(Some(Content::new(value)))
    }
}

struct Dagrs {
    graph: dagrs::Graph,
    tasks: usize,
    last: NodeId,
}

pub(super) fn build(graph: &Graph) -> impl Built + use<> {
    let mut built = dagrs::Graph::new();
    let mut table = NodeTable::default();
    let mut ids: Vec<NodeId> = Vec::with_capacity(graph.len());
    for (number, (op, _)) in graph.tasks().enumerate() {
        let node = DefaultNode::with_action(format!("task {number}"), Compute(op), &mut table);
        ids.push(node.id());
        built.add_node(node).expect("its name is new");
    }
    for (id, successors) in ids.iter().zip(graph.successors()) {
        let to: Vec<NodeId> = successors.iter().map(|&successor| ids[successor as usize]).collect();
        if !to.is_empty() {
            built.add_edge(*id, to).expect("both ends are there");
        }
    }
    built.set_env(EnvVar::new(table));
    runtime();
    Dagrs { graph: built, tasks: graph.len(), last: ids[graph.last()] }
}

impl Built for Dagrs {
    fn tasks(&self) -> usize {
        self.tasks
    }

    fn run(&mut self) {
        runtime().block_on(self.graph.async_start()).expect("no action fails");
    }

    fn result(&self) -> Option<u64> {
        self.graph.get_results::<u64>().remove(&self.last).flatten().map(|value| *value)
    }

    fn runs_again(&self) -> bool {
        false
    }
}
