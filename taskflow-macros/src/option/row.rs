//! A row of the table: an option.

use super::place::Place;
use super::reader::Reader;
use super::table::Options;

/// How an option is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `name = value`
    Value,
    /// `name` or `name = value`
    Flag,
    /// `name(..)`
    List,
}

/// An option.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(super) form: Form,
    pub(super) places: &'static [Place],
    /// The option with a value, for messages.
    pub(crate) example: &'static str,
    /// Names of the option in Airflow and other systems. The message for such a name shows
    /// `example`.
    pub(super) aliases: &'static [&'static str],
    /// Stores the value in the field of the option.
    pub(super) read: fn(&mut Options, &mut Reader<'_>),
}
