//! Ending a run early.
//!
//! - `attempts`: what happens to running attempts when their run is cancelled. `runs`: which tasks
//!   and which run a request to cancel ends.
//! - `dropping`: futures, handles and engines that are dropped, and runtimes that are shut down.
//! - `fail_fast`: runs that end with their first failure.
//! - `support`: a graph, and tasks for it.

mod attempts;
mod dropping;
mod fail_fast;
mod runs;
mod support;
