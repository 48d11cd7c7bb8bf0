//! The syntax of `branch!(route(order) => { Route::Small(order) => small(order), .. })`.

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

/// The size of the largest tuple that serde supports.
const MAX_BINDINGS: usize = 16;

/// Parses the input, or reports why it cannot be parsed.
pub(super) fn parse(input: TokenStream, errors: &mut Errors) -> Option<Branch> {
    if input.is_empty() {
        errors.at(proc_macro2::Span::call_site(), format!("`branch!` needs a value and arms, as in {FORM}"));
        return None;
    }
    let Syntax { on, arms } = match syn::parse2(input) {
        Ok(syntax) => syntax,
        Err(error) => {
            errors.syntax(error);
            return None;
        }
    };
    if arms.is_empty() {
        errors.on(&on, format!("this branch has no arms; add them, as in {FORM}"));
        return None;
    }
    let arms = arms.into_iter().enumerate().map(|(index, arm)| validate(index, arm, errors)).collect();
    Some(Branch { krate: crate_path::resolve(None), on, arms })
}

struct Syntax {
    on: Expr,
    arms: Vec<syn::Arm>,
}

impl Parse for Syntax {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let on: Expr = input.parse()?;
        if let Expr::Match(written) = &on {
            let message = format!("remove `match`, and write `=>` after the value, as in {FORM}");
            return Err(syn::Error::new(written.match_token.span, message));
        }
        if input.is_empty() {
            return Err(syn::Error::new_spanned(
                on,
                format!("expected `=>` and the arms after the value, as in {FORM}"),
            ));
        }
        if !input.peek(Token![=>]) {
            return Err(input.error(format!("expected `=>` and the arms, as in {FORM}")));
        }
        input.parse::<Token![=>]>()?;
        if !input.peek(token::Brace) {
            let message = format!("expected the arms in braces, as in {FORM}");
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
            return Err(input.error("unexpected tokens after the arms of the branch; remove them"));
        }
        Ok(Syntax { on, arms })
    }
}

/// Turns `{ load(order) }` into `load(order)`. The compiler would warn of these braces inside the
/// block that an arm becomes.
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

fn validate(index: usize, arm: syn::Arm, errors: &mut Errors) -> Arm {
    let syn::Arm { attrs, pat, body, .. } = arm;
    for attribute in &attrs {
        errors.on(
            attribute,
            "an arm of `branch!` cannot have attributes, because every arm is part of the graph; remove them",
        );
    }
    let label = pattern::label(&pat).unwrap_or_else(|| format!("arm_{}", index + 1));
    let (pattern, bindings) = pattern::validate(pat, errors);
    if bindings.len() > MAX_BINDINGS {
        let message = format!(
            "this arm binds {} values, but at most {MAX_BINDINGS} are supported; omit unused ones with `..`, or make the \
             variant hold a struct",
            bindings.len()
        );
        errors.at(pattern.to_token_stream().span(), message);
    }
    let match_only = pattern::without_bindings(pattern.clone());
    Arm { pattern, match_only, bindings, label, body: without_braces(*body) }
}
