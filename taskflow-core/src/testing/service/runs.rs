//! The runs of a service in virtual time.

use std::collections::VecDeque;

use super::ServiceTest;
use super::turn::Died;
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::engine::{Asyncs, End, RunRequest, SimConfig, Simulated};
use crate::journal::{Journal, ManualJournal, Note, RunSummary};
use crate::ops;
use crate::run::{Durability, RunState};
use crate::service::{Reprocess, Reprocessed, ServiceEvent};
use crate::store::{Append, RunGuard};
use crate::testing::faults::Faults;
use crate::testing::test_world::TestWorld;

/// A run of the service.
pub(super) struct Running {
    number: i64,
    pub(super) run_id: String,
    pub(super) dag: &'static DagDef,
    /// What it stores from now on.
    pub(super) later: VecDeque<(Timestamp, Append)>,
    /// When it ends; `None` if it waits for something that never comes.
    pub(super) ends: Option<Timestamp>,
    /// Its state then.
    pub(super) state: RunState,
    _guard: Option<RunGuard>,
}

/// A run that a backfill has cleared: it holds the claim.
pub(super) struct Rerun {
    run: RunSummary,
    own: ManualJournal,
    request: RunRequest<()>,
}

/// The runs that backfills have cleared in a turn.
pub(super) struct Reruns<'j> {
    journal: &'j ManualJournal,
    /// How many runs may be cleared. A backfill asks again for those that were not.
    places: usize,
    runs: Vec<Rerun>,
}

impl<'j> Reruns<'j> {
    pub(super) fn new(journal: &'j ManualJournal, places: usize) -> Self {
        Reruns { journal, places, runs: Vec::new() }
    }

    pub(super) fn into_runs(self) -> Vec<Rerun> {
        self.runs
    }
}

impl Reprocess for Reruns<'_> {
    fn reprocess<'a>(
        &'a mut self,
        _journal: &'a Journal,
        run_id: &'a str,
        failed: bool,
        note: &'a Note,
        _events: &'a mut Vec<ServiceEvent>,
    ) -> Reprocessed<'a> {
        // The journal that the run stores its entries with.
        let own = self.journal.beside();
        Box::pin(async move {
            if self.runs.len() >= self.places {
                return Ok(());
            }
            let ops::Rerun { request, .. } =
                ops::reprocess(own.journal(), run_id, failed, note, Durability::Strict).await?;
            let run = own.journal().find(run_id).await?;
            self.runs.push(Rerun { run, own, request });
            Ok(())
        })
    }

    /// All interrupted runs are resumed.
    fn is_resumed(&self, _number: i64) -> bool {
        true
    }
}

impl ServiceTest {
    /// Claims a run and simulates it.
    #[track_caller]
    pub(super) fn start_run(&mut self, run: &RunSummary) -> Result<(), Died> {
        let Some(served) = self.dags.iter().find(|served| served.dag.id == run.info.dag_id) else { return Ok(()) };
        let (own, start) = (self.journal.beside(), self.clock());
        let request = match served.dag.plan() {
            Ok(plan) => own.resume::<()>(&run.info.run_id, &plan, start).map_err(|error| error.to_string()),
            Err(errors) => Err(errors.to_string()),
        };
        let request = self.alive(request)?;
        let word = if run.state == RunState::Interrupted { "resumed" } else { "starts" };
        self.simulate(run, own, request, word)
    }

    /// Simulates a run that a backfill has cleared.
    #[track_caller]
    pub(super) fn rerun(&mut self, Rerun { run, own, request }: Rerun) -> Result<(), Died> {
        self.simulate(&run, own, request, "is reprocessed")
    }

    #[track_caller]
    fn simulate(
        &mut self,
        run: &RunSummary,
        own: ManualJournal,
        request: RunRequest<()>,
        word: &str,
    ) -> Result<(), Died> {
        let Some(served) = self.dags.iter().find(|served| served.dag.id == run.info.dag_id) else { return Ok(()) };
        let (start, run_id, dag) = (self.clock(), run.info.run_id.clone(), served.dag);
        let mut world = TestWorld::new(served.script.clone(), Faults::default(), None, start, false);
        world.journal = Some(own);
        world.later = Some(Vec::new());
        let config = SimConfig { workers: served.workers, at_once: usize::MAX, asyncs: Asyncs::Virtual, start };
        let simulated = request.observe(|_: &crate::run::Event| {}).simulate(config, &mut world);
        let Simulated { report, end, now: ended } = self.alive(simulated)?;
        world.end_session();
        assert!(world.broken.is_empty(), "the engine has violated its guarantees: {}", world.broken.join("; "));
        let later = world.later.take().unwrap_or_default();
        let later = later.into_iter().map(|(at, part)| (self.by_test(at), part)).collect();
        let ends = (end == End::Over).then(|| self.by_test(ended));
        let _guard = self.journal.hold(&run_id);
        self.note(&format!("{}: {run_id} {word}", dag.id));
        if let Some(up) = &mut self.up {
            up.running.push(Running { number: run.number, run_id, dag, later, ends, state: report.state(), _guard });
        }
        self.advance(self.now)
    }

    /// Ends the runs that somebody has asked to cancel.
    #[track_caller]
    pub(super) fn cancel_runs(&mut self) -> Result<(), Died> {
        let Some(up) = &self.up else { return Ok(()) };
        let numbers: Vec<i64> = up.running.iter().map(|run| run.number).collect();
        for (number, note) in self.alive(self.journal.cancellations(&numbers))? {
            let Some(up) = &mut self.up else { return Ok(()) };
            let Some(at) = up.running.iter().position(|run| run.number == number) else { continue };
            let run = up.running.remove(at);
            let (run_id, dag) = (run.run_id.clone(), run.dag.id);
            self.run_ended(dag);
            // Releases it.
            drop(run);
            let cancelled = self.journal.cancel(&run_id, self.clock(), &note);
            if cancelled.is_ok() {
                self.note(&format!("{dag}: {run_id} is cancelled"));
            }
            self.alive(cancelled)?;
        }
        Ok(())
    }
}
