//! Putting generated tokens where the user looks.

use proc_macro2::{Group, Span, TokenStream, TokenTree};

/// The tokens as if they were written at `span`: a path of ours beside a type of theirs.
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
