//! The process that stays: it starts the runs of schedules and of events, and works on queued runs.
//!
//! # Protocol
//!
//! 1. A home has one service: it holds the lock of `serve.lock` while it lives.
//! 2. It resumes the interrupted runs of its DAGs. While it is up it also resumes the runs whose
//!    processes died, but not those that somebody interrupted: a process that drains releases its
//!    runs, a process that dies does not. A run that a task waits for is left to that task, until
//!    the run of the task has ended: then it is cancelled.
//! 3. It [steps](crate::schedule::step) each schedule whose time has come, or that somebody has
//!    changed, or a run of which has ended. The new states, the records of slots and the new runs,
//!    which are queued, are one transaction. If another process has stored a step of the same DAG
//!    meanwhile, nothing of the step is stored, and it is made again.
//!    If the clock is more than [a day](crate::schedule::CLOCK_TOLERANCE) behind the last step of a
//!    schedule, nothing is stepped: the machine may not have the time yet, or it was wrong before.
//! 4. It [steps](crate::schedule::consume()) each DAG with event parameters whose events or time
//!    have come, in the same way; `consumers` has the protocol.
//! 5. It judges the [deadlines](crate::schedule::DeadlineState) of slots that are due, and notifies
//!    the callbacks; `deadlines` has the protocol.
//! 6. It steps each [backfill](crate::schedule::BackfillPlan) that is open: notes which of its runs
//!    have ended, and makes or clears runs for its next slots. Live slots come first, and runs of
//!    backfills take no room from them.
//! 7. It claims and starts the queued runs of its DAGs, whoever created them, in [fair
//!    turns](crate::schedule::FairTurns); `queue` has the protocol. At most
//!    [`ServiceOptions::max_active_runs`] of them are active. A run that waits for another run
//!    keeps its place, so the limit must not hold up that other run:
//!    - A run that a task triggers and waits for starts at once and takes no place. It is not
//!      queued.
//!    - A queued run that a task waits for, such as a sensor of runs, starts beyond the limit. It
//!      takes a place: no other run starts until the active runs are again fewer than the limit.
//!
//!    Were waiting runs not counted instead, the limit would not bound anything: all runs whose
//!    first task is a sensor would start, and continue together when what they wait for is there.
//!    A task that waits for anything else that a queued run makes, such as a file, still holds up
//!    that run if the limit is reached. It needs a timeout, or its DAG a parameter for the event.
//!
//!    A run that another part of the process has claimed, because a person cleared or resumed it
//!    there, is handed to the service and continues at once. It takes a place as well.
//! 8. It runs the [watchers](crate::asset::Watch) of the program.
//! 9. It sleeps until the next slot is due, a run ends, an event of its own process is stored, it
//!    is [woken](ServiceHandle::wake), or a second has passed: then it looks at what other
//!    processes have stored. Short sleeps also mean that it notices within a second when the clock
//!    is set or the machine was suspended.
//! 10. When it is asked to stop, it starts nothing more and [drains](crate::engine::Engine::drain)
//!     its engine: running tasks have their grace time, their runs are interrupted, and the next
//!     service resumes them. A turn ends with the part (3 to 7) that it is at. If that takes longer
//!     than a second, the turn is left where it is, as by a process that dies: each write is one
//!     transaction, and what a process does after one, the next service finds to do.
//!
//! # While another process has locked the store
//!
//! A write waits ten seconds for the lock and fails. Each step is one transaction, so nothing of it
//! is stored, and what it is about stays due: the next turn makes it again. The rest of the turn is
//! left out, since each part of it would wait as long. The service reports once who has the lock,
//! and later that it is over. A service that is asked to stop does not wait for the lock. Runs wait
//! by themselves: the journal has that protocol.
//!
//! # From an event to the next DAG
//!
//! 1. The success of a task and its events are one commit, which waits for the disk. So are the end
//!    of a run and the event of its result.
//! 2. The writer of the journal notifies the service, which makes its next turn at once.
//! 3. The turn reads the new events and stores the consumption with its run and the graph of the
//!    run, in one transaction. This one, the claim of the run and its admission (if the DAG has
//!    `max_active_runs`) do not wait for the disk.
//! 4. In the same turn the run is claimed and started. Its first commit waits for the disk, and its
//!    tasks wait for that commit unless its durability is relaxed. The log of the store is in
//!    order: once that commit is stored, so is everything before it. A loss of power before that
//!    leaves the event pending, and no task has run.
//!
//! Code of the user holds up no other DAG. A DAG whose timetable panics is paused, with the panic
//! as the reason; one whose schedule is not valid is left out with a message. If a default of a
//! parameter fails or panics, the slot is recorded as failed, and the next one is tried.
//!
//! Nor does a row of the store that is damaged, if it tells its DAG: the service reads what all
//! DAGs have at once, and if that fails, what each of them has. A DAG of which it cannot count the
//! active runs, or read the last ones, starts none. A plan of a backfill is left alone, and its
//! runs take room from the schedule.

mod backfills;
mod consumers;
mod deadlines;
mod handle;
mod lock;
mod queue;
mod schedules;
mod serving;
mod stop;
mod trouble;
mod wake;
mod watchers;

#[cfg(feature = "testing")]
pub(crate) use deadlines::Deadlines;
pub use handle::ServiceHandle;
pub use serving::{Service, ServiceEvent, ServiceOptions};
#[cfg(feature = "testing")]
pub(crate) use {
    backfills::{Backfills, Reprocess, Reprocessed},
    consumers::Consumers,
    queue::waiting,
    schedules::Schedules,
};
