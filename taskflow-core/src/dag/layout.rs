//! The task instances of a run: the nodes of its plan, and for every element of a mapped list the
//! nodes of its template.
//!
//! A task instance has a number. Those of nodes outside every mapping are the indices of the nodes,
//! and never change; when an expand node succeeds, a [`Block`] of numbers is added at the end,
//! element by element. The numbers follow from the order of the expansions alone, so a journal that
//! has this order has the numbers. A list that is to be expanded again in the same session keeps
//! the numbers of its elements, which are no task instances any more ([`Layout::retire`]).

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

use super::plan::{ArgPlan, JoinIndex, Mapping, MappingIndex, NodeIndex, NodeOptions, Plan};
use crate::base::index::{IndexVec, Indexing as _, index_type, indices};
use crate::run::TaskIndex;
use crate::task::TriggerRule;

index_type! {
    /// A join of a run. The joins of nodes outside every mapping have the numbers that they have in
    /// the plan; those of elements have higher ones.
    pub(crate) struct RunJoinIndex;
    /// The block of an expanded list.
    pub(crate) struct BlockIndex;
}

/// The task instances of a run.
#[derive(Debug)]
pub(crate) struct Layout {
    plan: Arc<Plan>,
    blocks: IndexVec<BlockIndex, Block>,
    /// The block of each expand node that has succeeded.
    of_expand: HashMap<TaskIndex, BlockIndex>,
    /// Whether any block is retired.
    has_retired: bool,
    /// The first number that is not one of a node.
    elements: TaskIndex,
    next_task: TaskIndex,
    next_join: RunJoinIndex,
}

/// The instances of one template.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    pub(crate) mapping: MappingIndex,
    /// The task instance that has the list.
    pub(crate) expand: TaskIndex,
    /// How many elements.
    pub(crate) count: u32,
    first_task: TaskIndex,
    first_join: RunJoinIndex,
    /// Its list is to be expanded again, or was.
    is_retired: bool,
}

/// Where a task instance is: in which element of which block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) block: BlockIndex,
    pub(crate) element: u32,
}

impl NodeIndex {
    /// The task instance of the node, if the node is outside every `each`: then it has the number
    /// of its node.
    #[inline]
    pub const fn task(self) -> TaskIndex {
        TaskIndex::new(self.as_u32())
    }
}

impl Plan {
    /// The node of a task instance outside every `each`. For one of an element see
    /// [`TaskReport::node`](crate::engine::TaskReport::node).
    pub fn node_of(&self, task: TaskIndex) -> Option<NodeIndex> {
        let node = NodeIndex::new(task.as_u32());
        (task.as_usize() < self.len() && !self.is_mapped(node)).then_some(node)
    }
}

impl RunJoinIndex {
    /// The join of a node outside every mapping: it has the number that it has in the plan.
    #[inline]
    pub(crate) fn of(join: JoinIndex) -> Self {
        RunJoinIndex::new(join.as_u32())
    }
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
        let (next_task, next_join) = (TaskIndex::at(plan.len()), RunJoinIndex::at(plan.joins().len()));
        let (blocks, of_expand) = (IndexVec::new(), HashMap::new());
        Layout { plan, blocks, of_expand, has_retired: false, elements: next_task, next_task, next_join }
    }

    pub(crate) fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Every number in use. Those of mapped nodes are not task instances.
    pub(crate) fn numbers(&self) -> Range<TaskIndex> {
        TaskIndex::default()..self.next_task
    }

    /// Every task instance, in the order of their numbers.
    pub(crate) fn tasks(&self) -> impl DoubleEndedIterator<Item = TaskIndex> + '_ {
        indices(self.numbers()).filter(|&task| self.is_instance(task))
    }

    /// Whether the number is that of a task instance, not of a mapped node.
    pub(crate) fn is_instance(&self, task: TaskIndex) -> bool {
        if task >= self.elements {
            return !(self.has_retired && self.blocks[self.block_with(task)].is_retired);
        }
        !self.plan.is_mapped(self.node(task))
    }

    /// Retires the elements of an expand node, and those of lists inside them: the list is expanded
    /// again. Returns the numbers of all of them.
    pub(crate) fn retire(&mut self, expand: TaskIndex) -> Vec<TaskIndex> {
        let mut retired = Vec::new();
        let mut open = vec![expand];
        while let Some(expand) = open.pop() {
            let Some(block) = self.of_expand.remove(&expand) else { continue };
            self.has_retired = true;
            let Block { mapping, count, first_task, .. } = self.blocks[block];
            self.blocks[block].is_retired = true;
            let tasks = first_task..first_task + count * self.plan.mapping(mapping).nodes.len() as u32;
            open.extend(self.of_expand.keys().filter(|inner| tasks.contains(inner)));
            retired.extend(indices(tasks));
        }
        retired
    }

    /// Adds the elements of a list. `None` if that would be more task instances than can be
    /// counted.
    pub(crate) fn expand(&mut self, expand: TaskIndex, count: u32) -> Option<Block> {
        let mapping = self.plan.place(self.node(expand)).expands?;
        let Mapping { nodes, joins, .. } = self.plan.mapping(mapping);
        let grown = |from: u32, each: usize| from.checked_add(count.checked_mul(u32::try_from(each).ok()?)?);
        let (tasks, joined) =
            (grown(self.next_task.as_u32(), nodes.len())?, grown(self.next_join.as_u32(), joins.len())?);
        // The highest bit distinguishes parameters from tasks.
        if tasks >= 1 << 31 {
            return None;
        }
        let block =
            Block { mapping, expand, count, first_task: self.next_task, first_join: self.next_join, is_retired: false };
        (self.next_task, self.next_join) = (TaskIndex::new(tasks), RunJoinIndex::new(joined));
        self.of_expand.insert(expand, self.blocks.push(block));
        Some(block)
    }

    /// The expand nodes whose elements are retired and that have not been expanded since.
    pub(crate) fn retired(&self) -> Vec<TaskIndex> {
        let retired = self.blocks.iter().filter(|block| block.is_retired).map(|block| block.expand);
        retired.filter(|expand| !self.of_expand.contains_key(expand)).collect()
    }

    /// The task that the list of an expand node is taken from; `None` for a parameter of the DAG.
    pub(crate) fn source_of_list(&self, expand: TaskIndex) -> Option<TaskIndex> {
        let mut sources = self.plan.args(self.node(expand)).filter_map(|arg| match arg {
            ArgPlan::Constant(_) => None,
            ArgPlan::Edges(edges) => edges.sources().first()?.as_task(),
        });
        self.task(sources.next()?, self.at(expand))
    }

    /// How many elements the list of an expand node may have.
    pub(crate) fn limit(&self, expand: TaskIndex) -> Option<u32> {
        let mapping = self.plan.place(self.node(expand)).expands?;
        self.plan.mapping(mapping).limit
    }

    /// The elements of an expand node, once it has succeeded.
    pub(crate) fn block_of(&self, expand: TaskIndex) -> Option<&Block> {
        self.of_expand.get(&expand).map(|&block| &self.blocks[block])
    }

    /// The expanded lists in the order of their expansion: expand nodes and lengths. Those that
    /// were expanded again are there each time.
    pub(crate) fn expansions(&self) -> Vec<(TaskIndex, u32)> {
        self.blocks.iter().map(|block| (block.expand, block.count)).collect()
    }

    /// Where a task instance is, if it is part of an element.
    #[inline]
    pub(crate) fn at(&self, task: TaskIndex) -> Option<At> {
        if task < self.elements { None } else { self.at_element(task) }
    }

    #[cold]
    fn at_element(&self, task: TaskIndex) -> Option<At> {
        let block = self.block_with(task);
        let Block { mapping, first_task, .. } = self.blocks[block];
        let each = self.plan.mapping(mapping).nodes.len() as u32;
        Some(At { block, element: (task - first_task) / each })
    }

    /// The node of a task instance.
    #[inline]
    pub(crate) fn node(&self, task: TaskIndex) -> NodeIndex {
        if task < self.elements { NodeIndex::new(task.as_u32()) } else { self.node_of_element(task) }
    }

    #[cold]
    fn node_of_element(&self, task: TaskIndex) -> NodeIndex {
        let Block { mapping, first_task, .. } = self.blocks[self.block_with(task)];
        let nodes = &self.plan.mapping(mapping).nodes;
        nodes[(task - first_task) as usize % nodes.len()]
    }

    /// The block that a task instance of an element is in.
    fn block_with(&self, task: TaskIndex) -> BlockIndex {
        BlockIndex::at(self.blocks.as_slice().partition_point(|block| block.first_task <= task) - 1)
    }

    /// The instance of a node in an element, or around it; at the top level without one.
    pub(crate) fn task(&self, node: NodeIndex, at: Option<At>) -> Option<TaskIndex> {
        let place = self.plan.place(node);
        let Some(mapping) = place.mapping else { return Some(node.task()) };
        let mut at = at?;
        loop {
            let block = &self.blocks[at.block];
            if block.mapping == mapping {
                let each = self.plan.mapping(mapping).nodes.len() as u32;
                return Some(block.first_task + at.element * each + place.index);
            }
            at = self.at(block.expand)?;
        }
    }

    /// The element that the list of an element is part of, if any.
    pub(crate) fn around(&self, at: At) -> Option<At> {
        self.at(self.blocks[at.block].expand)
    }

    /// The mapping of an element.
    pub(crate) fn mapping_at(&self, at: At) -> MappingIndex {
        self.blocks[at.block].mapping
    }

    /// The expand node of an element.
    pub(crate) fn expand_at(&self, at: At) -> TaskIndex {
        self.blocks[at.block].expand
    }

    /// The instance of a join: as [`Layout::task`] for its node.
    pub(crate) fn join(&self, join: JoinIndex, at: Option<At>) -> Option<RunJoinIndex> {
        let node = self.plan.join(join).node;
        let place = self.plan.place(node);
        let Some(mapping) = place.mapping else { return Some(RunJoinIndex::of(join)) };
        let mut at = at?;
        loop {
            let block = &self.blocks[at.block];
            if block.mapping == mapping {
                let each = self.plan.mapping(mapping).joins.len() as u32;
                let index = place.first_join + (join - self.plan.joins_of(node).start);
                return Some(block.first_join + at.element * each + index);
            }
            at = self.at(block.expand)?;
        }
    }

    /// The task instance below a join, and the rule of the join.
    #[inline]
    pub(crate) fn join_rule(&self, join: RunJoinIndex) -> (TaskIndex, TriggerRule) {
        match self.plan.joins().get(join.as_usize()) {
            Some(join) => (join.node.task(), join.rule),
            None => self.join_rule_of_element(join),
        }
    }

    #[cold]
    fn join_rule_of_element(&self, join: RunJoinIndex) -> (TaskIndex, TriggerRule) {
        let place = self.blocks.as_slice().partition_point(|block| block.first_join <= join) - 1;
        let Block { mapping, first_join, first_task, .. } = self.blocks[BlockIndex::at(place)];
        let Mapping { joins, nodes, .. } = self.plan.mapping(mapping);
        let (element, index) = ((join - first_join) as usize / joins.len(), (join - first_join) as usize % joins.len());
        let join = self.plan.join(joins[index]);
        let task = first_task + (element * nodes.len()) as u32 + self.plan.place(join.node).index;
        (task, join.rule)
    }

    /// The joins of a task instance.
    pub(crate) fn joins_of(&self, task: TaskIndex) -> impl Iterator<Item = RunJoinIndex> + '_ {
        let at = self.at(task);
        indices(self.plan.joins_of(self.node(task))).filter_map(move |join| self.join(join, at))
    }

    /// All upstreams of a task instance, by value and by order; for a consumer of all elements,
    /// each of them.
    pub(crate) fn upstreams(&self, task: TaskIndex) -> Vec<TaskIndex> {
        let (node, at) = (self.node(task), self.at(task));
        let own = self.plan.place(node).mapping;
        let mut upstreams: Vec<TaskIndex> = Vec::new();
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
    pub(crate) fn options(&self, task: TaskIndex) -> &NodeOptions {
        self.plan.node_options(self.node(task))
    }

    /// The elements of a mapping that are there below an element (or below the top level), over all
    /// lists in between.
    pub(crate) fn elements(&self, mapping: MappingIndex, below: Option<At>) -> Vec<At> {
        let around = below.map(|at| self.blocks[at.block].mapping);
        let outer = |&mapping: &MappingIndex| self.plan.mapping(mapping).parent;
        let way: Vec<MappingIndex> =
            std::iter::successors(Some(mapping), outer).take_while(|&it| Some(it) != around).collect();
        let mut found = vec![below];
        for &mapping in way.iter().rev() {
            let expand = self.plan.mapping(mapping).expand;
            let inner = found.iter().flat_map(|&at| {
                let block = self.task(expand, at).and_then(|expand| self.of_expand.get(&expand).copied());
                let count = block.map_or(0, |block| self.blocks[block].count);
                (0..count).map(move |element| block.map(|block| At { block, element }))
            });
            found = inner.collect();
        }
        found.into_iter().flatten().collect()
    }

    /// The id of a task instance: that of its node, with the places in the lists around it from the
    /// outermost to its own.
    pub(crate) fn id(&self, task: TaskIndex) -> Cow<'_, str> {
        let id = self.plan.node(self.node(task)).id();
        let Some(own) = self.at(task) else { return Cow::Borrowed(id) };
        let outer = |at: &At| self.at(self.blocks[at.block].expand);
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
    pub(crate) fn find(&self, id: &str) -> Option<TaskIndex> {
        self.find_of(self.plan.find(node_id_of(id))?, id)
    }

    /// The task instance of this node with this id.
    pub(crate) fn find_of(&self, node: NodeIndex, id: &str) -> Option<TaskIndex> {
        let name = node_id_of(id);
        let mut at: Option<At> = None;
        let mut way: Vec<MappingIndex> = Vec::new();
        let outer = |&mapping: &MappingIndex| self.plan.mapping(mapping).parent;
        way.extend(std::iter::successors(self.plan.place(node).mapping, outer));
        let mut rest = &id[name.len()..];
        for &mapping in way.iter().rev() {
            let (element, after) = rest.strip_prefix('[')?.split_once(']')?;
            let expand = self.task(self.plan.mapping(mapping).expand, at)?;
            let block = *self.of_expand.get(&expand)?;
            let element: u32 = element.parse().ok()?;
            at = Some(At { block, element }).filter(|_| element < self.blocks[block].count);
            at?;
            rest = after;
        }
        if rest.is_empty() { self.task(node, at) } else { None }
    }
}
