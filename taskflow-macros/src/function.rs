//! The annotated function. Attributes, visibility and signature are parsed; the body stays a token.
//!
//! The compiler therefore reports errors in the body itself, and an editor can complete code inside
//! an unfinished body.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Signature, Token, Visibility, token};

use crate::errors::Errors;

/// A free function with a body.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// The braces with their content.
    pub(crate) body: TokenTree,
}

impl Function {
    /// Parses the function under `attribute`, or reports why the item is not one.
    pub(crate) fn parse(item: TokenStream, attribute: &str, errors: &mut Errors) -> Option<Function> {
        match syn::parse2::<Item>(item) {
            Ok(Item::Function(function)) => Some(*function),
            Ok(Item::NoBody(sig)) => {
                errors.on(
                    sig,
                    format!("`{attribute}` needs a function with a body; move it out of the trait or `extern` block"),
                );
                None
            }
            Ok(Item::Other(tokens)) => {
                errors.on(
                    tokens,
                    format!(
                        "`{attribute}` can be applied only to a function, as in `{attribute} fn name(..) {{ .. }}`"
                    ),
                );
                None
            }
            Err(error) => {
                errors.syntax(error);
                None
            }
        }
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }
}

enum Item {
    Function(Box<Function>),
    NoBody(TokenStream),
    Other(TokenStream),
}

impl Parse for Item {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        if !starts_function(input) {
            // The first tokens name the kind of item. That is enough to report.
            let rest: TokenStream = input.parse()?;
            return Ok(Item::Other(rest.into_iter().take(2).collect()));
        }
        let sig: Signature = input.parse()?;
        if input.peek(Token![;]) {
            input.parse::<Token![;]>()?;
            return Ok(Item::NoBody(sig.to_token_stream()));
        }
        if !input.peek(token::Brace) {
            return Err(input.error("expected the body of the function"));
        }
        Ok(Item::Function(Box::new(Function { attrs, vis, sig, body: input.parse()? })))
    }
}

fn starts_function(input: ParseStream<'_>) -> bool {
    let fork = input.fork();
    loop {
        if fork.peek(Token![fn]) {
            return true;
        }
        let modifier = fork.peek(Token![const])
            || fork.peek(Token![async])
            || fork.peek(Token![unsafe])
            || fork.peek(Token![extern]);
        if !modifier || fork.parse::<TokenTree>().is_err() {
            return false;
        }
        // Skips the ABI of an `extern "C" fn`.
        if fork.peek(syn::LitStr) && fork.parse::<syn::LitStr>().is_err() {
            return false;
        }
    }
}
