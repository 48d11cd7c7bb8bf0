//! What is particular to a file, by theme. What every store guarantees is in
//! [`conformance`](crate::store::conformance).
//!
//! - `opening`: what is opened and created, what is refused, and what closing leaves.
//!   `migrations`: stores of earlier schemas.
//! - `sharing`: several users of one file, and their writes. `deletions`: deletions in pieces,
//!   between which others write.
//! - `damage`: damaged files and rows. `plans`: the queries that must not take longer the more rows
//!   there are.
//! - `support`: what they share.

mod damage;
mod deletions;
mod migrations;
mod opening;
mod plans;
mod sharing;
mod support;
