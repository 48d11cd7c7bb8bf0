//! Following a live run at the pace of a reader: its progress, and the tasks that have changed.
//!
//! Showing a run must not slow it down:
//!
//! 1. [`RunControl::follow`] adds a list of changed tasks to the [`Observers`]. It begins with all
//!    tasks.
//! 2. Each event adds its task to the list once, under the lock of the engine that the event is
//!    published under. A list never holds more than the tasks of the run, however slow its reader
//!    is, and costs nothing while no reader follows the run.
//! 3. [`LiveFollower::refresh`] takes the list and reads these tasks under the lock. The time that
//!    the lock is held is in proportion to what has changed.
//! 4. Dropping the follower removes its list with the next event.
//!
//! [`Observers`]: super::observer::Observers

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::handle::RunControl;
use super::live_run::task_view;
use super::report::{AttemptReport, RunReport, TaskReport};
use super::run::Run;
use crate::base::index::indices;
use crate::machine::Machine;
use crate::run::{ActiveTask, RunProgress, TaskIndex, TaskState, TaskView};

/// The tasks that have changed since their list was taken.
#[derive(Debug, Default)]
pub(crate) struct ChangedTasks {
    list: Vec<TaskIndex>,
    is_listed: Vec<bool>,
}

/// Follows a live run.
#[derive(Debug)]
pub(crate) struct LiveFollower {
    control: RunControl,
    changed: Arc<Mutex<ChangedTasks>>,
    state: FollowedState,
}

/// A task that has changed, with what a report says of it.
#[derive(Clone, Debug)]
pub(crate) struct ChangedTask {
    pub(crate) view: TaskView,
    /// The time from the first start to the end; zero if it never started.
    pub(crate) duration: Duration,
    /// The attempts that another one followed, or will follow.
    pub(crate) retried: Vec<AttemptReport>,
}

/// What is known of a followed run.
#[derive(Debug, Default)]
struct FollowedState {
    /// By number; mapped nodes are `None` and not counted.
    states: Vec<Option<TaskState>>,
    progress: RunProgress,
}

impl ChangedTasks {
    pub(super) fn add(&mut self, task: TaskIndex) {
        let place = task.as_usize();
        if self.is_listed.len() <= place {
            self.is_listed.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.is_listed[place], true) {
            self.list.push(task);
        }
    }

    fn take(&mut self) -> Vec<TaskIndex> {
        let list = std::mem::take(&mut self.list);
        list.iter().for_each(|task| self.is_listed[task.as_usize()] = false);
        list
    }
}

impl LiveFollower {
    /// A follower that has read nothing yet.
    pub(super) fn new(control: RunControl, run: &mut Run) -> Self {
        let mut all = ChangedTasks::default();
        run.machine.layout().tasks().for_each(|task| all.add(task));
        let changed = Arc::new(Mutex::new(all));
        run.watch(Arc::clone(&changed));
        LiveFollower { control, changed, state: FollowedState::default() }
    }

    /// The run at the last refresh.
    pub(crate) fn progress(&self) -> &RunProgress {
        &self.state.progress
    }

    /// Reads what has changed. Returns the changed tasks whose present state `is_wanted` selects,
    /// in the order of their numbers; `None` when the run is over.
    pub(crate) fn refresh(&mut self, is_wanted: impl Fn(TaskState) -> bool) -> Option<Vec<ChangedTask>> {
        let LiveFollower { control, changed, state } = self;
        control.read(|run| {
            let mut tasks = changed.lock().unwrap_or_else(PoisonError::into_inner).take();
            tasks.sort_unstable();
            let mut changed = state.apply(&run.machine, &tasks, is_wanted);
            changed.iter_mut().for_each(|task| run.complete(&mut task.view));
            state.progress.now = run.shared.clock.now();
            for task in &tasks {
                if let Some(active) = state.progress.active.get_mut(task) {
                    run.complete(&mut active.view);
                }
            }
            for (task, attempt) in &run.attempts {
                if let Some(active) = state.progress.active.get_mut(task) {
                    active.view.progress = attempt.progress();
                }
            }
            changed
        })
    }

    /// The tasks of a run that is over, as [`LiveFollower::refresh`] returns changed ones, and its
    /// progress.
    pub(crate) fn ended(report: &RunReport, is_wanted: impl Fn(TaskState) -> bool) -> (RunProgress, Vec<ChangedTask>) {
        let mut state = FollowedState::default();
        let tasks: Vec<TaskIndex> = report.machine.layout().tasks().collect();
        let changed = state.apply(&report.machine, &tasks, is_wanted);
        state.progress.now = report.ended();
        (state.progress, changed)
    }
}

impl FollowedState {
    fn apply(
        &mut self,
        machine: &Machine,
        tasks: &[TaskIndex],
        is_wanted: impl Fn(TaskState) -> bool,
    ) -> Vec<ChangedTask> {
        let FollowedState { states, progress } = self;
        let mut wanted = Vec::new();
        let layout = machine.layout();
        // The elements of a list have no event when they are added.
        for task in indices(TaskIndex::new(states.len() as u32)..layout.numbers().end) {
            let is_instance = layout.is_instance(task);
            states.push(is_instance.then_some(TaskState::None));
            if is_instance {
                progress.counts.add(TaskState::None);
            }
        }
        for &task in tasks {
            let now = machine.task_state(task);
            if let Some(state) = &mut states[task.as_usize()] {
                progress.counts.remove(std::mem::replace(state, now));
                progress.counts.add(now);
            }
            if is_active(now) {
                let active = ActiveTask { view: task_view(machine, task), max_attempts: machine.max_attempts(task) };
                progress.active.insert(task, active);
            } else {
                progress.active.remove(&task);
            }
            if is_wanted(now) {
                wanted.push(ChangedTask::of(machine, task));
            }
        }
        progress.started = machine.run_times().0;
        progress.is_halted = machine.halt_reason().is_some();
        progress.run_retry = machine.run_retry();
        wanted
    }
}

fn is_active(state: TaskState) -> bool {
    matches!(state, TaskState::Running | TaskState::UpForRetry | TaskState::UpForReschedule | TaskState::Deferred)
}

impl ChangedTask {
    fn of(machine: &Machine, task: TaskIndex) -> Self {
        let report = TaskReport::new(machine, task);
        ChangedTask { view: task_view(machine, task), duration: report.duration(), retried: report.retried().collect() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::dag::Dag;

    #[test]
    fn a_follower_agrees_with_the_view_of_the_run() {
        let (begin, begun) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let (begun, released, tries) = (Mutex::new(begun), Mutex::new(released), Mutex::new(0));
        let dag = Dag::draw("followed", |dag| {
            let waits = dag.add("waits", move |_| begun.lock().unwrap().recv().map_err(Into::into));
            let flaky = dag.add("flaky", move |_| {
                let mut tries = tries.lock().unwrap();
                *tries += 1;
                if *tries == 1 { Err("not at once".into()) } else { Ok(()) }
            });
            let holds = dag.add("holds", move |_| released.lock().unwrap().recv().map_err(Into::into));
            flaky.retries(1).retry_delay(Duration::from_millis(1)).after(waits);
            dag.add("last", |_| Ok(())).after(holds.after(flaky));
        });
        let handle = dag.unwrap().run().start().unwrap();
        let control = handle.control();
        let mut follower = control.follow().unwrap();
        follower.refresh(|_| true).unwrap();
        assert_eq!(follower.progress().counts.of(TaskState::None), 3);
        begin.send(()).unwrap();
        let holds = |view: &crate::run::RunView| view.task("holds").unwrap().state == TaskState::Running;
        while !control.view().is_some_and(|view| holds(&view)) {
            std::thread::yield_now();
        }
        let changed = follower.refresh(TaskState::is_terminal).unwrap();
        let view = control.view().unwrap();
        let progress = follower.progress().clone();
        for state in TaskState::ALL {
            let count = view.tasks.iter().filter(|task| task.state == state).count();
            assert_eq!(progress.counts.of(state), count, "{state}");
        }
        assert_eq!((progress.counts.total(), progress.counts.done()), (4, 2));
        let active: Vec<&TaskView> = progress.active.values().map(|active| &active.view).collect();
        assert_eq!(active, [view.task("holds").unwrap()]);
        let changed: Vec<(&TaskView, usize)> = changed.iter().map(|task| (&task.view, task.retried.len())).collect();
        assert_eq!(changed, [(view.task("waits").unwrap(), 0), (view.task("flaky").unwrap(), 1)]);
        assert!(follower.refresh(|_| true).unwrap().is_empty(), "nothing has changed since");
        release.send(()).unwrap();
        assert!(handle.wait().is_success());
        assert!(follower.refresh(|_| true).is_none());
    }
}
