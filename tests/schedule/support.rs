//! What the tests of schedules share.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use taskflow::Timestamp;
use taskflow::schedule::{Cron, Timetable, Zone};

#[track_caller]
pub(crate) fn utc(text: &str) -> Timestamp {
    text.parse().expect("a time in UTC")
}

#[track_caller]
pub(crate) fn cron(text: &str, zone: &str) -> Cron {
    Cron::parse(text, Zone::named(zone).expect("a known zone")).expect("a cron expression")
}

/// The slots in `from <= t < to`, in ascending order.
pub(crate) fn between(timetable: &dyn Timetable, from: &str, to: &str) -> Vec<Timestamp> {
    let (from, to) = (utc(from), utc(to));
    let first = timetable.after(Timestamp::from_nanos(from.as_nanos() - 1));
    std::iter::successors(first, |slot| timetable.after(slot.at))
        .map(|slot| slot.at)
        .take_while(|&at| at < to)
        .collect()
}

/// Checks all items, on as many threads as there are cores. An item that fails is named, and is the
/// last one of its thread and the others.
pub(crate) fn on_all_cores<T: fmt::Debug + Sync>(items: &[T], check: impl Fn(&T) + Sync) {
    struct Named<'a, T: fmt::Debug>(&'a T, &'a AtomicUsize);

    impl<T: fmt::Debug> Drop for Named<'_, T> {
        fn drop(&mut self) {
            if thread::panicking() {
                println!("{:?} has failed", self.0);
                self.1.store(usize::MAX / 2, Ordering::Relaxed);
            }
        }
    }

    let (taken, threads) = (AtomicUsize::new(0), thread::available_parallelism().map_or(1, usize::from));
    thread::scope(|scope| {
        for _ in 0..threads.min(items.len()) {
            scope.spawn(|| {
                while let Some(item) = items.get(taken.fetch_add(1, Ordering::Relaxed)) {
                    let _named = Named(item, &taken);
                    check(item);
                }
            });
        }
    });
}
