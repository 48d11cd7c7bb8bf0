//! The data of a DAG run: its info, states, entries and events, its view, and what a resumed run
//! starts from.
//!
//! This layer has no behaviour: the machine changes states, the
//! [engine](crate::engine) drives the machine, and the [journal](crate::journal) stores entries.

mod admission_wait;
mod durability;
mod emission;
mod entry;
mod event;
mod event_payload;
mod graph_changes;
mod index;
mod info;
#[cfg_attr(not(feature = "cli"), allow(dead_code, reason = "only the command line follows live runs"))]
mod progress;
mod respondents;
mod restored;
mod state;
mod stored_value;
mod view;
mod wait_view;

pub use admission_wait::AdmissionWait;
pub use durability::Durability;
pub(crate) use emission::Emission;
pub(crate) use entry::{Entry, Session, ValueRef, WaitRecord, nanos};
pub use event::Event;
pub(crate) use event_payload::{EventPayload, Events, RUN_ENDED};
pub use graph_changes::GraphChanges;
pub use index::TaskIndex;
pub use info::{ConsumedEvents, RunInfo, RunType, TriggeredBy, TriggeringEvents};
pub(crate) use progress::{ActiveTask, RunProgress};
pub use respondents::QuestionRespondents;
pub(crate) use restored::{AttemptRecord, Restored, RestoredNote, RestoredState, RestoredTask};
pub(crate) use state::Transition;
pub use state::{RunState, TaskState};
pub(crate) use stored_value::{Encoded, Stored};
pub(crate) use view::within;
pub use view::{RunView, TaskView};
pub use wait_view::WaitView;
pub(crate) use wait_view::{QUESTION, Question};
