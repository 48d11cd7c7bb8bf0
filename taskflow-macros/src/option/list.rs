//! The syntax of an option list: `name`, `name = value` or `name(..)`, separated by commas.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, token};

use crate::errors::Errors;

/// One option as written.
pub(crate) struct Item {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// `name`
    Flag,
    /// `name = value`
    Expr(Box<Expr>),
    /// `name =` without a value.
    Missing,
    /// `name =` followed by something that is not an expression.
    Invalid(syn::Error),
    /// `name(..)`
    List(Group),
}

/// Parses the list. Reports and omits an item that cannot be parsed, and continues after the next
/// comma.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    let mut items = Vec::new();
    let read = |input: ParseStream<'_>| {
        while !input.is_empty() {
            match item(input) {
                Ok(item) => items.push(item),
                Err(error) => {
                    errors.syntax(error);
                    skip_to_comma(input)?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    };
    // Every error is in `errors` already. syn returns another one here if the failed parse of a
    // value left unread tokens behind.
    let _ = read.parse2(tokens);
    items
}

fn item(input: ParseStream<'_>) -> syn::Result<Item> {
    let name = input
        .call(Ident::parse_any)
        .map_err(|error| syn::Error::new(error.span(), "expected the name of an option, as in `retries = 3`"))?;
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if at_end(input) {
            Value::Missing
        } else {
            match input.parse() {
                Ok(value) => Value::Expr(Box::new(value)),
                Err(error) => {
                    skip_to_comma(input)?;
                    Value::Invalid(error)
                }
            }
        }
    } else if input.peek(token::Paren) {
        Value::List(input.parse()?)
    } else if at_end(input) {
        Value::Flag
    } else {
        return Err(input.error(format!("expected `=` and a value after `{name}`")));
    };
    if !at_end(input) {
        return Err(input.error("expected `,` before the next option"));
    }
    Ok(Item { name, value })
}

fn skip_to_comma(input: ParseStream<'_>) -> syn::Result<()> {
    while !at_end(input) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![,])
}

impl Value {
    /// Where to report that the option is written in the wrong form.
    pub(crate) fn span(&self, name: &Ident) -> Span {
        match self {
            Value::Flag | Value::Missing | Value::Expr(_) | Value::Invalid(_) => name.span(),
            Value::List(group) => group.span_open(),
        }
    }
}
