//! An expression as its author wrote it, on one line.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};

/// The tokens with the spaces they have in the source, where positions are known; the compiler's own spacing otherwise.
pub(crate) fn of(tokens: TokenStream) -> String {
    let fallback = tokens.to_string();
    if !proc_macro::is_available() {
        return fallback;
    }
    let mut text = String::new();
    let mut end = None;
    write(tokens, &mut text, &mut end);
    text
}

/// Line and column.
type Position = (usize, usize);

fn write(tokens: TokenStream, text: &mut String, end: &mut Option<Position>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                piece(open, group.span_open(), text, end);
                write(group.stream(), text, end);
                piece(close, group.span_close(), text, end);
            }
            other => piece(&other.to_string(), other.span(), text, end),
        }
    }
}

fn piece(piece: &str, span: Span, text: &mut String, end: &mut Option<Position>) {
    if piece.is_empty() {
        return;
    }
    let span = span.unwrap();
    let (start, stop) = (span.start(), span.end());
    if end.is_some_and(|end| end != (start.line(), start.column())) {
        text.push(' ');
    }
    text.push_str(piece);
    *end = Some((stop.line(), stop.column()));
}
