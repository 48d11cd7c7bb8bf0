//! Templates of mappings: what `each` draws.

use std::panic::Location;

use super::{Draft, Handle, NodeDraft, add_built_in, with_draft};
use crate::base::SourceLocation;
use crate::dag::arg::{Arg, ArgDraft};
use crate::dag::each::Split;
use crate::dag::error::BuildError;
use crate::dag::fitness::Fitness;
use crate::dag::label::Labels;
use crate::dag::plan::{ClusterIndex, ClusterKind, MappingIndex, NodeIndex, Source};
use crate::dag::rate::Rate;
use crate::task::{Executor, TaskDef};

/// What is drawn for each element of a list.
#[derive(Debug)]
pub(in crate::dag) struct MappingDraft {
    /// The node whose value is the list.
    pub(in crate::dag) expand: NodeIndex,
    /// The mapping in whose template that node is.
    pub(in crate::dag) parent: Option<MappingIndex>,
    /// The cluster of its template.
    pub(in crate::dag) cluster: Option<ClusterIndex>,
    pub(in crate::dag) split: Split,
    pub(in crate::dag) concurrency: Option<u32>,
    pub(in crate::dag) limit: Option<u32>,
    pub(in crate::dag) rate: Option<Rate>,
    pub(in crate::dag) labels: Option<Labels>,
}

/// A mapping whose template is being drawn, until this is dropped.
pub(in crate::dag) struct OpenMapping {
    /// The expand node: inside the template it represents one element.
    pub(in crate::dag) expand: Handle,
    pub(in crate::dag) mapping: MappingIndex,
    outer: Option<MappingIndex>,
    outer_cluster: Option<ClusterIndex>,
}

impl Drop for OpenMapping {
    /// Leaves the template, also when what draws it panics.
    fn drop(&mut self) {
        with_draft(|draft| (draft.open_mapping, draft.open_cluster) = (self.outer, self.outer_cluster));
    }
}

/// Adds the expand node of a list, and opens its template.
///
/// # Panics
///
/// Outside a `#[dag]` function.
pub(in crate::dag) fn open_mapping(
    list: Handle,
    arg: Arg,
    def: &'static TaskDef,
    split: Split,
    at: &'static Location<'static>,
) -> OpenMapping {
    let expand = add_built_in(def, [arg], (list.source, def.id), at);
    let opened = with_draft(|draft| {
        let (outer, node) = (draft.open_mapping, expand.source.as_task()?);
        let (concurrency, limit, rate, labels) = (None, None, None, None);
        let (parent, cluster) = (outer, None);
        let drawn = MappingDraft { expand: node, parent, cluster, split, concurrency, limit, rate, labels };
        let mapping = draft.mappings.push(drawn);
        draft.nodes[node].expands = Some(mapping);
        draft.open_mapping = Some(mapping);
        let outer_cluster = draft.open_cluster(ClusterKind::Each(mapping));
        draft.mappings[mapping].cluster = draft.open_cluster;
        Some(OpenMapping { expand, mapping, outer, outer_cluster })
    });
    opened.flatten().expect("a node was added to the draft just now")
}

/// Whether this is the node that expands the list of the mapping, whose values are its elements.
pub(in crate::dag) fn is_expand_node(node: Handle, mapping: MappingIndex) -> bool {
    let is_it = |draft: &mut Draft| {
        let expand = draft.mappings.get(mapping).map(|mapping| mapping.expand);
        node.scope == draft.scope && expand.is_some() && node.source.as_task() == expand
    };
    with_draft(is_it).unwrap_or(false)
}

/// Changes the mapping that a node belongs to.
pub(in crate::dag) fn with_mapping(
    node: Handle,
    mapping: MappingIndex,
    at: &'static Location<'static>,
    change: impl FnOnce(&mut MappingDraft),
) {
    with_draft(|draft| match draft.mappings.get_mut(mapping).filter(|_| node.scope == draft.scope) {
        Some(mapping) => change(mapping),
        None => draft.errors.push(BuildError::ForeignOutput { at: at.into() }),
    });
}

/// Sets the executor of the tasks in a template that can run on one and have none of their own.
pub(in crate::dag) fn put_elements_on(
    node: Handle,
    mapping: MappingIndex,
    executor: Executor,
    at: &'static Location<'static>,
) {
    with_draft(|draft| {
        if node.scope != draft.scope {
            return draft.errors.push(BuildError::ForeignOutput { at: at.into() });
        }
        let Draft { nodes, mappings, .. } = draft;
        let outer = |&inner: &MappingIndex| mappings[inner].parent;
        for node in nodes.iter_mut() {
            let inside = std::iter::successors(node.mapping, outer).any(|inner| inner == mapping);
            let own = node.options.as_deref().and_then(|options| options.executor).or(node.def.options.executor);
            // Tasks with unserializable values are reported when the graph is frozen.
            if inside && own.is_none() && matches!(Fitness::of(node.def), Fitness::Can | Fitness::Unwritten) {
                node.options_mut().executor = Some(executor);
            }
        }
    });
}

/// Opens the template that a node belongs to again, from where its values can be taken.
pub(in crate::dag) fn reopen_mapping(
    node: Handle,
    mapping: MappingIndex,
    at: &'static Location<'static>,
) -> Option<OpenMapping> {
    with_draft(|draft| {
        let known = draft.mappings.get(mapping).filter(|_| node.scope == draft.scope);
        let Some(&MappingDraft { expand, parent, cluster, .. }) = known else {
            draft.errors.push(BuildError::ForeignOutput { at: at.into() });
            return None;
        };
        if parent != draft.open_mapping {
            draft.errors.push(BuildError::MappedElsewhere { at: at.into() });
        }
        let outer = draft.open_mapping.replace(mapping);
        let begun = cluster.filter(|&begun| draft.clusters[begun].parent == draft.open_cluster);
        let outer_cluster = match begun {
            Some(begun) => draft.open_cluster.replace(begun),
            None => draft.open_cluster(ClusterKind::Each(mapping)),
        };
        Some(OpenMapping { expand: Handle::new(draft.scope, Source::task(expand)), mapping, outer, outer_cluster })
    })?
}

impl Draft {
    /// Reports an argument of a new node that it cannot take.
    #[inline]
    pub(super) fn check(&mut self, arg: &ArgDraft, at: &'static Location<'static>) {
        // Without mappings, which most graphs do not have, a value is there for every node.
        if !self.mappings.is_empty() || arg.handles().iter().any(|handle| handle.scope != self.scope) {
            self.check_sources(arg, at.into());
        }
    }

    /// Reports the argument if it comes from a graph or an element that the new node cannot see.
    fn check_sources(&mut self, arg: &ArgDraft, at: SourceLocation) {
        let (from, mapped) = (arg.handles(), matches!(arg, ArgDraft::Edges(edges) if edges.is_mapped));
        if from.iter().any(|handle| handle.scope != self.scope) {
            return self.errors.push(BuildError::ForeignOutput { at });
        }
        for node in from.iter().filter_map(|handle| handle.source.as_task()) {
            // The value of an expand node is one element, which is inside.
            let NodeDraft { mapping: own, expands: element_of, .. } = self.nodes[node];
            let fits = if mapped {
                own.is_some_and(|own| !self.is_inside(own) && self.sees(self.mappings[own].parent))
            } else {
                self.sees(element_of.or(own))
            };
            if !fits {
                let task = self.nodes[node].def.id.to_owned();
                self.errors.push(match (mapped, element_of) {
                    (true, _) => BuildError::MappedElsewhere { at },
                    (false, Some(_)) => BuildError::ElementOutside { at },
                    (false, None) => BuildError::MappedTaskOutside { task, at },
                });
            }
        }
    }

    /// Whether what is drawn now is part of the template of this mapping.
    fn is_inside(&self, mapping: MappingIndex) -> bool {
        let outer = |&inner: &MappingIndex| self.mappings[inner].parent;
        std::iter::successors(self.open_mapping, outer).any(|open| open == mapping)
    }

    /// Whether values from there are one value each for what is drawn now.
    fn sees(&self, mapping: Option<MappingIndex>) -> bool {
        mapping.is_none_or(|mapping| self.is_inside(mapping))
    }
}
