//! The journal: records what happens in runs, so that runs survive their process.
//!
//! - [`Journal`]: the public API. `reading`: finds and reads runs. `error`: what can go wrong.
//! - `segment`: entries of a run as bytes. `graph`, `params`: what else is stored of a run.
//!   `graph_diff`: what differs between two graphs, in words.
//!   `param_filter`: selects runs by the values of their parameters.
//! - `writer`: stores entries, and its protocol. `queue`: what waits for it. `run_log`: where the
//!   entries of a run wait for it. `store_wait`: how long it waits for a store that is locked;
//!   `task_wait`: how long tasks do that write by themselves.
//! - `run_history`: what is known of a run. `history`: folds the entries of a run into it; in it,
//!   `takeover`: what it means that a process takes the run.
//!   `elements`: numbers of mapped tasks, expanded from the graph as `drawn`. `id_index`: finds
//!   tasks by id. `values`: reads stored values.
//! - `adopted`: a run that this process has claimed, and the protocol of claiming. On it work
//!   `edit` (clear, mark, cancel), `send_event` and `resume`. `resume_state`: what of a
//!   history applies to the present graph. `reopened`: what runs again although it had ended.
//!   `task_filter`: selects tasks. `enqueue`: creates runs
//!   that wait for a process.
//! - `history_view`: a history as a [`RunView`](crate::run::RunView). `follow`: a history that is
//!   kept up to date; states its protocol.
//! - `rollup`: what is derived of a run for lists and grids. `rollups`: reads them; states their
//!   protocol. `rollup_writer`: writes them when runs end.
//! - `replay`: runs one task again, for a debugger. `explain`: why a task is in its state.
//! - `deliveries`: delivered and undelivered callbacks, and their protocol.
//! - `schedules`, `backfills`: the states of schedules and the plans of backfills, as rows.
//! - `events`: the events of assets, and what DAGs have consumed of them.
//! - `audit`: who acts, and the rows of the audit trail; states their protocol.
//! - `accounts`: users, sessions and tokens.
//! - `upkeep`: prunes, checks, vacuums.
//! - `changes`: what a reader compares to notice what others have changed.
//! - `archive`: what tasks of a run see of other runs. `awaited`: the queued runs that they wait
//!   for.
//! - `permissions`: closes a home to other users.
//! - `manual_journal`: a journal for simulated runs; `clock`: its clock. `steps`: counts steps in
//!   tests.

#[cfg(feature = "server")]
mod accounts;
mod admissions;
mod adopted;
mod archive;
mod audit;
mod awaited;
mod backfills;
mod batches;
#[cfg(feature = "server")]
mod changes;
mod clock;
mod deadlines;
mod deliveries;
mod drawn;
mod edit;
mod elements;
mod enqueue;
mod error;
mod event_retention;
mod events;
mod explain;
mod follow;
mod fuzz;
mod graph;
mod graph_changes;
mod graph_diff;
mod history;
mod history_view;
mod id_index;
#[allow(clippy::module_inception, reason = "the type is the public API of the module")]
mod journal;
#[cfg(test)]
#[cfg(feature = "sqlite")]
mod locked_store_tests;
#[cfg(feature = "testing")]
mod manual_journal;
mod param_filter;
mod params;
#[cfg(feature = "sqlite")]
mod permissions;
mod pruned;
mod queue;
mod reading;
mod reopened;
mod replay;
#[cfg(test)]
#[cfg(unix)]
mod request_tests;
mod resume;
mod resume_state;
mod rollup;
mod rollup_writer;
mod rollups;
mod run_history;
mod run_ids;
mod run_log;
mod schedules;
mod scopes;
mod segment;
mod send_event;
mod shared_pools;
#[cfg(feature = "server")]
mod starts;
mod steps;
mod store_wait;
mod task_filter;
mod task_history;
mod task_wait;
#[cfg(test)]
mod tests;
mod upkeep;
mod values;
mod writer;

pub(crate) use adopted::AdoptedRun;
pub(crate) use audit::Signature;
pub(crate) use backfills::{DamagedBackfill, NewBackfill, OwnRuns, StoredBackfill};
pub(crate) use deadlines::StoredDeadlines;
pub use deliveries::Delivery;
pub use edit::Note;
pub(crate) use edit::{Cancellation, would_cancel, would_clear, would_mark};
pub(crate) use enqueue::QueuedRun;
pub use error::JournalError;
pub(crate) use error::pruning;
pub(crate) use events::{EventHead, NewConsumption, StoredConsumer, StoredEvent};
pub use explain::Explanation;
pub use follow::{RunChange, RunFollower};
pub(crate) use fuzz::fold_any;
pub(crate) use graph::Graph;
pub(crate) use graph_diff::differences;
pub use journal::{Journal, JournalBuilder};
#[cfg(feature = "sqlite")]
pub(crate) use permissions::tighten;
pub use reading::RunSummary;
pub use replay::Replay;
#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "for the pages of the server"))]
pub(crate) use rollup::{Rollup, RollupFailure, RollupNode, normalised};
pub use run_history::{Edit, MissedDeadline, MissedTaskDeadline, RunHistory, RunRetry, SessionHistory};
#[cfg(feature = "server")]
pub(crate) use run_ids::unusable_id;
pub(crate) use run_ids::word_of;
pub(crate) use schedules::{DamagedSchedule, NewStep, StepOutcome, StoredSchedule};
pub use send_event::EventDelivery;
#[cfg(feature = "server")]
pub(crate) use starts::Start;
pub use task_filter::TaskFilter;
pub use task_history::{AttemptHistory, Attempts, LinkHistory, PushedHistory, TaskDetails, TaskHistory, WaitHistory};
pub use upkeep::Prune;
pub use values::{RunParam, StoredValue};
#[cfg(feature = "testing")]
pub(crate) use {
    clock::JournalClock,
    manual_journal::{ManualJournal, at_once},
};
