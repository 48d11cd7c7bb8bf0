//! Claims and starts queued runs.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::backfills::{Reprocess, Reprocessed};
use super::serving::ServiceEvent;
use crate::dag::DagDef;
use crate::engine::{Engine, RunRequest};
use crate::journal::{Journal, Note, RunSummary};
use crate::ops::{self, OpsError};
use crate::run::{Durability, RunState};
use crate::store::{RunFilter, RunOrder};

/// A run that could not be started is tried again after this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A run of the service that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) number: i64,
    pub(super) dag_id: String,
    pub(super) state: RunState,
    pub(super) took: Duration,
}

/// The queued runs of the DAGs of a service.
#[derive(Debug)]
pub(super) struct RunQueue {
    engine: Engine,
    grace: Duration,
    durability: Durability,
    dags: Vec<&'static DagDef>,
    /// The runs that this service runs.
    running: HashMap<i64, String>,
    /// The runs of this service that were interrupted while it was up, because the store was in
    /// trouble.
    interrupted: HashSet<i64>,
    refused: HashMap<i64, Instant>,
    ended: mpsc::UnboundedSender<Ended>,
}

impl RunQueue {
    pub(super) fn new(
        engine: Engine,
        grace: Duration,
        durability: Durability,
        dags: Vec<&'static DagDef>,
    ) -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (ended, receiver) = mpsc::unbounded_channel();
        let (running, interrupted, refused) = (HashMap::new(), HashSet::new(), HashMap::new());
        (RunQueue { engine, grace, durability, dags, running, interrupted, refused, ended }, receiver)
    }

    /// Whether runs of this service are active.
    pub(super) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    pub(super) fn ended(&mut self, number: i64, state: RunState) {
        self.running.remove(&number);
        if state == RunState::Interrupted {
            self.interrupted.insert(number);
            self.refused.insert(number, Instant::now());
        }
    }

    /// Resumes all interrupted runs, those first that have triggered others. `backfilled` are the
    /// ids of the runs of backfills.
    pub(super) async fn resume(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let runs = match ops::interrupted(journal).await {
            Ok(runs) => runs,
            Err(OpsError::NoneInterrupted) => return Ok(()),
            Err(error) => return Err(error),
        };
        for run in runs {
            if self.is_ours(&run) && !is_resumed_by_its_task(&run) {
                self.start(journal, run, true, backfilled, events).await;
            }
        }
        Ok(())
    }

    /// Claims and starts the queued runs, oldest first, and resumes the runs whose owners died. A
    /// run that a person interrupted, which its process has released, waits for `resume` or for the
    /// next service.
    pub(super) async fn turn(
        &mut self,
        journal: &Journal,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let states = vec![RunState::Queued, RunState::Interrupted];
        let filter = RunFilter { states, order: RunOrder::Number, ..RunFilter::default() };
        let mut runs = journal.runs(&filter).await?;
        runs.reverse();
        self.refused.retain(|_, since| since.elapsed() < PATIENCE);
        for run in runs {
            let is_known = self.running.contains_key(&run.number) || self.refused.contains_key(&run.number);
            // A run that another process has started and that waits for its admission has an owner.
            if is_known || run.is_owned || !self.is_ours(&run) {
                continue;
            }
            let resumed = run.state == RunState::Interrupted;
            if !resumed || self.is_abandoned(journal, &run).await? {
                self.start(journal, run, resumed, backfilled, events).await;
            }
        }
        Ok(())
    }

    /// Whether an interrupted run has lost its process.
    async fn is_abandoned(&self, journal: &Journal, run: &RunSummary) -> Result<bool, OpsError> {
        if is_resumed_by_its_task(run) {
            return Ok(false);
        }
        Ok(self.interrupted.contains(&run.number) || journal.owner_died(&run.info.run_id).await?)
    }

    fn is_ours(&self, run: &RunSummary) -> bool {
        self.dags.iter().any(|dag| dag.id == run.info.dag_id)
    }

    async fn run_again(
        &mut self,
        journal: &Journal,
        run_id: &str,
        failed: bool,
        note: &Note,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let ops::Rerun { cleared, request, .. } =
            ops::reprocess(journal, run_id, failed, note, self.durability).await?;
        let run = journal.find(run_id).await?;
        self.run(request, cleared.number, &run.info.dag_id)?;
        self.running.insert(cleared.number, run.info.dag_id.clone());
        events.push(ServiceEvent::Started { run, resumed: true });
        Ok(())
    }

    /// Continues a run that is claimed.
    pub(super) fn continue_claimed(
        &mut self,
        run: RunSummary,
        request: RunRequest<()>,
        events: &mut Vec<ServiceEvent>,
    ) {
        match self.run(request, run.number, &run.info.dag_id) {
            Ok(()) => {
                self.interrupted.remove(&run.number);
                self.running.insert(run.number, run.info.dag_id.clone());
                events.push(ServiceEvent::Started { run, resumed: true });
            }
            Err(error) => events.push(ServiceEvent::Refused { run, reason: error.to_string() }),
        }
    }

    async fn start(
        &mut self,
        journal: &Journal,
        run: RunSummary,
        resumed: bool,
        backfilled: &HashSet<String>,
        events: &mut Vec<ServiceEvent>,
    ) {
        let (number, dag_id) = (run.number, run.info.dag_id.clone());
        let is_backfill = backfilled.contains(&run.info.run_id);
        let started = match ops::resume_for(journal, &run.info.run_id, self.durability, is_backfill).await {
            Ok(request) => self.run(request, number, &dag_id),
            Err(error) => Err(error),
        };
        match started {
            Ok(()) => {
                self.interrupted.remove(&number);
                self.running.insert(number, dag_id);
                events.push(ServiceEvent::Started { run, resumed });
            }
            Err(error) => {
                // Another process may have been faster.
                let now = journal.find(&run.info.run_id).await;
                if !now.is_ok_and(|now| now.is_owned || now.state.is_terminal()) {
                    self.refused.insert(number, Instant::now());
                    events.push(ServiceEvent::Refused { run, reason: error.to_string() });
                }
            }
        }
    }

    fn run(&self, request: RunRequest<()>, number: i64, dag_id: &str) -> Result<(), OpsError> {
        let started = Instant::now();
        let handle = request.grace(self.grace).engine(&self.engine).start()?;
        let (ended, dag_id) = (self.ended.clone(), dag_id.to_owned());
        tokio::spawn(async move {
            let report = handle.await;
            let ended_run = Ended { number, dag_id, state: report.state(), took: started.elapsed() };
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
