//! The task instances of a run: the nodes of its plan, and for every element of a mapped list the
//! nodes of its template.
//!
//! A task instance has a number. Those of nodes outside every mapping are the indices of the nodes,
//! and never change; when an expand node succeeds, a [`Block`] of numbers is added at the end,
//! element by element. The numbers follow from the order of the expansions alone, so a journal that
//! has this order has the numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use super::plan::{Mapping, NodeOptions, Plan};
use crate::task::TriggerRule;

/// The task instances of a run.
#[derive(Debug)]
pub(crate) struct Layout {
    plan: Arc<Plan>,
    blocks: Vec<Block>,
    /// The block of each expand node that has succeeded.
    of_expand: HashMap<u32, u32>,
    /// How many nodes the plan has.
    nodes: u32,
    tasks: u32,
    joins: u32,
}

/// The instances of one template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) mapping: u32,
    /// The task instance that has the list.
    pub(crate) expand: u32,
    /// How many elements.
    pub(crate) count: u32,
    first_task: u32,
    first_join: u32,
}

/// Where a task instance is: in which element of which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) block: u32,
    pub(crate) element: u32,
}

/// The id of the node in that of a task instance: `read` of `read[3][0]`.
pub(crate) fn node_id_of(id: &str) -> &str {
    &id[..id.find('[').unwrap_or(id.len())]
}

/// The places that an id names: `[3, 0]` of `read[3][0]`. For sorting.
pub(crate) fn path_of(id: &str) -> Vec<u32> {
    id.split('[').skip(1).map(|place| place.trim_end_matches(']').parse().unwrap_or(u32::MAX)).collect()
}

impl Layout {
    pub(crate) fn new(plan: Arc<Plan>) -> Self {
        let (tasks, joins) = (plan.len() as u32, plan.joins().len() as u32);
        Layout { plan, blocks: Vec::new(), of_expand: HashMap::new(), nodes: tasks, tasks, joins }
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// How many numbers are in use. The numbers of mapped nodes are not task instances.
    pub(crate) fn len(&self) -> u32 {
        self.tasks
    }

    /// Every task instance, in the order of their numbers.
    pub(crate) fn tasks(&self) -> impl DoubleEndedIterator<Item = u32> + '_ {
        (0..self.tasks).filter(|&task| self.is_instance(task))
    }

    /// Whether the number is that of a task instance, not of a mapped node.
    pub(crate) fn is_instance(&self, task: u32) -> bool {
        task >= self.plan.len() as u32 || !self.plan.is_mapped(task)
    }

    /// Adds the elements of a list. `None` if that would be more task instances than can be
    /// counted.
    pub(crate) fn expand(&mut self, expand: u32, count: u32) -> Option<Block> {
        let mapping = self.plan.place(self.node(expand)).expands?;
        let Mapping { nodes, joins, .. } = &self.plan.mappings()[mapping as usize];
        let grown = |from: u32, each: usize| from.checked_add(count.checked_mul(u32::try_from(each).ok()?)?);
        let (tasks, joined) = (grown(self.tasks, nodes.len())?, grown(self.joins, joins.len())?);
        // The highest bit distinguishes parameters from tasks.
        if tasks >= 1 << 31 {
            return None;
        }
        let block = Block { mapping, expand, count, first_task: self.tasks, first_join: self.joins };
        (self.tasks, self.joins) = (tasks, joined);
        self.of_expand.insert(expand, self.blocks.len() as u32);
        self.blocks.push(block);
        Some(block)
    }

    /// How many elements the list of an expand node may have.
    pub(crate) fn limit(&self, expand: u32) -> Option<u32> {
        let mapping = self.plan.place(self.node(expand)).expands?;
        self.plan.mappings()[mapping as usize].limit
    }

    /// The elements of an expand node, once it has succeeded.
    pub(crate) fn block_of(&self, expand: u32) -> Option<&Block> {
        self.of_expand.get(&expand).map(|&block| &self.blocks[block as usize])
    }

    /// The expanded lists in the order of their expansion: expand nodes and lengths.
    pub(crate) fn expansions(&self) -> Vec<(u32, u32)> {
        self.blocks.iter().map(|block| (block.expand, block.count)).collect()
    }

    /// Where a task instance is, if it is part of an element.
    #[inline]
    pub(crate) fn at(&self, task: u32) -> Option<At> {
        if task < self.nodes { None } else { self.at_element(task) }
    }

    #[cold]
    fn at_element(&self, task: u32) -> Option<At> {
        let block = self.blocks.partition_point(|block| block.first_task <= task) - 1;
        let Block { mapping, first_task, .. } = self.blocks[block];
        let each = self.plan.mappings()[mapping as usize].nodes.len() as u32;
        Some(At { block: block as u32, element: (task - first_task) / each })
    }

    /// The node of a task instance.
    #[inline]
    pub(crate) fn node(&self, task: u32) -> u32 {
        if task < self.nodes { task } else { self.node_of_element(task) }
    }

    #[cold]
    fn node_of_element(&self, task: u32) -> u32 {
        let block = self.blocks.partition_point(|block| block.first_task <= task) - 1;
        let Block { mapping, first_task, .. } = self.blocks[block];
        let nodes = &self.plan.mappings()[mapping as usize].nodes;
        nodes[(task - first_task) as usize % nodes.len()]
    }

    /// The instance of a node in an element, or around it; at the top level without one.
    pub(crate) fn task(&self, node: u32, at: Option<At>) -> Option<u32> {
        let place = self.plan.place(node);
        let Some(mapping) = place.mapping else { return Some(node) };
        let mut at = at?;
        loop {
            let block = &self.blocks[at.block as usize];
            if block.mapping == mapping {
                let each = self.plan.mappings()[mapping as usize].nodes.len() as u32;
                return Some(block.first_task + at.element * each + place.index);
            }
            at = self.at(block.expand)?;
        }
    }

    /// The element that the list of an element is part of, if any.
    pub(crate) fn around(&self, at: At) -> Option<At> {
        self.at(self.blocks[at.block as usize].expand)
    }

    /// The mapping of an element.
    pub(crate) fn mapping_at(&self, at: At) -> u32 {
        self.blocks[at.block as usize].mapping
    }

    /// The expand node of an element.
    pub(crate) fn expand_at(&self, at: At) -> u32 {
        self.blocks[at.block as usize].expand
    }

    /// The instance of a join: as [`Layout::task`] for its node.
    pub(crate) fn join(&self, join: u32, at: Option<At>) -> Option<u32> {
        let node = self.plan.joins()[join as usize].node;
        let place = self.plan.place(node);
        let Some(mapping) = place.mapping else { return Some(join) };
        let mut at = at?;
        loop {
            let block = &self.blocks[at.block as usize];
            if block.mapping == mapping {
                let each = self.plan.mappings()[mapping as usize].joins.len() as u32;
                let index = place.first_join + (join - self.plan.joins_of(node).start);
                return Some(block.first_join + at.element * each + index);
            }
            at = self.at(block.expand)?;
        }
    }

    /// The task instance below a join, and the rule of the join.
    #[inline]
    pub(crate) fn join_rule(&self, join: u32) -> (u32, TriggerRule) {
        match self.plan.joins().get(join as usize) {
            Some(join) => (join.node, join.rule),
            None => self.join_rule_of_element(join),
        }
    }

    #[cold]
    fn join_rule_of_element(&self, join: u32) -> (u32, TriggerRule) {
        let place = self.blocks.partition_point(|block| block.first_join <= join) - 1;
        let Block { mapping, first_join, first_task, .. } = self.blocks[place];
        let Mapping { joins, nodes, .. } = &self.plan.mappings()[mapping as usize];
        let (element, index) = ((join - first_join) as usize / joins.len(), (join - first_join) as usize % joins.len());
        let join = &self.plan.joins()[joins[index] as usize];
        let task = first_task + (element * nodes.len()) as u32 + self.plan.place(join.node).index;
        (task, join.rule)
    }

    /// The joins of a task instance.
    pub(crate) fn joins_of(&self, task: u32) -> impl Iterator<Item = u32> + '_ {
        let at = self.at(task);
        self.plan.joins_of(self.node(task)).filter_map(move |join| self.join(join, at))
    }

    /// All upstreams of a task instance, by value and by order; for a consumer of all elements,
    /// each of them.
    pub(crate) fn upstreams(&self, task: u32) -> Vec<u32> {
        let (node, at) = (self.node(task), self.at(task));
        let own = self.plan.place(node).mapping;
        let mut upstreams: Vec<u32> = Vec::new();
        for upstream in self.plan.upstreams(node) {
            match self.plan.place(upstream).mapping {
                Some(mapping) if !self.plan.is_within(own, Some(mapping)) => {
                    let elements = self.elements(mapping, at).into_iter();
                    upstreams.extend(elements.filter_map(|at| self.task(upstream, Some(at))));
                }
                _ => upstreams.extend(self.task(upstream, at)),
            }
        }
        upstreams
    }

    /// The options of a task instance.
    #[inline]
    pub(crate) fn options(&self, task: u32) -> &NodeOptions {
        self.plan.node_options(self.node(task))
    }

    /// The elements of a mapping that are there below an element (or below the top level), over all
    /// lists in between.
    pub(crate) fn elements(&self, mapping: u32, below: Option<At>) -> Vec<At> {
        let around = below.map(|at| self.blocks[at.block as usize].mapping);
        let outer = |&mapping: &u32| self.plan.mappings()[mapping as usize].parent;
        let way: Vec<u32> = std::iter::successors(Some(mapping), outer).take_while(|&it| Some(it) != around).collect();
        let mut found = vec![below];
        for &mapping in way.iter().rev() {
            let expand = self.plan.mappings()[mapping as usize].expand;
            let inner = found.iter().flat_map(|&at| {
                let block = self.task(expand, at).and_then(|expand| self.of_expand.get(&expand).copied());
                let count = block.map_or(0, |block| self.blocks[block as usize].count);
                (0..count).map(move |element| block.map(|block| At { block, element }))
            });
            found = inner.collect();
        }
        found.into_iter().flatten().collect()
    }

    /// The id of a task instance: that of its node, with the places in the lists around it from the
    /// outermost to its own.
    pub(crate) fn id(&self, task: u32) -> Cow<'_, str> {
        let id = self.plan.nodes()[self.node(task) as usize].id();
        let Some(own) = self.at(task) else { return Cow::Borrowed(id) };
        let outer = |at: &At| self.at(self.blocks[at.block as usize].expand);
        let mut way: Vec<u32> = std::iter::successors(Some(own), outer).map(|at| at.element).collect();
        way.reverse();
        let mut id = id.to_owned();
        for element in way {
            // Writing to a `String` cannot fail.
            let _ = write!(id, "[{element}]");
        }
        Cow::Owned(id)
    }

    /// The task instance with this id. Searches the whole plan.
    pub(crate) fn find(&self, id: &str) -> Option<u32> {
        let name = id.split('[').next()?;
        let node = self.plan.find(name)?;
        let mut at: Option<At> = None;
        let mut way: Vec<u32> = Vec::new();
        let outer = |&mapping: &u32| self.plan.mappings()[mapping as usize].parent;
        way.extend(std::iter::successors(self.plan.place(node).mapping, outer));
        let mut rest = &id[name.len()..];
        for &mapping in way.iter().rev() {
            let (element, after) = rest.strip_prefix('[')?.split_once(']')?;
            let expand = self.task(self.plan.mappings()[mapping as usize].expand, at)?;
            let block = *self.of_expand.get(&expand)?;
            let element: u32 = element.parse().ok()?;
            at = Some(At { block, element }).filter(|_| element < self.blocks[block as usize].count);
            at?;
            rest = after;
        }
        if rest.is_empty() { self.task(node, at) } else { None }
    }
}
