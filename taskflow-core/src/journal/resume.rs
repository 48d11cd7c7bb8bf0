//! Going on with a run that was interrupted, or of which tasks were cleared.
//!
//! 1. The run is claimed; one that somebody runs is refused.
//! 2. Its history is folded. What was in flight when its process died is lost and runs again; what has ended stays ended.
//! 3. The history meets the graph of this program: tasks are the same if their ids are. Tasks that are new run, tasks that
//!    are gone are `removed`, and a kept value target type has changed is refused before anything is touched.
//! 4. Values that tasks still to be run will want are read.
//! 5. The token of the run is raised: a process that had it before can store nothing any more. Then the run starts, with what
//!    is known of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::deliveries::StoreDeliveryLog;
use super::error::JournalError;
use super::history::RunHistory;
use super::journal::{Journal, session};
use super::params;
use super::resume_state::ResumeState;
use super::run_log::RunLogInit;
use crate::base::Timestamp;
use crate::dag::{Dag, DagDef, Plan, Registry};
use crate::engine::{Recorder, RecorderError, RunRequest, RunStart};
use crate::run::{RestoredNote, RestoredState, RunState, TaskState};
use crate::store::{AppendTarget, RunUpdate, worker};
use crate::value::{AnyValue, Value};

impl Journal {
    /// Goes on with a run of a DAG of this program: what has ended stays as it is, what was in flight when its process died
    /// runs again. Its tasks are taken from the program as it is now.
    ///
    /// A run that has ended has nothing left to run, unless tasks of it were [cleared](Journal::clear) or marked.
    ///
    /// # Errors
    ///
    /// When no run goes by that name, somebody runs it, it has ended, the program does not have its DAG, or the DAG has changed
    /// so that a stored value does not fit. Nothing has changed then.
    pub async fn resume(&self, run: &str) -> Result<RunRequest<()>, JournalError> {
        let row = self.row(run).await?;
        let plan = dag_of(&row.info)?.plan()?;
        self.resume_plan(&row.info.run_id, &plan, Timestamp::now()).await
    }

    /// As [`Journal::resume`], with a graph that the program does not list: one of [`Dag::build`].
    ///
    /// # Errors
    ///
    /// As [`Journal::resume`].
    pub async fn resume_dag<T: Value>(&self, run: &str, dag: &Dag<T>) -> Result<RunRequest<T>, JournalError> {
        let row = self.row(run).await?;
        self.resume_plan(&row.info.run_id, dag.plan(), Timestamp::now()).await
    }

    /// `at` is the present time: what was in flight counts as lost since then.
    pub(super) async fn resume_plan<T>(
        &self,
        run: &str,
        plan: &Arc<Plan>,
        at: Timestamp,
    ) -> Result<RunRequest<T>, JournalError> {
        let run = run.to_owned();
        let claim = self.claim(&run)?;
        // Only now: before the claim somebody may have gone on with it.
        let mut history = self.history_of(self.row(&run).await?).await?;
        if history.row.state != RunState::Running {
            let reason = format!("it has ended ({}); `retry` or `clear` say what is to run again", history.row.state);
            return Err(JournalError::Nothing { run, reason });
        }
        let changed = |reason| JournalError::Changed { run: run.clone(), reason };
        if history.info.dag_id != plan.id() {
            return Err(changed(format!("it is of the DAG `{}`, this is `{}`", history.info.dag_id, plan.id())));
        }
        // As the history will have it as soon as this process stands in it.
        history.lose(at);
        let known = ResumeState::new(&history, plan);
        known.check_types().map_err(changed)?;
        let damaged = |what| JournalError::DamagedRun { run: run.clone(), what };
        let stored = self.inner.store.params(history.number).await?.unwrap_or_default();
        let stored = params::decode(&stored).map_err(damaged)?;
        let params = params::restore(&stored, plan.params(), &history.info).map_err(changed)?;
        let values = self.values_of(&history, &known, &known.wanted()).await?;
        let notes = self.notes_of(&history).await?;

        let pending = self.pending(history.row.clone(), plan).await?;
        let token = self.inner.store.adopt(history.number, history.row.token, &worker()).await?;
        let token = token.ok_or_else(|| JournalError::Taken { run: run.clone() })?;
        let selection = known.selection();
        let restored = known.restore(values, notes);
        let counts = restored.tasks.iter().filter_map(|task| Some((ended(&task.state)?, 1)));
        let mut count: HashMap<TaskState, u32> = HashMap::new();
        counts.for_each(|(state, one)| *count.entry(state).or_default() += one);
        if let Some(selection) = &selection {
            let out = |task: &u32| !selection.contains(known.layout.node(*task));
            let removed = known.layout.tasks().filter(out).count() as u32;
            count.insert(TaskState::Removed, removed);
        }
        let generations = known.generations();
        let graph = (history.graph != plan.hash()).then(|| (plan.hash().to_owned(), plan.task_count() as u32));
        let update =
            graph.is_some().then_some(RunUpdate { state: RunState::Running, ended: None, counts: Vec::new(), graph });
        let (number, next) = (history.number, history.segments + 1);
        let delivery_log = StoreDeliveryLog::of(&self.inner, &run);
        let journal = self.clone();
        let info = history.info.clone();
        let run_id = run.clone();
        let open = move |about: &RunStart<'_>| -> Result<Arc<dyn Recorder>, RecorderError> {
            let init = RunLogInit {
                run_id,
                target: AppendTarget::Existing { run: number, token },
                next,
                at,
                session: session(about, token),
                counts: count,
                generations,
                claim: Some(claim),
                graph: Arc::clone(about.plan),
                update,
                delivery_log,
            };
            Ok(journal.log(about, init))
        };
        let mut request = RunRequest::of_plan(Arc::clone(plan), info, params)
            .restored(restored)
            .pending_callbacks(pending)
            .recorded(Box::new(open));
        if let Some(selection) = selection {
            request = request.select(selection);
        }
        Ok(request)
    }

    pub(super) fn claim(&self, run: &str) -> Result<crate::store::RunLock, JournalError> {
        let failed = |error| JournalError::RunLock { run: run.to_owned(), error };
        let live = || {
            let by = self.inner.run_locks.holder(run).unwrap_or_else(|| "another process".to_owned());
            JournalError::Live { run: run.to_owned(), by }
        };
        self.inner.run_locks.claim(run).map_err(failed)?.ok_or_else(live)
    }

    /// The named values that tasks have pushed. Which of them will be pulled, nobody knows.
    pub(super) async fn notes_of(&self, history: &RunHistory) -> Result<Vec<RestoredNote>, JournalError> {
        let mut notes = Vec::new();
        for task in &history.tasks {
            for pushed in &task.pushed {
                let Some(bytes) = self.bytes_at(history, &task.id, &pushed.place).await? else { continue };
                let (task, key, ty) = (task.id.clone(), pushed.key.clone(), pushed.ty.clone());
                notes.push(RestoredNote { task, key, ty, bytes: bytes.into() });
            }
        }
        Ok(notes)
    }

    /// The values of those of these tasks that succeeded.
    pub(super) async fn values_of(
        &self,
        history: &RunHistory,
        known: &ResumeState<'_>,
        nodes: &[u32],
    ) -> Result<HashMap<u32, AnyValue>, JournalError> {
        let mut values = HashMap::new();
        for &node in nodes {
            let Some((task, TaskState::Success)) = known.kept(node) else { continue };
            if known.plan.place(known.layout.node(node)).expands.is_some() {
                continue;
            }
            let failed =
                |reason| JournalError::Value { run: history.info.run_id.clone(), task: task.id.clone(), reason };
            let clear = |reason: String| format!("{reason}; `clear {} {}` lets it run again", history.number, task.id);
            let bytes = match self.value_bytes(history, task).await {
                Err(JournalError::Value { reason, .. }) => return Err(failed(clear(reason))),
                bytes => bytes?,
            };
            let bytes = bytes.ok_or_else(|| failed(clear("it was never stored".to_owned())))?;
            let ty = known.plan.def(known.layout.node(node)).output;
            let value = ty.decode(&bytes).map_err(|error| failed(clear(error)))?;
            values.insert(node, value);
        }
        Ok(values)
    }
}

/// The DAG of a run in this program.
pub(super) fn dag_of(info: &crate::run::RunInfo) -> Result<&'static DagDef, JournalError> {
    let dags = Registry::dags();
    let found = dags.iter().find(|dag| dag.id == info.dag_id);
    found.copied().ok_or_else(|| JournalError::UnknownDag {
        run: info.run_id.clone(),
        dag: info.dag_id.clone(),
        dags: dags.iter().map(|dag| dag.id.to_owned()).collect(),
    })
}

/// How a task has ended, if it has.
fn ended(state: &RestoredState) -> Option<TaskState> {
    Some(match state {
        RestoredState::Success(_) => TaskState::Success,
        RestoredState::Skipped(_) => TaskState::Skipped,
        RestoredState::Failed(_) => TaskState::Failed,
        RestoredState::Because { state, .. } => *state,
        RestoredState::Retry(_) | RestoredState::Waits { .. } | RestoredState::Open => return None,
    })
}
