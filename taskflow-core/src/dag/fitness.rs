//! Which tasks can run on an executor.

use std::collections::HashSet;
use std::sync::LazyLock;

use super::registry::Registry;
use crate::task::{TaskDef, Waiting};

/// Whether the attempts of a task can run in a process that an executor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fitness {
    Can,
    Waits,
    Isolated,
    /// The task is not registered, so the process cannot find it.
    Unknown,
    /// Its inputs cannot be serialized.
    Unwritten,
}

impl Fitness {
    pub(super) fn of(def: &'static TaskDef) -> Self {
        static KNOWN: LazyLock<HashSet<usize>> =
            LazyLock::new(|| Registry::tasks().into_iter().map(|def| std::ptr::from_ref(def).addr()).collect());

        match () {
            () if !KNOWN.contains(&std::ptr::from_ref(def).addr()) => Fitness::Unknown,
            () if def.waiting != Waiting::Never => Fitness::Waits,
            () if def.isolation.is_some() => Fitness::Isolated,
            () if !def.inputs.iter().all(|input| input.ty.can_encode()) => Fitness::Unwritten,
            () => Fitness::Can,
        }
    }
}
