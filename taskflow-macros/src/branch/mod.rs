//! `branch!`: runs one part of a graph and skips the others, depending on the variant that a task
//! returned.

mod expand;
mod model;
mod parse;
mod pattern;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::{self, Errors};

/// Expands `branch!(..)`. Errors become `compile_error!`s beside an expression of the same type.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let expansion = match parse::parse(input, &mut errors) {
        Some(branch) => expand::expand(&branch),
        None => errors::placeholder(),
    };
    if errors.len() == 0 {
        return expansion;
    }
    let errors = errors.into_tokens();
    quote!({ #errors #expansion })
}
