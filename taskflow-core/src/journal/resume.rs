//! Resumes a run that was interrupted or edited, and starts one that is queued.
//!
//! 1. The run is [adopted](super::adopted): claimed, then read. What was in flight when its process
//!    died is lost and runs again; what has ended stays ended.
//! 2. The history meets the graph of this program: tasks are the same if their ids are. New tasks
//!    run, tasks that are gone become `removed`. A stored value whose type has changed is refused
//!    before the run changes.
//! 3. Tasks that have ended are opened again where those still to be run need it
//!    ([reopened](super::reopened)).
//! 4. The values that tasks still to be run will take are read.
//! 5. A run that has never started gets rid of the files that a deleted run with its id has left.
//! 6. The run starts with what is known of it.
//!
//! # Tasks that kill the process
//!
//! A task can end its process with it: it calls `exit`, overflows its stack, or is the reason that
//! the system kills the process. Resuming the run would repeat that for ever.
//!
//! 1. The start of a task that was in flight when its process died is stored before the task is
//!    called again, so a second death has its name.
//! 2. Every task that was running at a death is counted. The count starts again at 0 when an
//!    attempt of the task ends, or when the task is cleared.
//! 3. A task with two deaths is a suspect. While a resumed run has suspects, one task of the run
//!    runs at a time, the suspects first. One death alone changes nothing: most deaths have other
//!    causes, and running one task at a time is slow.
//! 4. A suspect that returns is none any more. The one that kills is the only running task, so a
//!    task with three deaths that was alone at the last one is the cause: the run is not resumed,
//!    and the error has the name of the task.
//! 5. Nobody waits for the refusal of a service, so it fails the task and resumes the run: the run
//!    ends, its callbacks tell of it, and what waits for its place starts. A run that was to be
//!    cancelled is cancelled instead. Nor does anybody wait for the refusal of a run that a task
//!    has triggered and resumes with its own.
//!
//! The runs of a process are counted each on its own: a task of another run in the same process can
//! be the cause.

use std::collections::HashMap;
use std::sync::Arc;

use super::adopted::AdoptedRun;
use super::deliveries::StoreDeliveryLog;
use super::error::JournalError;
use super::graph::Graph;
use super::graph_changes::changes;
use super::history::RunHistory;
use super::journal::{Journal, session};
use super::params;
use super::resume_state::ResumeState;
use super::run_log::RunLogInit;
use super::task_history::TaskHistory;
use crate::base::Timestamp;
use crate::dag::{Dag, DagDef, Plan, Registry};
use crate::engine::{Recorder, RecorderError, RunRequest, RunStart};
use crate::run::{GraphChanges, RestoredNote, RestoredState, RunInfo, RunState, TaskIndex, TaskState};
use crate::store::{AppendTarget, RunUpdate};
use crate::value::{AnyValue, Value};

impl Journal {
    /// Resumes a run of a DAG of this program: what has ended stays as it is, what was in flight
    /// when its process died runs again. Starts a run that is queued. Takes the tasks from the
    /// program as it is now.
    ///
    /// A run that has ended has nothing left to run, unless tasks of it were
    /// [cleared](Journal::clear) or marked.
    ///
    /// # Errors
    ///
    /// When there is no such run, a process owns it, it has ended, the program does not have its
    /// DAG, or a stored value does not fit the DAG any more. The state of the run has not changed
    /// then.
    pub async fn resume(&self, run: &str) -> Result<RunRequest<()>, JournalError> {
        let row = self.row(run).await?;
        let plan = dag_of(&row.info)?.plan()?;
        let adopted = self.adopt_row(&row, Some(&plan)).await?;
        adopted.refuse_deadly()?;
        adopted.resume_plan(&plan, self.now()).await
    }

    /// As [`Journal::resume`], for a service: a task that kills its process fails, and the run goes
    /// on. If somebody has asked the last owner of the run to cancel it, the run ends as cancelled.
    /// With `backfill`, the run counts among those of backfills whatever its type is.
    pub(crate) async fn resume_unattended(&self, run: &str, backfill: bool) -> Result<RunRequest<()>, JournalError> {
        let row = self.row(run).await?;
        let plan = dag_of(&row.info)?.plan()?;
        let mut adopted = self.adopt_row(&row, Some(&plan)).await?;
        adopted.is_backfill |= backfill;
        adopted.prepare_unattended().await?;
        adopted.resume_plan(&plan, self.now()).await
    }

    /// As [`Journal::resume`], with a graph that the program does not list: one of [`Dag::build`].
    ///
    /// # Errors
    ///
    /// As [`Journal::resume`].
    pub async fn resume_dag<T: Value>(&self, run: &str, dag: &Dag<T>) -> Result<RunRequest<T>, JournalError> {
        self.resume_plan(run, dag.plan(), self.now()).await
    }

    /// `at` is the present time: what was in flight counts as lost since then.
    pub(super) async fn resume_plan<T>(
        &self,
        run: &str,
        plan: &Arc<Plan>,
        at: Timestamp,
    ) -> Result<RunRequest<T>, JournalError> {
        let row = self.row(run).await?;
        self.adopt_row(&row, Some(plan)).await?.resume_plan(plan, at).await
    }
}

impl Journal {
    /// Why a process of this program would refuse to start a queued run, as far as that is known
    /// without claiming it: the graph has mistakes, or a parameter does not fit any more.
    pub(crate) async fn why_refused(&self, number: i64, info: &RunInfo) -> Result<Option<String>, JournalError> {
        let Ok(dag) = dag_of(info) else { return Ok(None) };
        let plan = match dag.plan() {
            Ok(plan) => plan,
            Err(errors) => return Ok(Some(errors.to_string())),
        };
        let stored = self.inner.store.params(number).await?.unwrap_or_default();
        let params = params::decode(&stored).and_then(|stored| params::restore(&stored, plan.params(), info));
        Ok(params.err())
    }
}

/// Tasks with which several processes have died.
#[derive(Debug)]
pub(super) struct Deadly {
    /// Their ids.
    tasks: Vec<String>,
    /// How many processes.
    deaths: u32,
}

/// How often a process may die while the same task runs.
const DEATHS: u32 = 3;

/// The tasks that would kill the process again.
fn deadly(history: &RunHistory) -> Option<Deadly> {
    // The death of the last process is not counted yet.
    let is_alone = history.tasks.iter().filter(|task| task.state == TaskState::Running).count() == 1;
    let deaths = |task: &TaskHistory| task.deaths + u32::from(task.state == TaskState::Running);
    let died_alone = |task: &TaskHistory| match task.state {
        TaskState::Running => is_alone,
        _ => task.died_alone,
    };
    // A run that ends early calls its teardowns only.
    let is_called = |place: u32| match history.halted() {
        Some(_) => (place as usize) < history.shape.nodes.len() && history.shape.kind(place).is_teardown(),
        None => true,
    };
    let is_deadly = |(place, task): &(u32, &TaskHistory)| {
        !task.state.is_terminal() && deaths(task) >= DEATHS && died_alone(task) && is_called(*place)
    };
    let deadly: Vec<&TaskHistory> = (0..).zip(&history.tasks).filter(is_deadly).map(|(_, task)| task).collect();
    let deaths = deadly.iter().map(|task| deaths(task)).max()?;
    Some(Deadly { tasks: deadly.iter().map(|task| task.id.to_string()).collect(), deaths })
}

impl Journal {
    /// The tasks with which so many processes have died that [`Journal::resume`] refuses the run,
    /// by their ids.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "`doctor` asks"))]
    pub(crate) async fn deadly_tasks(&self, run: &str) -> Result<Vec<String>, JournalError> {
        let row = self.row(run).await?;
        // The token counts its processes.
        if row.token < u64::from(DEATHS) {
            return Ok(Vec::new());
        }
        Ok(deadly(&self.history_of(row).await?).map_or_else(Vec::new, |deadly| deadly.tasks))
    }
}

impl AdoptedRun {
    /// Prepares a run that nobody watches: what would be refused fails instead, and what was to be
    /// cancelled is cancelled.
    pub(super) async fn prepare_unattended(&mut self) -> Result<(), JournalError> {
        self.heed_cancellation().await?;
        // A run that is cancelled calls no other tasks than teardowns.
        self.failing = deadly(&self.history);
        Ok(())
    }

    /// Refuses a run whose process would die again.
    fn refuse_deadly(&self) -> Result<(), JournalError> {
        match deadly(&self.history) {
            Some(Deadly { tasks, deaths }) => {
                Err(JournalError::Deadly { run: self.history.info.run_id.clone(), tasks, deaths })
            }
            None => Ok(()),
        }
    }

    /// As [`Journal::resume`].
    pub(crate) async fn resume(self) -> Result<RunRequest<()>, JournalError> {
        let plan = dag_of(&self.history.info)?.plan()?;
        let now = self.journal.now();
        self.resume_plan(&plan, now).await
    }

    /// As [`Journal::resume_plan`].
    pub(super) async fn resume_plan<T>(self, plan: &Arc<Plan>, at: Timestamp) -> Result<RunRequest<T>, JournalError> {
        let (number, token) = (self.number(), self.token());
        let AdoptedRun { journal, mut history, guard, callbacks, is_backfill, failing, .. } = self;
        let run = history.info.run_id.clone();
        let stored_as = history.row.state;
        if stored_as.is_terminal() {
            let reason = format!("it has ended ({stored_as}); use `retry` or `clear` to run tasks again");
            return Err(JournalError::Nothing { run, reason });
        }
        let changed = |reason| JournalError::Changed { run: run.clone(), reason };
        if history.info.dag_id != plan.id() {
            return Err(changed(format!("it is a run of the DAG `{}`, not of `{}`", history.info.dag_id, plan.id())));
        }
        let graph_changes = if history.graph == plan.hash() {
            GraphChanges::default()
        } else {
            changes(history.numbers.drawn(&history.shape), &Graph::of(plan))
        };
        if history.graph == plan.hash() && !history.edited {
            // With another graph, the types of their values may be others. An edit did not see what
            // the elements take, so that they run again after it.
            history.regain_elements();
        }
        // As the history will have it once the session of this process is stored.
        history.lose(at);
        let known = ResumeState::to_resume(&history, plan, at);
        known.check_types().map_err(changed)?;
        let damaged = |what| JournalError::DamagedRun { run: run.clone(), what };
        let stored = journal.inner.store.params(number).await?.unwrap_or_default();
        let stored = params::decode(&stored).map_err(damaged)?;
        let params = params::restore(&stored, plan.params(), &history.info).map_err(changed)?;
        let values = journal.values_of(&history, &known, &known.wanted()).await?;
        if stored_as == RunState::Queued {
            journal.delete_files_before(&run).await?;
        }
        let notes = journal.notes_of(&history).await?;
        let pending = match callbacks {
            Some(callbacks) if callbacks.is_of(plan) => callbacks.pending(&history),
            _ => journal.pending_callbacks(history.row.clone(), plan).await?,
        };
        let selection = known.selection();
        let mut restored = known.restore(values, notes);
        if let Some(Deadly { tasks, deaths }) = failing {
            restored.deadly = known.with_ids(&tasks).map(|task| (task, deaths)).collect();
            for (task, _) in &restored.deadly {
                restored.suspects.remove(task);
            }
        }
        let counts = restored.tasks.iter().filter_map(|task| Some((ended(&task.state)?, 1)));
        let mut count: HashMap<TaskState, u32> = HashMap::new();
        counts.for_each(|(state, one)| *count.entry(state).or_default() += one);
        if let Some(selection) = &selection {
            // As for a run that begins: elements that are left out are not counted.
            let out = |task: &TaskIndex| {
                let node = known.layout.node(*task);
                !selection.contains(node) && !plan.is_mapped(node)
            };
            let removed = known.layout.tasks().filter(out).count() as u32;
            if removed > 0 {
                count.insert(TaskState::Removed, removed);
            }
        }
        let generations = known.generations();
        let graph = (history.graph != plan.hash()).then(|| (plan.hash().to_owned(), plan.task_count() as u32));
        let state = RunState::Running;
        let update = (graph.is_some() || stored_as != state).then_some(RunUpdate {
            state,
            ended: None,
            counts: Vec::new(),
            graph,
        });
        let next = history.segments + 1;
        let delivery_log = StoreDeliveryLog::of(&journal.inner, &run, token);
        let info = history.info.clone();
        let open = move |about: &RunStart<'_>| -> Result<Arc<dyn Recorder>, RecorderError> {
            let init = RunLogInit {
                run_id: run,
                target: AppendTarget::Existing { run: number, token },
                next,
                at,
                session: session(about, token),
                counts: count,
                generations,
                guard: Some(guard),
                graph: Arc::clone(about.plan),
                update,
                delivery_log,
                is_backfill,
                audit: journal.pending_audit(),
            };
            Ok(journal.log(about, init))
        };
        let mut request = RunRequest::of_plan(Arc::clone(plan), info, params)
            .restored(restored)
            .pending_callbacks(pending)
            .with_graph_changes(graph_changes)
            .recorded(Box::new(open));
        if let Some(selection) = selection {
            request = request.select(selection);
        }
        Ok(request)
    }
}

impl Journal {
    /// The XComs that tasks have pushed. Any of them may be pulled.
    pub(super) async fn notes_of(&self, history: &RunHistory) -> Result<Vec<RestoredNote>, JournalError> {
        let mut notes = Vec::new();
        for task in &history.tasks {
            for pushed in &task.pushed {
                let Some(place) = &pushed.place else { continue };
                let Some(bytes) = self.bytes_at(history, &task.id, place).await? else { continue };
                let (task, key, ty) = (task.id.to_string(), pushed.key.clone(), pushed.ty.clone());
                notes.push(RestoredNote { task, key, ty, bytes: bytes.into() });
            }
        }
        Ok(notes)
    }

    /// The values of these tasks, as far as they succeeded.
    pub(super) async fn values_of(
        &self,
        history: &RunHistory,
        known: &ResumeState<'_>,
        tasks: &[TaskIndex],
    ) -> Result<HashMap<TaskIndex, AnyValue>, JournalError> {
        let mut values = HashMap::new();
        for &number in tasks {
            let Some((task, TaskState::Success)) = known.kept(number) else { continue };
            if known.plan.place(known.layout.node(number)).expands.is_some() && !task.has_value() {
                continue;
            }
            let failed =
                |reason| JournalError::Value { run: history.info.run_id.clone(), task: task.id.to_string(), reason };
            let clear = |reason: String| format!("{reason}; `clear {} {}` runs it again", history.number, task.id);
            let bytes = match self.value_bytes(history, task).await {
                Err(JournalError::Value { reason, .. }) => return Err(failed(clear(reason))),
                bytes => bytes?,
            };
            let bytes = bytes.ok_or_else(|| failed(clear("it was never stored".to_owned())))?;
            let ty = known.plan.def(known.layout.node(number)).output;
            let value = ty.decode(&bytes).map_err(|error| failed(clear(error)))?;
            values.insert(number, value);
        }
        Ok(values)
    }
}

/// The DAG of a run in this program.
pub(super) fn dag_of(info: &RunInfo) -> Result<&'static DagDef, JournalError> {
    let dags = Registry::dags();
    let found = dags.iter().find(|dag| dag.id == info.dag_id);
    found.copied().ok_or_else(|| JournalError::UnknownDag {
        run: info.run_id.clone(),
        dag: info.dag_id.clone(),
        dags: dags.iter().map(|dag| dag.id.to_owned()).collect(),
    })
}

/// The terminal state of a task, if it has one.
fn ended(state: &RestoredState) -> Option<TaskState> {
    Some(match state {
        RestoredState::Success(_) => TaskState::Success,
        RestoredState::Skipped { .. } => TaskState::Skipped,
        RestoredState::Failed(_) => TaskState::Failed,
        RestoredState::Cancelled(_) => TaskState::Cancelled,
        RestoredState::Because { state, .. } => *state,
        RestoredState::Retry(_) | RestoredState::Waits { .. } | RestoredState::Open => return None,
    })
}
