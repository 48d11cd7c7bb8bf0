//! Running DAGs.
//!
//! - [`RunRequest`], [`RunHandle`], [`RunControl`], [`RunReport`]: the public API.
//! - `engine_state`: what the threads of an engine share; states the protocol of the live driver.
//!   `execute`: carrying out the commands of state machines. `worker`, `share`, `launch`,
//!   `timekeeper`: the threads. `effects`: what is done after the lock is released.
//! - `run`: a live run. `run_shared`: the part of it that needs no lock. `clock`: its clock.
//!   `values`: returned values until their last consumer. `held`: what waits until it is stored.
//! - `attempt`: calling a task. `live_host`: what a running task reaches of its run. `notes`: its
//!   links and XComs; states their protocol. `emissions`: the events of assets that attempts emit;
//!   states their protocol. `sessions`: executors.
//! - `needs`: the connections and secrets that tasks declare.
//! - `recorder`: what a journal receives and what waits for it; states its protocol.
//! - `observer`: observers and subscriptions; states their protocol. `live_run`: the view of a live
//!   run. `live_follower`: following it at the pace of a reader; states its protocol.
//! - `trigger`: runs of other DAGs, started by tasks; states its protocol. `children`: those that a
//!   run waits for. `archive`: other runs in the journal. `previous`: the last successful run.
//! - `simulate`: the same machine, driven by one thread with a virtual clock; states its protocol.
//!   `reference`: that driver without randomness, which the live driver is compared with.

mod archive;
mod attempt;
mod blocking_calls;
mod children;
mod clock;
mod effects;
mod emissions;
#[allow(clippy::module_inception, reason = "the module is named after its type")]
mod engine;
mod engine_state;
mod execute;
mod handle;
mod held;
mod launch;
mod lingering;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line follows live runs"))]
mod live_follower;
mod live_host;
mod live_run;
mod needs;
mod notes;
mod observer;
mod previous;
mod recorder;
mod recorder_error;
mod reference;
mod report;
mod request;
mod run;
mod run_shared;
mod sessions;
mod share;
#[cfg_attr(not(feature = "testing"), allow(dead_code, unused_imports, reason = "the reference driver needs a part"))]
mod simulate;
mod timekeeper;
mod trigger;
mod values;
mod worker;

pub(crate) use archive::{Archive, ArchiveFuture, EndedRun, PastRun};
pub use engine::{Engine, EngineBuilder, UnknownPool};
pub use handle::{RunControl, RunFuture, RunHandle, RunningTask};
#[cfg(feature = "cli")]
pub(crate) use live_follower::{ChangedTask, LiveFollower};
pub use needs::MissingConfig;
pub use observer::{Lagged, Observer, Subscription};
pub use previous::{PreviousError, PreviousRun};
pub(crate) use recorder::{Attached, Commits, Recorder};
pub use recorder_error::RecorderError;
pub(crate) use report::returned;
pub use report::{AttemptReport, RunFailed, RunReport, TaskReport};
pub(crate) use request::{OpenRecorder, RunStart};
pub use request::{RunError, RunRequest};
#[cfg(feature = "testing")]
pub(crate) use simulate::{Asyncs, End, Interference, Part, SimConfig, SimHooks, Simulated, StandIn, Starting};
pub use trigger::TriggerError;
pub(crate) use trigger::trigger;
#[cfg(feature = "testing")]
pub(crate) use values::Values;
