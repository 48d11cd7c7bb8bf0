//! Running DAGs.
//!
//! - `state`, `machine`: the pure state machine of one run. It is told what happened and says what to do.
//! - `dispatch`: which ready task goes next, under the limits that runs share. Pure as well.
//! - `values`: what tasks return, kept until the last task that takes it.
//! - `attempt`: calling a task.
//! - `run`, `hub`, `share`, `effects`, `worker`, `launch`, `timekeeper`: the live driver. `hub` states its protocol.
//! - `record`: what a journal is told, and what is waited for.
//! - `callback_projection`: what callbacks are to be told, as a function of what is recorded. `callback_dispatcher`: telling them; states its protocol.
//! - `look`: reading a run while it runs.
//! - `live_host`: what a running task reaches of its run. `notes`: its links and named values; states their protocol.
//! - `sessions`: the executors on which tasks of a run have their attempts.
//! - `trigger`: runs of other DAGs, started by tasks; states its protocol. `children`: those that are waited for. `archive`: the
//!   other runs in the journal of a run. `previous`: the last one of the same DAG that succeeded.
//! - `simulate`: the same machine driven by one loop on one thread, with a clock moved by hand; states its protocol.
//!   `reference`: that loop with nothing left to chance. It is what the live driver is compared with.
//! - [`RunRequest`], [`RunHandle`], [`RunReport`]: the face of all this.

mod archive;
mod attempt;
mod children;
mod effects;
#[allow(clippy::module_inception, reason = "the type is the room's face")]
mod engine;
mod engine_state;
mod handle;
mod launch;
mod live_host;
mod live_run;
mod notes;
mod observer;
mod previous;
mod recorder;
mod reference;
mod report;
mod request;
mod run;
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
pub(crate) use live_run::LiveRun;
pub use observer::{Lagged, Observer, Subscription};
pub use previous::{PreviousError, PreviousRun};
pub(crate) use recorder::{Commits, Recorder};
pub(crate) use report::returned;
pub use report::{AttemptReport, RunFailed, RunReport, TaskReport};
pub(crate) use request::{OpenRecorder, RunStart};
pub use request::{RunError, RunRequest};
#[cfg(feature = "testing")]
pub(crate) use simulate::{Asyncs, End, Interference, Part, SimConfig, SimHooks, Simulated, StandIn, Starting};
pub use trigger::TriggerError;
pub(crate) use trigger::trigger;
