//! Lists in brackets.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Expr, ExprLit, Lit, LitStr};

use super::{Initializer, Kind};
use crate::option::reader::{Reader, ungroup};

/// Strings. Empty ones are rejected.
pub(crate) struct Texts;

impl Kind for Texts {
    type Value = Vec<LitStr>;

    fn read(reader: &mut Reader<'_>) -> Option<Vec<LitStr>> {
        let Some(Expr::Array(array)) = reader.expr() else { return reader.expected("a list of strings") };
        let mut texts = Vec::new();
        for element in &array.elems {
            match ungroup(element) {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.value().trim().is_empty() => {
                    reader.errors.at(text.span(), format!("`{}` cannot contain an empty string", reader.row.name));
                }
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => texts.push(text.clone()),
                other => reader.errors.on(other, format!("`{}` can contain only strings in quotes", reader.row.name)),
            }
        }
        Some(texts)
    }
}

impl Initializer for Texts {
    fn initializer(texts: &Vec<LitStr>, _private: &TokenStream) -> Option<TokenStream> {
        (!texts.is_empty()).then(|| quote!(&[#(#texts),*]))
    }
}

/// Literals of any type, at least one.
pub(crate) struct Literals;

impl Kind for Literals {
    type Value = Vec<Lit>;

    fn read(reader: &mut Reader<'_>) -> Option<Vec<Lit>> {
        let Some(Expr::Array(array)) = reader.expr() else { return reader.expected("a list of literals") };
        if array.elems.is_empty() {
            return reader.expected("at least one literal");
        }
        let mut literals = Vec::new();
        for element in &array.elems {
            match ungroup(element) {
                Expr::Lit(literal) => literals.push(literal.lit.clone()),
                other => reader.errors.on(
                    other.to_token_stream(),
                    format!(
                        "`{}` can contain only literals: strings in quotes, numbers, `true` and `false`",
                        reader.row.name
                    ),
                ),
            }
        }
        Some(literals)
    }
}
