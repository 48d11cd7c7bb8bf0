//! The script of a test: how tasks behave instead of running their functions.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{BoxError, nearest};
use crate::dag::Plan;
use crate::engine::{Part, StandIn, Starting};
use crate::task::{Interrupt, TaskDef, TaskFn};

/// Selects tasks: `extract {}` for all nodes of that `#[task]` function; or `"extract_2"` for the
/// node or element of a list (`"extract[3]"`) with this id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` names no task",
    label = "no task",
    note = "name all nodes of a `#[task] fn extract(..)` with `extract {{}}`, or one with its id, as text"
)]
pub trait Target {
    /// The selected tasks.
    #[doc(hidden)]
    fn whom(self) -> Whom;
}

impl<F: TaskFn> Target for F {
    fn whom(self) -> Whom {
        Whom::Function(F::definition())
    }
}

impl Target for &str {
    fn whom(self) -> Whom {
        Whom::Id(self.to_owned())
    }
}

/// The tasks that a line of the script applies to.
#[derive(Clone, Debug)]
pub enum Whom {
    /// All nodes of a function.
    Function(&'static TaskDef),
    /// One of them.
    Id(String),
}

/// Their behaviour.
#[derive(Clone)]
pub(super) enum Act {
    Call(StandIn),
    Fail {
        times: u32,
        message: String,
    },
    Take(Duration),
    /// The first attempt is lost without an end.
    Vanish,
}

/// Lines in the order of their addition; later ones take precedence.
#[derive(Clone, Default)]
pub(super) struct Script(Vec<(Whom, Act)>);

impl Script {
    pub(super) fn add(&mut self, whom: Whom, act: Act) {
        self.0.push((whom, act));
    }

    /// The behaviour of an attempt.
    pub(super) fn part(&self, attempt: &Starting<'_>) -> Part {
        let mut part = Part::default();
        let mut failure = None;
        for (_, act) in self.0.iter().filter(|(whom, _)| whom.is_meant(attempt)) {
            match act {
                Act::Call(body) => part.body = Some(Arc::clone(body)),
                Act::Take(duration) => part.takes = *duration,
                Act::Vanish => part.lost |= attempt.counted == 1,
                Act::Fail { times, message } => failure = (attempt.counted <= *times).then_some(message),
            }
        }
        if let Some(message) = failure {
            let message = message.clone();
            part.body = Some(Arc::new(move |_, _| Err(BoxError::from(message.clone()))));
        }
        part
    }

    /// The lines that match no task of the plan.
    pub(super) fn mistakes<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = String> + 'a {
        self.0.iter().filter_map(|(whom, _)| match whom {
            Whom::Function(def) => {
                let is_there = plan.defs().iter().any(|other| std::ptr::eq(*other, *def));
                (!is_there).then(|| format!("the DAG `{}` does not call the task `{}`", plan.id(), def.id))
            }
            Whom::Id(id) => {
                // The elements of a list exist only once the list does.
                let node = id.split_once('[').map_or(id.as_str(), |(node, _)| node);
                if plan.find(node).is_some() {
                    return None;
                }
                let ids = || plan.nodes().iter().map(crate::dag::Node::id);
                let near = nearest(node, ids()).map(|near| format!("; did you mean `{near}`?"));
                let all: Vec<&str> = ids().take(40).collect();
                let near = near.unwrap_or_else(|| format!("; there are {}", all.join(", ")));
                Some(format!("the DAG `{}` has no task `{id}`{near}", plan.id()))
            }
        })
    }
}

impl Whom {
    fn is_meant(&self, attempt: &Starting<'_>) -> bool {
        match self {
            Whom::Function(def) => std::ptr::eq(*def, attempt.def),
            Whom::Id(id) => id == attempt.task || id == attempt.node,
        }
    }
}

/// A body that panics.
pub(super) fn panics(message: String) -> StandIn {
    Arc::new(move |_, _| std::panic::panic_any(message.clone()))
}

/// A body that skips itself.
pub(super) fn skips(reason: String) -> StandIn {
    Arc::new(move |_, _| Err(Box::new(Interrupt::skip(reason.clone()))))
}
