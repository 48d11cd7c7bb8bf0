//! The handlers of the API. Each calls one operation and returns the document that the command line
//! prints with `--output json`.

pub(super) mod approvals;
pub(super) mod assets;
pub(super) mod backfills;
pub(super) mod changes;
pub(super) mod dags;
mod document;
pub(super) mod health;
pub(super) mod logs;
mod params;
pub(super) mod runs;
