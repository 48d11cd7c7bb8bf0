//! What is left of attempts that are over: processes that still have to end, and work outside the
//! process, such as jobs on a cluster, that still has to be killed.
//!
//! When its time limit or the grace time of its run has passed, an attempt is closed at once, and
//! its processes are asked to end. They have a moment to do so. Until the last of them is gone, the
//! attempt keeps its slots, the next attempt of the task does not start, and the run does not end:
//! two attempts of a task never run at once, and no process is killed before its grace time because
//! its program has nothing left to do.
//!
//! Work outside is killed on a thread of its own, because a cluster may take long to answer: the
//! thread that ends a run early may be that of the journal, which all runs wait for. A run that
//! ends meanwhile waits until the cluster was asked: its program may leave as soon as it has the
//! report.

use std::collections::HashMap;
use std::sync::Arc;

use super::effects::Effects;
use super::engine_state::{EngineState, Shared};
use super::run::Run;
use super::run_shared::RunShared;
use crate::base::catch;
use crate::machine::RunKey;
use crate::run::TaskIndex;
use crate::task::OnKill;

/// What is left of the closed attempts of a run.
#[derive(Debug, Default)]
pub(crate) struct Lingering {
    /// The tasks whose attempts still have processes, and whether the task is ready again.
    processes: HashMap<TaskIndex, bool>,
    /// How many times work outside the process is being killed.
    kills: u32,
}

impl Lingering {
    pub(super) fn is_empty(&self) -> bool {
        self.processes.is_empty() && self.kills == 0
    }

    /// Work is about to be killed: [`Shared::kill_work`] follows.
    pub(super) fn add_kill(&mut self) {
        self.kills += 1;
    }

    /// A task is ready. Returns whether it has to wait for the processes of its last attempt.
    pub(super) fn holds(&mut self, task: TaskIndex) -> bool {
        // A lookup in an empty map would hash the key.
        !self.processes.is_empty() && self.processes.get_mut(&task).map(|ready| *ready = true).is_some()
    }

    /// Nothing more starts.
    pub(super) fn forget_ready(&mut self) {
        self.processes.values_mut().for_each(|ready| *ready = false);
    }
}

impl Run {
    /// Whether the run has ended: its last entry is stored, and nothing lingers.
    pub(super) fn is_over(&self) -> bool {
        let is_stored = self.held.end.is_some_and(|end| self.held.given_up || end <= self.held.stored);
        is_stored && self.lingering.is_empty()
    }
}

impl EngineState {
    /// The attempt is closed for the machine: stops it. Its slots are free when its processes are
    /// gone.
    pub(super) fn abandon(&mut self, key: RunKey, task: TaskIndex, effects: &mut Effects) {
        let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return };
        let shared = Arc::clone(&run.shared);
        if let Some(place) = run.held.starts.iter().position(|(_, permit)| permit.task == task) {
            effects.refused.extend(run.held.starts.remove(place).map(|(_, permit)| permit));
        }
        let is_its =
            |(of, _, permit): &(RunKey, Arc<RunShared>, super::attempt::StartPermit)| *of == key && permit.task == task;
        if let Some(place) = self.reclaimed.iter().position(is_its) {
            effects.refused.extend(self.reclaimed.remove(place).map(|(_, _, permit)| permit));
        }
        let mut lingers = false;
        if let Some(control) = run.attempts.remove(&task) {
            let of = Arc::downgrade(&shared);
            lingers = control.when_processes_end(move || {
                let Some(of) = of.upgrade() else { return };
                let Some(state) = of.engine_ref.get().and_then(|engine_ref| engine_ref.state.upgrade()) else { return };
                state.processes_ended(key, &of, task);
            });
            effects.cancels.push((control, true));
        }
        if lingers {
            run.lingering.processes.insert(task, false);
        } else {
            self.dispatcher.release(key, run.machine.layout(), task);
        }
        self.lose_worker(&shared, task);
    }

    fn processes_ended(&mut self, key: RunKey, of: &Arc<RunShared>, task: TaskIndex, effects: &mut Effects) {
        let Some(Some(run)) = self.runs.get_mut(key.0 as usize) else { return };
        if !Arc::ptr_eq(&run.shared, of) {
            return;
        }
        let Some(ready) = run.lingering.processes.remove(&task) else { return };
        self.dispatcher.release(key, run.machine.layout(), task);
        if ready {
            self.dispatcher.push(key, run.machine.layout(), task, false);
        }
        if run.is_over() {
            self.end(key, effects);
        }
    }
}

impl Shared {
    /// Kills work outside of these runs, each of which waits for it: see
    /// [`add_kill`](Lingering::add_kill). Does not wait for a cluster, unless there can be no other
    /// thread.
    pub(super) fn kill_work(
        self: &Arc<Self>,
        kills: Vec<OnKill>,
        runs: Vec<(RunKey, Arc<RunShared>)>,
        effects: &mut Effects,
    ) {
        if kills.is_empty() {
            return self.work_killed(&runs, effects);
        }
        let work = Arc::new((kills, runs));
        let (shared, of_thread) = (Arc::clone(self), Arc::clone(&work));
        let thread = std::thread::Builder::new().name("taskflow-kill".to_owned());
        let killing = thread.spawn(move || {
            let (kills, runs) = &*of_thread;
            kill_all(kills);
            let mut effects = Effects::default();
            shared.work_killed(runs, &mut effects);
            effects.carry_out(&shared);
        });
        if killing.is_err() {
            let (kills, runs) = &*work;
            kill_all(kills);
            self.work_killed(runs, effects);
        }
    }

    /// The clusters were asked to kill the work of these runs.
    fn work_killed(self: &Arc<Self>, runs: &[(RunKey, Arc<RunShared>)], effects: &mut Effects) {
        if runs.is_empty() {
            return;
        }
        let mut state = self.lock();
        for (key, of) in runs {
            let Some(run) = state.run(*key).filter(|run| Arc::ptr_eq(&run.shared, of)) else { continue };
            run.lingering.kills -= 1;
            if run.is_over() {
                state.end(*key, effects);
            }
        }
        self.leave(state, effects);
    }

    /// The last process of a closed attempt is gone.
    fn processes_ended(self: &Arc<Self>, key: RunKey, of: &Arc<RunShared>, task: TaskIndex) {
        let mut effects = Effects::default();
        let mut state = self.lock();
        state.processes_ended(key, of, task, &mut effects);
        self.leave(state, &mut effects);
        effects.carry_out(self);
    }
}

/// Asks the clusters, one after the other.
fn kill_all(kills: &[OnKill]) {
    for end in kills {
        // The run waits for all of them.
        let asked = catch(|| {
            end();
        });
        if let Err(failure) = asked {
            tracing::error!(target: "taskflow", "work outside of this process may go on: {failure}");
        }
    }
}
