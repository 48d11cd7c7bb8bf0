//! The options of `#[task]`, `#[dag]` and `#[param]`: one table, one way of writing them, one set of messages.

mod list;
mod read;
mod reader;
mod table;

pub(crate) use list::parse;
pub(crate) use read::{Backoff, Options, Scheduling, read};
pub(crate) use reader::peel;
pub(crate) use table::{Place, nearest};

use proc_macro2::Span;

/// A value and where it is written.
#[derive(Clone)]
pub(crate) struct Sp<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}
