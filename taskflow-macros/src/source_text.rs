//! The source text of an expression, on one line.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// The tokens with the spaces of the source. Outside of a macro expansion, where positions are
/// unknown, with the spaces that `TokenStream` prints.
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
        let span = token.span().unwrap();
        let start = (span.start().line(), span.start().column());
        let stop = (span.end().line(), span.end().column());
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                // A group that syn rebuilt has only the span of the whole.
                piece(open, start, (start.0, start.1 + open.len()), text, end);
                write(group.stream(), text, end);
                piece(close, (stop.0, stop.1.saturating_sub(close.len())), stop, text, end);
            }
            other => piece(&other.to_string(), start, stop, text, end),
        }
    }
}

fn piece(piece: &str, start: Position, stop: Position, text: &mut String, end: &mut Option<Position>) {
    if piece.is_empty() {
        return;
    }
    if end.is_some_and(|end| end != start) {
        text.push(' ');
    }
    text.push_str(piece);
    *end = Some(stop);
}
