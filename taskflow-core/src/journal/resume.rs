//! Going on with a run that was interrupted, or of which tasks were cleared.
//!
//! 1. The run is claimed; one that somebody runs is refused.
//! 2. Its history is folded. What was in flight when its process died is lost and runs again; what has ended stays ended.
//! 3. The history meets the graph of this program: tasks are the same if their ids are. Tasks that are new run, tasks that
//!    are gone are `removed`, and a kept value whose type has changed is refused before anything is touched.
//! 4. Values that tasks still to be run will want are read.
//! 5. The token of the run is raised: a process that had it before can store nothing any more. Then the run starts, with what
//!    is known of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::error::JournalError;
use super::history::{AttemptHistory, RunHistory, TaskHistory};
use super::journal::{Journal, session};
use super::live::worker;
use super::params;
use super::run_log::Beginning;
use super::store::{RunUpdate, Whose};
use crate::dag::{ArgPlan, Dag, DagDef, Layout, Plan, Registry, Selection, Source};
use crate::engine::{
    About, AttemptRecord, Recorder, Restored, RestoredState, RestoredTask, RunRequest, RunState, TaskState,
};
use crate::error::Failure;
use crate::time::Timestamp;
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
        self.resume_plan(&row.info.run_id, &plan).await
    }

    /// As [`Journal::resume`], with a graph that the program does not list: one of [`Dag::build`].
    ///
    /// # Errors
    ///
    /// As [`Journal::resume`].
    pub async fn resume_dag<T: Value>(&self, run: &str, dag: &Dag<T>) -> Result<RunRequest<T>, JournalError> {
        let row = self.row(run).await?;
        self.resume_plan(&row.info.run_id, dag.plan()).await
    }

    async fn resume_plan<T>(&self, run: &str, plan: &Arc<Plan>) -> Result<RunRequest<T>, JournalError> {
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
        let at = Timestamp::now();
        history.lose(at);
        let known = Known::new(&history, plan);
        known.check_types().map_err(changed)?;
        let damaged = |what| JournalError::DamagedRun { run: run.clone(), what };
        let stored = self.inner.store.params(history.number).await?.unwrap_or_default();
        let stored = params::decode(&stored).map_err(damaged)?;
        let params = params::restore(&stored, plan.params(), &history.info).map_err(changed)?;
        let values = self.values_of(&history, &known, &known.wanted()).await?;

        let token = self.inner.store.adopt(history.number, history.row.token, &worker()).await?;
        let token = token.ok_or_else(|| JournalError::Taken { run: run.clone() })?;
        let selection = known.selection();
        let restored = known.restore(values);
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
        let journal = self.clone();
        let info = history.info.clone();
        let run_id = run.clone();
        let open = move |about: &About<'_>| -> Result<Arc<dyn Recorder>, String> {
            let beginning = Beginning {
                run_id,
                whose: Whose::Known { run: number, token },
                next,
                at,
                session: session(about, token),
                counts: count,
                generations,
                claim: Some(claim),
                graph: Arc::clone(about.plan),
                update,
            };
            Ok(journal.log(about, beginning))
        };
        let mut request =
            RunRequest::of_plan(Arc::clone(plan), info, params).restored(restored).recorded(Box::new(open));
        if let Some(selection) = selection {
            request = request.select(selection);
        }
        Ok(request)
    }

    pub(super) fn claim(&self, run: &str) -> Result<super::live::Claim, JournalError> {
        let failed = |error| JournalError::Claim { run: run.to_owned(), error };
        let live = || {
            let by = self.inner.claims.holder(run).unwrap_or_else(|| "another process".to_owned());
            JournalError::Live { run: run.to_owned(), by }
        };
        self.inner.claims.claim(run).map_err(failed)?.ok_or_else(live)
    }

    /// The values of those of these tasks that succeeded.
    pub(super) async fn values_of(
        &self,
        history: &RunHistory,
        known: &Known<'_>,
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
pub(super) fn dag_of(info: &crate::task::RunInfo) -> Result<&'static DagDef, JournalError> {
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
        RestoredState::Retry(_) | RestoredState::Open => return None,
    })
}

/// What is known of a run, seen from the graph of this program.
pub(super) struct Known<'a> {
    pub(super) plan: &'a Arc<Plan>,
    history: &'a RunHistory,
    /// The task instances, with the elements of those lists that stay.
    pub(super) layout: Layout,
    /// The place in the history of each of them.
    places: Vec<Option<usize>>,
    /// The lists that stay, in the order in which they came, with their lengths.
    expansions: Vec<(u32, u32)>,
    /// Whether what follows from other tasks still follows.
    settled: bool,
}

impl<'a> Known<'a> {
    pub(super) fn new(history: &'a RunHistory, plan: &'a Arc<Plan>) -> Self {
        let by_id: HashMap<&str, usize> =
            history.tasks.iter().enumerate().map(|(place, task)| (&*task.id, place)).collect();
        let settled = !history.edited && history.graph == plan.hash();
        let mut layout = Layout::new(Arc::clone(plan));
        let mut lists: Vec<&TaskHistory> =
            history.tasks.iter().filter(|task| task.length.is_some() && task.state == TaskState::Success).collect();
        lists.sort_by_key(|task| task.order);
        let mut expansions = Vec::new();
        for list in lists {
            // Of a list inside another one that is not there any more nothing stays.
            let Some((expand, count)) = layout.find(&list.id).zip(list.length) else { continue };
            if layout.expand(expand, count).is_some() {
                expansions.push((expand, count));
            }
        }
        let mut places = vec![None; layout.len() as usize];
        for task in layout.tasks() {
            places[task as usize] = by_id.get(&*layout.id(task)).copied();
        }
        Known { plan, history, layout, places, expansions, settled }
    }

    fn task(&self, task: u32) -> Option<&'a TaskHistory> {
        self.places[task as usize].map(|place| &self.history.tasks[place])
    }

    /// What the task has come to, if that stays.
    pub(super) fn kept(&self, node: u32) -> Option<(&'a TaskHistory, TaskState)> {
        let task = self.task(node)?;
        let derived = task.cause.is_some() && !task.marked;
        let stays = match task.state {
            TaskState::Success | TaskState::Failed | TaskState::Cancelled => true,
            TaskState::Skipped | TaskState::UpstreamFailed => !derived || self.settled,
            _ => false,
        };
        stays.then_some((task, task.state))
    }

    /// Refuses values that the graph of today would take for something else.
    fn check_types(&self) -> Result<(), String> {
        self.check_types_of(&self.wanted())
    }

    /// As [`Known::check_types`], for the values of these tasks.
    pub(super) fn check_types_of(&self, nodes: &[u32]) -> Result<(), String> {
        let mut mistakes = Vec::new();
        for &node in nodes {
            let Some((task, TaskState::Success)) = self.kept(node) else { continue };
            let Some(place) = self.places[node as usize].filter(|&place| place < self.history.shape.nodes.len()) else {
                continue;
            };
            let ty = self.plan.def(self.layout.node(node)).output;
            let (was, is) = (&self.history.shape.kind(place as u32).output, ty.short());
            if *was != is {
                let number = self.history.number;
                mistakes.push(format!(
                    "task `{}` returned a {was} and returns a {is} now; `clear {number} {}` lets it run again",
                    task.id, task.id
                ));
            }
        }
        if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("; ")) }
    }

    /// Which nodes have instances that are still to be run, or may get some; and expand nodes whose elements have.
    fn open(&self) -> Vec<bool> {
        let mut open = vec![false; self.plan.len()];
        for task in self.layout.tasks().filter(|&task| self.kept(task).is_none()) {
            let node = self.layout.node(task);
            open[node as usize] = true;
            if let Some(mapping) = self.plan.place(node).expands {
                self.open_all(mapping, &mut open);
            }
        }
        for mapping in self.plan.mappings().iter().rev() {
            // Its list is the value of another task.
            open[mapping.expand as usize] |= mapping.nodes.iter().any(|&node| open[node as usize]);
        }
        open
    }

    fn open_all(&self, mapping: u32, open: &mut [bool]) {
        for &node in &self.plan.mappings()[mapping as usize].nodes {
            open[node as usize] = true;
            if let Some(inner) = self.plan.place(node).expands {
                self.open_all(inner, open);
            }
        }
    }

    /// The tasks whose values tasks still to be run will want, and that of the result.
    fn wanted(&self) -> Vec<u32> {
        let open = self.open();
        let result = self.plan.result().and_then(Source::as_task);
        let is_wanted = |node: u32| {
            let below = self.plan.successors(node).iter().map(|&join| self.plan.joins()[join as usize].node);
            let taken = |below: u32| open[below as usize] && takes(self.plan, below, node);
            // The value of an expand node is never stored.
            self.plan.place(node).expands.is_none() && (result == Some(node) || below.into_iter().any(taken))
        };
        let wanted: Vec<bool> = (0..self.plan.len() as u32).map(is_wanted).collect();
        let succeeded = |task: &u32| matches!(self.kept(*task), Some((_, TaskState::Success)));
        self.layout.tasks().filter(succeeded).filter(|&task| wanted[self.layout.node(task) as usize]).collect()
    }

    /// The tasks that take part, if some were left out from the beginning.
    fn selection(&self) -> Option<Selection> {
        let out = |node: u32| {
            !self.plan.is_mapped(node) && self.task(node).is_some_and(|task| task.state == TaskState::Removed)
        };
        let taken: Vec<bool> = (0..self.plan.len() as u32).map(|node| !out(node)).collect();
        taken.contains(&false).then(|| Selection::of(taken))
    }

    fn generations(&self) -> HashMap<String, u32> {
        let cleared = self.history.tasks.iter().filter(|task| task.cleared > 0);
        cleared.map(|task| (task.id.clone(), task.cleared)).collect()
    }

    pub(super) fn restore(&self, mut values: HashMap<u32, AnyValue>) -> Restored {
        let mut tasks: Vec<(u64, RestoredTask)> = Vec::new();
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        for task in self.layout.tasks() {
            numbers.extend(self.task(task).map(|known| (&*known.id, task)));
        }
        for node in self.layout.tasks() {
            let Some(task) = self.task(node) else { continue };
            let kept = self.kept(node);
            if kept.is_none() && task.attempts.is_empty() {
                continue;
            }
            let failure =
                || task.failure.clone().unwrap_or_else(|| Arc::new(Failure::Cancelled { reason: String::new() }));
            let cause = || task.cause.as_deref().and_then(|cause| numbers.get(cause).copied()).unwrap_or(node);
            let state = match (kept, task.state) {
                (Some((_, TaskState::Success)), _) => RestoredState::Success(values.remove(&node)),
                (Some((_, TaskState::Failed)), _) => RestoredState::Failed(failure()),
                (Some((_, TaskState::Skipped)), _) if task.cause.is_none() => RestoredState::Skipped(failure()),
                (Some((_, state)), _) => RestoredState::Because { state, cause: cause() },
                (None, TaskState::UpForRetry) => RestoredState::Retry(task.retry_at.unwrap_or(Timestamp::EPOCH)),
                (None, _) => RestoredState::Open,
            };
            tasks.push((task.order, restored(node, state, task)));
        }
        tasks.sort_by_key(|&(order, _)| order);
        let tasks = tasks.into_iter().map(|(_, task)| task).collect();
        let expansions = self.expansions.clone();
        Restored {
            started: self.history.started(),
            tasks,
            expansions,
            later: self.later(),
            halted: self.history.halted(),
        }
    }

    /// What is known of elements whose lists have yet to come (again): their attempts are counted on.
    fn later(&self) -> HashMap<String, RestoredTask> {
        if self.plan.mappings().is_empty() {
            return HashMap::new();
        }
        let here: HashSet<usize> = self.places.iter().flatten().copied().collect();
        let all = self.history.tasks.iter().enumerate();
        let later = all.filter(|(place, task)| !here.contains(place) && !task.attempts.is_empty());
        later.map(|(_, task)| (task.id.clone(), restored(0, RestoredState::Open, task))).collect()
    }
}

/// What a run is told of a task.
fn restored(task: u32, state: RestoredState, known: &TaskHistory) -> RestoredTask {
    let open = matches!(state, RestoredState::Retry(_) | RestoredState::Open);
    let last = known.attempts.last();
    // The last attempt of an ended task is in its cell; all before it were retried, lost or cleared.
    let earlier =
        if open { &known.attempts[..] } else { known.attempts.split_last().map_or(&[][..], |(_, rest)| rest) };
    let record = |attempt: &AttemptHistory| AttemptRecord {
        started: attempt.started,
        ended: attempt.ended.unwrap_or(attempt.started),
        failure: attempt.failure.clone().unwrap_or_else(|| {
            Arc::new(Failure::Cancelled { reason: "the task was cleared and ran again".to_owned() })
        }),
    };
    let retried = earlier.iter().map(record).collect();
    let attempts = known.attempts.iter().map(|attempt| attempt.number).max().unwrap_or(0);
    let started = last.map_or(Timestamp::EPOCH, |attempt| attempt.started);
    let (forgiven, ended) = (known.forgiven.min(attempts), known.since.unwrap_or(started));
    RestoredTask { task, state, attempts, forgiven, started, ended, retried }
}

fn takes(plan: &Plan, node: u32, upstream: u32) -> bool {
    plan.args(node).any(|arg| match arg {
        ArgPlan::Constant(_) => false,
        ArgPlan::Edges(edges) => edges.sources().iter().any(|source| source.as_task() == Some(upstream)),
    })
}
