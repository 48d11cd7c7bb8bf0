//! `branch!(route(order) => { Route::Small(order) => small(order), .. })`, as it is written.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Expr, Token, braced, token};

use super::model::{Arm, Branch};
use super::pattern;
use crate::crate_path;
use crate::errors::Errors;

const FORM: &str =
    "`branch!(route(order) => { Route::Small(order) => load(order), Route::Large { rows } => split(rows) })`";

/// The largest tuple that serde can store.
const MOST_BINDINGS: usize = 16;

/// The model; `None` when the tokens are not understood, and what is wrong with them is reported.
pub(super) fn parse(input: TokenStream, errors: &mut Errors) -> Option<Branch> {
    if input.is_empty() {
        errors.at(proc_macro2::Span::call_site(), format!("`branch!` needs a value and arms: {FORM}"));
        return None;
    }
    let Written { on, arms } = match syn::parse2(input) {
        Ok(written) => written,
        Err(error) => {
            errors.syntax(error);
            return None;
        }
    };
    if arms.is_empty() {
        errors.on(&on, format!("this branch has no arms: {FORM}"));
        return None;
    }
    let arms = arms.into_iter().enumerate().map(|(place, arm)| validate(place, arm, errors)).collect();
    Some(Branch { krate: crate_path::resolve(None), on, arms })
}

struct Written {
    on: Expr,
    arms: Vec<syn::Arm>,
}

impl Parse for Written {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let on: Expr = input.parse()?;
        if let Expr::Match(like) = &on {
            let message =
                format!("`branch!` is written as a `match` without that word, and with `=>` after the value: {FORM}");
            return Err(syn::Error::new(like.match_token.span, message));
        }
        if input.is_empty() {
            return Err(syn::Error::new_spanned(on, format!("`=>` and the arms follow the value: {FORM}")));
        }
        if !input.peek(Token![=>]) {
            return Err(input.error(format!("expected `=>` and the arms: {FORM}")));
        }
        input.parse::<Token![=>]>()?;
        if !input.peek(token::Brace) {
            let message = format!("expected the arms in braces: {FORM}");
            let at = if input.is_empty() { on.span() } else { input.span() };
            return Err(syn::Error::new(at, message));
        }
        let inside;
        braced!(inside in input);
        let mut arms = Vec::new();
        while !inside.is_empty() {
            arms.push(inside.parse()?);
        }
        if input.peek(Token![,]) {
            input.parse::<Token![,]>()?;
        }
        if !input.is_empty() {
            return Err(input.error("nothing follows the arms of a branch"));
        }
        Ok(Written { on, arms })
    }
}

/// `{ load(order) }` as `load(order)`: inside the block that an arm becomes, its braces would be called needless.
fn without_braces(body: Expr) -> Expr {
    match body {
        Expr::Block(mut block) if block.label.is_none() && block.attrs.is_empty() && block.block.stmts.len() == 1 => {
            match block.block.stmts.pop() {
                Some(syn::Stmt::Expr(only, None)) => only,
                other => {
                    block.block.stmts.extend(other);
                    Expr::Block(block)
                }
            }
        }
        body => body,
    }
}

fn validate(place: usize, arm: syn::Arm, errors: &mut Errors) -> Arm {
    let syn::Arm { attrs, pat, body, .. } = arm;
    for attribute in &attrs {
        errors.on(attribute, "an arm of `branch!` takes no attributes: every arm is a part of the graph");
    }
    let label = pattern::label(&pat).unwrap_or_else(|| format!("arm_{}", place + 1));
    let (pattern, bindings) = pattern::understand(pat, errors);
    if bindings.len() > MOST_BINDINGS {
        let message = format!(
            "this arm binds {} values, and at most {MOST_BINDINGS} travel together: leave out with `..` what is not \
             needed, or let the variant hold a struct",
            bindings.len()
        );
        errors.at(pattern.to_token_stream().span(), message);
    }
    let shape = pattern::without_bindings(pattern.clone());
    Arm { pattern, shape, bindings, label, body: without_braces(*body) }
}
