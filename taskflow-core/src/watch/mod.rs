//! Watchers that come along: [`files`], and `http` with the feature `http`.
//!
//! `taskflow::watch!` declares a watcher, and `serve` runs it. [`Watch`](crate::asset::Watch) is
//! the trait for watchers of one's own.

mod changes;
mod files;
mod glob;
#[cfg(feature = "http")]
mod http;

pub use files::{FileLanded, FilesWatch, files};
#[cfg(feature = "http")]
pub use http::{HttpChanged, HttpWatch, http};
