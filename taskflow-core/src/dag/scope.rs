//! Setup and teardown: `scope(create(), |c| .., |c| delete(c))`.
//!
//! 1. The task of the setup is a gate: what the body draws runs only if it succeeded, as in an arm
//!    of a branch. Here every node of the body waits for it, also one that comes after other nodes
//!    of the body: these may have ended before the setup runs again.
//! 2. When the graph is frozen, the teardown is made to wait for every node of the body, with the
//!    rule `all_done_setup_success`: it runs when all of the work has ended, however. Waiting for
//!    the last nodes would not be enough. A node can end while nodes before it still run: because
//!    another upstream failed, because its rule waits for some only, because the run is halted,
//!    because it ended before it was resumed, or because it takes no part. Pictures and the
//!    structural hash have the edges from the last nodes only; the others follow from the scope.
//! 3. A run that ends early (cancelled, out of time, failing fast) spares teardowns: they still
//!    run, after the work has been stopped.
//! 4. A teardown does not decide whether the run failed; the work before it does, as if the
//!    teardown were not there.

use std::panic::Location;

use super::builder::{self, OpenScope};
use super::output::Output;

/// Draws work between a setup and its teardown: Airflow's setup and teardown tasks.
///
/// `body` draws the work: all of it runs only after the setup succeeded. `teardown` draws what
/// cleans up: it runs once all of the work has ended, whether it succeeded, failed, was skipped,
/// ran out of time or was cancelled with its run, and also when the run is resumed after a crash.
/// It does not run if the setup did not succeed. Both get the value of the setup. Returns what
/// `body` returns.
///
/// ```
/// # use taskflow::prelude::*;
/// #[task] fn create_cluster() -> String { "cluster-7".to_owned() }
/// #[task] fn train(cluster: &str) -> f64 { cluster.len() as f64 }
/// #[task] fn delete_cluster(cluster: String) {}
/// #[task] fn publish(score: f64) {}
///
/// #[dag]
/// fn nightly() {
///     let score = scope(
///         create_cluster(),
///         |cluster| train(cluster),
///         |cluster| delete_cluster(cluster),
///     );
///     publish(score); // does not wait for the teardown
/// }
/// # assert!(nightly::run().wait().unwrap().is_success());
/// ```
///
/// - The failure of a teardown is shown but does not fail the run, unless it is set to:
///   [`Output::on_failure_fail_run`].
/// - A cancelled run waits for its teardowns as long as they take; give them a
///   [`timeout`](Output::timeout).
/// - Clearing a task of the work clears the setup and the teardown with it: the task needs them
///   again.
/// - A teardown may take values of the work as `Result<T, Failure>`; a parameter that needs the
///   work to succeed is an error.
/// - Scopes may be drawn inside each other, inside an [`each`](Output::each) (one cluster an
///   element) and inside arms of branches; the setup is drawn in the same place as its scope.
#[track_caller]
pub fn scope<C, R, D>(setup: Output<C>, body: impl FnOnce(Output<C>) -> R, teardown: impl FnOnce(Output<C>) -> D) -> R {
    let mut open = builder::open_scope(setup.handle(), Location::caller());
    let result = body(setup);
    open.as_mut().map(OpenScope::tear_down);
    teardown(setup);
    result
}

impl<T> Output<T> {
    /// A failure of this teardown fails the run: Airflow's `on_failure_fail_dagrun`. An error on
    /// any other task.
    #[track_caller]
    pub fn on_failure_fail_run(self) -> Self {
        builder::fails_run(self.handle(), Location::caller());
        self
    }
}
