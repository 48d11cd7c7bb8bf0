//! How often passwords and tokens are tried.
//!
//! - A user is tried 5 times a minute from one network, and all users together 50 times.
//! - A network presents 20 wrong tokens a minute.
//! - A network comes back from a provider 60 times a minute: an office may have one address.
//! - Of deliveries to webhooks that are not signed, one a minute of a network is noted, and 50 of
//!   all networks.
//!
//! A network is a /24 of IPv4 or a /64 of IPv6: whoever has one address there may have all. Of the
//! counters of users and networks, at most [`KEYS`] are kept; when there are more, the oldest are
//! forgotten. Strangers make these counters. So the two of all networks are kept beside them, and
//! are asked first: whatever many networks send, they are not forgotten, and what they refuse makes
//! no other counter.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);
/// The most counters.
const KEYS: usize = 10_000;

/// Counters of the last minute.
#[derive(Debug, Default)]
pub(in crate::server) struct Limits {
    /// Log-ins of all users from all networks.
    log_ins: Mutex<Option<Counter>>,
    /// Refused deliveries of all networks.
    deliveries: Mutex<Option<Counter>>,
    counters: Mutex<HashMap<Key, Counter>>,
}

/// The most log-ins of all users, and refused deliveries of all networks that are noted.
const OF_ALL: u32 = 50;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    LogIn(String, Source),
    Tokens(Source),
    #[cfg(feature = "oidc")]
    Codes(Source),
    Delivery(Source),
}

/// The network that an address is in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::server) struct Source([u8; 8]);

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        let mut network = [0; 8];
        match address.to_canonical() {
            // Its length tells it apart from IPv6, in which no network begins with 0xff 0xff.
            IpAddr::V4(address) => {
                network[..3].copy_from_slice(&address.octets()[..3]);
                network[6..].copy_from_slice(&[0xff, 0xff]);
            }
            IpAddr::V6(address) => network.copy_from_slice(&address.octets()[..8]),
        }
        Source(network)
    }
}

/// How many in the minute that began then.
#[derive(Clone, Copy, Debug)]
struct Counter {
    since: Instant,
    count: u32,
}

impl Limits {
    /// Counts an attempt to log in. What a user or a network is refused does not count for all:
    /// whoever tries one user again and again locks out nobody else.
    ///
    /// # Errors
    ///
    /// When there were too many: how long to wait.
    pub(in crate::server) fn log_in(&self, user: &str, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let user = user.chars().take(64).collect::<String>().to_lowercase();
        let mut all = self.log_ins.lock().unwrap_or_else(PoisonError::into_inner);
        let all = Counter::of_minute(&mut all, now);
        all.may_count(OF_ALL, now)?;
        self.count(Key::LogIn(user, Source::of(address)), 5, now)?;
        all.count += 1;
        Ok(())
    }

    /// Counts an attempt to log in with the code of a provider.
    ///
    /// # Errors
    ///
    /// When there were too many: how long to wait.
    #[cfg(feature = "oidc")]
    pub(in crate::server) fn code(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.count(Key::Codes(Source::of(address)), 60, now)
    }

    /// Counts a token that is not valid.
    pub(super) fn wrong_token(&self, address: IpAddr, now: Instant) {
        let _ = self.count(Key::Tokens(Source::of(address)), u32::MAX, now);
    }

    /// Whether an address may present another wrong token.
    ///
    /// # Errors
    ///
    /// When it has presented too many wrong ones: how long to wait.
    pub(super) fn may_present(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        match counters.get(&Key::Tokens(Source::of(address))) {
            Some(counter) if counter.count >= 20 => counter.rest(now).map_or(Ok(()), Err),
            _ => Ok(()),
        }
    }

    /// Counts a delivery to a webhook that was refused. Returns whether it is to be noted.
    pub(in crate::server) fn refused_delivery(&self, address: IpAddr, now: Instant) -> bool {
        let mut all = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let all = Counter::of_minute(&mut all, now);
        let is_noted =
            all.may_count(OF_ALL, now).is_ok() && self.count(Key::Delivery(Source::of(address)), 1, now).is_ok();
        all.count += u32::from(is_noted);
        is_noted
    }

    fn count(&self, key: Key, most: u32, now: Instant) -> Result<(), Duration> {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= KEYS && !counters.contains_key(&key) {
            counters.retain(|_, counter| counter.rest(now).is_some());
            if counters.len() >= KEYS
                && let Some(oldest) =
                    counters.iter().min_by_key(|(_, counter)| counter.since).map(|(key, _)| key.clone())
            {
                counters.remove(&oldest);
            }
        }
        let counter = counters.entry(key).or_insert_with(|| Counter::new(now));
        if counter.rest(now).is_none() {
            *counter = Counter::new(now);
        }
        counter.may_count(most, now)?;
        counter.count += 1;
        Ok(())
    }
}

impl Counter {
    fn new(now: Instant) -> Self {
        Counter { since: now, count: 0 }
    }

    /// The counter of the minute that is now.
    fn of_minute(kept: &mut Option<Counter>, now: Instant) -> &mut Counter {
        let counter = kept.take().filter(|counter| counter.rest(now).is_some());
        kept.insert(counter.unwrap_or_else(|| Counter::new(now)))
    }

    /// How long to wait if it has counted as many.
    fn may_count(&self, most: u32, now: Instant) -> Result<(), Duration> {
        if self.count < most { Ok(()) } else { Err(self.rest(now).unwrap_or(MINUTE)) }
    }

    /// How long its minute still is.
    fn rest(&self, now: Instant) -> Option<Duration> {
        MINUTE.checked_sub(now.saturating_duration_since(self.since)).filter(|rest| !rest.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_user_is_tried_five_times_a_minute_from_one_network() {
        let (limits, now) = (Limits::default(), Instant::now());
        for at in 0..5 {
            assert_eq!(limits.log_in("kim", address(&format!("192.0.2.{at}")), now), Ok(()));
        }
        let later = now + Duration::from_secs(20);
        assert_eq!(limits.log_in("KIM", address("192.0.2.77"), later), Err(Duration::from_secs(40)));
        assert_eq!(limits.log_in("kim", address("198.51.100.1"), later), Ok(()), "another network");
        assert_eq!(limits.log_in("lee", address("192.0.2.1"), later), Ok(()), "another user");
        assert_eq!(limits.log_in("kim", address("192.0.2.1"), now + MINUTE), Ok(()), "the next minute");
    }

    #[test]
    fn all_users_are_tried_fifty_times_a_minute() {
        let (limits, now) = (Limits::default(), Instant::now());
        for at in 0..50 {
            assert_eq!(limits.log_in(&format!("user{at}"), address(&format!("10.0.{at}.1")), now), Ok(()));
        }
        assert!(limits.log_in("another", address("10.1.0.1"), now).is_err());
        assert_eq!(limits.log_in("another", address("10.2.0.1"), now + MINUTE), Ok(()));
    }

    #[test]
    fn a_network_presents_twenty_wrong_tokens_a_minute() {
        let (limits, now) = (Limits::default(), Instant::now());
        let one = address("2001:db8::1");
        for _ in 0..20 {
            assert_eq!(limits.may_present(one, now), Ok(()));
            limits.wrong_token(one, now);
        }
        assert!(limits.may_present(address("2001:db8::2"), now).is_err(), "the same network");
        assert_eq!(limits.may_present(address("2001:db8:0:1::2"), now), Ok(()));
        assert_eq!(limits.may_present(one, now + MINUTE), Ok(()));
    }

    #[test]
    fn a_refused_delivery_of_a_network_is_noted_once_a_minute() {
        let (limits, now) = (Limits::default(), Instant::now());
        assert!(limits.refused_delivery(address("192.0.2.1"), now));
        assert!(!limits.refused_delivery(address("192.0.2.2"), now + Duration::from_secs(59)));
        assert!(limits.refused_delivery(address("198.51.100.1"), now), "another network");
        assert!(limits.refused_delivery(address("192.0.2.2"), now + MINUTE));
        let noted = (0..100).filter(|at| limits.refused_delivery(address(&format!("10.0.{at}.1")), now + MINUTE));
        assert_eq!(noted.count(), 49, "of all networks");
    }

    #[test]
    fn strangers_do_not_make_it_forget_what_all_have_tried() {
        let (limits, now) = (Limits::default(), Instant::now());
        for at in 0..50 {
            assert_eq!(limits.log_in(&format!("user{at}"), address(&format!("10.0.{at}.1")), now), Ok(()));
            assert!(limits.refused_delivery(address(&format!("10.0.{at}.1")), now));
        }
        let later = now + Duration::from_secs(1);
        for at in 0..u32::try_from(KEYS).unwrap() + 100 {
            limits.wrong_token(IpAddr::from((at << 8).to_be_bytes()), later);
        }
        assert_eq!(limits.log_in("another", address("10.1.0.1"), later), Err(Duration::from_secs(59)));
        assert!(!limits.refused_delivery(address("10.1.0.1"), later));
        let counters = limits.counters.lock().unwrap();
        assert!(!counters.contains_key(&Key::LogIn("another".to_owned(), Source::of(address("10.1.0.1")))));
    }

    #[test]
    fn what_one_user_is_refused_locks_out_nobody_else() {
        let (limits, now) = (Limits::default(), Instant::now());
        let tried = (0..500).filter(|_| limits.log_in("kim", address("192.0.2.1"), now).is_ok());
        assert_eq!(tried.count(), 5);
        assert_eq!(limits.log_in("lee", address("192.0.2.1"), now), Ok(()));
    }

    #[test]
    fn counters_are_bounded() {
        let (limits, now) = (Limits::default(), Instant::now());
        for at in 0..u32::try_from(KEYS).unwrap() + 100 {
            limits.wrong_token(IpAddr::from((at << 8).to_be_bytes()), now);
        }
        assert_eq!(limits.counters.lock().unwrap().len(), KEYS);
    }
}
