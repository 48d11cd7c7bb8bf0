//! The helpers of the test programs.
#![allow(
    missing_docs,
    missing_debug_implementations,
    clippy::new_without_default,
    clippy::should_implement_trait,
    reason = "only the tests use it"
)]

pub mod binaries;
pub mod calls;
pub mod clients;
pub mod common;
pub mod home;
pub mod hostile;
pub mod patience;
#[cfg(unix)]
pub mod processes;
/// What has no public name. The version in the name is that of the package.
pub use taskflow::__private_0_1_0 as private;
#[cfg(all(feature = "spark", unix))]
pub mod spark;
#[cfg(all(feature = "sqlite", unix))]
pub mod worker;
