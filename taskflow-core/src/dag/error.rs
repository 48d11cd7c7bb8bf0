//! Errors of a graph that the compiler cannot find.

use std::fmt;

use crate::base::SourceLocation;
use crate::base::{ErrorKind, nearest};

/// One error of a DAG, with the task and the location it concerns.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two nodes have the same id.
    #[error(
        "two tasks have the id `{id}`: one at {first}, one at {second}; give one of them another id with `.id(\"..\")`"
    )]
    DuplicateId {
        /// The id.
        id: String,
        /// The first node.
        first: SourceLocation,
        /// The second node.
        second: SourceLocation,
    },
    /// An id that is empty or contains other characters than letters, digits, `_`, `-` and `.`.
    #[error("`{id}` (at {at}) is not a valid id: use letters, digits, `_`, `-` and `.`, at least one and at most 250")]
    InvalidId {
        /// The id.
        id: String,
        /// The node or the group.
        at: SourceLocation,
    },
    /// Order edges that form a cycle.
    #[error("the graph has a cycle through {}; remove one of the edges created at {}", list(members), list(edges))]
    Cycle {
        /// The tasks on the cycle.
        members: Vec<String>,
        /// Where the order edges among them are written.
        edges: Vec<SourceLocation>,
    },
    /// An output that belongs to another DAG, or to an earlier run of this one's function.
    #[error(
        "an output of another graph is used at {at}; an `Output` is valid only inside the `#[dag]` function that made it"
    )]
    ForeignOutput {
        /// The use.
        at: SourceLocation,
    },
    /// An element of a list, used outside the `each` that goes through it.
    #[error(
        "an element of a list is used outside its `each` (at {at}); use it inside the closure, and return from there what \
             is needed outside"
    )]
    ElementOutside {
        /// The use.
        at: SourceLocation,
    },
    /// A limit that lets no task of a mapping run.
    #[error(
        "`.concurrency(0)` (at {at}) allows no task of the elements to run; set how many may run at once, or leave it out"
    )]
    NoConcurrency {
        /// The call.
        at: SourceLocation,
    },
    /// An invalid rate.
    #[error("`.rate(..)` (at {at}): {message}")]
    Rate {
        /// What is wrong.
        message: String,
        /// The call.
        at: SourceLocation,
    },
    /// Batches of no elements.
    #[error("`.batch(0)` (at {at}) makes batches without elements; set how many elements a batch may have")]
    NoBatch {
        /// The call.
        at: SourceLocation,
    },
    /// An option of sensors on another task.
    #[error(
        "`.{option}(..)` (at {at}) is for sensors, and `{task}` is not one: write `#[sensor]` instead of `#[task]`"
    )]
    NoSensor {
        /// The task.
        task: String,
        /// The option.
        option: &'static str,
        /// The call.
        at: SourceLocation,
    },
    /// A task on an executor where it cannot run.
    #[error("`{task}` (at {at}) cannot run on executors of {executor}: {reason}")]
    NotElsewhere {
        /// The task.
        task: String,
        /// The kind of executor.
        executor: &'static str,
        /// Why not, and what to do.
        reason: &'static str,
        /// The node.
        at: SourceLocation,
    },
    /// A task inside an `each`, used outside.
    #[error(
        "`{task}` is inside an `each` and is used outside (at {at}), where it has one value for each element; \
             return it from the closure, and pass on the result of the `each`"
    )]
    MappedTaskOutside {
        /// The task.
        task: String,
        /// The use.
        at: SourceLocation,
    },
    /// The result of an `each`, used inside that `each` or in another one.
    #[error(
        "the result of an `each` is used inside another `each` than the one around it (at {at}); make a list of it \
             with `.collect()` where it belongs, and use that"
    )]
    MappedElsewhere {
        /// The use.
        at: SourceLocation,
    },
    /// An option or an order edge on a parameter.
    #[error("the parameter `{param}` of the DAG is not a task: it has no options and no place in the order (at {at})")]
    NotATask {
        /// The parameter.
        param: String,
        /// The use.
        at: SourceLocation,
    },
    /// A pool that was not declared.
    #[error("task `{task}` (at {at}) uses the pool `{pool}`, which is not declared; {}", known_pools(pool, known))]
    UnknownPool {
        /// The task.
        task: String,
        /// The unknown name.
        pool: String,
        /// The declared ones.
        known: Vec<String>,
        /// The node.
        at: SourceLocation,
    },
    /// A task that takes more slots than its pool has: it could never run.
    #[error("task `{task}` (at {at}) takes {wanted} slots of the pool `{pool}`, which has {slots}")]
    PoolTooSmall {
        /// The task.
        task: String,
        /// The pool.
        pool: String,
        /// What the task takes.
        wanted: u32,
        /// What the pool has.
        slots: u32,
        /// The node.
        at: SourceLocation,
    },
    /// `chain` with two neighbouring lists of different lengths.
    #[error(
        "`chain` (at {at}) connects a list of {left} with a list of {right} tasks; make them equally long, or use `chain_linear` to connect each with each"
    )]
    UnevenChain {
        /// The length of the left list.
        left: usize,
        /// The length of the right list.
        right: usize,
        /// The call.
        at: SourceLocation,
    },
    /// A trigger rule that nothing could ever trigger.
    #[error(
        "task `{task}` (at {at}) has the trigger rule `{rule}` but no upstream connected by order (`a >> b`); for a value, the type of the parameter is the rule: `Option<T>` runs after a skip, `Result<T, Failure>` after a failure"
    )]
    RuleWithoutOrder {
        /// The task.
        task: String,
        /// The rule.
        rule: String,
        /// The node.
        at: SourceLocation,
    },
    /// An `AnyOf` of nothing, which no upstream could ever be the first of.
    #[error("the list for `{input}` of task `{task}` (at {at}) is empty: an `AnyOf` needs at least one upstream")]
    EmptyAnyOf {
        /// The task.
        task: String,
        /// The parameter.
        input: String,
        /// The node.
        at: SourceLocation,
    },
    /// A rule for a group that nothing triggers.
    #[error(
        "the group `{group}` (at {at}) has a trigger rule but comes after nothing; set what it comes after with `.after(..)`, or remove the rule"
    )]
    GroupRule {
        /// The group.
        group: String,
        /// The group's place.
        at: SourceLocation,
    },
    /// A group with retries that contains an `each`, or is inside one.
    #[error(
        "the group `{group}` (at {at}) has retries, and contains an `each`, is inside one, or takes the result of one; \
             elements are retried one by one: set the retries on their tasks, or on the whole DAG, and pass the result of an \
             `each` through `.collect()`"
    )]
    GroupOfElements {
        /// The group.
        group: String,
        /// The group's place.
        at: SourceLocation,
    },
    /// A group with retries inside another one.
    #[error("the group `{group}` (at {at}) has retries, and so has a group inside it; set them on one of the two")]
    GroupInGroup {
        /// The outer group.
        group: String,
        /// The group's place.
        at: SourceLocation,
    },
    /// A group with retries whose tasks wait for tasks that wait for the group.
    #[error(
        "the group `{group}` (at {at}) is retried as a whole, and forms a cycle with {}; draw that in the group, or remove one \
             of the edges created at {}",
        list(others),
        list(edges)
    )]
    GroupLeft {
        /// The group.
        group: String,
        /// The tasks, or the other groups with retries, on the way out of the group and back.
        others: Vec<String>,
        /// Where the order edges on that way are written.
        edges: Vec<SourceLocation>,
        /// The group's place.
        at: SourceLocation,
    },
    /// A group with retries that contains a part of a scope.
    #[error(
        "the group `{group}` (at {at}) has retries, and contains a part of the scope of `{setup}`; draw the whole scope in the \
             group, or the group in the work of the scope"
    )]
    GroupCutsScope {
        /// The group.
        group: String,
        /// The setup of the scope.
        setup: String,
        /// The group's place.
        at: SourceLocation,
    },
    /// A setup that may be there without its scope, or more often than it.
    #[error(
        "the setup `{task}` is drawn outside of what is around its `scope` (at {at}): an `each`, an arm of a branch or \
             another scope; draw it where the scope is, `scope({task}(..), ..)`"
    )]
    SetupElsewhere {
        /// The setup.
        task: String,
        /// The scope.
        at: SourceLocation,
    },
    /// One setup for two scopes: the first to end would tear down what the other one uses.
    #[error("`{task}` is the setup of another scope already (second one at {at}); draw all of the work in one scope")]
    SetupOfTwo {
        /// The setup.
        task: String,
        /// The second scope.
        at: SourceLocation,
    },
    /// A scope whose teardown closure draws nothing.
    #[error("the scope of `{setup}` (at {at}) has no teardown: its last closure calls no task")]
    EmptyTeardown {
        /// The setup.
        setup: String,
        /// The setup's node.
        at: SourceLocation,
    },
    /// An explicit trigger rule on a teardown.
    #[error(
        "the teardown `{task}` (at {at}) has a trigger rule; a teardown runs when the work of its scope has ended, however"
    )]
    TeardownRule {
        /// The teardown.
        task: String,
        /// The node.
        at: SourceLocation,
    },
    /// A teardown that would not run when the work fails.
    #[error(
        "the teardown `{task}` (at {at}) needs `{work}` to succeed, but must also run when it does not; take its value as \
             `Result<T, Failure>`"
    )]
    TeardownNeeds {
        /// The teardown.
        task: String,
        /// The task of the work.
        work: String,
        /// The node.
        at: SourceLocation,
    },
    /// An option of teardowns on another task.
    #[error(
        "`.on_failure_fail_run()` (at {at}) is for teardowns, and `{task}` is not one: it is not in the last closure of a `scope`"
    )]
    NoTeardown {
        /// The task.
        task: String,
        /// The call.
        at: SourceLocation,
    },
    /// A plain value that has no JSON form.
    #[error("the value for `{input}` of task `{task}` (at {at}) cannot be stored in the plan: {message}")]
    Constant {
        /// The task.
        task: String,
        /// The parameter.
        input: String,
        /// The reason.
        message: String,
        /// The node.
        at: SourceLocation,
    },
    /// A parameter of the DAG whose default, choices or pattern are wrong in themselves.
    #[error("parameter `{param}` of the DAG: {message}")]
    Param {
        /// The parameter.
        param: String,
        /// What is wrong.
        message: String,
    },
    /// A node with options that contradict each other.
    #[error("task `{task}` (at {at}): {message}")]
    Words {
        /// The task.
        task: String,
        /// What is wrong.
        message: String,
        /// The node.
        at: SourceLocation,
    },
    /// A deadline that is relative to the slot, in a DAG without a schedule.
    #[error(
        "the deadline `{deadline}` of {subject} (at {at}) is relative to the slot of a schedule, and `{dag}` has no \
             schedule; write `{instead}`, or add `schedule = \"@daily\"`"
    )]
    DeadlineWithoutSlot {
        /// The deadline, as written.
        deadline: String,
        /// The DAG or the task.
        subject: String,
        /// The DAG that has no schedule.
        dag: String,
        /// A deadline that a run without a slot has.
        instead: String,
        /// The DAG, or the node.
        at: SourceLocation,
    },
    /// The `#[dag]` function panicked.
    #[error("the `#[dag]` function {message}")]
    Panicked {
        /// Where, and the payload.
        message: String,
    },
}

/// All errors of a DAG.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildErrors {
    dag_id: String,
    errors: Vec<BuildError>,
}

impl BuildErrors {
    /// The class of the error: always [`ErrorKind::Damaged`], because the program has to be
    /// changed.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Damaged
    }

    pub(super) fn new(dag_id: &str, errors: Vec<BuildError>) -> Self {
        BuildErrors { dag_id: dag_id.to_owned(), errors }
    }

    /// The DAG.
    pub fn dag_id(&self) -> &str {
        &self.dag_id
    }

    /// The mistakes; at least one.
    pub fn errors(&self) -> &[BuildError] {
        &self.errors
    }
}

impl fmt::Display for BuildErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.errors {
            [error] => write!(f, "DAG `{}`: {error}", self.dag_id),
            errors => {
                write!(f, "DAG `{}` has {} mistakes:", self.dag_id, errors.len())?;
                errors.iter().try_for_each(|error| write!(f, "\n  - {error}"))
            }
        }
    }
}

impl std::error::Error for BuildErrors {}

fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| format!("`{item}`")).collect();
    items.join(", ")
}

fn known_pools(unknown: &str, known: &[String]) -> String {
    if known.is_empty() {
        return format!("declare it beside the DAG: `taskflow::pool!(\"{unknown}\", slots = 4);`");
    }
    match nearest(unknown, known.iter().map(String::as_str)) {
        Some(name) => format!("did you mean `{name}`? declared are {}", list(known)),
        None => format!("declared are {}", list(known)),
    }
}
