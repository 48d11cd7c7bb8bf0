//! The attribute macros of taskflow.
use proc_macro::TokenStream;

/// Turns a function into a task.
#[proc_macro_attribute]
pub fn task(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}

/// Turns a function into a DAG.
#[proc_macro_attribute]
pub fn dag(_options: TokenStream, item: TokenStream) -> TokenStream {
    item
}
