//! Claims runs whose turn has come, and starts them.

use std::time::Instant;

use tokio::task::JoinSet;

use super::candidates::Candidate;
use super::room::{Active, ActiveRuns};
use super::{Ended, RunQueue};
use crate::base::{ErrorKind, Timestamp};
use crate::engine::RunRequest;
use crate::journal::{Journal, RunSummary, word_of};
use crate::ops::{self, OpsError};
use crate::schedule::WaitingRun;
use crate::service::serving::ServiceEvent;

/// How many runs are claimed at the same time.
const CLAIMS: usize = 32;

/// A run that is claimed, or why it cannot be.
type Claimed = Result<RunRequest<()>, OpsError>;

impl RunQueue {
    /// Starts the runs that tasks wait for, and returns the others.
    ///
    /// # Errors
    ///
    /// When the store is locked. They still start before all others.
    pub(super) async fn start_awaited(
        &mut self,
        journal: &Journal,
        candidates: Vec<Candidate>,
        elsewhere: &ActiveRuns,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<Vec<Candidate>, OpsError> {
        let mut awaited = std::mem::take(&mut self.awaited);
        let mut others = Vec::with_capacity(candidates.len());
        for candidate in candidates {
            let (run_id, WaitingRun { dag, is_backfill, .. }) = (&candidate.run.info.run_id, candidate.waiting);
            if candidate.is_reprocessed || !awaited.contains(run_id) {
                others.push(candidate);
            } else if self.room(elsewhere)(dag, is_backfill) == 0 {
                self.awaited.extend(awaited.take(run_id));
                others.push(candidate);
            } else if let Err(error) = self.start(journal, candidate, events).await {
                self.awaited.extend(awaited);
                return Err(error);
            }
        }
        Ok(others)
    }

    /// Continues a run that another part of the process has claimed, for a person who asked for it:
    /// it does not wait for a place, but takes one.
    pub(in crate::service) fn continue_claimed(
        &mut self,
        run: RunSummary,
        request: RunRequest<()>,
        events: &mut Vec<ServiceEvent>,
    ) {
        let Some(dag) = self.dag(&run) else { return };
        match self.run(request, run.number, dag.id) {
            Ok(()) => {
                self.interrupted.remove(&run.number);
                self.to_resume.remove(&run.number);
                self.running.insert(run.number, Active { dag: dag.id, is_backfill: false });
                events.push(ServiceEvent::Started { run, resumed: true });
            }
            Err(error) => events.push(ServiceEvent::Refused { run, reason: error.to_string() }),
        }
    }

    /// Starts runs whose turn has come, in their order. Some are claimed at a time, since the store
    /// makes one commit of what the others record meanwhile. The first of them is claimed alone: if
    /// another process has locked the store, each claim would wait for it, one after the other.
    ///
    /// # Errors
    ///
    /// When the store is locked. Those that are not claimed stay where they were.
    pub(super) async fn start_all(
        &mut self,
        journal: &Journal,
        picked: Vec<Candidate>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let mut picked = picked.into_iter();
        loop {
            let some: Vec<Candidate> = picked.by_ref().take(CLAIMS).collect();
            let [first, others @ ..] = &*some else { return Ok(()) };
            let mut claimed = vec![self.claim(journal, first).await];
            if !claimed.iter().any(is_locked_out) {
                let mut claims = JoinSet::new();
                for (at, candidate) in others.iter().enumerate() {
                    let claim = self.claim(journal, candidate);
                    claims.spawn(async move { (at, claim.await) });
                }
                let mut rest = claims.join_all().await;
                rest.sort_unstable_by_key(|&(at, _)| at);
                claimed.extend(rest.into_iter().map(|(_, claimed)| claimed));
            }
            let mut started = Ok(());
            for (candidate, claimed) in some.into_iter().zip(claimed) {
                started = started.and(self.start_claimed(journal, candidate, claimed, events).await);
            }
            started?;
        }
    }

    /// Starts a run whose turn has come.
    async fn start(
        &mut self,
        journal: &Journal,
        candidate: Candidate,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let claimed = self.claim(journal, &candidate).await;
        self.start_claimed(journal, candidate, claimed, events).await
    }

    /// Claims a run; `None` if its backfill clears it first.
    fn claim(&self, journal: &Journal, candidate: &Candidate) -> impl Future<Output = Option<Claimed>> + Send + use<> {
        let (journal, run) = (journal.clone(), word_of(candidate.run.number));
        let (is_reprocessed, is_backfill) = (candidate.is_reprocessed, candidate.waiting.is_backfill);
        let durability = self.options.durability;
        async move {
            match is_reprocessed {
                true => None,
                false => Some(ops::resume_unattended(&journal, &run, durability, is_backfill).await),
            }
        }
    }

    /// Starts a run that is claimed, or lets its backfill clear it first.
    ///
    /// # Errors
    ///
    /// When the store is locked. The next turn tries again; every other error refuses the run.
    pub(super) async fn start_claimed(
        &mut self,
        journal: &Journal,
        candidate: Candidate,
        claimed: Option<Claimed>,
        events: &mut Vec<ServiceEvent>,
    ) -> Result<(), OpsError> {
        let Candidate { run, waiting: WaitingRun { dag, is_backfill, is_interrupted, .. }, .. } = candidate;
        let (number, active) = (run.number, Active { dag, is_backfill });
        let Some(claimed) = claimed else {
            self.permits.insert(number, active);
            return Ok(());
        };
        let started = claimed.and_then(|request| self.run(request, number, dag));
        match started {
            Ok(()) => {
                self.interrupted.remove(&number);
                self.to_resume.remove(&number);
                self.running.insert(number, active);
                events.push(ServiceEvent::Started { run, resumed: is_interrupted });
            }
            Err(error) => {
                // Another process may have been faster.
                let now = journal.find(&word_of(number)).await;
                if !now.is_ok_and(|now| now.is_owned || now.state.is_terminal()) {
                    if is_interrupted {
                        // The claim has taken over what told that its process had died.
                        self.interrupted.insert(number);
                    }
                    if error.locked_store().is_some() {
                        return Err(error);
                    }
                    // A disk that is full for example mends itself: the slots of its DAG wait for
                    // it.
                    if error.kind() != ErrorKind::Unavailable {
                        self.to_resume.remove(&number);
                    }
                    self.refused.insert(number, Instant::now());
                    events.push(ServiceEvent::Refused { run, reason: error.to_string() });
                }
            }
        }
        Ok(())
    }

    pub(super) fn run(&self, request: RunRequest<()>, number: i64, dag_id: &str) -> Result<(), OpsError> {
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

/// Whether a run cannot be claimed because another process has locked the store.
fn is_locked_out(claimed: &Option<Claimed>) -> bool {
    matches!(claimed, Some(Err(error)) if error.locked_store().is_some())
}
