//! The audit trail: who has asked for which change, and what became of it.
//!
//! - `action`: what people can ask for, and how it can end: [`Action`], [`Outcome`].
//! - `trail`: the row of an operation, from its beginning to its end; signing a journal.
//! - `entry`: reading the trail: [`AuditEntry`], [`audit`].
//! - `pages`: the whole of it, page by page: [`AuditPages`].
//! - `sentence`: an entry in words.

mod action;
mod entry;
mod pages;
mod sentence;
mod trail;

pub use action::{Action, Outcome};
pub(super) use entry::read_any;
pub use entry::{AuditEntry, AuditList, AuditQuery, audit};
pub use pages::AuditPages;
#[cfg(feature = "server")]
pub(super) use trail::acting_instead;
pub use trail::{AuditTarget, acting_as, acting_as_member, audit_refusal};
#[cfg(feature = "server")]
pub(crate) use trail::{Client, Membership, acting_from};
pub(super) use trail::{Trail, changed};
