//! The options of `#[task]`, `#[sensor]`, `#[dag]`, its `default(..)`, `#[param]` and `#[event]`.
//!
//! [`list`] parses the syntax of an option list, and [`lookup`] finds the rows of its options.
//! [`table`] has one [`row`] for each option: its name, the kind of its value, the [places](place)
//! that take it, an example for messages, the names it has elsewhere, and the field that it sets in
//! the generated constant. [`kind`] reads values and turns them into code; [`constant`] makes the
//! generated constant of them. [`rules`] rejects options that contradict each other.
//!
//! # Adding an option
//!
//! 1. Add a row to the table. It declares the field of [`Options`], accepts the option in the
//!    attributes that the row lists, suggests it for misspellings and other names, and, if the row
//!    ends in `=> field`, assigns it in the generated `TaskOptions` or `DagOptions`.
//! 2. Add that field to `TaskOptions` (`taskflow_core::task`) or `DagOptions`
//!    (`taskflow_core::dag`).
//! 3. Describe the option in the documentation of each attribute in `lib.rs`. A test fails until it
//!    is described.
//!
//! A value that no existing kind can read needs a new type in [`kind`]. A rule that involves a
//! second option belongs in [`rules`]; a rule that involves the function belongs in the `validate`
//! module of `task` or `dag`. An option without `=> field` concerns the function rather than
//! `TaskOptions` or `DagOptions`: `expand` reads its field of [`Options`] directly.

mod constant;
mod kind;
mod list;
mod lookup;
mod place;
mod reader;
mod row;
mod rules;
mod table;

pub(crate) use list::parse;
pub(crate) use lookup::read;
pub(crate) use place::Place;
pub(crate) use reader::ungroup;
pub(crate) use rules::{StartsWith, Written, check_dag, check_deadline_of_task, check_task};
pub(crate) use table::Options;

use proc_macro2::Span;

/// A value and its position in the source.
#[derive(Clone)]
pub(crate) struct Spanned<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}
