//! What changed in the home, in a ring that all streams read.
//!
//! A fact has a number, from 1 in each process. Its place is `<epoch>.<number>`; the epoch is
//! random, so that places of an earlier process are recognised. The ring has the last facts: at
//! most 10,000, and those of the last five minutes. A stream remembers only its place in it. If the
//! facts after the place are gone, the stream says so, and its client reads everything again.
//!
//! A fact is written once, when it comes in: the streams of a hundred tabs send the same text.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::source::Batch;
use super::topics::Fact;
use crate::server::json;

/// The most facts in the ring, and how long they stay there.
const FACTS: usize = 10_000;
const AGE: Duration = Duration::from_secs(5 * 60);

/// The last facts.
#[derive(Debug)]
pub(super) struct Feed {
    epoch: String,
    ring: Mutex<Ring>,
    /// The number of the last fact.
    last: watch::Sender<u64>,
    /// Wakes who waits for readers.
    has_reader: Notify,
    /// The runs that streams are about, and how many streams.
    watched: Mutex<HashMap<i64, usize>>,
}

#[derive(Debug, Default)]
struct Ring {
    /// The number of the last fact.
    last: u64,
    facts: VecDeque<(Instant, Arc<Told>)>,
}

/// A fact, and the event that tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) fact: Fact,
    pub(super) event: String,
}

/// Facts after a place are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lost;

impl Feed {
    pub(super) fn new() -> Self {
        let random = std::hash::RandomState::new().build_hasher().finish();
        Feed {
            epoch: format!("{:08x}", random & 0xffff_ffff),
            ring: Mutex::default(),
            last: watch::Sender::new(0),
            has_reader: Notify::new(),
            watched: Mutex::default(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, facts: Vec<Fact>) {
        if facts.is_empty() {
            return;
        }
        let now = Instant::now();
        let mut ring = self.ring();
        for fact in facts {
            ring.last += 1;
            let mut event = Batch::default();
            event.event(self.place_of(ring.last), &json::line(&fact));
            ring.facts.push_back((now, Arc::new(Told { fact, event: event.into_text() })));
        }
        let surplus = ring.facts.len().saturating_sub(FACTS);
        ring.facts.drain(..surplus);
        let old = ring.facts.iter().take_while(|(at, _)| now.duration_since(*at) > AGE).count();
        ring.facts.drain(..old);
        self.last.send_replace(ring.last);
    }

    /// At most `most` facts after a number, with the number of the last of them.
    pub(super) fn after(&self, number: u64, most: usize) -> Result<(Vec<Arc<Told>>, u64), Lost> {
        let ring = self.ring();
        let behind = ring.last.checked_sub(number).ok_or(Lost)?;
        let behind = usize::try_from(behind).unwrap_or(usize::MAX);
        let skipped = ring.facts.len().checked_sub(behind).ok_or(Lost)?;
        let facts: Vec<_> = ring.facts.iter().skip(skipped).take(most).map(|(_, fact)| Arc::clone(fact)).collect();
        let last = number + facts.len() as u64;
        Ok((facts, last))
    }

    /// The number of the last fact.
    pub(super) fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Makes earlier places lost: something changed that no fact tells.
    pub(super) fn forget(&self) {
        let mut ring = self.ring();
        ring.last += 1;
        ring.facts.clear();
        self.last.send_replace(ring.last);
    }

    /// Learns of new facts.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        let reader = self.last.subscribe();
        self.has_reader.notify_one();
        reader
    }

    /// Waits until somebody reads it.
    pub(super) async fn readers(&self) {
        // A reader that comes between the two leaves a note.
        while self.last.receiver_count() == 0 {
            self.has_reader.notified().await;
        }
    }

    /// The place after the last fact.
    pub(super) fn place(&self) -> String {
        self.place_of(self.last())
    }

    pub(super) fn place_of(&self, number: u64) -> String {
        format!("{}.{number}", self.epoch)
    }

    /// The number of a place of this process.
    pub(super) fn number_of(&self, place: &str) -> Result<u64, Lost> {
        let (epoch, number) = place.split_once('.').ok_or(Lost)?;
        if epoch != self.epoch {
            return Err(Lost);
        }
        number.parse().map_err(|_| Lost)
    }

    /// Has a run looked at even if it ended long ago, until the returned value is dropped.
    pub(super) fn watch(self: &Arc<Self>, run: i64) -> Watched {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        *watched.entry(run).or_default() += 1;
        Watched { feed: Arc::clone(self), run }
    }

    /// The runs that streams are about.
    pub(super) fn watched(&self) -> Vec<i64> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }
}

/// A stream about a run.
#[derive(Debug)]
pub(super) struct Watched {
    feed: Arc<Feed>,
    run: i64,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut watched = self.feed.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = watched.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                watched.remove(&self.run);
            }
        }
    }
}

/// Waits until something changed in the home that a stream is about.
#[derive(Debug)]
pub(super) struct Changed {
    feed: Arc<Feed>,
    last: watch::Receiver<u64>,
    seen: u64,
    _watched: Option<Watched>,
}

impl Changed {
    /// Changes of a run, or of anything.
    pub(super) fn of(feed: &Arc<Feed>, run: Option<i64>) -> Self {
        let watched = run.map(|run| feed.watch(run));
        Changed { feed: Arc::clone(feed), last: feed.subscribe(), seen: feed.last(), _watched: watched }
    }

    /// Waits for a fact that `matters`, and at most that long: what no commit tells, such as the
    /// death of a process, is noticed then.
    pub(super) async fn wait(&mut self, matters: impl Fn(&Fact) -> bool, most: Duration) {
        let found = async {
            loop {
                let newest = *self.last.borrow_and_update();
                let Ok((facts, last)) = self.feed.after(self.seen, usize::MAX) else {
                    self.seen = newest;
                    return;
                };
                self.seen = last;
                if facts.iter().any(|told| matters(&told.fact)) {
                    return;
                }
                if self.last.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        let _ = tokio::time::timeout(most, found).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dag(at: usize) -> Fact {
        Fact::Dag { dag: at.to_string() }
    }

    #[test]
    fn facts_after_a_place_are_all_there_or_lost() {
        let feed = Feed::new();
        assert_eq!(feed.after(0, 10), Ok((Vec::new(), 0)));
        feed.add((0..FACTS).map(dag).collect());
        let (facts, last) = feed.after(0, 3).unwrap();
        assert_eq!((facts.len(), last, &facts[2].fact), (3, 3, &dag(2)));
        assert_eq!(feed.after(FACTS as u64, 3), Ok((Vec::new(), FACTS as u64)));
        feed.add(vec![dag(FACTS)]);
        assert_eq!(feed.after(0, 3), Err(Lost));
        let told = feed.after(1, 1).unwrap().0.remove(0);
        assert_eq!(told.fact, dag(1));
        assert_eq!(told.event, format!("id: {}\ndata: {}\n\n", feed.place_of(2), json::line(&dag(1))));
        assert_eq!(feed.after(FACTS as u64 + 2, 1), Err(Lost), "of the future");
    }

    #[test]
    fn places_before_something_that_is_not_told_are_lost() {
        let feed = Feed::new();
        feed.add(vec![dag(1)]);
        let before = feed.last();
        feed.forget();
        assert_eq!((feed.after(0, 3), feed.after(before, 3)), (Err(Lost), Err(Lost)));
        assert_eq!(feed.after(feed.last(), 3), Ok((Vec::new(), before + 1)));
    }

    #[test]
    fn places_of_another_process_are_recognised() {
        let feed = Feed::new();
        assert_eq!(feed.number_of(&feed.place_of(3)), Ok(3));
        for place in ["", "3", "x.3", &format!("{}.x", feed.epoch)] {
            assert_eq!(feed.number_of(place), Err(Lost), "{place}");
        }
    }

    #[test]
    fn a_run_is_watched_as_long_as_a_stream_is_about_it() {
        let feed = Arc::new(Feed::new());
        let (one, two) = (feed.watch(7), feed.watch(7));
        drop(one);
        assert_eq!(feed.watched(), [7]);
        drop(two);
        assert!(feed.watched().is_empty());
    }
}
