//! Runs that backfills clear and run again.

use super::RunQueue;
use super::room::Active;
use crate::journal::{Journal, Note, word_of};
use crate::ops::{self, OpsError};
use crate::run::RunState;
use crate::service::backfills::{Reprocess, Reprocessed};
use crate::service::serving::ServiceEvent;

impl RunQueue {
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
            // A turn that a locked store has ended may have left it here.
            if self.to_reprocess.iter().all(|(known, _)| known.number != run.number) {
                self.to_reprocess.push((run, dag));
            }
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
                if !now.is_ok_and(|now| now.state != RunState::Interrupted || now.is_owned) {
                    // It was cleared and does not run, or that cannot be read now: the backfill
                    // does not ask for it again. A run that was not cleared is not resumed, since
                    // it is not interrupted.
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

    fn is_resumed(&self, number: i64) -> bool {
        self.counts_as_active(number)
    }
}
