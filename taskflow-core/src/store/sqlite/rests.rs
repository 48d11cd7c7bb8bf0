//! The rests between the transactions of a deletion, in which others write.
//!
//! 1. A deletion is made of many short transactions, so that nobody waits for all of it.
//! 2. Those who wait in this process stand in a queue, and have their turn after each of them.
//! 3. Another process does not stand in a queue: SQLite asks for the file again and again, at
//!    least every [`REST`]. So the file rests for as long as it was in use, up to that time.

use std::time::{Duration, Instant};

use super::run_locks::blocking;

/// The longest rest: as often another process asks for the file.
const REST: Duration = Duration::from_millis(100);

/// How long the last transaction of a deletion took; nothing before the first.
#[derive(Debug, Default)]
pub(super) struct Rests {
    used: Duration,
}

impl Rests {
    /// Rests before a transaction, unless it is the first.
    pub(super) async fn before(&self) {
        let rest = self.used.min(REST);
        if !rest.is_zero() {
            // The runtime need not have a clock. Without the rest, others wait longer.
            let _ = blocking(move || std::thread::sleep(rest)).await;
        }
    }

    /// A transaction that began then is over.
    pub(super) fn after(&mut self, begun: Instant) {
        self.used = begun.elapsed();
    }
}
