//! The test kit: runs a DAG with a virtual clock, stubs and faults, without files, network or
//! waiting.
//!
//! - [`Test`]: a simulated run of a `#[dag]` function or a [`Dag`](crate::dag::Dag); [`Subject`]:
//!   what can be tested. [`Outcome`]: the outcome, with assertions. [`EmittedEvent`]: an event of
//!   an asset in it.
//! - [`StubFn`], [`Target`]: stubs, and the tasks they replace. `script`: the behaviour of tasks.
//! - `faults`: injected faults. `test_world`: applies script and faults to a simulated run.
//! - `session`: a run across crashes of its process; documents the protocol. `invariants`: what
//!   holds despite all faults.
//! - [`ServiceTest`]: schedules, events, backfills and their runs over months, with crashes and a
//!   clock that is set.
//! - [`explore`]: many interleavings with random faults. [`check_dags`]: every DAG of the program;
//!   `event_cycles`: those that start each other for ever.
//!   [`check_timetable`]: a timetable of one's own.

mod check;
mod emitted;
mod event_cycles;
mod event_log;
mod explore;
mod faults;
mod invariants;
mod outcome;
mod script;
mod service;
mod session;
mod stub;
mod subject;
mod test;
mod test_world;
mod timetable;

pub use check::check_dags;
pub use emitted::EmittedEvent;
pub use explore::explore;
pub use outcome::Outcome;
pub use script::Target;
pub use service::ServiceTest;
pub use session::TestError;
pub use stub::StubFn;
pub use subject::Subject;
pub use test::Test;
pub use timetable::check_timetable;
