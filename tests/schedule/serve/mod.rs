//! The verbs `serve`, `next`, `slots`, `pause`, `unpause` and `trigger`, with real processes.
//!
//! - `services`: the process that serves. `clocks`: its clock goes back, or was far ahead.
//! - `faults`: DAGs that are wrong, and hold up no other DAG. `pauses`: `pause` and `unpause`.
//! - `by_hand`: what `dags` and `next` show, and runs by hand.
//! - `support`: a home with services, also for other tests.

mod by_hand;
#[cfg(feature = "failpoints")]
mod clocks;
mod faults;
mod pauses;
mod services;
mod support;

pub(crate) use self::support::{Home, Service, time};
