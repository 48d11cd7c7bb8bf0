//! What systemd hears from a service that it runs with `Type=notify`.
//!
//! 1. `READY=1` once the service works, and `STOPPING=1` when it begins to drain.
//! 2. If the unit has `WatchdogSec`, `WATCHDOG=1` at half of that interval, while the loop of the
//!    service makes turns. systemd ends a service that it has not heard from for an interval, and
//!    starts it again.
//! 3. A turn may take long, since it waits for a store that is locked: one pause without a turn is
//!    no reason to be silent, a second one is.
//! 4. A service that drains makes no turns. `TimeoutStopSec` bounds how long it may.

use std::cell::Cell;
use std::pin::pin;
use std::time::Duration;

use crate::base::Timestamp;

/// Tells systemd about the state of the service, if it runs this process.
pub(super) fn notify(state: &str) {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixDatagram};

        let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
        let path = path.to_string_lossy();
        let address = match path.strip_prefix('@') {
            Some(name) => SocketAddr::from_abstract_name(name),
            None => SocketAddr::from_pathname(&*path),
        };
        // A supervisor that cannot be reached decides by its own time limits.
        let _ = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = state;
}

/// Runs a service, and tells the watchdog of systemd that it works, if there is one. In the task of
/// the service: one that hangs is silent.
pub(super) async fn watched<T>(
    service: impl Future<Output = T>,
    last_turn: impl Fn() -> Option<Timestamp>,
    is_draining: &Cell<bool>,
) -> T {
    let Some(mut watchdog) = Watchdog::of_environment() else { return service.await };
    let mut service = pin!(service);
    loop {
        tokio::select! {
            biased;
            ended = &mut service => return ended,
            () = tokio::time::sleep(watchdog.pause) => {}
        }
        if watchdog.is_alive(last_turn()) || is_draining.get() {
            notify("WATCHDOG=1");
        }
    }
}

/// The watchdog of the unit.
#[derive(Debug)]
struct Watchdog {
    /// Half of its interval.
    pause: Duration,
    /// The last turn that is known.
    turn: Option<Timestamp>,
    /// Whether the pause before had no turn.
    was_idle: bool,
}

impl Watchdog {
    fn of_environment() -> Option<Self> {
        let text = |name| std::env::var(name).ok();
        Watchdog::of(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref(), std::process::id())
    }

    /// `None` if there is none, or if it is that of another process, which has started this one.
    fn of(micros: Option<&str>, pid: Option<&str>, own: u32) -> Option<Self> {
        let micros = micros?.parse::<u64>().ok().filter(|&micros| micros > 0)?;
        let is_own = pid.is_none_or(|pid| pid.parse::<u32>() == Ok(own));
        is_own.then(|| Watchdog { pause: Duration::from_micros(micros) / 2, turn: None, was_idle: false })
    }

    /// Whether the service works, given its last turn at the end of a pause. Before the first turn,
    /// it starts. Turns are compared, and not with the clock, which may be set.
    fn is_alive(&mut self, turn: Option<Timestamp>) -> bool {
        let is_idle = turn.is_some() && turn == self.turn;
        let is_alive = !(is_idle && self.was_idle);
        (self.turn, self.was_idle) = (turn, is_idle);
        is_alive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_is_told_at_half_its_interval_by_the_process_that_it_watches() {
        let pause = |micros, pid| Watchdog::of(micros, pid, 7).map(|watchdog| watchdog.pause);
        assert_eq!(pause(Some("3000000"), None), Some(Duration::from_millis(1500)));
        assert_eq!(pause(Some("3000000"), Some("7")), Some(Duration::from_millis(1500)));
        assert_eq!(pause(Some("3000000"), Some("8")), None, "a child has the environment of its parent");
        assert_eq!(pause(Some("3000000"), Some("")), None);
        for none in [None, Some(""), Some("0"), Some("-1"), Some("5min"), Some("99999999999999999999")] {
            assert_eq!(pause(none, None), None, "{none:?}");
        }
    }

    #[test]
    fn a_service_that_makes_no_turns_for_an_interval_is_not_alive() {
        let mut watchdog = Watchdog::of(Some("2"), None, 7).unwrap();
        let turn = |nanos| Some(Timestamp::from_nanos(nanos));
        // It starts, makes turns, and one of them takes longer than a pause.
        let alive = [None, None, None, turn(5), turn(6), turn(6), turn(7)];
        assert!(alive.into_iter().all(|turn| watchdog.is_alive(turn)));
        // The clock was set back.
        assert!(watchdog.is_alive(turn(1)));
        assert_eq!([1, 1, 1, 2].map(|nanos| watchdog.is_alive(turn(nanos))), [true, false, false, true]);
    }
}
