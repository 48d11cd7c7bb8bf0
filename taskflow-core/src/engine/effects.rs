//! Effects: work to do after the lock of the engine is released.

use std::sync::Arc;

use super::attempt::StartPermit;
use super::engine_state::Shared;
use super::run::Run;
use super::run_shared::RunShared;
use crate::base::drop_quietly;
use crate::machine::RunKey;
use crate::task::AttemptControl;
use crate::value::AnyValue;

/// Collected under the lock, carried out without it.
#[derive(Default)]
pub(crate) struct Effects {
    pub(super) launches: Vec<(RunKey, Arc<RunShared>, StartPermit)>,
    pub(super) cancels: Vec<(Arc<AttemptControl>, bool)>,
    pub(super) unused: Vec<AnyValue>,
    pub(super) refused: Vec<StartPermit>,
    pub(super) over: Vec<Run>,
    /// Runs that end early: the runs that they wait for end as well.
    pub(super) halted: Vec<Arc<RunShared>>,
    /// Tasks that have ended while they had something running outside the process, by id.
    pub(super) ended_work: Vec<(Arc<RunShared>, String)>,
}
impl Effects {
    pub(super) fn is_empty(&self) -> bool {
        self.launches.is_empty()
            && self.cancels.is_empty()
            && self.unused.is_empty()
            && self.refused.is_empty()
            && self.over.is_empty()
            && self.halted.is_empty()
            && self.ended_work.is_empty()
    }

    /// Carries out what was collected, and what follows from it. Any of it may run user code or
    /// wait.
    pub(super) fn carry_out(&mut self, shared: &Arc<Shared>) {
        while !self.is_empty() {
            for (control, drop_it) in self.cancels.drain(..) {
                control.cancel();
                if drop_it {
                    control.abort();
                }
            }
            for (run, task) in self.ended_work.drain(..) {
                run.children.kill_work_of(&task);
            }
            // After the attempts are cancelled: one that starts a run meanwhile ends it itself.
            for run in self.halted.drain(..) {
                run.end_children();
            }
            let launches = std::mem::take(&mut self.launches);
            for value in self.unused.drain(..) {
                drop_quietly(value);
            }
            for permit in self.refused.drain(..) {
                drop_quietly(permit);
            }
            for run in self.over.drain(..) {
                run.conclude();
            }
            if !launches.is_empty() {
                let refused = super::launch::launch_all(shared, launches);
                if !refused.is_empty() {
                    let mut state = shared.lock();
                    for (key, run, done) in refused {
                        state.apply(key, &run, done, false, self);
                    }
                    shared.leave(state, self);
                }
            }
        }
    }
}
