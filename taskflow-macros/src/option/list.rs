//! The syntax of an option list: `name`, `name = value`, `name(..)`, separated by commas.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Expr, Ident, Token, token};

use crate::errors::Errors;

/// One option as it is written.
pub(crate) struct Item {
    pub(crate) name: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// `name`
    Flag,
    /// `name = value`
    Is(Box<Expr>),
    /// `name =`, with the value missing.
    Missing,
    /// `name(..)`
    List(Group),
}

/// Reads the list. What cannot be read is reported and left out; reading goes on behind the next comma.
pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Vec<Item> {
    let read = |input: ParseStream<'_>| {
        let mut items = Vec::new();
        while !input.is_empty() {
            match item(input) {
                Ok(item) => items.push(item),
                Err(error) => {
                    errors.syntax(error);
                    skip_to_comma(input);
                }
            }
            if let Err(error) = comma(input) {
                errors.syntax(error);
                skip_to_comma(input);
                let _: Option<Token![,]> = input.parse()?;
            }
        }
        Ok(items)
    };
    // The closure itself never fails: every error is collected above.
    read.parse2(tokens).unwrap_or_default()
}

fn item(input: ParseStream<'_>) -> syn::Result<Item> {
    let name = input
        .call(Ident::parse_any)
        .map_err(|error| syn::Error::new(error.span(), "expected the name of an option, as in `retries = 3`"))?;
    let value = if input.peek(Token![=]) {
        input.parse::<Token![=]>()?;
        if input.is_empty() || input.peek(Token![,]) { Value::Missing } else { Value::Is(Box::new(input.parse()?)) }
    } else if input.peek(token::Paren) {
        Value::List(input.parse()?)
    } else {
        Value::Flag
    };
    Ok(Item { name, value })
}

fn comma(input: ParseStream<'_>) -> syn::Result<()> {
    if !input.is_empty() && input.parse::<Token![,]>().is_err() {
        return Err(input.error("expected `,` between two options"));
    }
    Ok(())
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            return;
        }
    }
}

impl Value {
    /// Where to point when the value is wrong as a whole.
    pub(crate) fn span(&self, name: &Ident) -> Span {
        match self {
            Value::Flag | Value::Missing | Value::Is(_) => name.span(),
            Value::List(group) => group.span_open(),
        }
    }
}
