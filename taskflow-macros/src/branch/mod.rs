//! `branch!`: parts of a graph that run or are skipped by the variant that a task returned.

mod expand;
mod model;
mod parse;
mod pattern;

use proc_macro2::TokenStream;
use quote::quote;

use crate::errors::Errors;

/// What `branch!(..)` becomes. Mistakes become `compile_error!`s beside the rest, which keeps its type.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let expansion = match parse::parse(input, &mut errors) {
        Some(branch) => expand::expand(&branch),
        // Never run: it stands beside a compiler error.
        None => quote!(::core::unimplemented!()),
    };
    if errors.len() == 0 {
        return expansion;
    }
    let errors = errors.into_tokens();
    quote!({ #errors #expansion })
}
