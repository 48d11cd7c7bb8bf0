//! The handlers of the API. Each calls one operation and returns the document that the command line
//! prints with `--output json`.

pub(super) mod accounts;
pub(super) mod approvals;
pub(super) mod assets;
pub(super) mod audit;
pub(super) mod backfills;
pub(super) mod bulk;
pub(super) mod changes;
pub(super) mod dags;
mod document;
pub(super) use document::{changed, digest, is_known, ranged};
mod earliest;
pub(super) mod elements;
pub(super) mod health;
mod log_parts;
mod log_text;
pub(super) mod logs;
mod paging;
pub(super) use paging::read_any;
mod params;
pub(super) mod pauses;
pub(super) mod prune;
pub(super) mod run_export;
pub(super) mod runs;
