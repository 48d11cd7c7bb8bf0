//! The options of a node, resolved.

use std::time::Duration;

use crate::task::{Callbacks, Executor, RetryPolicy, SensorPolicy, TriggerRule, Waiting};

/// The options of a node, resolved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeOptions {
    /// When and how often it is tried again.
    pub retry: RetryPolicy,
    /// How long one attempt may run.
    pub timeout: Option<Duration>,
    /// The pool it runs in.
    pub pool: Option<&'static str>,
    /// How many of its slots it takes.
    pub pool_slots: u32,
    /// Among ready tasks the highest goes first.
    pub priority: i32,
    /// The rule for its order edges.
    pub trigger_rule: TriggerRule,
    /// Where its attempts run, if not in the process of the engine.
    pub executor: Option<Executor>,
    /// Whether it is the teardown of a scope, or part of one.
    pub teardown: Option<Teardown>,
    /// What it may wait for without holding a slot.
    pub waiting: Waiting,
    /// Who is told of what happens to it.
    pub callbacks: Callbacks,
    /// How often and how long it looks, if it is a sensor.
    pub sensor: Option<SensorPolicy>,
    /// Words to find it by.
    pub tags: &'static [&'static str],
}

/// What the failure of a teardown means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Teardown {
    /// It is shown.
    Quiet,
    /// It fails the run.
    FailsRun,
}
