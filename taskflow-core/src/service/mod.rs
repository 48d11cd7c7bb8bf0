//! The process that stays: it starts the runs of schedules and of events, and works on queued runs.
//!
//! # Protocol
//!
//! 1. A home has one service: it holds the lock of `serve.lock` while it lives.
//! 2. It resumes the interrupted runs of its DAGs.
//! 3. It [steps](crate::schedule::step) each schedule whose time has come, or that somebody has
//!    changed, or a run of which has ended. The new states, the records of slots and the new runs,
//!    which are queued, are one transaction. If another process has stored a step of the same DAG
//!    meanwhile, nothing of the step is stored, and it is made again.
//! 4. It [steps](crate::schedule::consume()) each DAG with event parameters whose events or time
//!    have come, in the same way; `consumers` has the protocol.
//! 5. It claims and starts the queued runs of its DAGs, whoever created them.
//! 6. It runs the [watchers](crate::asset::Watch) of the program.
//! 7. It sleeps until the next slot is due, a run ends, an event of its own process is stored, or a
//!    second has passed: then it looks at what other processes have stored. Short sleeps also mean
//!    that it notices within a second when the clock is set or the machine was suspended.
//! 8. When it is asked to stop, it starts nothing more and [drains](crate::engine::Engine::drain)
//!    its engine: running tasks have their grace time, their runs are interrupted, and the next
//!    service resumes them.
//!
//! A DAG whose timetable panics, or whose schedule is not valid, is left out with a message and
//! holds up no other. If a default of a parameter fails, the slot is recorded as failed.

mod consumers;
mod lock;
mod queue;
mod schedules;
mod serving;
mod wake;
mod watchers;

pub use serving::{Service, ServiceEvent, ServiceOptions};
