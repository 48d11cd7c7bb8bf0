//! Spans of generated tokens.

use proc_macro2::{Group, Span, TokenStream, TokenTree};

/// The tokens with `span`, so that the compiler reports errors in generated code at the user's
/// code.
pub(crate) fn at(span: Span, tokens: &TokenStream) -> TokenStream {
    tokens
        .clone()
        .into_iter()
        .map(|token| match token {
            TokenTree::Group(group) => {
                let mut moved = Group::new(group.delimiter(), at(span, &group.stream()));
                moved.set_span(span);
                TokenTree::Group(moved)
            }
            mut token => {
                token.set_span(span);
                token
            }
        })
        .collect()
}
