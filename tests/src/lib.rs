//! The helpers of the test programs.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    clippy::should_implement_trait,
    reason = "only the tests use it"
)]

pub mod binaries;
pub mod common;
#[cfg(all(feature = "spark", unix))]
pub mod spark;
#[cfg(all(feature = "sqlite", unix))]
pub mod worker;
