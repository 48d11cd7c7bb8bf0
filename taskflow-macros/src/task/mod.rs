//! `#[task]` and `#[sensor]`: turn a function into the definition of a task.

mod expand;
mod model;
mod params;
mod validate;

use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::function::Function;
use crate::option::{self, Place};

pub(crate) use expand::{allow_lints, location};
pub(crate) use params::{is_context, plain_name};
pub(crate) use validate::{check_attributes, check_name, check_signature};

/// Expands `#[task(options)] item`. Errors become `compile_error!`s beside a usable form of the
/// item.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    expand_at(Place::Task, options, item)
}

/// Expands `#[sensor(options)] item`.
pub(crate) fn expand_sensor(options: TokenStream, item: TokenStream) -> TokenStream {
    expand_at(Place::Sensor, options, item)
}

fn expand_at(place: Place, options: TokenStream, item: TokenStream) -> TokenStream {
    let attribute = if place == Place::Sensor { "#[sensor]" } else { "#[task]" };
    let mut errors = Errors::default();
    let items = option::parse(options, &mut errors);
    let Some(function) = Function::parse(item.clone(), attribute, &mut errors) else {
        return [errors.into_tokens(), item].into_iter().collect();
    };
    let options = option::read(items, place, &mut errors);
    let task = validate::validate(function, options, place, &mut errors);
    [errors.into_tokens(), expand::expand(&task)].into_iter().collect()
}
