//! The data of a DAG run: who asked for it, its states, its entries, what is known of it when it is resumed.
//!
//! Nothing here does anything: the [machine](crate::machine) changes states, the [engine](crate::engine) drives it, the
//! [journal](crate::journal) stores entries.

mod durability;
mod entry;
mod event;
mod event_payload;
mod info;
mod restored;
mod state;
mod stored_value;

pub use durability::Durability;
pub(crate) use entry::{Entry, Session, ValueRef, WaitRecord, nanos};
pub use event::Event;
pub(crate) use event_payload::{EventPayload, Events, RUN_ENDED};
pub use info::{RunInfo, RunType, TriggeredBy};
pub(crate) use restored::{AttemptRecord, Restored, RestoredNote, RestoredState, RestoredTask};
pub(crate) use state::Transition;
pub use state::{RunState, TaskState};
pub(crate) use stored_value::{Encoded, Stored};
