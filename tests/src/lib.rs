//! What the test programs of this package share.
#![allow(missing_docs, missing_debug_implementations, reason = "only the tests use it")]

pub mod binaries;
pub mod common;
#[cfg(all(feature = "spark", unix))]
pub mod spark;
#[cfg(all(feature = "sqlite", unix))]
pub mod worker;
