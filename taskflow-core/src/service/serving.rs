//! The loop of a service.

use std::num::NonZeroUsize;
use std::path::Path;
use std::pin::pin;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::backfills::Backfills;
use super::consumers::Consumers;
use super::deadlines::Deadlines;
use super::handle::{ClaimedRun, ServiceHandle};
use super::lock::ServeLock;
use super::queue::{Ended, RunQueue};
use super::schedules::Schedules;
use super::stop::Stop;
use super::trouble::Trouble;
use super::watchers::Watchers;
use crate::base::{ErrorKind, Timestamp};
use crate::dag::DagDef;
use crate::engine::Engine;
use crate::journal::{Journal, RunSummary};
use crate::ops::{Counting, OpsError};
use crate::run::{Durability, RunState};
use crate::schedule::{BackfillCounts, BackfillPhase, Note, SlotRecord};

/// How often a service looks at what other processes have stored.
const POLL: Duration = Duration::from_secs(1);
/// How often it is asked whether a run has ended elsewhere that a slot or an event waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long the part of a turn may take that the service is at when somebody asks it to stop.
const LAST_PART: Duration = Duration::from_secs(1);

/// Something that a service did or noticed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ServiceEvent {
    /// The service is up.
    Ready {
        /// How many DAGs it serves.
        dags: usize,
        /// How many of them have a schedule and no event parameters.
        schedules: usize,
        /// How many of them have event parameters.
        consumers: usize,
    },
    /// The schedule or the events of a DAG are not served.
    Unserved {
        /// The DAG.
        dag: &'static str,
        /// Why.
        reason: String,
    },
    /// A slot is due: its run is stored, and starts next.
    Due {
        /// The DAG.
        dag: &'static str,
        /// The slot.
        slot: Timestamp,
        /// How long ago that was.
        late: Duration,
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
    /// The service runs as many runs as it may, and others wait. It is reported again when no run
    /// has waited meanwhile.
    AtLimit {
        /// The limit.
        limit: usize,
        /// How many runs wait.
        waiting: usize,
    },
    /// A run has ended, or was interrupted.
    Ended {
        /// The number of the run.
        number: i64,
        /// Its DAG.
        dag_id: String,
        /// Its state.
        state: RunState,
        /// When this service began to run it.
        started: Timestamp,
        /// How long this service ran it.
        took: Duration,
    },
    /// Slots or events became no runs.
    Recorded {
        /// The DAG.
        dag: &'static str,
        /// The slots, and why.
        record: SlotRecord,
    },
    /// A DAG was paused, because a run of its events could not be made. The events stay pending.
    Paused {
        /// The DAG.
        dag: &'static str,
        /// Why.
        reason: String,
    },
    /// Something about a schedule is worth noting.
    Noted {
        /// The DAG.
        dag: &'static str,
        /// What.
        note: Note,
    },
    /// A backfill is done, or was paused because it should not go on by itself.
    Backfill {
        /// Its number.
        number: i64,
        /// Its DAG.
        dag: &'static str,
        /// Its state.
        phase: BackfillPhase,
        /// What became of its slots.
        counts: BackfillCounts,
    },
    /// The events of a source are stored.
    Watched {
        /// The source.
        source: String,
        /// Its assets.
        assets: Vec<&'static str>,
        /// How many events are new.
        count: usize,
    },
    /// The watcher of a source has failed. It is started again after a pause.
    WatchFailed {
        /// The source.
        source: String,
        /// Why.
        error: String,
        /// The pause.
        pause: Duration,
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
    /// the same error again after a minute; that another process has locked the store, once.
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

impl ServiceEvent {
    /// That the clock is behind these DAGs, each with by how much; `None` if it is behind none.
    pub(super) fn clock_behind(now: Timestamp, behind: &[(Duration, &'static str)]) -> Option<Self> {
        let by = behind.iter().map(|&(by, _)| by).max()?;
        Some(ServiceEvent::ClockBehind { now, by, dags: behind.iter().map(|&(_, dag)| dag).collect() })
    }
}

/// A service of a home: see the [module](super).
#[derive(Debug)]
pub struct Service {
    journal: Journal,
    engine: Engine,
    schedules: Schedules,
    backfills: Backfills,
    consumers: Consumers,
    deadlines: Deadlines,
    queue: RunQueue,
    ended: UnboundedReceiver<Ended>,
    handle: ServiceHandle,
    claimed: UnboundedReceiver<ClaimedRun>,
    events: Vec<ServiceEvent>,
    served: usize,
    /// Whether it runs the watchers of the program.
    watches: bool,
    /// Whether the runs that were interrupted before it started are resumed.
    has_resumed: bool,
    trouble: Trouble,
    /// When the active runs were last counted again.
    looked: Instant,
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
        let lock = ServeLock::take(home, options.max_active_runs, &dags)?;
        let scheduled: &[&'static DagDef] = if options.with_schedules { &dags } else { &[] };
        let (schedules, mut events) = Schedules::of(scheduled);
        let (consumers, unserved) = Consumers::of(scheduled);
        let deadlines = Deadlines::of(scheduled);
        events.extend(unserved);
        let served = dags.len();
        let backfills = Backfills::of(&dags);
        let (queue, ended) = RunQueue::new(engine.clone(), &options, dags);
        let (journal, engine) = (journal.clone(), engine.clone());
        let watches = options.with_schedules;
        let (handle, claimed) = ServiceHandle::new();
        Ok(Service {
            journal,
            engine,
            schedules,
            consumers,
            deadlines,
            backfills,
            queue,
            ended,
            handle,
            claimed,
            events,
            served,
            watches,
            has_resumed: false,
            trouble: Trouble::default(),
            looked: Instant::now(),
            _lock: lock,
        })
    }

    /// A handle for other parts of the process.
    pub fn handle(&self) -> ServiceHandle {
        self.handle.clone()
    }

    /// Serves until `stop` returns the reason to stop, then drains. `report` gets each event in
    /// order; it should not block.
    ///
    /// Dropping the future stops the service without draining: its runs go on until the process
    /// ends.
    pub async fn run(mut self, stop: impl Future<Output = String>, mut report: impl FnMut(ServiceEvent)) {
        let asks = pin!(stop);
        let stop = Stop::new(asks);
        let (dags, schedules, consumers) = (self.served, self.schedules.len(), self.consumers.len());
        self.events.push(ServiceEvent::Ready { dags, schedules, consumers });
        let mut stored = self.journal.events_stored();
        let (sender, mut watched) = unbounded_channel();
        let watchers = self.watches.then(|| Watchers::start(&self.journal, &sender, self.handle.polls()));
        loop {
            let turn = self.turn_or_stop(&stop, &mut report).await;
            self.handle.turned(Timestamp::now());
            match turn {
                // What was left out could have failed: it is not known that the trouble is over.
                None | Some(Ok(Turn::CutShort)) => {}
                Some(turn) => self.events.extend(self.trouble.news(turn.map(|_| ()))),
            }
            self.events.drain(..).for_each(&mut report);
            if stop.is_asked().await {
                break;
            }
            let pause = self.pause();
            tokio::select! {
                () = stop.asked() => break,
                ended = self.ended.recv() => self.ended(ended),
                // The sender lives as long as the journal.
                _ = stored.changed() => {}
                () = self.handle.woken() => {}
                // The service has a sender itself.
                claimed = self.claimed.recv() => self.take(claimed),
                event = watched.recv() => self.events.extend(event),
                () = tokio::time::sleep(pause) => {}
            }
            while let Ok(ended) = self.ended.try_recv() {
                self.ended(Some(ended));
            }
        }
        drop(watchers);
        // Releases the claims of runs that are not taken any more.
        self.claimed.close();
        while self.claimed.try_recv().is_ok() {}
        self.engine.drain(&stop.reason());
        while self.queue.is_busy() {
            let ended = self.ended.recv().await;
            self.ended(ended);
            self.events.drain(..).for_each(&mut report);
        }
    }

    async fn resume(&mut self) -> Result<(), OpsError> {
        let loaded = self.backfills.load(&self.journal, &mut self.events).await;
        self.queue.resume(&self.journal).await?;
        loaded?;
        // Before the first step of the schedules: a run that cannot be resumed is not active, and
        // leaves its place to the next slot.
        self.queue.turn(&self.journal, self.backfills.runs(), &mut self.events).await
    }

    /// Makes a turn. `None`: somebody has asked the service to stop, and the turn has not ended
    /// soon. What it was writing is stored as a whole or not at all, as if the process had died
    /// then.
    async fn turn_or_stop(
        &mut self,
        stop: &Stop<'_, impl Future<Output = String>>,
        report: &mut impl FnMut(ServiceEvent),
    ) -> Option<Result<Turn, OpsError>> {
        let too_late = async {
            stop.asked().await;
            tokio::time::sleep(LAST_PART).await;
        };
        tokio::select! {
            biased;
            turn = self.turn(stop, report) => Some(turn),
            () = too_late => None,
        }
    }

    /// Does what is due. The rest is left out once somebody asks the service to stop, and when
    /// another process has locked the store: each part would wait for the lock.
    async fn turn(
        &mut self,
        stop: &Stop<'_, impl Future<Output = String>>,
        report: &mut impl FnMut(ServiceEvent),
    ) -> Result<Turn, OpsError> {
        if !self.has_resumed {
            self.resume().await?;
            self.has_resumed = true;
            if stop.is_asked().await {
                return Ok(Turn::CutShort);
            }
        }
        if self.looked.elapsed() >= LOOK_AGAIN {
            self.looked = Instant::now();
            self.schedules.look_again();
            self.consumers.look_again();
        }
        // Other trouble with one of them does not hold up the others.
        let now = Timestamp::now();
        let mut outcome = Ok(());
        let is_resumed = |number| self.queue.counts_as_active(number);
        let counting = Counting { backfilled: self.backfills.runs(), is_resumed: &is_resumed };
        let schedules = self.schedules.turn(&self.journal, counting, now, &mut self.events).await;
        self.events.drain(..).for_each(report);
        if is_locked(schedules, &mut outcome) || stop.is_asked().await {
            return outcome.map(|()| Turn::CutShort);
        }
        let consumers = self.consumers.turn(&self.journal, counting, &mut self.events).await;
        if is_locked(consumers, &mut outcome) || stop.is_asked().await {
            return outcome.map(|()| Turn::CutShort);
        }
        // Without them it is not known what has become of a slot. Damage is that of a DAG, whose
        // slots that were not noticed are not judged.
        let is_known = match &outcome {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::Damaged,
        };
        let is_held = self.schedules.is_held() || self.consumers.is_held();
        if is_known && !is_held {
            let deadlines = self.deadlines.turn(&self.journal, now, &mut self.events).await;
            self.deadlines.call(now);
            if is_locked(deadlines, &mut outcome) || stop.is_asked().await {
                return outcome.map(|()| Turn::CutShort);
            }
        }
        let backfills = self.backfills.turn(&self.journal, &mut self.queue, &mut self.events).await;
        if is_locked(backfills, &mut outcome) || stop.is_asked().await {
            return outcome.map(|()| Turn::CutShort);
        }
        self.queue.turn(&self.journal, self.backfills.runs(), &mut self.events).await?;
        outcome.map(|()| Turn::Complete)
    }

    /// Continues a run that another part of the process has claimed.
    fn take(&mut self, claimed: Option<ClaimedRun>) {
        let Some(ClaimedRun { run, request }) = claimed else { return };
        self.queue.continue_claimed(run, request, &mut self.events);
    }

    fn ended(&mut self, ended: Option<Ended>) {
        // The queue holds a sender, so there is always one.
        let Some(Ended { number, dag_id, state, started, took }) = ended else { return };
        self.queue.ended(number, state);
        self.schedules.run_ended(&dag_id);
        self.consumers.run_ended(&dag_id);
        self.events.push(ServiceEvent::Ended { number, dag_id, state, started, took });
    }

    /// How long to sleep if nothing happens.
    fn pause(&self) -> Duration {
        let is_due = self.backfills.is_due() || self.queue.is_due();
        if self.trouble.holds_up(is_due) {
            return POLL;
        }
        if is_due {
            return Duration::from_millis(1);
        }
        let others = self.consumers.wake().into_iter().chain(self.deadlines.wake());
        let wake = self.schedules.wake().into_iter().chain(others).min();
        let until_due = wake.map_or(POLL, |wake| wake.since(Timestamp::now()));
        // A step that was a conflict is not tried without a pause.
        until_due.clamp(Duration::from_millis(1), POLL)
    }
}

/// How far a turn has come that has not failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Complete,
    /// Somebody has asked the service to stop meanwhile.
    CutShort,
}

/// Whether a part of a turn has failed because another process has locked the store. The outcome of
/// the turn is the first error.
fn is_locked(part: Result<(), OpsError>, outcome: &mut Result<(), OpsError>) -> bool {
    let Err(error) = part else { return false };
    let is_locked = error.locked_store().is_some();
    if outcome.is_ok() {
        *outcome = Err(error);
    }
    is_locked
}

/// The options of a service.
#[derive(Clone, Copy, Debug)]
pub struct ServiceOptions {
    /// Whether it starts the runs of schedules and of events, and runs watchers.
    pub with_schedules: bool,
    /// How long running tasks may take to stop when it drains.
    pub grace: Duration,
    /// The durability of its runs.
    pub durability: Durability,
    /// How many runs it runs at once: see
    /// [`DEFAULT_MAX_ACTIVE_RUNS`](crate::ops::DEFAULT_MAX_ACTIVE_RUNS).
    pub max_active_runs: NonZeroUsize,
}
