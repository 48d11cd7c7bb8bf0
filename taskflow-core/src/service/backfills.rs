//! Carries out backfills: steps the open plans and stores the outcome.
//!
//! # Limits
//!
//! 1. A plan has at most as many active runs as its own limit says.
//! 2. Live slots come first: the runs of backfills do not count as active runs of the schedule, so
//!    a slot starts at once while a backfill runs.
//! 3. If the DAG declares `max_active_runs`, the runs of all its backfills together get what the
//!    active runs of its schedule leave of it, and at least one: a schedule that is always busy
//!    does not starve them.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use super::serving::ServiceEvent;
use crate::base::{ErrorKind, catch};
use crate::dag::DagDef;
use crate::journal::{DamagedBackfill, Journal, NewBackfill, Note, OwnRuns, QueuedRun, RunSummary, StoredBackfill};
use crate::ops::{Counting, OpsError, is_counted, run_of_backfill, runs_of_backfills};
use crate::run::{RunInfo, RunType};
use crate::schedule::{
    ActiveRun, ActiveSlot, BackfillDecision, BackfillPhase, BackfillPlan, BackfillScope, BackfillSituation,
    BackfillWaits, BackfillWindow, Schedule, SlotRun, SlotRunState, SlotRuns,
};
use crate::store::RunFilter;

/// How many slots a plan looks at in one turn, if all of them are left alone: other work waits
/// meanwhile.
const WINDOWS: usize = 20;

/// How many slots are looked at together.
const WINDOW: usize = 1_000;

/// Whoever runs the runs of backfills.
pub(crate) trait Reprocess: Send {
    /// Clears a run that a backfill reprocesses, and runs it again: with `failed`, its failed tasks
    /// and everything downstream of them, otherwise all of it.
    fn reprocess<'a>(
        &'a mut self,
        journal: &'a Journal,
        run_id: &'a str,
        failed: bool,
        note: &'a Note,
        events: &'a mut Vec<ServiceEvent>,
    ) -> Reprocessed<'a>;

    /// Whether an interrupted run with this number counts as active: it is resumed when it is its
    /// turn.
    fn is_resumed(&self, number: i64) -> bool;
}

/// The future of [`Reprocess::reprocess`].
pub(crate) type Reprocessed<'a> = Pin<Box<dyn Future<Output = Result<(), OpsError>> + Send + 'a>>;

/// The backfills of the DAGs that a service serves.
#[derive(Debug)]
pub(crate) struct Backfills {
    dags: Vec<Backfilled>,
    /// The ids of the active runs of all plans.
    runs: HashSet<String>,
    /// Why some plans cannot be read.
    damage: Vec<String>,
    /// Whether a plan has more to decide without waiting for anything.
    is_due: bool,
}

/// A DAG with a schedule.
#[derive(Clone, Debug)]
struct Backfilled {
    dag: &'static DagDef,
    schedule: Schedule,
}

/// A plan after a step.
#[derive(Debug)]
struct Stepped {
    plan: BackfillPlan,
    runs: Vec<QueuedRun>,
    /// The slots whose runs are to be cleared.
    to_clear: Vec<ActiveSlot>,
}

impl Backfills {
    /// The backfills of these DAGs. One without a valid schedule has none.
    pub(crate) fn of(dags: &[&'static DagDef]) -> Self {
        let backfilled = dags.iter().filter_map(|&dag| {
            let schedule = dag.options.schedule(dag.id).ok().flatten()?;
            Some(Backfilled { dag, schedule })
        });
        Backfills { dags: backfilled.collect(), runs: HashSet::new(), damage: Vec::new(), is_due: false }
    }

    /// The ids of the active runs of backfills.
    pub(crate) fn runs(&self) -> &HashSet<String> {
        &self.runs
    }

    /// Whether the next turn should come at once.
    pub(crate) fn is_due(&self) -> bool {
        self.is_due
    }

    /// Reads the open plans, and which runs are theirs. A plan that is damaged is reported once and
    /// left alone, and its runs count as those of the schedule.
    pub(crate) async fn load(
        &mut self,
        journal: &Journal,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<Vec<StoredBackfill>, OpsError> {
        let (mut open, mut damage) = (Vec::new(), Vec::new());
        for stored in journal.open_backfills().await? {
            match stored {
                Ok(stored) => open.push(stored),
                Err(DamagedBackfill { dag, error }) => damage.push(format!("a backfill of `{dag}`: {error}")),
            }
        }
        let news = damage.iter().filter(|error| !self.damage.contains(error));
        events.extend(news.map(|error| ServiceEvent::Trouble { error: error.clone() }));
        self.damage = damage;
        self.runs = runs_of_backfills(&open);
        Ok(open)
    }

    /// Steps the open plans, and clears runs that are to be reprocessed.
    pub(crate) async fn turn(
        &mut self,
        journal: &Journal,
        reprocess: &mut dyn Reprocess,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        self.is_due = false;
        let mut open = self.load(journal, events).await?;
        if open.is_empty() {
            return Ok(());
        }
        let mut locked = Ok(());
        for at in 0..open.len() {
            let was_due = self.is_due;
            match self.turn_of(journal, at, &open, reprocess, events).await {
                // The next plan of the DAG counts its runs.
                Ok(stepped) => open[at] = stepped,
                // The others would wait for the store as well.
                Err(error) if error.locked_store().is_some() => {
                    locked = Err(error);
                    break;
                }
                // Trouble with one plan does not hold up the others, and does not go away at once.
                Err(error) => {
                    self.is_due = was_due;
                    let error = format!("backfill {}: {error}", open[at].number);
                    events.push(ServiceEvent::Trouble { error });
                }
            }
        }
        // The new runs start in this turn.
        self.load(journal, events).await?;
        locked
    }

    /// Steps one of the open plans, and clears the runs that it reprocesses. Returns the plan.
    async fn turn_of(
        &mut self,
        journal: &Journal,
        at: usize,
        open: &[StoredBackfill],
        reprocess: &mut dyn Reprocess,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<StoredBackfill, OpsError> {
        let stored = &open[at];
        let backfilled = self.dags.iter().find(|backfilled| backfilled.dag.id == stored.dag).cloned();
        let Some(backfilled) = backfilled else { return Ok(stored.clone()) };
        let own = journal.runs_of_backfill(&stored.dag, stored.number, &stored.plan.active).await?;
        let live = live_runs(journal, backfilled.dag).await?;
        let live = self.active_of(&live, reprocess);
        let room = self.room(journal, backfilled.dag, live, open, stored, &own).await?;
        let Stepped { plan, runs, to_clear } = self.step(journal, &backfilled, stored, own, room).await?;
        let mut present = stored.clone();
        if plan != stored.plan {
            match store(journal, &backfilled, stored, plan, runs, events).await? {
                Some(stored) => present = stored,
                // Another process was faster: the next turn steps it again.
                None => return Ok(present),
            }
        }
        clear(journal, &backfilled, &present, to_clear, reprocess, events).await?;
        Ok(present)
    }

    /// How many of the runs of a schedule are active, without those that backfills reprocess.
    fn active_of(&self, live: &[RunSummary], reprocess: &dyn Reprocess) -> u32 {
        let is_active = |run: &&RunSummary| is_counted(run, &self.runs, |number| reprocess.is_resumed(number));
        u32::try_from(live.iter().filter(is_active).count()).unwrap_or(u32::MAX)
    }

    /// How many more runs of a plan may start, whatever its own limit is. `live`: how many runs of
    /// the schedule are active.
    async fn room(
        &self,
        journal: &Journal,
        dag: &DagDef,
        live: u32,
        open: &[StoredBackfill],
        stored: &StoredBackfill,
        own: &OwnRuns,
    ) -> Result<u32, OpsError> {
        let Some(declared) = dag.options.max_active_runs else { return Ok(u32::MAX) };
        let share = declared.saturating_sub(live).max(1);
        let mut active = active_slots(&stored.plan, own);
        for other in open.iter().filter(|other| other.dag == stored.dag && other.number != stored.number) {
            // With `after_previous`, a run that has failed stays one of the active ones.
            let runs = journal.runs_of_backfill(&other.dag, other.number, &other.plan.active).await?;
            active += active_slots(&other.plan, &runs);
        }
        Ok(share.saturating_sub(u32::try_from(active).unwrap_or(u32::MAX)))
    }

    /// Steps a plan, window after window, until something is to be waited for.
    async fn step(
        &mut self,
        journal: &Journal,
        Backfilled { dag, schedule }: &Backfilled,
        stored: &StoredBackfill,
        own: OwnRuns,
        mut room: u32,
    ) -> Result<Stepped, OpsError> {
        let (now, mut own) = (journal.now(), own.runs);
        let mut plan = stored.plan.clone();
        let (mut new, mut to_clear) = (Vec::new(), Vec::new());
        let first = usize::try_from(room.min(plan.request.limit)).unwrap_or(WINDOW).clamp(1, WINDOW);
        let mut waits = None;
        for count in std::iter::once(first).chain(std::iter::repeat_n(WINDOW, WINDOWS)) {
            // A timetable is code of the user.
            let window = match plan.phase {
                BackfillPhase::Active if !plan.request.as_one_run => {
                    catch(AssertUnwindSafe(|| plan.window(schedule, count)))
                }
                _ => Ok(BackfillWindow::default()),
            };
            let window = window.map_err(|crash| crash.to_string());
            let runs = match &window {
                Ok(window) => journal.runs_of_slots(dag.id, &window.ranges()).await?,
                Err(_) => SlotRuns::new(),
            };
            let step = window.and_then(|window| {
                let situation = BackfillSituation { now, room, runs: &runs, own: &own };
                let step = catch(AssertUnwindSafe(|| plan.clone().step(schedule, &window, &situation)));
                step.map_err(|crash| crash.to_string())
            });
            let decisions = match step {
                Ok(step) => {
                    (plan, waits) = (step.plan, step.waits);
                    step.decisions
                }
                Err(crash) => {
                    let reason = format!("its timetable {crash}");
                    plan.phase = BackfillPhase::Paused { by: "the service".to_owned(), reason, since: now };
                    break;
                }
            };
            for decision in decisions {
                let at = match decision {
                    BackfillDecision::Ended { .. } => continue,
                    BackfillDecision::Start { slot, run } => {
                        new.push((slot, run));
                        slot.at
                    }
                    BackfillDecision::Clear { at } => {
                        to_clear.push(at);
                        at
                    }
                };
                // The next window finds it active.
                own.insert(at, SlotRun { state: SlotRunState::InFlight, ended: None });
                room = room.saturating_sub(1);
            }
            if waits != Some(BackfillWaits::ForWindow) || plan.phase != BackfillPhase::Active {
                break;
            }
        }
        self.is_due |= waits == Some(BackfillWaits::ForWindow) && plan.phase == BackfillPhase::Active;
        let mut runs = Vec::new();
        for (slot, run) in new {
            match run_of_backfill(dag, stored.number, slot, run, &plan, now) {
                Ok(run) => runs.push(run),
                Err(reason) => plan.note_not_made(schedule, slot.at, reason, now),
            }
        }
        let to_clear = plan.active.iter().filter(|slot| to_clear.contains(&slot.at)).copied().collect();
        Ok(Stepped { plan, runs, to_clear })
    }
}

/// The runs of the schedule of a DAG that may be active, if the DAG limits them.
async fn live_runs(journal: &Journal, dag: &DagDef) -> Result<Vec<RunSummary>, OpsError> {
    if dag.options.max_active_runs.is_none() {
        return Ok(Vec::new());
    }
    let filter = RunFilter { dag: Some(dag.id.to_owned()), ..Counting::filter(&[RunType::Scheduled]) };
    Ok(journal.runs(&filter).await?)
}

/// How many runs of a plan are active, or are to be cleared and run again.
fn active_slots(plan: &BackfillPlan, own: &OwnRuns) -> usize {
    let is_active = |slot: &&ActiveSlot| {
        own.runs.get(&slot.at).is_some_and(|run| match slot.run {
            _ if run.state == SlotRunState::InFlight => true,
            ActiveRun::Again { ended } => run.ended == ended,
            _ => false,
        })
    };
    plan.active.iter().filter(is_active).count()
}

/// Clears runs, and starts them again.
async fn clear(
    journal: &Journal,
    backfilled: &Backfilled,
    stored: &StoredBackfill,
    to_clear: Vec<ActiveSlot>,
    reprocess: &mut dyn Reprocess,
    events: &mut Vec<ServiceEvent>,
) -> Result<(), OpsError> {
    let failed = stored.plan.request.scope == BackfillScope::Failed;
    let by = stored.plan.history.first().map(|action| action.by.clone()).unwrap_or_default();
    let note = Note { by, reason: format!("backfill {}", stored.number) };
    let mut plan = stored.plan.clone();
    for slot in to_clear {
        let run_id = RunInfo::id_of_backfill(&stored.dag, stored.number, &slot);
        let Err(error) = reprocess.reprocess(journal, &run_id, failed, &note, events).await else { continue };
        match error.kind() {
            // The next turn tries again.
            ErrorKind::Unavailable => return Err(error),
            // Somebody else runs it: a later turn sees how it ends.
            _ if journal.find_id(&run_id).await.is_ok_and(|run| run.is_owned) => {}
            _ => plan.note_not_made(&backfilled.schedule, slot.at, error.to_string(), journal.now()),
        }
    }
    if plan != stored.plan {
        store(journal, backfilled, stored, plan, Vec::new(), events).await?;
    }
    Ok(())
}

/// Stores a plan with its new runs, and reports a new phase. `None` if another process was faster.
async fn store(
    journal: &Journal,
    Backfilled { dag, .. }: &Backfilled,
    before: &StoredBackfill,
    plan: BackfillPlan,
    runs: Vec<QueuedRun>,
    events: &mut Vec<ServiceEvent>,
) -> Result<Option<StoredBackfill>, OpsError> {
    let (now, number, version) = (journal.now(), before.number, before.version);
    let dag_id = dag.id.to_owned();
    let new = NewBackfill { number, dag: dag_id.clone(), version, plan: plan.clone(), runs, beside: None };
    if journal.store_backfill(new, now).await?.is_none() {
        return Ok(None);
    }
    if before.plan.phase != plan.phase {
        let (phase, counts) = (plan.phase.clone(), plan.counts.clone());
        events.push(ServiceEvent::Backfill { number, dag: dag.id, phase, counts });
    }
    Ok(Some(StoredBackfill { number, dag: dag_id, version: version + 1, plan, updated: now }))
}
