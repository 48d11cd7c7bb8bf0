//! What differs between two stored graphs of a DAG, in words.

use std::collections::{BTreeMap, BTreeSet};

use super::error::JournalError;
use super::graph::{EdgeRule, Graph};
use super::journal::Journal;

impl Journal {
    /// The stored graph with this structural hash, if the store has it.
    pub(crate) async fn graph(&self, hash: &str) -> Result<Option<Graph>, JournalError> {
        let stored = self.inner.store.graph(hash).await?;
        // A snapshot of another version of the format cannot be compared; the runs say more.
        Ok(stored.and_then(|bytes| Graph::decode(&bytes).ok()))
    }
}

/// What of a task can differ between two graphs.
struct Node<'a> {
    facts: Vec<(&'static str, String)>,
    upstreams: BTreeMap<&'a str, &'static str>,
}

fn nodes(graph: &Graph) -> BTreeMap<&str, Node<'_>> {
    let id = |index: u32| &*graph.nodes[index as usize].id;
    let node = |place: u32| {
        let (node, kind) = (&graph.nodes[place as usize], graph.kind(place));
        let pool = kind.pool.as_ref().map(|pool| format!("`{pool}` ({})", kind.pool_slots));
        let facts = vec![
            ("task", format!("`{}`", kind.task)),
            ("type", format!("`{}`", kind.output)),
            ("retries", kind.retries.to_string()),
            ("pool", pool.unwrap_or_else(|| "none".to_owned())),
            ("trigger rule", kind.rule.clone()),
        ];
        let after = node.after.iter().map(|&upstream| (id(upstream), "order"));
        let inputs = node.inputs.iter().map(|&(upstream, edge)| (id(upstream), words(edge)));
        (id(place), Node { facts, upstreams: after.chain(inputs).collect() })
    };
    (0..graph.nodes.len() as u32).map(node).collect()
}

fn words(edge: EdgeRule) -> &'static str {
    match edge {
        EdgeRule::Required => "value",
        EdgeRule::Optional => "value or skip",
        EdgeRule::Outcome => "outcome",
        EdgeRule::First => "first value",
        EdgeRule::Gate => "arm of a branch",
        EdgeRule::Setup | EdgeRule::Scope => "scope",
    }
}

/// What the second graph has that the first one has not, and the other way round: one line each,
/// tasks before edges before options.
pub(crate) fn differences(before: &Graph, after: &Graph) -> Vec<String> {
    let (old, new) = (nodes(before), nodes(after));
    let mut lines = Vec::new();
    let (known, present): (BTreeSet<&str>, BTreeSet<&str>) =
        (old.keys().copied().collect(), new.keys().copied().collect());
    lines.extend(present.difference(&known).map(|task| format!("+ task `{task}`")));
    lines.extend(known.difference(&present).map(|task| format!("- task `{task}`")));
    let mut options = Vec::new();
    for task in known.intersection(&present) {
        let (old, new) = (&old[task], &new[task]);
        for (upstream, edge) in &new.upstreams {
            match old.upstreams.get(upstream) {
                None => lines.push(format!("+ edge `{upstream}` to `{task}` ({edge})")),
                Some(was) if was != edge => {
                    lines.push(format!("~ edge `{upstream}` to `{task}`: {was}, now {edge}"));
                }
                Some(_) => {}
            }
        }
        let gone = old.upstreams.iter().filter(|(upstream, _)| !new.upstreams.contains_key(*upstream));
        lines.extend(gone.map(|(upstream, edge)| format!("- edge `{upstream}` to `{task}` ({edge})")));
        for ((name, was), (_, is)) in old.facts.iter().zip(&new.facts) {
            if was != is {
                options.push(format!("~ `{task}`: {name} {was}, now {is}"));
            }
        }
    }
    lines.append(&mut options);
    if lines.is_empty() {
        lines.push("~ options of the DAG or of its tasks that a stored graph does not have".to_owned());
    }
    lines
}
