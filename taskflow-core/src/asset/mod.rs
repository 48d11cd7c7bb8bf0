//! Assets: named, typed data that tasks produce and DAGs consume.
//!
//! - `asset`: an [`Asset`] as `asset!` declares it. `def`: an asset without its types. `partition`:
//!   the parts of an asset, such as days. `registry`: the assets of the binary.
//!   `watch`: what brings events from outside.
//! - `event`: the types of event parameters, and what they can be bound to. `complete`: the one
//!   that waits for all parts of a `period`. `binding`: an event parameter without its types.
//!
//! An update of an asset is an *event*: a row in the store with a number that only grows. Tasks
//! emit events with [`TaskContext::emit`](crate::task::TaskContext::emit) or
//! `#[task(produces = ..)]`. The result of a DAG is an asset as well; its name is `dag:` and the id
//! of the DAG.

#[allow(clippy::module_inception, reason = "the type is the public API of the module")]
mod asset;
mod binding;
mod complete;
mod def;
mod event;
mod partition;
mod period;
mod registry;
mod watch;

pub use asset::Asset;
pub(crate) use binding::RawEvent;
pub use binding::{EventBinding, EventOptions};
pub use complete::Complete;
pub use def::AssetDef;
#[cfg(any(feature = "server", all(feature = "cli", feature = "sqlite")))]
pub(crate) use def::dag_of;
pub(crate) use def::of_dag;
pub use event::{Event, EventSource, Events, Latest, Seen, TakesEvents};
pub(crate) use partition::check as check_partition;
pub use partition::{Day, Hour, Month, Partition, PartitionError, RunPartition};
pub use period::{Period, PeriodRules, Week, Year};
pub use registry::{AssetEntry, Assets};
pub(crate) use watch::{AnyBatch, AnyWatch, WatchFuture};
pub use watch::{Batch, Cursor, Watch, WatchError, Watcher, WatcherEntry};

/// For fuzzing: reads a text as a partition of each kind, and as a period with its parts.
#[cfg(feature = "server")]
pub(crate) fn read_any(given: &str) {
    for name in [None, Some("day"), Some("hour"), Some("month"), Some("week"), Some("year"), Some("text")] {
        let _ = check_partition(name, Some(given));
    }
    let (day, week) = (PeriodRules::of::<Day>(), PeriodRules::of::<Week>());
    for rules in [day, week, PeriodRules::of::<Month>(), PeriodRules::of::<Year>()] {
        let _ = ((rules.of)(Some(given)), (rules.parts)(given));
    }
}
