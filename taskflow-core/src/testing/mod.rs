//! The test kit: a DAG run with a virtual clock, stubs and faults, without files, network or waiting.
//!
//! - [`Test`]: a run to be, of a `#[dag]` function or a [`Dag`](crate::dag::Dag); [`Subject`]: what can be one.
//!   [`Outcome`]: what came of it, with assertions.
//! - [`StubFn`], [`Target`]: what stands in for tasks, and which tasks are meant. `script`: who does what when.
//! - `faults`: what goes wrong. `scene`: script and faults as the surroundings of a simulated run.
//! - `session`: a run across the deaths of its process; states its protocol. `invariants`: what must hold whatever goes wrong.
//! - [`explore`]: many interleavings with random faults. [`check_dags`]: every DAG of the program.

mod check;
mod event_log;
mod explore;
mod faults;
mod invariants;
mod outcome;
mod script;
mod session;
mod stub;
mod subject;
mod test;
mod test_world;

pub use check::check_dags;
pub use explore::explore;
pub use outcome::Outcome;
pub use script::Target;
pub use session::TestError;
pub use stub::StubFn;
pub use subject::Subject;
pub use test::Test;
