//! Expressions, paths and nested options.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Expr, Path};

use super::{Initializer, Kind, some};
use crate::option::list::{self, Value};
use crate::option::lookup;
use crate::option::place::Place;
use crate::option::reader::{Reader, ungroup};
use crate::option::row::Form;
use crate::option::table::Options;
use crate::spans;

/// Any expression.
pub(crate) struct Expression;

impl Kind for Expression {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        reader.expr().cloned()
    }
}

/// A range.
pub(crate) struct Range;

impl Kind for Range {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(range @ Expr::Range(_)) => Some(range.clone()),
            _ => reader.expected("a range"),
        }
    }
}

/// A function that takes an error: a path or a closure.
pub(crate) struct Function;

impl Kind for Function {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(function @ (Expr::Path(_) | Expr::Closure(_))) => Some(function.clone()),
            _ => reader.expected("a function or a closure that takes the error"),
        }
    }
}

/// A function that takes an event: a path or a closure.
pub(crate) struct KeyFunction;

impl Kind for KeyFunction {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(function @ (Expr::Path(_) | Expr::Closure(_))) => Some(function.clone()),
            _ => reader.expected("a function of the event, such as `|order| order.customer.clone()`"),
        }
    }
}

/// A function or a notifier: anything but a literal. The compiler checks the rest.
pub(crate) struct Callback;

impl Kind for Callback {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(Expr::Lit(_)) | None => {
                reader.expected("a function that takes a `&Notification`, or a notifier of `taskflow::notify`")
            }
            Some(callback) => Some(callback.clone()),
        }
    }
}

impl Initializer for Callback {
    fn initializer(callback: &Expr, private: &TokenStream) -> Option<TokenStream> {
        // Spanned at the callback, so that the compiler reports one of the wrong type there.
        let at = spans::at(callback.span(), private);
        let make = match ungroup(callback) {
            // Lets the compiler infer the type of the closure's parameter.
            Expr::Closure(_) => quote_spanned!(callback.span()=> #at::notifier_of(#callback)),
            _ => quote_spanned!(callback.span()=> #at::notifier(#callback)),
        };
        some(quote!(#private::Callback::new(|| #make)))
    }
}

/// The constant of an asset: anything but a literal. The compiler checks the rest.
pub(crate) struct Asset;

impl Kind for Asset {
    type Value = Expr;

    fn read(reader: &mut Reader<'_>) -> Option<Expr> {
        match reader.expr() {
            Some(Expr::Lit(_) | Expr::Array(_)) | None => {
                reader.expected("the constant of one asset, which `taskflow::asset!` declares")
            }
            Some(asset) => Some(asset.clone()),
        }
    }
}

/// The path of a crate.
pub(crate) struct CratePath;

impl Kind for CratePath {
    type Value = Path;

    fn read(reader: &mut Reader<'_>) -> Option<Path> {
        match reader.expr() {
            Some(Expr::Path(path)) if path.qself.is_none() => Some(path.path.clone()),
            _ => reader.expected("a path"),
        }
    }
}

/// `default(..)`: options of tasks.
pub(crate) struct TaskDefaults;

impl Kind for TaskDefaults {
    type Value = Box<Options>;
    const FORM: Form = Form::List;

    fn read(reader: &mut Reader<'_>) -> Option<Box<Options>> {
        let Value::List(group) = &reader.item.value else { return None };
        let items = list::parse(group.stream(), reader.errors);
        Some(Box::new(lookup::read(items, Place::TaskDefaults, reader.errors)))
    }
}

impl Initializer for TaskDefaults {
    fn initializer(defaults: &Box<Options>, private: &TokenStream) -> Option<TokenStream> {
        Some(defaults.task_options(private))
    }
}
