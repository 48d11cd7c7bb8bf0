//! The loop of a service.

use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use super::lock::ServeLock;
use super::queue::{Ended, RunQueue};
use super::schedules::Schedules;
use super::trouble::Trouble;
use crate::base::Timestamp;
use crate::dag::DagDef;
use crate::engine::Engine;
use crate::journal::{Journal, RunSummary};
use crate::ops::OpsError;
use crate::run::{Durability, RunState};
use crate::schedule::{Note, SlotRecord};

/// How often a service looks at what other processes have stored.
const POLL: Duration = Duration::from_secs(1);

/// Something that a service did or noticed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// The service is up.
    Ready {
        /// How many DAGs it serves.
        dags: usize,
        /// How many of them have a schedule.
        schedules: usize,
    },
    /// The schedule of a DAG is not served.
    Unserved {
        /// The DAG.
        dag: &'static str,
        /// Why.
        reason: String,
    },
    /// A run has started.
    Started {
        /// The run.
        run: RunSummary,
        /// Whether it was interrupted before.
        resumed: bool,
    },
    /// A run cannot be started. It is tried again after a minute.
    Refused {
        /// The run.
        run: RunSummary,
        /// Why.
        reason: String,
    },
    /// A run has ended, or was interrupted.
    Ended {
        /// The number of the run.
        number: i64,
        /// Its DAG.
        dag_id: String,
        /// Its state.
        state: RunState,
        /// How long this service ran it.
        took: Duration,
    },
    /// Slots became no runs.
    Recorded {
        /// The DAG.
        dag: &'static str,
        /// The slots, and why.
        record: SlotRecord,
    },
    /// Something about a schedule is worth noting.
    Noted {
        /// The DAG.
        dag: &'static str,
        /// What.
        note: Note,
    },
    /// The clock is far behind what the store says: a schedule was stepped at a later time. Nothing
    /// is scheduled until the clock is right, or [`reset_schedule`](crate::ops::reset_schedule) has
    /// reset these DAGs. Queued runs start as before.
    ClockBehind {
        /// The time of the clock.
        now: Timestamp,
        /// By how much it is behind.
        by: Duration,
        /// The DAGs with later entries.
        dags: Vec<&'static str>,
    },
    /// The store could not be read or written. The service tries again every second, and reports
    /// the same error again after a minute.
    Trouble {
        /// What happened.
        error: String,
    },
    /// The store can be read and written again.
    Recovered {
        /// How long it was in trouble.
        after: Duration,
    },
    /// A run could not be cancelled to make room for the next slot.
    NotCancelled {
        /// The DAG.
        dag: &'static str,
        /// The number of the run.
        run: i64,
        /// Why.
        error: String,
    },
}

/// A service of a home: see the [module](super).
#[derive(Debug)]
pub struct Service {
    journal: Journal,
    engine: Engine,
    schedules: Schedules,
    queue: RunQueue,
    ended: UnboundedReceiver<Ended>,
    events: Vec<ServiceEvent>,
    served: usize,
    /// Whether the runs that were interrupted before it started are resumed.
    has_resumed: bool,
    trouble: Trouble,
    _lock: ServeLock,
}

impl Service {
    /// A service of some DAGs in the home at this path. Without `with_schedules` it works on queued
    /// runs only.
    ///
    /// # Errors
    ///
    /// When another process serves the home, or its lock file cannot be written.
    pub fn new(
        home: &Path,
        journal: &Journal,
        engine: &Engine,
        dags: Vec<&'static DagDef>,
        options: ServiceOptions,
    ) -> Result<Self, OpsError> {
        let lock = ServeLock::take(home)?;
        let (schedules, events) = Schedules::of(if options.with_schedules { &dags } else { &[] });
        let served = dags.len();
        let (queue, ended) = RunQueue::new(engine.clone(), options.grace, options.durability, dags);
        let (journal, engine) = (journal.clone(), engine.clone());
        let (has_resumed, trouble) = (false, Trouble::default());
        Ok(Service { journal, engine, schedules, queue, ended, events, served, has_resumed, trouble, _lock: lock })
    }

    /// Serves until `stop` returns the reason to stop, then drains. `report` gets each event in
    /// order; it should not block.
    ///
    /// Dropping the future stops the service without draining: its runs go on until the process
    /// ends.
    pub async fn run(mut self, stop: impl Future<Output = String>, mut report: impl FnMut(ServiceEvent)) {
        let mut stop = std::pin::pin!(stop);
        self.events.push(ServiceEvent::Ready { dags: self.served, schedules: self.schedules.len() });
        let reason = loop {
            let turn = self.turn().await;
            self.events.extend(self.trouble.news(turn));
            self.events.drain(..).for_each(&mut report);
            let pause = self.pause();
            tokio::select! {
                reason = &mut stop => break reason,
                ended = self.ended.recv() => self.ended(ended),
                () = tokio::time::sleep(pause) => {}
            }
            while let Ok(ended) = self.ended.try_recv() {
                self.ended(Some(ended));
            }
        };
        self.engine.drain(&reason);
        while self.queue.is_busy() {
            let ended = self.ended.recv().await;
            self.ended(ended);
            self.events.drain(..).for_each(&mut report);
        }
    }

    async fn turn(&mut self) -> Result<(), OpsError> {
        if !self.has_resumed {
            self.queue.resume(&self.journal, &mut self.events).await?;
            self.has_resumed = true;
        }
        self.schedules.turn(&self.journal, &mut self.events).await?;
        self.queue.turn(&self.journal, &mut self.events).await
    }

    fn ended(&mut self, ended: Option<Ended>) {
        // The queue holds a sender, so there is always one.
        let Some(Ended { number, dag_id, state, took }) = ended else { return };
        self.queue.ended(number, state);
        self.schedules.run_ended(&dag_id);
        self.events.push(ServiceEvent::Ended { number, dag_id, state, took });
    }

    /// How long to sleep if nothing happens.
    fn pause(&self) -> Duration {
        if self.trouble.is_present() {
            return POLL;
        }
        let until_due = self.schedules.wake().map_or(POLL, |wake| wake.since(Timestamp::now()));
        // A step that was a conflict is not tried without a pause.
        until_due.clamp(Duration::from_millis(1), POLL)
    }
}

/// The options of a service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceOptions {
    /// Whether it starts the runs of schedules.
    pub with_schedules: bool,
    /// How long running tasks may take to stop when it drains.
    pub grace: Duration,
    /// The durability of its runs.
    pub durability: Durability,
}
