//! The graph under construction.
//!
//! One builder a thread: [`trace`] opens it, the calls inside the traced function add to it, and it is taken out again
//! when the function returns. Traces may nest (a DAG's function that asks for the plan of another); each has its own
//! scope number, by which a handle of another graph is recognised.

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicU32, Ordering};

use super::arg::{Arg, ArgDraft};
use super::each::Split;
use super::error::BuildError;
use super::output::Output;
use super::plan::Source;
use crate::task::{SourceLocation, TaskDef, TaskOptions};

/// Which value of which graph an [`Output`] stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    pub(super) scope: u32,
    pub(super) source: Source,
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.source, f)
    }
}

/// What a traced function drew, before it is checked.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) scope: u32,
    pub(super) params: Vec<&'static str>,
    pub(super) nodes: Vec<NodeDraft>,
    pub(super) args: Vec<ArgDraft>,
    pub(super) orders: Vec<Order>,
    pub(super) groups: Vec<GroupDraft>,
    pub(super) errors: Vec<BuildError>,
    pub(super) mappings: Vec<MappingDraft>,
    open_group: Option<u32>,
    open_mapping: Option<u32>,
}

#[derive(Debug)]
pub(super) struct NodeDraft {
    pub(super) def: &'static TaskDef,
    pub(super) explicit_id: Option<String>,
    /// Boxed because most nodes have none.
    pub(super) options: Option<Box<TaskOptions>>,
    /// The first of its arguments; they end where those of the next node begin.
    pub(super) first_arg: u32,
    pub(super) group: Option<u32>,
    /// The mapping in whose template it is.
    pub(super) mapping: Option<u32>,
    pub(super) at: &'static Location<'static>,
}

/// What is drawn for each element of a list.
#[derive(Debug)]
pub(super) struct MappingDraft {
    /// The node that has the list.
    pub(super) expand: u32,
    /// The mapping in whose template that node is.
    pub(super) parent: Option<u32>,
    pub(super) split: Split,
}

impl NodeDraft {
    pub(super) fn options_mut(&mut self) -> &mut TaskOptions {
        self.options.get_or_insert_default()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub(super) upstream: u32,
    pub(super) downstream: u32,
    pub(super) at: &'static Location<'static>,
}

#[derive(Debug)]
pub(super) struct GroupDraft {
    pub(super) name: String,
    pub(super) parent: Option<u32>,
    pub(super) at: &'static Location<'static>,
}

thread_local! {
    static OPEN: RefCell<Vec<Draft>> = const { RefCell::new(Vec::new()) };
}

/// Runs `function` with a builder for its calls.
pub(super) fn trace<R>(params: Vec<&'static str>, function: impl FnOnce(u32) -> R) -> (Draft, R) {
    static SCOPES: AtomicU32 = AtomicU32::new(0);

    /// Takes the draft out again, also when `function` panics.
    struct Opened;
    impl Drop for Opened {
        fn drop(&mut self) {
            OPEN.with_borrow_mut(Vec::pop);
        }
    }

    let scope = SCOPES.fetch_add(1, Ordering::Relaxed);
    OPEN.with_borrow_mut(|open| {
        open.push(Draft {
            scope,
            params,
            nodes: Vec::new(),
            args: Vec::new(),
            orders: Vec::new(),
            groups: Vec::new(),
            errors: Vec::new(),
            mappings: Vec::new(),
            open_group: None,
            open_mapping: None,
        });
    });
    let opened = Opened;
    let result = function(scope);
    std::mem::forget(opened);
    let draft = OPEN.with_borrow_mut(Vec::pop).expect("the draft pushed above is still there");
    (draft, result)
}

fn with_draft<R>(change: impl FnOnce(&mut Draft) -> R) -> Option<R> {
    OPEN.with_borrow_mut(|open| open.last_mut().map(change))
}

/// Adds a call of `def` to the graph under construction. What `#[task]` functions do.
///
/// # Panics
///
/// Outside a `#[dag]` function, with the place of the call and the way out.
#[doc(hidden)]
#[track_caller]
pub fn add_task<T, const N: usize>(def: &'static TaskDef, args: [Arg; N]) -> Output<T> {
    match add_node(def, &mut args.into_iter(), Location::caller()) {
        Some(handle) => Output::new(handle),
        None => panic!(
            "the task `{id}` was called outside a `#[dag]` function; \
             to run the function itself, in a unit test say, call `{id}::call(..)`",
            id = def.id,
        ),
    }
}

fn add_node(
    def: &'static TaskDef,
    args: &mut dyn Iterator<Item = Arg>,
    at: &'static Location<'static>,
) -> Option<Handle> {
    with_draft(|draft| {
        let first_arg = index(draft.args.len());
        for Arg(arg) in args {
            draft.check(&arg, at.into());
            draft.args.push(arg);
        }
        let source = Source::task(index(draft.nodes.len()));
        let (group, mapping) = (draft.open_group, draft.open_mapping);
        draft.nodes.push(NodeDraft { def, explicit_id: None, options: None, first_arg, group, mapping, at });
        Handle { scope: draft.scope, source }
    })
}

/// A mapping whose template is being drawn, until this is dropped.
pub(super) struct OpenMapping {
    /// The expand node: inside the template it stands for one element.
    pub(super) expand: Handle,
    pub(super) mapping: u32,
    outer: Option<u32>,
}

impl Drop for OpenMapping {
    /// Leaves the template, also when what draws it panics.
    fn drop(&mut self) {
        with_draft(|draft| draft.open_mapping = self.outer);
    }
}

/// Adds the expand node of a list, and opens its template.
///
/// # Panics
///
/// Outside a `#[dag]` function, where there is no output to call it on.
pub(super) fn open_mapping(
    list: Arg,
    def: &'static TaskDef,
    split: Split,
    at: &'static Location<'static>,
) -> OpenMapping {
    let opened = add_node(def, &mut std::iter::once(list), at).and_then(|expand| {
        with_draft(|draft| {
            let (outer, node) = (draft.open_mapping, expand.source.as_task()?);
            draft.mappings.push(MappingDraft { expand: node, parent: outer, split });
            let mapping = index(draft.mappings.len() - 1);
            draft.open_mapping = Some(mapping);
            Some(OpenMapping { expand, mapping, outer })
        })?
    });
    opened.unwrap_or_else(|| panic!("`each` was called outside a `#[dag]` function (at {at})"))
}

/// Opens the template that a node belongs to again, from where its values can be taken.
pub(super) fn reopen_mapping(node: Handle, mapping: u32, at: &'static Location<'static>) -> Option<OpenMapping> {
    with_draft(|draft| {
        let known = draft.mappings.get(mapping as usize).filter(|_| node.scope == draft.scope);
        let Some(&MappingDraft { expand, parent, .. }) = known else {
            draft.errors.push(BuildError::ForeignOutput { at: at.into() });
            return None;
        };
        if parent != draft.open_mapping {
            draft.errors.push(BuildError::MappedElsewhere { at: at.into() });
        }
        let outer = draft.open_mapping.replace(mapping);
        Some(OpenMapping { expand: Handle { scope: draft.scope, source: Source::task(expand) }, mapping, outer })
    })?
}

/// Changes the node behind `handle`, or reports why that is impossible.
pub(super) fn with_node(handle: Handle, at: &'static Location<'static>, change: impl FnOnce(&mut NodeDraft)) {
    with_draft(|draft| match draft.task_of(handle, at) {
        Ok(task) => change(&mut draft.nodes[task as usize]),
        Err(error) => draft.errors.push(error),
    });
}

pub(super) fn add_order(upstream: Handle, downstream: Handle, at: &'static Location<'static>) {
    with_draft(|draft| match (draft.task_of(upstream, at), draft.task_of(downstream, at)) {
        (Ok(upstream), Ok(downstream)) => draft.orders.push(Order { upstream, downstream, at }),
        (Err(error), _) | (_, Err(error)) => draft.errors.push(error),
    });
}

pub(super) fn report(error: BuildError) {
    with_draft(|draft| draft.errors.push(error));
}

impl Draft {
    /// Reports what an argument of a new node takes and cannot have.
    fn check(&mut self, arg: &ArgDraft, at: SourceLocation) {
        let (from, mapped): (&[Handle], bool) = match arg {
            ArgDraft::Constant(_) => return,
            ArgDraft::One { from, .. } => (std::slice::from_ref(from), false),
            ArgDraft::Many { from, .. } => (from, false),
            ArgDraft::Mapped { from, .. } => (std::slice::from_ref(from), true),
        };
        if from.iter().any(|handle| handle.scope != self.scope) {
            return self.errors.push(BuildError::ForeignOutput { at });
        }
        for node in from.iter().filter_map(|handle| handle.source.as_task()) {
            let own = self.nodes[node as usize].mapping;
            // An expand node stands for one element, and that is inside.
            let element_of = self.mappings.iter().position(|mapping| mapping.expand == node).map(index);
            let fits = if mapped {
                own.is_some_and(|own| !self.is_inside(own) && self.sees(self.mappings[own as usize].parent))
            } else {
                self.sees(element_of.or(own))
            };
            if !fits {
                let task = self.nodes[node as usize].def.id.to_owned();
                self.errors.push(match (mapped, element_of) {
                    (true, _) => BuildError::MappedElsewhere { at },
                    (false, Some(_)) => BuildError::ElementOutside { at },
                    (false, None) => BuildError::MappedTaskOutside { task, at },
                });
            }
        }
    }

    /// Whether what is drawn now is part of the template of this mapping.
    fn is_inside(&self, mapping: u32) -> bool {
        let outer = |&inner: &u32| self.mappings[inner as usize].parent;
        std::iter::successors(self.open_mapping, outer).any(|open| open == mapping)
    }

    /// Whether values from there are one value each for what is drawn now.
    fn sees(&self, mapping: Option<u32>) -> bool {
        mapping.is_none_or(|mapping| self.is_inside(mapping))
    }

    fn task_of(&self, handle: Handle, at: &'static Location<'static>) -> Result<u32, BuildError> {
        let at = SourceLocation::from(at);
        if handle.scope != self.scope {
            return Err(BuildError::ForeignOutput { at });
        }
        handle.source.as_task().ok_or_else(|| {
            let param = handle.source.as_param().and_then(|index| self.params.get(index as usize));
            BuildError::NotATask { param: (*param.unwrap_or(&"?")).to_owned(), at }
        })
    }
}

/// Draws a box around the nodes that `body` adds, and puts `name.` before their ids. Boxes nest.
///
/// ```
/// # use taskflow::prelude::*;
/// # #[task] fn convert(raw: String) -> String { raw }
/// # #[task] fn load(table: &str, rows: &str) -> usize { table.len() + rows.len() }
/// # #[dag] fn daily(raw: String) -> usize {
/// let loaded = group("warehouse", || {
///     let rows = convert(raw);
///     load("flights", rows) // the id of this node is `warehouse.load`
/// });
/// # loaded }
/// # assert!(daily::def().plan().unwrap().find("warehouse.load").is_some());
/// ```
///
/// A name used twice gets a number, as tasks do: `warehouse`, `warehouse_2`. Outside a `#[dag]` function it only calls
/// `body`.
#[track_caller]
pub fn group<R>(name: &str, body: impl FnOnce() -> R) -> R {
    /// Leaves the group, also when `body` panics.
    struct Entered(Option<u32>);
    impl Drop for Entered {
        fn drop(&mut self) {
            with_draft(|draft| draft.open_group = self.0);
        }
    }

    let at = Location::caller();
    let _entered = with_draft(|draft| {
        let parent = draft.open_group;
        draft.open_group = Some(index(draft.groups.len()));
        draft.groups.push(GroupDraft { name: name.to_owned(), parent, at });
        Entered(parent)
    });
    body()
}

/// Graphs are indexed by `u32`; more nodes than that do not fit in memory either.
pub(super) fn index(length: usize) -> u32 {
    u32::try_from(length).expect("a graph has fewer than 2^32 nodes, arguments and edges")
}
