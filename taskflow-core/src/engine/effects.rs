//! Effects: work to do after the lock of the engine is released.

use std::sync::Arc;

use super::attempt::StartPermit;
use super::engine_state::Shared;
use super::recorder::{Recorder, engine_id};
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
    /// Tasks that have ended while they have something running outside the process, by id; `None`:
    /// all tasks of a run that ends early.
    pub(super) ended_work: Vec<(RunKey, Arc<RunShared>, Option<String>)>,
    /// Recorders with entries that something waits for.
    pub(super) awaited: Vec<Arc<dyn Recorder>>,
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
            && self.awaited.is_empty()
    }

    /// Something waits until what the run has recorded is stored.
    pub(super) fn await_entries(&mut self, run: &RunShared) {
        if let Some(recorder) = &run.recorder
            && self.awaited.last().is_none_or(|last| !Arc::ptr_eq(last, recorder))
        {
            self.awaited.push(Arc::clone(recorder));
        }
    }

    /// As [`carry_out`](Effects::carry_out), by a worker without another task: it stores what is
    /// waited for itself, because handing it to the recorder's thread and being woken by it takes
    /// longer than many tasks. If there is anything else to do that something may wait for, the
    /// recorder's thread stores meanwhile.
    pub(super) fn carry_out_idle(&mut self, shared: &Arc<Shared>) {
        let awaited = std::mem::take(&mut self.awaited);
        let unused = std::mem::take(&mut self.unused);
        if self.is_empty() {
            awaited.iter().for_each(|recorder| recorder.store_here(engine_id(shared)));
            unused.into_iter().for_each(drop_quietly);
        } else {
            (self.awaited, self.unused) = (awaited, unused);
            self.carry_out(shared);
        }
    }

    /// Carries out what was collected, and what follows from it. Any of it may run user code or
    /// wait.
    pub(super) fn carry_out(&mut self, shared: &Arc<Shared>) {
        while !self.is_empty() {
            // First of all: what follows may wait, as for a cluster.
            self.awaited.drain(..).for_each(|recorder| recorder.hurry());
            for (control, drop_it) in self.cancels.drain(..) {
                control.cancel();
                if drop_it {
                    control.abort();
                }
            }
            let (mut kills, mut runs) = (Vec::new(), Vec::new());
            for (key, run, task) in self.ended_work.drain(..) {
                // Now: the next attempt of the task may start other work.
                kills.extend(run.children.take_work_of(task.as_deref()));
                runs.push((key, run));
            }
            shared.kill_work(kills, runs, self);
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
