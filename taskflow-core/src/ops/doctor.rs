//! Checks what keeps a home from working when nobody watches.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::served::ServingProcess;
use crate::base::{Timestamp, units};
use crate::schedule::{Pause, Zone};

/// The outcome of [`doctor`].
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// The directory of the home.
    pub home: PathBuf,
    /// Whether a finding is a problem.
    pub needs_attention: bool,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Whether somebody has to act.
    pub severity: Severity,
    /// The finding in words.
    pub message: String,
    /// What to do, if there is something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The finding as data.
    #[serde(flatten)]
    pub kind: FindingKind,
}

/// Whether somebody has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing.
    Notice,
    /// Somebody has to act.
    Problem,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// The home holds no runs yet.
    NoHome,
    /// The store cannot be opened or read.
    StoreUnusable {
        /// Why.
        error: String,
    },
    /// The file of the store is damaged.
    StoreDamaged {
        /// What is wrong, at most ten sentences.
        damage: Vec<String>,
    },
    /// The store opens, and its file shows no damage.
    StoreSound,
    /// The space that is left in the file system of the home.
    DiskSpace {
        /// In bytes.
        free: u64,
    },
    /// A service is up.
    Service(ServingProcess),
    /// No service is up.
    NoService {
        /// How many DAGs of the program have a schedule.
        schedules: usize,
        /// How many of the others consume events.
        consumers: usize,
        /// How many runs wait for a service.
        queued: usize,
    },
    /// The clock is behind the last entry of the store.
    ClockBehind {
        /// By how much.
        by: Duration,
    },
    /// The clock is far ahead of the last entry of the store: it is wrong, or the home was idle.
    ClockAhead {
        /// By how much.
        by: Duration,
    },
    /// The clock fits the last entry of the store.
    ClockRight,
    /// The graph of a DAG has mistakes.
    Broken {
        /// The DAG.
        dag: String,
        /// The mistakes.
        errors: Vec<String>,
    },
    /// The schedule of a DAG cannot be served.
    Unserved {
        /// The DAG.
        dag: String,
        /// Why.
        reason: String,
    },
    /// A default of a parameter fails for the next slot.
    NoDefaults {
        /// The DAG.
        dag: String,
        /// The slot.
        slot: Timestamp,
        /// Why.
        reason: String,
    },
    /// A DAG is paused.
    Paused {
        /// The DAG.
        dag: String,
        /// Who paused it.
        pause: Pause,
    },
    /// A slot waits until runs of its DAG have ended.
    WaitsForRoom {
        /// The DAG.
        dag: String,
        /// How many runs are active.
        active: u32,
    },
    /// A slot waits until the run before it has succeeded.
    WaitsForPrevious {
        /// The DAG.
        dag: String,
        /// The id of the run.
        run: String,
    },
    /// Events are pending for a DAG.
    PendingEvents {
        /// The DAG.
        dag: String,
        /// How many they are.
        pending: u64,
        /// When the first of them was emitted.
        since: Option<Timestamp>,
        /// What the next run waits for.
        waits_for: Option<String>,
    },
    /// What a DAG has consumed cannot be read: its events start no runs.
    ConsumerDamaged {
        /// The DAG.
        dag: String,
        /// Why.
        error: String,
    },
    /// A slot has missed its deadline, and its run has not succeeded since.
    MissedDeadline {
        /// The DAG.
        dag: String,
        /// The slot; of several, the last.
        slot: Timestamp,
        /// The deadline.
        deadline: Timestamp,
        /// The number of the run, if the slot has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        run: Option<i64>,
        /// Why.
        reason: String,
    },
    /// The callback of a DAG could not be notified that a slot has missed its deadline.
    DeadlineUntold {
        /// The DAG.
        dag: String,
        /// The slot.
        slot: Timestamp,
        /// Why not.
        error: String,
    },
    /// A run is interrupted, and no process continues it.
    Interrupted {
        /// The DAG.
        dag: String,
        /// The number of the run.
        run: i64,
        /// Whether the service that is up resumes it.
        is_resumed: bool,
    },
}

/// A store whose last entry is older than this was idle for long, or the clock is ahead.
#[cfg(feature = "sqlite")]
const IDLE: Duration = Duration::from_secs(400 * 86_400);

/// Less space than this is a problem.
const LEAST_SPACE: u64 = 256 << 20;

impl FindingKind {
    /// Whether somebody has to act.
    pub fn severity(&self) -> Severity {
        match self {
            FindingKind::DiskSpace { free } if *free < LEAST_SPACE => Severity::Problem,
            FindingKind::StoreSound
            | FindingKind::DiskSpace { .. }
            | FindingKind::Service(_)
            | FindingKind::ClockRight
            | FindingKind::NoService { schedules: 0, consumers: 0, queued: 0 } => Severity::Ok,
            FindingKind::NoHome
            | FindingKind::ClockAhead { .. }
            | FindingKind::WaitsForRoom { .. }
            | FindingKind::PendingEvents { .. }
            | FindingKind::Interrupted { is_resumed: true, .. } => Severity::Notice,
            // A person who pauses a DAG knows it. The others are reports of trouble.
            FindingKind::Paused { pause, .. } if !pause.is_report() => Severity::Notice,
            _ => Severity::Problem,
        }
    }

    /// What to do, if there is something.
    pub fn next_step(&self) -> Option<String> {
        Some(match self {
            FindingKind::StoreUnusable { .. } => "`db check` names the damage, if there is any".to_owned(),
            FindingKind::StoreDamaged { .. } => "`db check` lists all damage; restore a backup".to_owned(),
            FindingKind::DiskSpace { free } if *free < LEAST_SPACE => {
                "`db prune` deletes old runs, and `db vacuum` returns their space".to_owned()
            }
            FindingKind::NoService { schedules, consumers, queued } if schedules + consumers + queued > 0 => {
                "start `serve`, under a supervisor that starts it again".to_owned()
            }
            FindingKind::ClockBehind { .. } => {
                "set the clock; if it was wrong before, `reset-schedule --all`".to_owned()
            }
            FindingKind::ClockAhead { .. } => "look at the clock".to_owned(),
            FindingKind::Broken { dag, .. } => format!("mend the function `{dag}`; `show {dag}` draws its graph"),
            FindingKind::Unserved { dag, .. } => format!("mend the schedule of `{dag}`; `next {dag}` tries it"),
            FindingKind::NoDefaults { dag, .. } => format!("give the parameter of `{dag}` a default for every slot"),
            FindingKind::Paused { dag, .. } => format!("`unpause {dag}`"),
            FindingKind::WaitsForRoom { dag, .. } => format!("`runs --dag {dag} --state running` lists them"),
            FindingKind::PendingEvents { dag, .. } => format!("`consumers {dag}` shows them"),
            FindingKind::ConsumerDamaged { .. } => "`db check` lists all damage; restore a backup".to_owned(),
            FindingKind::WaitsForPrevious { run, .. } => format!("`status {run}`; `clear` or `mark` its failed tasks"),
            FindingKind::MissedDeadline { run: Some(run), .. } => format!("`explain {run}`"),
            FindingKind::MissedDeadline { dag, .. } => format!("`slots {dag}`"),
            FindingKind::DeadlineUntold { dag, .. } => {
                format!("mend what `on_deadline_missed` of `{dag}` sends to; `serve` tries it again")
            }
            FindingKind::Interrupted { run, is_resumed: false, .. } => format!("`resume {run}`, or `cancel {run}`"),
            _ => return None,
        })
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::NoHome => f.write_str("the home holds no runs yet"),
            FindingKind::StoreUnusable { error } => f.write_str(error),
            FindingKind::StoreDamaged { damage } => write!(f, "the store is damaged: {}", damage.join("; ")),
            FindingKind::StoreSound => f.write_str("the store opens, and its file shows no damage"),
            FindingKind::DiskSpace { free } => {
                write!(f, "{} are free in the file system of the home", units::bytes(*free))
            }
            FindingKind::Service(ServingProcess { worker, since: Some(since), .. }) => {
                write!(f, "{worker} serves the home since {}", shown(*since))
            }
            FindingKind::Service(ServingProcess { worker, since: None, .. }) => write!(f, "{worker} serves the home"),
            FindingKind::NoService { schedules: 0, consumers: 0, queued: 0 } => {
                f.write_str("no service is running, and none is needed")
            }
            FindingKind::NoService { schedules, consumers, queued } => {
                let count = |count: usize, one: &str, many: &str| match count {
                    0 => None,
                    1 => Some(format!("1 {one}")),
                    _ => Some(format!("{count} {many}")),
                };
                let waiting = [
                    count(*schedules, "DAG is scheduled", "DAGs are scheduled"),
                    count(*consumers, "DAG consumes events", "DAGs consume events"),
                    count(*queued, "run is queued", "runs are queued"),
                ];
                let waiting: Vec<String> = waiting.into_iter().flatten().collect();
                match &waiting[..] {
                    [] => Ok(()),
                    [only] => write!(f, "no service is running, and {only}"),
                    [first @ .., last] => write!(f, "no service is running, {}, and {last}", first.join(", ")),
                }
            }
            FindingKind::ClockBehind { by } => {
                write!(
                    f,
                    "the clock shows {} and is {} days behind the schedules",
                    shown(Timestamp::now()),
                    by.as_secs() / 86_400
                )
            }
            FindingKind::ClockAhead { by } => {
                write!(
                    f,
                    "the clock shows {}, and the last entry of the schedules is {} days old",
                    shown(Timestamp::now()),
                    by.as_secs() / 86_400
                )
            }
            FindingKind::ClockRight => f.write_str("the clock fits the store"),
            FindingKind::Broken { dag, errors } => {
                write!(f, "the graph of `{dag}` has mistakes: {}", errors.join("; "))
            }
            FindingKind::Unserved { dag, reason } => write!(f, "the schedule of `{dag}` cannot be served: {reason}"),
            FindingKind::NoDefaults { dag, slot, reason } => {
                write!(f, "the next slot of `{dag}`, {}, will fail: {reason}", shown(*slot))
            }
            FindingKind::Paused { dag, pause } => {
                write!(f, "`{dag}` is paused by {} since {}", pause.by, shown(pause.since))?;
                pause.until.map_or(Ok(()), |until| write!(f, ", until {}", shown(until)))?;
                if pause.reason.is_empty() { Ok(()) } else { write!(f, ": {}", pause.reason) }
            }
            FindingKind::WaitsForRoom { dag, active: 1 } => write!(f, "a slot of `{dag}` waits for the end of its run"),
            FindingKind::WaitsForRoom { dag, active } => {
                write!(f, "a slot of `{dag}` waits for the end of one of its {active} runs")
            }
            FindingKind::WaitsForPrevious { dag, run } => {
                write!(f, "the schedule of `{dag}` waits, because the run {run} has not succeeded")
            }
            FindingKind::PendingEvents { dag, pending, since, waits_for } => {
                let events = if *pending == 1 { "1 event is".to_owned() } else { format!("{pending} events are") };
                write!(f, "{events} pending for `{dag}`")?;
                since.map_or(Ok(()), |since| write!(f, " since {}", shown(since)))?;
                waits_for.as_ref().map_or(Ok(()), |waits_for| write!(f, "; its next run waits for {waits_for}"))
            }
            FindingKind::ConsumerDamaged { dag, error } => write!(f, "the events of `{dag}` start no runs: {error}"),
            FindingKind::MissedDeadline { dag, slot, deadline, reason, .. } => {
                write!(f, "the slot {} of `{dag}` missed its deadline, {}: {reason}", shown(*slot), shown(*deadline))
            }
            FindingKind::DeadlineUntold { dag, slot, error } => {
                write!(f, "nobody was notified that the slot {} of `{dag}` missed its deadline: {error}", shown(*slot))
            }
            FindingKind::Interrupted { dag, run, is_resumed: true } => {
                write!(f, "run {run} of `{dag}` has lost its process; the service resumes it")
            }
            FindingKind::Interrupted { dag, run, is_resumed: false } => {
                write!(f, "run {run} of `{dag}` is interrupted, and no process continues it")
            }
        }
    }
}

/// `2026-01-31 06:00Z`
fn shown(moment: Timestamp) -> String {
    Zone::UTC.format(moment)
}

impl From<FindingKind> for Finding {
    fn from(kind: FindingKind) -> Self {
        let (severity, message, next_step) = (kind.severity(), kind.to_string(), kind.next_step());
        Finding { severity, message, next_step, kind }
    }
}

#[cfg(feature = "sqlite")]
pub use examination::doctor;

#[cfg(feature = "sqlite")]
mod examination {
    use std::collections::HashMap;
    use std::panic::AssertUnwindSafe;

    use super::{Diagnosis, Finding, FindingKind, IDLE, Severity, Timestamp};
    use crate::base::{ErrorKind, catch, install_hook};
    use crate::dag::{BuildError, DagDef, ParamDef, ParamError, Params};
    use crate::journal::{Journal, StoredSchedule};
    use crate::ops::consumers;
    use crate::ops::deadlines::{missed_deadlines, untold};
    use crate::ops::schedules::next_slots;
    use crate::ops::situation::waits;
    use crate::ops::{Home, OpsError, serving_process};
    use crate::run::{RunInfo, RunState};
    use crate::schedule::Waits;
    use crate::store::{RunFilter, SyncMode};

    /// Checks the store, the service, the clock and the disk of a home, and the schedules of these
    /// DAGs. Each finding has the next step. Changes nothing.
    ///
    /// What cannot be checked is a finding, so this does not fail.
    pub async fn doctor(home: &Home, dags: &[&'static DagDef]) -> Diagnosis {
        install_hook();
        let mut findings = Findings(Vec::new());
        let journal = findings.store(home).await;
        if let Some(free) = free_space(home.path()) {
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

        async fn read(
            &mut self,
            home: &Home,
            journal: Option<&Journal>,
            dags: &[&'static DagDef],
        ) -> Result<(), OpsError> {
            let now = Timestamp::now();
            let service = serving_process(home.path()).ok().flatten();
            let is_served = service.is_some();
            match service {
                Some(service) => self.add(FindingKind::Service(service)),
                None => {
                    let schedules = dags.iter().filter(|dag| dag.options.schedule.is_some()).count();
                    let consumers = dags.iter().filter(|dag| dag.options.schedule.is_none() && has_events(dag)).count();
                    let queued = queued(journal).await?;
                    self.add(FindingKind::NoService { schedules, consumers, queued });
                }
            }
            if let Some(journal) = journal {
                let stored = journal.schedules().await?;
                let ours = dags.iter().filter_map(|dag| stored.get(dag.id));
                let behind = ours.filter_map(|stored| stored.state.clock_is_behind(now)).max();
                let ahead = stored.values().map(|stored| now.since(stored.state.clock)).min();
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

        async fn dag(
            &mut self,
            journal: Option<&Journal>,
            dag: &'static DagDef,
            now: Timestamp,
        ) -> Result<(), OpsError> {
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
                Err(error) => return Err(error),
            };
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
            if let Some(pause) = status.pause {
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

            if let Some(missed) = missed_deadlines(journal, dag.id, LOOKED_AT).await?.into_iter().next() {
                let run = journal.find(&RunInfo::id_of_slot(dag.id, missed.last)).await.ok();
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

        /// Why the slots of a DAG wait.
        async fn waiting(&mut self, journal: &Journal, dag: &DagDef, now: Timestamp) -> Result<(), OpsError> {
            let Some(StoredSchedule { state, .. }) = journal.schedule(dag.id).await? else { return Ok(()) };
            let Some(schedule) = dag.options.schedule(dag.id)? else { return Ok(()) };
            match waits(journal, dag.id, &schedule, &state, now).await? {
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
                self.add(FindingKind::Interrupted { dag: run.info.dag_id, run: run.number, is_resumed });
            }
            Ok(())
        }
    }

    fn has_events(dag: &DagDef) -> bool {
        (dag.params)().iter().any(|param| param.event.is_some())
    }

    async fn queued(journal: Option<&Journal>) -> Result<usize, OpsError> {
        let Some(journal) = journal else { return Ok(0) };
        let filter = RunFilter { states: vec![RunState::Queued], ..RunFilter::default() };
        Ok(journal.runs(&filter).await?.into_iter().filter(|run| !run.is_owned).count())
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

    /// The bytes that are left for this account in the file system of a directory, or of the first
    /// directory above it that exists.
    #[cfg(unix)]
    fn free_space(path: &std::path::Path) -> Option<u64> {
        let path = std::path::absolute(path).ok()?;
        let existing = path.ancestors().find(|path| path.exists())?;
        let found = rustix::fs::statvfs(existing).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    }

    #[cfg(not(unix))]
    fn free_space(_path: &std::path::Path) -> Option<u64> {
        None
    }
}
