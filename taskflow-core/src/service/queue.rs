//! Claims and starts queued runs.
//!
//! # Protocol
//!
//! 1. Each turn reads the runs that are queued, and those whose owners died. The runs that
//!    backfills want to reprocess wait with them.
//! 2. [`FairTurns`] picks those that start now. At most `max_active_runs` runs of this service are
//!    active, and of each DAG and share no more than the `max_active_runs` that the DAG declares:
//!    a run that would only wait for its [admission](crate::store::Admission) takes no place from
//!    other DAGs. The runs of other processes, and those that tasks have triggered, count against
//!    the limit of their DAG. All other runs stay queued.
//! 3. The runs that were picked are claimed, up to [`CLAIMS`] of them at the same time, and then
//!    started in the order in which they were picked. Claims are commits that do not wait for the
//!    disk, but take turns with those that do: one at a time, each would wait for the first entries
//!    of the run before it.
//! 4. A run that cannot be started leaves its place to the next one, and is tried again after a
//!    minute.
//! 5. A run that is to be reprocessed is cleared only when it may start: it gets a *permit*, which
//!    takes a place. The backfill uses it in the next turn, which follows at once, or loses it.
//! 6. A queued run that a task of this process waits for starts before all others, and beyond
//!    `max_active_runs`: see the protocol of the [service](super). Only the limit of its DAG holds
//!    it up.
//!
//! Runs that somebody starts with `run` or `resume`, and those that tasks trigger, do not wait in
//! the queue, and take no place.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::backfills::{Reprocess, Reprocessed};
use super::serving::{ServiceEvent, ServiceOptions};
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::engine::{Engine, RunRequest};
use crate::journal::{Journal, Note, RunSummary, word_of};
use crate::ops::{self, OpsError};
use crate::run::RunState;
use crate::schedule::{FairTurns, WaitingRun};
use crate::store::{RunFilter, RunOrder};

/// A run that could not be started is tried again after this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many runs are claimed at the same time.
const CLAIMS: usize = 32;

/// A run that is claimed, or why it cannot be.
type Claimed = Result<RunRequest<()>, OpsError>;

/// A run of the service that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) number: i64,
    pub(super) dag_id: String,
    pub(super) state: RunState,
    pub(super) started: Timestamp,
    pub(super) took: Duration,
}

/// The queued runs of the DAGs of a service.
#[derive(Debug)]
pub(super) struct RunQueue {
    engine: Engine,
    options: ServiceOptions,
    dags: Vec<&'static DagDef>,
    turns: FairTurns,
    /// The runs that this service runs.
    running: HashMap<i64, Active>,
    /// The runs that backfills want to reprocess.
    to_reprocess: Vec<(RunSummary, &'static DagDef)>,
    /// The numbers of those that may start in the next turn.
    permits: HashMap<i64, Active>,
    /// The interrupted runs that are resumed although nobody knows that their owners died: those of
    /// the time before this service, and those of its own that were interrupted because the store
    /// was in trouble.
    interrupted: HashSet<i64>,
    refused: HashMap<i64, Instant>,
    /// The ids of the runs that tasks wait for and that are still queued.
    awaited: HashSet<String>,
    /// Whether runs have waited for a place since no run waited.
    is_at_limit: bool,
    ended: mpsc::UnboundedSender<Ended>,
}

/// Which limit of a DAG an active run counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Active {
    dag: &'static str,
    is_backfill: bool,
}

/// How many runs are active, by the limit that they count against.
type ActiveRuns = HashMap<Active, u32>;

/// A run that waits for its turn.
#[derive(Debug)]
struct Candidate {
    run: RunSummary,
    waiting: WaitingRun,
    /// Whether a backfill clears it first.
    is_reprocessed: bool,
}

impl RunQueue {
    pub(super) fn new(
        engine: Engine,
        options: &ServiceOptions,
        dags: Vec<&'static DagDef>,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let queue = RunQueue {
            engine,
            options: *options,
            dags,
            turns: FairTurns::default(),
            running: HashMap::new(),
            to_reprocess: Vec::new(),
            permits: HashMap::new(),
            interrupted: HashSet::new(),
            refused: HashMap::new(),
            awaited: HashSet::new(),
            is_at_limit: false,
            ended,
        };
        (queue, receiver)
    }

    /// Whether runs of this service are active.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Whether the next turn should come at once.
    pub(super) fn is_due(&self) -> bool {
        !self.permits.is_empty()
    }

    pub(super) fn ended(&mut self, number: i64, state: RunState) {
        self.running.remove(&number);
        if state == RunState::Interrupted {
            self.interrupted.insert(number);
            self.refused.insert(number, Instant::now());
        }
    }

    /// Has the next turns resume all interrupted runs.
    pub(super) async fn resume(&mut self, journal: &Journal) -> Result<(), OpsError> {
        match ops::interrupted(journal).await {
            Ok(runs) => self.interrupted.extend(runs.iter().map(|run| run.number)),
            Err(OpsError::NoneInterrupted) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Claims and starts queued runs, and resumes the runs whose owners died, as many as may be
    /// active. A run that a person interrupted, which its process has released, waits for `resume`
    /// or for the next service. `backfilled` are the ids of the runs of backfills.
    pub(super) async fn turn(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        self.permits.clear();
        self.awaited.extend(journal.take_awaited());
        if self.is_at_limit && self.places() == 0 && self.awaited.is_empty() {
            // Nothing can start, and that is known.
            self.to_reprocess.clear();
            return Ok(());
        }
        let candidates = self.candidates(journal, backfilled).await?;
        let elsewhere = self.active_elsewhere(journal, backfilled, &candidates).await?;
        let mut candidates = self.start_awaited(journal, candidates, &elsewhere, events).await;
        loop {
            let waiting: Vec<WaitingRun> = candidates.iter().map(|candidate| candidate.waiting).collect();
            let room = self.room(&elsewhere);
            let places = self.places();
            let picked = self.turns.pick(&waiting, places, room);
            if picked.is_empty() {
                break;
            }
            let mut left: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
            let picked = picked.into_iter().filter_map(|at| left[at].take()).collect();
            self.start_all(journal, picked, events).await;
            candidates = left.into_iter().flatten().collect();
        }
        if self.places() > 0 || candidates.is_empty() {
            self.is_at_limit = false;
        } else if !self.is_at_limit {
            self.is_at_limit = true;
            let (limit, waiting) = (self.options.max_active_runs.get(), candidates.len());
            events.push(ServiceEvent::AtLimit { limit, waiting });
        }
        Ok(())
    }

    /// The runs that wait for their turn.
    async fn candidates(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
    ) -> Result<Vec<Candidate>, OpsError> {
        let mut candidates = Vec::new();
        for (run, dag) in std::mem::take(&mut self.to_reprocess) {
            let waiting = waiting(&run, dag, true);
            candidates.push(Candidate { run, waiting, is_reprocessed: true });
        }
        let states = vec![RunState::Queued, RunState::Interrupted];
        let filter = RunFilter { states, order: RunOrder::Number, ..RunFilter::default() };
        self.refused.retain(|_, since| since.elapsed() < PATIENCE);
        for run in journal.runs(&filter).await? {
            let is_known = self.running.contains_key(&run.number) || self.refused.contains_key(&run.number);
            // A run that another process has started and that waits for its admission has an owner.
            if is_known || run.is_owned {
                continue;
            }
            let Some(dag) = self.dag(&run) else { continue };
            if run.state != RunState::Interrupted || self.is_abandoned(journal, &run).await? {
                let waiting = waiting(&run, dag, backfilled.contains(&run.info.run_id));
                candidates.push(Candidate { run, waiting, is_reprocessed: false });
            }
        }
        Ok(candidates)
    }

    /// The active runs that this service has not started, of the DAGs of these runs that have a
    /// limit.
    async fn active_elsewhere(
        &self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        candidates: &[Candidate],
    ) -> Result<ActiveRuns, OpsError> {
        let mut active = ActiveRuns::new();
        let waiting: HashSet<&'static str> = candidates.iter().map(|candidate| candidate.waiting.dag).collect();
        for dag in self.dags.iter().filter(|dag| dag.options.max_active_runs.is_some() && waiting.contains(dag.id)) {
            let states = vec![RunState::Queued, RunState::Running];
            let filter = RunFilter { dag: Some(dag.id.to_owned()), states, ..RunFilter::default() };
            for run in journal.runs(&filter).await? {
                if run.is_owned && !self.running.contains_key(&run.number) {
                    let is_backfill = backfilled.contains(&run.info.run_id);
                    *active.entry(Active { dag: dag.id, is_backfill }).or_default() += 1;
                }
            }
        }
        Ok(active)
    }

    /// Starts the runs that tasks wait for, and returns the others.
    async fn start_awaited(
        &mut self,
        journal: &Journal,
        candidates: Vec<Candidate>,
        elsewhere: &ActiveRuns,
        events: &mut Vec<ServiceEvent>,
    ) -> Vec<Candidate> {
        let mut awaited = std::mem::take(&mut self.awaited);
        let mut others = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let (run_id, WaitingRun { dag, is_backfill, .. }) = (&candidate.run.info.run_id, candidate.waiting);
            if candidate.is_reprocessed || !awaited.contains(run_id) {
                others.push(candidate);
            } else if self.room(elsewhere)(dag, is_backfill) == 0 {
                self.awaited.extend(awaited.take(run_id));
                others.push(candidate);
            } else {
                self.start(journal, candidate, events).await;
            }
        }
        others
    }

    /// How many more runs of a DAG and share may be active by the limit of the DAG.
    fn room(&self, elsewhere: &ActiveRuns) -> impl Fn(&'static str, bool) -> u32 + use<> {
        let mut active = elsewhere.clone();
        for &run in self.running.values().chain(self.permits.values()) {
            *active.entry(run).or_default() += 1;
        }
        let limits: HashMap<&str, u32> =
            self.dags.iter().filter_map(|dag| Some((dag.id, dag.options.max_active_runs?))).collect();
        move |dag, is_backfill| {
            let active = active.get(&Active { dag, is_backfill }).copied().unwrap_or(0);
            limits.get(dag).copied().unwrap_or(u32::MAX).saturating_sub(active)
        }
    }

    /// How many more runs may be active.
    fn places(&self) -> usize {
        self.options.max_active_runs.get().saturating_sub(self.running.len() + self.permits.len())
    }

    /// The DAG of a run, if this service serves it.
    fn dag(&self, run: &RunSummary) -> Option<&'static DagDef> {
        self.dags.iter().find(|dag| dag.id == run.info.dag_id).copied()
    }

    /// Whether an interrupted run has lost its process.
    async fn is_abandoned(&self, journal: &Journal, run: &RunSummary) -> Result<bool, OpsError> {
        if is_resumed_by_its_task(run) {
            return Ok(false);
        }
        Ok(self.interrupted.contains(&run.number) || journal.owner_died(&run.info.run_id).await?)
    }

    /// Clears a run that a backfill reprocesses, and runs it again, if it is its turn. Otherwise it
    /// waits for that, and the backfill asks again.
    async fn run_again(
        &mut self,
        journal: &Journal,
        run_id: &str,
        failed: bool,
        note: &Note,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let run = journal.find_id(run_id).await?;
        let word = word_of(run.number);
        let Some(dag) = self.dag(&run) else { return Ok(()) };
        // A run that somebody else runs is refused below.
        if self.permits.remove(&run.number).is_none() && !run.is_owned {
            self.to_reprocess.push((run, dag));
            return Ok(());
        }
        let rerun = ops::reprocess(journal, &word, failed, note, self.options.durability).await;
        let started = rerun.and_then(|ops::Rerun { cleared, request, .. }| {
            self.run(request, cleared.number, dag.id)?;
            Ok(cleared)
        });
        let cleared = match started {
            Ok(cleared) => cleared,
            Err(error) => {
                let now = journal.find(&word).await;
                if now.is_ok_and(|now| now.state == RunState::Interrupted && !now.is_owned) {
                    // It was cleared and does not run: the backfill does not ask for it again.
                    self.interrupted.insert(run.number);
                }
                return Err(error);
            }
        };
        self.running.insert(cleared.number, Active { dag: dag.id, is_backfill: true });
        let run = journal.find(&word).await?;
        events.push(ServiceEvent::Started { run, resumed: true });
        Ok(())
    }

    /// Continues a run that another part of the process has claimed, for a person who asked for it:
    /// it does not wait for a place, but takes one.
    pub(super) fn continue_claimed(
        &mut self,
        run: RunSummary,
        request: RunRequest<()>,
        events: &mut Vec<ServiceEvent>,
    ) {
        let Some(dag) = self.dag(&run) else { return };
        match self.run(request, run.number, dag.id) {
            Ok(()) => {
                self.interrupted.remove(&run.number);
                self.running.insert(run.number, Active { dag: dag.id, is_backfill: false });
                events.push(ServiceEvent::Started { run, resumed: true });
            }
            Err(error) => events.push(ServiceEvent::Refused { run, reason: error.to_string() }),
        }
    }

    /// Starts runs whose turn has come, in their order. Some are claimed at a time, since the store
    /// makes one commit of what the others record meanwhile.
    async fn start_all(&mut self, journal: &Journal, picked: Vec<Candidate>, events: &mut Vec<ServiceEvent>) {
        let mut picked = picked.into_iter();
        loop {
            let some: Vec<Candidate> = picked.by_ref().take(CLAIMS).collect();
            if some.is_empty() {
                return;
            }
            let mut claims = JoinSet::new();
            for (at, candidate) in some.iter().enumerate() {
                let claim = self.claim(journal, candidate);
                claims.spawn(async move { (at, claim.await) });
            }
            let mut claimed = claims.join_all().await;
            claimed.sort_unstable_by_key(|&(at, _)| at);
            for (candidate, (_, claimed)) in some.into_iter().zip(claimed) {
                self.start_claimed(journal, candidate, claimed, events).await;
            }
        }
    }

    /// Starts a run whose turn has come.
    async fn start(&mut self, journal: &Journal, candidate: Candidate, events: &mut Vec<ServiceEvent>) {
        let claimed = self.claim(journal, &candidate).await;
        self.start_claimed(journal, candidate, claimed, events).await;
    }

    /// Claims a run; `None` if its backfill clears it first.
    fn claim(&self, journal: &Journal, candidate: &Candidate) -> impl Future<Output = Option<Claimed>> + Send + use<> {
        let (journal, run) = (journal.clone(), word_of(candidate.run.number));
        let (is_reprocessed, is_backfill) = (candidate.is_reprocessed, candidate.waiting.is_backfill);
        let durability = self.options.durability;
        async move {
            match is_reprocessed {
                true => None,
                false => Some(ops::resume_for(&journal, &run, durability, is_backfill).await),
            }
        }
    }

    /// Starts a run that is claimed, or lets its backfill clear it first.
    async fn start_claimed(
        &mut self,
        journal: &Journal,
        candidate: Candidate,
        claimed: Option<Claimed>,
        events: &mut Vec<ServiceEvent>,
    ) {
        let Candidate { run, waiting: WaitingRun { dag, is_backfill, is_interrupted, .. }, .. } = candidate;
        let (number, active) = (run.number, Active { dag, is_backfill });
        let Some(claimed) = claimed else {
            self.permits.insert(number, active);
            return;
        };
        let started = claimed.and_then(|request| self.run(request, number, dag));
        match started {
            Ok(()) => {
                self.interrupted.remove(&number);
                self.running.insert(number, active);
                events.push(ServiceEvent::Started { run, resumed: is_interrupted });
            }
            Err(error) => {
                // Another process may have been faster.
                let now = journal.find(&word_of(number)).await;
                if !now.is_ok_and(|now| now.is_owned || now.state.is_terminal()) {
                    self.refused.insert(number, Instant::now());
                    if is_interrupted {
                        // The claim has taken over what told that its process had died.
                        self.interrupted.insert(number);
                    }
                    events.push(ServiceEvent::Refused { run, reason: error.to_string() });
                }
            }
        }
    }

    fn run(&self, request: RunRequest<()>, number: i64, dag_id: &str) -> Result<(), OpsError> {
        let (started, since) = (Timestamp::now(), Instant::now());
        let handle = request.grace(self.options.grace).engine(&self.engine).start()?;
        let (ended, dag_id) = (self.ended.clone(), dag_id.to_owned());
        tokio::spawn(async move {
            let report = handle.await;
            let ended_run = Ended { number, dag_id, state: report.state(), started, took: since.elapsed() };
            // The service is gone: nobody needs to know.
            let _ = ended.send(ended_run);
        });
        Ok(())
    }
}

impl Reprocess for RunQueue {
    fn reprocess<'a>(
        &'a mut self,
        journal: &'a Journal,
        run_id: &'a str,
        failed: bool,
        note: &'a Note,
        events: &'a mut Vec<ServiceEvent>,
    ) -> Reprocessed<'a> {
        Box::pin(self.run_again(journal, run_id, failed, note, events))
    }
}

/// Whether a task waits for the run that it has triggered, and resumes it with its own.
fn is_resumed_by_its_task(run: &RunSummary) -> bool {
    run.info.triggered_by.as_ref().is_some_and(|by| by.waits)
}

/// A run as it takes part in the [turns](FairTurns).
pub(crate) fn waiting(run: &RunSummary, dag: &DagDef, is_backfill: bool) -> WaitingRun {
    WaitingRun {
        dag: dag.id,
        number: run.number,
        priority: dag.options.priority.unwrap_or(0),
        weight: dag.options.weight.unwrap_or(1),
        is_interrupted: run.state == RunState::Interrupted,
        is_backfill,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SourceLocation;
    use crate::dag::{Dag, DagOptions, PlanCell};
    use crate::run::Durability;
    use crate::value::TypeInfo;

    static NIGHTLY: DagDef = DagDef {
        id: "nightly",
        module: "tests",
        doc: "",
        location: SourceLocation { file: file!(), line: line!(), column: column!() },
        options: DagOptions::NONE,
        params: Vec::new,
        result: TypeInfo::of_value::<()>(),
        trace: |_| None,
        plan: PlanCell::new(),
    };

    fn engine() -> Engine {
        Engine::builder().build().unwrap()
    }

    /// The claim of a run whose process has died removes what tells so. After an error that came
    /// later, the run was taken for one that a person has interrupted. A service would wait for a
    /// minute, so the test goes on as if it had.
    #[tokio::test]
    async fn an_interrupted_run_that_could_not_be_resumed_is_tried_again() {
        let (journal, left) = (Journal::in_memory().unwrap(), engine());
        left.drain("terminated");
        let dag = Dag::draw(NIGHTLY.id, |dag| {
            dag.add("load", |_| Ok(()));
        });
        dag.unwrap().run().journal(&journal).engine(&left).await.unwrap();
        let run = journal.find("last").await.unwrap();
        assert_eq!(run.state, RunState::Interrupted);

        let options = ServiceOptions {
            with_schedules: true,
            grace: Duration::ZERO,
            durability: Durability::Strict,
            max_active_runs: ops::DEFAULT_MAX_ACTIVE_RUNS,
        };
        let (mut queue, _ended) = RunQueue::new(engine(), &options, vec![&NIGHTLY]);
        // Nobody knows of its process.
        assert!(queue.candidates(&journal, &HashSet::new()).await.unwrap().is_empty());
        let candidate = Candidate { waiting: waiting(&run, &NIGHTLY, false), run, is_reprocessed: false };
        let (error, mut events) = (OpsError::NotPaused { dag: NIGHTLY.id.to_owned() }, Vec::new());
        queue.start_claimed(&journal, candidate, Some(Err(error)), &mut events).await;
        assert!(matches!(&events[..], [ServiceEvent::Refused { .. }]), "{events:?}");
        assert!(queue.candidates(&journal, &HashSet::new()).await.unwrap().is_empty(), "not at once");
        queue.refused.clear();
        assert_eq!(queue.candidates(&journal, &HashSet::new()).await.unwrap().len(), 1);
    }
}
