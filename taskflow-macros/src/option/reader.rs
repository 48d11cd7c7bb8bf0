//! Access to the value of one option, for the kinds that read it.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Expr, Lit};

use super::Spanned;
use super::list::{Item, Value};
use super::row::Row;
use crate::errors::Errors;

/// An option as written, its row, and where to report mistakes.
pub(crate) struct Reader<'a> {
    pub(crate) row: &'static Row,
    pub(crate) item: &'a Item,
    pub(crate) errors: &'a mut Errors,
}

impl<'a> Reader<'a> {
    pub(crate) fn expr(&self) -> Option<&'a Expr> {
        match &self.item.value {
            Value::Expr(expr) => Some(ungroup(expr)),
            Value::Flag | Value::Missing | Value::Invalid(_) | Value::List(_) => None,
        }
    }

    pub(crate) fn literal(&self) -> Option<&'a Lit> {
        match self.expr()? {
            Expr::Lit(literal) => Some(&literal.lit),
            _ => None,
        }
    }

    /// Reports that the value is not one that the option takes.
    pub(crate) fn expected<T>(&mut self, expected: &str) -> Option<T> {
        self.reject(format!("`{}` takes {expected}, as in `{}`", self.row.name, self.row.example))
    }

    /// Reports a mistake in the value.
    pub(crate) fn reject<T>(&mut self, message: impl Display) -> Option<T> {
        let value = self.expr().map(ToTokens::to_token_stream).unwrap_or_default();
        self.errors.on(value, message);
        None
    }

    /// Reports a mistake at a position inside the value.
    pub(crate) fn reject_at<T>(&mut self, span: Span, message: impl Display) -> Option<T> {
        self.errors.at(span, message);
        None
    }

    /// The parsed value, or reports why it cannot be parsed.
    pub(crate) fn parsed<T>(&mut self, span: Span, result: Result<T, String>) -> Option<Spanned<T>> {
        match result {
            Ok(value) => Some(Spanned { value, span }),
            Err(message) => self.reject_at(span, message),
        }
    }
}

/// The expression inside the invisible groups that a `macro_rules!` macro leaves around its
/// fragments.
pub(crate) fn ungroup(mut expr: &Expr) -> &Expr {
    while let Expr::Group(group) = expr {
        expr = &group.expr;
    }
    expr
}
