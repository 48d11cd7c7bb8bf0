//! Built-in sensors: for a file, a time, an open port, an HTTP endpoint (feature `http`) and a run
//! of another DAG.
//!
//! They are used like any task, and take the options of any sensor:
//!
//! ```
//! use std::time::Duration;
//! use taskflow::prelude::*;
//! use taskflow::sensors;
//!
//! #[task]
//! fn rows(file: &str) -> Result<usize> {
//!     Ok(std::fs::read_to_string(file)?.lines().count())
//! }
//!
//! #[dag]
//! fn daily(file: String, opens: Timestamp) -> usize {
//!     let open = sensors::time_reached(opens);
//!     let landed = sensors::file_landed(file, Duration::from_secs(30)).after(open);
//!     rows(landed.poke_interval(Duration::from_secs(10)).timeout(Duration::from_secs(6 * 3600)))
//! }
//! # assert!(daily::def().plan().is_ok());
//! ```

mod file;
#[cfg(feature = "http")]
mod http;
mod port;
mod run;
mod time;

pub use file::file_landed;
#[cfg(feature = "http")]
pub use http::{HttpAnswer, http_ok, http_where};
pub use port::port_open;
pub use run::{ExternalRun, external_run};
pub use time::time_reached;

use crate::task::{Kind, TaskDef, Waiting};

/// Common properties of built-in sensors; each has its own id, doc, inputs, output and body.
const SENSOR: TaskDef =
    TaskDef { module: "taskflow::sensors", kind: Kind::Blocking, waiting: Waiting::Sensor, ..TaskDef::OWN };
