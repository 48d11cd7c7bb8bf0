//! The tasks of a resumed run that have ended and run again, because tasks still to be run need it.
//!
//! Whatever opened those tasks (a clear, a mark, a retry, a crash, a graph that has more of them),
//! it is found here, when the run is resumed:
//!
//! 1. Work needs what its setup made, and the teardown has removed that. If work of a scope is left
//!    to run and its teardown has started since its setup last succeeded, the setup runs again, and
//!    the teardown after the work. Which work is left is what the machine says: a task that ends at
//!    once because of an upstream runs no more. A run that is ending early runs no work.
//! 2. A setup that runs again is torn down again.
//! 3. An element needs the list that it was expanded from. If elements are left to run and the
//!    upstream of their list has another value by now, or runs again, the list is expanded again.
//!    All its elements run then, because they are those of another list.
//!
//! [`Entry::Reopened`](crate::run::Entry::Reopened) records these tasks at the beginning of the
//! session, so that after another crash the setup counts as set up, and not as torn down.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::history::RunHistory;
use super::resume_state::ResumeState;
use super::task_history::TaskHistory;
use crate::base::Timestamp;
use crate::base::index::indices;
use crate::dag::Plan;
use crate::machine::{Input, Machine, Settings};
use crate::run::{TaskIndex, TaskState};

impl<'a> ResumeState<'a> {
    /// What of a history applies when the run is resumed at this time.
    pub(super) fn to_resume(history: &'a RunHistory, plan: &'a Arc<Plan>, at: Timestamp) -> Self {
        let mut state = ResumeState::with_reopened(history, plan, BTreeSet::new(), Some(at));
        // What is opened again may open more: a setup is work of the scope around it.
        loop {
            let mut reopened = state.reopened.clone();
            state.reopen_lists(&mut reopened);
            if reopened.len() == state.reopened.len() {
                state.reopen_scopes(at, &mut reopened);
            }
            if reopened.len() == state.reopened.len() {
                return state;
            }
            state = ResumeState::with_reopened(history, plan, reopened, Some(at));
        }
    }

    /// Adds the places of expand nodes whose elements are left to run and whose list is another
    /// one.
    fn reopen_lists(&self, reopened: &mut BTreeSet<usize>) {
        let mut wanted: BTreeSet<TaskIndex> = BTreeSet::new();
        for task in self.layout.tasks().filter(|&task| self.is_open(task)) {
            let mut at = self.layout.at(task);
            while let Some(element) = at
                && wanted.insert(self.layout.expand_at(element))
            {
                at = self.layout.around(element);
            }
        }
        let changed = wanted.into_iter().filter(|&expand| self.has_another_list(expand));
        reopened.extend(changed.filter_map(|expand| self.places[expand]));
    }

    /// The expand nodes whose list is another one, although none of their elements is left to run.
    pub(super) fn outdated_lists(&self) -> Vec<TaskIndex> {
        let expanded = self.expansions.iter().map(|&(expand, _)| expand);
        expanded.filter(|&expand| self.has_another_list(expand)).collect()
    }

    /// Whether the upstream of an expand node that has succeeded has another value by now, or runs
    /// again.
    fn has_another_list(&self, expand: TaskIndex) -> bool {
        let Some((known, TaskState::Success)) = self.kept(expand) else { return false };
        let Some(upstream) = self.layout.source_of_list(expand) else { return false };
        match self.kept(upstream) {
            Some((upstream, TaskState::Success)) => upstream.source() != known.list.as_ref(),
            _ => true,
        }
    }

    /// Adds the places of setups and teardowns that run again.
    fn reopen_scopes(&self, at: Timestamp, reopened: &mut BTreeSet<usize>) {
        if self.plan.scopes().is_empty() || self.history.halted().is_some() {
            return;
        }
        let mut probe = Machine::new(Arc::clone(self.plan), self.selection().as_ref(), Settings::default());
        probe.restore(&self.restore(HashMap::new(), Vec::new()));
        probe.step(Input::Start, at, &mut Vec::new());
        let scopes = self.plan.scopes_by_node();
        let mut seen = HashSet::new();
        for task in self.layout.tasks().filter(|&task| !probe.task_state(task).is_terminal()) {
            let (node, at) = (self.layout.node(task), self.layout.at(task));
            for scope in scopes.get(&node).into_iter().flatten() {
                let Some(setup) = self.layout.task(scope.setup, at).filter(|&setup| seen.insert(setup)) else {
                    continue;
                };
                let own = indices(scope.teardown.clone()).filter_map(|teardown| self.layout.task(teardown, at));
                let own: Vec<TaskIndex> = own.collect();
                let is_set_up = match self.kept(setup) {
                    Some((known, TaskState::Success)) => {
                        !own.iter().any(|&teardown| self.is_torn_down(known, teardown))
                    }
                    // It failed or was skipped, and so its work will be.
                    Some(_) => true,
                    None => false,
                };
                if !is_set_up {
                    let kept = std::iter::once(setup).chain(own).filter(|&task| self.kept(task).is_some());
                    reopened.extend(kept.filter_map(|task| self.places[task]));
                }
            }
        }
    }

    /// Whether a teardown has started since its setup last succeeded.
    fn is_torn_down(&self, setup: &TaskHistory, teardown: TaskIndex) -> bool {
        self.task(teardown).is_some_and(|teardown| teardown.last_start > setup.last_success)
    }
}
