//! `#[derive(Schema)]`: what a document looks like in JSON, for the `OpenAPI` document.
//!
//! The core derives it beside `Serialize`, and it reads the attributes of serde: one description of
//! a document is both how it is written and what is said about it. Doc comments become
//! descriptions. An attribute that it does not know is an error, so that nothing is said that is
//! not so.
//!
//! `#[schema(as = "Type")]` on a member names another type that has the same JSON, and
//! `#[schema(name = "Name")]` on a type another name in the document.

mod expand;
mod model;
mod text;

use proc_macro2::TokenStream;

pub(crate) fn expand(item: TokenStream) -> TokenStream {
    match syn::parse2(item).and_then(model::Model::read) {
        Ok(model) => expand::expand(&model),
        Err(error) => error.to_compile_error(),
    }
}
