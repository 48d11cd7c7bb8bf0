//! Numbers and amounts.

use std::marker::PhantomData;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::{Expr, ExprLit, Lit, UnOp};

use super::{Initializer, Kind, some};
use crate::option::Spanned;
use crate::option::reader::{Reader, ungroup};
use crate::size;

/// An integer literal, with an optional minus.
pub(crate) struct Integer<T>(PhantomData<T>);

/// The types of integers.
pub(crate) trait Bounded: TryFrom<i128> + ToTokens {
    /// What a value of the type is, for messages.
    const DESCRIPTION: &str;
}

impl Bounded for u32 {
    const DESCRIPTION: &str = "an integer from 0 to 4294967295";
}

impl Bounded for i32 {
    const DESCRIPTION: &str = "an integer from -2147483648 to 2147483647";
}

impl<T: Bounded> Kind for Integer<T> {
    type Value = Spanned<T>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<T>> {
        let (negative, number) = match reader.expr() {
            Some(Expr::Unary(unary)) if matches!(unary.op, UnOp::Neg(_)) => (true, ungroup(&unary.expr)),
            Some(expr) => (false, expr),
            None => return reader.expected("an integer"),
        };
        let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = number else { return reader.expected("an integer") };
        if !number.suffix().is_empty() {
            return reader.expected("an integer without a suffix");
        }
        let span = number.span();
        let value = number.base10_parse::<i128>().ok().map(|value| if negative { -value } else { value });
        match value.and_then(|value| T::try_from(value).ok()) {
            Some(value) => Some(Spanned { value, span }),
            None => reader.expected(T::DESCRIPTION),
        }
    }
}

impl<T: Bounded> Initializer for Integer<T> {
    fn initializer(number: &Spanned<T>, _private: &TokenStream) -> Option<TokenStream> {
        some(&number.value)
    }
}

/// An integer of at least 1.
pub(crate) struct PositiveInteger;

impl Kind for PositiveInteger {
    type Value = Spanned<u32>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<u32>> {
        let number = Integer::<u32>::read(reader)?;
        if number.value == 0 {
            return reader.reject_at(number.span, format!("`{}` must be at least 1", reader.row.name));
        }
        Some(number)
    }
}

impl Initializer for PositiveInteger {
    fn initializer(number: &Spanned<u32>, _private: &TokenStream) -> Option<TokenStream> {
        some(number.value)
    }
}

/// An amount of memory, in bytes.
pub(crate) struct Size;

impl Kind for Size {
    type Value = Spanned<u64>;

    fn read(reader: &mut Reader<'_>) -> Option<Spanned<u64>> {
        match reader.literal() {
            Some(Lit::Str(text)) => {
                let (text, span) = (text.value(), text.span());
                reader.parsed(span, size::parse(&text))
            }
            Some(Lit::Int(number)) => {
                let unit = if number.suffix().is_empty() { "MiB" } else { number.suffix() };
                reader.reject(format!(
                    "an amount of memory is a string with a unit: write `{} = \"{}{unit}\"`\n{}",
                    reader.row.name,
                    number.base10_digits(),
                    size::UNITS_TEXT,
                ))
            }
            _ => reader.expected("an amount of memory in quotes"),
        }
    }
}
