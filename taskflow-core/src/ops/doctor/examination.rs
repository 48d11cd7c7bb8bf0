//! The checks of a home.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use super::{Diagnosis, Finding, FindingKind, Severity};
use crate::base::{ErrorKind, Timestamp, catch, install_hook};
use crate::dag::{BuildError, DagDef, ParamDef, ParamError, Params};
use crate::journal::{Journal, StoredSchedule, word_of};
use crate::ops::consumers;
use crate::ops::deadlines::{damaged_deadlines, missed_deadlines, untold};
use crate::ops::schedules::{asking, next_slots};
use crate::ops::situation::{queued_runs, waits};
use crate::ops::slot_counts::slot_counts;
use crate::ops::{Home, OpsError, serving_process};
use crate::run::{RunInfo, RunState};
use crate::schedule::{SlotFate, Waits};
use crate::store::{RunFilter, SyncMode};

/// A store whose last entry is older than this was idle for long, or the clock is ahead.
const IDLE: Duration = Duration::from_secs(400 * 86_400);

/// The slots that are looked at for those that were skipped.
const DAY: Duration = Duration::from_secs(86_400);

/// Checks the store, the service, the clock and the disk of a home, and the schedules of these
/// DAGs. Each finding has the next step. Changes nothing.
///
/// What cannot be checked is a finding, so this does not fail.
pub async fn doctor(home: &Home, dags: &[&'static DagDef]) -> Diagnosis {
    install_hook();
    let mut findings = Findings(Vec::new());
    let journal = findings.store(home).await;
    if let Some(free) = home.free_space() {
        findings.add(FindingKind::DiskSpace { free });
    }
    let read = findings.read(home, journal.as_ref(), dags).await;
    if let Err(error) = read {
        findings.add(FindingKind::StoreUnusable { error: error.to_string() });
    }
    let findings: Vec<Finding> = findings.0;
    let needs_attention = findings.iter().any(|finding| finding.severity == Severity::Problem);
    Diagnosis { home: home.path().to_path_buf(), needs_attention, findings }
}

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind) {
        self.0.push(kind.into());
    }

    /// Opens the store, if there is one.
    async fn store(&mut self, home: &Home) -> Option<Journal> {
        let unusable = |error: &dyn ToString| FindingKind::StoreUnusable { error: error.to_string() };
        let journal = match home.find(SyncMode::Full).await {
            Ok(Some(journal)) => journal,
            Ok(None) => {
                self.add(FindingKind::NoHome);
                return None;
            }
            Err(error) => {
                self.add(unusable(&error));
                return None;
            }
        };
        match journal.quick_check().await {
            Ok(damage) if damage.is_empty() => self.add(FindingKind::StoreSound),
            Ok(damage) => self.add(FindingKind::StoreDamaged { damage }),
            Err(error) => self.add(unusable(&error)),
        }
        Some(journal)
    }

    async fn read(&mut self, home: &Home, journal: Option<&Journal>, dags: &[&'static DagDef]) -> Result<(), OpsError> {
        let now = Timestamp::now();
        let service = serving_process(home.path()).ok().flatten();
        let is_served = service.is_some();
        match service {
            Some(service) => {
                let (limit, waiting) = (service.max_active_runs, queued(journal).await?);
                self.add(FindingKind::Service(service));
                if let Some(limit) = limit.filter(|_| waiting > 0) {
                    self.add(FindingKind::RunsQueued { waiting, limit });
                }
            }
            None => {
                let schedules = dags.iter().filter(|dag| dag.options.schedule.is_some()).count();
                let consumers = dags.iter().filter(|dag| dag.options.schedule.is_none() && has_events(dag)).count();
                let queued = queued(journal).await?;
                self.add(FindingKind::NoService { schedules, consumers, queued });
            }
        }
        if let Some(journal) = journal {
            let schedules = journal.schedules().await?;
            let consumers = journal.consumers().await?;
            let of_schedules = schedules.iter().filter_map(|(dag, stored)| Some((dag, &stored.as_ref().ok()?.state)));
            let of_consumers = consumers
                .iter()
                .filter_map(|(dag, stored)| Some((dag, stored.as_ref().ok()?.state.schedule.as_ref()?)));
            let stored: Vec<_> = of_schedules.chain(of_consumers).collect();
            let is_ours = |id: &str| dags.iter().any(|dag| dag.id == id);
            let ours = stored.iter().filter(|(dag, _)| is_ours(dag));
            let behind = ours.filter_map(|(_, state)| state.clock_is_behind(now)).max();
            let ahead = stored.iter().map(|(_, state)| now.since(state.clock)).min();
            self.add(match (behind, ahead.filter(|&by| by > IDLE)) {
                (Some(by), _) => FindingKind::ClockBehind { by },
                (None, Some(by)) => FindingKind::ClockAhead { by },
                (None, None) => FindingKind::ClockRight,
            });
        }
        for dag in dags {
            self.dag(journal, dag, now).await?;
        }
        match journal {
            Some(journal) => self.interrupted(journal, dags, is_served).await,
            None => Ok(()),
        }
    }

    async fn dag(&mut self, journal: Option<&Journal>, dag: &'static DagDef, now: Timestamp) -> Result<(), OpsError> {
        if let Err(errors) = dag.plan() {
            let errors = errors.errors().iter().map(BuildError::to_string).collect();
            self.add(FindingKind::Broken { dag: dag.id.to_owned(), errors });
            return Ok(());
        }
        if has_events(dag) && !self.events(journal, dag).await? {
            return Ok(());
        }
        if dag.options.schedule.is_none() {
            return Ok(());
        }
        let next = match next_slots(journal, dag, now, 1).await {
            Ok(next) => next,
            Err(OpsError::Schedule(error)) => {
                self.add(FindingKind::Unserved { dag: dag.id.to_owned(), reason: error.to_string() });
                return Ok(());
            }
            Err(OpsError::UnreadableSchedule { dag, error }) => {
                self.add(FindingKind::ScheduleDamaged { dag, error });
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if let Some(note) = next.note {
            self.add(FindingKind::ScheduleNote { dag: dag.id.to_owned(), note });
        }
        if let Some(pause) = next.pause.filter(|_| !has_events(dag)) {
            self.add(FindingKind::Paused { dag: dag.id.to_owned(), pause });
        }
        if let Some(slot) = next.slots.first()
            && let Err(reason) = defaults(dag, RunInfo::scheduled(dag.id, slot.at, slot.interval))
        {
            self.add(FindingKind::NoDefaults { dag: dag.id.to_owned(), slot: slot.at, reason });
        }
        match journal {
            Some(journal) => {
                self.deadlines(journal, dag).await?;
                self.skipped(journal, dag, now).await?;
                self.waiting(journal, dag, now).await
            }
            None => Ok(()),
        }
    }

    /// What is pending for a DAG with event parameters. Returns whether it can be served.
    async fn events(&mut self, journal: Option<&Journal>, dag: &DagDef) -> Result<bool, OpsError> {
        let id = || dag.id.to_owned();
        let consumer = match dag.consumer() {
            Ok(Some(consumer)) => consumer,
            Ok(None) => return Ok(true),
            Err(error) => {
                self.add(FindingKind::Unserved { dag: id(), reason: error.to_string() });
                return Ok(false);
            }
        };
        let status = match consumers::status(journal, dag, &consumer).await {
            Ok(status) => status,
            Err(error) if error.kind() == ErrorKind::Damaged => {
                self.add(FindingKind::ConsumerDamaged { dag: id(), error: error.to_string() });
                return Ok(false);
            }
            // A timetable that panics is a finding of the schedule.
            Err(OpsError::Schedule(_)) => return Ok(true),
            Err(error) => return Err(error),
        };
        let pending = status.inputs.iter().map(|input| input.pending).sum();
        let since = status.inputs.iter().filter_map(|input| input.since).min();
        let waits_for = status.waits_for.filter(|_| status.pause.is_none());
        if let Some(pause) = status.pause.or(status.schedule_pause) {
            self.add(FindingKind::Paused { dag: id(), pause });
        }
        if pending > 0 {
            self.add(FindingKind::PendingEvents { dag: id(), pending, since, waits_for });
        }
        Ok(true)
    }

    /// The last slot that missed its deadline, if it is still open, and whom nobody has told.
    async fn deadlines(&mut self, journal: &Journal, dag: &DagDef) -> Result<(), OpsError> {
        /// An older one is of no use to anybody.
        const LOOKED_AT: u32 = 20;

        if let Some(error) = damaged_deadlines(journal).await?.remove(dag.id) {
            self.add(FindingKind::DeadlinesDamaged { dag: dag.id.to_owned(), error: error.to_string() });
        }
        if let Some(missed) = missed_deadlines(journal, dag.id, LOOKED_AT).await?.into_iter().next() {
            let run = journal.find_id(&RunInfo::id_of_slot(dag.id, missed.last)).await.ok();
            if run.as_ref().is_none_or(|run| run.state != RunState::Success) {
                let (dag, slot, deadline) = (dag.id.to_owned(), missed.last, missed.deadline);
                let (run, reason) = (run.map(|run| run.number), missed.reason);
                self.add(FindingKind::MissedDeadline { dag, slot, deadline, run, reason });
            }
        }
        for missed in untold(journal, dag.id).await? {
            if let Some(error) = missed.error {
                let (dag, slot) = (dag.id.to_owned(), missed.last);
                self.add(FindingKind::DeadlineUntold { dag, slot, error });
            }
        }
        Ok(())
    }

    /// Whether most of the last slots were skipped.
    async fn skipped(&mut self, journal: &Journal, dag: &DagDef, now: Timestamp) -> Result<(), OpsError> {
        let counts = slot_counts(journal, dag, now - DAY).await?;
        let skipped = counts.of(SlotFate::Skipped.name()) + counts.of(SlotFate::Superseded.name());
        if skipped * 2 > counts.slots {
            let (dag, slots, since) = (dag.id.to_owned(), counts.slots, counts.since);
            self.add(FindingKind::SkipsSlots { dag, skipped, slots, since });
        }
        Ok(())
    }

    /// Why the slots of a DAG wait.
    async fn waiting(&mut self, journal: &Journal, dag: &DagDef, now: Timestamp) -> Result<(), OpsError> {
        let Some(StoredSchedule { state, .. }) = journal.schedule(dag.id).await? else { return Ok(()) };
        let Some(schedule) = dag.options.schedule(dag.id)? else { return Ok(()) };
        if let Some(backlog) = asking(|| state.backlog(&schedule))? {
            self.add(FindingKind::FallsBehind { dag: dag.id.to_owned(), backlog });
        }
        match waits(journal, dag.id, &schedule, &state, now).await?.waits {
            Some(Waits::ForRoom { active }) => {
                self.add(FindingKind::WaitsForRoom { dag: dag.id.to_owned(), active });
            }
            Some(Waits::ForPrevious { run }) => {
                self.add(FindingKind::WaitsForPrevious { dag: dag.id.to_owned(), run });
            }
            Some(Waits::Paused) | None => {}
        }
        Ok(())
    }

    async fn interrupted(
        &mut self,
        journal: &Journal,
        dags: &[&'static DagDef],
        is_served: bool,
    ) -> Result<(), OpsError> {
        let filter = RunFilter { states: vec![RunState::Interrupted], ..RunFilter::default() };
        for run in journal.runs(&filter).await? {
            let is_ours = dags.iter().any(|dag| dag.id == run.info.dag_id);
            let is_resumed = is_served && is_ours && journal.owner_died(&run.info.run_id).await?;
            let deadly = match journal.deadly_tasks(&word_of(run.number)).await {
                // Another check finds that.
                Err(error) if error.kind() == ErrorKind::Damaged => Vec::new(),
                deadly => deadly?,
            };
            self.add(FindingKind::Interrupted { dag: run.info.dag_id, run: run.number, is_resumed, deadly });
        }
        Ok(())
    }
}

fn has_events(dag: &DagDef) -> bool {
    (dag.params)().iter().any(|param| param.event.is_some())
}

async fn queued(journal: Option<&Journal>) -> Result<usize, OpsError> {
    let Some(journal) = journal else { return Ok(0) };
    Ok(queued_runs(journal).await?.values().sum())
}

/// Evaluates the defaults of the parameters, as the service does for a slot.
fn defaults(dag: &'static DagDef, run: RunInfo) -> Result<(), String> {
    let evaluate = || {
        let run = dag.options.complete(run);
        // Events are the values of event parameters.
        let params: Vec<ParamDef> = (dag.params)().into_iter().filter(|param| param.event.is_none()).collect();
        let Err(errors) = Params::from_text(&params, &run, &HashMap::new(), |_| None) else {
            return Ok(());
        };
        Err(errors.iter().map(ParamError::to_string).collect::<Vec<_>>().join("; "))
    };
    catch(AssertUnwindSafe(evaluate)).unwrap_or_else(|crash| Err(format!("a default of a parameter {crash}")))
}
