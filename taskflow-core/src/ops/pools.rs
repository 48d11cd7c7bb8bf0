//! The pools of a home and the limit of its service: who holds slots, and who waits for them.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::Serialize;

use super::error::OpsError;
use super::queue_wait::queue_wait;
use super::served::{ServingProcess, serving_process};
use crate::base::schema::Schema;
use crate::base::{ErrorKind, Timestamp};
use crate::config::Config;
use crate::dag::{DagDef, Plan, Registry, node_id_of};
use crate::journal::{Journal, RunHistory, word_of};
use crate::run::{RunState, RunType, TaskState};
use crate::store::{RunFilter, RunOrder};

/// The most running runs whose tasks are counted for the metrics.
const RUNNING: u32 = 100;
/// How many queued runs are explained.
const QUEUED: usize = 20;

/// What limits the runs of a home, and what is at the limits.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct LimitStatus {
    /// The pools, by name.
    pub pools: Vec<PoolStatus>,
    /// The process that serves the home, with its limit of runs.
    pub service: Option<ServingProcess>,
    /// How many runs that process runs: those that count towards its limit.
    pub active_runs: usize,
    /// How many tasks of all runs are running.
    pub running_tasks: usize,
    /// The queued runs that were created first, and why they have not started.
    pub queued: Vec<QueuedRunStatus>,
    /// How many runs are queued.
    pub queued_runs: usize,
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Serialize, Schema)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Its name.
    pub pool: String,
    /// How many slots it has.
    pub size: u32,
    /// How many it has in the program, if the configuration has another number.
    pub declared: Option<u32>,
    /// How many slots running tasks hold.
    pub taken: u32,
    /// Who holds them, the longest first.
    pub holders: Vec<SlotHolder>,
    /// Who waits for them, in the order in which they became ready; within a run, by priority.
    pub waiting: Vec<SlotWaiter>,
}

/// A task that holds slots of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct SlotHolder {
    /// The number of its run.
    pub number: i64,
    /// The DAG of its run.
    pub dag_id: String,
    /// The task.
    pub task: String,
    /// How many slots.
    pub slots: u32,
    /// Since when.
    pub since: Timestamp,
}

/// A task that waits for slots of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct SlotWaiter {
    /// The number of its run.
    pub number: i64,
    /// The DAG of its run.
    pub dag_id: String,
    /// The task.
    pub task: String,
    /// How many slots it needs.
    pub slots: u32,
    /// Its priority within its run.
    pub priority: i32,
    /// Since when it is ready.
    pub since: Timestamp,
    /// Why it does not run yet.
    pub why: String,
}

/// A queued run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Schema)]
#[non_exhaustive]
pub struct QueuedRunStatus {
    /// Its number.
    pub number: i64,
    /// Its DAG.
    pub dag_id: String,
    /// When it was created.
    pub since: Timestamp,
    /// Why it has not started.
    pub why: String,
}

/// The pools and the limits of a home. `dags` are the DAGs of the program.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn limits(
    journal: &Journal,
    home: &Path,
    config: &Config,
    dags: &[&'static DagDef],
) -> Result<LimitStatus, OpsError> {
    let mut pools = declared(config);
    let running = RunFilter { states: vec![RunState::Running], ..RunFilter::default() };
    // A lock file that cannot be read names no service.
    let service = serving_process(home).ok().flatten();
    let (mut active_runs, mut running_tasks) = (0, 0);
    for run in journal.runs(&running).await? {
        let is_served = service.as_ref().is_some_and(|service| service.worker == run.worker);
        active_runs += usize::from(is_served && run.is_owned && run.info.run_type != RunType::Triggered);
        let history = journal.history(&word_of(run.number)).await?;
        running_tasks += history.running();
        let dag = dags.iter().find(|dag| dag.id == run.info.dag_id);
        add(&mut pools, &history, dag.and_then(|dag| dag.plan().ok()).as_deref());
    }
    let mut pools: Vec<PoolStatus> = pools.into_values().collect();
    pools.iter_mut().for_each(PoolStatus::put_in_order);

    let queued = RunFilter { states: vec![RunState::Queued], order: RunOrder::Number, ..RunFilter::default() };
    let mut waiting = journal.runs(&queued).await?;
    waiting.sort_by_key(|run| run.number);
    let queued_runs = waiting.len();
    let mut queued = Vec::new();
    for run in waiting.into_iter().take(QUEUED) {
        let history = journal.history(&word_of(run.number)).await?;
        // It has started since.
        let Some(wait) = queue_wait(journal, home, dags, &history).await? else { continue };
        let (number, dag_id, since) = (run.number, run.info.dag_id, run.created);
        queued.push(QueuedRunStatus { number, dag_id, since, why: wait.to_string() });
    }
    Ok(LimitStatus { pools, service, active_runs, running_tasks, queued, queued_runs })
}

/// The pools of a home, without the reasons why tasks wait; and how many tasks of running runs are
/// in which state, which the same histories tell.
///
/// # Errors
///
/// When the store cannot be read.
#[cfg_attr(not(feature = "server"), allow(dead_code, reason = "for the metrics of the server"))]
pub(crate) async fn pools(
    journal: &Journal,
    config: &Config,
) -> Result<(Vec<PoolStatus>, HashMap<TaskState, u64>), OpsError> {
    let (mut pools, mut tasks) = (declared(config), HashMap::new());
    let running = RunFilter { states: vec![RunState::Running], limit: Some(RUNNING), ..RunFilter::default() };
    for run in journal.runs(&running).await? {
        match journal.history(&word_of(run.number)).await {
            Ok(history) => {
                add(&mut pools, &history, None);
                for (state, count) in history.counts() {
                    *tasks.entry(state).or_default() += u64::from(count);
                }
            }
            // It was pruned meanwhile, or one damaged run hides the others.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Damaged) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok((pools.into_values().collect(), tasks))
}

/// The pools of the program, with the sizes of the configuration.
fn declared(config: &Config) -> BTreeMap<String, PoolStatus> {
    let sizes: BTreeMap<&str, u32> = config.pools().collect();
    let status = |pool: crate::dag::PoolDef| {
        let size = sizes.get(pool.name).copied();
        let declared = size.filter(|size| *size != pool.slots).map(|_| pool.slots);
        let status = PoolStatus { declared, ..PoolStatus::new(pool.name, size.unwrap_or(pool.slots)) };
        (pool.name.to_owned(), status)
    };
    Registry::pools().into_iter().map(status).collect()
}

/// Adds the tasks of a run to the pools that they are in.
fn add(pools: &mut BTreeMap<String, PoolStatus>, history: &RunHistory, plan: Option<&Plan>) {
    for (place, task) in history.tasks.iter().enumerate() {
        if !matches!(task.state, TaskState::Running | TaskState::Scheduled) {
            continue;
        }
        let Some((pool, slots)) = history.pool_at(place) else { continue };
        // The program may no longer have the pool of an old run.
        let pool = pools.entry(pool.to_owned()).or_insert_with(|| PoolStatus::new(pool, 0));
        let (number, dag_id, task_id) = (history.number, history.info.dag_id.clone(), task.id.to_string());
        if task.state == TaskState::Running {
            let since = task.attempts.last().map_or(history.created, |attempt| attempt.started);
            pool.taken += slots;
            pool.holders.push(SlotHolder { number, dag_id, task: task_id, slots, since });
        } else {
            let node = plan.and_then(|plan| Some((plan, plan.find(node_id_of(&task.id))?)));
            let priority = node.map_or(0, |(plan, node)| plan.node_options(node).priority);
            let since = task.since.unwrap_or(history.created);
            let why = String::new();
            pool.waiting.push(SlotWaiter { number, dag_id, task: task_id, slots, priority, since, why });
        }
    }
}

impl PoolStatus {
    fn new(pool: &str, size: u32) -> PoolStatus {
        let (holders, waiting) = (Vec::new(), Vec::new());
        PoolStatus { pool: pool.to_owned(), size, declared: None, taken: 0, holders, waiting }
    }

    /// Sorts who holds and who waits, and says why nobody of them is earlier.
    ///
    /// The dispatcher of the service keeps the true order in memory: runs take turns, and a task
    /// that fits may overtake one that needs more slots. This is the order that follows from when
    /// the tasks became ready.
    fn put_in_order(&mut self) {
        self.holders.sort_by_key(|holder| holder.since);
        // The tasks of one run share out the places of that run by their priorities.
        self.waiting.sort_by(|one, other| (one.since, &one.task).cmp(&(other.since, &other.task)));
        let mut by_run: BTreeMap<i64, Vec<SlotWaiter>> = BTreeMap::new();
        for waiter in &self.waiting {
            by_run.entry(waiter.number).or_default().push(waiter.clone());
        }
        let mut by_run: BTreeMap<i64, _> = by_run
            .into_iter()
            .map(|(run, mut waiters)| {
                waiters.sort_by_key(|waiter| std::cmp::Reverse(waiter.priority));
                (run, waiters.into_iter())
            })
            .collect();
        for place in &mut self.waiting {
            if let Some(next) = by_run.get_mut(&place.number).and_then(Iterator::next) {
                *place = next;
            }
        }
        let free = self.size.saturating_sub(self.taken);
        for place in 0..self.waiting.len() {
            self.waiting[place].why = self.why(place, free);
        }
    }

    fn why(&self, place: usize, free: u32) -> String {
        let waiter = &self.waiting[place];
        let ahead = &self.waiting[..place];
        let needs = if waiter.slots == 1 { "a slot".to_owned() } else { format!("{} slots", waiter.slots) };
        let urgent = ahead.iter().find(|other| other.number == waiter.number && other.priority > waiter.priority);
        match (urgent, ahead.len()) {
            _ if waiter.slots > self.size => format!("it needs {needs}, and the pool has {}", self.size),
            (Some(first), _) => format!("`{}` of its run has a higher priority ({})", first.task, first.priority),
            (None, 0) if waiter.slots <= free => {
                "slots are free: it waits for a worker, or for a limit of its run".to_owned()
            }
            (None, 0) => format!("it is the next: it needs {needs}, and {free} of {} are free", self.size),
            (None, 1) => "1 task became ready earlier".to_owned(),
            (None, all) => format!("{all} tasks became ready earlier"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiter(number: i64, task: &str, slots: u32, priority: i32, since: i64) -> SlotWaiter {
        let since = Timestamp::from_nanos(since);
        SlotWaiter { number, dag_id: "d".to_owned(), task: task.to_owned(), slots, priority, since, why: String::new() }
    }

    #[test]
    fn who_waits_is_in_order_with_the_reason() {
        let mut pool = PoolStatus { taken: 3, ..PoolStatus::new("p", 4) };
        pool.waiting = vec![
            waiter(1, "low", 1, 0, 1),
            waiter(1, "high", 2, 9, 2),
            waiter(2, "other", 1, 0, 3),
            waiter(2, "huge", 5, 0, 4),
        ];
        pool.put_in_order();
        let order: Vec<(&str, &str)> = pool.waiting.iter().map(|waiter| (&*waiter.task, &*waiter.why)).collect();
        assert_eq!(
            order,
            [
                ("high", "it is the next: it needs 2 slots, and 1 of 4 are free"),
                ("low", "`high` of its run has a higher priority (9)"),
                ("other", "2 tasks became ready earlier"),
                ("huge", "it needs 5 slots, and the pool has 4"),
            ]
        );
    }
}
