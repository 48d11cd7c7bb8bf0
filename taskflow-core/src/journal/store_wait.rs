//! How long runs wait for a store that another process has locked.
//!
//! 1. The store itself waits some seconds for the lock, and then says [`StoreError::Busy`]. A verb
//!    fails then: whoever has called it can repeat it.
//! 2. Runs have done work that would be lost. So the writer keeps what it has and tries again, for
//!    at most [`PATIENCE`]. That is longer than it takes to vacuum a large store, and it bounds how
//!    long runs hang because somebody has stopped a process and forgotten it. After that they are
//!    interrupted, and can be resumed.
//! 3. The writer says so once for each wait, with the process that has the lock. A wait ends when
//!    something is written, or when no run is live.
//! 4. Meanwhile the engines are held back as they are whenever the writer is slow.
//! 5. Nobody waits for runs that leave anyway: after a refusal, a journal that is being closed
//!    leaves what is not stored to `resume`, and so does an engine that was asked to leave, once a
//!    run of it has nothing else to wait for. Runs whose entries are in the same batch end with it,
//!    those of other engines too, and so does a new run whose graph is not stored yet. Those that
//!    ask for an admission or for slots of pools go on waiting.
//! 6. A store that is locked is asked once in a [`Round`], not for each run.
//! 7. A task that triggers a run, and resumes or retries it, writes by itself, and waits as its run
//!    does: [`task_wait`](super::task_wait).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::{Queue, Waiting};
use super::writer::stopped;
use crate::base::units;
use crate::store::{StoreError, waiting_for_lock};

/// How long runs wait at most.
pub(super) const PATIENCE: Duration = Duration::from_secs(60 * 60);

/// The wait of a writer.
pub(super) struct StoreWait {
    patience: Duration,
    /// When the store was found locked first and last. How often the writer asks in between depends
    /// on who else does. The wait is over once something is written.
    refused: Option<(Instant, Instant)>,
}

impl StoreWait {
    pub(super) fn new() -> Self {
        StoreWait { patience: PATIENCE, refused: None }
    }

    /// Whether to try again after this error what concerns runs of several engines: not if one of
    /// these leaves.
    pub(super) fn goes_on(&mut self, queue: &Queue, error: &StoreError) -> bool {
        match self.who_waits(queue, error) {
            Patience::AllBut(leaving) if leaving.is_empty() => true,
            Patience::AllBut(_) => {
                queue.set_store_wait(None);
                false
            }
            Patience::Nobody => false,
        }
    }

    /// Who waits after this error.
    fn who_waits(&mut self, queue: &Queue, error: &StoreError) -> Patience {
        let StoreError::Busy { place, holder, .. } = error else { return Patience::Nobody };
        let now = Instant::now();
        // A wait that was given up may not have ended by a write: a later refusal is another one's.
        let known = self.refused.filter(|&(_, last)| now.duration_since(last) < self.patience);
        let since = known.map_or(now, |(since, _)| since);
        self.refused = Some((since, now));
        if now.duration_since(since) >= self.patience || queue.is_closing() {
            queue.set_store_wait(None);
            return Patience::Nobody;
        }
        let leaving = queue.leaving();
        if leaving.is_empty() && queue.store_wait().is_none() {
            announce(queue, place, holder.as_deref(), self.patience);
        }
        Patience::AllBut(leaving)
    }

    /// Something was written.
    pub(super) fn over(&mut self, queue: &Queue) {
        if self.refused.take().is_some() {
            queue.set_store_wait(None);
        }
    }

    /// No run is live, so nobody waits: the next wait is another one.
    pub(super) fn forget(&mut self, waiting: &mut Waiting) {
        if self.refused.take().is_some() {
            waiting.store_wait = None;
        }
    }
}

/// Says who has locked the store, and that the runs wait for it. Returns what it says.
pub(super) fn announce(queue: &Queue, place: &str, holder: Option<&str>, patience: Duration) -> Arc<str> {
    let waits = format!("the runs wait for it, for at most {}", units::duration(patience));
    let line = waiting_for_lock(place, holder, &waits);
    tracing::warn!("{line}");
    let line: Arc<str> = line.into();
    queue.set_store_wait(Some(Arc::clone(&line)));
    line
}

/// Who waits for a store that is locked.
#[derive(Debug)]
enum Patience {
    /// The runs of all engines but of these, which leave.
    AllBut(Vec<usize>),
    Nobody,
}

/// Requests to the store for several runs, one after the other. Once the store is locked, it is not
/// asked any more: each of the other runs waits for the next round, or is given up.
#[derive(Debug, Default)]
pub(super) struct Round {
    locked: Option<Locked>,
}

/// What a store that is locked means for the rest of a round.
#[derive(Debug)]
struct Locked {
    patience: Patience,
    /// Why those are given up that do not wait.
    reason: String,
}

/// What is to be done for a run.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The store is asked.
    Asks,
    /// The run waits for the next round.
    Waits,
    /// The run is given up, for this reason.
    GivesUp(String),
}

impl Locked {
    fn turn(&self, engine: Option<usize>) -> Turn {
        let waits = match &self.patience {
            Patience::AllBut(leaving) => engine.is_none_or(|engine| !leaving.contains(&engine)),
            Patience::Nobody => false,
        };
        if waits { Turn::Waits } else { Turn::GivesUp(self.reason.clone()) }
    }
}

impl Round {
    /// What is to be done for a run of this engine.
    pub(super) fn turn(&self, engine: Option<usize>) -> Turn {
        self.locked.as_ref().map_or(Turn::Asks, |locked| locked.turn(engine))
    }

    /// The store has refused what a run of this engine asked for. Returns what is to be done, which
    /// is not to ask again.
    pub(super) fn refused(
        &mut self,
        wait: &mut StoreWait,
        queue: &Queue,
        engine: Option<usize>,
        error: &StoreError,
    ) -> Turn {
        let locked = Locked { patience: wait.who_waits(queue, error), reason: stopped(error) };
        let turn = locked.turn(engine);
        if let StoreError::Busy { .. } = error {
            self.locked = Some(locked);
        }
        turn
    }

    /// The store has refused what was asked again and again until nobody waits for it any more.
    /// Returns why the run is given up.
    pub(super) fn given_up(&mut self, error: &StoreError) -> String {
        let reason = stopped(error);
        if let StoreError::Busy { .. } = error {
            self.locked = Some(Locked { patience: Patience::Nobody, reason: reason.clone() });
        }
        reason
    }

    /// Ends the round, and returns whether runs wait for the next one. `had_waited`: what the last
    /// round has returned.
    pub(super) fn end(self, wait: &mut StoreWait, queue: &Queue, had_waited: bool) -> bool {
        match self.locked {
            Some(locked) => matches!(locked.patience, Patience::AllBut(_)),
            None => {
                // Other answers say nothing of the lock, because they need not write.
                if had_waited {
                    wait.over(queue);
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> StoreError {
        let holder = Some("process 7 (delays), which is stopped".to_owned());
        StoreError::Busy { doing: "write to", place: "runs.db".to_owned(), holder }
    }

    /// A lock that is released in time, twice.
    #[test]
    fn each_wait_says_once_who_has_the_lock() {
        let (queue, mut wait) = (Queue::new(), StoreWait::new());
        assert!(wait.goes_on(&queue, &busy()));
        let line = queue.store_wait().unwrap();
        let expected = "the store runs.db is locked by process 7 (delays), which is stopped; the runs wait for it, for \
                        at most 1h: let it continue or end it";
        assert_eq!(&*line, expected);
        assert!(wait.goes_on(&queue, &busy()));
        assert!(Arc::ptr_eq(&queue.store_wait().unwrap(), &line), "it was said before");
        wait.over(&queue);
        assert_eq!(queue.store_wait(), None);
        assert!(wait.goes_on(&queue, &busy()));
        assert!(!Arc::ptr_eq(&queue.store_wait().unwrap(), &line), "another wait");
    }

    /// A lock that the writer asks about once in a while, because others of its process ask, too.
    #[test]
    fn a_wait_lasts_until_something_is_written_or_nobody_waits() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
        let under_way = Some((long_ago, Instant::now()));
        let (queue, mut wait) = (Queue::new(), StoreWait { patience: Duration::from_secs(60), refused: under_way });
        assert!(!wait.goes_on(&queue, &busy()), "it is the wait that began 90 s ago");
        wait.over(&queue);
        assert!(wait.goes_on(&queue, &busy()));
        wait.refused = under_way;
        wait.forget(&mut queue.lock());
        assert_eq!(queue.store_wait(), None);
        assert!(wait.goes_on(&queue, &busy()));
    }

    /// Runs are given up after a wait, and nothing is written until another process takes the lock.
    #[test]
    fn a_refusal_long_after_a_wait_that_was_given_up_begins_another_one() {
        let long_ago = Instant::now().checked_sub(Duration::from_secs(90)).unwrap();
        let (queue, patience) = (Queue::new(), Duration::from_secs(60));
        let mut wait = StoreWait { patience, refused: Some((long_ago, long_ago)) };
        assert!(wait.goes_on(&queue, &busy()));
    }

    /// A lock that stays, and errors that waiting does not mend.
    #[test]
    fn a_wait_ends_with_the_patience_and_other_errors_are_not_waited_for() {
        let (queue, mut wait) = (Queue::new(), StoreWait { patience: Duration::ZERO, refused: None });
        assert!(!wait.goes_on(&queue, &busy()));
        assert!(!wait.goes_on(&queue, &busy()), "the next run has the same lock before it");
        assert_eq!(queue.store_wait(), None);
        let full = StoreError::Write { place: "runs.db".to_owned(), reason: "the disk is full".to_owned() };
        assert!(!StoreWait::new().goes_on(&queue, &full));
    }

    #[test]
    fn a_locked_store_is_asked_once_in_a_round() {
        let (queue, mut wait) = (Queue::new(), StoreWait::new());
        let mut round = Round::default();
        assert_eq!(round.turn(Some(1)), Turn::Asks);
        assert_eq!(round.refused(&mut wait, &queue, Some(1), &busy()), Turn::Waits);
        assert_eq!(
            (round.turn(Some(1)), round.turn(Some(2)), round.turn(None)),
            (Turn::Waits, Turn::Waits, Turn::Waits)
        );
        assert!(round.end(&mut wait, &queue, false));
        assert!(queue.store_wait().is_some());
        // The next one has another answer, which does not concern the others.
        let full = StoreError::Write { place: "runs.db".to_owned(), reason: "the disk is full".to_owned() };
        let mut round = Round::default();
        assert_eq!(round.refused(&mut wait, &queue, Some(1), &full), Turn::GivesUp(stopped(&full)));
        assert_eq!(round.turn(Some(2)), Turn::Asks);
        assert!(!round.end(&mut wait, &queue, true));
        assert_eq!(queue.store_wait(), None);
    }

    /// One engine was asked to leave while runs of two wait for their admissions, or for slots. The
    /// runs of the other one were given up, too.
    #[test]
    fn a_round_gives_up_the_runs_of_an_engine_that_leaves_and_no_others() {
        let patience = Patience::AllBut(vec![1]);
        let round = Round { locked: Some(Locked { patience, reason: "it is locked".to_owned() }) };
        assert_eq!(round.turn(Some(1)), Turn::GivesUp("it is locked".to_owned()));
        assert_eq!((round.turn(Some(2)), round.turn(None)), (Turn::Waits, Turn::Waits));
        assert!(round.end(&mut StoreWait::new(), &Queue::new(), true), "runs wait for the next round");
    }

    /// Nobody waits any more: the patience is over, or the journal is being closed.
    #[test]
    fn a_round_that_nobody_waits_for_gives_up_all_runs_for_the_same_reason() {
        let (queue, mut wait) = (Queue::new(), StoreWait { patience: Duration::ZERO, refused: None });
        let mut round = Round::default();
        let given_up = Turn::GivesUp(stopped(&busy()));
        assert_eq!(round.refused(&mut wait, &queue, Some(1), &busy()), given_up);
        assert_eq!(round.turn(Some(2)), given_up);
        assert!(!round.end(&mut wait, &queue, false));
        let mut round = Round::default();
        assert_eq!(Turn::GivesUp(round.given_up(&busy())), given_up);
        assert_eq!(round.turn(None), given_up);
    }
}
