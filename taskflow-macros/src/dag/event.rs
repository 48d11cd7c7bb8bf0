//! `#[event(source, options)]` on a parameter of a DAG.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::Parser;
use syn::{Attribute, Expr, FnArg, Meta, Type};

use super::model::{Event, Source};
use crate::errors::Errors;
use crate::option::{self, Place};
use crate::types::{is_named, last_segment, type_arguments, ungroup};

/// The types of event parameters.
pub(super) const TYPES: [&str; 5] = ["Event", "Events", "Latest", "Seen", "Complete"];

/// Whether a parameter has the attribute.
pub(super) fn has_event<'a>(mut args: impl Iterator<Item = &'a FnArg>) -> bool {
    args.any(|arg| match arg {
        FnArg::Typed(arg) => arg.attrs.iter().any(|attr| attr.path().is_ident("event")),
        FnArg::Receiver(_) => false,
    })
}

/// Reads the attribute. Reports what is wrong with it; `None` if there is no source.
pub(super) fn read(attr: &Attribute, ty: &Type, errors: &mut Errors) -> Option<Event> {
    let Meta::List(list) = &attr.meta else {
        errors.on(attr, "`#[event]` needs an asset, as in `#[event(ORDERS)]`, or a DAG, as in `#[event(orders)]`");
        return None;
    };
    let (source, options) = split(list.tokens.clone());
    let source = match Parser::parse2(|input: syn::parse::ParseStream<'_>| input.parse::<Expr>(), source.clone()) {
        Ok(Expr::Assign(_)) | Err(_) => {
            errors.on(
                if source.is_empty() { list.path.to_token_stream() } else { source },
                "`#[event]` begins with an asset or a DAG, as in `#[event(ORDERS, max_age = \"12h\")]`",
            );
            return None;
        }
        Ok(source) => source_of(source),
    };
    let items = option::parse(options, errors);
    for item in &items {
        let name = item.name.to_string();
        let why = match &*name {
            "max" if names(ty, &["Event", "Latest"]) => "a run takes one event; take `Events<..>` to take several",
            "max" if names(ty, &["Complete"]) => "a run takes one event of each part of a period",
            "max" | "max_age" | "settle" | "key" if names(ty, &["Seen"]) => "`Seen` only looks at the newest event",
            "key" if names(ty, &["Complete"]) => "a run takes the events of one period",
            "key" if is_named(ungroup(ty), "Option") => {
                "a run is about the key of an event, so it cannot be without one; remove `Option<..>`"
            }
            "on_update" if !names(ty, &["Complete"]) => {
                "it is about periods that have had their run; take `Complete<..>` to wait for whole periods"
            }
            "at_least" | "all_but" if !names(ty, &["Complete"]) => {
                "it is about the parts of a period; take `Complete<..>` to wait for them"
            }
            _ => continue,
        };
        errors.on(&item.name, format!("`{name}` has no effect on this parameter: {why}"));
    }
    let option = |name: &str| items.iter().find(|item| item.name == name);
    if let (Some(_), Some(all_but)) = (option("at_least"), option("all_but")) {
        errors.on(&all_but.name, "both `at_least` and `all_but` say how many parts are needed; remove one of the two");
    }
    Some(Event { source, options: option::read(items, Place::Event, errors) })
}

/// Whether the type, or that in its `Option`, has one of these names.
pub(super) fn names(ty: &Type, names: &[&str]) -> bool {
    let ty = ungroup(ty);
    let inner = last_segment(ty).filter(|segment| segment.ident == "Option").and_then(|segment| {
        let [inner] = *type_arguments(segment) else { return None };
        Some(inner)
    });
    names.iter().any(|name| is_named(inner.unwrap_or(ty), name))
}

/// The tokens before the first comma, and those after it.
fn split(tokens: TokenStream) -> (TokenStream, TokenStream) {
    let mut tokens = tokens.into_iter();
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let source = tokens.by_ref().take_while(|token| !is_comma(token)).collect();
    (source, tokens.collect())
}

/// A path in lower case is that of a DAG, whose type has the name of its function. Assets are
/// constants, and those are in upper case.
fn source_of(source: Expr) -> Source {
    match source {
        Expr::Path(path) if path.qself.is_none() => {
            let last = path.path.segments.last().map(|segment| segment.ident.to_string());
            match last.is_some_and(|name| name.chars().any(char::is_lowercase)) {
                true => Source::Dag(path.path),
                false => Source::Value(Expr::Path(path)),
            }
        }
        other => Source::Value(other),
    }
}
