//! Connections and secrets that tasks declare, checked before a run starts: a run may wait for
//! hours before it comes to the task that misses one.

use std::fmt;

use super::request::RunError;
use crate::base::ErrorKind;
use crate::config::{Config, ConfigError};
use crate::dag::{NodeIndex, Plan};
use crate::machine::Machine;
use crate::run::TaskState;

/// A connection or secret that a task needs and that is not available.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingConfig {
    /// The id of the task.
    pub task: String,
    /// Why it is not available.
    pub error: ConfigError,
}

impl fmt::Display for MissingConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task `{}`: {}", self.task, self.error)
    }
}

impl MissingConfig {
    pub(super) fn kind(missing: &[MissingConfig]) -> ErrorKind {
        missing.first().map_or(ErrorKind::Invalid, |missing| missing.error.kind())
    }
}

/// Checks that the configuration has what the tasks that are still to run declare.
pub(super) fn check(machine: &Machine, config: Option<&Config>) -> Result<(), RunError> {
    let plan = machine.plan();
    if !plan.needs_config() {
        return Ok(());
    }
    let config = config.cloned().map_or_else(Config::global, Ok);
    let mut missing = Vec::new();
    let declares = |node: &NodeIndex| {
        let options = plan.node_options(*node);
        !options.connections.is_empty() || !options.secrets.is_empty()
    };
    for node in plan.node_indices().filter(declares).filter(|&node| is_open(machine, plan, node)) {
        let options = plan.node_options(node);
        // What several tasks need is reported for the first.
        let mut note = |result: Result<(), ConfigError>| match result {
            Err(error) if !missing.iter().any(|known: &MissingConfig| known.error == error) => {
                missing.push(MissingConfig { task: plan.node(node).id().to_owned(), error });
            }
            _ => {}
        };
        match &config {
            Ok(config) => {
                options.connections.iter().for_each(|name| note(config.connection(name).map(drop)));
                options.secrets.iter().for_each(|name| note(config.secret(name).map(drop)));
            }
            Err(error) => note(Err(error.clone())),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(RunError::Config { missing }) }
}

/// Whether an instance of the node can still run.
fn is_open(machine: &Machine, plan: &Plan, node: NodeIndex) -> bool {
    let layout = machine.layout();
    let is_open = |task| {
        let state = machine.task_state(task);
        !state.is_terminal() && state != TaskState::Removed
    };
    match plan.place(node).mapping {
        None => layout.task(node, None).is_some_and(is_open),
        // Its elements may not be known yet.
        Some(mapping) => {
            self::is_open(machine, plan, plan.mapping(mapping).expand)
                || layout.tasks().any(|task| layout.node(task) == node && is_open(task))
        }
    }
}
