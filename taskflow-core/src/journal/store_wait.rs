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
//!    run of it has nothing else to wait for. Runs whose entries are in the same batch, or that ask
//!    for the same at that moment, end with it, those of other engines too.
//! 6. What is not waited for is asked once, not for each run.

use std::time::{Duration, Instant};

use super::queue::{Queue, Waiting};
use crate::base::units;
use crate::store::StoreError;

/// How long runs wait at most.
const PATIENCE: Duration = Duration::from_secs(60 * 60);

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

    /// Whether to try again after this error.
    pub(super) fn goes_on(&mut self, queue: &Queue, error: &StoreError) -> bool {
        let StoreError::Busy { place, holder, .. } = error else { return false };
        let now = Instant::now();
        // A wait that was given up may not have ended by a write: a later refusal is another one's.
        let known = self.refused.filter(|&(_, last)| now.duration_since(last) < self.patience);
        let since = known.map_or(now, |(since, _)| since);
        self.refused = Some((since, now));
        if now.duration_since(since) >= self.patience || queue.leaves() {
            queue.set_store_wait(None);
            return false;
        }
        if queue.store_wait().is_none() {
            let holder = holder.as_deref().unwrap_or("another process");
            let patience = units::duration(self.patience);
            let line = format!(
                "the store {place} is locked by {holder}; the runs wait for it, for at most {patience}: let it continue or end it"
            );
            tracing::warn!("{line}");
            queue.set_store_wait(Some(line.into()));
        }
        true
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

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
}
