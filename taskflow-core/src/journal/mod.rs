//! The journal: what happened in every run, kept so that runs survive.
//!
//! - [`Journal`]: the face. `error`: what can go wrong.
//! - `segment`: the entries of a run that were stored at once, as bytes. `graph`, `params`: what else is stored of a run.
//! - `store`: what every kind of store can do. `memory`, `sqlite`: the stores there are.
//! - `writer`: the thread that stores; states its protocol. `run_log`: where the entries of a run wait for it.
//! - `live`: which runs are being run, by whom.
//! - `history`, `task_history`: a run, built from its entries; `elements`: the tasks of lists in it.
//!   `history_view`: the same as a [`RunView`](crate::run::RunView). `follow`: a history that is kept
//!   up to date; states its protocol. `values`: reading stored values.
//! - `resume`: going on with a run; states its protocol. `known`: what of it stays in the graph of today. `edit`: clearing, marking, cancelling; `pick`: which
//!   tasks are meant. `replay`: one task again, for a debugger. `explain`: why a task is where it is.
//! - `deliveries`: what callbacks were told, and what they have yet to be told; states its protocol.
//! - `upkeep`: forgetting, checking, giving room back.
//! - `archive`: what tasks of a run see of other runs.
//! - `manual_journal`: a journal for simulated runs.

mod archive;
mod deliveries;
mod edit;
mod elements;
mod error;
mod explain;
mod follow;
mod fuzz;
mod graph;
mod history;
mod history_view;
#[allow(clippy::module_inception, reason = "the type is the room's face")]
mod journal;
#[cfg(feature = "testing")]
mod manual_journal;
mod params;
mod release;
mod replay;
mod resume;
mod resume_state;
mod run_log;
mod scopes;
mod segment;
mod task_filter;
mod task_history;
mod upkeep;
mod values;
mod writer;

pub use deliveries::Delivery;
pub use edit::{Cancellation, Note};
pub use error::JournalError;
pub use explain::Explanation;
pub use follow::{RunChange, RunFollower};
pub(crate) use fuzz::fold_any;
pub use history::{Edit, MissedDeadline, RunHistory, RunRetry, SessionHistory};
pub use journal::{Journal, JournalBuilder, RunSummary};
#[cfg(feature = "testing")]
pub(crate) use manual_journal::ManualJournal;
pub use release::Released;
pub use replay::Replay;
pub use task_filter::TaskFilter;
pub use task_history::{AttemptHistory, LinkHistory, PushedHistory, TaskHistory, WaitHistory};
pub use upkeep::Prune;
pub use values::{RunParam, StoredValue};
