//! The kinds of values that options take: how each is read, and what it becomes in generated code.

mod code;
mod list;
mod number;
mod schedule;
mod text;
mod time;

pub(crate) use code::{Asset, Callback, CratePath, Expression, Function, KeyFunction, Range, TaskDefaults};
pub(crate) use list::{Literals, Texts};
pub(crate) use number::{Integer, PositiveInteger, Size};
pub(crate) use schedule::{Calendar, Catchup, Combine, First, OnUpdate, Overlap, Schedule, Shift};
pub(crate) use text::{Executor, Id, Isolation, Name, Pattern, Text, TimeZone, TriggerRule};
pub(crate) use time::{Backoff, Bound, Deadline, Delay, PositiveDuration, Window};

pub(crate) use time::Growth;

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Lit;

use super::Spanned;
use super::list::Value;
use super::lookup::flag_form;
use super::reader::Reader;
use super::row::Form;

/// A kind of value.
pub(crate) trait Kind {
    /// What the field of the option holds.
    type Value;

    /// How an option of this kind is written.
    const FORM: Form = Form::Value;

    /// Reads the value, or reports what is wrong with it.
    fn read(reader: &mut Reader<'_>) -> Option<Self::Value>;
}

/// A kind of value that the generated `TaskOptions` or `DagOptions` can hold.
pub(crate) trait Initializer: Kind {
    /// What is assigned to the field, or `None` if the field keeps its default.
    fn initializer(value: &Self::Value, private: &TokenStream) -> Option<TokenStream>;
}

/// `Some(value)` in generated code.
fn some(value: impl ToTokens) -> Option<TokenStream> {
    Some(quote!(::core::option::Option::Some(#value)))
}

/// A flag that the generated constant holds as `Option<bool>`.
pub(crate) struct Flag;

impl Kind for Flag {
    type Value = Spanned<bool>;
    const FORM: Form = Form::Flag;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<bool>> {
        let span = reader.item.name.span();
        match (&reader.item.value, reader.literal()) {
            (Value::Flag, _) => Some(Spanned { value: true, span }),
            (_, Some(Lit::Bool(value))) => Some(Spanned { value: value.value, span }),
            _ => reader.reject(flag_form(reader.row.name)),
        }
    }
}

impl Initializer for Flag {
    fn initializer(flag: &Spanned<bool>, _private: &TokenStream) -> Option<TokenStream> {
        some(flag.value)
    }
}

/// A flag that the generated constant holds as `bool`.
pub(crate) struct Switch;

impl Kind for Switch {
    type Value = Spanned<bool>;
    const FORM: Form = Form::Flag;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<bool>> {
        Flag::read(reader)
    }
}

impl Initializer for Switch {
    fn initializer(switch: &Spanned<bool>, _private: &TokenStream) -> Option<TokenStream> {
        switch.value.then(|| quote!(true))
    }
}
