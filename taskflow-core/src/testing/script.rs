//! The script of a test: how tasks behave instead of running their functions.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{BoxError, nearest};
use crate::dag::Plan;
use crate::engine::{Part, StandIn, Starting};
use crate::task::{Interrupt, TaskDef, TaskFn, Waiting};

/// Selects tasks: `extract {}` for all nodes of that `#[task]` function; or `"extract_2"` for the
/// node or element of a list (`"extract[3]"`) with this id.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not select a task",
    label = "not a task",
    note = "select all nodes of a `#[task] fn extract(..)` with `extract {{}}`, or one node with its id, as text"
)]
pub trait Target {
    /// The selected tasks.
    #[doc(hidden)]
    fn selection(self) -> Selection;
}

impl<F: TaskFn> Target for F {
    fn selection(self) -> Selection {
        Selection::Function(F::definition())
    }
}

impl Target for &str {
    fn selection(self) -> Selection {
        Selection::Id(self.to_owned())
    }
}

/// The tasks that a line of the script applies to.
#[derive(Clone, Debug)]
pub enum Selection {
    /// All nodes of a function.
    Function(&'static TaskDef),
    /// One of them.
    Id(String),
}

/// Their behaviour.
#[derive(Clone)]
pub(super) enum Behaviour {
    Call(StandIn),
    Fail {
        times: u32,
        message: String,
    },
    /// The first pokes of a sensor find nothing.
    NotYet {
        times: u32,
    },
    Take(Duration),
    /// The first attempt is lost: it never ends.
    Lose,
}

impl Behaviour {
    fn applies_to(&self, def: &TaskDef) -> bool {
        !matches!(self, Behaviour::NotYet { .. }) || def.waiting == Waiting::Sensor
    }

    fn no_sensor(task: &str) -> String {
        format!("`{task}` is not a sensor, so no poke of it can find nothing")
    }
}

/// Lines in the order of their addition; later ones take precedence.
#[derive(Clone, Default)]
pub(super) struct Script(Vec<(Selection, Behaviour)>);

impl Script {
    pub(super) fn add(&mut self, selection: Selection, behaviour: Behaviour) {
        self.0.push((selection, behaviour));
    }

    /// The behaviour of an attempt.
    pub(super) fn behaviour(&self, attempt: &Starting<'_>) -> Part {
        let mut part = Part::default();
        let (mut failure, mut not_yet) = (None, false);
        for (_, behaviour) in self.0.iter().filter(|(selection, _)| selection.matches(attempt)) {
            match behaviour {
                Behaviour::Call(body) => part.body = Some(Arc::clone(body)),
                Behaviour::Take(duration) => part.takes = *duration,
                Behaviour::Lose => part.lost |= attempt.counted == 1,
                Behaviour::NotYet { times } => not_yet = attempt.waits < *times,
                Behaviour::Fail { times, message } => failure = (attempt.counted <= *times).then_some(message),
            }
        }
        if not_yet {
            part.body = Some(Arc::new(|_, _| Err(Interrupt::not_yet().into())));
        }
        if let Some(message) = failure {
            let message = message.clone();
            part.body = Some(Arc::new(move |_, _| Err(BoxError::from(message.clone()))));
        }
        part
    }

    /// The lines that match no task of the plan.
    pub(super) fn mistakes<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = String> + 'a {
        self.0.iter().filter_map(|(selection, behaviour)| match selection {
            Selection::Function(def) if !behaviour.applies_to(def) => Some(Behaviour::no_sensor(def.id)),
            Selection::Function(def) => {
                let is_there = plan.defs().iter().any(|other| std::ptr::eq(*other, *def));
                (!is_there).then(|| format!("the DAG `{}` does not call the task `{}`", plan.id(), def.id))
            }
            Selection::Id(id) => {
                // The elements of a list exist only once the list does.
                let node = id.split_once('[').map_or(id.as_str(), |(node, _)| node);
                if let Some(found) = plan.find(node) {
                    return (!behaviour.applies_to(plan.def(found))).then(|| Behaviour::no_sensor(id));
                }
                let ids = || plan.nodes().map(crate::dag::Node::id);
                let similar = nearest(node, ids()).map(|similar| format!("; did you mean `{similar}`?"));
                let all: Vec<&str> = ids().take(40).collect();
                let hint = similar.unwrap_or_else(|| format!("; its tasks are {}", all.join(", ")));
                Some(format!("the DAG `{}` has no task `{id}`{hint}", plan.id()))
            }
        })
    }
}

impl Selection {
    fn matches(&self, attempt: &Starting<'_>) -> bool {
        match self {
            Selection::Function(def) => std::ptr::eq(*def, attempt.def),
            Selection::Id(id) => id == attempt.task || id == attempt.node,
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
