//! `#[dag]`: turns a function into the definition of a DAG.

mod event;
mod expand;
mod model;
mod param;
mod text;
mod validate;

use proc_macro2::TokenStream;

use crate::errors::Errors;
use crate::function::Function;
use crate::option::{self, Place, Written};

/// Expands `#[dag(options)] item`. Errors become `compile_error!`s beside a usable form of the
/// item.
pub(crate) fn expand(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let items = option::parse(options, &mut errors);
    let is_written = |name: &str| items.iter().any(|item| item.name == name);
    let written = Written { schedule: is_written("schedule"), except: is_written("except") };
    let Some(function) = Function::parse(item.clone(), "#[dag]", &mut errors) else {
        return [errors.into_tokens(), item].into_iter().collect();
    };
    let options = option::read(items, Place::Dag, &mut errors);
    let dag = validate::validate(function, options, written, &mut errors);
    [errors.into_tokens(), expand::expand(&dag)].into_iter().collect()
}
