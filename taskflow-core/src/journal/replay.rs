//! Runs one task of a stored run again with its stored inputs, for a debugger. Stores nothing, and
//! calls no callbacks: nobody is told of what is tried out.

use super::error::JournalError;
use super::journal::Journal;
use super::params;
use super::resume::dag_of;
use super::resume_state::ResumeState;
use super::values::StoredValue;
use crate::base::Timestamp;
use crate::base::index::IndexVec;
use crate::dag::Selection;
use crate::engine::{RunReport, RunRequest};
use crate::run::{RestoredState, RestoredTask, TaskState};

/// The outcome of a replay.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replay {
    /// The report with the attempt and the tasks whose values it takes.
    pub report: RunReport<()>,
    /// The value that it returned, if it succeeded.
    pub value: Option<StoredValue>,
}

impl Journal {
    /// Runs one task of a stored run in this process with its stored inputs: once, without retries,
    /// without calling callbacks, and without recording it in this journal.
    ///
    /// # Errors
    ///
    /// When the program does not have the DAG or the task, or one of its inputs is not stored.
    pub async fn replay(&self, run: &str, task: &str) -> Result<Replay, JournalError> {
        self.replay_in(run, task, true).await
    }

    /// As [`Journal::replay`], but a task with `isolation = "process"` runs in its own process.
    ///
    /// # Errors
    ///
    /// As [`Journal::replay`].
    pub async fn replay_isolated(&self, run: &str, task: &str) -> Result<Replay, JournalError> {
        self.replay_in(run, task, false).await
    }

    async fn replay_in(&self, run: &str, task: &str, in_process: bool) -> Result<Replay, JournalError> {
        let history = self.history(run).await?;
        history.place(task)?;
        let plan = dag_of(&history.info)?.plan()?;
        let run = history.info.run_id.clone();
        let changed = |reason: String| JournalError::Changed { run: run.clone(), reason };
        let known = ResumeState::new(&history, &plan);
        let gone = || changed(format!("it no longer has the task `{task}`"));
        let number = known.layout.find(task).ok_or_else(gone)?;
        let node = known.layout.node(number);
        let upstreams = known.layout.upstreams(number);
        if let Some(&open) = upstreams.iter().find(|&&upstream| known.kept(upstream).is_none()) {
            let reason = format!("`{}`, which `{task}` needs, has not ended", known.layout.id(open));
            return Err(JournalError::Nothing { run, reason });
        }
        let damaged = |what| JournalError::DamagedRun { run: run.clone(), what };
        let stored = self.inner.store.params(history.number).await?.unwrap_or_default();
        let stored = params::decode(&stored).map_err(damaged)?;
        let params = params::restore(&stored, plan.params(), &history.info).map_err(changed)?;

        let mut wanted = upstreams;
        // The value of an expand node is the value of its upstream.
        let mut seen = 0;
        while let Some(&task) = wanted.get(seen) {
            seen += 1;
            if plan.place(known.layout.node(task)).expands.is_some() {
                wanted.extend(known.layout.upstreams(task));
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        known.check_types_of(&wanted).map_err(changed)?;
        let values = self.values_of(&history, &known, &wanted).await?;
        let notes = self.notes_of(&history).await?;
        let mut restored = known.restore(values, notes);
        restored.halted = None;
        // Neither the run nor a group is retried.
        (restored.run_retry, restored.run_retries) = (None, u32::MAX - 1);
        restored.units = plan.groups().iter().map(|group| (group.id.clone(), (u32::MAX, None))).collect();
        restored.tasks.retain(|task| wanted.binary_search(&task.task).is_ok());
        let state = |task, state, attempts| RestoredTask {
            task,
            state,
            attempts,
            uncounted_attempts: 0,
            // It has its whole time.
            earlier_attempts: attempts,
            rounds: 0,
            started: Timestamp::EPOCH,
            ended: Timestamp::EPOCH,
            retried: Vec::new(),
            wait: None,
            events_seen: 0,
        };
        // Makes the attempt the last one.
        restored.tasks.push(state(number, RestoredState::Open, plan.node_options(node).retry.retries));
        // A selection selects nodes. The other elements of the node must not run.
        let others = known.layout.tasks().filter(|&task| known.layout.node(task) == node && task != number);
        let removed = |task| RestoredState::Because { state: TaskState::Removed, cause: task };
        restored.tasks.extend(others.map(|task| state(task, removed(task), 0)));
        let mut taken = IndexVec::from(vec![false; plan.len()]);
        wanted.iter().chain([&number]).for_each(|&task| taken[known.layout.node(task)] = true);
        drop(known);
        // A separate journal, to read the value from.
        let aside = Journal::in_memory()?;
        let info = history.info.clone();
        let request: RunRequest<()> = RunRequest::of_plan(plan, info.clone(), params);
        let request = request.restored(restored).select(Selection::of(taken)).in_process(in_process);
        let request = request.without_callbacks(true).journal(&aside);
        let report = request.await.map_err(|error| JournalError::Start(Box::new(error)))?;
        // Not the last run: the task may have triggered one.
        let aside_history = aside.history(&info.run_id).await?;
        let value = aside.value(&aside_history, task).await?;
        Ok(Replay { report, value })
    }
}
