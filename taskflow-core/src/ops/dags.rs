//! The DAGs of a program and of a home.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::consumers;
use super::deadlines::damaged_deadlines;
use super::error::OpsError;
use super::schedules::{NextSlots, next_slots, next_slots_of, pause_of, schedule_of};
use super::situation::queued_runs;
use crate::base::schema::Schema;
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::journal::{DamagedSchedule, Journal, JournalError, RunSummary, StoredSchedule};
use crate::run::RunState;
use crate::schedule::{Backlog, Pause};

/// A DAG, its schedule and its last run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct DagStatus {
    /// The DAG.
    pub dag_id: String,
    /// Whether the store has runs or a schedule of it, and the program no longer has it: it was
    /// removed or renamed.
    pub is_gone: bool,
    /// Its tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Cow<'static, str>>,
    /// Its schedule in words.
    pub schedule: Option<String>,
    /// The time zone of the schedule.
    pub timezone: Option<Cow<'static, str>>,
    /// The next slot.
    pub next: Option<Timestamp>,
    /// Who paused it, if it is paused.
    pub pause: Option<Pause>,
    /// The assets whose events start its runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consumes: Vec<String>,
    /// How many events are pending for it, if events start its runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_events: Option<u64>,
    /// What the next run of its events waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// What the next run of its events needs, and what of it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
    /// The slots that wait, if its schedule falls behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub behind: Option<Backlog>,
    /// How many of its runs are queued.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub queued: usize,
    /// The run that was created last.
    pub last_run: Option<LastRun>,
    /// Why its schedule or its events cannot be served, or its deadlines not be judged.
    pub error: Option<String>,
}

/// The last run of a DAG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Schema)]
#[non_exhaustive]
pub struct LastRun {
    /// The number of the run.
    pub number: i64,
    /// Its id.
    pub run_id: String,
    /// Its state.
    pub state: RunState,
    /// Its logical date.
    pub logical_date: Timestamp,
    /// When it was created.
    pub created: Timestamp,
}

impl From<RunSummary> for LastRun {
    fn from(run: RunSummary) -> Self {
        let RunSummary { number, info, state, created, .. } = run;
        LastRun { number, run_id: info.run_id, state, logical_date: info.logical_date, created }
    }
}

/// The DAGs of a program by id, then those that only the store has.
///
/// # Errors
///
/// When the store cannot be read.
pub async fn dags(journal: Option<&Journal>, dags: &[&'static DagDef]) -> Result<Vec<DagStatus>, OpsError> {
    let now = Timestamp::now();
    let (mut last, mut seen, mut stored) = (BTreeMap::new(), BTreeSet::new(), StoredSchedules::default());
    if let Some(journal) = journal {
        last.extend(journal.last_runs().await?.into_iter().map(|run| (run.info.dag_id.clone(), run)));
        stored = StoredSchedules::read(journal).await?;
        seen.extend(stored.schedules.keys().cloned());
        seen.extend(journal.consumers().await?.into_keys());
    }
    let mut all = Vec::with_capacity(dags.len());
    for dag in dags {
        let mut status = status(dag.id, last.remove(dag.id));
        status.tags = dag.options.tags.iter().map(|&tag| tag.into()).collect();
        seen.remove(dag.id);
        if dag.options.schedule.is_some() {
            status.timezone = Some(dag.options.timezone.unwrap_or("UTC").into());
            match stored.next_slot(journal, dag, now).await {
                Ok(next) => {
                    status.schedule = Some(next.schedule);
                    status.next = next.slots.first().map(|slot| slot.at);
                    (status.behind, status.error) = (next.behind, next.damage);
                    status.pause = next.pause;
                }
                Err(error) if error.kind() == ErrorKind::Damaged => {
                    status.schedule = dag.options.schedule.map(|schedule| schedule.to_string());
                    status.error = Some(error.to_string());
                }
                Err(OpsError::Schedule(error)) => {
                    status.schedule = dag.options.schedule.map(|schedule| schedule.to_string());
                    status.error = Some(error.to_string());
                    // The service has paused it if its timetable has panicked.
                    if let Some(journal) = journal {
                        status.pause = match pause_of(journal, dag.id).await {
                            Err(error) if error.kind() == ErrorKind::Damaged => None,
                            pause => pause?,
                        };
                    }
                }
                Err(error) => return Err(error),
            }
        }
        status.events(journal, dag).await?;
        all.push(status);
    }
    if let Some(journal) = journal {
        let queued = queued_runs(journal).await?;
        for status in &mut all {
            status.queued = queued.get(&status.dag_id).copied().unwrap_or(0);
        }
    }
    seen.extend(last.keys().cloned());
    all.extend(seen.into_iter().map(|dag| DagStatus { is_gone: true, ..status(&dag, last.remove(&dag)) }));
    Ok(all)
}

/// What the store has of all schedules, read at once: a program may have a thousand.
#[derive(Debug, Default)]
struct StoredSchedules {
    schedules: HashMap<String, Result<StoredSchedule, DamagedSchedule>>,
    damaged_deadlines: HashMap<String, JournalError>,
}

impl StoredSchedules {
    async fn read(journal: &Journal) -> Result<Self, OpsError> {
        let damaged_deadlines = damaged_deadlines(journal).await?;
        Ok(StoredSchedules { schedules: journal.schedules().await?, damaged_deadlines })
    }

    async fn next_slot(
        &mut self,
        journal: Option<&Journal>,
        dag: &DagDef,
        now: Timestamp,
    ) -> Result<NextSlots, OpsError> {
        // The schedule of a DAG with event parameters is stored with them.
        if !matches!(dag.consumer(), Ok(None)) {
            return next_slots(journal, dag, now, 1).await;
        }
        let schedule = schedule_of(dag)?;
        let state = match self.schedules.remove(dag.id) {
            Some(Ok(stored)) => Some(stored.state),
            Some(Err(damaged)) => return Err(OpsError::unreadable_schedule(dag.id, &damaged.error)),
            None => None,
        };
        let damage = self.damaged_deadlines.get(dag.id).filter(|_| dag.options.deadline.is_some());
        next_slots_of(dag, &schedule, state, damage, now, 1)
    }
}

impl DagStatus {
    /// Adds what the DAG consumes, if it has event parameters.
    async fn events(&mut self, journal: Option<&Journal>, dag: &DagDef) -> Result<(), OpsError> {
        let consumer = match dag.consumer() {
            Ok(Some(consumer)) => consumer,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.error.get_or_insert(error.to_string());
                return Ok(());
            }
        };
        self.consumes = consumer.assets();
        let status = match consumers::status(journal, dag, &consumer).await {
            Ok(status) => status,
            // A timetable that panics hides no other DAG.
            Err(error) if error.kind() == ErrorKind::Damaged || matches!(error, OpsError::Schedule(_)) => {
                self.error.get_or_insert(error.to_string());
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.pending_events = Some(status.inputs.iter().map(|input| input.pending).sum());
        (self.waits_for, self.condition) = (status.waits_for, status.condition);
        self.pause = status.pause.or(status.schedule_pause);
        Ok(())
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes it like this")]
pub(super) fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn status(dag: &str, last_run: Option<RunSummary>) -> DagStatus {
    DagStatus {
        dag_id: dag.to_owned(),
        is_gone: false,
        tags: Vec::new(),
        schedule: None,
        timezone: None,
        next: None,
        pause: None,
        consumes: Vec::new(),
        pending_events: None,
        waits_for: None,
        condition: None,
        behind: None,
        queued: 0,
        last_run: last_run.map(LastRun::from),
        error: None,
    }
}
