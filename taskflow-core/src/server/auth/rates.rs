//! How many requests somebody sends: 50 a second, and 200 at once after a pause.
//!
//! - Whoever is known by name has a bucket of tokens, from wherever the requests come. A user has
//!   one, however many sessions and API tokens they have.
//! - All others of a network share one, also those whose requests are refused.
//! - Whoever is only known to use this machine has none: on a server without users there is nobody
//!   to protect from them, and they could stop the process too.
//! - Static files and `/health` take nothing.
//!
//! A bucket is a moment: the one at which it will be full again. A request moves it by the time
//! that a token takes to come back, and is refused if the bucket would be full only after longer
//! than a whole bucket takes. So nothing has to be filled while nobody asks, and a bucket that is
//! full is forgotten without a loss. At most [`BUCKETS`] are kept; beyond that the fullest is
//! forgotten.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::limits::Source;
use super::{Owner, Peer, Principal};

/// Requests a second, unless another number is configured.
const RATE: u32 = 50;
/// How many seconds of requests a bucket has.
const SECONDS: u32 = 4;
/// The most buckets.
const BUCKETS: usize = 10_000;

/// The buckets of all who ask.
#[derive(Debug)]
pub(in crate::server) struct Rates {
    /// How long a token takes to come back.
    period: Duration,
    /// How long a whole bucket takes.
    whole: Duration,
    full_at: Mutex<HashMap<Key, Instant>>,
}

/// Who has a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Named(Owner),
    Network(Source),
}

impl Key {
    /// Whose bucket a request takes from; `None`: nobody's.
    pub(super) fn of(principal: Option<&Principal>, peer: Option<Peer>) -> Option<Key> {
        let network = || peer.map(|Peer(address): Peer| Key::network(address));
        let Some(principal) = principal.filter(|known| known.actor().is_some()) else { return network() };
        match principal.owner() {
            Some(owner) => Some(Key::Named(owner)),
            None if principal.is_everybody() => network(),
            None => None,
        }
    }

    fn network(address: IpAddr) -> Key {
        Key::Network(Source::of(address))
    }
}

impl Rates {
    pub(super) fn new(rate: Option<NonZeroUsize>) -> Self {
        let rate = rate.map_or(RATE, |rate| u32::try_from(rate.get()).unwrap_or(u32::MAX));
        let period = Duration::from_secs(1) / rate;
        let whole = Duration::from_secs(SECONDS.into()).max(period);
        Rates { period, whole, full_at: Mutex::default() }
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// When there is none: how long it takes until there is one.
    pub(super) fn take(&self, who: Key, now: Instant) -> Result<(), Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.get(&who).map_or(now, |&full| full.max(now));
        let next = full + self.period;
        let rest = next.saturating_duration_since(now);
        if rest > self.whole {
            return Err(rest - self.whole);
        }
        if full_at.len() >= BUCKETS && !full_at.contains_key(&who) {
            make_room(&mut full_at, now);
        }
        full_at.insert(who, next);
        Ok(())
    }
}

fn make_room(full_at: &mut HashMap<Key, Instant>, now: Instant) {
    full_at.retain(|_, full| *full > now);
    if full_at.len() >= BUCKETS
        && let Some(fullest) = full_at.iter().min_by_key(|(_, full)| **full).map(|(key, _)| key.clone())
    {
        full_at.remove(&fullest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::accounts::{Access, Authenticated};
    use crate::ops::{Actor, Via};

    fn named(name: &str) -> Key {
        Key::Named(Owner::User(name.to_owned()))
    }

    fn peer(text: &str) -> Option<Peer> {
        Some(Peer(text.parse().unwrap()))
    }

    /// How many of so many requests at once are answered.
    fn answered(rates: &Rates, who: &Key, count: u32, now: Instant) -> usize {
        (0..count).filter(|_| rates.take(who.clone(), now).is_ok()).count()
    }

    #[test]
    fn two_hundred_requests_are_answered_at_once_and_then_fifty_a_second() {
        let (rates, now) = (Rates::new(None), Instant::now());
        assert_eq!(answered(&rates, &named("a"), 500, now), 200);
        assert_eq!(rates.take(named("a"), now), Err(Duration::from_millis(20)));
        assert_eq!(answered(&rates, &named("a"), 500, now + Duration::from_secs(1)), 50);
        assert_eq!(rates.take(named("a"), now + Duration::from_millis(1_019)), Err(Duration::from_millis(1)));
        assert_eq!(rates.take(named("a"), now + Duration::from_millis(1_020)), Ok(()));
        assert_eq!(answered(&rates, &named("a"), 500, now + Duration::from_secs(3_600)), 200, "no more than a bucket");
    }

    #[test]
    fn whoever_keeps_to_the_rate_is_never_refused() {
        let (rates, mut now) = (Rates::new(None), Instant::now());
        for _ in 0..10_000 {
            assert_eq!(rates.take(named("a"), now), Ok(()));
            now += Duration::from_millis(20);
        }
    }

    #[test]
    fn what_is_refused_takes_nothing() {
        let (rates, now) = (Rates::new(None), Instant::now());
        answered(&rates, &named("a"), 100_000, now);
        assert_eq!(answered(&rates, &named("a"), 500, now + Duration::from_secs(2)), 100);
    }

    #[test]
    fn one_does_not_take_from_another() {
        let (rates, now) = (Rates::new(None), Instant::now());
        answered(&rates, &named("a"), 500, now);
        let token = Owner::Other(Actor { name: "a".to_owned(), via: Via::Token });
        for other in [named("b"), Key::Named(token), Key::network("192.0.2.1".parse().unwrap())] {
            assert_eq!(answered(&rates, &other, 500, now), 200, "{other:?}");
        }
    }

    #[test]
    fn the_rate_is_configured() {
        let now = Instant::now();
        for (rate, burst) in [(1, 4), (5, 20), (1_000, 4_000)] {
            let rates = Rates::new(NonZeroUsize::new(rate));
            assert_eq!(answered(&rates, &named("a"), 10_000, now), burst);
            assert_eq!(answered(&rates, &named("a"), 10_000, now + Duration::from_secs(1)), rate);
        }
        // A rate that nobody reaches is no limit.
        let rates = Rates::new(NonZeroUsize::new(usize::MAX));
        assert_eq!(answered(&rates, &named("a"), 10_000, now), 10_000);
    }

    #[test]
    fn a_clock_that_stands_still_or_goes_back_refuses_no_more_than_a_bucket() {
        let (rates, now) = (Rates::new(None), Instant::now() + Duration::from_secs(60));
        assert_eq!(answered(&rates, &named("a"), 100, now), 100);
        assert_eq!(answered(&rates, &named("a"), 500, now - Duration::from_secs(1)), 50);
    }

    #[test]
    fn buckets_are_bounded_and_the_fullest_is_forgotten() {
        let (rates, now) = (Rates::new(None), Instant::now());
        answered(&rates, &named("busy"), 500, now);
        for at in 0..BUCKETS + 100 {
            assert_eq!(rates.take(named(&at.to_string()), now), Ok(()));
        }
        assert_eq!(rates.full_at.lock().unwrap().len(), BUCKETS);
        assert!(rates.take(named("busy"), now).is_err(), "it is not forgotten");
        // Buckets that are full make room.
        assert_eq!(rates.take(named("new"), now + Duration::from_secs(10)), Ok(()));
        assert_eq!(rates.full_at.lock().unwrap().len(), 1);
    }

    #[test]
    fn a_user_has_one_bucket_for_all_tokens_and_sessions() {
        let known = |name: &str, via, user: Option<&str>| {
            let actor = Actor { name: name.to_owned(), via };
            let user = user.map(str::to_owned);
            let (access, groups) = (Access::default(), Vec::new());
            let principal = Authenticated { actor, user, access, groups, confirmed: None }.into();
            Key::of(Some(&principal), None)
        };
        let kim = known("kim", Via::Session, Some("kim"));
        for (token, via) in [("ci", Via::Token), ("laptop", Via::Token), ("kim", Via::Proxy)] {
            assert_eq!(known(token, via, Some("kim")), kim);
        }
        // A token that belongs to nobody is not a user of its name.
        assert_ne!(known("kim", Via::Token, None), kim);
        assert_ne!(known("ci", Via::Token, None), known("laptop", Via::Token, None));
    }

    #[test]
    fn a_bucket_is_that_of_a_name_or_of_a_network() {
        let kim = Principal::named("kim".to_owned(), None, Access::default(), Vec::new());
        let (here, there) = (peer("192.0.2.1"), peer("198.51.100.1"));
        assert_eq!(Key::of(Some(&kim), here), Key::of(Some(&kim), there));
        assert_ne!(Key::of(Some(&kim), here), Key::of(None, here));
        let nobody = Principal::nobody();
        let everybody = Principal::anybody(true);
        for someone in [None, Some(&nobody), Some(&everybody)] {
            assert_eq!(Key::of(someone, here), Key::of(None, peer("192.0.2.200")), "the same network");
            assert_ne!(Key::of(someone, here), Key::of(None, there));
        }
        assert_eq!(Key::of(Some(&Principal::anybody(false)), here), None, "whoever uses this machine");
    }
}
